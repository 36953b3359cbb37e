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

// Levels are unpacked 8 at a time, within a word: three times, the upper half of each
// group of fields is moved to where it belongs, so that 8 become 4+4, 2+2+2+2 and in
// the end one in each byte. Packing is the inverse. lanes returns the masks of the
// lower half of each group, of 8, 4 and 2 fields of width bits.
func lanes(width uint) (low4, low2, low1 uint64) {
	return 1<<(4*width) - 1, (1<<(2*width) - 1) * (1<<32 + 1), (1<<width - 1) * (1<<48 + 1<<32 + 1<<16 + 1)
}

// unpackLevels fills dst with values of width bits, 1 to 8. src must hold them, and
// may go on behind them.
func unpackLevels(dst []uint8, src []byte, width int) {
	w := uint(width) & 15
	low4, low2, low1 := lanes(w)
	for at := 0; ; at += width {
		var x uint64
		if at+8 <= len(src) {
			x = le64(src[at : at+8])
		} else {
			var in [8]byte
			copy(in[:], src[min(at, len(src)):])
			x = le64(in[:])
		}
		x = x&low4 | x>>(4*w)&low4<<32
		x = x&low2 | x>>(2*w)&low2<<16
		x = x&low1 | x>>w&low1<<8
		if len(dst) < 8 {
			for i := range dst {
				dst[i] = uint8(x >> (8 * uint(i)))
			}
			return
		}
		binary.LittleEndian.PutUint64(dst, x)
		dst = dst[8:]
	}
}

