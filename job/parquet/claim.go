package parquet

import (
	"encoding/binary"

	"assent/job/parquet/codec"
)

// Room returns b, emptied, if it has room for n bytes and what decoders like to have behind them; else new memory, which
// costs nothing until it is written to: a claim that turns out false has not been paid for.
func Room(b []byte, n int) []byte {
	const slack = 64
	if cap(b) >= n+slack {
		return b[:0]
	}
	return make([]byte, 0, n+slack)
}

// decompress decompresses a section into b, which it may replace.
func decompress(c *codec.Codec, b []byte, id codec.ID, src []byte, rawSize int) ([]byte, error) {
	if id == codec.Zstd && rawSize > 1<<20 && rawSize/64 > len(src) {
		if most := zstdAtMost(src); int64(rawSize) > most {
			return b, Corruptf("a section of %d bytes that holds at most %d says %d", len(src), most, rawSize)
		}
	}
	return c.Decompress(Room(b, rawSize), id, src, rawSize)
}

// zstdAtMost returns a bound of what the frames in src decompress to: what their blocks say of themselves, of a compressed
// block the most that it may hold (RFC 8878, 3.1.1). What is no frame counts as nothing; the decoder will say so.
func zstdAtMost(src []byte) (total int64) {
	const maxBlock = 128 << 10
	for len(src) >= 5 {
		id := binary.LittleEndian.Uint32(src)
		if id>>4 == 0x184d2a5 { // skippable
			if len(src) < 8 || uint64(binary.LittleEndian.Uint32(src[4:])) > uint64(len(src)-8) {
				return total
			}
			src = src[8+binary.LittleEndian.Uint32(src[4:]):]
			continue
		}
		if id != 0xfd2fb528 {
			return total
		}
		descriptor := src[4]
		single := descriptor >> 5 & 1
		at := 5 + int(1-single) + [4]int{0, 1, 2, 4}[descriptor&3] // window, dictionary id
		at += [4]int{int(single), 2, 4, 8}[descriptor>>6]          // content size
		for last := false; !last; {
			if len(src) < at+3 {
				return total
			}
			header := int(src[at]) | int(src[at+1])<<8 | int(src[at+2])<<16
			at += 3
			last = header&1 != 0
			size := header >> 3
			switch header >> 1 & 3 {
			case 0:
				total += int64(size)
				at += size
			case 1:
				total += int64(size)
				at++
			default:
				total += maxBlock
				at += size
			}
		}
		at += int(descriptor>>2&1) * 4 // checksum
		if at > len(src) {
			return total
		}
		src = src[at:]
	}
	return total
}
