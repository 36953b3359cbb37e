package rewrite

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/semaphore"

	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// Options say how a Writer works and what it adds.
type Options struct {
	CreatedBy string              // the writing application, for the footer
	KeyValues []parquet.KeyValue  // appended to the file's own key-value metadata
	CPU       *semaphore.Weighted // one unit is held while a task computes; nil: no limit. Shared by the files of a run
	Memory    *Budget             // nil: no limit. Shared by the files of a run

	// From and To say which row groups are written: from one up to, and without, another. To 0: up to the last one.
	From, To int

	// KeepMetadata are keys of the file's key-value metadata to keep although they may hold values of rows.
	KeepMetadata []string

	// Transforms change values of kept rows, by leaf (index of File.Columns). A leaf that has none is left as it is. BOOLEAN columns
	// cannot have one.
	Transforms map[int]Transform
	// Drop are leaves that are left out. Their chunks are not read, and nothing in the output names them.
	Drop []int

	encoding func() // for tests: see task
}

// A Result counts what a Writer did.
type Result struct {
	RowsIn, RowsKept int64
	Pages            Pages
	Bytes            int64  // written
	Schema           []byte // the list of schema elements as it stands in the footer: equal for files of equal columns
}

// Pages counts data pages of the input by what became of them.
type Pages struct {
	Copied   int64 // the body was copied as it was
	Filtered int64 // decoded and encoded again without dropped rows or dictionary entries
	Dropped  int64 // without a kept row
}

// A Writer writes a file without its dropped rows. It is not safe for concurrent use. After an error nothing more can be
// written, and what was written is not a file.
type Writer struct {
	f      *parquet.File
	out    parquet.Output
	opts   Options
	layout *layout
	err    error
	next   int
	groups []groupOut
	result Result
}

// A groupOut is a row group of the output, before its page index is written.
type groupOut struct {
	in      thrift.Struct
	lost    bool
	rows    int64
	start   int64
	rawSize int64
	size    int64
	chunks  []parquet.WrittenChunk
	taken   *parquet.MovedGroup // of an earlier output; then but for in and chunks nothing else is set
}

// NewWriter returns a writer of f without some of its rows to w, which is written in sequence. If columns cannot be dropped or
// changed as the options have it, every call fails.
func NewWriter(f *parquet.File, w io.Writer, opts Options) *Writer {
	out := &Writer{f: f, out: parquet.Output{W: w}, opts: opts}
	if out.layout, out.err = newLayout(f, &out.opts); out.err == nil {
		out.err = opts.checkGroups(f)
	}
	if out.next = opts.From; opts.To == 0 {
		out.opts.To = f.NumRowGroups()
	}
	return out
}

// RowGroup writes row group i without the rows that sel drops; a nil selection keeps all rows. Row groups are written in
// order, from Options.From, and none may be left out. sel is only read, and not after the return.
func (w *Writer) RowGroup(ctx context.Context, i int, sel *Selection) error {
	if w.err != nil {
		return w.err
	}
	rows := w.f.RowGroupRows(i)
	switch {
	case i != w.next:
		w.err = fmt.Errorf("%s: row group %d written where %d is next", w.f.Name(), i, w.next)
	case sel != nil && sel.rows != rows:
		w.err = fmt.Errorf("%s: a selection of %d rows for the %d of row group %d", w.f.Name(), sel.rows, rows, i)
	default:
		w.err = w.rowGroup(ctx, i, sel)
	}
	return w.err
}

func (w *Writer) rowGroup(ctx context.Context, i int, sel *Selection) error {
	rows := w.f.RowGroupRows(i)
	w.next++
	w.result.RowsIn += rows
	if err := w.begin(); err != nil {
		return err
	}
	if sel == nil {
		sel = NewSelection(rows)
		sel.KeepRange(0, rows)
	}
	w.result.RowsKept += sel.count
	if sel.count == 0 {
		return ctx.Err()
	}
	in, err := w.f.RowGroup(i)
	if err != nil {
		return w.f.Fault(err, i, -1, -1)
	}
	job, err := w.newGroupJob(i, sel)
	if err != nil {
		return err
	}
	defer job.release()
	start := w.out.Size
	if err := job.run(ctx); err != nil {
		return err
	}
	g, err := job.collect(in, start)
	if err == nil {
		err = job.blooms(&g)
	}
	if err != nil {
		return w.f.Fault(err, i, -1, -1)
	}
	w.groups = append(w.groups, g)
	return nil
}

// begin writes the beginning of the file, if that is not done.
func (w *Writer) begin() error {
	if w.out.Size > 0 {
		return nil
	}
	return w.out.Begin()
}

// Close writes the page index and the footer. All row groups must have been written.
func (w *Writer) Close() (Result, error) {
	if w.err != nil {
		return Result{}, w.err
	}
	if w.next != w.opts.To {
		w.err = fmt.Errorf("%s: closed after row group %d of %d", w.f.Name(), w.next, w.opts.To)
		return Result{}, w.err
	}
	if w.err = w.finish(); w.err != nil {
		return Result{}, w.err
	}
	w.err = errClosed
	w.result.Bytes = w.out.Size
	return w.result, nil
}

var errClosed = errors.New("closed")

func (w *Writer) finish() error {
	if err := w.begin(); err != nil {
		return err
	}
	var chunks []*parquet.WrittenChunk
	for i := range w.groups {
		for j := range w.groups[i].chunks {
			chunks = append(chunks, &w.groups[i].chunks[j])
		}
	}
	err := w.out.Finish(chunks, w.footer)
	if errors.Is(err, parquet.ErrUnsupported) {
		err = w.f.Fault(err, -1, -1, -1)
	}
	return err
}