// packLevels appends levels of width bits, 1 to 8, the last byte padded with zero
// values to a multiple of 8 of them.
func packLevels(dst []byte, levels []uint8, width int) []byte {
	w := uint(width) & 15
	low4, low2, low1 := lanes(w)
	var b [8]byte
	for len(levels) > 0 {
		n := 8
		if len(levels) < 8 {
			clear(b[:])
			n = copy(b[:], levels)
		} else {
			b = [8]byte(levels)
		}
		levels = levels[n:]
		x := le64(b[:])
		x = x&low1 | x>>8&low1<<w
		x = x&low2 | x>>16&low2<<(2*w)
		x = x&low4 | x>>32&low4<<(4*w)
		binary.LittleEndian.PutUint64(b[:], x)
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
	case width <= 16:
		unpackBy4(dst[:fast*8], src, width)
	case width <= 30:
		unpackBy2(dst[:fast*8], src, width)
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
	for at := 0; len(dst) >= 8; at += width {
		d := (*[8]int32)(dst)
		x := le64(src[at : at+8])
		d[0] = int32(x & mask)
		d[1] = int32(x >> (w & 63) & mask)
		d[2] = int32(x >> (2 * w & 63) & mask)
		d[3] = int32(x >> (3 * w & 63) & mask)
		d[4] = int32(x >> (4 * w & 63) & mask)
		d[5] = int32(x >> (5 * w & 63) & mask)
		d[6] = int32(x >> (6 * w & 63) & mask)
		d[7] = int32(x >> (7 * w & 63) & mask)
		dst = dst[8:]
	}
}

// unpackBy4 takes a group of 8 values from two loads. The second half begins at bit
// 0 or 4 of its first byte, so width is at most 15.
func unpackBy4(dst []int32, src []byte, width int) {
	w, mask := uint(width), uint64(1)<<uint(width)-1
	half, shift := width/2, 4*w&7
	for at := 0; len(dst) >= 8; at += width {
		d := (*[8]int32)(dst)
		s := src[at : at+half+8]
		x, y := le64(s), le64(s[half:])>>shift
		d[0] = int32(x & mask)
		d[1] = int32(x >> (w & 63) & mask)
		d[2] = int32(x >> (2 * w & 63) & mask)
		d[3] = int32(x >> (3 * w & 63) & mask)
		d[4] = int32(y & mask)
		d[5] = int32(y >> (w & 63) & mask)
		d[6] = int32(y >> (2 * w & 63) & mask)
		d[7] = int32(y >> (3 * w & 63) & mask)
		dst = dst[8:]
	}
}

// unpackBy2 takes a group of 8 values from four loads, which begin at an even bit of
// their first byte. Two values fit behind bit 6 up to a width of 29; at 30 they begin
// at bit 4 or 0.
func unpackBy2(dst []int32, src []byte, width int) {
	w, mask := uint(width)&31, uint64(1)<<uint(width)-1
	at1, at2, at3 := 2*width/8, 4*width/8, 6*width/8
	shift1, shift2, shift3 := 2*w&7, 4*w&7, 6*w&7
	for at := 0; len(dst) >= 8; at += width {
		d, s := (*[8]int32)(dst), src[at:at+width+8]
		x0, x1, x2, x3 := le64(s), le64(s[at1:])>>shift1, le64(s[at2:])>>shift2, le64(s[at3:])>>shift3
		d[0], d[1] = int32(x0&mask), int32(x0>>w&mask)
		d[2], d[3] = int32(x1&mask), int32(x1>>w&mask)
		d[4], d[5] = int32(x2&mask), int32(x2>>w&mask)
		d[6], d[7] = int32(x3&mask), int32(x3>>w&mask)
		dst = dst[8:]
	}
}

// unpackBy1 takes each value with a load of its own.
func unpackBy1(dst []int32, src []byte, width int) {
	w, mask := uint(width), uint64(1)<<uint(width)-1
	for at := 0; len(dst) >= 8; at += width {
		d, s := (*[8]int32)(dst), src[at:at+width+8]
		d[0] = int32(le64(s) & mask)
		for i := 1; i < 8; i++ {
			bit := uint(i) * w
			d[i] = int32(le64(s[bit>>3:]) >> (bit & 7) & mask)
		}
		dst = dst[8:]
	}
}

// packIndices appends values of width bits, 1 to 32, none of which has more, padded with zero values to a
// multiple of 8 of them.
func packIndices(dst []byte, values []int32, width int) []byte {
	size := (len(values) + 7) / 8 * width
	at := len(dst)
	dst = extend(dst, size+8) // a step may write up to 8 bytes beyond its group
	out := dst[at:]
	groups := len(values) / 8
	whole, rest := values[:groups*8], values[groups*8:]
	switch {
	case width <= 8:
		packBy8(out, whole, width)
	case width <= 16:
		packBy4(out, whole, width)
	default:
		packBy1(out, whole, width)
	}
	if len(rest) > 0 {
		var last [8]int32
		copy(last[:], rest)
		packBy1(out[groups*width:], last[:], width)
	}
	return dst[:at+size]
}

// packBy8 writes a group of 8 values with one store.
func packBy8(out []byte, values []int32, width int) {
	w := uint(width)
	for ; len(values) >= 8; values = values[8:] {
		v := (*[8]int32)(values)
		x := uint64(v[0]) | uint64(v[1])<<(w&63) | uint64(v[2])<<(2*w&63) | uint64(v[3])<<(3*w&63)
		y := uint64(v[4]) | uint64(v[5])<<(w&63) | uint64(v[6])<<(2*w&63) | uint64(v[7])<<(3*w&63)
		binary.LittleEndian.PutUint64(out, x|y<<(4*w&63))
		out = out[width:]
	}
}

// packBy4 writes a group of 8 values with two stores. The second half begins at bit 0 or 4 of its first byte.
func packBy4(out []byte, values []int32, width int) {
	w := uint(width)
	half, shift := width/2, 4*w&7
	for ; len(values) >= 8; values = values[8:] {
		v := (*[8]int32)(values)
		x := uint64(v[0]) | uint64(v[1])<<(w&63) | uint64(v[2])<<(2*w&63) | uint64(v[3])<<(3*w&63)
		y := uint64(v[4]) | uint64(v[5])<<(w&63) | uint64(v[6])<<(2*w&63) | uint64(v[7])<<(3*w&63)
		o := out[:half+8]
		binary.LittleEndian.PutUint64(o, x)
		binary.LittleEndian.PutUint64(o[half:], y<<shift|x>>uint(8*half))
		out = out[width:]
	}
}

// packBy1 takes one value after the other, of which there is a multiple of 8.
func packBy1(out []byte, values []int32, width int) {
	w := uint(width)
	size := len(values) / 8 * width
	var acc uint64
	var used uint
	for _, v := range values {
		acc |= uint64(uint32(v)) << (used & 63)
		if used += w; used >= 32 {
			binary.LittleEndian.PutUint32(out, uint32(acc))
			out, size = out[4:], size-4
			acc >>= 32
			used -= 32
		}
	}
	for ; size > 0; size -= 4 {
		binary.LittleEndian.PutUint32(out, uint32(acc))
		out = out[4:]
		acc >>= 32
	}
}
