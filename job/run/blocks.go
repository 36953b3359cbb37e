package run

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// What becomes of a block does not depend on the rows before it: each of the three outputs begins a row group there. So a later
// run can take the row groups of a block over, where nothing in it is decided otherwise.

// block is some row groups of the file, see [source.Blocks].
type block struct {
	from, to    int
	first, rows int64       // counted from 0 in the file
	taken       *TakenBlock // nil: it is decided anew
	touched     *TakenBlock // of which the data may be taken over, or is, where it is decided anew; nil: it is not
	redone      bool        // its data was to be taken over, but is lost: it is rewritten
	facts       manifests.BlockFacts
}

// earlier is what the block was in the earlier run; nil where nothing of it is taken over.
func (b *block) earlier() *TakenBlock { return cmp.Or(b.taken, b.touched) }

// decided is a row group whose rows are decided, or a block whose data is taken over.
type decided struct {
	block *block
	group int
	sel   *rewrite.Selection // nil: the data of the block is taken over
}

// findBlocks finds the piece's blocks, and what is to be taken over of them.
func (w *fileWork) findBlocks(ctx context.Context) error {
	starts, row := source.Blocks(w.file, w.piece.From, w.piece.To, w.plan.BlockRows), w.piece.First
	for i, from := range starts[:len(starts)-1] {
		b := block{from: from, to: starts[i+1], first: row}
		for g := b.from; g < b.to; g++ {
			b.rows += w.file.RowGroupRows(g)
		}
		row += b.rows
		w.blocks = append(w.blocks, b)
	}
	part := w.d.Reuse.part(w.in.Rel)
	if part == nil || w.stage == nil {
		return nil
	}
	some := false
	for i := range w.blocks {
		b := &w.blocks[i]
		b.taken, b.touched = findBlock(part.Blocks, b.from), findBlock(part.Touched, b.from)
		was := b.earlier()
		if was == nil {
			continue
		}
		if some = true; was.Facts.To != b.to || was.Facts.Rows != b.rows {
			return fmt.Errorf("%s: the plan takes over row groups that the file does not have", w.uri())
		}
	}
	if !some {
		return nil
	}
	earlier, err := w.openEarlier(ctx)
	if err != nil && publish.Damaged(err) {
		w.Log.Warn("the earlier run is not as it was published, so row groups are not taken over from it but done anew", "dataset", w.d.Name, "file", w.in.Rel, "error", err)
		return nil
	}
	w.earlier = earlier
	return err
}

// takes reports whether a block is taken over: the plan says so, and what the earlier run made is as it was published.
func (w *fileWork) takes(b *block) bool { return b.taken != nil && w.earlier != nil }

// decideAll decides all row groups in order and hands on each one's selection. Blocks that are taken over are handed on as they are.
func (w *fileWork) decideAll(ctx context.Context, then func(decided) error) error {
	w.announceKeys(w.nextDecided(w.piece.From))
	for i := range w.blocks {
		b := &w.blocks[i]
		if w.takes(b) {
			if err := w.takeManifests(b); err != nil {
				return err
			}
			if err := then(decided{block: b}); err != nil {
				return err
			}
			continue
		}
		if err := w.decideBlock(ctx, b, then); err != nil {
			return err
		}
	}
	return nil
}

func (w *fileWork) decideBlock(ctx context.Context, b *block, then func(decided) error) error {
	w.trim(w.accounts.table.Full())
	w.accounts.beginBlock()
	w.contract.beginBlock()
	w.last = schema.Unknown
	if w.stage != nil {
		w.tally = newTally(w.index.Policy(), len(w.roles))
	}
	base := b.first
	var held []*rewrite.Selection // of the block, until it is known whether its data is taken over
	for group := b.from; group < b.to; group++ {
		w.announceKeys(w.nextDecided(group + 1))
		rows := w.file.RowGroupRows(group)
		sel := rewrite.NewSelection(rows)
		if err := w.decideGroup(ctx, group, base, sel); err != nil {
			return err
		}
		base += rows
		if group == b.to-1 && w.stage != nil {
			if err := w.endBlock(b); err != nil {
				return err
			}
		}
		if b.touched != nil && w.earlier != nil {
			held = append(held, sel)
			continue
		}
		if err := w.handOn(decided{b, group, sel}, then); err != nil {
			return err
		}
		if w.stage == nil {
			w.progress(rows)
		}
	}
	if held == nil {
		return nil
	}
	same, err := w.keepsSameRows(b, held)
	if err != nil {
		return err
	}
	if same {
		w.reused.sameData.Add(1)
		return then(decided{block: b})
	}
	b.touched = nil
	for i, sel := range held {
		if err := w.handOn(decided{b, b.from + i, sel}, then); err != nil {
			return err
		}
	}
	return nil
}

