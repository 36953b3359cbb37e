package parquet

import "slices"

// A Section is a plain Source: it reads blocks of a fixed size, when they are asked for.
type Section struct {
	f     *File
	block int64
	at    int64 // file offset of buf[0]
	end   int64
	buf   []byte
	pos   int // buf[pos:] is not yet passed over
}

// Section returns a Source of the bytes from start up to end, which must lie in the file. It reads at least block bytes at a
// time, as far as there are so many.
func (f *File) Section(start, end, block int64) *Section {
	return &Section{f: f, block: block, at: start, end: end}
}

// Move makes s a Source of other bytes, as Section does, keeping its memory.
func (s *Section) Move(start, end, block int64) {
	s.at, s.end, s.block, s.buf, s.pos = start, end, block, s.buf[:0], 0
}

// Memory returns the bytes that s keeps; 0 of none.
func (s *Section) Memory() int {
	if s == nil {
		return 0
	}
	return cap(s.buf)
}

// Shrink gives the memory of a large block back, beside what is not yet passed over. What was peeked at is not valid any more.
func (s *Section) Shrink() {
	const large = 4 << 20
	if s != nil && cap(s.buf) > large {
		s.at += int64(s.pos)
		s.buf, s.pos = append([]byte(nil), s.buf[s.pos:]...), 0
	}
}

// Offset returns the file offset of the next byte.
func (s *Section) Offset() int64 { return s.at + int64(s.pos) }

// Rest returns the number of bytes from the next one to the end.
func (s *Section) Rest() int64 { return s.end - s.Offset() }

// Peek returns the next n bytes, or those up to the end where they are fewer. They are valid until the next call.
func (s *Section) Peek(n int) ([]byte, error) {
	n = int(min(int64(n), s.Rest()))
	if have := len(s.buf) - s.pos; have < n {
		s.at += int64(s.pos)
		s.buf = s.buf[:copy(s.buf, s.buf[s.pos:])]
		s.pos = 0
		more := int(min(max(int64(n-have), s.block), s.end-s.at-int64(have)))
		s.buf = slices.Grow(s.buf, more)[:have+more]
		if err := s.f.ReadFull(s.buf[have:], s.at+int64(have)); err != nil {
			s.buf = s.buf[:have]
			return nil, err
		}
	}
	return s.buf[s.pos : s.pos+n : s.pos+n], nil
}

// Skip passes over n bytes, at most Rest. What is not read yet is not read.
func (s *Section) Skip(n int64) {
	if have := int64(len(s.buf) - s.pos); n > have {
		s.at += int64(s.pos) + n
		s.buf, s.pos = s.buf[:0], 0
		return
	}
	s.pos += int(n)
}
