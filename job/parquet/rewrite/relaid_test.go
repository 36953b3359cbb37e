package rewrite

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	parquetgo "github.com/parquet-go/parquet-go"

	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// person is a row whose columns are dropped and changed below. All names that go have "secret" in them.
type person struct {
	ID     int64            `parquet:"id"`
	Secret string           `parquet:"secret"`
	At     int64            `parquet:"at,timestamp(millisecond:utc)"`
	Inner  personInner      `parquet:"inner"`
	Lost   personLost       `parquet:"secret_struct"`
	List   []personInner    `parquet:"list,list"`
	Rates  map[string]int64 `parquet:"rates"`
}

type personInner struct {
	N      int64  `parquet:"n,optional"`
	Secret string `parquet:"secret_part"`
}

type personLost struct {
	A int64 `parquet:"secret_a"`
	B int64 `parquet:"secret_b"`
}

// personFile writes a file of persons with some metadata. id, inner.n and list.n are to become text.
func personFile(t *testing.T, metadata ...string) ([]byte, Options) {
	t.Helper()
	options := []parquetgo.WriterOption{parquetgo.SortingWriterConfig(parquetgo.SortingColumns(parquetgo.Ascending("at"), parquetgo.Ascending("secret"), parquetgo.Ascending("id")))}
	for i := 0; i < len(metadata); i += 2 {
		options = append(options, parquetgo.KeyValueMetadata(metadata[i], metadata[i+1]))
	}
	var b bytes.Buffer
	w := parquetgo.NewGenericWriter[person](&b, options...)
	var rows []person
	for i := range int64(200) {
		rows = append(rows, person{ID: i, Secret: canary + strings.Repeat("x", int(i)), At: i, Inner: personInner{i, canary}, Lost: personLost{i, i},
			List: make([]personInner, i%3), Rates: map[string]int64{"a": i}})
	}
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.Open(t.Context(), bytes.NewReader(b.Bytes()), int64(b.Len()), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{CreatedBy: "test", Transforms: map[int]Transform{}}
	for _, name := range []string{"secret", "inner.secret_part", "secret_struct", "list.secret_part"} {
		found := f.Select(name)
		if found == nil {
			t.Fatalf("no column %s", name)
		}
		opts.Drop = append(opts.Drop, found...)
	}
	for _, name := range []string{"id", "inner.n", "list.n"} {
		leaf := f.Select(name)[0]
		opts.Transforms[leaf] = hashing(&f.Columns()[leaf])
	}
	return b.Bytes(), opts
}

// A guard fails reads of some ranges.
type guard struct {
	io.ReaderAt
	ranges []span
}

func (g *guard) ReadAt(p []byte, off int64) (int, error) {
	for _, r := range g.ranges {
		if off < int64(r.hi) && off+int64(len(p)) > int64(r.lo) {
			return 0, fmt.Errorf("%d bytes at %d are read", len(p), off)
		}
	}
	return g.ReaderAt.ReadAt(p, off)
}

// The chunks of dropped columns are not read.
func TestDropUnread(t *testing.T) {
	data, opts := personFile(t)
	for _, kept := range []int64{200, 100} {
		r := &guard{ReaderAt: bytes.NewReader(data)}
		f, err := parquet.Open(t.Context(), r, int64(len(data)), "in.parquet")
		if err != nil {
			t.Fatal(err)
		}
		chunks, err := f.Chunks(0)
		if err != nil {
			t.Fatal(err)
		}
		for _, leaf := range opts.Drop {
			r.ranges = append(r.ranges, span{int(chunks[leaf].Start), int(chunks[leaf].End)})
		}
		sel := NewSelection(200)
		sel.KeepRange(0, kept)
		w := NewWriter(f, io.Discard, opts)
		if err := w.RowGroup(t.Context(), 0, sel); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Nothing of what is dropped is in the file.
func TestDrop(t *testing.T) {
	data, opts := personFile(t)
	for _, p := range picks[1:] {
		out, _, err := rewriteFile(t, data, p.keep, opts)
		if err != nil {
			t.Fatal(err)
		}
		checkAsked(t, data, out, p.keep, opts)
		checkFile(t, data, out, p.keep, false)
		for _, text := range []string{"secret", canary} {
			if bytes.Contains(out, []byte(text)) {
				t.Errorf("%s: %q is in the file", p.name, text)
			}
		}
		f, err := parquet.Open(t.Context(), bytes.NewReader(out), int64(len(out)), "out.parquet")
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for i := range f.Columns() {
			names = append(names, f.Columns()[i].Name()+" "+f.Columns()[i].Physical.String())
		}
		want := "[id BYTE_ARRAY at INT64 inner.n BYTE_ARRAY list.list.element.n BYTE_ARRAY rates.key_value.key BYTE_ARRAY rates.key_value.value INT64]"
		if got := fmt.Sprint(names); got != want {
			t.Errorf("%s: columns %s", p.name, got)
		}
		for g := range f.NumRowGroups() {
			group, err := f.RowGroup(g)
			if err != nil {
				t.Fatal(err)
			}
			sorting, err := group.Structs(parquet.GroupSortingColumns)
			if err != nil || sorting.Len != 1 { // by at; secret is gone, and id ordered what was equal in it
				t.Errorf("%s: %d sorting columns, %v", p.name, sorting.Len, err)
			}
			for _, raw := range sorting.Elements() {
				s, _, _ := thrift.Parse(raw)
				if leaf, _ := s.Int(1, -1); leaf != 1 {
					t.Errorf("%s: sorted by column %d", p.name, leaf)
				}
			}
		}
	}
}

// personArrow is the Arrow schema of persons, before and after.
func personArrow(after bool) *arrow.Schema {
	field := func(name string, of arrow.DataType) arrow.Field {
		f := arrow.Field{Name: name, Type: of, Nullable: true}
		if name == "n" && !after {
			f.Metadata = arrow.NewMetadata([]string{"ARROW:extension:name", "PARQUET:field_id"}, []string{"arrow.uuid", "3"})
		}
		if name == "n" && after {
			f.Metadata = arrow.NewMetadata([]string{"PARQUET:field_id"}, []string{"3"})
		}
		return f
	}
	number, text := arrow.DataType(arrow.PrimitiveTypes.Int64), arrow.DataType(arrow.BinaryTypes.LargeString)
	utc := &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "Europe/Berlin"}
	if after {
		inner := arrow.StructOf(field("n", arrow.BinaryTypes.String))
		return arrow.NewSchema([]arrow.Field{field("id", arrow.BinaryTypes.String), field("at", utc), field("inner", inner), field("list", arrow.ListOfField(field("item", inner))),
			field("rates", arrow.MapOf(arrow.BinaryTypes.String, number))}, nil)
	}
	inner := arrow.StructOf(field("n", number), field("secret_part", &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: text}))
	lost := arrow.StructOf(field("secret_a", utc), field("secret_b", number))
	return arrow.NewSchema([]arrow.Field{field("id", number), field("secret", text), field("at", utc), field("inner", inner), field("secret_struct", lost),
		field("list", arrow.ListOfField(field("item", inner))), field("rates", arrow.MapOf(arrow.BinaryTypes.String, number))}, nil)
}

// Metadata that says what columns there are says it of those that are left.
func TestRelaid(t *testing.T) {
	const inner = `{"type":"struct","fields":[{"name":"n","type":"long","nullable":true,"metadata":{}},{"name":"secret_part","type":"string","nullable":true,"metadata":{}}]}`
	for _, c := range []struct{ name, key, in, want string }{
		{"spark", sparkRow, `{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{"comment":"of secret"}},` +
			`{"name":"secret","type":"string","nullable":true,"metadata":{}},{"name":"at","type":"timestamp","nullable":true,"metadata":{"comment":"c"}},{"name":"inner","type":` + inner +
			`,"nullable":true,"metadata":{}},{"name":"secret_struct","type":{"type":"struct","fields":[{"name":"secret_a","type":"long"},{"name":"secret_b","type":"long"}]},"nullable":true,"metadata":{}},` +
			`{"name":"list","type":{"type":"array","elementType":` + inner + `,"containsNull":true},"nullable":true,"metadata":{}},{"name":"rates","type":{"type":"map","keyType":"string","valueType":"long","valueContainsNull":true},"nullable":true,"metadata":{}}]}`,
			`{"type":"struct","fields":[{"name":"id","type":"string","nullable":true,"metadata":{}},{"name":"at","type":"timestamp","nullable":true,"metadata":{"comment":"c"}},` +
				`{"name":"inner","type":{"type":"struct","fields":[{"name":"n","type":"string","nullable":true,"metadata":{}}]},"nullable":true,"metadata":{}},` +
				`{"name":"list","type":{"type":"array","elementType":{"type":"struct","fields":[{"name":"n","type":"string","nullable":true,"metadata":{}}]},"containsNull":true},"nullable":true,"metadata":{}},` +
				`{"name":"rates","type":{"type":"map","keyType":"string","valueType":"long","valueContainsNull":true},"nullable":true,"metadata":{}}]}`},
		{"spark of another file", sparkRow, `{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}}]}`, ""},
		{"pandas", "pandas", `{"index_columns": ["secret", "at"], "column_indexes": [], "columns": [{"name": "id", "field_name": "id", "pandas_type": "int64", "numpy_type": "Int64", "metadata": {"unit": "x"}}, ` +
			`{"name": "secret", "field_name": "secret", "pandas_type": "unicode", "numpy_type": "object", "metadata": null}, {"name": null, "field_name": "secret_struct", "pandas_type": "object"}, {"name": "at", "pandas_type": "datetimetz", "numpy_type": "datetime64[ns]", "metadata": {"timezone": "UTC"}}], "creator": {"library": "x"}, "pandas_version": "2.0"}`,
			`{"index_columns": ["at"], "column_indexes": [], "columns": [{"name": "id", "field_name": "id", "pandas_type": "unicode", "numpy_type": "object", "metadata": null}, ` +
				`{"name": "at", "pandas_type": "datetimetz", "numpy_type": "datetime64[ns]", "metadata": {"timezone": "UTC"}}], "creator": {"library": "x"}, "pandas_version": "2.0"}`},
		{"avro", "parquet.avro.schema", `{"type":"record","name":"m","fields":[{"name":"id","type":"long"}]}`, ""},
		{"iceberg", "iceberg.schema", `{"type":"struct","schema-id":0,"fields":[{"id":1,"name":"id","required":false,"type":"long"}]}`, ""},
		{"geo of another column", "geo", `{"version":"1.1.0","primary_column":"at","columns":{"at":{"encoding":"WKB"}}}`, `{"version":"1.1.0","primary_column":"at","columns":{"at":{"encoding":"WKB"}}}`},
		{"geo of a dropped column", "geo", `{"version":"1.1.0","primary_column":"secret","columns":{"secret":{"encoding":"WKB"}}}`, ""},
		{"hugging face", "huggingface", `{"info": {"features": {"id": {"dtype": "int64", "_type": "Value"}, "secret": {"dtype": "string", "_type": "Value"}, "at": {"dtype": "timestamp[ms]", "_type": "Value"}}}}`,
			`{"info": {"features": {"id": {"dtype": "string", "_type": "Value"}, "at": {"dtype": "timestamp[ms]", "_type": "Value"}}}}`},
		{"hugging face, within a feature", "huggingface", `{"info": {"features": {"inner": {"n": {"dtype": "int64", "_type": "Value"}}}}}`, ""},
		{"the user's own", "mine", "nothing of the kind", "nothing of the kind"},
		{"the user's own names a dropped column", "mine", "by secret, at", ""},
		{"the user's own names nearly one", "mine", "by secrets, _secret", "by secrets, _secret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, opts := personFile(t, c.key, c.in)
			opts.KeepMetadata = []string{"huggingface", "mine"}
			out, _, err := rewriteFile(t, data, func(i, n int64) bool { return true }, opts)
			if err != nil {
				t.Fatal(err)
			}
			f, err := parquet.Open(t.Context(), bytes.NewReader(out), int64(len(out)), "out.parquet")
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := f.KeyValue(c.key); got != c.want || ok != (c.want != "") {
				t.Errorf("%v %s\nwant %s", ok, got, c.want)
			}
		})
	}
}

