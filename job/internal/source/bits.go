package source

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// A set of numbers is packed in the smaller of two ways, which its first byte says: as
// gaps, in front of each number how many are missing since the one before it, as a
// uvarint; or as its bitmap, in little-endian words. So a shard that names a thousandth
// of the accounts tells which in two bytes each.
const (
	packedGaps = iota
	packedWords
)

var errPackedBits = errors.New("a set of numbers is damaged, or is of another list")

// packBits packs the numbers of the bits that are set.
func packBits(words []uint64) []byte {
	gaps := []byte{packedGaps}
	next := 0
	for at, word := range words {
		for ; word != 0; word &= word - 1 {
			i := at*64 + bits.TrailingZeros64(word)
			gaps = binary.AppendUvarint(gaps, uint64(i-next))
			next = i + 1
		}
		if len(gaps) > 8*len(words) {
			all := []byte{packedWords}
			for _, word := range words {
				all = binary.LittleEndian.AppendUint64(all, word)
			}
			return all
		}
	}
	return gaps
}

// unpackBits sets the bits of the numbers that were packed, in words of as many numbers.
func unpackBits(words []uint64, packed []byte) error {
	if len(packed) == 0 {
		return errPackedBits
	}
	kind, packed := packed[0], packed[1:]
	switch {
	case kind == packedWords && len(packed) == 8*len(words):
		for i := range words {
			words[i] |= binary.LittleEndian.Uint64(packed[8*i:])
		}
		return nil
	case kind != packedGaps:
		return errPackedBits
	}
	room := uint64(len(words)) * 64 // numbers that may follow
	for len(packed) > 0 {
		gap, n := binary.Uvarint(packed)
		if n <= 0 || gap >= room {
			return errPackedBits
		}
		packed = packed[n:]
		room -= gap + 1
		i := uint64(len(words))*64 - room - 1
		words[i/64] |= 1 << (i % 64)
	}
	return nil
}
