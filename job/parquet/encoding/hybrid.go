package encoding

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// A hybrid walks the runs of an RLE/bit-packed hybrid:
//
//	run        = varint(count << 1)      value, (width+7)/8 bytes
//	           | varint(groups << 1 | 1) groups of 8 values, width bytes each
//
// It is told how many values are wanted, and yields no more.
type hybrid struct {
	src   []byte
	pos   int
	width int
	want  int // values still to come
}

// A run is count values: all equal to value, or where packed is not nil, those at
// its beginning.
type run struct {
	count  int
	value  uint32
	packed []byte // the run and all that follows it in the section: loads may reach over
}

// next returns the next run, of at least one value. The caller stops at want 0.
func (h *hybrid) next() (run, error) {
	for {
		header, k := binary.Uvarint(h.src[h.pos:min(len(h.src), h.pos+5)])
		if k <= 0 || header > 1<<32-1 {
			return run{}, h.short()
		}
		h.pos += k
		count := int(header >> 1)
		if header&1 == 0 {
			size := (h.width + 7) / 8
			if len(h.src)-h.pos < size {
				return run{}, h.short()
			}
			var b [4]byte
			copy(b[:], h.src[h.pos:h.pos+size])
			h.pos += size
			if count == 0 {
				continue
			}
			count = min(count, h.want)
			h.want -= count
			return run{count: count, value: binary.LittleEndian.Uint32(b[:])}, nil
		}
		if count == 0 {
			continue
		}
		if h.width == 0 {
			count = int(min(uint64(count)*8, uint64(h.want)))
			h.want -= count
			return run{count: count}, nil
		}
		// Some writers leave out the padding of the last group.
		values := int(min(uint64(count)*8, uint64(h.want)))
		packed := h.src[h.pos:]
		if (values*h.width+7)/8 > len(packed) {
			return run{}, h.short()
		}
		h.pos += int(min(uint64(count)*uint64(h.width), uint64(len(packed))))
		h.want -= values
		return run{count: values, packed: packed}, nil
	}
}

func (h *hybrid) short() error {
	return fmt.Errorf("%w: run-length section cut short, %d values missing", ErrCorrupt, h.want)
}

// DecodeLevels appends the n levels, none above maxLevel, that the hybrid at the
// start of src holds, and returns how many bytes of src that took. Bytes that
// follow the n levels are left alone, and so is the padding of a last bit-packed
// group. The 4-byte length of a V1 section is the caller's. Where maxLevel is 0
// there is nothing to read: n zeros, no bytes.
func DecodeLevels(dst []uint8, src []byte, maxLevel uint8, n int) ([]uint8, int, error) {
	at := len(dst)
	dst = extend(dst, n)
	out := dst[at:]
	if maxLevel == 0 {
		clear(out)
		return dst, 0, nil
	}
	h := hybrid{src: src, width: bits.Len8(maxLevel), want: n}
	for h.want > 0 {
		r, err := h.next()
		if err != nil {
			return dst, h.pos, err
		}
		if r.packed == nil {
			if r.value > uint32(maxLevel) {
				return dst, h.pos, errLevel(r.value, maxLevel)
			}
			fill(out[:r.count], uint8(r.value))
		} else {
			unpackLevels(out[:r.count], r.packed, h.width)
		}
		out = out[r.count:]
	}
	return dst, h.pos, checkLevels(dst[at:], maxLevel)
}

// fill sets all elements to v.
func fill[T any](s []T, v T) {
	if len(s) == 0 {
		return
	}
	s[0] = v
	for n := 1; n < len(s); n *= 2 {
		copy(s[n:], s[:n])
	}
}

func errLevel(level uint32, maxLevel uint8) error {
	return fmt.Errorf("%w: level %d is above the maximum %d", ErrCorrupt, level, maxLevel)
}

// checkLevels returns an error if a level is above maxLevel.
func checkLevels(levels []uint8, maxLevel uint8) error {
	if maxLevel&(maxLevel+1) == 0 {
		return nil // all values of its bit width are levels
	}
	for _, v := range levels {
		if v > maxLevel {
			return errLevel(uint32(v), maxLevel)
		}
	}
	return nil
}

// DecodeLevelBits is DecodeLevels for a maxLevel of 1, into bits: set is 1. It
// also decodes RLE booleans, whose 4-byte length is the caller's too.
func DecodeLevelBits(dst *Bitmap, src []byte, n int) (int, error) {
	h := hybrid{src: src, width: 1, want: n}
	for h.want > 0 {
		r, err := h.next()
		switch {
		case err != nil:
			return h.pos, err
		case r.packed != nil:
			dst.appendBytes(r.packed, r.count)
		case r.value > 1:
			return h.pos, errLevel(r.value, 1)
		default:
			dst.AppendRun(r.value == 1, r.count)
		}
	}
	return h.pos, nil
}

