package rewrite

import (
	"context"
	"io"
)

// A task is the work on one column chunk of the output. The tasks of a row group run side by side, and their output is put into
// order. The head is the first task that has not ended. It writes straight to the file. The output of the others is kept as far as
// the budget allows; after that they wait.
//
// The head never waits for memory that a task behind it holds (see Budget). A task that is not the head waits only for its turn. So
// there is always one that can go on.
type task struct {
	gate
	budget *Budget
	file   io.Writer
	turn   <-chan struct{} // closed when the task becomes the head
	isHead bool
	kept   [][]byte // its output until it is the head
	used   int64    // bytes taken from the budget, for kept and working memory
	keeps  int64    // bytes of kept
	base   int64    // bytes taken for working memory
	holds  int64    // bytes taken by tryHold
	beyond bool     // some of used is beyond the budget

	encoding func() // for tests: called when a page is about to be encoded
}

// Write takes the next bytes of the chunk.
func (t *task) Write(p []byte) (int, error) {
	if !t.head() {
		if t.budget.tryAhead(int64(len(p))) {
			t.used += int64(len(p))
			t.keeps += int64(len(p))
			t.kept = append(t.kept, append([]byte(nil), p...))
			return len(p), nil
		}
		if err := t.await(); err != nil {
			return 0, err
		}
	}
	if err := t.idle(func() error { return t.flush(p) }); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush writes what was kept, and p, to the file. The task is the head.
func (t *task) flush(p []byte) error {
	for _, k := range t.kept {
		if _, err := t.file.Write(k); err != nil {
			return err
		}
	}
	if t.kept != nil {
		t.kept = nil
		t.used -= t.keeps
		t.budget.release(t.keeps)
		t.keeps = 0
	}
	if len(p) == 0 {
		return nil
	}
	_, err := t.file.Write(p)
	return err
}

// head reports whether the task is the head.
func (t *task) head() bool {
	if !t.isHead {
		select {
		case <-t.turn:
			t.isHead = true
		default:
		}
	}
	return t.isHead
}

// await waits until the task is the head.
func (t *task) await() error {
	if t.isHead {
		return nil
	}
	err := t.idle(func() error {
		select {
		case <-t.turn:
			return nil
		case <-t.ctx.Done():
			return context.Cause(t.ctx)
		}
	})
	t.isHead = err == nil
	return err
}

// work makes sure that the task has n bytes of working memory.
func (t *task) work(n int64) error {
	more := n - t.base
	if more <= 0 {
		return nil
	}
	if !t.head() {
		if t.budget.tryAhead(more) {
			t.base, t.used = n, t.used+more
			return nil
		}
		if err := t.await(); err != nil {
			return err
		}
	}
	err := t.idle(func() error {
		beyond, err := t.budget.acquire(t.ctx, more, t.beyond)
		t.beyond = t.beyond || beyond
		return err
	})
	if err == nil {
		t.base, t.used = n, t.used+more
	}
	return err
}

// tryHold takes n bytes, if they are free for a task that is not the head. The one that is beyond the budget takes a little all the
// same, as it is for its small pages that it would have to read again.
func (t *task) tryHold(n int64) bool {
	switch {
	case t.budget.tryAhead(n):
	case t.beyond && t.holds+n <= t.budget.size/8:
		t.budget.Charge(n)
	default:
		return false
	}
	t.used += n
	t.holds += n
	return true
}

// unhold gives n bytes back.
func (t *task) unhold(n int64) {
	t.used -= n
	t.holds -= n
	t.budget.release(n)
}

// end waits for the turn, writes what is left and gives all memory back.
func (t *task) end(err error) error {
	if err == nil {
		if err = t.await(); err == nil {
			err = t.idle(func() error { return t.flush(nil) })
		}
	}
	t.kept = nil
	t.budget.release(t.used)
	t.used = 0
	if t.beyond {
		t.budget.within()
	}
	return err
}
