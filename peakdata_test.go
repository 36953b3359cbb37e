package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"assent/job/parquet"
	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
	"assent/job/parquet/thrift"
)

// A bulkFile is a Parquet file that is large and cheap to make: required columns of PLAIN pages, the same page again and again
// where the column has but one.
type bulkFile struct {
	codec   codec.ID
	groups  int // row groups
	pages   int // of a chunk
	rows    int // of a page
	columns []bulkColumn
	ids     func(dst []byte, i int) []byte // of records; nil: short ones
}

// A bulkColumn is a column of a bulkFile.
type bulkColumn struct {
	name     string
	physical parquet.Physical
	logical  int64                 // the converted type; noLogical: none
	page     func(page int) []byte // PLAIN values of a page, by its number in the column
	same     bool                  // all pages are page 0
	entries  int                   // where it is above 0, page returns that many entries of a dictionary, and the rows have them in turn
	encoding parquet.Encoding      // of texts where it is not PLAIN: DeltaLengthByteArray or DeltaByteArray
}

// Converted types, by their numbers in parquet.thrift.
const (
	noLogical       = -1
	logicalText     = 0
	logicalMicrosec = 10
)

// write writes the file.
func (b *bulkFile) write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	schema := b.schema()
	list, err := schema.List()
	if err != nil {
		return err
	}
	_, columns, err := parquet.ParseSchema(list)
	if err != nil {
		return err
	}
	w := &bulkWriter{bulkFile: b, out: parquet.Output{W: f}, schema: columns, made: make([]*parquet.EncodedPage, len(columns))}
	if err := w.out.Begin(); err != nil {
		return err
	}
	var groups []byte
	for g := range b.groups {
		group, err := w.group(g)
		if err != nil {
			return err
		}
		groups = group.Append(groups)
	}
	err = w.out.Finish(nil, func() thrift.Struct {
		return thrift.Struct{
			thrift.Int32Field(parquet.FileVersion, 2), schema,
			thrift.Int64Field(parquet.FileNumRows, int64(b.groups*b.pages*b.rows)),
			thrift.ListField(parquet.FileRowGroups, thrift.StrucT, b.groups, groups),
			thrift.BytesField(parquet.FileCreatedBy, []byte("parquet-bulk version 1.0.0 (build 0)")),
		}
	})
	if err != nil {
		return err
	}
	return f.Close()
}

func (b *bulkFile) schema() thrift.Field {
	elements := thrift.Struct{
		thrift.BytesField(parquet.ElementName, []byte("schema")),
		thrift.Int32Field(parquet.ElementNumChildren, int32(len(b.columns))),
	}.Append(nil)
	for _, c := range b.columns {
		e := thrift.Struct{
			thrift.Int32Field(parquet.ElementType, int32(c.physical)),
			thrift.Int32Field(parquet.ElementRepetition, int32(parquet.Required)),
			thrift.BytesField(parquet.ElementName, []byte(c.name)),
		}
		if c.logical != noLogical {
			e = append(e, thrift.Int32Field(parquet.ElementConverted, int32(c.logical)))
		}
		elements = e.Append(elements)
	}
	return thrift.ListField(parquet.FileSchema, thrift.StrucT, 1+len(b.columns), elements)
}

type bulkWriter struct {
	*bulkFile
	out    parquet.Output
	schema []parquet.Column
	codec  codec.Codec
	made   []*parquet.EncodedPage // the page of a column that has but one
}

// group writes a row group and returns its metadata.
func (w *bulkWriter) group(g int) (thrift.Struct, error) {
	start, raw := w.out.Size, int64(0)
	var chunks []byte
	for i := range w.columns {
		at := w.out.Size
		c := parquet.NewChunkWriter(&w.schema[i], &w.out)
		if err := w.chunk(c, i, g); err != nil {
			return nil, err
		}
		name := append(binary.AppendUvarint(nil, uint64(len(w.columns[i].name))), w.columns[i].name...)
		meta := c.Metadata(thrift.Struct{
			thrift.Int32Field(parquet.MetaType, int32(w.columns[i].physical)),
			thrift.ListField(parquet.MetaPath, thrift.Binary, 1, name),
			thrift.Int32Field(parquet.MetaCodec, int32(w.bulkFile.codec)),
		}, at)
		raw += c.RawSize
		chunks = thrift.Struct{thrift.Int64Field(parquet.ChunkFileOffset, at), thrift.StructField(parquet.ChunkMetaData, meta)}.Append(chunks)
	}
	return thrift.Struct{
		thrift.ListField(parquet.GroupColumns, thrift.StrucT, len(w.columns), chunks),
		thrift.Int64Field(parquet.GroupTotalByteSize, raw),
		thrift.Int64Field(parquet.GroupNumRows, int64(w.pages*w.rows)),
		thrift.Int64Field(parquet.GroupFileOffset, start),
		thrift.Int64Field(parquet.GroupTotalCompressedSize, w.out.Size-start),
	}, nil
}

