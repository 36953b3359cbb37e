package sample

import (
	"io"
	"math"
	"reflect"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"assent/job/internal/leafwriter"
)

// runRows is how many rows are gathered before their bytes are used again.
const (
	runRows    = 512
	reportRows = 4 * runRows
)

// table writes rows of one Go type to a file. The tags of the type say all of the
// file's schema: names, types, encodings, and what may be null.
type table struct {
	schema   *parquet.Schema
	file     *leafwriter.Writer
	row      parquet.Row
	text     []byte                 // of the values that the file does not have yet
	rows     int64                  // in all
	progress func(rows int64) error // told of rows written; its error ends the table
}

// newTable returns a table of rows of the type of p.row. A file of p.rows rows has three
// row groups at least. Files of events differ from the rest in what a writer may choose.
func newTable(out io.Writer, p part, progress func(int64) error) *table {
	options := []parquet.WriterOption{parquet.CreatedBy("assent sample", "1.0.0", "parquet-go"), parquet.DictionaryMaxBytes(1 << 20)}
	if _, events := p.row.(*eventRow); events {
		options = append(options, parquet.DataPageVersion(2), parquet.DataPageStatistics(true), parquet.Compression(portableSnappy{new(snappy.Codec)}))
	} else {
		options = append(options, parquet.DataPageVersion(1), parquet.DataPageStatistics(false), parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}))
	}
	if p.asOf != "" {
		options = append(options, parquet.KeyValueMetadata("assent.as_of", p.asOf))
	}
	layout := leafwriter.Layout{GroupRows: min(max((p.rows+2)/3, 1), 128<<10), PageRows: 20_000, PageBytes: 1 << 20}
	schema := parquet.SchemaOf(p.row)
	return &table{
		schema:   schema,
		file:     leafwriter.New(out, parquet.NewSchema("schema", fileSchema{schema}), layout, options...),
		progress: progress,
	}
}

// add appends a row. It keeps nothing of it.
func (t *table) add(row any) error {
	t.row = t.schema.Deconstruct(t.row[:0], row)
	for _, v := range t.row {
		t.file.Leaves[v.Column()].Add(t.keep(v))
	}
	for _, leaf := range t.file.Leaves {
		if err := leaf.EndRow(); err != nil {
			return err
		}
	}
	t.rows++
	if err := t.file.EndRows(1); err != nil {
		return err
	}
	if t.rows%runRows == 0 {
		if err := t.file.EndRuns(); err != nil {
			return err
		}
		t.text = t.text[:0]
	}
	if t.rows%reportRows == 0 {
		return t.progress(reportRows)
	}
	return nil
}

// keep returns a value with bytes of the table's own.
func (t *table) keep(v parquet.Value) parquet.Value {
	if v.Kind() != parquet.ByteArray {
		return v
	}
	from := len(t.text)
	t.text = append(t.text, v.ByteArray()...)
	return parquet.ByteArrayValue(t.text[from:]).Level(v.RepetitionLevel(), v.DefinitionLevel(), v.Column())
}

func (t *table) close() error {
	if err := t.file.Close(); err != nil {
		return err
	}
	return t.progress(t.rows % reportRows)
}

// texts and pairs have the form of Parquet's lists and maps. The library would write a
// slice's nulls as empty texts, and a Go map in an order that changes from run to run.
type (
	texts struct {
		List []text `parquet:"list"`
	}
	text struct {
		Element []byte `parquet:"element,string,dict,optional"`
	}
	pairs struct {
		Pairs []pair `parquet:"key_value"`
	}
	pair struct {
		Key   string `parquet:"key,dict"`
		Value []byte `parquet:"value,string,plain,optional"`
	}
)

// fileSchema is the schema of a row's type with its texts and pairs declared as what
// they are.
type fileSchema struct{ *parquet.Schema }

func (s fileSchema) Fields() []parquet.Field { return declared(s.Schema.Fields()) }

type fileField struct{ parquet.Field }

func (f fileField) Fields() []parquet.Field { return declared(f.Field.Fields()) }

func (f fileField) Type() parquet.Type {
	switch f.GoType() {
	case reflect.TypeFor[*texts]():
		return parquet.List(parquet.String()).Type()
	case reflect.TypeFor[*pairs]():
		return parquet.Map(parquet.String(), parquet.String()).Type()
	}
	return f.Field.Type()
}

func declared(fields []parquet.Field) []parquet.Field {
	fields = slices.Clone(fields)
	for i, f := range fields {
		fields[i] = fileField{f}
	}
	return fields
}

// portableSnappy compresses as snappy does, but with the one encoder that is the
// same code on every processor.
type portableSnappy struct{ *snappy.Codec }

func (portableSnappy) Encode(dst, src []byte) ([]byte, error) {
	return s2.EncodeSnappyBest(dst[:cap(dst)], src), nil
}

// none is the null of instants that are numbers; as fields of rows they are pointers.
const none = math.MinInt64

func nullable(at int64) *int64 {
	if at == none {
		return nil
	}
	return &at
}
