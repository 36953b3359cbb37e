package rewrite

import (
	"assent/job/parquet"
	"context"
	"sync"
)

// Input is read in blocks. The next block is read while the current one is worked on, because an object store answers only after tens
// of milliseconds. A chunk of up to minBlock bytes is one read.
const (
	minBlock = 1 << 20
	maxBlock = 4 << 20
)

// blockPool holds the buffers of blocks in flight.
var blockPool = sync.Pool{New: func() any { return new([]byte) }}

// A source reads a range of the file from front to back, in blocks, with one block of read-ahead. It must be closed.
type source struct {
	f     *parquet.File
	gate  *gate
	block int64
	room  int   // bytes before a block in its buffer, for what is unread of the block before it
	read  int64 // file offset up to which buf reaches
	end   int64
	buf   []byte
	pos   int          // buf[pos:] is not yet discarded
	ahead chan fetched // the block in flight, which begins at read; nil: none
}

type fetched struct {
	p   *[]byte
	err error
}

// blockSize returns the size of the blocks in which a range of n bytes is read.
func blockSize(n int64) int64 { return max(min(max(n/8, minBlock), maxBlock, n), 1) }

func newSource(f *parquet.File, g *gate, start, end int64) *source {
	s := &source{f: f, gate: g, block: blockSize(end - start), read: start, end: end}
	if s.block < end-start {
		s.room = int(s.block / 4) // a page seldom takes more
	}
	return s
}

// Offset returns the file offset of the next byte.
func (s *source) Offset() int64 { return s.read - int64(len(s.buf)-s.pos) }

// Rest returns the number of bytes from the next one to the end.
func (s *source) Rest() int64 { return s.end - s.Offset() }

// Peek returns the next n bytes, or those up to the end where they are fewer. They are valid until the next call.
func (s *source) Peek(n int) ([]byte, error) {
	for len(s.buf)-s.pos < n && s.read < s.end {
		if err := s.more(n); err != nil {
			return nil, err
		}
	}
	return s.buf[s.pos:min(s.pos+n, len(s.buf))], nil
}

// more appends the next block to the buffer, which is about to hold n unread bytes.
func (s *source) more(n int) error {
	if s.ahead == nil {
		s.fetch()
	}
	var got fetched
	select {
	case got = <-s.ahead:
	default:
		if err := s.gate.idle(func() error { got = <-s.ahead; return nil }); err != nil {
			return err
		}
	}
	s.ahead = nil
	defer func() { blockPool.Put(got.p) }()
	if got.err != nil {
		return got.err
	}
	block := (*got.p)[s.room:]
	s.read += int64(len(block))
	if rest := s.buf[s.pos:]; len(rest) <= s.room { // what is unread goes before the block, which is the buffer then
		s.pos = s.room - copy((*got.p)[s.room-len(rest):], rest)
		s.buf, *got.p = *got.p, s.buf[:0]
		s.fetch()
		return nil
	}
	s.buf = s.buf[:copy(s.buf, s.buf[s.pos:])]
	s.pos = 0
	// Room for n bytes and for what the last block brings beyond: to grow again is to hold a large page twice.
	s.buf = append(roomFor(s.buf, min(n+int(s.block)-len(s.buf), len(block)+int(s.end-s.read))), block...)
	s.fetch()
	return nil
}

// fetch starts to read the block at s.read.
func (s *source) fetch() {
	n := min(s.block, s.end-s.read)
	if n <= 0 {
		return
	}
	ahead := make(chan fetched, 1) // so that the reading goroutine always ends
	s.ahead = ahead
	at := s.read
	go func() {
		p := blockPool.Get().(*[]byte)
		*p = parquet.Room(*p, s.room+int(n))[:s.room+int(n)]
		ahead <- fetched{p, s.f.ReadFull((*p)[s.room:], at)}
	}()
}

// shrink gives a very large buffer back. What was peeked at is not valid any more.
func (s *source) shrink() {
	if cap(s.buf) > maxBlock+maxBlock/4+1024 {
		s.buf, s.pos = append([]byte(nil), s.buf[s.pos:]...), 0
	}
}

// Skip passes over n bytes, at most rest. Blocks that lie wholly within them are not read, except the one that is being read already.
func (s *source) Skip(n int64) {
	if have := int64(len(s.buf) - s.pos); n > have {
		s.buf, s.pos = s.buf[:0], 0
		to := s.read + n - have
		if n-have > s.block {
			s.drain()
			s.read = to
			return
		}
		if got, err := s.Peek(int(n - have)); err != nil || int64(len(got)) < n-have {
			return // the next Peek fails in the same way
		}
		n -= have
	}
	s.pos += int(n)
}

// drain waits for the block in flight and throws it away.
func (s *source) drain() {
	if s.ahead == nil {
		return
	}
	_ = s.gate.idle(func() error {
		blockPool.Put((<-s.ahead).p)
		return nil
	})
	s.ahead = nil
}

// close waits for the read in flight.
func (s *source) close() {
	s.drain()
	if b := s.buf; cap(b) > 0 && cap(b) <= 2*maxBlock {
		blockPool.Put(&b)
	}
	s.buf, s.pos, s.read = nil, 0, s.end
}

// A walk is a parquet.PageWalk over a source.
type walk struct {
	parquet.PageWalk
	f   *parquet.File
	src *source
}

func newWalk(f *parquet.File, g *gate, c *parquet.Chunk) *walk {
	src := newSource(f, g, c.Start, c.End)
	return &walk{PageWalk: *parquet.NewPageWalk(&f.Columns()[c.Column], c, src), f: f, src: src}
}

// resumeAt makes the page at the given offset and number, before which seen values lie, the next one.
func (w *walk) resumeAt(offset int64, page int, seen int64) {
	w.src.close()
	w.src = newSource(w.f, w.src.gate, offset, w.Chunk.End)
	w.PageWalk.ResumeAt(w.src, page, seen)
}

func (w *walk) close() { w.src.close() }

// next is Next, unless the work was cancelled.
func (w *walk) next() error {
	if g := w.src.gate; g != nil && g.ctx.Err() != nil {
		return context.Cause(g.ctx)
	}
	return w.PageWalk.Next()
}
