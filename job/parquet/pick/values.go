package pick

import (
	"encoding/binary"
	"fmt"
	"math"

	"assent/job/parquet/encoding"
	"assent/job/parquet/rewrite"
)

// values are decoded values, without nulls: ints for Boolean, Int32 and Int64, bytes
// for the others; or, where dict is set, places in it.
type values struct {
	ints  []int64
	bytes encoding.Bytes
	dict  *values
	index []int32
}

func (v *values) len() int { return max(len(v.ints), v.bytes.Len()) }

// append appends value i to a vector.
func (v *values) append(c *rewrite.Column, i int, out *rewrite.Vector) error {
	if v.dict != nil {
		v, i = v.dict, int(v.index[i])
	}
	if integers(c) {
		out.Ints = append(out.Ints, v.ints[i])
		return nil
	}
	b := v.bytes.At(i)
	if len(out.Bytes.Data) > math.MaxUint32-len(b) {
		return fmt.Errorf("%w: a batch of more than 4 GiB in one column", rewrite.ErrUnsupported)
	}
	out.Bytes.Data = append(out.Bytes.Data, b...)
	out.Bytes.Ends = append(out.Bytes.Ends, uint32(len(out.Bytes.Data)))
	return nil
}

// decode decodes n values of any encoding but a dictionary's.
func (v *values) decode(c *rewrite.Column, enc int, src []byte, n int) (err error) {
	width := c.TypeLength
	switch c.Physical {
	case rewrite.Boolean:
		return v.decodeBools(enc, src, n)
	case rewrite.Int32, rewrite.Float:
		width = 4
	case rewrite.Int64, rewrite.Double:
		width = 8
	case rewrite.ByteArray:
		width = 0
	}
	if enc == encSplit && width > 0 {
		if src, err = encoding.DecodeSplit(nil, src, width, n); err != nil {
			return err
		}
		enc = encPlain
	}
	switch {
	case enc == encPlain && c.Physical == rewrite.Int32:
		v.ints, err = encoding.DecodeInt32s(nil, src, n)
	case enc == encPlain && c.Physical == rewrite.Int64:
		v.ints, err = encoding.DecodeInt64s(nil, src, n)
	case enc == encDeltaBinary && integers(c):
		v.ints, _, err = encoding.DecodeDelta(nil, src, 8*width, n)
	case enc == encPlain && c.Physical == rewrite.ByteArray:
		_, err = encoding.DecodeByteArrays(&v.bytes, src, n)
	case enc == encPlain:
		err = encoding.DecodeFixed(&v.bytes, src, width, n)
	case enc == encDeltaLength && c.Physical == rewrite.ByteArray:
		err = encoding.DecodeDeltaLengths(&v.bytes, src, n)
	case enc == encDeltaBytes && (c.Physical == rewrite.ByteArray || c.Physical == rewrite.FixedLenByteArray):
		err = v.decodePrefixes(c, src, n)
	default:
		err = corruptf("%s values of encoding %d", c.Physical, enc)
	}
	return err
}

func (v *values) decodePrefixes(c *rewrite.Column, src []byte, n int) error {
	// Prefixes can stand for the square of their bytes.
	most := min(64<<20+64*len(src), math.MaxInt32)
	if c.Physical == rewrite.FixedLenByteArray {
		most = n * c.TypeLength
	}
	if err := encoding.DecodeDeltaStrings(&v.bytes, src, n, most, nil); err != nil {
		return err
	}
	for i := range v.bytes.Len() {
		if c.Physical == rewrite.FixedLenByteArray && len(v.bytes.At(i)) != c.TypeLength {
			return corruptf("a value of %d bytes in a column of %d", len(v.bytes.At(i)), c.TypeLength)
		}
	}
	return nil
}

func (v *values) decodeBools(enc int, src []byte, n int) error {
	var bits encoding.Bitmap
	switch {
	case n == 0:
	case enc == encPlain:
		if err := encoding.DecodeBools(&bits, src, n); err != nil {
			return err
		}
	case enc == encRLE && len(src) >= 4 && uint64(binary.LittleEndian.Uint32(src)) <= uint64(len(src)-4):
		if _, err := encoding.DecodeLevelBits(&bits, src[4:4+binary.LittleEndian.Uint32(src)], n); err != nil {
			return err
		}
	default:
		return corruptf("booleans of encoding %d", enc)
	}
	v.ints = make([]int64, n)
	for i := range v.ints {
		if bits.Get(i) {
			v.ints[i] = 1
		}
	}
	return nil
}
