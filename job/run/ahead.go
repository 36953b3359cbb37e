package run

import (
	"cmp"
	"slices"

	"assent/job/internal/source"
	"assent/job/parquet"
)

// Of a file in a place that answers late, a row group's bytes are asked for before they are
// needed: the keys of the next while one is decided, all other columns once it is known
// that the row group keeps rows.

// nearby is the bytes that may lie between two chunks that are asked for together.
const nearby = 256 << 10

// announceKeys asks for the key columns of a row group.
func (w *fileWork) announceKeys(group int) {
	w.announce(group, func(leaf int) bool {
		return slices.ContainsFunc(w.bound.Columns, func(c source.KeyColumn) bool { return c.Leaf == leaf })
	})
}

// announceRows asks for all columns of a row group that are handed over.
func (w *fileWork) announceRows(group int) {
	w.announce(group, func(leaf int) bool { return !slices.Contains(w.handed.Drop, leaf) })
}

func (w *fileWork) announce(group int, wanted func(leaf int) bool) {
	if w.ahead == nil || group >= w.piece.To {
		return
	}
	chunks, err := w.file.Chunks(group)
	if err != nil {
		return // whoever reads it says so
	}
	chunks = slices.DeleteFunc(slices.Clone(chunks), func(c parquet.Chunk) bool { return !wanted(c.Column) })
	slices.SortFunc(chunks, func(a, b parquet.Chunk) int { return cmp.Compare(a.Start, b.Start) })
	for i := 0; i < len(chunks); {
		from, to := chunks[i].Start, chunks[i].End
		for i++; i < len(chunks) && chunks[i].Start-to <= nearby; i++ {
			to = max(to, chunks[i].End)
		}
		w.ahead.WillRead(from, to)
	}
}

// passed says that a row group is done with.
func (w *fileWork) passed(group int) {
	if w.ahead == nil {
		return
	}
	if chunks, err := w.file.Chunks(group); err == nil {
		var end int64
		for _, c := range chunks {
			end = max(end, c.End)
		}
		w.ahead.Passed(end)
	}
}
