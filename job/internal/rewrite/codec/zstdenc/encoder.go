// Package zstdenc compresses pages into Zstandard frames (RFC 8878): one level,
// made for blobs of some KB to some MB that are at hand whole.
//
// It exists because compression is half of what a rewrite costs, and because what
// a general encoder spends is spent on branches that the processor guesses wrong:
// has this position a match, does that one. Here the search runs in two passes
// over a few KB at a time. The first has no branches. It hashes the 5 bytes at each
// position, swaps the position into a table, and notes whether the one that stood
// there has the same tag, that is, more bits of the hash: a bitmap of probable
// matches, and a candidate for each. The second jumps from set bit to set bit,
// checks and extends the candidate, looks whether the next position does better
// (lazy matching, nearly free as its candidate is known), and leaves a sequence.
//
// Measured on 8 MiB of English sentences from software documentation, shuffled into
// messages, cut into pages (2-core Xeon at 2.5 GHz shared with other work; time is the
// median of pairs on the same page, of klauspost/compress at its level Fastest; size is
// that of libzstd 1.5.4 at level 3):
//
//	page        this encoder       Default         Fastest
//	 16 KiB   1.0 time  -1.1 %   1.9  -0.6 %   1.0   +4.3 %
//	 64 KiB   1.1       -0.2 %   1.9  +0.2 %   1.0   +6.1 %
//	128 KiB   1.2       +0.2 %   1.9  +0.2 %   1.0   +6.8 %
//	  1 MiB   1.4       +4.0 %   1.9  +1.5 %   1.0  +11.4 %
//
// Fastest does 115 MB/s there, libzstd 120 at level 3 and 190 at level 1. Tried without
// gain: tables of 15 and 17 bits, two candidates to an entry, all candidates of a chunk
// compared at once, every other position in the table.
//
// Its words are those of the format: a sequence is some literals, then a match of
// some length at some offset back; a block is at most 128 KiB; the last three
// offsets can be repeated by number.
package zstdenc

import (
	"encoding/binary"
	"slices"

	"github.com/klauspost/compress/huff0"
)

const (
	maxBlock  = 128 << 10
	windowLog = 20 // matches reach back less than this
)

// An Encoder makes frames. The zero value is ready; it takes about 1 MiB when first
// used and nothing from then on. It must not be used by two goroutines at a time.
type Encoder struct {
	matcher
	huff huff0.Scratch
	ll   coder // literal lengths
	of   coder // offsets
	ml   coder // match lengths
}

// Append appends to dst a frame that holds src, which must be less than 2 GiB, and
// returns the extended slice. The frame is a single segment without checksum. Its
// bytes depend on src alone. src and dst must not overlap.
func (e *Encoder) Append(dst, src []byte) []byte {
	dst = appendFrameHeader(dst, len(src))
	e.reset(len(src))
	e.huff.Reuse = huff0.ReusePolicyNone
	e.ll.reset(llKind)
	e.of.reset(ofKind)
	e.ml.reset(mlKind)
	for start := 0; ; {
		end := min(start+maxBlock, len(src))
		dst = e.appendBlock(dst, src, start, end)
		if start = end; start == len(src) {
			return dst
		}
	}
}

// appendFrameHeader appends magic number, descriptor and content size.
func appendFrameHeader(dst []byte, size int) []byte {
	const single = 1 << 5
	dst = binary.LittleEndian.AppendUint32(dst, 0xFD2FB528)
	switch {
	case size < 256:
		return append(dst, single, byte(size))
	case size < 256+1<<16:
		dst = append(dst, single|1<<6)
		return binary.LittleEndian.AppendUint16(dst, uint16(size-256))
	default:
		dst = append(dst, single|2<<6)
		return binary.LittleEndian.AppendUint32(dst, uint32(size))
	}
}

// The types of blocks.
const (
	blockRaw        = 0
	blockCompressed = 2
)

// appendBlock appends src[start:end] as a block.
func (e *Encoder) appendBlock(dst, src []byte, start, end int) []byte {
	at := len(dst)
	size := end - start
	dst = slices.Grow(dst, 3+size)
	dst = append(dst, 0, 0, 0)
	kind := blockCompressed
	before := e.offsets
	e.search(src, start, end)
	dst = e.appendSequences(e.appendLiterals(dst))
	if len(dst)-at-3 >= size {
		// The decoder will see neither these offsets nor these tables.
		e.offsets = before
		e.huff.Reuse = huff0.ReusePolicyNone
		dst = append(dst[:at+3], src[start:end]...)
		kind = blockRaw
	} else {
		e.ll.commit()
		e.of.commit()
		e.ml.commit()
	}
	header := uint32(len(dst)-at-3)<<3 | uint32(kind)<<1
	if end == len(src) {
		header |= 1
	}
	dst[at], dst[at+1], dst[at+2] = byte(header), byte(header>>8), byte(header>>16)
	return dst
}
