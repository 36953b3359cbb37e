package rewrite

import (
	"io"

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
	page          dataPage
}

// copyChunk copies the pages of a chunk, with all checks that reading them would make of what stands around the values:
// headers, sizes, checksums, the number of values, and of rows.
func copyChunk(w *walk, t *task, rows int64, pages *Pages) (*copied, error) {
	c := &copied{first: w.chunk.start}
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
		return nil, corruptf("%d rows where the row group has %d", c.rows, rows)
	}
	pages.Copied += int64(len(c.pages))
	c.page = dataPage{}
	return c, nil
}

// copy copies the current page.
func (c *copied) copy(w *walk, t *task) error {
	h := &w.h
	need := 3*w.src.block + int64(h.size)
	repeated := h.data() && h.values > 0 && w.f.Columns()[w.chunk.column].MaxRep > 0
	if repeated {
		need += int64(h.rawSize) + 3*int64(h.values)
	}
	if err := t.work(need); err != nil {
		return err
	}
	body, err := w.body()
	if err != nil {
		return err
	}
	switch {
	case h.kind == pageDictionary:
		c.dict = true
	case h.data():
		if len(c.pages) == 0 {
			c.data = c.size
		}
		c.pages = append(c.pages, c.size)
		c.sizes = append(c.sizes, int32(h.length+h.size))
		if repeated {
			if err := c.count(w, body); err != nil {
				return err
			}
		} else {
			c.rows += int64(h.values)
		}
	}
	c.size += int64(h.length + h.size)
	c.rawSize += int64(h.length + h.rawSize)
	if _, err := t.Write(w.head); err != nil {
		return err
	}
	_, err = t.Write(body)
	return err
}

// count counts the rows that begin on a page of a repeated column.
func (c *copied) count(w *walk, body []byte) (err error) {
	col := &w.f.Columns()[w.chunk.column]
	if w.h.kind == pageDataV2 {
		err = c.page.levelsV2(col, &w.h, body)
	} else {
		err = withWorker(func(k *worker) error { return c.page.load(&k.codec, col, w.chunk.codec, &w.h, body) })
	}
	if err == nil && c.rows == 0 && c.page.reps[0] != 0 {
		err = corruptf("the first page begins within a row")
	}
	c.rows += int64(c.page.starts)
	return err
}

// metadata returns the ColumnChunk of the copy, which begins at start. References to indexes and bloom filter are removed.
func (c *copied) metadata(in *chunk, start int64, ordered bool) thrift.Struct {
	meta := append(thrift.Struct{}, in.meta...)
	meta.Set(thrift.Int64Field(cmTotalCompressedSize, c.size))
	meta.Set(thrift.Int64Field(cmTotalUncompressedSize, c.rawSize))
	meta.Set(thrift.Int64Field(cmDataPageOffset, start+c.data))
	meta.Delete(cmIndexPageOffset, cmDictionaryPageOffset, cmBloomFilterOffset, cmBloomFilterLength)
	if c.dict {
		meta.Set(thrift.Int64Field(cmDictionaryPageOffset, start))
	}
	if st, err := meta.Struct(cmStatistics); err == nil && st != nil && !ordered {
		// Without column_orders these mean nothing (parquet.thrift, ColumnOrder); the output has them.
		st.Delete(stMaxValue, stMinValue, stMaxExact, stMinExact)
		meta.Set(thrift.StructField(cmStatistics, st))
	}
	return chunkStruct(in, meta, start)
}

// moveIndex returns the input's page index for the copy, which begins at start: nil where there is none that fits the pages.
func (c *copied) moveIndex(in *pageIndexes, start int64, ordered bool) (column, offset []byte) {
	if in == nil || len(in.locations) != len(c.pages) {
		return nil, nil
	}
	var locations []byte
	for i, at := range in.locations {
		if at.offset != c.first+c.pages[i] || at.size != c.sizes[i] {
			return nil, nil
		}
		locations = location{start + c.pages[i], at.size, at.firstRow}.append(locations)
	}
	s := append(thrift.Struct{}, in.offset...)
	s.Set(thrift.ListField(1, thrift.StrucT, len(c.pages), locations))
	if ordered {
		column = in.rawColumn
	}
	return column, s.Append(nil)
}

// chunkStruct returns the ColumnChunk around meta, without references to indexes.
func chunkStruct(in *chunk, meta thrift.Struct, start int64) thrift.Struct {
	s := append(thrift.Struct{}, in.raw...)
	s.Delete(ccOffsetIndexOffset, ccOffsetIndexLength, ccColumnIndexOffset, ccColumnIndexLength)
	offset, err := in.raw.Int(ccFileOffset, 0)
	if err == nil && offset != 0 {
		offset = start
	}
	s.Set(thrift.Int64Field(ccFileOffset, offset))
	s.Set(thrift.StructField(ccMetaData, meta))
	return s
}

// splicedMetadata returns the ColumnChunk of a chunk that lost rows and begins at start. Nothing of the input's is kept but
// what names no row: type, path, codec.
func splicedMetadata(out *chunkOut, in *chunk, start int64) thrift.Struct {
	var meta thrift.Struct
	for _, id := range []int16{cmType, cmPath, cmCodec} {
		if f, ok := in.meta.Get(id); ok {
			meta = append(meta, f)
		}
	}
	outer := *in
	outer.raw = nil
	if f, ok := in.raw.Get(ccFileOffset); ok {
		outer.raw = thrift.Struct{f}
	}
	return chunkStruct(&outer, out.metaData(meta, start), start)
}
