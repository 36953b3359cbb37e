package access

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"assent/job/internal/arrowparquet"
	"assent/job/plain"
	"assent/schema"
)

// Format is how tables are written.
type Format string

// The formats. CSV has no types: instants are RFC 3339, lists and structs JSON, bytes
// base64, and a null looks like an empty text. Cells that a spreadsheet would take for a
// formula have an apostrophe before them, unless raw cells are asked for.
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

// rowGroupBytes is the plain size at which a row group of a Parquet table ends: its pages are in memory until then.
const rowGroupBytes = 64 << 20

// largeCodec compresses large pages into memory of just the size that they may take, and has what was let go before given back first.
// Else such memory grows step by step, and garbage of that size beside it.
type largeCodec struct{ *zstd.Codec }

func (c largeCodec) Encode(dst, src []byte) ([]byte, error) {
	const large = 16 << 20
	if most := len(src) + len(src)>>8 + 64; len(src) >= large && cap(dst) < most {
		debug.FreeOSMemory()
		dst = make([]byte, 0, most)
	}
	return c.Codec.Encode(dst, src)
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
		t.write, err = csvWriter(f, s, d.RawCSV)
	case JSONL:
		t.write = func(r arrow.Record) error { return writeJSON(f, r) }
	default:
		var w *arrowparquet.Writer
		if w, err = arrowparquet.NewWriter(f, s, arrowparquet.Options{Codec: largeCodec{&d.codec}, RowGroupBytes: rowGroupBytes, ShortBounds: true}); err == nil {
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

// csvWriter writes the header, and returns what writes records.
func csvWriter(w io.Writer, s *arrow.Schema, raw bool) (func(arrow.Record) error, error) {
	out := csv.NewWriter(w)
	row := make([]string, s.NumFields())
	line := func(text func(column int) (string, error)) error {
		for i := range row {
			cell, err := text(i)
			if err != nil {
				return fmt.Errorf("%s: %w", s.Field(i).Name, err)
			}
			if !raw {
				cell = plain.Cell(cell)
			}
			row[i] = cell
		}
		return out.Write(row)
	}
	write := func(r arrow.Record) error {
		for i := range int(r.NumRows()) {
			if err := line(func(column int) (string, error) { return textOf(r.Column(column), i) }); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	}
	err := line(func(column int) (string, error) { return s.Field(column).Name, nil })
	out.Flush()
	return write, errors.Join(err, out.Error())
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
