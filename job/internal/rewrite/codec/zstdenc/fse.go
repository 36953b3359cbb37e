package zstdenc

import (
	"math"
	"math/bits"
)

// maxSymbols is more than the largest alphabet has, that of match lengths: 53.
const maxSymbols = 64

// A norm is a distribution: for each symbol its share of 1<<log states. A share of -1
// is one state too, set apart at the end of the table; only predefined norms have it.
type norm struct {
	log    uint8
	shares [maxSymbols]int16
}

// normalize returns the norm for the counts of symbols, of which there are total in
// all, at least two different ones. Its log is at most maxLog.
func normalize(counts []uint32, total int, maxLog uint8) norm {
	// As FSE_optimalTableLog of the reference: precise enough for total, and at least
	// two states for each symbol that there may be.
	log := min(int(maxLog), bits.Len(uint(total-1))-3)
	log = max(log, min(bits.Len(uint(total)), bits.Len(uint(len(counts)-1))+1), 5)
	n := norm{log: uint8(log)}
	size := 1 << log
	left, top := size, 0
	for s, c := range counts {
		if c == 0 {
			continue
		}
		share := max(1, (int(c)<<log+total/2)/total)
		n.shares[s] = int16(share)
		left -= share
		if counts[s] > counts[top] {
			top = s
		}
	}
	// What rounding left over goes to the most frequent symbol, which feels it least; what
	// it overspent comes from those with the most states.
	for ; left < 0; left++ {
		for s, share := range n.shares {
			if share > n.shares[top] {
				top = s
			}
		}
		n.shares[top]--
	}
	n.shares[top] += int16(left)
	return n
}

// appendTo appends the norm of so many symbols as RFC 8878, 4.1.1 has it.
func (n *norm) appendTo(dst []byte, symbols int) []byte {
	acc, used := uint64(n.log-5), uint(4)
	add := func(v, size uint) {
		acc |= uint64(v) << used
		for used += size; used >= 8; used -= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
		}
	}
	remaining, threshold := 1<<n.log+1, 1<<n.log
	size := uint(n.log) + 1
	for s := 0; remaining > 1; {
		share := int(n.shares[s])
		s++
		most := 2*threshold - 1 - remaining // values below it take one bit less
		remaining -= max(share, -share)
		v, short := share+1, uint(0)
		if v >= threshold {
			v += most
		}
		if v < most {
			short = 1
		}
		add(uint(v), size-short)
		for remaining < threshold {
			size--
			threshold /= 2
		}
		if share != 0 || remaining <= 1 {
			continue
		}
		// After a zero: how many more there are, in digits of 3, of which a 3 is followed.
		zeros := 0
		for s < symbols && n.shares[s] == 0 {
			s++
			zeros++
		}
		for ; zeros >= 3; zeros -= 3 {
			add(3, 2)
		}
		add(uint(zeros), 2)
	}
	if used > 0 {
		dst = append(dst, byte(acc))
	}
	return dst
}

// A table encodes the symbols of a norm.
type table struct {
	log    uint8
	next   [512]uint16 // the states, by symbol; at most 9 bits
	change [maxSymbols]change
	costs  [maxSymbols]uint32 // bits that a symbol takes, times 256; never if not in the norm
}

// A change says how the state changes where a symbol is encoded.
type change struct {
	bits  uint32 // plus the state, its upper half is how many bits are written
	start int32  // plus the state less these bits, the index in next
}

const never = 1 << 31 // more than the costliest block

// build makes the table of n for so many symbols, as FSE_buildCTable_wksp of the
// reference.
func (t *table) build(n *norm, symbols int) {
	size := 1 << n.log
	t.log = n.log
	var states [512]uint8 // the symbol of each state
	var first [maxSymbols]int
	high := size - 1
	total := 0
	for s, share := range n.shares[:symbols] {
		first[s] = total
		total += int(max(share, -share))
		if share < 0 {
			states[high] = uint8(s)
			high--
		}
	}
	step, pos := size>>1+size>>3+3, 0
	for s, share := range n.shares[:symbols] {
		for range share {
			states[pos] = uint8(s)
			for pos = (pos + step) & (size - 1); pos > high; {
				pos = (pos + step) & (size - 1)
			}
		}
	}
	index := first
	for state, s := range states[:size] {
		t.next[index[s]] = uint16(size + state)
		index[s]++
	}
	for s, share := range n.shares[:symbols] {
		count := max(share, -share)
		switch {
		case count == 0:
			t.costs[s] = never
		case count == 1:
			t.change[s] = change{uint32(n.log)<<16 - uint32(size), int32(first[s] - 1)}
			t.costs[s] = uint32(n.log) << 8
		default:
			most := uint32(n.log) - uint32(bits.Len16(uint16(count-1))-1)
			t.change[s] = change{most<<16 - uint32(count)<<most, int32(first[s]) - int32(count)}
			t.costs[s] = uint32(n.log)<<8 - log256[count]
		}
	}
	for s := symbols; s < maxSymbols; s++ {
		t.costs[s] = never
	}
}

// log256 has the binary logarithms of what a share can be, times 256.
var log256 = func() (t [513]uint32) {
	for i := 1; i < len(t); i++ {
		t[i] = uint32(math.Round(256 * math.Log2(float64(i))))
	}
	return t
}()

// cost returns how many bytes the symbols take, as far as their own codes go.
func (t *table) cost(counts []uint32) int {
	var sum uint64
	for s, c := range counts {
		sum += uint64(c) * uint64(t.costs[s])
	}
	return int(sum >> 11)
}

// start returns the state in which a stream of symbols ends: its encoding begins there.
func (t *table) start(symbol uint8) uint32 {
	c := t.change[symbol]
	n := (c.bits + 1<<15) >> 16
	return uint32(t.next[int32((n<<16-c.bits)>>n)+c.start])
}
