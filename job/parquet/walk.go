package parquet

import (
	"bytes"
	"errors"
	"io"

	"assent/job/parquet/thrift"
)

// A Source reads a range of a file from front to back.
type Source interface {
	// Offset returns the file offset of the next byte.
	Offset() int64
	// Rest returns the number of bytes from the next one to the end of the range.
	Rest() int64
	// Peek returns the next n bytes, or those up to the end of the range where they are fewer. They are valid until the
	// next call of Peek.
	Peek(n int) ([]byte, error)
	// Skip passes over n bytes, at most Rest. An error shows at the next call of Peek.
	Skip(n int64)
}

// A PageWalk goes through the pages of a column chunk in order. After Next, Body returns the page's body; without it, the next
// Next passes over the body.
type PageWalk struct {
	Chunk  *Chunk
	Limits *Limits // of the reader, beside those of this package; nil: none
	col    *Column
	src    Source
	Header PageHeader // of the current page
	Number int        // its number, -1 before the first
	Offset int64      // file offset of its header
	Head   []byte     // its encoded header, valid until Next
	Seen   int64      // slots of the data pages up to and including it
	left   int        // bytes of its body that are not yet taken
}

// Limits are what a reader takes of files that it knows well.
type Limits struct {
	Bytes    int  // of a page, uncompressed
	Slots    int  // of a page, and entries of a dictionary
	Checksum bool // each page must have one
}

func (l *Limits) check(h *PageHeader) error {
	switch {
	case l == nil:
		return nil
	case h.RawSize > l.Bytes || h.Values > l.Slots:
		return Unsupportedf("a page of %d bytes, %d values", h.RawSize, h.Values)
	case l.Checksum && !h.HasCRC:
		return Corruptf("a page without a checksum")
	}
	return nil
}

// NewPageWalk returns a walk through the pages of a chunk of column col, which src reads from the chunk's start to its end.
func NewPageWalk(col *Column, c *Chunk, src Source) *PageWalk {
	return &PageWalk{Chunk: c, col: col, src: src, Number: -1}
}

// ResumeAt makes the page at the beginning of src the next one: the one of the given number, before which seen slots lie.
func (w *PageWalk) ResumeAt(src Source, page int, seen int64) {
	w.src, w.Number, w.Seen, w.left = src, page-1, seen, 0
}

// NextOffset returns the file offset of the next page.
func (w *PageWalk) NextOffset() int64 { return w.src.Offset() + int64(w.left) }

// Next reads and checks the header of the next page. io.EOF is the end: all slots of the chunk have been seen.
func (w *PageWalk) Next() error {
	if w.left > 0 {
		w.src.Skip(int64(w.left))
		w.left = 0
	}
	if w.Seen == w.Chunk.Values {
		return io.EOF
	}
	w.Number++
	w.Offset = w.src.Offset()
	if err := w.header(); err != nil {
		return err
	}
	if err := w.Header.Check(w.Chunk.Codec, w.Chunk.Values-w.Seen); err != nil {
		return err
	}
	if w.Chunk.MiscountedRows && w.Header.Kind == DataPageV2 {
		w.Header.Rows = -1
	}
	if err := w.Limits.check(&w.Header); err != nil {
		return err
	}
	if int64(w.Header.Size) > w.src.Rest() {
		return Corruptf("a page of %d bytes where the chunk has %d left", w.Header.Size, w.src.Rest())
	}
	w.left = w.Header.Size
	switch {
	case w.Header.IsData():
		w.Seen += int64(w.Header.Values)
		c := w.col
		if n := int64(w.Header.Values) * int64(c.Width()); c.MaxDef == 0 && w.Header.Encoding == Plain && int64(w.Header.RawSize) < n {
			return Corruptf("%d values of %d bytes in %d", w.Header.Values, c.Width(), w.Header.RawSize)
		}
	case w.Header.Kind == DictionaryPage && w.Number > 0:
		return Corruptf("a dictionary page that is not the first page")
	}
	return nil
}

func (w *PageWalk) header() error {
	for n := 256; ; n *= 8 {
		b, err := w.src.Peek(n)
		if err != nil {
			return err
		}
		if len(b) == 0 {
			return Corruptf("the chunk ends after %d of %d values", w.Seen, w.Chunk.Values)
		}
		err = w.Header.Parse(b)
		if err == nil {
			w.Head = append(w.Head[:0], b[:w.Header.Length]...)
			w.Header.Statistics = bytes.Clone(w.Header.Statistics) // the next Peek may overwrite b
			w.src.Skip(int64(w.Header.Length))
			return nil
		}
		if !errors.Is(err, thrift.ErrShort) || len(b) < n || n >= maxHeader {
			return err
		}
	}
}

// Body returns the current page's body as it stands in the file. Its checksum, if there is one, is verified. It is valid until
// the next call of a method of w.
func (w *PageWalk) Body() ([]byte, error) {
	b, err := w.src.Peek(w.Header.Size)
	if err != nil {
		return nil, err
	}
	w.src.Skip(int64(len(b)))
	w.left = 0
	if w.Header.HasCRC && Checksum(b) != w.Header.CRC {
		return nil, Corruptf("checksum differs")
	}
	return b, nil
}
