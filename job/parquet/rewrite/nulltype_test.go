package rewrite

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"assent/job/parquet"
	"assent/job/parquet/codec"
	"assent/job/parquet/thrift"
)

// nullTypeFile writes a file of one column of the null type (UNKNOWN), n, in three pages of 100 rows.
func nullTypeFile(t *testing.T, physical parquet.Physical, v2, dict bool) []byte {
	t.Helper()
	unknown := thrift.Struct{thrift.StructField(11, nil)}
	schema := thrift.Struct{thrift.BytesField(parquet.ElementName, []byte("root")), thrift.Int32Field(parquet.ElementNumChildren, 1)}.Append(nil)
	schema = thrift.Struct{thrift.Int32Field(parquet.ElementType, int32(physical)), thrift.Int32Field(parquet.ElementRepetition, 1),
		thrift.BytesField(parquet.ElementName, []byte("n")), thrift.StructField(parquet.ElementLogical, unknown)}.Append(schema)
	col := &parquet.Column{Path: []string{"n"}, Physical: physical, MaxDef: 1}

	var file bytes.Buffer
	var k codec.Codec
	var page parquet.EncodedPage
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	out := parquet.Output{W: &file}
	check(out.Begin())
	start := out.Size
	chunk := parquet.NewChunkWriter(col, &out)
	enc := parquet.Plain
	if dict {
		enc = parquet.RLEDictionary
		check(page.Encode(&k, codec.Snappy, &parquet.PageHeader{Kind: parquet.DictionaryPage}, nil))
		check(chunk.DictionaryPage(&page))
	}
	for range 3 {
		h := parquet.PageHeader{Kind: parquet.DataPage, Values: 100, Encoding: enc, RepEncoding: parquet.RLE, DefEncoding: parquet.RLE}
		var l parquet.Levels
		l.Present.AppendRun(false, 100)
		raw := l.AppendV1(nil, col)
		if v2 {
			raw = l.AppendDefs(nil, col)
			h.Kind, h.Rows, h.Nulls, h.DefLen = parquet.DataPageV2, 100, 100, len(raw)
		}
		check(page.Encode(&k, codec.Snappy, &h, raw))
		check(chunk.DataPage(&page.Header, page.Head, page.Body, 100, 100, &parquet.Bounds{}))
	}
	head := thrift.Struct{thrift.Int32Field(parquet.MetaType, int32(physical)), thrift.Int32Field(parquet.MetaCodec, int32(codec.Snappy))}
	written := &parquet.WrittenChunk{OffsetIndex: chunk.OffsetIndex(start),
		Metadata: thrift.Struct{thrift.Int64Field(parquet.ChunkFileOffset, 0), thrift.StructField(parquet.ChunkMetaData, chunk.Metadata(head, start))}}
	check(out.Finish([]*parquet.WrittenChunk{written}, func() thrift.Struct {
		group := thrift.Struct{thrift.ListField(parquet.GroupColumns, thrift.StrucT, 1, written.Metadata.Append(nil)), thrift.Int64Field(parquet.GroupNumRows, 300)}
		return thrift.Struct{thrift.Int32Field(parquet.FileVersion, 2), thrift.ListField(parquet.FileSchema, thrift.StrucT, 2, schema),
			thrift.Int64Field(parquet.FileNumRows, 300), thrift.ListField(parquet.FileRowGroups, thrift.StrucT, 1, group.Append(nil))}
	}))
	return file.Bytes()
}

// A column of the null type stays one, all null, whatever its physical type is.
func TestNullType(t *testing.T) {
	for _, physical := range []parquet.Physical{parquet.Boolean, parquet.Int32, parquet.Int64, parquet.ByteArray} {
		for _, v2 := range []bool{false, true} {
			for _, dict := range []bool{false, true} {
				data := nullTypeFile(t, physical, v2, dict)
				for _, p := range picks {
					out, r, err := rewriteFile(t, data, p.keep, Options{CreatedBy: "test"})
					if err != nil {
						t.Fatalf("%s, v2 %v, dictionary %v, %s: %v", physical, v2, dict, p.name, err)
					}
					checkFile(t, data, out, p.keep, true)
					f, err := parquet.Open(t.Context(), bytes.NewReader(out), int64(len(out)), "out.parquet")
					if err != nil {
						t.Fatal(err)
					}
					if f.Columns()[0].Logical.Kind != parquet.Unknown {
						t.Errorf("the column became %s", f.Columns()[0].Logical.Kind)
					}
					rows := int64(0)
					for g := range f.NumRowGroups() {
						rows += nullRows(t, f, g)
					}
					if rows != r.RowsKept {
						t.Errorf("%d null rows, want %d", rows, r.RowsKept)
					}
				}
			}
		}
	}
}

// nullRows returns the number of rows of a row group, of which each must be null.
func nullRows(t *testing.T, f *parquet.File, group int) (rows int64) {
	t.Helper()
	k, err := Keys(t.Context(), f, group, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for {
		b, err := k.Next()
		if err == io.EOF {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		if v := &b.Columns[0]; len(v.Null) != b.Rows || slices.Contains(v.Null, false) {
			t.Fatalf("rows from %d: %v", b.FirstRow, v.Null)
		}
		rows += int64(b.Rows)
	}
}
