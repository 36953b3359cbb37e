package transform

import (
	"encoding/binary"
	"math"

	"assent/job/internal/source"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// coarsen cuts a column's instants.
func (b *binder) coarsen(leaf int, column string) (rewrite.Transform, error) {
	c, grain := &b.f.Columns()[leaf], b.Dataset.Handover.Coarsen[column]
	cut, err := b.cutter(c, column, grain)
	if err != nil {
		return rewrite.Transform{}, err
	}
	values := b.count(column, manifests.Coarsened, grain)
	return rewrite.Transform{New: func() rewrite.Mapper {
		return func(dst, value []byte, n int) []byte {
			values.Add(int64(n))
			return cut(dst, value)
		}
	}}, nil
}

// cutter returns what cuts a PLAIN value of a column.
func (b *binder) cutter(c *parquet.Column, column string, grain schema.Grain) (func(dst, value []byte) []byte, error) {
	const hint = "coarsen takes Parquet timestamps (milliseconds, microseconds, nanoseconds, INT96), dates, and plain integers that are moments with `units`"
	perDay, signed := int64(0), true
	switch c.Logical.Kind {
	case parquet.Timestamp:
		perDay = map[parquet.TimeUnit]int64{parquet.Millis: 86_400_000, parquet.Micros: 86_400_000_000, parquet.Nanos: 86_400_000_000_000}[c.Logical.Unit]
	case parquet.Date:
		perDay = 1
	case parquet.None, parquet.Int:
		if c.Physical == parquet.Int96 {
			return func(dst, value []byte) []byte { return appendInt96(dst, value, grain) }, nil
		}
		perDay = b.unitOf(column)
		signed = c.Logical.Kind == parquet.None || c.Logical.Signed
		if perDay == 0 && (c.Physical == parquet.Int32 || c.Physical == parquet.Int64) {
			return nil, columnErrorf("coarsen", column, hint, "%s has no unit, so its instants are not known", source.TypeName(c))
		}
	}
	switch {
	case perDay == 0:
	case c.Physical == parquet.Int64 && signed:
		return func(dst, value []byte) []byte {
			v := cut(int64(binary.LittleEndian.Uint64(value)), perDay, grain)
			return binary.LittleEndian.AppendUint64(dst, uint64(v))
		}, nil
	case c.Physical == parquet.Int64:
		return func(dst, value []byte) []byte {
			v := binary.LittleEndian.Uint64(value)
			if v <= math.MaxInt64 { // else it is no instant that any calendar has
				v = uint64(cut(int64(v), perDay, grain))
			} else {
				v = math.MaxUint64
			}
			return binary.LittleEndian.AppendUint64(dst, v)
		}, nil
	case c.Physical == parquet.Int32:
		return func(dst, value []byte) []byte {
			v := int64(int32(binary.LittleEndian.Uint32(value)))
			if !signed {
				v = int64(uint32(v))
			}
			v = cut(v, perDay, grain)
			if signed && v < math.MinInt32 { // the first instant of the grain is not one that the column can hold
				v = math.MinInt32
			}
			return binary.LittleEndian.AppendUint32(dst, uint32(v))
		}, nil
	}
	return nil, columnErrorf("coarsen", column, hint, "%s is no timestamp", source.TypeName(c))
}

// unitOf returns how many units of a column of plain integers a day has, 0 where it is no moment with a unit.
func (b *binder) unitOf(column string) int64 {
	for _, m := range b.Dataset.Moments {
		if m.Column == column {
			switch m.Unit {
			case schema.Seconds:
				return 86_400
			case schema.Milliseconds:
				return 86_400_000
			case schema.Microseconds:
				return 86_400_000_000
			case schema.Nanoseconds:
				return 86_400_000_000_000
			}
		}
	}
	return 0
}

// cut returns the first instant of the grain that v is in, both counted from 1970 in units of which a day has perDay. What begins
// before the least integer is cut to that.
func cut(v, perDay int64, grain schema.Grain) int64 {
	step := perDay
	if grain == schema.Hour && perDay > 1 {
		step = perDay / 24
	}
	n := floorDiv(v, step)
	if grain == schema.Month {
		n = firstOfMonth(n)
	}
	if n < math.MinInt64/step {
		return math.MinInt64
	}
	return n * step
}

func floorDiv(v, by int64) int64 {
	q := v / by
	if v%by < 0 {
		q--
	}
	return q
}

// appendInt96 appends a cut INT96 timestamp: nanoseconds of the day, then the Julian day.
func appendInt96(dst, value []byte, grain schema.Grain) []byte {
	const perDay, epoch = 86_400_000_000_000, 2_440_588 // the Julian day of 1970-01-01
	nanos, day := int64(binary.LittleEndian.Uint64(value)), int64(int32(binary.LittleEndian.Uint32(value[8:])))
	day += floorDiv(nanos, perDay)
	nanos -= floorDiv(nanos, perDay) * perDay
	switch grain {
	case schema.Hour:
		nanos = cut(nanos, perDay, grain)
	case schema.DayOf:
		nanos = 0
	case schema.Month:
		nanos, day = 0, firstOfMonth(day-epoch)+epoch
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(nanos))
	return binary.LittleEndian.AppendUint32(dst, uint32(max(math.MinInt32, min(day, math.MaxInt32))))
}

// firstOfMonth returns the first day of a day's month, both counted from 1970-01-01 in the proleptic Gregorian calendar.
func firstOfMonth(day int64) int64 {
	const era, days = 146_097, 719_468 // of 400 years, and from 0000-03-01 to 1970-01-01
	ofEra := day + days - floorDiv(day+days, era)*era
	year := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365 // begins in March
	ofYear := ofEra - (365*year + year/4 - year/100)
	month := (5*ofYear + 2) / 153
	return day - (ofYear - (153*month+2)/5)
}
