package verify

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"assent/job/internal/config"
	"assent/manifests"
	"assent/schema"
)

// footerWith returns a footer that has these entries, "key=value" each; without "=" there
// is no value.
func footerWith(t *testing.T, creator string, entries ...string) []field {
	t.Helper()
	text := func(id byte, s string) []byte {
		return append(binary.AppendUvarint([]byte{id}, uint64(len(s))), s...)
	}
	var list []byte
	for _, e := range entries {
		key, value, there := strings.Cut(e, "=")
		if list = append(list, text(1<<4|kindBinary, key)...); there {
			list = append(list, text(1<<4|kindBinary, value)...)
		}
		list = append(list, 0)
	}
	raw := binary.AppendUvarint([]byte{fileKeyValues<<4 | kindList, 15<<4 | kindStruct}, uint64(len(entries)))
	raw = append(raw, list...)
	if creator != "" {
		raw = append(raw, text(1<<4|kindBinary, creator)...)
	}
	fields, _, err := fieldsOf(append(raw, 0))
	if err != nil {
		t.Fatal(err)
	}
	return fields
}

func TestMetadata(t *testing.T) {
	const source, creator = "assent.source=data/in.parquet", "original.created_by=them"
	const rangeOf9, rangeOf3 = `pandas={"index_columns":[{"kind":"range","start":0,"stop":9,"step":1}]}`, `pandas={"index_columns":[{"kind":"range","start":0,"stop":3,"step":1}]}`
	var nine bytes.Buffer
	if err := parquet.Write(&nine, make([]struct{ X int64 }, 9)); err != nil {
		t.Fatal(err)
	}
	file, err := openParquet(t.Context(), &watched{Reader: memory{bytes.NewReader(nine.Bytes())}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		in, out []string // out without what a run adds
		keep    []string
		whole   bool   // no row was lost
		want    string // "": nothing is found
	}{
		{name: "none"},
		{name: "known", in: []string{"ARROW:schema=x", "geo={}", "parquet.avro.schema=y"}, out: []string{"ARROW:schema=x", "geo={}", "parquet.avro.schema=y"}},
		{name: "known, twice and without a value", in: []string{"ARROW:schema=x", "ARROW:schema", "ARROW:schema="}, out: []string{"ARROW:schema=x", "ARROW:schema", "ARROW:schema="}},
		{name: "known is gone", in: []string{"ARROW:schema=x"}, want: `"ARROW:schema" is not as in the input`},
		{name: "known has another value", in: []string{"iceberg.schema=x"}, out: []string{"iceberg.schema=y"}, want: `"iceberg.schema" is not as in the input`},
		{name: "known has no value", in: []string{"avro.schema="}, out: []string{"avro.schema"}, want: `"avro.schema" is not as in the input`},
		{name: "in another order", in: []string{"ARROW:schema=x", "geo={}"}, out: []string{"geo={}", "ARROW:schema=x"}, want: "is not as in the input"},
		{name: "harmless", in: []string{"writer.model.name=x", "ARROW:schema=y"}, out: []string{"writer.model.name=x", "ARROW:schema=y"}},
		{name: "harmless is gone", in: []string{"writer.model.name=x", "ARROW:schema=y"}, out: []string{"ARROW:schema=y"}},
		{name: "harmless has another value", in: []string{"writer.model.name=x"}, out: []string{"writer.model.name=y"}, want: "neither the input's"},
		{name: "unknown is gone", in: []string{"summary=last author of x", "ARROW:schema=y"}, out: []string{"ARROW:schema=y"}},
		{name: "unknown", in: []string{"summary=last author of x"}, out: []string{"summary=last author of x"}, want: `"summary" may name values`},
		{name: "labels of classes", in: []string{"huggingface={}"}, out: []string{"huggingface={}"}, want: `"huggingface" may name values`},
		{name: "symbols of an enum", in: []string{"parquet.proto.enum.Tag=a:0"}, out: []string{"parquet.proto.enum.Tag=a:0"}, want: `"parquet.proto.enum.Tag" may name values`},
		{name: "a key like a known one", in: []string{"ARROW:schema2=x"}, out: []string{"ARROW:schema2=x"}, want: "may name values"},
		{name: "unknown, no row lost", in: []string{"summary=x"}, out: []string{"summary=x"}, whole: true},
		{name: "unknown is gone, no row lost", in: []string{"summary=x"}, whole: true},
		{name: "unknown, kept", in: []string{"summary=x"}, out: []string{"summary=x"}, keep: []string{"summary"}},
		{name: "unknown, kept, is gone", in: []string{"summary=x"}, keep: []string{"summary"}, want: `"summary" is not as in the input`},
		{name: "pandas", in: []string{rangeOf9}, out: []string{rangeOf3}},
		{name: "pandas as it was", in: []string{rangeOf9}, out: []string{rangeOf9}, want: `"pandas" is not as in the input`},
		{name: "pandas without its attributes", in: []string{`pandas={"columns":[],"attributes":{"label":"a row's"}}`}, out: []string{`pandas={"columns":[],"attributes":{}}`}},
		{name: "pandas with other columns", in: []string{`pandas={"columns":[{"name":"a"}]}`}, out: []string{`pandas={"columns":[{"name":"b"}]}`}, want: `"pandas" is not as in the input`},
		{name: "pandas without its columns", in: []string{`pandas={"columns":[]}`}, out: []string{`pandas={}`}, want: `"pandas" is not as in the input`},
		{name: "pandas, no row lost", in: []string{rangeOf9}, out: []string{rangeOf9}, whole: true},
		{name: "geo", in: []string{`geo={"columns":{"g":{"bbox":[1,2]}}}`}, out: []string{`geo={"columns":{"g":{}}}`}},
		{name: "geo as it was", in: []string{`geo={"columns":{"g":{"bbox":[1,2]}}}`}, out: []string{`geo={"columns":{"g":{"bbox":[1,2]}}}`}, want: `"geo" is not as in the input`},
		{name: "of an earlier run", in: []string{"assent.run_id=old", "assent.source=old"}},
		{name: "of an earlier run, still there", in: []string{"assent.source=old"}, out: []string{"assent.source=old"}, want: `"assent.source"`},
		{name: "of nobody", out: []string{"x=y"}, want: `"x" is neither the input's`},
	} {
		a := &fileAudit{
			published: &published{run: &manifests.Run{RunID: "run"}},
			d:         &dataset{DatasetConfig: config.DatasetConfig{Dataset: schema.Dataset{Name: "data"}, KeepMetadata: c.keep}},
			m:         &manifests.File{Source: "in.parquet", Output: "data/in.parquet"},
		}
		in := &parquetFile{file: file.file, footer: footerWith(t, "them", c.in...)}
		d := &decisions{inputFile: &inputFile{parquetFile: in}, total: 3}
		if c.whole {
			d.total = 9
		}
		for _, ours := range [][]string{{source, creator}, {"assent.run_id=run", source, creator}} {
			a.found = differences{}
			out := &parquetFile{footer: footerWith(t, "", slices.Concat(c.out, ours)...)}
			if err := (&comparison{fileAudit: a, in: d, out: out, handed: &handed{}}).compareMetadata(); err != nil {
				t.Fatal(err)
			}
			found := ""
			for _, x := range a.found.first {
				found += x.String() + "\n"
			}
			if c.want == "" && found != "" || !strings.Contains(found, c.want) {
				t.Errorf("%s: %swant %q", c.name, found, c.want)
			}
		}
	}
}
