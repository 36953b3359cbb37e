package schema

import "time"

// Day is a day of UTC: days since 1970-01-01.
type Day int32

const nanosADay = 24 * 60 * 60 * 1e9

// Day returns the day that the instant is in. Unknown is in none: the caller asks first.
func (i Instant) Day() Day {
	d := i / nanosADay
	if i%nanosADay < 0 {
		d--
	}
	return Day(d)
}

// Time returns the day's first instant.
func (d Day) Time() time.Time { return time.Unix(int64(d)*(24*60*60), 0).UTC() }

// String returns the day as 2026-01-05.
func (d Day) String() string { return d.Time().Format(time.DateOnly) }

// ParseDay is the inverse of String, for the days that an Instant can be in.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, err
	}
	return FromTime(t).Day(), nil
}
