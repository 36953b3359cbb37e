package rewrite

import (
	"errors"
	"io"

	"assent/job/parquet/thrift"
)

// A byteSource reads a range of a file from front to back.
type byteSource interface {
	// offset returns the file offset of the next byte.
	offset() int64
	// rest returns the number of bytes from the next one to the end of the range.
	rest() int64
	// peek returns the next n bytes, or those up to the end of the range where they are fewer. They are valid until the
	// next call of peek.
	peek(n int) ([]byte, error)
	// skip passes over n bytes, at most rest. An error shows at the next call of peek.
	skip(n int64)
}

// A pageWalk goes through the pages of a column chunk in order. After next, the page's body is taken by body or passed over
// by the following next.
type pageWalk struct {
	chunk *chunk
	col   *Column
	src   byteSource
	h     pageHeader // of the current page
	page  int        // its number, -1 before the first
	at    int64      // file offset of its header
	head  []byte     // its header as it stands, valid until the next page
	seen  int64      // slots of the data pages up to and including it
	left  int        // bytes of its body that are not yet taken
}

// newPageWalk returns a walk through the pages of a chunk of column col, which src reads from the chunk's start to its end.
func newPageWalk(col *Column, c *chunk, src byteSource) *pageWalk {
	return &pageWalk{chunk: c, col: col, src: src, page: -1}
}

// resumeAt makes the page at the beginning of src the next one: the one of the given number, before which seen slots lie.
func (w *pageWalk) resumeAt(src byteSource, page int, seen int64) {
	w.src, w.page, w.seen, w.left = src, page-1, seen, 0
}

// nextOffset returns the file offset of the next page.
func (w *pageWalk) nextOffset() int64 { return w.src.offset() + int64(w.left) }

// next reads the header of the next page into h. io.EOF is the end: all slots of the chunk have been seen.
func (w *pageWalk) next() error {
	if w.left > 0 {
		w.src.skip(int64(w.left))
		w.left = 0
	}
	if w.seen == w.chunk.values {
		return io.EOF
	}
	w.page++
	w.at = w.src.offset()
	if err := w.header(); err != nil {
		return err
	}
	if err := w.h.check(w.chunk.codec, w.chunk.values-w.seen); err != nil {
		return err
	}
	if int64(w.h.size) > w.src.rest() {
		return corruptf("a page of %d bytes where the chunk has %d left", w.h.size, w.src.rest())
	}
	w.left = w.h.size
	switch {
	case w.h.data():
		w.seen += int64(w.h.values)
		c := w.col
		if n := int64(w.h.values) * int64(c.width()); c.MaxDef == 0 && w.h.encoding == encPlain && int64(w.h.rawSize) < n {
			return corruptf("%d values of %d bytes in %d", w.h.values, c.width(), w.h.rawSize)
		}
	case w.h.kind == pageDictionary && w.page > 0:
		return corruptf("a dictionary page that is not the first page")
	}
	return nil
}

func (w *pageWalk) header() error {
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
func (w *pageWalk) body() ([]byte, error) {
	b, err := w.src.peek(w.h.size)
	if err != nil {
		return nil, err
	}
	w.src.skip(int64(len(b)))
	w.left = 0
	if w.h.hasCRC && checksum(b) != w.h.crc {
		return nil, corruptf("checksum differs")
	}
	return b, nil
}
