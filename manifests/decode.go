package manifests

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// Decoders of what parquetWriter writes. They take how many values there must be from
// their caller, who has bounded it, and never make room by what the bytes claim.

var (
	errShort  = errors.New("ends early")
	errBroken = errors.New("is not well-formed")
)

// checkThrift walks a struct of thrift's compact protocol at the start of b and returns
// its length. What it passes has no length or count that the bytes do not bear out, and
// can so be decoded without surprise: elements of lists take a byte at least, structs in
// lists three.
//
// Format: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
func checkThrift(b []byte) (int, error) {
	rest, err := skipStruct(b, 0)
	return len(b) - len(rest), err
}

// Types of the compact protocol.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI64    = 6 // as 4 and 5: a varint
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftStruct = 12

	maxThriftDepth = 16
)

func skipStruct(b []byte, depth int) ([]byte, error) {
	if depth > maxThriftDepth {
		return nil, errBroken
	}
	for {
		if len(b) == 0 {
			return nil, errShort
		}
		head := b[0]
		b = b[1:]
		if head == thriftStop {
			return b, nil
		}
		var err error
		if head>>4 == 0 { // the field's number comes in full
			if _, b, err = uvarint(b); err != nil {
				return nil, err
			}
		}
		if kind := head & 15; kind != thriftTrue && kind != thriftFalse { // these are their value
			if b, err = skipValue(b, kind, depth); err != nil {
				return nil, err
			}
		}
	}
}

func skipValue(b []byte, kind byte, depth int) (rest []byte, err error) {
	n := uint64(0) // bytes to skip
	switch {
	case kind <= thriftByte:
		n = 1
	case kind <= thriftI64:
		_, b, err = uvarint(b)
	case kind == thriftDouble:
		n = 8
	case kind == thriftBinary:
		n, b, err = uvarint(b)
	case kind == thriftList, kind == thriftSet:
		return skipList(b, depth+1)
	case kind == thriftStruct:
		return skipStruct(b, depth+1)
	default: // maps: no struct that we read has one
		return nil, errBroken
	}
	if err != nil {
		return nil, err
	}
	if n > uint64(len(b)) {
		return nil, errShort
	}
	return b[n:], nil
}

func skipList(b []byte, depth int) ([]byte, error) {
	if len(b) == 0 {
		return nil, errShort
	}
	n, kind := uint64(b[0]>>4), b[0]&15
	b = b[1:]
	var err error
	if n == 15 {
		if n, b, err = uvarint(b); err != nil {
			return nil, err
		}
	}
	least := uint64(1)
	if kind == thriftStruct {
		least = 3
	}
	if n > uint64(len(b))/least {
		return nil, errShort
	}
	for range n {
		if b, err = skipValue(b, kind, depth); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func uvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, errShort
	}
	return v, b[n:], nil
}

// decodeHybrid appends n values of the RLE/bit-packed hybrid to dst.
//
// Format: https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE
func decodeHybrid[T uint8 | int32](dst []T, b []byte, width, n int) ([]T, error) {
	if width > 31 {
		return nil, errBroken
	}
	for n > 0 {
		head, rest, err := uvarint(b)
		if err != nil {
			return nil, err
		}
		b = rest
		if head&1 == 0 {
			size := (width + 7) / 8
			if len(b) < size {
				return nil, errShort
			}
			run := int(min(head>>1, uint64(n)))
			if run == 0 {
				return nil, errBroken
			}
			v := T(unpack(b[:size], 0, size*8))
			b = b[size:]
			for range run {
				dst = append(dst, v)
			}
			n -= run
			continue
		}
		groups := head >> 1
		if groups == 0 || groups*uint64(width) > uint64(len(b)) {
			return nil, errShort
		}
		run := int(min(groups*8, uint64(n)))
		for i := range run {
			dst = append(dst, T(unpack(b, i*width, width)))
		}
		b = b[groups*uint64(width):]
		n -= run
	}
	return dst, nil
}

// unpack returns width bits of b from a bit on, the lowest first.
func unpack(b []byte, from, width int) uint64 {
	if width == 0 {
		return 0
	}
	at, shift := from/8, from%8
	var word, above uint64
	if len(b)-at >= 8 {
		word = binary.LittleEndian.Uint64(b[at:])
	} else {
		for i, c := range b[at:] {
			word |= uint64(c) << (8 * i)
		}
	}
	if shift+width > 64 {
		above = uint64(b[at+8])
	}
	return (word>>shift | above<<(64-shift)) & (1<<width - 1)
}

