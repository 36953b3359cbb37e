package rewrite

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	parquetgo "github.com/parquet-go/parquet-go"

	"assent/job/parquet"
)

const sparkRow = "org.apache.spark.sql.parquet.row.metadata"

// What may hold a row's value goes, and nothing else: "secret" stands in what has to go, alone.
func TestMetadataRule(t *testing.T) {
	for _, c := range []struct{ name, key, in, want string }{
		{"class names", "huggingface", `{"info":{"features":{"tag":{"names":["secret"],"_type":"ClassLabel"}}}}`, ""},
		{"enum of protobuf", "parquet.proto.enum.Tag", `a:0,secret:3`, ""},
		{"nobody knows it", "summary", `secret`, ""},
		{"R's attributes", "r", `A\n3\nsecret`, ""},
		{"a prefix of a known key", "org.apache.spark.version.secret", `3`, ""},
		{"spark version", "org.apache.spark.version", `3.5.1`, `3.5.1`},
		{"spark", sparkRow, `{"type":"struct","fields":[{"name":"a","type":"string","nullable":true,"metadata":{}}]}`,
			`{"type":"struct","fields":[{"name":"a","type":"string","nullable":true,"metadata":{}}]}`},
		{"spark attribute", sparkRow, `{"type":"struct","fields":[{"name":"a","type":"double","nullable":true,"metadata":{"ml_attr":{"vals":["secret"],"type":"nominal","name":"x"},"comment":"c"}}]}`,
			`{"type":"struct","fields":[{"name":"a","type":"double","nullable":true,"metadata":{"comment":"c"}}]}`},
		{"spark attribute, nested", sparkRow, `{"type":"struct","fields":[{"name":"l","type":{"type":"array","elementType":{"type":"struct","fields":[{"name":"a","metadata":{"comment":"c","x":"secret"}}]},"containsNull":true},"metadata":{"y":{"z":"secret"}}}]}`,
			`{"type":"struct","fields":[{"name":"l","type":{"type":"array","elementType":{"type":"struct","fields":[{"name":"a","metadata":{"comment":"c"}}]},"containsNull":true},"metadata":{}}]}`},
		{"spark attribute behind an escape", sparkRow, `{"type":"struct","fields":[{"name":"a","metadata":{"q\"x":"secret","\u0063omment":"c","r\"":"secret"}}]}`,
			`{"type":"struct","fields":[{"name":"a","metadata":{"\u0063omment":"c"}}]}`},
		{"spark before 1.2", sparkRow, `StructType(List(StructField(secret,StringType,true)))`, ""},
		{"avro", "parquet.avro.schema", `{"type":"record","name":"m","fields":[{"name":"a","type":["null","string"],"default":null}]}`,
			`{"type":"record","name":"m","fields":[{"name":"a","type":["null","string"],"default":null}]}`},
		{"avro enum", "avro.schema", `{"type":"record","name":"m","fields":[{"name":"a","type":["null",{"type":"enum","name":"t","symbols":["secret"]}]}]}`, ""},
		{"avro attribute of a connector", "avro.schema", `{"type":"record","name":"m","fields":[{"name":"a","type":{"type":"string","connect.parameters":{"allowed":"secret"}}}]}`,
			`{"type":"record","name":"m","fields":[{"name":"a","type":{"type":"string"}}]}`},
		{"iceberg", "iceberg.schema", `{"type":"struct","schema-id":0,"fields":[{"id":1,"name":"a","required":false,"type":"string"}]}`,
			`{"type":"struct","schema-id":0,"fields":[{"id":1,"name":"a","required":false,"type":"string"}]}`},
		{"iceberg with more", "iceberg.schema", `{"type":"struct","fields":[],"summary":"secret"}`, `{"type":"struct","fields":[]}`},
		{"pandas", "pandas", `{"index_columns": [], "columns": [{"name": "a", "metadata": {"num_categories": 5, "ordered": false}}], "attributes": {}}`,
			`{"index_columns": [], "columns": [{"name": "a", "metadata": {"num_categories": 5, "ordered": false}}], "attributes": {}}`},
		{"pandas attributes", "pandas", `{"columns": [{"name": "a", "metadata": {"categories": ["secret"]}}], "attributes": {"last": "secret"}}`,
			`{"columns": [{"name": "a", "metadata": {}}], "attributes": {}}`},
		{"no JSON", "geo", `secret`, ""},
		{"no schema", "ARROW:schema", `secret`, ""},
		{"deep", "avro.schema", strings.Repeat(`{"type":`, 1000) + `"secret"` + strings.Repeat(`}`, 1000), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := (&metadataRule{}).value(c.key, []byte(c.in))
			if string(got) != c.want || ok != (c.want != "") {
				t.Errorf("%v %s\nwant %s", ok, got, c.want)
			}
			if got, ok := (&metadataRule{keep: []string{"x", c.key}}).value(c.key, []byte(c.in)); !ok || string(got) != c.in {
				t.Errorf("kept by the user's word: %v %s", ok, got)
			}
		})
	}
}

