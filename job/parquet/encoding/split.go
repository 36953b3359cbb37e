package encoding

import (
	"encoding/binary"
	"fmt"
)

// DecodeSplit appends, as PLAIN, the n values of width bytes of a BYTE_STREAM_SPLIT
// section, which must be n*width bytes.
func DecodeSplit(dst, src []byte, width, n int) ([]byte, error) {
	if width <= 0 || n != len(src)/width || len(src)%width != 0 {
		return dst, fmt.Errorf("%w: %d bytes in byte streams of %d values of %d", ErrCorrupt, len(src), n, width)
	}
	at := len(dst)
	dst = extend(dst, len(src))
	out := dst[at:]
	switch width {
	case 4:
		a, b, c, d := src[:n], src[n:2*n], src[2*n:3*n], src[3*n:]
		for i, v := range a {
			binary.LittleEndian.PutUint32(out[4*i:], uint32(v)|uint32(b[i])<<8|uint32(c[i])<<16|uint32(d[i])<<24)
		}
	case 8:
		a, b, c, d := src[:n], src[n:2*n], src[2*n:3*n], src[3*n:4*n]
		e, f, g, h := src[4*n:5*n], src[5*n:6*n], src[6*n:7*n], src[7*n:]
		for i, v := range a {
			lo := uint32(v) | uint32(b[i])<<8 | uint32(c[i])<<16 | uint32(d[i])<<24
			hi := uint32(e[i]) | uint32(f[i])<<8 | uint32(g[i])<<16 | uint32(h[i])<<24
			binary.LittleEndian.PutUint64(out[8*i:], uint64(lo)|uint64(hi)<<32)
		}
	default:
		for j := range width {
			stream := src[j*n : (j+1)*n]
			for i, v := range stream {
				out[i*width+j] = v
			}
		}
	}
	return dst, nil
}

// AppendSplit appends the PLAIN values of width bytes as BYTE_STREAM_SPLIT.
// len(values) must be a multiple of width.
func AppendSplit(dst, values []byte, width int) []byte {
	if len(values) == 0 {
		return dst
	}
	n := len(values) / width
	at := len(dst)
	dst = extend(dst, n*width)
	for j := range width {
		stream := dst[at+j*n : at+(j+1)*n]
		for i := range stream {
			stream[i] = values[i*width+j]
		}
	}
	return dst
}
