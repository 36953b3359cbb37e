// Package leafwriter writes a Parquet file from the values of its leaves. The values
// have their repetition and definition levels already; parquet-go encodes them, and
// this package says where pages and row groups end.
//
//   - leaf: a primitive column of the schema.
//   - run: some values of a leaf that are gathered before the library gets them.
//   - page: the unit of encoding and compression; ends at a row.
package leafwriter

import (
	"io"

	"github.com/parquet-go/parquet-go"
)

// Layout says how large row groups and pages become. All limits are above 0.
type Layout struct {
	GroupRows int64 // rows at which a row group ends
	PageRows  int   // rows at which a page ends
	PageBytes int   // plain size of its values at which a page ends; an entry of a dictionary counts as 4 bytes

	// GroupBytes is the plain size of its pages from which on a row group ends, wherever EndRows is called next; 0: it has none.
	GroupBytes int
}

// runValues is long enough to spread the cost of a call, short enough to stay in a cache.
const runValues = 512

// Writer writes one file. It holds the encoded pages of a row group, and no more, in
// memory. It is for one goroutine, and of no use after an error.
type Writer struct {
	Leaves []*Leaf // in the order of the schema
	file   *parquet.GenericWriter[any]
	layout Layout
	rows   int64 // in the row group so far
	bytes  int   // of its pages that are encoded
}

// Leaf takes the values of one leaf.
type Leaf struct {
	of          *Writer
	writer      *parquet.ColumnWriter
	dictionary  bool
	run         []parquet.Value
	bytes, rows int // of the page so far
}

// New returns a writer of a file to out, which it does not close.
func New(out io.Writer, schema *parquet.Schema, layout Layout, options ...parquet.WriterOption) *Writer {
	w := &Writer{layout: layout}
	w.file = parquet.NewGenericWriter[any](out, append(options, schema,
		// The library's own limit counts its bookkeeping too, up to 13 bytes a value;
		// keep it out of reach.
		parquet.PageBufferSize(4*layout.PageBytes+16*layout.PageRows))...)
	for i, path := range schema.Columns() {
		leaf, _ := schema.Lookup(path...)
		w.Leaves = append(w.Leaves, &Leaf{
			of: w, writer: w.file.ColumnWriters()[i], dictionary: leaf.Node.Encoding() == &parquet.RLEDictionary,
		})
	}
	return w
}

// Room returns how many rows the row group still takes: 1 at least.
func (w *Writer) Room() int64 { return w.layout.GroupRows - w.rows }

// EndRows counts rows that every leaf has the values of: no more than there is room for.
func (w *Writer) EndRows(n int64) error {
	w.rows += n
	if w.rows >= w.layout.GroupRows || w.layout.GroupBytes > 0 && w.bytes >= w.layout.GroupBytes {
		return w.endGroup()
	}
	return nil
}

// EndRuns gives the library all values, so that what they point to can be used again.
func (w *Writer) EndRuns() error {
	for _, l := range w.Leaves {
		if err := l.EndRun(); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) endGroup() error {
	w.rows, w.bytes = 0, 0
	for _, l := range w.Leaves {
		if err := l.endPage(); err != nil {
			return err
		}
	}
	return w.file.Flush()
}

// Close writes the last row group and the footer. A file without rows is a valid one,
// without row groups.
func (w *Writer) Close() error {
	if err := w.endGroup(); err != nil {
		return err
	}
	return w.file.Close()
}

// Add appends a value, which must have its levels and the leaf's number. What it points
// to must not change before its run ends.
func (l *Leaf) Add(v parquet.Value) {
	l.run = append(l.run, v)
	switch {
	case v.IsNull():
	case l.dictionary:
		l.bytes += 4
	default:
		l.bytes += plainSize(v)
	}
}

func plainSize(v parquet.Value) int {
	switch v.Kind() {
	case parquet.Boolean:
		return 1
	case parquet.Int32, parquet.Float:
		return 4
	case parquet.Int64, parquet.Double:
		return 8
	case parquet.ByteArray:
		return 4 + len(v.ByteArray())
	}
	return len(v.ByteArray()) // of fixed length
}

// EndRow ends a row of the leaf, and its run and its page where they are full.
func (l *Leaf) EndRow() error {
	l.rows++
	switch {
	case l.rows >= l.of.layout.PageRows, l.bytes >= l.of.layout.PageBytes:
		return l.endPage()
	case len(l.run) >= runValues:
		return l.EndRun()
	}
	return nil
}

// EndRun gives the library the leaf's values.
func (l *Leaf) EndRun() error {
	if len(l.run) == 0 {
		return nil
	}
	_, err := l.writer.WriteRowValues(l.run)
	clear(l.run)
	l.run = l.run[:0]
	return err
}

func (l *Leaf) endPage() error {
	if err := l.EndRun(); err != nil {
		return err
	}
	l.of.bytes += l.bytes
	l.bytes, l.rows = 0, 0
	return l.writer.Flush()
}
