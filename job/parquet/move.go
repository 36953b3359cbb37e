package parquet

import (
	"math"
	"slices"

	"assent/job/parquet/thrift"
)

// A MovedGroup is a row group that is written again elsewhere, its pages as they are.
type MovedGroup struct {
	Group      thrift.Struct // RowGroup; its chunks are those of Chunks
	Chunks     []WrittenChunk
	Start, End int64 // of its pages and bloom filters in the file that it is of
	Indexes    int64 // where the first of its page indexes begins there, or of its bloom filters that stand behind all row groups
}

// MoveRowGroup returns row group i with all its offsets moved by shift, for a file in which its bytes lie so much further on.
func (f *File) MoveRowGroup(i int, shift int64) (MovedGroup, error) {
	return f.moveRowGroup(i, func(int64) int64 { return shift })
}

// moveRowGroup is MoveRowGroup by what shift makes of where the row group starts.
func (f *File) moveRowGroup(i int, shiftOf func(start int64) int64) (g MovedGroup, err error) {
	g.Start, g.Indexes = math.MaxInt64, math.MaxInt64
	if g.Group, err = f.RowGroup(i); err != nil {
		return g, err
	}
	chunks, err := f.Chunks(i)
	if err != nil {
		return g, err
	}
	for n := range chunks {
		g.Start, g.End = min(g.Start, chunks[n].Start), max(g.End, chunks[n].End)
	}
	shift := shiftOf(g.Start)
	moveField(&g.Group, GroupFileOffset, shift, false)
	for n := range chunks {
		c := &chunks[n]
		const more = 4 // fields that Finish adds
		outer, meta := append(make(thrift.Struct, 0, len(c.Raw)+more), c.Raw...), append(make(thrift.Struct, 0, len(c.Metadata)+more), c.Metadata...)
		var w WrittenChunk
		if w.ColumnIndex, err = readIndex(f, outer, ChunkColumnIndexOffset, ChunkColumnIndexLength, &g.Indexes); err != nil {
			return g, err
		}
		if w.OffsetIndex, err = readIndex(f, outer, ChunkOffsetIndexOffset, ChunkOffsetIndexLength, &g.Indexes); err != nil {
			return g, err
		}
		if w.OffsetIndex, err = moveLocations(w.OffsetIndex, shift); err != nil {
			return g, err
		}
		outer.Delete(ChunkColumnIndexOffset, ChunkColumnIndexLength, ChunkOffsetIndexOffset, ChunkOffsetIndexLength)
		moveField(&outer, ChunkFileOffset, shift, true)
		if at, err := meta.Int(MetaBloomFilterOffset, 0); err == nil && at > 0 {
			n, err := meta.Int(MetaBloomFilterLength, 0)
			if err != nil {
				return g, err
			}
			if f.FiltersLast {
				g.Indexes = min(g.Indexes, at)
				w.Filter = func() ([]byte, error) { return f.section(at, n) }
			} else {
				g.End = max(g.End, at+n)
			}
		}
		for _, id := range []int16{MetaDataPageOffset, MetaIndexPageOffset, MetaDictionaryPageOffset, MetaBloomFilterOffset} {
			moveField(&meta, id, shift, false)
		}
		outer.Set(thrift.StructField(ChunkMetaData, meta))
		w.Metadata = outer
		g.Chunks = append(g.Chunks, w)
	}
	return g, nil
}

// Take writes row group i of a file, its pages and bloom filters as they are. Finish needs its chunks, and its metadata.
func (o *Output) Take(f *File, i int) (*MovedGroup, error) {
	g, err := f.moveRowGroup(i, func(start int64) int64 { return o.Size - start })
	if err != nil {
		return nil, err
	}
	if g.Start > g.End || g.End > f.DataEnd() {
		return nil, Corruptf("a row group that lies outside of the file")
	}
	if b := f.held(g.Start, g.End-g.Start); b != nil {
		_, err := o.Write(b)
		return &g, err
	}
	const most = 4 << 20
	for at := g.Start; at < g.End; at += int64(len(o.block)) {
		n := int(min(most, g.End-at))
		o.block = slices.Grow(o.block[:0], n)[:n]
		if err := f.ReadFull(o.block, at); err != nil {
			return nil, err
		}
		if _, err := o.Write(o.block); err != nil {
			return nil, err
		}
	}
	return &g, nil
}

// moveField moves an offset that a struct has, and none that is 0 where that stands for none.
func moveField(s *thrift.Struct, id int16, shift int64, zeroIsNone bool) {
	if at, err := s.Int(id, -1); err == nil && at >= 0 && !(at == 0 && zeroIsNone) {
		s.Set(thrift.Int64Field(id, at+shift))
	}
}

// readIndex returns the bytes of a page index, nil where the chunk has none, and lowers first to where it begins.
func readIndex(f *File, outer thrift.Struct, offsetID, lengthID int16, first *int64) ([]byte, error) {
	at, err := outer.Int(offsetID, 0)
	if err != nil || at == 0 {
		return nil, err
	}
	n, err := outer.Int(lengthID, 0)
	if err != nil {
		return nil, err
	}
	*first = min(*first, at)
	return f.section(at, n)
}

// section returns the bytes of a page index or a bloom filter, which are not to be changed.
func (f *File) section(at, n int64) ([]byte, error) {
	if n <= 0 || at < int64(len(Magic)) || at > f.DataEnd()-n {
		return nil, Corruptf("a page index or bloom filter that lies outside of the file")
	}
	if b := f.held(at, n); b != nil {
		return b, nil
	}
	b := make([]byte, n)
	return b, f.ReadFull(b, at)
}

// moveLocations moves the pages of an OffsetIndex.
func moveLocations(index []byte, shift int64) ([]byte, error) {
	if index == nil {
		return nil, nil
	}
	s, _, err := thrift.Parse(index)
	if err != nil {
		return nil, err
	}
	list, err := s.Structs(1)
	if err != nil {
		return nil, err
	}
	var locations []byte
	for _, raw := range list.Elements() {
		l, _, err := thrift.Parse(raw)
		if err != nil {
			return nil, err
		}
		moveField(&l, 1, shift, false)
		locations = l.Append(locations)
	}
	s.Set(thrift.ListField(1, thrift.StrucT, list.Len, locations))
	return s.Append(nil), nil
}

// Metadata returns the RowGroup that is number i of the output, once the places of the page indexes stand in Chunks.
func (g *MovedGroup) Metadata(i int, ordinal bool) thrift.Struct {
	s := g.Group
	var chunks []byte
	for k := range g.Chunks {
		chunks = g.Chunks[k].Metadata.Append(chunks)
	}
	s.Set(thrift.ListField(GroupColumns, thrift.StrucT, len(g.Chunks), chunks))
	s.Delete(GroupOrdinal)
	if ordinal && i <= math.MaxInt16 {
		s.Set(thrift.Int16Field(GroupOrdinal, int16(i)))
	}
	return s
}