// arrowSchemaValue returns the value of ARROW:schema.
func arrowSchemaValue(t *testing.T, s *arrow.Schema) string {
	t.Helper()
	var b bytes.Buffer
	if err := ipc.NewWriter(&b, ipc.WithSchema(s)).Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func decodeArrowSchema(t *testing.T, value []byte) *arrow.Schema {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(string(value))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("secret")) {
		t.Error("the secret is in its bytes")
	}
	r, err := ipc.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	return r.Schema()
}

// ARROW:schema repeats the file's metadata, and its fields have some of their own.
func TestArrowSchemaMetadata(t *testing.T) {
	meta := func(pairs ...string) arrow.Metadata {
		var keys, values []string
		for i := 0; i < len(pairs); i += 2 {
			keys, values = append(keys, pairs[i]), append(values, pairs[i+1])
		}
		return arrow.NewMetadata(keys, values)
	}
	pandas := `{"index_columns":[{"kind":"range","start":0,"stop":5,"step":1}]}`
	geo := `{"columns":{"g":{"bbox":[1,2]}}}`
	schema := func(clean bool) *arrow.Schema {
		pick := func(all, cleaned arrow.Metadata) arrow.Metadata {
			if clean {
				return cleaned
			}
			return all
		}
		element := arrow.Field{Name: "item", Type: arrow.BinaryTypes.String, Nullable: true,
			Metadata: pick(meta("levels", "secret", "PARQUET:field_id", "3"), meta("PARQUET:field_id", "3"))}
		top := pick(meta("huggingface", "secret", "pandas", pandas, "summary", "secret", "geo", geo), meta("pandas", pandas))
		return arrow.NewSchema([]arrow.Field{
			{Name: "id", Type: arrow.BinaryTypes.String, Metadata: pick(meta("PARQUET:field_id", "1", "_PL_ENUM_VALUES", "6;secret"), meta("PARQUET:field_id", "1"))},
			{Name: "list", Type: arrow.ListOfField(element), Nullable: true},
			{Name: "r", Type: arrow.BinaryTypes.String, Metadata: pick(meta("ARROW:extension:name", "arrow.r.vctrs", "ARROW:extension:metadata", "secret"), meta())},
			{Name: "crs", Type: arrow.BinaryTypes.Binary, Metadata: meta("ARROW:extension:name", "geoarrow.wkb", "ARROW:extension:metadata", `{"crs":"EPSG:4326"}`)},
			{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "Europe/Berlin"}},
		}, &top)
	}
	dirty, want := arrowSchemaValue(t, schema(false)), schema(true)
	got, ok := cleanArrowSchema([]byte(dirty), &metadataRule{lost: true})
	if !ok {
		t.Fatal("it is left out")
	}
	if len(got) != len(dirty) {
		t.Errorf("%d bytes, %d before", len(got), len(dirty))
	}
	s := decodeArrowSchema(t, got)
	if !s.Equal(want) || !s.Metadata().Equal(want.Metadata()) {
		t.Errorf("got %v\nwant %v", s, want)
	}
	for i, f := range s.Fields() {
		if !f.Metadata.Equal(want.Field(i).Metadata) {
			t.Errorf("%s: %v, want %v", f.Name, f.Metadata, want.Field(i).Metadata)
		}
	}
	clean := []byte(arrowSchemaValue(t, want))
	if again, ok := cleanArrowSchema(clean, &metadataRule{lost: true}); !ok || &again[0] != &clean[0] {
		t.Error("a clean one is not kept as it is")
	}
	if again, ok := cleanArrowSchema([]byte(dirty), &metadataRule{keep: []string{"huggingface"}}); !ok || decodedHas(again, "geo") != true || !decodedHas(again, "huggingface") {
		t.Error("what the user keeps, or speaks of kept rows, is gone")
	}
}

