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
	shift      int64 // by which its offsets are moved
}

// PagesEnd returns where the pages of all row groups end, with the bloom filters that stand between them. What follows is page
// indexes, bloom filters that stand behind all row groups, and the footer.
func (f *File) PagesEnd() (int64, error) {
	end := f.dataEnd
	for i := range f.groups {
		chunks, err := f.Chunks(i)
		if err != nil {
			return 0, err
		}
		for n := range chunks {
			places := []int64{0, 0, 0}
			for k, id := range []int16{ChunkColumnIndexOffset, ChunkOffsetIndexOffset} {
				if places[k], err = chunks[n].Raw.Int(id, 0); err != nil {
					return 0, err
				}
			}
			if f.FiltersLast {
				if places[2], err = chunks[n].Metadata.Int(MetaBloomFilterOffset, 0); err != nil {
					return 0, err
				}
			}
			for _, at := range places {
				if at != 0 {
					end = min(end, at)
				}
			}
		}
	}
	return end, nil
}

// MoveRowGroups returns all row groups with their offsets moved by shift, for a file in which their bytes lie so much further on.
// All page indexes are read in as few reads as may be.
func (f *File) MoveRowGroups(shift int64) ([]MovedGroup, error) {
	return f.moveRowGroups(0, len(f.groups), func(int64) int64 { return shift })
}

// moveRowGroups is MoveRowGroups of row groups from one up to, and without, another, each by what shift makes of where it starts.
func (f *File) moveRowGroups(from, to int, shiftOf func(start int64) int64) ([]MovedGroup, error) {
	var all []MovedGroup
	var indexes []byteRange // two a chunk
	for i := from; i < to; i++ {
		g, err := f.moveRowGroup(i, shiftOf, &indexes)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	read, err := f.readRanges(indexes)
	if err != nil {
		return nil, err
	}
	for i := range all {
		for n := range all[i].Chunks {
			c := &all[i].Chunks[n]
			c.ColumnIndex = read[0]
			if c.OffsetIndex, err = moveLocations(read[1], all[i].shift); err != nil {
				return nil, err
			}
			read = read[2:]
		}
	}
	return all, nil
}

// moveRowGroup moves a row group but for its page indexes, whose places it adds to indexes.
func (f *File) moveRowGroup(i int, shiftOf func(start int64) int64, indexes *[]byteRange) (g MovedGroup, err error) {
	g.Start = math.MaxInt64
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
	g.shift = shiftOf(g.Start)
	moveField(&g.Group, GroupFileOffset, g.shift, false)
	for n := range chunks {
		c := &chunks[n]
		const more = 4 // fields that Finish adds
		outer, meta := append(make(thrift.Struct, 0, len(c.Raw)+more), c.Raw...), append(make(thrift.Struct, 0, len(c.Metadata)+more), c.Metadata...)
		for _, ids := range [][2]int16{{ChunkColumnIndexOffset, ChunkColumnIndexLength}, {ChunkOffsetIndexOffset, ChunkOffsetIndexLength}} {
			at, err := f.indexPlace(outer, ids[0], ids[1])
			if err != nil {
				return g, err
			}
			*indexes = append(*indexes, at)
			outer.Delete(ids[0], ids[1])
		}
		moveField(&outer, ChunkFileOffset, g.shift, true)
		var w WrittenChunk
		if at, err := meta.Int(MetaBloomFilterOffset, 0); err == nil && at > 0 {
			n, err := meta.Int(MetaBloomFilterLength, 0)
			if err != nil {
				return g, err
			}
			if f.FiltersLast {
				w.Filter = func() ([]byte, error) { return f.section(at, n) }
			} else {
				g.End = max(g.End, at+n)
			}
		}
		for _, id := range []int16{MetaDataPageOffset, MetaIndexPageOffset, MetaDictionaryPageOffset, MetaBloomFilterOffset} {
			moveField(&meta, id, g.shift, false)
		}
		outer.Set(thrift.StructField(ChunkMetaData, meta))
		w.Metadata = outer
		g.Chunks = append(g.Chunks, w)
	}
	return g, nil
}

// Take writes row group i of a file, its pages and bloom filters as they are. Finish needs its chunks, and its metadata.
func (o *Output) Take(f *File, i int) (*MovedGroup, error) {
	moved, err := f.moveRowGroups(i, i+1, func(start int64) int64 { return o.Size - start })
	if err != nil {
		return nil, err
	}
	g := moved[0]
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
	if at, err := s.Int(id, -1); shift != 0 && err == nil && at >= 0 && !(at == 0 && zeroIsNone) {
		s.Set(thrift.Int64Field(id, at+shift))
	}
}

// indexPlace returns where a page index lies, an empty range where the chunk has none.
func (f *File) indexPlace(outer thrift.Struct, offsetID, lengthID int16) (byteRange, error) {
	at, err := outer.Int(offsetID, 0)
	if err != nil || at == 0 {
		return byteRange{}, err
	}
	n, err := outer.Int(lengthID, 0)
	if err != nil {
		return byteRange{}, err
	}
	return byteRange{at, at + n}, f.inside(at, n)
}

// inside reports whether a page index or a bloom filter lies where one can lie.
func (f *File) inside(at, n int64) error {
	if n <= 0 || at < int64(len(Magic)) || at > f.DataEnd()-n {
		return Corruptf("a page index or bloom filter that lies outside of the file")
	}
	return nil
}

// section returns the bytes of a bloom filter, which are not to be changed.
func (f *File) section(at, n int64) ([]byte, error) {
	if err := f.inside(at, n); err != nil {
		return nil, err
	}
	if b := f.held(at, n); b != nil {
		return b, nil
	}
	b := make([]byte, n)
	return b, f.ReadFull(b, at)
}

// moveLocations moves the pages of an OffsetIndex. One that stays where it is is returned as it is.
func moveLocations(index []byte, shift int64) ([]byte, error) {
	if index == nil || shift == 0 {
		return index, nil
	}
	s, _, err := thrift.Parse(index)
	if err != nil {
		return nil, err
	}
	list, err := s.Structs(1)
	if err != nil {
		return nil, err
	}
	var l thrift.Struct
	locations := make([]byte, 0, len(index)+list.Len) // offsets may take more room
	for _, raw := range list.Elements() {
		if l, _, err = thrift.ParseIn(l, raw); err != nil {
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
