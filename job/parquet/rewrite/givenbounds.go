package rewrite

import (
	"slices"

	"assent/job/parquet/thrift"
)

// A pageIndexes is what the input's page index says of a chunk, checked for shape.
type pageIndexes struct {
	rawColumn []byte        // ColumnIndex, nil: none
	offset    thrift.Struct // OffsetIndex
	locations []location
}

type location struct {
	offset   int64
	size     int32
	firstRow int64
}

// maxIndex bounds an index that is read at once.
const maxIndex = 64 << 20

// indexes reads the page indexes of a row group's chunks. The element of a chunk without a usable one is nil: a page index only
// serves to skip pages, so a damaged one is left out of the output rather than refused.
func (f *File) indexes(chunks []chunk) ([]*pageIndexes, error) {
	ranges := make([]byteRange, 2*len(chunks))
	for i := range chunks {
		ranges[2*i] = f.indexRange(chunks[i].raw, ccColumnIndexOffset, ccColumnIndexLength)
		ranges[2*i+1] = f.indexRange(chunks[i].raw, ccOffsetIndexOffset, ccOffsetIndexLength)
	}
	parts, err := f.readRanges(ranges)
	if err != nil {
		return nil, err
	}
	all := make([]*pageIndexes, len(chunks))
	for i := range chunks {
		all[i] = parseIndexes(parts[2*i], parts[2*i+1])
	}
	return all, nil
}

func (f *File) indexRange(s thrift.Struct, offsetID, lengthID int16) byteRange {
	offset, err := s.Int(offsetID, 0)
	if err != nil {
		return byteRange{}
	}
	n, err := s.Int(lengthID, 0)
	if err != nil || offset < 4 || n <= 0 || n > maxIndex || offset > f.dataEnd-n {
		return byteRange{}
	}
	return byteRange{offset, offset + n}
}

type byteRange struct{ lo, hi int64 }

// readRanges reads the ranges, those that lie close to each other at once. The empty range gives nil.
func (f *File) readRanges(ranges []byteRange) ([][]byte, error) {
	const gap = 64 << 10
	order := make([]int, 0, len(ranges))
	for i, r := range ranges {
		if r.lo < r.hi {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return int(ranges[a].lo - ranges[b].lo) })
	parts := make([][]byte, len(ranges))
	for len(order) > 0 {
		lo, hi, n := ranges[order[0]].lo, ranges[order[0]].hi, 1
		for n < len(order) && ranges[order[n]].lo <= hi+gap && ranges[order[n]].hi <= lo+maxIndex {
			hi = max(hi, ranges[order[n]].hi)
			n++
		}
		b := make([]byte, hi-lo)
		if err := f.readFull(b, lo); err != nil {
			return nil, err
		}
		for _, i := range order[:n] {
			parts[i] = b[ranges[i].lo-lo : ranges[i].hi-lo : ranges[i].hi-lo]
		}
		order = order[n:]
	}
	return parts, nil
}

// parseIndexes returns nil where there is no sound offset index.
func parseIndexes(column, offset []byte) *pageIndexes {
	if offset == nil {
		return nil
	}
	p := &pageIndexes{}
	var err error
	if p.offset, _, err = thrift.Parse(offset); err != nil {
		return nil
	}
	l, err := p.offset.List(1)
	if err != nil || l.Of(thrift.StrucT) != nil {
		return nil
	}
	for _, raw := range l.Elements() {
		s, _, err := thrift.Parse(raw)
		if err != nil {
			return nil
		}
		at, err1 := s.Int(1, -1)
		size, err2 := s.Int(2, -1)
		row, err3 := s.Int(3, -1)
		if err1 != nil || err2 != nil || err3 != nil || at < 0 || size < 0 || size > maxPageBytes || row < 0 {
			return nil
		}
		if n := len(p.locations); n > 0 && (at <= p.locations[n-1].offset || row < p.locations[n-1].firstRow) {
			return nil
		}
		p.locations = append(p.locations, location{at, int32(size), row})
	}
	if column != nil {
		if _, n, err := thrift.Parse(column); err == nil && n == len(column) {
			p.rawColumn = column
		}
	}
	return p
}

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