// TestRelaidArrowPandas: pandas' document in the Arrow schema fits the columns, too, where there is room for it. pyarrow asks for it there.
func TestRelaidArrowPandas(t *testing.T) {
	const creator = `"creator": {"library": "pyarrow"}, "pandas_version": "2.0"}`
	id, at := `{"name": "id", "field_name": "id", "pandas_type": "int64", "numpy_type": "int64", "metadata": null}`, `{"name": "at", "pandas_type": "datetimetz", "numpy_type": "datetime64[ns]", "metadata": {"timezone": "UTC"}}`
	idText := `{"name": "id", "field_name": "id", "pandas_type": "unicode", "numpy_type": "object", "metadata": null}`
	for _, c := range []struct{ name, in, want string }{
		{"a column is left out", `{"index_columns": ["at"], "columns": [` + id + `, {"name": "secret", "field_name": "secret"}, ` + at + `], ` + creator, `{"index_columns": ["at"], "columns": [` + idText + `, ` + at + `], ` + creator},
		{"a column is text now, and blanks make room", `{"index_columns": ["at"], "columns": [` + id + `, ` + at + `], ` + creator, `{"index_columns":["at"],"columns":[{"name":"id","field_name":"id","pandas_type":"unicode","numpy_type":"object","metadata":null},` +
			`{"name":"at","pandas_type":"datetimetz","numpy_type":"datetime64[ns]","metadata":{"timezone":"UTC"}}],"creator":{"library":"pyarrow"},"pandas_version":"2.0"}`},
		{"no room", `{"columns":[{"name":"id","numpy_type":"int64"}]}`, ""},
		{"a dropped name is left", `{"columns": [{"name": "secret", "field_name": "at"}, {"name": "secret"}]}`, ""},
		{"no document", `secret`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			meta := arrow.NewMetadata([]string{"pandas"}, []string{c.in})
			s := arrow.NewSchema(personArrow(false).Fields(), &meta)
			_, opts := personFile(t, "ARROW:schema", arrowSchemaValue(t, s))
			value, _ := relayed(t, s, opts)
			metadata := decodeArrowSchema(t, []byte(value)).Metadata() // fails where a secret is in the bytes
			got, ok := metadata.GetValue("pandas")
			if strings.TrimRight(got, " ") != c.want || ok != (c.want != "") || ok && len(got) != len(c.in) {
				t.Errorf("%v %q\nwant %s", ok, got, c.want)
			}
		})
	}
}

