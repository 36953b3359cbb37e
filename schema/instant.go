package schema

import (
	"encoding/binary"
	"math"
	"time"
)

// Instant is a point in time: nanoseconds since 1970-01-01T00:00:00Z.
// Conversions saturate, so a year-9999 sentinel is Forever and not an overflow.
type Instant int64

const (
	// Unknown stands for a null moment. No conversion returns it.
	Unknown Instant = math.MinInt64
	// Earliest is the earliest instant; everything before it saturates here.
	Earliest Instant = math.MinInt64 + 1
	// Forever is the latest instant; everything after it saturates here.
	Forever Instant = math.MaxInt64
)

// FromNanos returns the instant ns nanoseconds after the epoch.
func FromNanos(ns int64) Instant { return max(Instant(ns), Earliest) }

// FromMicros returns the instant us microseconds after the epoch.
func FromMicros(us int64) Instant { return scale(us, 1e3) }

// FromMillis returns the instant ms milliseconds after the epoch.
func FromMillis(ms int64) Instant { return scale(ms, 1e6) }

// FromSeconds returns the instant s seconds after the epoch.
func FromSeconds(s int64) Instant { return scale(s, 1e9) }

func scale(v, unit int64) Instant {
	if v > math.MaxInt64/unit {
		return Forever
	}
	if v < -(math.MaxInt64 / unit) {
		return Earliest
	}
	return Instant(v * unit)
}

// julianEpoch is the Julian day number of 1970-01-01, from which INT96 timestamps count.
const julianEpoch = 2440588

// FromInt96 decodes the 12 bytes of a Parquet INT96 timestamp: nanoseconds of the
// day, little-endian in 8 bytes, then the Julian day in 4 (the form that Impala
// and Spark write). The nanoseconds may exceed a day, as some writers have it.
func FromInt96(b []byte) Instant {
	_ = b[11]
	nanos := int64(binary.LittleEndian.Uint64(b))
	days := int64(int32(binary.LittleEndian.Uint32(b[8:]))) - julianEpoch
	midnight := scale(days, 86400*1e9)
	sum := midnight + Instant(nanos)
	switch { // on overflow, or where midnight had saturated already, stay at the end it left by
	case midnight == Forever, midnight > 0 && nanos > 0 && sum < 0:
		return Forever
	case midnight == Earliest, midnight < 0 && nanos < 0 && sum >= 0:
		return Earliest
	}
	return max(sum, Earliest)
}

// FromTime returns t as an instant.
func FromTime(t time.Time) Instant {
	s := FromSeconds(t.Unix())
	if s == Forever || s == Earliest {
		return s
	}
	if s > Forever-Instant(t.Nanosecond()) {
		return Forever
	}
	return s + Instant(t.Nanosecond())
}

// Time returns the instant as a UTC time.
func (i Instant) Time() time.Time { return time.Unix(0, int64(i)).UTC() }

// String returns the instant in RFC 3339 with as many digits as it needs, or "unknown".
func (i Instant) String() string {
	switch i {
	case Unknown:
		return "unknown"
	case Forever:
		return "forever"
	}
	return i.Time().Format(time.RFC3339Nano)
}

// Span is the half-open interval [From, Until). Until Forever it is open: it has no
// end, and so holds Forever too.
type Span struct {
	From, Until Instant
}

// Contains reports whether the span holds i.
func (s Span) Contains(i Instant) bool { return s.From <= i && (i < s.Until || s.Until == Forever) }
