package sample

import (
	"io"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"assent/job/internal/arrowparquet"
)

// batchRows is how many rows are gathered before they are shredded.
const batchRows = 2048

// table takes rows, value by value, and writes them to a file. The builders in
// fields are the schema's; row ends a row.
type table struct {
	builder  *array.RecordBuilder
	writer   *arrowparquet.Writer
	pending  int
	rows     int64
	progress func(rows int64) error // told of rows written; its error ends the table
}

func newTable(out io.Writer, schema *arrow.Schema, o arrowparquet.Options, progress func(int64) error) (*table, error) {
	w, err := arrowparquet.NewWriter(out, schema, o)
	if err != nil {
		return nil, err
	}
	return &table{
		builder:  array.NewRecordBuilder(memory.NewGoAllocator(), schema),
		writer:   w,
		progress: progress,
	}, nil
}

// row ends a row.
func (t *table) row() error {
	t.pending++
	if t.pending < batchRows {
		return nil
	}
	return t.flush()
}

func (t *table) flush() error {
	if t.pending == 0 {
		return nil
	}
	batch := t.builder.NewRecord()
	defer batch.Release()
	if err := t.writer.Write(batch); err != nil {
		return err
	}
	n := int64(t.pending)
	t.rows += n
	t.pending = 0
	return t.progress(n)
}

func (t *table) close() error {
	defer t.builder.Release()
	if err := t.flush(); err != nil {
		return err
	}
	return t.writer.Close()
}

// field returns the builder of a column.
func field[B array.Builder](t *table, i int) B { return t.builder.Field(i).(B) }

type textColumn struct{ *array.StringBuilder }

func text(t *table, i int) textColumn { return textColumn{field[*array.StringBuilder](t, i)} }

// put appends a value; nil is null.
func (c textColumn) put(s []byte) {
	if s == nil {
		c.AppendNull()
		return
	}
	c.BinaryBuilder.Append(s)
}

// none is the null of instants.
const none = math.MinInt64

type timeColumn struct{ *array.TimestampBuilder }

func instants(t *table, i int) timeColumn { return timeColumn{field[*array.TimestampBuilder](t, i)} }

func (c timeColumn) put(at int64) {
	if at == none {
		c.AppendNull()
		return
	}
	c.Append(arrow.Timestamp(at))
}

// goldenText is a golden row's value, goldenInstant a golden row's moment in the
// unit that convert gives it.
func goldenText(s string) []byte {
	if s == null {
		return nil
	}
	return []byte(s)
}

func goldenInstant(s string, convert func(string) int64) int64 {
	if s == null || s == "" {
		return none
	}
	return convert(s)
}