// handOn hands on a row group that is to be rewritten.
func (w *fileWork) handOn(d decided, then func(decided) error) error {
	if w.stage != nil && d.sel.Count() > 0 {
		w.announceRows(d.group)
	}
	return then(d)
}

// keepsSameRows reports whether the rows that a block keeps are those that it kept in the earlier run.
func (w *fileWork) keepsSameRows(b *block, sels []*rewrite.Selection) (bool, error) {
	kept, _ := b.touched.Facts.Outcome()
	for _, sel := range sels {
		kept -= sel.Count()
	}
	if kept != 0 {
		return false, nil
	}
	was, err := w.keptBefore(b)
	return err == nil && slices.EqualFunc(was, sels, func(x, y *rewrite.Selection) bool { return slices.Equal(x.Words(), y.Words()) }), err
}

// nextDecided returns the first row group from one on that is not taken over.
func (w *fileWork) nextDecided(group int) int {
	for i := range w.blocks {
		if b := &w.blocks[i]; group < b.to && !w.takes(b) {
			return max(group, b.from)
		}
	}
	return w.piece.To
}

// trim empties the table of accounts, where it should be.
func (w *fileWork) trim(full bool) {
	if full {
		w.accounts.trim()
		for _, r := range w.roles {
			r.forget()
		}
	}
}

// endBlock ends the block in the manifests, and notes what there is to say of it.
func (w *fileWork) endBlock(b *block) (err error) {
	exclusions, subjects := w.groups[1], w.groups[2]
	if w.groups[1], err = w.exclusions.EndBlock(); err != nil {
		return err
	}
	if w.groups[2], err = w.subjects.EndBlock(); err != nil {
		return err
	}
	if b.taken != nil { // its counts stand in the plan
		return nil
	}
	b.facts = w.tally.facts()
	b.facts.From, b.facts.To, b.facts.Rows, b.facts.Last = b.from, b.to, b.rows, w.last
	b.facts.Groups[1], b.facts.Groups[2] = w.groups[1]-exclusions, w.groups[2]-subjects
	w.d.tally.add(w.tally)
	w.pairs = append(w.pairs, w.contract.endBlock())
	return nil
}

// takeManifests takes the block over in the manifests.
func (w *fileWork) takeManifests(b *block) error {
	f, at, last := &b.taken.Facts, b.taken.At, b.first+b.rows-1
	if err := w.exclusions.Take(w.earlier.exclusions, at[1], at[1]+f.Groups[1], last); err != nil {
		return err
	}
	if err := w.subjects.Take(w.earlier.subjects, at[2], at[2]+f.Groups[2], last); err != nil {
		return err
	}
	w.groups[1], w.groups[2] = w.groups[1]+f.Groups[1], w.groups[2]+f.Groups[2]
	kept, excluded := f.Outcome()
	w.result.RowsIn += f.Rows
	w.result.RowsKept += kept
	w.result.ExcludedByReason.Add(&excluded)
	return nil
}

// write writes a row group, or a block that is taken over.
func (w *fileWork) write(ctx context.Context, out *rewrite.Writer, d decided) error {
	b := d.block
	was := b.earlier()
	if d.sel == nil {
		if !w.allSame { // else the data file is taken over as a whole
			if err := w.takeData(ctx, out, b); err != nil {
				return err
			}
		}
		w.passed(b.to - 1)
		w.progress(b.rows)
	} else {
		if err := out.RowGroup(ctx, d.group, d.sel); err != nil {
			return err
		}
		w.passed(d.group)
		w.progress(w.file.RowGroupRows(d.group))
		if d.group < b.to-1 {
			return nil
		}
	}
	groups, pages := out.Written()
	counts := w.handed.Counts()
	switch {
	case d.sel == nil:
		b.facts.Groups[0], b.facts.Pages, b.facts.Transforms = was.Facts.Groups[0], was.Facts.Pages, was.Facts.Transforms
	case b.taken == nil:
		b.facts.Groups[0] = groups - w.groups[0]
		b.facts.Pages = manifests.Pages{Copied: pages.Copied - w.pages.Copied, Filtered: pages.Filtered - w.pages.Filtered, Dropped: pages.Dropped - w.pages.Dropped}
		b.facts.Transforms = since(counts, w.counts)
	}
	w.groups[0], w.pages, w.counts = groups, pages, counts
	return nil
}

// since returns what transforms have counted since they had counted before.
func since(now, before []manifests.Transform) (more []manifests.Transform) {
	for i, t := range now {
		t.Redactions = maps.Clone(t.Redactions)
		if before != nil {
			t.Values -= before[i].Values
			for kind, n := range before[i].Redactions {
				if t.Redactions[kind] -= n; t.Redactions[kind] == 0 {
					delete(t.Redactions, kind)
				}
			}
		}
		more = append(more, t)
	}
	return more
}