func TestRelaidArrow(t *testing.T) {
	before := personArrow(false)
	meta := arrow.NewMetadata([]string{"huggingface", "mine"}, []string{`{"columns": [{"name": "secret"}]}`, "secret"})
	before = arrow.NewSchema(before.Fields(), &meta)
	_, opts := personFile(t, "ARROW:schema", arrowSchemaValue(t, before))
	opts.KeepMetadata = []string{"mine"}
	value, ok := relayed(t, before, opts)
	if !ok {
		t.Fatal("it is left out")
	}
	got, want := decodeArrowSchema(t, []byte(value)), personArrow(true) // fails where a secret is in the bytes
	if !got.Equal(want) || got.Metadata().Len() > 0 {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if other, ok := relayed(t, arrow.NewSchema(before.Fields()[1:], nil), opts); ok {
		t.Errorf("a schema of other columns stays: %v", other)
	}
}

// relayed writes a file of persons with an Arrow schema, and returns what became of that.
func relayed(t *testing.T, s *arrow.Schema, opts Options) (string, bool) {
	t.Helper()
	data, _ := personFile(t, "ARROW:schema", arrowSchemaValue(t, s))
	out, _, err := rewriteFile(t, data, func(i, n int64) bool { return true }, opts)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.Open(t.Context(), bytes.NewReader(out), int64(len(out)), "out.parquet")
	if err != nil {
		t.Fatal(err)
	}
	return f.KeyValue("ARROW:schema")
}
