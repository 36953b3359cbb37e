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

// A PageLocation says where a data page is and with which row it begins.
type PageLocation struct {
	Offset   int64 // in the file
	Size     int32 // in bytes, with the page header
	FirstRow int64 // counted from 0 in the row group
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
		b := f.held(lo, hi-lo)
		if b == nil {
			b = make([]byte, hi-lo)
			if err := f.ReadFull(b, lo); err != nil {
				return nil, err
			}
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
	l, err := p.RawOffset.Structs(1)
	if err != nil {
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
	x = ColumnIndex{
		Null:  elements(s, 1, n, (*thrift.Reader).Bool, thrift.True, thrift.False),
		Min:   elements(s, 2, n, (*thrift.Reader).Bytes, thrift.Binary),
		Max:   elements(s, 3, n, (*thrift.Reader).Bytes, thrift.Binary),
		Nulls: elements(s, 5, n, (*thrift.Reader).Int, thrift.I64),
	}
	return x, x.Null != nil && x.Min != nil && x.Max != nil
}

// elements returns the n elements of the list field id, which must be of one of the types; nil if it is not such a list.
func elements[T any](s thrift.Struct, id int16, n int, read func(*thrift.Reader) T, types ...thrift.Type) []T {
	l, err := s.List(id)
	if err != nil || l.Len != n || n == 0 || !slices.Contains(types, l.Elem) {
		return nil
	}
	all := make([]T, 0, n)
	for _, raw := range l.Elements() {
		r := thrift.NewReader(raw)
		all = append(all, read(&r))
	}
	return all
}
