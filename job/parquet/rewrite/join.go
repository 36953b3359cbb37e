package rewrite

import (
	"context"
	"fmt"
	"io"
	"math"

	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// A JoinPart is a file to be joined with others: it holds some of the row groups of one file.
type JoinPart struct {
	*parquet.File
	Lost bool // its row groups lost rows
}

// Join writes the file whose row groups are those of all parts, in their order. The parts are of Writers of one file with the same
// options but for the row groups, or of one kind otherwise; then the result has the bytes that one Writer of all row groups would
// have written. Pages are moved as they are. It returns the number of bytes written.
func Join(ctx context.Context, w io.Writer, parts []JoinPart) (int64, error) {
	j := joiner{out: parquet.Output{W: w}}
	if err := j.out.Begin(); err != nil {
		return 0, err
	}
	for _, p := range parts {
		if err := j.part(ctx, p); err != nil {
			return 0, p.Fault(err, -1, -1, -1)
		}
	}
	var chunks []*parquet.WrittenChunk
	for i := range j.groups {
		for k := range j.groups[i].chunks {
			chunks = append(chunks, &j.groups[i].chunks[k])
		}
	}
	err := j.out.Finish(chunks, func() thrift.Struct { return j.footer(parts) })
	return j.out.Size, err
}

type joiner struct {
	out    parquet.Output
	groups []joinedGroup
	rows   int64
}

// A joinedGroup is a row group of the output.
type joinedGroup struct {
	meta   thrift.Struct // RowGroup, but for its chunks
	chunks []parquet.WrittenChunk
}

// part moves the row groups of a part.
func (j *joiner) part(ctx context.Context, p JoinPart) error {
	const begin = int64(len(parquet.Magic))
	shift, end := j.out.Size-begin, p.DataEnd()
	for i := range p.NumRowGroups() {
		g, first, err := moveGroup(p.File, i, shift)
		if err != nil {
			return err
		}
		end = min(end, first)
		j.groups = append(j.groups, g)
	}
	j.rows += p.NumRows()
	return j.copy(ctx, p.File, begin, end)
}

// copy writes a range of a file. The next block is read while one is written.
func (j *joiner) copy(ctx context.Context, f *parquet.File, from, end int64) error {
	const block = 8 << 20
	type read struct {
		b   []byte
		err error
	}
	blocks := make(chan read, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for range blocks { // until the reader has ended
		}
	}()
	go func() {
		defer close(blocks)
		for at := from; at < end; at += block {
			b := make([]byte, min(block, end-at))
			err := f.ReadFull(b, at)
			select {
			case blocks <- read{b, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for at := from; at < end; {
		select {
		case r := <-blocks:
			if r.err != nil {
				return r.err
			}
			if _, err := j.out.Write(r.b); err != nil {
				return err
			}
			at += int64(len(r.b))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// moveGroup returns a row group whose pages move by shift, and where the file's first page index begins.
func moveGroup(f *parquet.File, i int, shift int64) (g joinedGroup, first int64, err error) {
	first = math.MaxInt64
	if g.meta, err = f.RowGroup(i); err != nil {
		return g, 0, err
	}
	moveField(&g.meta, parquet.GroupFileOffset, shift, false)
	chunks, err := f.Chunks(i)
	if err != nil {
		return g, 0, err
	}
	for n := range chunks {
		c := &chunks[n]
		outer, meta := append(thrift.Struct{}, c.Raw...), append(thrift.Struct{}, c.Metadata...)
		var w parquet.WrittenChunk
		if w.ColumnIndex, err = readIndex(f, outer, parquet.ChunkColumnIndexOffset, parquet.ChunkColumnIndexLength, &first); err != nil {
			return g, 0, err
		}
		if w.OffsetIndex, err = readIndex(f, outer, parquet.ChunkOffsetIndexOffset, parquet.ChunkOffsetIndexLength, &first); err != nil {
			return g, 0, err
		}
		if w.OffsetIndex, err = moveLocations(w.OffsetIndex, shift); err != nil {
			return g, 0, err
		}
		outer.Delete(parquet.ChunkColumnIndexOffset, parquet.ChunkColumnIndexLength, parquet.ChunkOffsetIndexOffset, parquet.ChunkOffsetIndexLength)
		moveField(&outer, parquet.ChunkFileOffset, shift, true)
		for _, id := range []int16{parquet.MetaDataPageOffset, parquet.MetaIndexPageOffset, parquet.MetaDictionaryPageOffset, parquet.MetaBloomFilterOffset} {
			moveField(&meta, id, shift, false)
		}
		outer.Set(thrift.StructField(parquet.ChunkMetaData, meta))
		w.Metadata = outer
		g.chunks = append(g.chunks, w)
	}
	return g, first, nil
}

// moveField moves an offset that a struct has, and none that is 0 where that stands for none.
func moveField(s *thrift.Struct, id int16, shift int64, zeroIsNone bool) {
	if at, err := s.Int(id, -1); err == nil && at >= 0 && !(at == 0 && zeroIsNone) {
		s.Set(thrift.Int64Field(id, at+shift))
	}
}

// readIndex returns the bytes of a page index, nil where the chunk has none, and lowers first to where it begins.
func readIndex(f *parquet.File, outer thrift.Struct, offsetID, lengthID int16, first *int64) ([]byte, error) {
	at, err := outer.Int(offsetID, 0)
	if err != nil || at == 0 {
		return nil, err
	}
	n, err := outer.Int(lengthID, 0)
	if err != nil {
		return nil, err
	}
	if n <= 0 || at < int64(len(parquet.Magic)) || at > f.DataEnd()-n {
		return nil, parquet.Corruptf("a page index that lies outside of the file")
	}
	*first = min(*first, at)
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

// footer returns the FileMetaData. It is that of a part that lost rows, if there is one: what such a file leaves out, the whole
// leaves out.
func (j *joiner) footer(parts []JoinPart) thrift.Struct {
	base := parts[0]
	for _, p := range parts {
		if p.Lost {
			base = p
			break
		}
	}
	meta := append(thrift.Struct{}, base.Metadata()...)
	meta.Set(thrift.Int64Field(parquet.FileNumRows, j.rows))
	var groups []byte
	for i := range j.groups {
		groups = j.groups[i].encode(i).Append(groups)
	}
	meta.Set(thrift.ListField(parquet.FileRowGroups, thrift.StrucT, len(j.groups), groups))
	if list, err := meta.List(parquet.FileKeyValues); err == nil && base.Lost {
		var entries []byte
		for i, raw := range list.Elements() {
			entries = append(entries, withRows(&base.KeyValues()[i], raw, j.rows)...)
		}
		meta.Set(thrift.ListField(parquet.FileKeyValues, thrift.StrucT, list.Len, entries))
	}
	return meta
}

// encode returns the RowGroup that is number i of the output.
func (g *joinedGroup) encode(i int) thrift.Struct {
	s := g.meta
	var chunks []byte
	for k := range g.chunks {
		chunks = g.chunks[k].Metadata.Append(chunks)
	}
	s.Set(thrift.ListField(parquet.GroupColumns, thrift.StrucT, len(g.chunks), chunks))
	if s.Has(parquet.GroupOrdinal) {
		s.Delete(parquet.GroupOrdinal)
		if i <= math.MaxInt16 {
			s.Set(thrift.Int16Field(parquet.GroupOrdinal, int16(i)))
		}
	}
	return s
}

// withRows returns a key-value entry, whose encoded form is raw, for a file of so many rows.
func withRows(kv *parquet.KeyValue, raw []byte, rows int64) []byte {
	if kv.Key != "pandas" || kv.Value == nil {
		return raw
	}
	value := patchPandas([]byte(*kv.Value), rows)
	s, _, err := thrift.Parse(raw)
	if err != nil || value == nil {
		return raw
	}
	s.Set(thrift.BytesField(2, value))
	return s.Append(nil)
}

// GroupBytes returns the bytes of the pages of each row group.
func GroupBytes(f *parquet.File) ([]int64, error) {
	sizes := make([]int64, f.NumRowGroups())
	for i := range sizes {
		chunks, err := f.Chunks(i)
		if err != nil {
			return nil, err
		}
		for _, c := range chunks {
			sizes[i] += c.End - c.Start
		}
	}
	return sizes, nil
}

// checkGroups reports whether the options name row groups that there are.
func (o *Options) checkGroups(f *parquet.File) error {
	if o.From < 0 || o.To > f.NumRowGroups() || o.To != 0 && o.From >= o.To {
		return fmt.Errorf("%s: it has no row groups from %d to %d", f.Name(), o.From, o.To)
	}
	return nil
}