// DecodeLegacyLevels appends the n levels, none above maxLevel, of a section in
// the deprecated BIT_PACKED encoding (most significant bit first, no length), and
// returns how many bytes of src that took.
func DecodeLegacyLevels(dst []uint8, src []byte, maxLevel uint8, n int) ([]uint8, int, error) {
	width := bits.Len8(maxLevel)
	size := n/8*width + (n%8*width+7)/8
	if width > 0 && n/8 > len(src) || size > len(src) {
		return dst, 0, fmt.Errorf("%w: bit-packed levels cut short", ErrCorrupt)
	}
	at := len(dst)
	dst = extend(dst, n)
	mask := uint(1)<<width - 1
	var acc uint // of its low bits, the lowest have are not yet taken
	have := 0
	for i := range dst[at:] {
		if have < width {
			acc = acc<<8 | uint(src[0])
			src = src[1:]
			have += 8
		}
		have -= width
		dst[at+i] = uint8(acc >> have & mask)
	}
	return dst, size, checkLevels(dst[at:], maxLevel)
}

// DecodeIndices appends the n dictionary indices of a values section: one byte of
// bit width, then a hybrid. An index that is not below dictLen is an error. Bytes
// after the last index are left alone. A section of no indices may be empty.
func DecodeIndices(dst []int32, src []byte, n, dictLen int) ([]int32, error) {
	if n == 0 {
		return dst, nil
	}
	h, err := openIndices(src, n)
	if err != nil {
		return dst, err
	}
	at := len(dst)
	dst = extend(dst, n)
	out := dst[at:]
	for h.want > 0 {
		r, err := h.next()
		if err != nil {
			return dst, err
		}
		if r.packed == nil {
			fill(out[:r.count], int32(r.value))
		} else {
			unpackIndices(out[:r.count], r.packed, h.width)
		}
		if err := checkIndices(out[:r.count], r, h.width, dictLen); err != nil {
			return dst, err
		}
		out = out[r.count:]
	}
	return dst, nil
}

// openIndices reads the bit width of a section of indices.
func openIndices(src []byte, n int) (hybrid, error) {
	if len(src) == 0 {
		return hybrid{}, fmt.Errorf("%w: no dictionary indices, %d missing", ErrCorrupt, n)
	}
	if src[0] > 32 {
		return hybrid{}, fmt.Errorf("%w: dictionary indices of %d bits", ErrCorrupt, src[0])
	}
	return hybrid{src: src, pos: 1, width: int(src[0]), want: n}, nil
}

// checkIndices returns an error if an index of the run r is not below dictLen.
func checkIndices(indices []int32, r run, width, dictLen int) error {
	var top uint32
	switch {
	case r.packed == nil:
		top = r.value
	case width < 32 && 1<<width <= dictLen:
		return nil
	default:
		// The subtraction borrows into the sign bit where an index is too high.
		var bad int64
		last := int64(dictLen) - 1
		for _, v := range indices {
			bad |= last - int64(uint32(v))
		}
		if bad >= 0 {
			return nil
		}
		for _, v := range indices {
			top = max(top, uint32(v))
		}
	}
	if uint64(top) >= uint64(dictLen) {
		return fmt.Errorf("%w: index %d into a dictionary of %d entries", ErrCorrupt, top, dictLen)
	}
	return nil
}

// FilterIndices is DecodeIndices for the keep.Len() indices of src, followed by
// CompactIndices by keep: the indices of the kept values. All are checked.
func FilterIndices(dst []int32, src []byte, keep *Bitmap, dictLen int) ([]int32, error) {
	n := keep.Len()
	if n == 0 {
		return dst, nil
	}
	h, err := openIndices(src, n)
	if err != nil {
		return dst, err
	}
	if keep.Count() == n {
		return DecodeIndices(dst, src, n, dictLen)
	}
	dst = slices.Grow(dst, keep.Count())
	var buf [512]int32
	for at := 0; h.want > 0; {
		r, err := h.next()
		if err != nil {
			return dst, err
		}
		if r.packed == nil {
			if err := checkIndices(nil, r, h.width, dictLen); err != nil {
				return dst, err
			}
			kept := len(dst)
			dst = extend(dst, keep.CountRange(at, at+r.count))
			fill(dst[kept:], int32(r.value))
			at += r.count
			continue
		}
		for r.count > 0 {
			piece := buf[:min(r.count, len(buf))]
			unpackIndices(piece, r.packed, h.width)
			if err := checkIndices(piece, r, h.width, dictLen); err != nil {
				return dst, err
			}
			dst = compact(dst, piece, keep, at)
			at += len(piece)
			r.count -= len(piece)
			r.packed = r.packed[min(len(piece)/8*h.width, len(r.packed)):]
		}
	}
	return dst, nil
}

