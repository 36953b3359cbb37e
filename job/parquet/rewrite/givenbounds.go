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
	g := &givenBounds{col: col, trusted: col.order != orderNone && !f.app.badBounds(col), ordered: f.ordered}
	if index == nil || index.rawColumn == nil || !g.trusted || !f.ordered {
		return g
	}
	s, _, err := thrift.Parse(index.rawColumn)
	if err != nil {
		return g
	}
	n := len(index.locations)
	null, lo, hi := boolList(s, 1, n), bytesList(s, 2, n), bytesList(s, 3, n)
	if null == nil || lo == nil || hi == nil {
		return g
	}
	nulls := intList(s, 5, n)
	g.pages = make(map[int64]givenPage, n)
	for i, at := range index.locations {
		p := givenPage{null: null[i], lo: lo[i], hi: hi[i], nulls: -1}
		if nulls != nil {
			p.nulls = nulls[i]
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

// soundBound reports whether v can be a value of the column (a prefix, of byte arrays) that compares.
func soundBound(c *Column, v []byte) bool {
	switch c.order {
	case orderBool:
		return len(v) == 1 && v[0] <= 1
	case orderFloat:
		return len(v) == c.width() && plainFloat(v) == plainFloat(v)
	case orderFloat16:
		return len(v) == 2 && float16(v) == float16(v)
	}
	if c.Physical == ByteArray {
		return v != nil
	}
	return len(v) == c.width()
}

// list returns the list field id if it has n elements of type t.
func list(s thrift.Struct, id int16, t thrift.Type, n int) (thrift.List, bool) {
	l, err := s.List(id)
	if err != nil || l.Len != n || n == 0 || l.Elem != t {
		return l, false
	}
	return l, true
}

func boolList(s thrift.Struct, id int16, n int) []bool {
	l, ok := list(s, id, thrift.True, n)
	if !ok {
		if l, ok = list(s, id, thrift.False, n); !ok {
			return nil
		}
	}
	all := make([]bool, 0, n)
	for _, raw := range l.Elements() {
		all = append(all, raw[0] == byte(thrift.True))
	}
	return all
}

func bytesList(s thrift.Struct, id int16, n int) [][]byte {
	l, ok := list(s, id, thrift.Binary, n)
	if !ok {
		return nil
	}
	all := make([][]byte, 0, n)
	for _, raw := range l.Elements() {
		r := thrift.NewReader(raw)
		all = append(all, r.Bytes())
	}
	return all
}

func intList(s thrift.Struct, id int16, n int) []int64 {
	l, ok := list(s, id, thrift.I64, n)
	if !ok {
		return nil
	}
	all := make([]int64, 0, n)
	for _, raw := range l.Elements() {
		r := thrift.NewReader(raw)
		all = append(all, r.Int())
	}
	return all
}
