package rewrite

import (
	"context"
	"fmt"

	"assent/job/parquet"
)

// Take writes row groups up to, and without, another as they were written before: as the row groups first to end, without end,
// of from, a file that a Writer of the same options made of the same file with the same selections. pages is what was counted then.
// The bytes are those that RowGroup writes, if those of from are as they were written: pages are moved as they are, and not looked at.
func (w *Writer) Take(ctx context.Context, to int, from *parquet.File, first, end int, pages Pages) error {
	if w.err == nil && (to <= w.next || to > w.opts.To || first < 0 || first > end || end > from.NumRowGroups() || len(from.Columns()) != len(w.layout.kept)) {
		w.err = fmt.Errorf("%s: its row groups %d to %d are not those up to row group %d of %s", from.Name(), first, end, to, w.f.Name())
	}
	if w.err == nil {
		w.err = w.begin()
	}
	for j := first; j < end && w.err == nil; j++ {
		if w.err = ctx.Err(); w.err == nil {
			w.err = w.take(from, j)
		}
	}
	if w.err != nil {
		return w.err
	}
	for ; w.next < to; w.next++ {
		w.result.RowsIn += w.f.RowGroupRows(w.next)
	}
	w.result.Pages.add(pages)
	return nil
}

func (w *Writer) take(from *parquet.File, j int) error {
	in, err := w.f.RowGroup(w.next)
	if err != nil {
		return w.f.Fault(err, w.next, -1, -1)
	}
	g, err := w.out.Take(from, j)
	if err != nil {
		return from.Fault(err, j, -1, -1)
	}
	w.groups = append(w.groups, groupOut{in: in, chunks: g.Chunks, taken: g})
	w.result.RowsKept += from.RowGroupRows(j)
	return nil
}

// Written returns how many row groups there are in the output so far, and what became of the pages of the input.
func (w *Writer) Written() (groups int, pages Pages) { return len(w.groups), w.result.Pages }
