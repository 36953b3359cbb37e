package schema

import "fmt"

// Unit says what a plain integer counts since 1970 (UTC). The zero value is no unit:
// the instant of an integer is not known.
type Unit string

// The units.
const (
	Seconds      Unit = "s"
	Milliseconds Unit = "ms"
	Microseconds Unit = "us"
	Nanoseconds  Unit = "ns"
)

// ParseUnit reads a unit as configurations name it.
func ParseUnit(s string) (Unit, error) {
	switch u := Unit(s); u {
	case Seconds, Milliseconds, Microseconds, Nanoseconds:
		return u, nil
	}
	return "", fmt.Errorf("unknown unit %q (s, ms, us or ns)", s)
}

// Instant returns the instant v units after the epoch. Without a unit it is Unknown.
func (u Unit) Instant(v int64) Instant {
	switch u {
	case Seconds:
		return FromSeconds(v)
	case Milliseconds:
		return FromMillis(v)
	case Microseconds:
		return FromMicros(v)
	case Nanoseconds:
		return FromNanos(v)
	}
	return Unknown
}
