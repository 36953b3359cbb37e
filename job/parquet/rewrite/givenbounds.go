package rewrite

import (
	"assent/job/parquet/thrift"
)

// givenBounds are the bounds and null counts of pages as the input states them: in the column index, or else in the page
// headers.
type givenBounds struct {
	col     *Column
	trusted bool // minima and maxima mean what they should
	ordered bool // min_value and max_value do
	pages   map[int64]givenPage
}

type givenPage struct {
	null   bool
	lo, hi []byte
	nulls  int64 // -1: not said
}

func newGivenBounds(f *File, col *Column, index *pageIndexes) *givenBounds {
	g := &givenBounds{col: col, trusted: col.order != orderNone && !f.Application().badBounds(col), ordered: f.Ordered()}
	if index == nil || index.rawColumn == nil || !g.trusted || !f.Ordered() {
		return g
	}
	x, ok := index.columnIndex()
	if !ok {
		return g
	}
	g.pages = make(map[int64]givenPage, len(index.locations))
	for i, at := range index.locations {
		p := givenPage{null: x.null[i], lo: x.lo[i], hi: x.hi[i], nulls: -1}
		if x.nulls != nil {
			p.nulls = x.nulls[i]
		}
		g.pages[at.offset] = p
	}
	return g
}

// page sets the draft's bounds and count of values to what the input says of the page, and reports whether that is all that
// the output's index and statistics need.
func (g *givenBounds) page(d *draft, in *input) bool {
	p, ok := g.pages[in.mark.at]
	if !ok {
		p = g.header(&in.h)
	}
	n := int64(in.h.values)
	switch {
	case g.col.MaxDef == 0:
		p.nulls = 0
	case d.v2:
		p.nulls = int64(in.h.nulls)
	case p.null:
		p.nulls = n
	}
	if p.nulls > n || p.null && p.nulls != n {
		return false
	}
	d.uncounted = p.nulls < 0
	d.count = in.h.values - int(max(p.nulls, 0))
	if g.col.order == orderNone {
		return !d.uncounted
	}
	if p.nulls == n {
		return true
	}
	if !g.trusted || !soundBound(g.col, p.lo) || !soundBound(g.col, p.hi) || compareBytes(g.col, p.lo, p.hi) > 0 {
		return false
	}
	d.bounds.add(g.col, p.lo)
	d.bounds.add(g.col, p.hi)
	d.bounds.looseMin, d.bounds.looseMax = true, true
	return d.bounds.any
}

// header returns what the page header's Statistics say.
func (g *givenBounds) header(h *pageHeader) givenPage {
	p := givenPage{nulls: -1}
	if h.stats == nil {
		return p
	}
	s, _, err := thrift.Parse(h.stats)
	if err != nil {
		return p
	}
	if n, err := s.Int(stNullCount, -1); err == nil {
		p.nulls = n
	}
	minID, maxID := int16(stMinValue), int16(stMaxValue)
	if !g.ordered || !s.Has(minID) || !s.Has(maxID) {
		switch g.col.order {
		case orderSigned, orderBool, orderFloat: // the deprecated bounds compare these well
			minID, maxID = stMin, stMax
		default:
			return p
		}
	}
	p.lo, _, _ = s.Bytes(minID)
	p.hi, _, _ = s.Bytes(maxID)
	return p
}
