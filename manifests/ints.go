package manifests

import (
	"io"
	"slices"

	"assent/job/parquet"
	"assent/job/parquet/table"
)

// intWriter writes a document of columns of integers, row by row.
type intWriter struct {
	file    *table.Writer
	columns [][]int64 // of the row group that is being gathered
}

const (
	intGroupRows = 1 << 20
	intPageRows  = 1 << 15
)

// newIntWriter returns a writer of a document whose rows are in the order of its first column.
func newIntWriter(w io.Writer, columns *table.Schema) *intWriter {
	out := &intWriter{file: table.NewWriter(columns, createdBy), columns: make([][]int64, columns.Leaves())}
	out.file.Reset(w)
	return out
}

// room makes room for so many rows more, as far as they are of one row group.
func (w *intWriter) room(rows int) {
	for i := range w.columns {
		w.columns[i] = slices.Grow(w.columns[i], min(rows, intGroupRows-len(w.columns[i])))
	}
}

func (w *intWriter) row(values ...int64) {
	if len(w.columns[0]) == intGroupRows {
		w.flush()
	}
	for i, v := range values {
		w.columns[i] = append(w.columns[i], v)
	}
}

// flush writes a row group. An error sticks to the file.
func (w *intWriter) flush() {
	rows := len(w.columns[0])
	if rows == 0 {
		return
	}
	w.file.BeginGroup()
	for leaf, values := range w.columns {
		c := w.file.Chunk(leaf)
		for len(values) > 0 {
			n := min(len(values), intPageRows)
			c.Page(&table.Page{Rows: n, Ints: values[:n]})
			values = values[n:]
		}
		c.End()
		w.columns[leaf] = w.columns[leaf][:0]
	}
	w.file.EndGroup(rows, 0)
}

func (w *intWriter) finish(keyValues []parquet.KeyValue) error {
	w.flush()
	return w.file.Finish(keyValues)
}

// readInts calls read for each row of a document of columns of integers. The row is valid until the next one.
func readInts(f *table.File, read func(row []int64) error) error {
	var row []int64
	var failed error
	err := f.ScanInts(func(columns [][]int64) error {
		row = slices.Grow(row[:0], len(columns))[:len(columns)]
		for i := range columns[0] {
			for k := range columns {
				row[k] = columns[k][i]
			}
			if failed = read(row); failed != nil {
				return failed
			}
		}
		return nil
	})
	if failed != nil {
		return failed
	}
	return damaged(err)
}
