package source

import (
	"assent/job/parquet"
	"assent/schema"
)

// TimeForm says how the values of a column become instants.
type TimeForm uint8

const (
	timeNanos TimeForm = iota
	timeMicros
	timeMillis
	timeSeconds
	timeInt96
)

func timeFormOf(unit parquet.TimeUnit) TimeForm {
	switch unit {
	case parquet.Millis:
		return timeMillis
	case parquet.Micros:
		return timeMicros
	default:
		return timeNanos
	}
}

// timeFormIn is the form of integers that count a unit.
func timeFormIn(unit schema.Unit) TimeForm {
	switch unit {
	case schema.Seconds:
		return timeSeconds
	case schema.Milliseconds:
		return timeMillis
	case schema.Microseconds:
		return timeMicros
	default:
		return timeNanos
	}
}

// Instants writes the vector's instants to out, schema.Unknown for nulls.
func (c *KeyColumn) Instants(v *parquet.Vector, out []schema.Instant) {
	switch {
	case c.Time == timeInt96:
		for i := range out {
			if b := int96At(v, i); len(b) == 12 {
				out[i] = schema.FromInt96(b)
			}
		}
	case v.Dict == nil && len(v.Ints) >= len(out) && c.ID <= idInt:
		c.Time.instants(v.Ints[:len(out)], out)
	case v.Dict != nil && v.Dict.Len() > 0 && c.ID <= idInt:
		for i, entry := range v.Index[:len(out)] {
			out[i] = c.Time.instant(v.Dict.Int(int(entry)))
		}
	default:
		for i := range out {
			if v.Null == nil || !v.Null[i] {
				out[i] = c.Time.instant(c.ID.integerAt(v, i))
			}
		}
	}
	for i, null := range v.Null {
		if null {
			out[i] = schema.Unknown
		}
	}
}

func int96At(v *parquet.Vector, slot int) []byte {
	switch {
	case v.Dict == nil:
		return v.Bytes.At(slot)
	case v.Dict.Len() == 0: // all slots are null
		return nil
	}
	return v.Dict.Bytes(int(v.Index[slot]))
}

// instants is instant for many, into out.
func (form TimeForm) instants(v []int64, out []schema.Instant) {
	out = out[:len(v)]
	switch form {
	case timeMicros: // most are
		for i, t := range v {
			out[i] = schema.FromMicros(t)
		}
	default:
		for i, t := range v {
			out[i] = form.instant(t)
		}
	}
}

func (form TimeForm) instant(v int64) schema.Instant {
	switch form {
	case timeSeconds:
		return schema.FromSeconds(v)
	case timeMillis:
		return schema.FromMillis(v)
	case timeMicros:
		return schema.FromMicros(v)
	default:
		return schema.FromNanos(v)
	}
}
