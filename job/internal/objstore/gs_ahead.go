package objstore

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// What is read ahead lies in pieces of up to pieceSize bytes, one request each. All readers
// of an Opener hold AheadMemory of them at most; what has no room yet waits, and a caller
// that is faster asks for its bytes itself.
const (
	pieceSize = 4 << 20
	// AheadMemory is the bytes of memory that what is read ahead from buckets takes at most.
	AheadMemory = 48 << 20
)

// ahead is what a reader reads before it is asked for.
type ahead struct {
	room    *semaphore.Weighted
	buffers *buffers
	fetch   func(ctx context.Context, p []byte, off int64) error

	mu     sync.Mutex
	pieces []*piece // in the order in which they were wanted
}

// piece is a range that is wanted, under way, or there.
type piece struct {
	from, to int64
	data     []byte        // nil: not yet, or no more
	begun    bool          // it has room, and is asked for
	done     chan struct{} // closed once it was answered
	left     int64         // bytes that were not read yet
	cancel   context.CancelFunc
}

// want asks for a range, as soon as there is room.
func (a *ahead) want(ctx context.Context, from, to int64) {
	for ; from < to; from += pieceSize {
		pctx, cancel := context.WithCancel(ctx)
		p := &piece{from: from, to: min(to, from+pieceSize), done: make(chan struct{}), cancel: cancel}
		p.left = p.to - p.from
		a.mu.Lock()
		a.pieces = append(a.pieces, p)
		a.mu.Unlock()
		go a.bring(pctx, p)
	}
}

// bring asks for a piece, and gives its room back once nobody wants it any more.
func (a *ahead) bring(ctx context.Context, p *piece) {
	size := p.to - p.from
	if a.room.Acquire(ctx, roomOf(size)) != nil {
		return
	}
	defer a.room.Release(roomOf(size))
	a.mu.Lock()
	p.begun = ctx.Err() == nil
	a.mu.Unlock()
	if !p.begun {
		return
	}
	data := a.buffers.get(size)[:size]
	defer a.buffers.put(data) // readers copy under the lock
	err := a.fetch(ctx, data, p.from)
	a.mu.Lock()
	if err == nil {
		p.data = data
	}
	a.mu.Unlock()
	close(p.done)
	<-ctx.Done()
	a.mu.Lock()
	p.data = nil
	a.mu.Unlock()
}

// read fills b from pieces and reports true, where all of it is there or under way. Where it
// is not, or a piece failed, the caller reads b itself; what of it waits for room is no
// longer wanted.
func (a *ahead) read(ctx context.Context, b []byte, off int64) bool {
	end := off + int64(len(b))
	a.mu.Lock()
	var found []*piece
	for at := off; at < end; {
		p := a.at(at)
		if p == nil {
			a.forget(func(p *piece) bool { return !p.begun && p.from < end && p.to > off })
			a.mu.Unlock()
			return false
		}
		found, at = append(found, p), p.to
	}
	a.mu.Unlock()
	for _, p := range found {
		select {
		case <-p.done:
		case <-ctx.Done():
			return false
		}
		from, to := max(off, p.from), min(end, p.to)
		a.mu.Lock()
		if p.data == nil { // it failed, or was given back meanwhile
			a.mu.Unlock()
			return false
		}
		copy(b[from-off:], p.data[from-p.from:to-p.from])
		if p.left -= to - from; p.left <= 0 {
			a.forget(func(q *piece) bool { return q == p })
		}
		a.mu.Unlock()
	}
	return true
}

// at is the piece with a byte that is there or under way. The caller holds mu.
func (a *ahead) at(off int64) *piece {
	for _, p := range a.pieces {
		if p.begun && p.from <= off && off < p.to {
			return p
		}
	}
	return nil
}

// forget gives pieces back. The caller holds mu.
func (a *ahead) forget(which func(*piece) bool) {
	kept := a.pieces[:0]
	for _, p := range a.pieces {
		if which(p) {
			p.cancel()
		} else {
			kept = append(kept, p)
		}
	}
	clear(a.pieces[len(kept):])
	a.pieces = kept
}

// drop gives back what lies before an offset.
func (a *ahead) drop(before int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(func(p *piece) bool { return p.to <= before })
}
