package rewrite

import (
	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// givenBounds are the bounds and null counts of pages as the input states them, in the column index or else in the page headers.
type givenBounds struct {
	col     *parquet.Column
	trusted bool // the minima and maxima of this writer are right
	ordered bool // min_value and max_value have a meaning
	pages   map[int64]givenPage
}

type givenPage struct {
	null   bool
	lo, hi []byte
	nulls  int64 // -1: not stated
}

func newGivenBounds(f *parquet.File, col *parquet.Column, index *parquet.PageIndex) *givenBounds {
	g := &givenBounds{col: col, trusted: col.Order != parquet.OrderNone && !f.Application().BadBounds(col), ordered: f.Ordered()}
	if index == nil || index.RawColumn == nil || !g.trusted || !f.Ordered() {
		return g
	}
	x, ok := index.Columns()
	if !ok {
		return g
	}
	g.pages = make(map[int64]givenPage, len(index.Locations))
	for i, at := range index.Locations {
		p := givenPage{null: x.Null[i], lo: x.Min[i], hi: x.Max[i], nulls: -1}
		if x.Nulls != nil {
			p.nulls = x.Nulls[i]
		}
		g.pages[at.Offset] = p
	}
	return g
}

// page sets the draft's bounds and count of values to what the input states of the page. It reports whether the output's index and
// statistics need no more.
func (g *givenBounds) page(d *draft, in *input) bool {
	p, ok := g.pages[in.mark.at]
	if !ok {
		p = g.header(&in.h)
	}
	n := int64(in.h.Values)
	switch {
	case g.col.MaxDef == 0:
		p.nulls = 0
	case d.v2:
		p.nulls = int64(in.h.Nulls)
	case p.null:
		p.nulls = n
	}
	if p.nulls > n || p.null && p.nulls != n {
		return false
	}
	d.uncounted = p.nulls < 0
	d.count = in.h.Values - int(max(p.nulls, 0))
	if g.col.Order == parquet.OrderNone {
		return !d.uncounted
	}
	if p.nulls == n {
		return true
	}
	if !g.trusted || !parquet.SoundBound(g.col, p.lo) || !parquet.SoundBound(g.col, p.hi) || parquet.Compare(g.col, p.lo, p.hi) > 0 {
		return false
	}
	d.bounds.Add(g.col, p.lo)
	d.bounds.Add(g.col, p.hi)
	d.bounds.LooseMin, d.bounds.LooseMax = true, true
	return d.bounds.Any
}

// header returns what the Statistics of a page header state.
func (g *givenBounds) header(h *parquet.PageHeader) givenPage {
	p := givenPage{nulls: -1}
	if h.Statistics == nil {
		return p
	}
	s, _, err := thrift.Parse(h.Statistics)
	if err != nil {
		return p
	}
	if n, err := s.Int(parquet.StatsNullCount, -1); err == nil {
		p.nulls = n
	}
	minID, maxID := int16(parquet.StatsMinValue), int16(parquet.StatsMaxValue)
	if !g.ordered || !s.Has(minID) || !s.Has(maxID) {
		switch g.col.Order {
		case parquet.OrderSigned, parquet.OrderBool, parquet.OrderFloat: // the old min and max are in the right order for these
			minID, maxID = parquet.StatsMin, parquet.StatsMax
		default:
			return p
		}
	}
	p.lo, _, _ = s.Bytes(minID)
	p.hi, _, _ = s.Bytes(maxID)
	return p
}
