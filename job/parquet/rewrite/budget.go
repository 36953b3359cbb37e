package rewrite

import (
	"context"
	"sync"
)

// A Budget is the memory, in bytes, that the writers of a run may take together: for blocks of input, for pages that are worked on,
// and for finished pages that wait for their turn in the output.
//
// The task at the head of its file's output must go on, because the others wait for it, and so must who reads the keys that rows are
// decided by, which waits for nobody else while it has memory. So the last quarter of the budget is kept for these heads. A head may also
// go beyond the budget, if all of it is used or one page is larger than it, but only one head at a time. So the budget is exceeded by
// no more than the working memory of one column chunk, or of the key columns of one row group.
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

// take takes n bytes, unless more than limit would be used then.
func (b *Budget) take(n, limit int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+n > limit {
		return false
	}
	b.used += n
	return true
}

// tryAhead takes n bytes for a task that is not the head, if they are free. A nil budget is unlimited.
func (b *Budget) tryAhead(n int64) bool { return b == nil || b.take(n, b.size/4*3) }

// acquire takes n bytes for a head. If they are not free the head goes beyond the budget, and waits until no other head does.
// already says that this head is beyond the budget already; acquire reports whether it has become so now.
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

// Charge takes n bytes in any case, without waiting, or gives them back where n is negative: of what else is held beside the writers and
// must be, for others to go on. Work ahead has so much less room then. A nil budget is unlimited.
func (b *Budget) Charge(n int64) { b.release(-n) }

// release gives n bytes back.
func (b *Budget) release(n int64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.used -= n
	b.mu.Unlock()
}

// kept reports whether no more is used than the budget has.
func (b *Budget) kept() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used <= b.size
}

// within ends that a head is beyond the budget.
func (b *Budget) within() { <-b.alone }
