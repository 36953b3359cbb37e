package zstdenc

import (
	"encoding/binary"
	"math/bits"
)

const (
	tableBits = 16 // of which a short page uses fewer
	chunk     = 4096
	window    = 1 << windowLog
	minMatch  = 5 // bytes hashed
	prime     = 889523592379 << 24
)

// A sequence is literals, then a match.
type sequence struct {
	literals uint32 // how many
	length   uint32 // of the match, less 3
	offset   uint32 // 1 to 3: a repeated one, see offsets; else the offset plus 3
	codes    codes
}

// codes are those of the three values, see kind.
type codes struct{ ll, of, ml uint8 }

// matcher finds the sequences of one block after another.
//
// An entry of the table is the low bits of a position, as many as the window needs,
// under a tag. A candidate is always verified, so that it does not matter what
// stands in an entry: what was never written, or lies a whole window back.
type matcher struct {
	table      [1 << tableBits]uint32
	mask       uint16             // of the bits of the hash that are used: fewer for a short page
	candidates [chunk]uint32      // the entry that the position replaced
	matches    [chunk / 64]uint64 // whether it had the same tag
	offsets    offsets
	sequences  []sequence
	literals   []byte // of all sequences, then those that follow the last one
	buffer     []byte // of literals
}

const wild = 16 // literals are copied in steps of this

func (m *matcher) reset(size int) {
	used := min(max(bits.Len(uint(size)), 8), tableBits)
	m.mask = 1<<used - 1
	clear(m.table[:1<<used])
	m.offsets = offsets{1, 4, 8}
	if m.buffer == nil {
		m.buffer = make([]byte, maxBlock+wild)
		m.sequences = make([]sequence, 0, maxBlock/minMatch+1)
	}
}

// find fills candidates and matches for n positions from lo on, at most chunk. Behind
// the last of them src has at least 7 bytes. lo is a multiple of chunk.
func (m *matcher) find(src []byte, lo, n int) {
	var tail [71]byte
	for k := 0; k < n; k += 64 {
		in := &tail
		if k+64 <= n {
			in = (*[71]byte)(src[lo+k:])
		} else {
			copy(tail[:], src[lo+k:])
		}
		same := find64(&m.table, m.mask, in, (*[64]uint32)(m.candidates[k:]), uint32(lo+k)%window)
		if k+64 > n {
			same &= 1<<uint(n-k) - 1
		}
		m.matches[k/64] = same
	}
}

// find64 puts 64 positions, of which now is the first, in the table, and returns for
// which of them the entry before had the same tag. in is what stands there. It is a
// function of its own so that all it needs fits in registers.
//
//go:noinline
func find64(table *[1 << tableBits]uint32, mask uint16, in *[71]byte, out *[64]uint32, now uint32) (same uint64) {
	for j := range out {
		h := binary.LittleEndian.Uint64(in[j:j+8]) * prime // the upper bits are of all 5 bytes
		entry := &table[uint16(h>>48)&mask]
		old := *entry
		tagged := uint32(h>>32)*0x9E3779B1&^(window-1) | now
		*entry = tagged
		out[j] = old
		// The subtraction borrows where the tags are the same.
		same = same>>1 | (uint64((old^tagged)>>windowLog)-1)&(1<<63)
		now++
	}
	return same
}

// search sets sequences and literals to those of src[start:end]. start is a multiple
// of chunk.
func (m *matcher) search(src []byte, start, end int) {
	m.sequences = m.sequences[:0]
	s := scan{src: src, end: end, next: start, pending: start}
	skip := 0 // how many chunks to leave out where one has no match
	for lo, idle := start, 0; lo < end; lo += chunk {
		n := min(chunk, end-lo, len(src)-7-lo)
		if n <= 0 || s.next >= lo+n {
			continue // nothing to search, or all of it is in a match
		}
		if idle > 0 {
			idle--
			continue
		}
		m.find(src, lo, n)
		before := len(m.sequences)
		m.parse(&s, lo, n)
		if len(m.sequences) > before {
			skip = 0
		} else {
			skip = min(2*skip+1, 7)
		}
		idle = skip
	}
	s.used += copy(m.buffer[s.used:], src[s.pending:end])
	m.literals = m.buffer[:s.used]
}

// A scan is how far the search of a block is.
type scan struct {
	src     []byte
	end     int // of the block
	used    int // of buffer
	next    int // the first position not searched yet
	pending int // the first literal not copied yet
}

