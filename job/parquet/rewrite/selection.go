package rewrite

import "math/bits"

// A Selection says which rows of one row group are kept: a bitmap, row 0 in the lowest bit of word 0, and its
// count. It starts with no row kept. It is not safe for concurrent change; a Writer only reads it.
type Selection struct {
	words []uint64 // (rows+63)/64; bits past rows are zero
	rows  int64
	count int64
}

// NewSelection returns a selection of none of the rows.
func NewSelection(rows int64) *Selection {
	return &Selection{words: make([]uint64, (rows+63)/64), rows: rows}
}

// Reset makes s a selection of none of rows rows, reusing its memory.
func (s *Selection) Reset(rows int64) {
	n := int((rows + 63) / 64)
	if cap(s.words) < n {
		s.words = make([]uint64, n)
	}
	s.words = s.words[:n]
	clear(s.words)
	s.rows, s.count = rows, 0
}

// Len returns the number of rows, kept or not.
func (s *Selection) Len() int64 { return s.rows }

// Count returns the number of kept rows.
func (s *Selection) Count() int64 { return s.count }

// Words returns the bitmap, (Len+63)/64 words that belong to s and must not be changed.
func (s *Selection) Words() []uint64 { return s.words }

// Kept reports whether row i, 0 <= i < Len, is kept.
func (s *Selection) Kept(i int64) bool { return s.words[i>>6]>>(uint(i)&63)&1 != 0 }

// Keep keeps row i, 0 <= i < Len.
func (s *Selection) Keep(i int64) { s.SetWord(i>>6, s.words[i>>6]|1<<(uint(i)&63)) }

// SetWord replaces the bits of the rows 64*i to 64*i+63; those past Len are ignored.
func (s *Selection) SetWord(i int64, w uint64) {
	if past := (i+1)<<6 - s.rows; past > 0 {
		w &= ^uint64(0) >> uint(past)
	}
	s.count += int64(bits.OnesCount64(w) - bits.OnesCount64(s.words[i]))
	s.words[i] = w
}

// SetBits replaces the bits of n <= 64 rows from row i on by the low n bits of w, wherever i stands in a word.
func (s *Selection) SetBits(i int64, w uint64, n int) {
	mask := ^uint64(0) >> (64 - uint(n))
	if n <= 0 {
		return
	}
	w &= mask
	at, shift := i>>6, uint(i)&63
	s.SetWord(at, s.words[at]&^(mask<<shift)|w<<shift)
	if int(shift)+n > 64 {
		s.SetWord(at+1, s.words[at+1]&^(mask>>(64-shift))|w>>(64-shift))
	}
}

// KeepRange keeps the rows lo up to hi, hi left out.
func (s *Selection) KeepRange(lo, hi int64) {
	for lo < hi {
		at, shift := lo>>6, uint(lo)&63
		n := min(64-int64(shift), hi-lo)
		s.SetWord(at, s.words[at]|^uint64(0)>>(64-uint(n))<<shift)
		lo += n
	}
}

// CountRange returns the number of kept rows from lo up to hi, hi left out.
func (s *Selection) CountRange(lo, hi int64) int64 {
	if lo >= hi {
		return 0
	}
	first, last := lo>>6, (hi-1)>>6
	head, tail := ^uint64(0)<<(uint(lo)&63), ^uint64(0)>>(63-uint(hi-1)&63)
	if first == last {
		return int64(bits.OnesCount64(s.words[first] & head & tail))
	}
	n := bits.OnesCount64(s.words[first]&head) + bits.OnesCount64(s.words[last]&tail)
	for _, w := range s.words[first+1 : last] {
		n += bits.OnesCount64(w)
	}
	return int64(n)
}
