package parquet

import (
	"encoding/binary"
	"runtime/debug"

	"assent/job/parquet/codec"
)

// Room returns an empty slice with room for n bytes and some more, which decoders use to copy in whole words. It is b if that is
// large enough, else new memory. New memory costs nothing before it is written to, so n may be a claim.
func Room(b []byte, n int) []byte {
	const slack = 64
	if cap(b) >= n+slack {
		return b[:0]
	}
	return make([]byte, 0, n+slack)
}

// GiveBack is called after n bytes were let go. Very many go back to the system, before as much is asked for again: pieces of other
// sizes may not fit where they were. It reports whether they did, which takes a collection of garbage.
func GiveBack(n int) bool {
	const most = 32 << 20
	if n < most {
		return false
	}
	debug.FreeOSMemory()
	return true
}

// decompress decompresses a section. It uses the memory of b if that is large enough. A large zstd section is first held against
// what its blocks can hold.
func decompress(c *codec.Codec, b []byte, id codec.ID, src []byte, rawSize int) ([]byte, error) {
	if id == codec.Zstd && rawSize > 1<<20 && rawSize/64 > len(src) {
		if most := zstdAtMost(src); int64(rawSize) > most {
			return b, Corruptf("a section of %d bytes that holds at most %d says %d", len(src), most, rawSize)
		}
	}
	return c.Decompress(Room(b, rawSize), id, src, rawSize)
}

// zstdAtMost returns a bound of the bytes to which the frames in src decompress, from their block headers alone. A compressed
// block counts as the most that it may hold (RFC 8878, 3.1.1). Bytes that are no frame count as nothing: the decoder refuses
// them later.
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
