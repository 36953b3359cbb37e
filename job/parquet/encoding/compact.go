package encoding

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// CompactBits appends to dst the bits of src where keep is set. Both must have one
// length.
func CompactBits(dst, src, keep *Bitmap) {
	if src.n != keep.n {
		panic("encoding: lengths differ")
	}
	for i, k := range keep.words {
		n := bits.OnesCount64(k)
		switch w := src.words[i]; {
		case n == 0:
		case n == 64 || w == 0 || w&k == k:
			if w&k == k {
				w = ^uint64(0)
			}
			dst.AppendWord(w, n)
		default:
			dst.AppendWord(gatherBits(w, k), n)
		}
	}
}

// gatherBits moves the bits of x where mask is set to the lowest places, in order:
// the PEXT instruction of x86. At step i it moves by 1<<i the bits that have that
// bit set in the number of zeros of mask below them (Warren, Hacker's Delight,
// 2nd ed., 7-4).
func gatherBits(x, mask uint64) uint64 {
	x &= mask
	zeros := ^mask << 1
	for i := uint(0); i < 6; i++ {
		// odd: the bits with an odd number of zeros below them.
		odd := zeros ^ zeros<<1
		odd ^= odd << 2
		odd ^= odd << 4
		odd ^= odd << 8
		odd ^= odd << 16
		odd ^= odd << 32
		move := odd & mask
		mask = mask ^ move | move>>(1<<i)
		t := x & move
		x = x ^ t | t>>(1<<i)
		zeros &^= odd
	}
	return x
}

// scatterBits moves the lowest bits of x to the places where mask is set, in order:
// PDEP.
func scatterBits(x, mask uint64) uint64 {
	var r uint64
	for ; mask != 0; mask &= mask - 1 {
		r |= mask & -mask & -(x & 1)
		x >>= 1
	}
	return r
}

// compact appends the elements of src whose bit is set, the first of them being bit
// at of keep.
func compact[T any](dst, src []T, keep *Bitmap, at int) []T {
	for ; len(src) >= 64; at, src = at+64, src[64:] {
		w := keep.word(at)
		n := bits.OnesCount64(w)
		if n == 64 {
			dst = append(dst, src[:64]...)
			continue
		}
		in := (*[64]T)(src)
		k := len(dst)
		dst = extend(dst, n)
		out := dst[k:]
		for i := range out {
			out[i] = in[bits.TrailingZeros64(w)&63]
			w &= w - 1
		}
	}
	w := keep.word(at)
	for _, v := range src {
		if w&1 != 0 {
			dst = append(dst, v)
		}
		w >>= 1
	}
	return dst
}

// CompactLevels appends the levels where keep is set; there must be keep.Len() of
// them.
func CompactLevels(dst, levels []uint8, keep *Bitmap) []uint8 {
	return compact(slices.Grow(dst, keep.Count()), levels[:keep.n], keep, 0)
}

// CompactIndices appends the indices where keep is set; there must be keep.Len()
// of them.
func CompactIndices(dst, indices []int32, keep *Bitmap) []int32 {
	return compact(dst, indices[:keep.n], keep, 0)
}

// CompactInts appends the integers where keep is set; there must be keep.Len() of
// them.
func CompactInts(dst, ints []int64, keep *Bitmap) []int64 {
	return compact(dst, ints[:keep.n], keep, 0)
}

