package arrowparquet

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"github.com/parquet-go/parquet-go/format"
)

func TestLayout(t *testing.T) {
	s := messages()
	batch := randomBatch(s, 1000, rand.New(rand.NewPCG(1, 1)))
	data := writeFile(t, s, Options{
		Codec: &snappy.Codec{}, PageVersion: 2, RowGroupRows: 300, PageRows: 100, PageBytes: 400,
		Dictionary:      func(path string) bool { return path == "room_id" || path == "sender_id" },
		DictionaryBytes: 64,
		Delta:           func(path string) bool { return path == "message_id" || path == "attachments" },
	}, batch)
	f := open(t, data)
	meta := f.Metadata()
	if !strings.HasPrefix(meta.CreatedBy, "assent version ") {
		t.Errorf("created by %q", meta.CreatedBy)
	}
	var rows []int64
	for _, rg := range meta.RowGroups {
		rows = append(rows, rg.NumRows)
	}
	if !slices.Equal(rows, []int64{300, 300, 300, 100}) {
		t.Errorf("row groups of %v rows", rows)
	}
	for g, rg := range f.RowGroups() {
		for c, chunk := range rg.ColumnChunks() {
			name := s.Field(c).Name
			stats := meta.RowGroups[g].Columns[c].MetaData.EncodingStats
			v2 := func(e format.Encoding) bool {
				return slices.ContainsFunc(stats, func(p format.PageEncodingStats) bool {
					return p.PageType == format.DataPageV2 && p.Encoding == e
				})
			}
			wantDict := name == "room_id" || name == "sender_id"
			if v2(format.RLEDictionary) != wantDict {
				t.Errorf("%s: dictionary pages %t, want %t", name, !wantDict, wantDict)
			}
			if wantDict && !v2(format.Plain) && rows[g] == 300 {
				t.Errorf("%s: no plain pages after a dictionary of its limit", name)
			}
			want := format.Plain
			switch name {
			case "message_id":
				want = format.DeltaByteArray
			case "attachments":
				want = format.DeltaBinaryPacked
			case "room_id", "sender_id":
				want = format.RLEDictionary
			}
			if !v2(want) {
				t.Errorf("%s: no pages in %s", name, want)
			}
			index, err := chunk.OffsetIndex()
			if err != nil {
				t.Fatal(err)
			}
			bounds, err := chunk.ColumnIndex()
			if err != nil {
				t.Fatal(err)
			}
			for p := range index.NumPages() {
				next := rg.NumRows()
				if p+1 < index.NumPages() {
					next = index.FirstRowIndex(p + 1)
				}
				n := next - index.FirstRowIndex(p)
				if n > 100 {
					t.Errorf("%s: page of %d rows", name, n)
				}
				if values := n - bounds.NullCount(p); name == "sent_at" && values > 400/8 {
					t.Errorf("%s: page of %d values exceeds its bytes", name, values)
				}
			}
		}
	}
}

func TestSameInputSameBytes(t *testing.T) {
	for name, s := range schemas {
		batch := randomBatch(s(), 500, rand.New(rand.NewPCG(1, 1)))
		o := Options{Dictionary: func(p string) bool { return strings.HasSuffix(p, "_id") }}
		if !bytes.Equal(writeFile(t, s(), o, batch), writeFile(t, s(), o, batch)) {
			t.Errorf("%s: two files differ", name)
		}
		// Nor does it matter how rows come in batches.
		if !bytes.Equal(writeFile(t, s(), o, batch), writeFile(t, s(), o, batch.NewSlice(0, 123), batch.NewSlice(123, 500))) {
			t.Errorf("%s: batches show in the file", name)
		}
	}
}

func TestNoRows(t *testing.T) {
	f := open(t, writeFile(t, nested(), Options{}))
	if f.NumRows() != 0 || len(f.RowGroups()) != 0 {
		t.Errorf("%d rows, %d row groups", f.NumRows(), len(f.RowGroups()))
	}
}

