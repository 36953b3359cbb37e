package encoding

import (
	"encoding/binary"
	"slices"
)

// le64 loads 8 bytes, the first lowest.
func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// extend returns s with n more elements, whose content is unspecified.
func extend[T any](s []T, n int) []T {
	return slices.Grow(s, n)[:len(s)+n]
}

// A lane8 spreads 8 values of width bits, 1 to 8, over the 8 bytes of a word, or
// gathers them back: three times it halves the fields, 8 to 4+4 to 2+2 to 1+1.
type lane8 struct {
	low4, low2, low1       uint64 // the lower half of each field: of 8 values, of 4, of 2
	high4, high2, high1    uint64 // the upper half
	shift4, shift2, shift1 uint   // how far the upper half moves
}

func newLane8(width int) lane8 {
	w := uint(width)
	var l lane8
	l.low4 = 1<<(4*w) - 1
	l.high4 = l.low4 << (4 * w)
	l.low2 = (1<<(2*w) - 1) * 0x0000000100000001
	l.high2 = l.low2 << (2 * w)
	l.low1 = (1<<w - 1) * 0x0001000100010001
	l.high1 = l.low1 << w
	l.shift4, l.shift2, l.shift1 = 32-4*w, 16-2*w, 8-w
	return l
}

func (l *lane8) spread(x uint64) uint64 {
	x = x&l.low4 | x&l.high4<<(l.shift4&63)
	x = x&l.low2 | x&l.high2<<(l.shift2&63)
	return x&l.low1 | x&l.high1<<(l.shift1&63)
}

func (l *lane8) gather(x uint64) uint64 {
	x = x&l.low1 | x>>(l.shift1&63)&l.high1
	x = x&l.low2 | x>>(l.shift2&63)&l.high2
	return x&l.low4 | x>>(l.shift4&63)&l.high4
}

// unpackLevels fills dst with values of width bits, 1 to 8. src must hold them, and
// may go on behind them.
func unpackLevels(dst []uint8, src []byte, width int) {
	l := newLane8(width)
	for len(dst) >= 8 && len(src) >= 8 {
		binary.LittleEndian.PutUint64(dst, l.spread(le64(src)))
		dst, src = dst[8:], src[width:]
	}
	for len(dst) > 0 {
		var in, out [8]byte
		src = src[copy(in[:width], src):]
		binary.LittleEndian.PutUint64(out[:], l.spread(le64(in[:])))
		dst = dst[copy(dst, out[:]):]
	}
}

// packLevels appends levels of width bits, 1 to 8, the last byte padded with zero
// values to a multiple of 8 of them.
func packLevels(dst []byte, levels []uint8, width int) []byte {
	l := newLane8(width)
	var b [8]byte
	for ; len(levels) >= 8; levels = levels[8:] {
		binary.LittleEndian.PutUint64(b[:], l.gather(le64(levels)))
		dst = append(dst, b[:width]...)
	}
	if len(levels) > 0 {
		clear(b[:])
		copy(b[:], levels)
		binary.LittleEndian.PutUint64(b[:], l.gather(le64(b[:])))
		dst = append(dst, b[:width]...)
	}
	return dst
}

// unpackIndices fills dst with values of width bits, 1 to 32. src must hold them,
// and may go on behind them.
func unpackIndices(dst []int32, src []byte, width int) {
	groups := len(dst) / 8
	// A group of 8 is width bytes; a step may load up to 8 bytes beyond them.
	fast := min(groups, max(0, (len(src)-8)/width))
	switch {
	case width <= 8:
		unpackBy8(dst[:fast*8], src, width)
	case width <= 14 || width == 16:
		unpackBy4(dst[:fast*8], src, width)
	default:
		unpackBy1(dst[:fast*8], src, width)
	}
	dst, src = dst[fast*8:], src[fast*width:]
	for len(dst) > 0 {
		var in [32 + 8]byte
		var out [8]int32
		src = src[copy(in[:width], src):]
		unpackBy1(out[:], in[:], width)
		dst = dst[copy(dst, out[:]):]
	}
}

// unpackBy8 takes a group of 8 values from one load.
func unpackBy8(dst []int32, src []byte, width int) {
	w, mask := uint(width), uint64(1)<<uint(width)-1
	for len(dst) >= 8 {
		d := (*[8]int32)(dst)
		x := le64(src)
		d[0] = int32(x & mask)
		d[1] = int32(x >> (w & 63) & mask)
		d[2] = int32(x >> (2 * w & 63) & mask)
		d[3] = int32(x >> (3 * w & 63) & mask)
		d[4] = int32(x >> (4 * w & 63) & mask)
		d[5] = int32(x >> (5 * w & 63) & mask)
		d[6] = int32(x >> (6 * w & 63) & mask)
		d[7] = int32(x >> (7 * w & 63) & mask)
		dst, src = dst[8:], src[width:]
	}
}

// unpackBy4 takes a group of 8 values from two loads. The second half begins at bit
// 0 or 4 of its first byte, so width is at most 15.
func unpackBy4(dst []int32, src []byte, width int) {
	w, mask := uint(width), uint64(1)<<uint(width)-1
	half, shift := width/2, 4*w&7
	for len(dst) >= 8 {
		d := (*[8]int32)(dst)
		x, y := le64(src), le64(src[half:])>>(shift&63)
		d[0] = int32(x & mask)
		d[1] = int32(x >> (w & 63) & mask)
		d[2] = int32(x >> (2 * w & 63) & mask)
		d[3] = int32(x >> (3 * w & 63) & mask)
		d[4] = int32(y & mask)
		d[5] = int32(y >> (w & 63) & mask)
		d[6] = int32(y >> (2 * w & 63) & mask)
		d[7] = int32(y >> (3 * w & 63) & mask)
		dst, src = dst[8:], src[width:]
	}
}

// unpackBy1 takes each value with a load of its own.
func unpackBy1(dst []int32, src []byte, width int) {
	w, mask := uint(width), uint64(1)<<uint(width)-1
	for len(dst) >= 8 {
		d, s := (*[8]int32)(dst), src[:width+8]
		d[0] = int32(le64(s) & mask)
		for i := 1; i < 8; i++ {
			bit := uint(i) * w
			d[i] = int32(le64(s[bit>>3:]) >> (bit & 7) & mask)
		}
		dst, src = dst[8:], src[width:]
	}
}

// packIndices appends values of width bits, 1 to 32, padded with zero values to a
// multiple of 8 of them.
func packIndices(dst []byte, values []int32, width int) []byte {
	w, mask := uint(width), uint64(1)<<uint(width)-1
	size := (len(values) + 7) / 8 * width
	at := len(dst)
	dst = extend(dst, size+8)
	out := dst[at:]
	var acc uint64
	var used uint
	for _, v := range values {
		acc |= uint64(uint32(v)) & mask << (used & 63)
		if used += w; used >= 32 {
			binary.LittleEndian.PutUint32(out, uint32(acc))
			out = out[4:]
			acc >>= 32
			used -= 32
		}
	}
	for tail := at + size - (len(dst) - len(out)); tail > 0; tail -= 4 {
		binary.LittleEndian.PutUint32(out, uint32(acc))
		out = out[4:]
		acc >>= 32
	}
	return dst[:at+size]
}
