package run

import (
	"slices"

	"assent/job/internal/source"
)

// Of a file in a place that answers late, a row group's bytes are asked for before they are
// needed: the keys of the next while one is decided, all other columns once it is known
// that the row group keeps rows.

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
	source.Announce(w.ahead, w.file, group, wanted)
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