// TestLevels holds nested columns against levels worked out by hand.
func TestLevels(t *testing.T) {
	listOfInt := arrow.ListOf(arrow.PrimitiveTypes.Int64)
	s := arrow.NewSchema([]arrow.Field{
		{Name: "m", Type: arrow.MapOf(arrow.BinaryTypes.String, listOfInt), Nullable: true},
		{Name: "s", Type: arrow.StructOf(
			arrow.Field{Name: "d", Type: &arrow.Decimal128Type{Precision: 38, Scale: 2}, Nullable: true},
			arrow.Field{Name: "r", Type: arrow.StructOf(arrow.Field{Name: "x", Type: arrow.FixedWidthTypes.Boolean})},
		), Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.NewGoAllocator(), s)
	defer b.Release()
	m, st := b.Field(0).(*array.MapBuilder), b.Field(1).(*array.StructBuilder)
	keys, items := m.KeyBuilder().(*array.StringBuilder), m.ItemBuilder().(*array.ListBuilder)
	ints := items.ValueBuilder().(*array.Int64Builder)
	d, x := st.FieldBuilder(0).(*array.Decimal128Builder), st.FieldBuilder(1).(*array.StructBuilder)
	row := func(valid bool, dec *decimal128.Num, flag bool) {
		st.Append(valid)
		if dec == nil {
			d.AppendNull()
		} else {
			d.Append(*dec)
		}
		x.Append(true)
		x.FieldBuilder(0).(*array.BooleanBuilder).Append(flag)
	}
	minusOne, big := decimal128.FromI64(-1), decimal128.New(1, 2)

	m.Append(true) // {a: [1, null], b: [], c: null}
	keys.AppendValues([]string{"a", "b", "c"}, nil)
	items.Append(true)
	ints.Append(1)
	ints.AppendNull()
	items.Append(true)
	items.AppendNull()
	row(true, &minusOne, true)
	m.AppendNull()
	st.AppendNull()
	m.Append(true) // {}
	row(true, nil, false)
	m.Append(true) // {d: [4]}
	keys.Append("d")
	items.Append(true)
	ints.Append(4)
	row(true, &big, false)

	f := open(t, writeFile(t, s, Options{}, b.NewRecord()))
	type value struct {
		Value    string
		Rep, Def int
	}
	want := map[string][]value{
		"m.key_value.key": {{"a", 0, 2}, {"b", 1, 2}, {"c", 1, 2}, {"<null>", 0, 0}, {"<null>", 0, 1}, {"d", 0, 2}},
		"m.key_value.value.list.element": {
			{"1", 0, 5}, {"<null>", 2, 4}, {"<null>", 1, 3}, {"<null>", 1, 2}, {"<null>", 0, 0}, {"<null>", 0, 1}, {"4", 0, 5},
		},
		"s.d":   {{strings.Repeat("\xff", 16), 0, 2}, {"<null>", 0, 0}, {"<null>", 0, 1}, {"\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02", 0, 2}},
		"s.r.x": {{"true", 0, 1}, {"<null>", 0, 0}, {"false", 0, 1}, {"false", 0, 1}},
	}
	got := map[string][]value{}
	columns := f.Schema().Columns()
	for c, chunk := range f.RowGroups()[0].ColumnChunks() {
		path := strings.Join(columns[c], ".")
		pages := chunk.Pages()
		for {
			page, err := pages.ReadPage()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			values := make([]parquet.Value, page.NumValues())
			n, _ := page.Values().ReadValues(values)
			for _, v := range values[:n] {
				got[path] = append(got[path], value{v.String(), v.RepetitionLevel(), v.DefinitionLevel()})
			}
			parquet.Release(page)
		}
		pages.Close()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestUnsupportedTypes(t *testing.T) {
	for _, dt := range []arrow.DataType{
		arrow.Null,
		arrow.FixedWidthTypes.Timestamp_s,
		arrow.FixedWidthTypes.Time32s,
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
		arrow.StructOf(),
		arrow.StructOf(arrow.Field{Name: "x", Type: arrow.BinaryTypes.String}, arrow.Field{Name: "x", Type: arrow.BinaryTypes.String}),
	} {
		s := arrow.NewSchema([]arrow.Field{{Name: "outer", Type: arrow.ListOf(dt)}}, nil)
		_, err := NewWriter(io.Discard, s, Options{})
		if !errors.Is(err, ErrUnsupported) || !strings.HasPrefix(err.Error(), "outer.list.element") {
			t.Errorf("%s: %v", dt, err)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	required := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.BinaryTypes.String}}, nil)
	optional := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	nulls := array.NewRecordBuilder(memory.NewGoAllocator(), required)
	defer nulls.Release()
	nulls.Field(0).AppendNull()

	for name, o := range map[string]Options{
		"page version": {PageVersion: 3}, "page size": {PageBytes: maxPageBytes + 1}, "rows": {RowGroupRows: -1}, "page rows": {PageRows: maxPageRows + 1},
	} {
		if _, err := NewWriter(io.Discard, required, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	w, err := NewWriter(io.Discard, required, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(nulls.NewRecord()); !errors.Is(err, errRequiredNull) || !strings.HasPrefix(err.Error(), "id: ") {
		t.Errorf("null in a required column: %v", err)
	}
	if err := w.Close(); !errors.Is(err, errRequiredNull) {
		t.Errorf("close after an error: %v", err)
	}
	if w, err = NewWriter(io.Discard, required, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(randomBatch(optional, 1, rand.New(rand.NewPCG(1, 1)))); err == nil {
		t.Error("another schema: no error")
	}
	if w, err = NewWriter(io.Discard, required, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(randomBatch(required, 1, rand.New(rand.NewPCG(1, 1)))); !errors.Is(err, errClosed) {
		t.Errorf("write after close: %v", err)
	}
	full := errors.New("disk full")
	if w, err = NewWriter(writerFunc(func([]byte) (int, error) { return 0, full }), required, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(randomBatch(required, 10, rand.New(rand.NewPCG(1, 1)))), w.Close()); !errors.Is(err, full) {
		t.Errorf("failing output: %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