// Runs shorter than a byte's count of groups are what readers are used to: parquet-mr
// and Arrow write bit-packed runs of at most 63 groups.
const maxPacked = 63 * 8

// minRun returns from how many equal values on a run of their own is smaller: it
// takes a header and a value, and another header for the bit-packed run that it
// interrupts.
func minRun(width int) int {
	cost := 1 + (width+7)/8 + 1
	return (cost + width - 1) / width * 8
}

// AppendLevels appends levels, none above maxLevel, as a hybrid. Where maxLevel
// is 0 it appends nothing. The 4-byte length of a V1 section is the caller's:
//
//	at := len(dst)
//	dst = append(dst, 0, 0, 0, 0)
//	dst = AppendLevels(dst, levels, maxLevel)
//	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
func AppendLevels(dst []byte, levels []uint8, maxLevel uint8) []byte {
	if maxLevel == 0 {
		return dst
	}
	return appendHybrid(dst, levels, bits.Len8(maxLevel), packLevels)
}

// AppendIndices appends a values section of dictionary indices, all below
// dictLen: one byte of bit width, the smallest for dictLen but at least 1, then a
// hybrid.
func AppendIndices(dst []byte, indices []int32, dictLen int) []byte {
	width := max(1, bits.Len32(uint32(dictLen-1)))
	return appendHybrid(append(dst, byte(width)), indices, width, packIndices)
}

func appendHybrid[T uint8 | int32](dst []byte, values []T, width int, pack func([]byte, []T, int) []byte) []byte {
	least := minRun(width)
	for len(values) > 0 {
		// The values up to n go in a bit-packed run, those up to n+same in one of their own.
		n, same := 0, 0
		for n < len(values) && n < maxPacked {
			if group := values[n:]; len(group) >= 8 && equal8((*[8]T)(group)) {
				if same = equalRun(group); same >= least {
					break
				}
			}
			n, same = n+8, 0
		}
		n = min(n, len(values))
		if n > 0 {
			dst = append(dst, byte((n+7)/8<<1|1))
			dst = pack(dst, values[:n], width)
		}
		if same > 0 {
			dst = appendRun(dst, uint32(values[n]), same, width)
		}
		values = values[n+same:]
	}
	return dst
}

// appendRun appends a run of count values v.
func appendRun(dst []byte, v uint32, count, width int) []byte {
	dst = binary.AppendUvarint(dst, uint64(count)<<1)
	for ; width > 0; width -= 8 {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}

// equal8 reports whether all values are equal.
func equal8[T uint8 | int32](s *[8]T) bool {
	v := s[0]
	return (s[1]^v)|(s[2]^v)|(s[3]^v)|(s[4]^v)|(s[5]^v)|(s[6]^v)|(s[7]^v) == 0
}

// equalRun returns how many values at the beginning of s, which is not empty, are
// equal.
func equalRun[T comparable](s []T) int {
	v := s[0]
	for i, w := range s {
		if w != v {
			return i
		}
	}
	return len(s)
}

// AppendLevelBits is AppendLevels for a maxLevel of 1, from bits. It also encodes
// RLE booleans, whose 4-byte length is the caller's too.
func AppendLevelBits(dst []byte, levels *Bitmap) []byte {
	least := minRun(1)
	for at, n := 0, levels.Len(); at < n; {
		header, first, same := len(dst), at, 0
		dst = append(dst, 0)
		for at < n && at < first+maxPacked {
			b := byte(levels.word(at))
			if b == 0 || b == 0xff {
				flip := -uint64(b & 1)
				if same = levels.next(at, flip) - at; same >= least {
					break
				}
			}
			dst = append(dst, b)
			at, same = at+8, 0
		}
		if packed := len(dst) - header - 1; packed > 0 {
			dst[header] = byte(packed<<1 | 1)
		} else {
			dst = dst[:header]
		}
		if same > 0 {
			dst = appendRun(dst, uint32(levels.word(at)&1), same, 1)
			at += same
		}
	}
	return dst
}