func decodedHas(value []byte, text string) bool {
	data, _ := base64.StdEncoding.DecodeString(string(value))
	return bytes.Contains(data, []byte(text))
}

// FuzzArrowSchema: no panic, no endless work; a schema that stays can be cleaned again without a change.
func FuzzArrowSchema(f *testing.F) {
	var b bytes.Buffer
	meta := arrow.NewMetadata([]string{"a", "pandas"}, []string{"b", "{}"})
	s := arrow.NewSchema([]arrow.Field{{Name: "x", Type: arrow.ListOf(arrow.BinaryTypes.String), Metadata: meta}, {Name: "y", Type: arrow.PrimitiveTypes.Int64, Metadata: meta}}, &meta)
	lay := &layout{columns: []*parquet.Column{nil, {}}, text: []bool{false, true}, changed: []bool{false, true}, names: []topField{{"x", 0, 1}, {"y", 1, 2}}, paths: [][]string{{"x"}, {"y"}}, edited: true}
	if err := ipc.NewWriter(&b, ipc.WithSchema(s)).Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		value := base64.StdEncoding.AppendEncode(nil, data)
		if out, ok := cleanArrowSchema(value, &metadataRule{lost: true}); ok && len(out) != len(value) {
			t.Errorf("%d bytes became %d", len(value), len(out))
		}
		if out, ok := relayArrowSchema(value, &metadataRule{layout: lay}); ok && len(out) != len(value) {
			t.Errorf("%d bytes became %d without a column", len(value), len(out))
		}
	})
}

// The whole way: what a file's metadata says of dropped rows is nowhere in the output, whether rows were lost or not, and
// LeftOut names it.
func TestMetadataIsLeftOut(t *testing.T) {
	spark := `{"type":"struct","fields":[{"name":"a","metadata":{"ml_attr":{"vals":["hidden-label"]}}}]}`
	data := secretFile(t, func(int) bool { return false }, parquetgo.KeyValueMetadata("huggingface", "hidden-label"),
		parquetgo.KeyValueMetadata("org.apache.spark.version", "3.5.1"), parquetgo.KeyValueMetadata(sparkRow, spark))
	f, err := Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.LeftOut(nil)); got != fmt.Sprintf("[huggingface %s]", sparkRow) && got != fmt.Sprintf("[%s huggingface]", sparkRow) {
		t.Errorf("left out: %s", got)
	}
	if got := f.LeftOut([]string{"huggingface", sparkRow}); got != nil {
		t.Errorf("left out although kept: %q", got)
	}
	for _, keep := range []int64{0, 2, 1000} {
		out, _, err := rewriteFile(t, data, func(i, n int64) bool { return i%1000 < keep }, Options{})
		if err != nil {
			t.Fatal(err)
		}
		g, err := parquet.Open(t.Context(), bytes.NewReader(out), int64(len(out)), "out.parquet")
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(out, []byte("hidden-label")) {
			t.Error("the label is in the output")
		}
		if v, _ := g.KeyValue("org.apache.spark.version"); v != "3.5.1" {
			t.Errorf("spark's version is %q", v)
		}
		out, _, err = rewriteFile(t, data, func(i, n int64) bool { return i%1000 < keep }, Options{KeepMetadata: []string{"huggingface"}})
		if err != nil || !bytes.Contains(out, []byte("hidden-label")) {
			t.Errorf("what is to be kept is gone: %v", err)
		}
	}
}
