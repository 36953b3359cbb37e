package table

import (
	"encoding/binary"
	"math/bits"
)

// A dictionary page of hexadecimal texts is bytes with half their bits to spare, at a stride of 36, on which a compressor spends
// more than on all else in an exclusion manifest. But the zstd frame that it is after can be written down. With a Huffman table
// that gives each of the sixteen digits four bits, the digits' coded literals are the bytes that they stand for; and each length
// is a match four bytes long, 36 bytes back. So texts go out at the speed of copying, in 17 bytes each.
//
// Numbers of sections are those of RFC 8878.
//
//	frame header   3.1.1.1   magic, window 128 KiB, content size
//	raw block      3.1.1.2.2 00 00 00 00, the empty text; 20 00 00 00, a length of 32
//	blocks         3.1.1.2.3 of up to hexPerBlock texts
//	  literals     3.1.1.3.1 header, table as 102 direct weights, four streams: the
//	                         texts' bytes from the last to the first, then 01
//	  sequences    3.1.1.3.2 one for each text but the page's last, all alike and
//	                         so in RLE mode: 32 literals, then the match
const (
	hexSize     = 16 // bytes that a text stands for
	hexTextSize = 2 * hexSize
	hexStride   = 4 + hexTextSize
	hexPerBlock = (128 << 10) / hexStride

	hexWeights     = 'f'                       // symbols below the last, whose weight is implied
	hexTableSize   = 1 + (hexWeights+1)/2      // with its header
	hexTableHeader = 127 + hexWeights          // direct representation
	litLengthCode  = 22                        // 32 to 39, by 3 more bits
	offsetCode     = 5                         // 32+3 and up, by 5 more bits
	matchLenCode   = 1                         // 4
	sequenceBits   = (hexStride + 3 - 32) << 3 // of an offset, no match length, literals length 0
	allRLE         = 1<<6 | 1<<4 | 1<<2        // modes of the three codes
	rawBlock, last = 0 << 1, 1                 // of a block header
	compressed     = 2 << 1
)

// hexPageSize returns the size of the page of the empty text and n others.
func hexPageSize(n int) int { return 4 + n*hexStride }

// appendHexPage appends a dictionary page, compressed by zstd: the empty text, then
// 32 digits for each 16 bytes of raw.
func appendHexPage(dst, raw []byte) []byte {
	n := len(raw) / hexSize
	dst = append(dst, 0x28, 0xb5, 0x2f, 0xfd, 2<<6, 7<<3)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(hexPageSize(n)))
	if n == 0 {
		dst = appendBlockHeader(dst, rawBlock|last, 4)
		return append(dst, 0, 0, 0, 0)
	}
	dst = appendBlockHeader(dst, rawBlock, 8)
	dst = append(dst, 0, 0, 0, 0, byte(hexTextSize), 0, 0, 0)
	for n > 0 {
		m := min(n, hexPerBlock)
		dst = appendHexBlock(dst, raw[:m*hexSize], m == n)
		raw, n = raw[m*hexSize:], n-m
	}
	return dst
}

func appendHexBlock(dst, raw []byte, isLast bool) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0) // the header, once the size is known
	stream := len(raw) / 4
	size := hexTableSize + 6 + 4*(stream+1)
	dst = append(binary.LittleEndian.AppendUint32(dst, uint32(2|3<<2|2*len(raw)<<4|size<<22)), byte(size>>10))
	dst = append(dst, hexTableHeader)
	for s := 0; s < hexWeights; s += 2 {
		dst = append(dst, hexWeight(s)<<4|hexWeight(s+1))
	}
	for range 3 {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(stream+1))
	}
	for i := range 4 {
		digits := raw[i*stream : (i+1)*stream]
		for at := stream - 4; at >= 0; at -= 4 {
			dst = binary.LittleEndian.AppendUint32(dst, bits.ReverseBytes32(binary.LittleEndian.Uint32(digits[at:])))
		}
		dst = append(dst, 1)
	}

	sequences, flags := len(raw)/hexSize, compressed
	if isLast {
		sequences, flags = sequences-1, compressed|last
	}
	switch {
	case sequences == 0:
		dst = append(dst, 0)
	default:
		dst = append(dst, byte(sequences>>8)+128, byte(sequences), allRLE, litLengthCode, offsetCode, matchLenCode)
		for range sequences {
			dst = append(dst, byte(sequenceBits))
		}
		dst = append(dst, 1)
	}
	appendBlockHeader(dst[:start], flags, len(dst)-start-3)
	return dst
}

// appendBlockHeader appends the three bytes of a block header.
func appendBlockHeader(dst []byte, flags, size int) []byte {
	header := flags | size<<3
	return append(dst, byte(header), byte(header>>8), byte(header>>16))
}

// hexWeight returns the Huffman weight of a symbol: 1 for a digit, which makes its
// code four bits long, else 0.
func hexWeight(symbol int) byte {
	if '0' <= symbol && symbol <= '9' || 'a' <= symbol && symbol <= 'f' {
		return 1
	}
	return 0
}
