package config

import (
	"fmt"
	"strconv"
	"time"

	"assent/schema"
)

// ParseInstant reads an instant. A time of day needs its zone; a date alone is its
// midnight in UTC.
func ParseInstant(s string) (schema.Instant, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return schema.FromTime(t), nil
		}
	}
	return schema.Unknown, fmt.Errorf("%q is not an instant such as 2026-01-05T00:00:00Z", s)
}

// parseShare reads a number from 0 to 1. NaN is none.
func parseShare(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, fmt.Errorf("%q is not a share between 0 and 1", s)
	}
	return v, nil
}

func parseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("%q is not a duration such as 36h", s)
	}
	return v, nil
}

func parseZone(s string) (bool, error) {
	if s != "UTC" {
		return false, fmt.Errorf("%q: only UTC can be assumed of timestamps without a zone", s)
	}
	return true, nil
}

func parseSwitch(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", s)
}

func parseCount(s string) (int64, error) {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("%q is not a number such as 0 or 20", s)
	}
	return v, nil
}
