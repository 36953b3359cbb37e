package rewrite

import (
	"context"
	"errors"
	"io"

	"assent/job/parquet/thrift"
)

// A walk goes through the pages of a column chunk in order. After next, the page's body is taken by body or passed over
// by the following next.
type walk struct {
	f     *File
	chunk *chunk
	src   *source
	page  int   // number of the current page, -1 before the first
	seen  int64 // values of the data pages up to and including the current one
	h     pageHeader
	at    int64  // file offset of the current page's header
	rest  int    // bytes of the current page that are not yet taken
	head  []byte // the current page's header as it stands
}

func newWalk(f *File, g *gate, c *chunk) *walk {
	return &walk{f: f, chunk: c, src: newSource(f, g, c.start, c.end), page: -1}
}

// resumeAt makes the page at the given offset and number, before which seen values lie, the next one.
func (w *walk) resumeAt(offset int64, page int, seen int64) {
	w.src.close()
	w.src = newSource(w.f, w.src.gate, offset, w.chunk.end)
	w.page, w.seen, w.rest = page-1, seen, 0
}

func (w *walk) close() { w.src.close() }

// next reads the header of the next page into w.h. io.EOF is the end: all values of the chunk have been seen.
func (w *walk) next() error {
	if g := w.src.gate; g != nil && g.ctx.Err() != nil {
		return context.Cause(g.ctx)
	}
	if w.rest > 0 {
		w.src.skip(int64(w.rest))
		w.rest = 0
	}
	if w.seen == w.chunk.values {
		return io.EOF
	}
	w.page++
	w.at = w.src.offset()
	if err := w.header(); err != nil {
		return err
	}
	left := w.chunk.values - w.seen
	if err := w.h.check(w.chunk.codec, left); err != nil {
		return err
	}
	if int64(w.h.size) > w.src.rest() {
		return corruptf("a page of %d bytes where the chunk has %d left", w.h.size, w.src.rest())
	}
	w.rest = w.h.size
	switch {
	case w.h.data():
		w.seen += int64(w.h.values)
		c := &w.f.columns[w.chunk.column]
		if n := int64(w.h.values) * int64(c.width()); c.MaxDef == 0 && w.h.encoding == encPlain && int64(w.h.rawSize) < n {
			return corruptf("%d values of %d bytes in %d", w.h.values, c.width(), w.h.rawSize)
		}
	case w.h.kind == pageDictionary && w.page > 0:
		return corruptf("a dictionary page that is not the first page")
	}
	return nil
}

func (w *walk) header() error {
	for n := 256; ; n *= 8 {
		b, err := w.src.peek(n)
		if err != nil {
			return err
		}
		if len(b) == 0 {
			return corruptf("the chunk ends after %d of %d values", w.seen, w.chunk.values)
		}
		err = w.h.parse(b)
		if err == nil {
			w.head = append(w.head[:0], b[:w.h.length]...)
			w.src.skip(int64(w.h.length))
			return nil
		}
		if !errors.Is(err, thrift.ErrShort) || len(b) < n || n >= maxHeader {
			return err
		}
	}
}

// body returns the current page's body as it stands, its checksum verified where there is one. It is valid until the next
// call of a method of w.
func (w *walk) body() ([]byte, error) {
	b, err := w.src.peek(w.h.size)
	if err != nil {
		return nil, err
	}
	w.src.pos += len(b)
	w.rest = 0
	if w.h.hasCRC && checksum(b) != w.h.crc {
		return nil, corruptf("checksum differs")
	}
	return b, nil
}
