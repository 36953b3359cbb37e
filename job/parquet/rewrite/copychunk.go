package rewrite

import (
	"io"

	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// A copied is a column chunk that lost no row. Its pages are written as they stand.
type copied struct {
	size, rawSize int64
	first         int64 // of the input: where its pages begin
	dict          bool
	data          int64   // offset of the first data page in the chunk
	pages         []int64 // offsets of the data pages in the chunk
	sizes         []int32
	rows          int64
	page          parquet.Page
}

// copyChunk copies the pages of a chunk. It checks all that stands around the values: headers, sizes, checksums, the number of
// values and of rows.
func copyChunk(w *walk, t *task, rows int64, pages *Pages) (*copied, error) {
	c := &copied{first: w.Chunk.Start}
	for {
		err := w.next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = c.copy(w, t)
		}
		if err != nil {
			return nil, err
		}
	}
	if c.rows != rows {
		return nil, parquet.Corruptf("%d rows where the row group has %d", c.rows, rows)
	}
	pages.Copied += int64(len(c.pages))
	c.page = parquet.Page{}
	return c, nil
}

// copy copies the current page.
func (c *copied) copy(w *walk, t *task) error {
	h := &w.Header
	need := 3*w.src.block + int64(h.Size)
	repeated := h.IsData() && h.Values > 0 && w.f.Columns()[w.Chunk.Column].MaxRep > 0
	if repeated {
		need += int64(h.RawSize) + 3*int64(h.Values)
	}
	if err := t.work(need); err != nil {
		return err
	}
	body, err := w.Body()
	if err != nil {
		return err
	}
	switch {
	case h.Kind == parquet.DictionaryPage:
		c.dict = true
	case h.IsData():
		if len(c.pages) == 0 {
			c.data = c.size
		}
		c.pages = append(c.pages, c.size)
		c.sizes = append(c.sizes, int32(h.Length+h.Size))
		if repeated {
			if err := c.count(w, body); err != nil {
				return err
			}
		} else {
			c.rows += int64(h.Values)
		}
	}
	c.size += int64(h.Length + h.Size)
	c.rawSize += int64(h.Length + h.RawSize)
	if _, err := t.Write(w.Head); err != nil {
		return err
	}
	_, err = t.Write(body)
	return err
}

// count counts the rows that begin on a page of a repeated column.
func (c *copied) count(w *walk, body []byte) (err error) {
	col := &w.f.Columns()[w.Chunk.Column]
	if w.Header.Kind == parquet.DataPageV2 {
		err = c.page.LoadLevels(col, &w.Header, body)
	} else {
		err = withWorker(func(k *worker) error { return c.page.Load(&k.codec, col, w.Chunk.Codec, &w.Header, body) })
	}
	if err == nil && c.rows == 0 && c.page.Reps[0] != 0 {
		err = parquet.Corruptf("the first page begins within a row")
	}
	c.rows += int64(c.page.Rows)
	return err
}

// metadata returns the ColumnChunk of the copy, which begins at start. It has no references to indexes and bloom filter yet.
func (c *copied) metadata(in *parquet.Chunk, start int64, ordered bool) thrift.Struct {
	meta := append(thrift.Struct{}, in.Metadata...)
	meta.Set(thrift.Int64Field(parquet.MetaTotalCompressedSize, c.size))
	meta.Set(thrift.Int64Field(parquet.MetaTotalUncompressedSize, c.rawSize))
	meta.Set(thrift.Int64Field(parquet.MetaDataPageOffset, start+c.data))
	meta.Delete(parquet.MetaIndexPageOffset, parquet.MetaDictionaryPageOffset, parquet.MetaBloomFilterOffset, parquet.MetaBloomFilterLength)
	if c.dict {
		meta.Set(thrift.Int64Field(parquet.MetaDictionaryPageOffset, start))
	}
	if st, err := meta.Struct(parquet.MetaStatistics); err == nil && st != nil && !ordered {
		// Without column_orders these mean nothing (parquet.thrift, ColumnOrder); the output has them.
		st.Delete(parquet.StatsMaxValue, parquet.StatsMinValue, parquet.StatsMaxExact, parquet.StatsMinExact)
		meta.Set(thrift.StructField(parquet.MetaStatistics, st))
	}
	return chunkStruct(in, meta, start)
}

// moveIndex returns the input's page index for the copy, which begins at start. It is nil where there is none that fits the pages.
func (c *copied) moveIndex(in *parquet.PageIndex, start int64, ordered bool) (column, offset []byte) {
	if in == nil || len(in.Locations) != len(c.pages) {
		return nil, nil
	}
	var locations []byte
	for i, at := range in.Locations {
		if at.Offset != c.first+c.pages[i] || at.Size != c.sizes[i] {
			return nil, nil
		}
		locations = parquet.PageLocation{Offset: start + c.pages[i], Size: at.Size, FirstRow: at.FirstRow}.Append(locations)
	}
	s := append(thrift.Struct{}, in.RawOffset...)
	s.Set(thrift.ListField(1, thrift.StrucT, len(c.pages), locations))
	if ordered {
		column = in.RawColumn
	}
	return column, s.Append(nil)
}

// chunkStruct returns the ColumnChunk around meta, without references to indexes.
func chunkStruct(in *parquet.Chunk, meta thrift.Struct, start int64) thrift.Struct {
	s := append(thrift.Struct{}, in.Raw...)
	s.Delete(parquet.ChunkOffsetIndexOffset, parquet.ChunkOffsetIndexLength, parquet.ChunkColumnIndexOffset, parquet.ChunkColumnIndexLength)
	offset, err := in.Raw.Int(parquet.ChunkFileOffset, 0)
	if err == nil && offset != 0 {
		offset = start
	}
	s.Set(thrift.Int64Field(parquet.ChunkFileOffset, offset))
	s.Set(thrift.StructField(parquet.ChunkMetaData, meta))
	return s
}

// splicedMetadata returns the ColumnChunk of a chunk that lost rows and begins at start. Of the input's
// metadata only path and codec are kept, which tell nothing of rows; the type is that of col.
func splicedMetadata(out *parquet.ChunkWriter, col *parquet.Column, in *parquet.Chunk, start int64) thrift.Struct {
	var meta thrift.Struct
	for _, id := range []int16{parquet.MetaPath, parquet.MetaCodec} {
		if f, ok := in.Metadata.Get(id); ok {
			meta = append(meta, f)
		}
	}
	meta.Set(thrift.Int32Field(parquet.MetaType, int32(col.Physical)))
	outer := *in
	outer.Raw = nil
	if f, ok := in.Raw.Get(parquet.ChunkFileOffset); ok {
		outer.Raw = thrift.Struct{f}
	}
	return chunkStruct(&outer, out.Metadata(meta, start), start)
}
