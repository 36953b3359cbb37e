package encoding

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// cut returns the first n values of width bytes of src.
func cut(src []byte, width, n int) ([]byte, error) {
	if n < 0 || width < 0 || width > 0 && n > len(src)/width {
		return nil, fmt.Errorf("%w: %d bytes where %d values of %d are to be", ErrCorrupt, len(src), n, width)
	}
	return src[:n*width], nil
}

// DecodeBools appends the n PLAIN booleans of src.
func DecodeBools(dst *Bitmap, src []byte, n int) error {
	if n/8 > len(src) || (n+7)/8 > len(src) {
		return fmt.Errorf("%w: %d bytes where %d booleans are to be", ErrCorrupt, len(src), n)
	}
	dst.appendBytes(src, n)
	return nil
}

// AppendBools appends PLAIN booleans. (Several pages' worth are gathered as a
// Bitmap first: a byte holds eight.)
func AppendBools(dst []byte, b *Bitmap) []byte {
	at := len(dst)
	for _, w := range b.words {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	return dst[:at+(b.n+7)/8]
}

// DecodeInt32s appends the n PLAIN INT32 of src, sign-extended.
func DecodeInt32s(dst []int64, src []byte, n int) ([]int64, error) {
	src, err := cut(src, 4, n)
	if err != nil {
		return dst, err
	}
	at := len(dst)
	dst = extend(dst, n)
	for i := range dst[at:] {
		dst[at+i] = int64(int32(binary.LittleEndian.Uint32(src[4*i:])))
	}
	return dst, nil
}

// DecodeInt64s appends the n PLAIN INT64 of src.
func DecodeInt64s(dst []int64, src []byte, n int) ([]int64, error) {
	src, err := cut(src, 8, n)
	if err != nil {
		return dst, err
	}
	at := len(dst)
	dst = extend(dst, n)
	for i := range dst[at:] {
		dst[at+i] = int64(le64(src[8*i:]))
	}
	return dst, nil
}

// DecodeFixed appends the n values of width bytes of src.
func DecodeFixed(dst *Bytes, src []byte, width, n int) error {
	src, err := cut(src, width, n)
	if err != nil {
		return err
	}
	if err := dst.room(len(src)); err != nil {
		return err
	}
	end := len(dst.Data)
	dst.Data = append(dst.Data, src...)
	at := len(dst.Ends)
	dst.Ends = extend(dst.Ends, n)
	for i := range dst.Ends[at:] {
		end += width
		dst.Ends[at+i] = uint32(end)
	}
	return nil
}

// byteArrayEnd returns where the PLAIN BYTE_ARRAY value at pos ends, or less than
// pos where it does not fit in src.
func byteArrayEnd(src []byte, pos int) int {
	if len(src)-pos < 4 {
		return -1
	}
	size := int64(binary.LittleEndian.Uint32(src[pos:]))
	if size > int64(len(src)-pos-4) {
		return -1
	}
	return pos + 4 + int(size)
}

func errByteArray(i, n int) error {
	return fmt.Errorf("%w: value %d of %d runs past the end of its section", ErrCorrupt, i, n)
}

// DecodeByteArrays appends the n PLAIN BYTE_ARRAY values of src and returns how
// many bytes of src they take. Their bytes are fewer than src's, so there is no
// limit but that of Bytes.
func DecodeByteArrays(dst *Bytes, src []byte, n int) (int, error) {
	if n > len(src)/4 {
		return 0, errByteArray(len(src)/4, n)
	}
	if err := dst.room(len(src)); err != nil {
		return 0, err
	}
	dst.Data = slices.Grow(dst.Data, len(src)-4*n)
	at := len(dst.Ends)
	dst.Ends = extend(dst.Ends, n)
	pos := 0
	for i := range dst.Ends[at:] {
		end := byteArrayEnd(src, pos)
		if end < 0 {
			return pos, errByteArray(i, n)
		}
		dst.Data = append(dst.Data, src[pos+4:end]...)
		dst.Ends[at+i] = uint32(len(dst.Data))
		pos = end
	}
	return pos, nil
}

// AppendByteArrays appends the values as PLAIN BYTE_ARRAY.
func AppendByteArrays(dst []byte, b *Bytes) []byte {
	dst = slices.Grow(dst, len(b.Data)+4*len(b.Ends))
	var start uint32
	for _, end := range b.Ends {
		dst = binary.LittleEndian.AppendUint32(dst, end-start)
		dst = append(dst, b.Data[start:end]...)
		start = end
	}
	return dst
}

// ScanByteArrays appends the offset in src at which each of the first n PLAIN
// BYTE_ARRAY values ends. Each begins 4 bytes, its length, after the end of its
// predecessor.
func ScanByteArrays(ends []uint32, src []byte, n int) ([]uint32, error) {
	if n > len(src)/4 {
		return ends, errByteArray(len(src)/4, n)
	}
	if uint64(len(src)) > 1<<32-1 {
		return ends, ErrTooLarge
	}
	at := len(ends)
	ends = extend(ends, n)
	pos := 0
	for i := range ends[at:] {
		if pos = byteArrayEnd(src, pos); pos < 0 {
			return ends, errByteArray(i, n)
		}
		ends[at+i] = uint32(pos)
	}
	return ends, nil
}

// FilterFixed appends the kept ones of the keep.Len() PLAIN values of width bytes
// of src (INT32, INT64, INT96, FLOAT, DOUBLE, FIXED_LEN_BYTE_ARRAY). Bytes that
// follow them are left alone. dst may be src[:0]: the kept values then move to its front.
func FilterFixed(dst, src []byte, width int, keep *Bitmap) ([]byte, error) {
	src, err := cut(src, width, keep.n)
	if err != nil {
		return dst, err
	}
	dst = slices.Grow(dst, keep.Count()*width)
	switch width {
	case 4:
		return filter4(dst, src, keep), nil
	case 8:
		return filter8(dst, src, keep), nil
	}
	for lo, hi := keep.Run(0); lo < hi; lo, hi = keep.Run(hi) {
		dst = append(dst, src[lo*width:hi*width]...)
	}
	return dst, nil
}

func filter4(dst, src []byte, keep *Bitmap) []byte {
	for _, w := range keep.words {
		n := bits.OnesCount64(w)
		if n == 64 {
			dst = append(dst, src[:256]...)
			src = src[256:]
			continue
		}
		k := len(dst)
		dst = dst[:k+4*n]
		for out := dst[k:]; len(out) >= 4; out = out[4:] {
			i := bits.TrailingZeros64(w)
			binary.LittleEndian.PutUint32(out, binary.LittleEndian.Uint32(src[4*i:]))
			w &= w - 1
		}
		src = src[min(256, len(src)):]
	}
	return dst
}

func filter8(dst, src []byte, keep *Bitmap) []byte {
	for _, w := range keep.words {
		n := bits.OnesCount64(w)
		if n == 64 {
			dst = append(dst, src[:512]...)
			src = src[512:]
			continue
		}
		k := len(dst)
		dst = dst[:k+8*n]
		for out := dst[k:]; len(out) >= 8; out = out[8:] {
			i := bits.TrailingZeros64(w)
			binary.LittleEndian.PutUint64(out, le64(src[8*i:]))
			w &= w - 1
		}
		src = src[min(512, len(src)):]
	}
	return dst
}

// FilterByteArrays appends the kept ones of the keep.Len() PLAIN BYTE_ARRAY values
// of src, with their lengths. Bytes that follow them are left alone. At most
// len(src) bytes are appended. dst may be src[:0]: the kept values then move to its front.
func FilterByteArrays(dst, src []byte, keep *Bitmap) ([]byte, error) {
	n := keep.n
	pos, at := 0, 0
	for at < n {
		lo, hi := keep.Run(at)
		for ; at < lo; at++ {
			if pos = byteArrayEnd(src, pos); pos < 0 {
				return dst, errByteArray(at, n)
			}
		}
		start := pos
		for ; at < hi; at++ {
			if pos = byteArrayEnd(src, pos); pos < 0 {
				return dst, errByteArray(at, n)
			}
		}
		dst = append(dst, src[start:pos]...)
	}
	return dst, nil
}
