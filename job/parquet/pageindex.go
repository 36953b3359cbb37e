package parquet

import (
	"assent/job/parquet/thrift"
)

// Values of BoundaryOrder.
const (
	unordered  = 0
	ascending  = 1
	descending = 2
)

// OffsetIndex returns the encoded OffsetIndex of the chunk, which begins at start.
func (c *ChunkWriter) OffsetIndex(start int64) []byte {
	var locations []byte
	for i := range c.pages {
		p := &c.pages[i]
		locations = PageLocation{start + p.offset, p.size, p.firstRow}.Append(locations)
	}
	s := thrift.Struct{thrift.ListField(1, thrift.StrucT, len(c.pages), locations)}
	return s.Append(nil)
}

// Append appends the encoded PageLocation.
func (l PageLocation) Append(dst []byte) []byte {
	dst = thrift.AppendInt(append(dst, 1<<4|byte(thrift.I64)), l.Offset)
	dst = thrift.AppendInt(append(dst, 1<<4|byte(thrift.I32)), int64(l.Size))
	dst = thrift.AppendInt(append(dst, 1<<4|byte(thrift.I64)), l.FirstRow)
	return append(dst, 0)
}

// ColumnIndex returns the encoded ColumnIndex. It is nil where the chunk cannot have one: its column has no order, or there is a
// page whose bounds are not known or whose values are all NaN.
func (c *ChunkWriter) ColumnIndex() []byte {
	if c.col.Order == OrderNone || len(c.pages) == 0 {
		return nil
	}
	var nullPages, mins, maxs, nulls []byte
	counted := true
	flags, no := thrift.True, byte(thrift.False)
	if c.Terse {
		flags, no = thrift.False, 0 // the other form of a list of booleans, which readers take as well
	}
	for i := range c.pages {
		p := &c.pages[i]
		if !p.null && !p.any {
			return nil
		}
		if p.null {
			nullPages = append(nullPages, byte(thrift.True))
			mins, maxs = append(mins, 0), append(maxs, 0)
		} else {
			nullPages = append(nullPages, no)
			mins, maxs = thrift.AppendBytes(mins, p.lo), thrift.AppendBytes(maxs, p.hi)
		}
		counted = counted && p.nulls >= 0
		nulls = thrift.AppendInt(nulls, p.nulls)
	}
	n := len(c.pages)
	s := thrift.Struct{
		thrift.ListField(1, flags, n, nullPages),
		thrift.ListField(2, thrift.Binary, n, mins),
		thrift.ListField(3, thrift.Binary, n, maxs),
		thrift.Int32Field(4, c.boundaryOrder()),
	}
	if counted {
		s = append(s, thrift.ListField(5, thrift.I64, n, nulls))
	}
	return s.Append(nil)
}

// boundaryOrder says whether the bounds of the pages that have values rise or fall.
func (c *ChunkWriter) boundaryOrder() int32 {
	up, down := true, true
	var last *pageOut
	for i := range c.pages {
		p := &c.pages[i]
		if p.null {
			continue
		}
		if last != nil {
			lo, hi := Compare(c.col, last.lo, p.lo), Compare(c.col, last.hi, p.hi)
			up = up && lo <= 0 && hi <= 0
			down = down && lo >= 0 && hi >= 0
		}
		last = p
	}
	switch {
	case up:
		return ascending
	case down && !c.Terse:
		return descending
	}
	return unordered
}
