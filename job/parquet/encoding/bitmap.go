package encoding

import "math/bits"

// A Bitmap is a sequence of bits, 64 to a word, the first in the lowest bit. The
// zero value is empty and ready.
type Bitmap struct {
	words []uint64 // (n+63)/64 of them; bits from n on are zero
	n     int
}

// Len returns the number of bits.
func (b *Bitmap) Len() int { return b.n }

// Words returns the bits, 64 to a word, those past Len zero. The slice belongs to
// b and is valid until b is next changed.
func (b *Bitmap) Words() []uint64 { return b.words }

// Reset empties b and keeps its memory.
func (b *Bitmap) Reset() { b.words, b.n = b.words[:0], 0 }

// Get returns bit i, which must be below Len.
func (b *Bitmap) Get(i int) bool { return b.words[uint(i)>>6]>>(uint(i)&63)&1 != 0 }

// Set sets bit i, which must be below Len.
func (b *Bitmap) Set(i int) { b.words[uint(i)>>6] |= 1 << (uint(i) & 63) }

// Count returns the number of bits that are set.
func (b *Bitmap) Count() int {
	n := 0
	for _, w := range b.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// word returns the 64 bits from at on, zero past the end.
func (b *Bitmap) word(at int) uint64 {
	i, s := at>>6, uint(at)&63
	if i >= len(b.words) {
		return 0
	}
	w := b.words[i] >> s
	if s != 0 && i+1 < len(b.words) {
		w |= b.words[i+1] << (64 - s)
	}
	return w
}

// CountRange returns the number of bits from lo up to hi that are set.
func (b *Bitmap) CountRange(lo, hi int) int {
	n := 0
	for ; lo < hi; lo += 64 {
		w := b.word(lo)
		if hi-lo < 64 {
			w &= 1<<uint(hi-lo) - 1
		}
		n += bits.OnesCount64(w)
	}
	return n
}

// AppendWord appends the low n bits of w, n at most 64.
func (b *Bitmap) AppendWord(w uint64, n int) {
	if n <= 0 {
		return
	}
	w &= ^uint64(0) >> (64 - uint(n))
	used := uint(b.n) & 63
	if used == 0 {
		b.words = append(b.words, w)
	} else {
		b.words[len(b.words)-1] |= w << used
		if int(used)+n > 64 {
			b.words = append(b.words, w>>(64-used))
		}
	}
	b.n += n
}

// appendBytes appends the first n bits of src.
func (b *Bitmap) appendBytes(src []byte, n int) {
	for ; n >= 64; n -= 64 {
		b.AppendWord(le64(src), 64)
		src = src[8:]
	}
	if n > 0 {
		var in [8]byte
		copy(in[:], src)
		b.AppendWord(le64(in[:]), n)
	}
}

// AppendRun appends n times the bit v.
func (b *Bitmap) AppendRun(v bool, n int) {
	var w uint64
	if v {
		w = ^w
	}
	if head := -b.n & 63; head > 0 {
		head = min(head, n)
		b.AppendWord(w, head)
		n -= head
	}
	for ; n >= 64; n -= 64 {
		b.words = append(b.words, w)
		b.n += 64
	}
	b.AppendWord(w, n)
}

// AppendRange appends the bits lo up to hi of words, which must hold them: the
// rows of one page, of the selection of a row group.
func (b *Bitmap) AppendRange(words []uint64, lo, hi int) {
	for ; lo < hi; lo += 64 {
		i, s := lo>>6, uint(lo)&63
		w := words[i] >> s
		if s != 0 && lo+64-int(s) < hi {
			w |= words[i+1] << (64 - s)
		}
		b.AppendWord(w, min(64, hi-lo))
	}
}

// Run returns the first run of set bits at or after from: lo up to hi. At the end
// both are Len.
func (b *Bitmap) Run(from int) (lo, hi int) {
	lo = b.next(from, 0)
	return lo, b.next(lo, ^uint64(0))
}

// next returns the first bit at or after from that is set in the words xor flip,
// or n.
func (b *Bitmap) next(from int, flip uint64) int {
	if from >= b.n {
		return b.n
	}
	i := from >> 6
	w := (b.words[i] ^ flip) >> (uint(from) & 63)
	if w != 0 {
		return min(from+bits.TrailingZeros64(w), b.n)
	}
	for i++; i < len(b.words); i++ {
		if w := b.words[i] ^ flip; w != 0 {
			return min(i<<6+bits.TrailingZeros64(w), b.n)
		}
	}
	return b.n
}
