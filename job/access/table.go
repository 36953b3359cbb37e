package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/csv"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"assent/job/internal/arrowparquet"
	"assent/schema"
)

// Format is how tables are written.
type Format string

// The formats. CSV has no types: instants are RFC 3339, lists and structs JSON, bytes
// base64, and a null looks like an empty text.
const (
	Parquet Format = "parquet"
	CSV     Format = "csv"
	JSONL   Format = "jsonl"
)

// ParseFormat is the inverse of Format's text; "" is Parquet.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case "":
		return Parquet, nil
	case Parquet, CSV, JSONL:
		return f, nil
	}
	return "", fmt.Errorf("format %q is not parquet, csv or jsonl", s)
}

// Table is a file of records that is being written.
type Table struct {
	file  *File
	rows  int64
	write func(arrow.Record) error
	close func() error
}

// NewTable begins a table; name has no extension.
func (d *Dir) NewTable(name string, format Format, s *arrow.Schema) (*Table, error) {
	f, err := d.Create(name + "." + string(format))
	if err != nil {
		return nil, err
	}
	t := &Table{file: f, close: func() error { return nil }}
	switch format {
	case CSV:
		t.write, err = csvWriter(f, s)
	case JSONL:
		t.write = func(r arrow.Record) error { return array.RecordToJSON(r, f) }
	default:
		var w *arrowparquet.Writer
		if w, err = arrowparquet.NewWriter(f, s, arrowparquet.Options{}); err == nil {
			t.write, t.close = w.Write, w.Close
		}
	}
	return t, err
}

// Write appends records. It keeps no reference to them.
func (t *Table) Write(r arrow.Record) error {
	t.rows += r.NumRows()
	return t.write(r)
}

// Close ends the table.
func (t *Table) Close() error {
	if err := t.close(); err != nil {
		return err
	}
	return t.file.Close(&t.rows)
}

// csvWriter writes records through Arrow's writer, but as texts: it has no structs, and
// rounds decimals.
func csvWriter(w io.Writer, s *arrow.Schema) (func(arrow.Record) error, error) {
	var fields []arrow.Field
	for _, f := range s.Fields() {
		fields = append(fields, arrow.Field{Name: f.Name, Type: arrow.BinaryTypes.String, Nullable: true})
	}
	texts := arrow.NewSchema(fields, nil)
	out := csv.NewWriter(w, texts, csv.WithHeader(true), csv.WithNullWriter(""))
	write := func(r arrow.Record) error {
		b := array.NewRecordBuilder(memory.DefaultAllocator, texts)
		defer b.Release()
		for c, column := range r.Columns() {
			for i := range column.Len() {
				text, err := textOf(column, i)
				if err != nil {
					return fmt.Errorf("%s: %w", fields[c].Name, err)
				}
				b.Field(c).(*array.StringBuilder).Append(text)
			}
		}
		record := b.NewRecord()
		defer record.Release()
		return out.Write(record)
	}
	empty := array.NewRecord(s, emptyColumns(s), 0)
	defer empty.Release()
	return write, write(empty) // the header, also where no record follows
}

func emptyColumns(s *arrow.Schema) []arrow.Array {
	var columns []arrow.Array
	for _, f := range s.Fields() {
		b := array.NewBuilder(memory.DefaultAllocator, f.Type)
		defer b.Release()
		columns = append(columns, b.NewArray())
	}
	return columns
}

func textOf(a arrow.Array, i int) (string, error) {
	if a.IsNull(i) {
		return "", nil
	}
	switch a := a.(type) {
	case *array.List, *array.Struct:
		data, err := json.Marshal(a.GetOneForMarshal(i))
		return string(data), err
	case *array.Timestamp:
		t := a.DataType().(*arrow.TimestampType)
		layout := "2006-01-02T15:04:05.999999999"
		if t.TimeZone != "" {
			layout = time.RFC3339Nano
		}
		return a.Value(i).ToTime(t.Unit).Format(layout), nil
	}
	return a.ValueStr(i), nil
}

// Columns of the lists of records.
var (
	recordColumns = []arrow.Field{
		{Name: "record_id", Type: arrow.BinaryTypes.String},
		{Name: "time", Type: arrow.FixedWidthTypes.Timestamp_ns, Nullable: true},
		{Name: "data_set", Type: arrow.BinaryTypes.String},
	}
	usedSchema = arrow.NewSchema(append(recordColumns[:3:3],
		arrow.Field{Name: "content", Type: arrow.FixedWidthTypes.Boolean}), nil)
	notUsedSchema = arrow.NewSchema(append(recordColumns[:3:3],
		arrow.Field{Name: "reason", Type: arrow.BinaryTypes.String}, arrow.Field{Name: "because", Type: arrow.BinaryTypes.String}), nil)
)

// Lists writes the two lists of records.
type Lists struct {
	used, notUsed list
}

// list is a table that is filled row by row.
type list struct {
	table   *Table
	builder *array.RecordBuilder
	rows    int
}

// NewLists begins the lists used and not_used.
func (d *Dir) NewLists(format Format) (*Lists, error) {
	used, err := d.NewTable("used", format, usedSchema)
	if err != nil {
		return nil, err
	}
	notUsed, err := d.NewTable("not_used", format, notUsedSchema)
	if err != nil {
		return nil, err
	}
	return &Lists{
		list{table: used, builder: array.NewRecordBuilder(memory.DefaultAllocator, usedSchema)},
		list{table: notUsed, builder: array.NewRecordBuilder(memory.DefaultAllocator, notUsedSchema)},
	}, nil
}

// Used appends a record to its list.
func (l *Lists) Used(r Used) error {
	l.used.record(r.Record, r.Time, r.Dataset)
	l.used.builder.Field(3).(*array.BooleanBuilder).Append(r.Content)
	return l.used.flush(flushRows)
}

// NotUsed appends a record to its list.
func (l *Lists) NotUsed(r NotUsed) error {
	l.notUsed.record(r.Record, r.Time, r.Dataset)
	l.notUsed.builder.Field(3).(*array.StringBuilder).Append(string(r.Reason))
	l.notUsed.builder.Field(4).(*array.StringBuilder).Append(r.Reason.Because())
	return l.notUsed.flush(flushRows)
}

// Close ends both lists.
func (l *Lists) Close() error { return errors.Join(l.used.close(), l.notUsed.close()) }

const flushRows = 8192

func (l *list) record(id string, at schema.Instant, dataset string) {
	l.builder.Field(0).(*array.StringBuilder).Append(id)
	if at == schema.Unknown {
		l.builder.Field(1).AppendNull()
	} else {
		l.builder.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(at))
	}
	l.builder.Field(2).(*array.StringBuilder).Append(dataset)
	l.rows++
}

func (l *list) flush(least int) error {
	if l.rows < least {
		return nil
	}
	l.rows = 0
	r := l.builder.NewRecord()
	defer r.Release()
	return l.table.Write(r)
}

func (l *list) close() error {
	defer l.builder.Release()
	if err := l.flush(1); err != nil {
		return err
	}
	return l.table.Close()
}
