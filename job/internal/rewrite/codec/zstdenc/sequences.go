package zstdenc

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/klauspost/compress/huff0"
)

// A kind is one of the three alphabets of a sequence: literal lengths, offsets and
// match lengths (RFC 8878, 3.1.1.3.2.1).
type kind struct {
	symbols  int
	maxLog   uint8
	fallback norm  // predefined
	table    table // of fallback
	extra    [maxSymbols]uint8
	codes    [128]uint8 // of small values
}

// newKind makes the kind whose code i stands for 1<<extra[i] values, one after another.
func newKind(maxLog uint8, fallback norm, symbols int, extra ...uint8) *kind {
	k := &kind{symbols: symbols, maxLog: maxLog, fallback: fallback}
	k.table.build(&k.fallback, symbols)
	copy(k.extra[symbols-len(extra):], extra)
	value := 0
	for s := range symbols {
		for end := value + 1<<k.extra[s]; value < end && value < len(k.codes); value++ {
			k.codes[value] = uint8(s)
		}
	}
	return k
}

var (
	llKind = newKind(9, norm{6, [maxSymbols]int16{
		4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
	}}, 36, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
	mlKind = newKind(9, norm{6, [maxSymbols]int16{
		1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
	}}, 53, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
	ofKind = newKind(8, norm{5, [maxSymbols]int16{
		1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
	}}, 29, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28)
)

func llCode(v uint32) uint8 {
	if v < 64 {
		return llKind.codes[v]
	}
	return uint8(bits.Len32(v)) + 18
}

func mlCode(v uint32) uint8 {
	if v < 128 {
		return mlKind.codes[v]
	}
	return uint8(bits.Len32(v)) + 35
}

func ofCode(v uint32) uint8 { return uint8(bits.Len32(v)) - 1 }

// How a kind is encoded in a block.
const (
	modePredefined = 0
	modeRLE        = 1
	modeCompressed = 2
	modeRepeat     = 3
)

// A coder encodes one kind through the blocks of a frame.
type coder struct {
	kind   *kind
	counts [maxSymbols]uint32
	mode   uint8
	table  *table   // that of this block
	tables [2]table // the last block's that had one of its own, and room for this block's
	last   int      // index of the former, if known
	known  bool
}

func (c *coder) reset(k *kind) { c.kind, c.known = k, false }

// choose sets mode and table for the counts of total symbols, and appends the table's
// description.
func (c *coder) choose(dst []byte, total int) []byte {
	symbols := c.kind.symbols
	for c.counts[symbols-1] == 0 {
		symbols--
	}
	counts := c.counts[:symbols]
	if int(counts[symbols-1]) == total {
		c.mode, c.table = modeRLE, &rleTable
		return append(dst, byte(symbols-1))
	}
	c.mode, c.table = modePredefined, &c.kind.table
	best := c.table.cost(counts)
	if c.known {
		if cost := c.tables[c.last].cost(counts); cost <= best {
			c.mode, c.table, best = modeRepeat, &c.tables[c.last], cost
		}
	}
	n := normalize(counts, total, c.kind.maxLog)
	at := len(dst)
	dst = n.appendTo(dst, symbols)
	own := &c.tables[1-c.last]
	own.build(&n, symbols)
	if own.cost(counts)+len(dst)-at >= best {
		return dst[:at]
	}
	c.mode, c.table = modeCompressed, own
	return dst
}

// rleTable takes no bits for whatever symbol.
var rleTable table

// commit notes that the decoder has seen this block.
func (c *coder) commit() {
	if c.mode == modeCompressed {
		c.last, c.known = 1-c.last, true
	}
}

// The types of literals sections.
const (
	literalsRaw        = 0
	literalsRLE        = 1
	literalsCompressed = 2
	literalsTreeless   = 3
)

func (e *Encoder) appendLiterals(dst []byte) []byte {
	size := len(e.literals)
	var out []byte
	var reused bool
	err := huff0.ErrIncompressible
	single := size < 256
	switch {
	case size < 32:
	case single:
		out, reused, err = huff0.Compress1X(e.literals, &e.huff)
	default:
		out, reused, err = huff0.Compress4X(e.literals, &e.huff)
	}
	if err != nil || len(out)+2 >= size {
		// The table of the encoder is perhaps no more that of the decoder.
		e.huff.Reuse = huff0.ReusePolicyNone
		if err == huff0.ErrUseRLE {
			return append(appendLiteralsHeader(dst, literalsRLE, size), e.literals[0])
		}
		return append(appendLiteralsHeader(dst, literalsRaw, size), e.literals...)
	}
	e.huff.Reuse = huff0.ReusePolicyAllow
	header := uint64(literalsCompressed)
	if reused {
		header = literalsTreeless
	}
	var b [8]byte
	switch {
	case size < 1<<10:
		if !single {
			header |= 1 << 2
		}
		binary.LittleEndian.PutUint64(b[:], header|uint64(size)<<4|uint64(len(out))<<14)
		dst = append(dst, b[:3]...)
	case size < 1<<14:
		binary.LittleEndian.PutUint64(b[:], header|2<<2|uint64(size)<<4|uint64(len(out))<<18)
		dst = append(dst, b[:4]...)
	default:
		binary.LittleEndian.PutUint64(b[:], header|3<<2|uint64(size)<<4|uint64(len(out))<<22)
		dst = append(dst, b[:5]...)
	}
	return append(dst, out...)
}

// appendLiteralsHeader appends the header of raw or RLE literals.
func appendLiteralsHeader(dst []byte, kind, size int) []byte {
	switch {
	case size < 1<<5:
		return append(dst, byte(kind|size<<3))
	case size < 1<<12:
		return append(dst, byte(kind|1<<2|size<<4), byte(size>>4))
	default:
		return append(dst, byte(kind|3<<2|size<<4), byte(size>>4), byte(size>>12))
	}
}

func (e *Encoder) appendSequences(dst []byte) []byte {
	n := len(e.sequences)
	if n < 128 {
		dst = append(dst, byte(n))
	} else {
		dst = append(dst, byte(n>>8+128), byte(n)) // n is below 0x7f00: a match has 5 bytes
	}
	if n == 0 {
		e.ll.mode, e.of.mode, e.ml.mode = modePredefined, modePredefined, modePredefined
		return dst
	}
	e.count()
	at := len(dst)
	dst = append(dst, 0)
	dst = e.ll.choose(dst, n)
	dst = e.of.choose(dst, n)
	dst = e.ml.choose(dst, n)
	dst[at] = e.ll.mode<<6 | e.of.mode<<4 | e.ml.mode<<2
	return e.appendStream(dst)
}

// count sets the codes of the sequences, and counts them.
func (e *Encoder) count() {
	clear(e.ll.counts[:])
	clear(e.of.counts[:])
	clear(e.ml.counts[:])
	for i := range e.sequences {
		s := &e.sequences[i]
		c := codes{llCode(s.literals), ofCode(s.offset), mlCode(s.length)}
		s.codes = c
		e.ll.counts[c.ll&63]++
		e.of.counts[c.of&63]++
		e.ml.counts[c.ml&63]++
	}
}

// appendStream appends the sequences, the last one first, as the bits that a decoder
// reads from the end.
func (e *Encoder) appendStream(dst []byte) []byte {
	at := len(dst)
	// A sequence takes at most 26 bits of states and 53 of values.
	dst = slices.Grow(dst, 12*len(e.sequences)+16)
	out := dst[:cap(dst)]
	var acc uint64 // its lowest used bits are not written yet
	var used uint
	flush := func() {
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(used >> 3)
		acc >>= used & 56
		used &= 7
	}
	ll, of, ml := e.ll.table, e.of.table, e.ml.table
	var llState, ofState, mlState uint32
	sequences := e.sequences
	for i := len(sequences) - 1; i >= 0; i-- {
		s := &sequences[i]
		c := s.codes
		if i == len(sequences)-1 {
			llState, ofState, mlState = ll.start(c.ll), of.start(c.of), ml.start(c.ml)
		} else {
			var n uint32
			t := of.change[c.of&63]
			n = (ofState + t.bits) >> 16 & 15
			acc |= uint64(ofState&(1<<n-1)) << (used & 63)
			used += uint(n)
			ofState = uint32(of.next[(int32(ofState>>n)+t.start)&511])

			t = ml.change[c.ml&63]
			n = (mlState + t.bits) >> 16 & 15
			acc |= uint64(mlState&(1<<n-1)) << (used & 63)
			used += uint(n)
			mlState = uint32(ml.next[(int32(mlState>>n)+t.start)&511])

			t = ll.change[c.ll&63]
			n = (llState + t.bits) >> 16 & 15
			acc |= uint64(llState&(1<<n-1)) << (used & 63)
			used += uint(n)
			llState = uint32(ll.next[(int32(llState>>n)+t.start)&511])
		}
		llBits, mlBits, ofBits := uint(llKind.extra[c.ll&63])&31, uint(mlKind.extra[c.ml&63])&31, uint(c.of)&31
		if used+llBits+mlBits+ofBits > 63 {
			flush()
		}
		values := uint64(s.literals)&(1<<llBits-1) |
			uint64(s.length)&(1<<mlBits-1)<<llBits |
			uint64(s.offset)&(1<<ofBits-1)<<(llBits+mlBits)
		acc |= values << (used & 63)
		used += llBits + mlBits + ofBits
		flush()
	}
	acc |= uint64(mlState) & (1<<ml.log - 1) << used
	used += uint(ml.log)
	acc |= uint64(ofState) & (1<<of.log - 1) << used
	used += uint(of.log)
	acc |= uint64(llState) & (1<<ll.log - 1) << used
	used += uint(ll.log)
	acc |= 1 << used // marks the end
	used += 8
	flush()
	return dst[:at]
}
