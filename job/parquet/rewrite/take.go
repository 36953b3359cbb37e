package rewrite

import (
	"context"
	"fmt"

	"assent/job/parquet"
)

// TakeRowGroup writes row group i as it was written before: as row group j of from, a file that a Writer of the same options made
// of row groups of the same file with the same selection. pages is what was counted then. The bytes are those that RowGroup
// writes; no page is decoded. Where the selection keeps no row, from has no such row group, and j has no meaning.
func (w *Writer) TakeRowGroup(ctx context.Context, i int, kept int64, from *parquet.File, j int, pages Pages) error {
	if w.err != nil {
		return w.err
	}
	rows := w.f.RowGroupRows(i)
	switch {
	case i != w.next:
		w.err = fmt.Errorf("%s: row group %d written where %d is next", w.f.Name(), i, w.next)
	case kept > 0 && (j >= from.NumRowGroups() || from.RowGroupRows(j) != kept):
		w.err = fmt.Errorf("%s: row group %d is not that of %d rows", from.Name(), j, kept)
	default:
		w.err = w.take(ctx, i, kept, from, j, pages)
	}
	if w.err == nil {
		w.result.RowsIn += rows
		w.result.RowsKept += kept
		w.result.Pages.add(pages)
	}
	return w.err
}

func (w *Writer) take(ctx context.Context, i int, kept int64, from *parquet.File, j int, pages Pages) error {
	w.next++
	if err := w.begin(); err != nil {
		return err
	}
	if kept == 0 {
		return ctx.Err()
	}
	in, err := w.f.RowGroup(i)
	if err != nil {
		return w.f.Fault(err, i, -1, -1)
	}
	// A writer that copies all of from, to the same output.
	copier := NewWriter(from, nil, Options{CPU: w.opts.CPU, Memory: w.opts.Memory})
	copier.out, copier.next = w.out, j
	if len(copier.layout.kept) != len(w.layout.kept) {
		return fmt.Errorf("%s: it has %d columns, not %d", from.Name(), len(copier.layout.kept), len(w.layout.kept))
	}
	err = copier.RowGroup(ctx, j, nil)
	w.out = copier.out
	if err != nil {
		return err
	}
	g := copier.groups[0]
	g.in, g.lost = in, kept < w.f.RowGroupRows(i)
	w.groups = append(w.groups, g)
	return nil
}
