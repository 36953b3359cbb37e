package rewrite

import (
	"context"
	"sync"
)

// A Budget is the memory, in bytes, that the writers of a run may take together for what they hold of their files: input
// blocks, pages being worked on, finished pages that wait for their turn in the output.
//
// Whoever is at the head of its file's output must go on, since the others wait for it. So the last quarter is kept for
// heads, and a head that finds even that used up (or works on a page larger than the budget) goes beyond it, one such head
// at a time. The budget is exceeded by no more than the working memory of one column chunk.
type Budget struct {
	mu    sync.Mutex
	size  int64
	used  int64
	alone chan struct{} // holds the token of the head that went beyond the budget
}

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int64) *Budget { return &Budget{size: bytes, alone: make(chan struct{}, 1)} }

// Size returns the budget's size in bytes.
func (b *Budget) Size() int64 { return b.size }

// take takes n bytes if no more than limit are used then.
func (b *Budget) take(n, limit int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+n > limit {
		return false
	}
	b.used += n
	return true
}

// tryAhead takes n bytes for work that is not at the head, if they are there. The nil budget has no end.
func (b *Budget) tryAhead(n int64) bool { return b == nil || b.take(n, b.size/4*3) }

// acquire takes n bytes for a head, beyond the budget if it must be: it waits until no other head is. It reports whether it
// had to become the one that is; already says that it is so.
func (b *Budget) acquire(ctx context.Context, n int64, already bool) (beyond bool, err error) {
	if b == nil || b.take(n, b.size) {
		return false, nil
	}
	if !already {
		select {
		case b.alone <- struct{}{}:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
	b.mu.Lock()
	b.used += n
	b.mu.Unlock()
	return !already, nil
}

// release gives n bytes back.
func (b *Budget) release(n int64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.used -= n
	b.mu.Unlock()
}

// within ends being beyond the budget.
func (b *Budget) within() { <-b.alone }