// parse adds the sequences that begin in the chunk of n positions from lo on.
func (m *matcher) parse(s *scan, lo, n int) {
	src := s.src[:s.end]
	next := max(s.next, lo)
	// Matches begin where 8 bytes can be compared.
	for stop := min(lo+n, s.end-8); next < stop; {
		k := m.nextMatch(next-lo, n)
		at := min(lo+k, stop)
		last := int(m.offsets[0])
		if at-next >= 8 && next >= last {
			// A long way: columns of numbers repeat some of their bytes, too few for a candidate.
			if p := nextRepeat(src, next+1, at, last); p < at {
				next = m.emit(s, p, last, shared(src, p, p-last))
				continue
			}
		}
		if at == stop {
			next = lo + n
			break
		}
		back := m.back(at, k)
		if back == 0 {
			next = at + 1
			continue
		}
		length := shared(src, at, at-back)
		if k++; at+1 < stop && m.matches[k/64%len(m.matches)]>>(uint(k)&63)&1 != 0 {
			if back2 := m.back(at+1, k%chunk); back2 != back && back2 != 0 {
				if length2 := shared(src, at+1, at+1-back2); length2 > length {
					at, back, length = at+1, back2, length2
				}
			}
		}
		if length < minMatch { // the tags were the same by chance
			next = at + 1
			continue
		}
		if at >= last {
			// The offset that costs least is worth some bytes, here or at the next position.
			p := -1
			if x := load(src, at) ^ load(src, at-last); uint32(x) == 0 && at > s.pending {
				p = at
			} else if uint32(x>>8) == 0 {
				p = at + 1
			}
			if p >= 0 {
				if length2 := shared(src, p, p-last); length2+2 >= length {
					at, back, length = p, last, length2
				}
			}
		}
		next = m.emit(s, at, back, length)
	}
	s.next = next
}

// emit adds the sequence of the pending literals and the match at position at, which it
// first extends backwards. It returns where the match ends.
func (m *matcher) emit(s *scan, at, back, length int) int {
	src := s.src
	end := at + length
	before := sharedBefore(src, at, at-back, s.pending)
	at -= before
	length += before
	count := at - s.pending
	if count <= wild && s.pending+wild <= len(src) {
		*(*[wild]byte)(m.buffer[s.used:]) = [wild]byte(src[s.pending:])
	} else {
		copy(m.buffer[s.used:], src[s.pending:at])
	}
	s.used += count
	s.pending = end
	m.sequences = append(m.sequences, sequence{
		literals: uint32(count), length: uint32(length - 3), offset: m.offsets.code(uint32(back), count),
	})
	return end
}

// nextRepeat returns the first position from at on where 4 bytes are those back before,
// or end.
func nextRepeat(src []byte, at, end, back int) int {
	for ; at < end; at += 5 {
		x := load(src, at) ^ load(src, at-back)
		// The high bit of each byte: whether it is zero.
		x = ^(x&^highs + (highs - ones) | x) & highs
		if x &= x >> 8; x&(x>>16) != 0 {
			return min(at+bits.TrailingZeros64(x&(x>>16))/8, end)
		}
	}
	return end
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// load returns 8 bytes of src, the first lowest.
func load(src []byte, at int) uint64 { return binary.LittleEndian.Uint64(src[at:]) }

// nextMatch returns the first bit at or after k that is set in matches, or n.
func (m *matcher) nextMatch(k, n int) int {
	i, s := k/64, uint(k)&63
	w := m.matches[i] >> s << s
	for w == 0 {
		if i++; i*64 >= n {
			return n
		}
		w = m.matches[i]
	}
	return i*64 + bits.TrailingZeros64(w)
}

// back returns how far before position at, the kth of the chunk, its candidate is; 0 if
// there is none.
func (m *matcher) back(at, k int) int {
	back := int((uint32(at) - m.candidates[k]) % window)
	if back > at {
		return 0
	}
	return back
}

// shared returns how many bytes of src from at on are those from from on. There are
// at least 8 behind at, which is the later one.
func shared(src []byte, at, from int) int {
	if x := load(src, at) ^ load(src, from); x != 0 {
		return bits.TrailingZeros64(x) / 8
	}
	return 8 + common(src[at+8:], src[from+8:])
}

// sharedBefore returns how many bytes before at, at most 8 and not before first, are
// those before from.
func sharedBefore(src []byte, at, from, first int) int {
	most := min(at-first, from)
	if from < 8 {
		n := 0
		for n < most && src[at-n-1] == src[from-n-1] {
			n++
		}
		return n
	}
	x := load(src, at-8) ^ load(src, from-8)
	return min(bits.LeadingZeros64(x)/8, most)
}

// common returns how many bytes at the beginning of a, which is the shorter, are those
// of b.
func common(a, b []byte) int {
	b = b[:len(a)]
	n := 0
	for ; n+8 <= len(a); n += 8 {
		if x := load(a, n) ^ load(b, n); x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
	}
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return n
}

// offsets are the last three that differ, the latest first.
type offsets [3]uint32

// code returns what stands for offset in a sequence with so many literals, and makes
// it the latest.
func (r *offsets) code(offset uint32, literals int) uint32 {
	if literals > 0 {
		switch offset {
		case r[0]:
			return 1
		case r[1]:
			r[0], r[1] = r[1], r[0]
			return 2
		case r[2]:
			r[0], r[1], r[2] = r[2], r[0], r[1]
			return 3
		}
	} else {
		// The latest cannot come right after its own match: its number means others.
		switch offset {
		case r[1]:
			r[0], r[1] = r[1], r[0]
			return 1
		case r[2]:
			r[0], r[1], r[2] = r[2], r[0], r[1]
			return 2
		case r[0] - 1:
			r[0], r[1], r[2] = offset, r[0], r[1]
			return 3
		}
	}
	r[0], r[1], r[2] = offset, r[0], r[1]
	return offset + 3
}