// CompactBytes appends to dst the values of src where keep is set; there must be
// keep.Len() of them. It fails with ErrTooLarge where dst would exceed 4 GiB.
func CompactBytes(dst, src *Bytes, keep *Bitmap) error {
	ends := src.Ends[:keep.n]
	for lo, hi := keep.Run(0); lo < hi; lo, hi = keep.Run(hi) {
		var from uint32
		if lo > 0 {
			from = ends[lo-1]
		}
		data := src.Data[from:ends[hi-1]]
		if err := dst.room(len(data)); err != nil {
			return err
		}
		shift := uint32(len(dst.Data)) - from // may wrap, and back
		dst.Data = append(dst.Data, data...)
		at := len(dst.Ends)
		dst.Ends = append(dst.Ends, ends[lo:hi]...)
		for i := range dst.Ends[at:] {
			dst.Ends[at+i] += shift
		}
	}
	return nil
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// equalBits returns a bit for each of 8 bytes: whether it is that of pattern.
func equalBits(x, pattern uint64) uint64 {
	x ^= pattern
	// The high bit of a byte is set if the byte is not zero; its neighbours do not interfere.
	x = (x&^highs + (highs - ones)) | x
	// The multiplication moves the lowest bit of byte i to bit 56+i.
	return (^x & highs) >> 7 * 0x0102040810204080 >> 56
}

// equalWord returns a bit for each of the first 64 levels: whether it is v. n is how
// many there are.
func equalWord(levels []uint8, v uint8) (w uint64, n int) {
	pattern := uint64(v) * ones
	if len(levels) >= 64 {
		l := levels[:64]
		for i := 0; i < 64; i += 8 {
			w |= equalBits(le64(l[i:]), pattern) << uint(i)
		}
		return w, 64
	}
	for i, l := range levels {
		if l == v {
			w |= 1 << uint(i)
		}
	}
	return w, len(levels)
}

// Present appends to dst, for each definition level, whether it is maxDef: whether
// the slot has a value.
func Present(dst *Bitmap, defs []uint8, maxDef uint8) {
	for len(defs) > 0 {
		w, n := equalWord(defs, maxDef)
		dst.AppendWord(w, n)
		defs = defs[n:]
	}
}

// SlotsOfRows appends to dst, for each slot of a repeated column, whether its row
// is kept. A row begins at each repetition level 0; rows has one bit for each such.
// Slots before the first belong to a row that began on an earlier page, and carry
// says whether that one is kept. It is an error if the counts differ.
func SlotsOfRows(dst *Bitmap, reps []uint8, rows *Bitmap, carry bool) error {
	row := 0
	var last uint64 // 1 if the row of the preceding slot is kept
	if carry {
		last = 1
	}
	for len(reps) > 0 {
		starts, n := equalWord(reps, 0)
		reps = reps[n:]
		kept := scatterBits(rows.word(row), starts)
		row += bits.OnesCount64(starts)
		// A 1 added to the lowest bit of a stretch of ones flips it and the zero after it.
		rest := ^starts
		sum := rest + (kept<<1|last)&rest
		w := kept | (sum^rest)&rest
		dst.AppendWord(w, n)
		last = w >> 63
	}
	if row != rows.n {
		return fmt.Errorf("%w: %d rows begin where %d should", ErrCorrupt, row, rows.n)
	}
	return nil
}

// MarkUsed sets the bytes of all indices, which must be below len(used), to 1. Bytes, not bits: with few entries each bit would wait for
// the one before it.
func MarkUsed(used []byte, indices []int32) {
	for _, v := range indices {
		used[v] = 1
	}
}

// Remap replaces each index by its entry of table.
func Remap(indices, table []int32) {
	for i, v := range indices {
		indices[i] = table[v]
	}
}

// AppendEntries appends the entries, of 4 or 8 bytes each, that the indices name in a PLAIN dictionary.
func AppendEntries(dst, dict []byte, width int, indices []int32) []byte {
	at := len(dst)
	dst = extend(dst, width*len(indices))
	out := dst[at:]
	if width == 4 {
		for _, v := range indices {
			binary.LittleEndian.PutUint32(out, binary.LittleEndian.Uint32(dict[4*int(v):]))
			out = out[4:]
		}
		return dst
	}
	for _, v := range indices {
		binary.LittleEndian.PutUint64(out, le64(dict[8*int(v):]))
		out = out[8:]
	}
	return dst
}

// Spread puts values, one for each set bit of present, in their slots; the others
// are zero. The values are the last present.Count() of s, which is returned
// extended by the slots without one. So it works in place after a Decode.
func Spread[T any](s []T, present *Bitmap) []T {
	from := present.Count() // values not yet in their slots
	base := len(s) - from
	s = extend(s, present.n-from)[:base+present.n]
	slots := s[base:]
	for to := present.n; to > from; {
		lo := (to - 1) &^ 63
		w := present.words[lo>>6]
		if n := to - lo; bits.OnesCount64(w) == n {
			copy(slots[lo:to], slots[from-n:from])
			from -= n
			to = lo
			continue
		}
		for ; to > lo; to-- {
			var v T
			if w>>(uint(to-1)&63)&1 != 0 {
				from--
				v = slots[from]
			}
			slots[to-1] = v
		}
	}
	return s
}

// SpreadEnds is Spread for the Ends of a Bytes: slots without a value are empty.
func SpreadEnds(ends []uint32, present *Bitmap) []uint32 {
	base := len(ends) - present.Count()
	ends = Spread(ends, present)
	var end uint32
	if base > 0 {
		end = ends[base-1]
	}
	for i, e := range ends[base:] {
		end = max(end, e)
		ends[base+i] = end
	}
	return ends
}
