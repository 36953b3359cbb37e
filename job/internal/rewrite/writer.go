package rewrite

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/semaphore"
)

// Options say how a Writer works and what it adds.
type Options struct {
	CreatedBy string              // the writing application, for the footer
	KeyValues []KeyValue          // appended to the file's own key-value metadata
	CPU       *semaphore.Weighted // one unit is held while a task computes; nil: no limit. Shared by the files of a run
	Memory    *Budget             // nil: no limit. Shared by the files of a run
}

// A Result counts what a Writer did.
type Result struct {
	RowsIn, RowsKept int64
	Pages            Pages
	Bytes            int64 // written
}

// Pages counts data pages of the input by what became of them.
type Pages struct {
	Copied   int64 // body copied as it was
	Filtered int64 // decoded and encoded again, without their dropped rows
	Dropped  int64 // without a kept row
}

// A Writer writes a file without its dropped rows. It is not safe for concurrent use.
type Writer struct {
	f    *File
	w    io.Writer
	opts Options
}

// NewWriter returns a writer of f without some of its rows to w, which is written in sequence.
func (f *File) NewWriter(w io.Writer, opts Options) *Writer {
	return &Writer{f: f, w: w, opts: opts}
}

// RowGroup writes row group i without the rows that sel drops; a nil selection keeps all rows. Row groups are written in
// order, from 0, and none may be left out.
func (w *Writer) RowGroup(ctx context.Context, i int, sel *Selection) error {
	return errors.ErrUnsupported
}

// Close writes indexes and footer.
func (w *Writer) Close() (Result, error) {
	return Result{}, errors.ErrUnsupported
}
