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
)

// A page ends at so many rows, or at so many bytes of plain values.
const (
	pageRows  = 20_000
	pageBytes = 1 << 20
)

const (
	dictionaryBytes = 1 << 20 // a column chunk goes on with plain pages beyond
	runRows         = 512     // rows gathered before their values go to the writer
	reportRows      = 4 * runRows
)

// table writes rows of one Go type to a file. The tags of the type say all of the
// file's schema: names, types, encodings, and what may be null.
type table struct {
	schema    *parquet.Schema
	writer    *parquet.GenericWriter[any]
	columns   []column
	row       parquet.Row
	text      []byte                 // of the values that the writer does not have yet
	rows      int64                  // in all
	groupRows int64                  // in each row group but the last
	progress  func(rows int64) error // told of rows written; its error ends the table
}

// column is one leaf of the schema.
type column struct {
	writer      *parquet.ColumnWriter
	dictionary  bool
	values      []parquet.Value // of the run
	bytes, rows int             // of the page so far
}

// newTable returns a table of rows of row's type. A file of rows rows has three row
// groups at least. Files of events differ from the rest in what a writer may choose.
func newTable(out io.Writer, p part, progress func(int64) error) *table {
	t := &table{schema: parquet.SchemaOf(p.row), groupRows: min(max((p.rows+2)/3, 1), 128<<10), progress: progress}
	options := []parquet.WriterOption{
		parquet.NewSchema("schema", fileSchema{t.schema}),
		parquet.CreatedBy("assent sample", "1.0.0", "parquet-go"),
		parquet.DictionaryMaxBytes(dictionaryBytes),
		// The table ends the pages. The library's own limit counts its bookkeeping too,
		// up to 13 bytes a value; keep it out of reach.
		parquet.PageBufferSize(4*pageBytes + 16*pageRows),
	}
	if _, events := p.row.(*eventRow); events {
		options = append(options, parquet.DataPageVersion(2), parquet.DataPageStatistics(true), parquet.Compression(portableSnappy{new(snappy.Codec)}))
	} else {
		options = append(options, parquet.DataPageVersion(1), parquet.DataPageStatistics(false), parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}))
	}
	if p.asOf != "" {
		options = append(options, parquet.KeyValueMetadata("assent.as_of", p.asOf))
	}
	t.writer = parquet.NewGenericWriter[any](out, options...)
	for i, path := range t.schema.Columns() {
		leaf, _ := t.schema.Lookup(path...)
		t.columns = append(t.columns, column{writer: t.writer.ColumnWriters()[i], dictionary: leaf.Node.Encoding() == &parquet.RLEDictionary})
	}
	return t
}

// add appends a row. It keeps nothing of it.
func (t *table) add(row any) error {
	t.row = t.schema.Deconstruct(t.row[:0], row)
	for _, v := range t.row {
		t.columns[v.Column()].add(t.keep(v))
	}
	t.rows++
	for i := range t.columns {
		c := &t.columns[i]
		if c.rows++; c.rows == pageRows || c.bytes >= pageBytes {
			if err := c.endPage(); err != nil {
				return err
			}
		}
	}
	if t.rows%t.groupRows == 0 {
		if err := t.endGroup(); err != nil {
			return err
		}
	}
	if t.rows%runRows == 0 {
		if err := t.endRun(); err != nil {
			return err
		}
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

func (t *table) endRun() error {
	for i := range t.columns {
		if err := t.columns[i].endRun(); err != nil {
			return err
		}
	}
	t.text = t.text[:0]
	return nil
}

func (t *table) endGroup() error {
	for i := range t.columns {
		if err := t.columns[i].endPage(); err != nil {
			return err
		}
	}
	return t.writer.Flush()
}

// close writes the last row group and the footer. A file without rows has no row group.
func (t *table) close() error {
	if err := t.endGroup(); err != nil {
		return err
	}
	if err := t.writer.Close(); err != nil {
		return err
	}
	return t.progress(t.rows % reportRows)
}

func (c *column) add(v parquet.Value) {
	c.values = append(c.values, v)
	switch {
	case v.IsNull():
	case c.dictionary:
		c.bytes += 4
	case v.Kind() == parquet.ByteArray:
		c.bytes += 4 + len(v.ByteArray())
	case v.Kind() == parquet.Int64:
		c.bytes += 8
	case v.Kind() == parquet.Int32:
		c.bytes += 4
	default:
		c.bytes++
	}
}

func (c *column) endRun() error {
	if len(c.values) == 0 {
		return nil
	}
	_, err := c.writer.WriteRowValues(c.values)
	c.values = c.values[:0]
	return err
}

func (c *column) endPage() error {
	if err := c.endRun(); err != nil {
		return err
	}
	c.bytes, c.rows = 0, 0
	return c.writer.Flush()
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