// chunk writes the pages of a column in row group g.
func (w *bulkWriter) chunk(c *parquet.ChunkWriter, i, g int) error {
	if n := w.columns[i].entries; n > 0 {
		e := new(parquet.EncodedPage)
		h := parquet.PageHeader{Kind: parquet.DictionaryPage, Values: n, Encoding: parquet.Plain}
		if err := e.Encode(&w.codec, w.bulkFile.codec, &h, w.columns[i].page(0)); err != nil {
			return err
		}
		if err := c.DictionaryPage(e); err != nil {
			return err
		}
	}
	for p := range w.pages {
		e, err := w.page(i, g*w.pages+p)
		if err != nil {
			return err
		}
		if err := c.DataPage(&e.Header, e.Head, e.Body, w.rows, 0, new(parquet.Bounds)); err != nil {
			return err
		}
	}
	return nil
}

// page returns a page of a column.
func (w *bulkWriter) page(column, page int) (*parquet.EncodedPage, error) {
	if e := w.made[column]; e != nil {
		return e, nil
	}
	e := new(parquet.EncodedPage)
	h := parquet.PageHeader{Kind: parquet.DataPage, Values: w.rows, Encoding: parquet.Plain, RepEncoding: parquet.RLE, DefEncoding: parquet.RLE}
	var raw []byte
	if n := w.columns[column].entries; n > 0 {
		indices := make([]int32, w.rows)
		for i := range indices {
			indices[i] = int32(i % n)
		}
		h.Encoding = parquet.RLEDictionary
		raw = encoding.AppendIndices(nil, indices, n)
	} else {
		raw = w.columns[column].page(page)
		if h.Encoding = w.columns[column].encoding; h.Encoding != parquet.Plain {
			raw = deltaTexts(h.Encoding, raw)
		}
	}
	if err := e.Encode(&w.codec, w.bulkFile.codec, &h, raw); err != nil {
		return nil, err
	}
	if w.columns[column].same || w.columns[column].entries > 0 {
		w.made[column] = e
	}
	return e, nil
}

// texts is a column of texts: value i of all, from 0 on.
func (b *bulkFile) texts(name string, value func(dst []byte, i int) []byte) bulkColumn {
	return bulkColumn{name: name, physical: parquet.ByteArray, logical: logicalText, page: func(page int) []byte {
		return plainTexts(b.rows, page*b.rows, value)
	}}
}

// entries is a column whose rows have so many texts in turn, by a dictionary.
func (b *bulkFile) entries(name string, n int, value func(dst []byte, i int) []byte) bulkColumn {
	return bulkColumn{name: name, physical: parquet.ByteArray, logical: logicalText, entries: n, page: func(int) []byte {
		return plainTexts(n, 0, value)
	}}
}

// plainTexts returns n texts from a number on as PLAIN.
func plainTexts(n, first int, value func(dst []byte, i int) []byte) (all []byte) {
	for i := range n {
		at := len(all)
		all = value(append(all, 0, 0, 0, 0), first+i)
		binary.LittleEndian.PutUint32(all[at:], uint32(len(all)-at-4))
	}
	return all
}

// deltaTexts returns PLAIN texts in an encoding of deltas.
func deltaTexts(e parquet.Encoding, plain []byte) []byte {
	all := new(encoding.Bytes)
	for len(plain) > 0 {
		end := 4 + binary.LittleEndian.Uint32(plain)
		all.Data = append(all.Data, plain[4:end]...)
		all.Ends = append(all.Ends, uint32(len(all.Data)))
		plain = plain[end:]
	}
	if e == parquet.DeltaLengthByteArray {
		return encoding.AppendDeltaLengths(nil, all)
	}
	return encoding.AppendDeltaStrings(nil, all)
}

// longs is a column of int64, or of instants in microseconds.
func (b *bulkFile) longs(name string, logical int64, value func(i int) int64) bulkColumn {
	return bulkColumn{name: name, physical: parquet.Int64, logical: logical, page: func(page int) []byte {
		all := make([]byte, 0, 8*b.rows)
		for i := range b.rows {
			all = binary.LittleEndian.AppendUint64(all, uint64(value(page*b.rows+i)))
		}
		return all
	}}
}

// flags is a column of booleans.
func (b *bulkFile) flags(name string, value func(i int) bool) bulkColumn {
	return bulkColumn{name: name, physical: parquet.Boolean, logical: noLogical, page: func(page int) []byte {
		all := make([]byte, (b.rows+7)/8)
		for i := range b.rows {
			if value(page*b.rows + i) {
				all[i/8] |= 1 << (i % 8)
			}
		}
		return all
	}}
}

// once makes all pages of a column its first.
func once(c bulkColumn) bulkColumn {
	c.same = true
	return c
}

// noise fills dst with letters that compress to about three fifths, others for each seed.
func noise(dst []byte, seed uint64) {
	for i := range dst {
		seed = seed*6364136223846793005 + 1442695040888963407
		dst[i] = 'a' + byte(seed>>59)
	}
}

func text(format string, args ...any) func([]byte, int) []byte {
	return func(dst []byte, i int) []byte { return fmt.Appendf(dst, format, append(args, i)...) }
}