// decodeDelta appends n values of DELTA_BINARY_PACKED to dst and returns what follows
// them.
//
// Format: https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTAENC
func decodeDelta(dst []int64, b []byte, n int) ([]int64, []byte, error) {
	var head [4]uint64 // block size, blocks' miniblocks, values, first value
	for i := range head {
		var err error
		if head[i], b, err = uvarint(b); err != nil {
			return nil, nil, err
		}
	}
	block, minis := head[0], head[1]
	if block == 0 || block > 1<<16 || block%128 != 0 || minis == 0 || minis > 512 || block/minis%32 != 0 || block%minis != 0 || head[2] != uint64(n) {
		return nil, nil, errBroken
	}
	if n == 0 {
		return dst, b, nil
	}
	perMini := int(block / minis)
	last := unzigzag(head[3])
	dst = append(dst, last)
	for n--; n > 0; {
		low, rest, err := uvarint(b)
		if err != nil || uint64(len(rest)) < minis {
			return nil, nil, errShort
		}
		widths := rest[:minis]
		b = rest[minis:]
		for _, w := range widths {
			if n == 0 {
				break // widths of miniblocks without values may be anything
			}
			width := int(w)
			if width > 64 || len(b) < width*perMini/8 {
				return nil, nil, errShort
			}
			for i := range min(n, perMini) {
				last += unzigzag(low) + int64(unpack(b, i*width, width))
				dst = append(dst, last)
			}
			n -= min(n, perMini)
			b = b[width*perMini/8:]
		}
	}
	return dst, b, nil
}

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// texts are byte strings, one after the other.
type texts struct {
	data []byte
	ends []uint32
}

func (t *texts) reset() { t.data, t.ends = t.data[:0], t.ends[:0] }

func (t *texts) len() int { return len(t.ends) }

func (t *texts) at(i int) []byte {
	if i == 0 {
		return t.data[:t.ends[0]]
	}
	return t.data[t.ends[i-1]:t.ends[i]]
}

// decodePlain fills t with n strings in PLAIN encoding.
func (t *texts) decodePlain(b []byte, n int) error {
	t.reset()
	for range n {
		if len(b) < 4 || uint64(len(b)-4) < uint64(binary.LittleEndian.Uint32(b)) {
			return errShort
		}
		size := binary.LittleEndian.Uint32(b)
		t.data = append(t.data, b[4:4+size]...)
		t.ends = append(t.ends, uint32(len(t.data)))
		b = b[4+size:]
	}
	return nil
}

// decodeLengths fills t with n strings of DELTA_LENGTH_BYTE_ARRAY.
func (t *texts) decodeLengths(b []byte, n int, scratch *[]int64) error {
	t.reset()
	lengths, b, err := decodeDelta((*scratch)[:0], b, n)
	if err != nil {
		return err
	}
	*scratch = lengths
	for _, size := range lengths {
		if size < 0 || size > int64(len(b)) {
			return errShort
		}
		t.data = append(t.data, b[:size]...)
		t.ends = append(t.ends, uint32(len(t.data)))
		b = b[size:]
	}
	return nil
}

// decodePrefixes fills t with n strings of DELTA_BYTE_ARRAY, none longer than limit:
// a string costs no bytes where it repeats the one before.
func (t *texts) decodePrefixes(b []byte, n, limit int, scratch *[]int64) error {
	t.reset()
	lengths, b, err := decodeDelta((*scratch)[:0], b, n)
	if err == nil {
		lengths, b, err = decodeDelta(lengths, b, n)
	}
	if err != nil {
		return err
	}
	*scratch = lengths
	last := 0
	for i := range n {
		prefix, size := lengths[i], lengths[n+i]
		if prefix < 0 || size < 0 || prefix > int64(last) || size > int64(len(b)) || prefix+size > int64(limit) {
			return errShort
		}
		start := len(t.data)
		t.data = append(t.data, t.data[start-last:start-last+int(prefix)]...)
		t.data = append(t.data, b[:size]...)
		t.ends = append(t.ends, uint32(len(t.data)))
		last = len(t.data) - start
		b = b[size:]
	}
	return nil
}

// levelWidth is the number of bits of levels up to limit.
func levelWidth(limit uint8) int { return bits.Len8(limit) }
