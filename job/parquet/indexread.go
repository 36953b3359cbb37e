package parquet

import (
	"slices"

	"assent/job/parquet/thrift"
)

// A PageIndex is what the page index says of a chunk. Locations are in rising order; whether they fit the chunk is not checked.
type PageIndex struct {
	RawColumn []byte        // ColumnIndex, nil: none
	RawOffset thrift.Struct // OffsetIndex
	Locations []PageLocation
}

type PageLocation struct {
	Offset   int64
	Size     int32
	FirstRow int64
}

// maxIndex bounds the bytes of an index, and of what is read at once.
const maxIndex = 64 << 20

// PageIndexes reads the page indexes of some chunks. The result has nil for a chunk without a usable one: a page
// index only serves to skip pages, so a damaged one is no error.
func (f *File) PageIndexes(chunks []Chunk) ([]*PageIndex, error) { return f.readIndexes(chunks, true) }

// OffsetIndexes is PageIndexes without the column indexes.
func (f *File) OffsetIndexes(chunks []Chunk) ([]*PageIndex, error) {
	return f.readIndexes(chunks, false)
}

func (f *File) readIndexes(chunks []Chunk, columns bool) ([]*PageIndex, error) {
	ranges := make([]byteRange, 2*len(chunks))
	for i := range chunks {
		if columns {
			ranges[2*i] = f.indexRange(chunks[i].Raw, ChunkColumnIndexOffset, ChunkColumnIndexLength)
		}
		ranges[2*i+1] = f.indexRange(chunks[i].Raw, ChunkOffsetIndexOffset, ChunkOffsetIndexLength)
	}
	parts, err := f.readRanges(ranges)
	if err != nil {
		return nil, err
	}
	all := make([]*PageIndex, len(chunks))
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

// readRanges reads several ranges. Ranges that lie close together are read at once. An empty range gives nil.
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
		if err := f.ReadFull(b, lo); err != nil {
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
func parseIndexes(column, offset []byte) *PageIndex {
	if offset == nil {
		return nil
	}
	p := &PageIndex{}
	var err error
	if p.RawOffset, _, err = thrift.Parse(offset); err != nil {
		return nil
	}
	l, err := p.RawOffset.List(1)
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
		if err1 != nil || err2 != nil || err3 != nil || at < 0 || size < 0 || size > MaxPageBytes || row < 0 {
			return nil
		}
		if n := len(p.Locations); n > 0 && (at <= p.Locations[n-1].Offset || row < p.Locations[n-1].FirstRow) {
			return nil
		}
		p.Locations = append(p.Locations, PageLocation{at, int32(size), row})
	}
	if column != nil {
		if _, n, err := thrift.Parse(column); err == nil && n == len(column) {
			p.RawColumn = column
		}
	}
	return p
}

// A ColumnIndex is what the column index says of each data page of a chunk.
type ColumnIndex struct {
	Null     []bool   // the page has no value
	Min, Max [][]byte // bounds, as PLAIN without a length
	Nulls    []int64  // counts of slots without a value; nil where they are not said
}

// Columns parses the column index. ok is false where there is none or it is not one of all pages.
func (p *PageIndex) Columns() (x ColumnIndex, ok bool) {
	s, _, err := thrift.Parse(p.RawColumn)
	if err != nil {
		return x, false
	}
	n := len(p.Locations)
	x = ColumnIndex{Null: boolList(s, 1, n), Min: bytesList(s, 2, n), Max: bytesList(s, 3, n), Nulls: intList(s, 5, n)}
	return x, x.Null != nil && x.Min != nil && x.Max != nil
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
