package rewrite

import (
	"encoding/binary"

	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
)

// Bytes is a sequence of byte strings: value i ends at Ends[i] in Data and begins where its predecessor ends, value 0
// at First.
type Bytes struct {
	Data  []byte
	Ends  []uint32
	First uint32
}

// Len returns the number of values.
func (b Bytes) Len() int { return len(b.Ends) }

// At returns value i, which shares the memory of Data.
func (b Bytes) At(i int) []byte {
	lo := b.First
	if i > 0 {
		lo = b.Ends[i-1]
	}
	return b.Data[lo:b.Ends[i]:b.Ends[i]]
}

// A Vector holds one column's values in the rows of a batch. Values are in slots: one for each row, or, where the column
// is repeated, one for each element of the innermost list.
type Vector struct {
	// Offsets is nil where the column is not repeated: slot i is row i. Otherwise row i has the slots Offsets[i] up to
	// Offsets[i+1]; null and empty lists have none.
	Offsets []int32
	// Null says which slots are null; nil where none is.
	Null []bool
	// Dict is not nil where the values are dictionary-coded: Index[i] is the entry of slot i, below Dict.Len(); 0 where
	// it is null. The pointer is the same in all batches of a row group.
	Dict  *Dictionary
	Index []int32
	// Ints holds Boolean (0, 1), Int32 (sign-extended) and Int64 values; null slots are 0.
	Ints []int64
	// Bytes holds ByteArray, FixedLenByteArray and Int96 (12 bytes) values; null slots are empty.
	Bytes Bytes
}

// A Dictionary holds the distinct values to which a chunk's dictionary-coded pages refer. It does not change.
type Dictionary struct {
	ints  []int64
	bytes encoding.Bytes
}

// Len returns the number of entries.
func (d *Dictionary) Len() int { return max(len(d.ints), len(d.bytes.Ends)) }

// Int returns entry i of a Boolean (0, 1), Int32 or Int64 column.
func (d *Dictionary) Int(i int) int64 { return d.ints[i] }

// Bytes returns entry i of a ByteArray, FixedLenByteArray or Int96 column, which must not be changed.
func (d *Dictionary) Bytes(i int) []byte { return d.bytes.At(i) }

// loadDictionary decompresses the body of a dictionary page: its entries, PLAIN.
func loadDictionary(c *codec.Codec, id codec.ID, h *pageHeader, body []byte) ([]byte, error) {
	if h.encoding != encPlain && h.encoding != encPlainDictionary {
		return nil, corruptf("a dictionary of encoding %d", h.encoding)
	}
	if int64(h.values) > 8*int64(h.rawSize)+1 {
		return nil, corruptf("a dictionary of %d entries in %d bytes", h.values, h.rawSize)
	}
	return decompress(c, nil, id, body, h.rawSize)
}

// parseDictionary decodes n PLAIN values.
func parseDictionary(col *Column, plain []byte, n int) (*Dictionary, error) {
	d := &Dictionary{}
	v := values{ints: d.ints, bytes: d.bytes}
	if err := v.decode(col, encPlain, plain, n, nil); err != nil {
		return nil, err
	}
	d.ints, d.bytes = v.ints, v.bytes
	return d, nil
}

// values are decoded values, without nulls: ints for Boolean, Int32, Int64, bytes for the others. The rest is scratch.
type values struct {
	ints  []int64
	bytes encoding.Bytes
	bits  encoding.Bitmap
	plain []byte
}

// Memory returns the bytes that v keeps for the next values.
func (v *values) Memory() int {
	return 8*cap(v.ints) + cap(v.bytes.Data) + 4*cap(v.bytes.Ends) + cap(v.plain)
}

// decode appends the n values of a section of any encoding but a dictionary's. last is the value before the first, for
// writers that let a page's first DELTA_BYTE_ARRAY prefix refer to the page before.
func (v *values) decode(col *Column, enc encodingID, src []byte, n int, last []byte) error {
	var err error
	switch col.Physical {
	case Boolean:
		v.bits.Reset()
		if err := decodeBools(&v.bits, enc, src, n); err != nil {
			return err
		}
		for i := range n {
			var b int64
			if v.bits.Get(i) {
				b = 1
			}
			v.ints = append(v.ints, b)
		}
		return nil
	case Int32, Int64:
		width := col.width()
		switch enc {
		case encPlain:
		case encDeltaBinary:
			v.ints, _, err = encoding.DecodeDelta(v.ints, src, 8*width, n)
			return err
		case encSplit:
			if v.plain, err = encoding.DecodeSplit(v.plain[:0], src, width, n); err != nil {
				return err
			}
			src = v.plain
		default:
			return badEncoding(col, enc)
		}
		if width == 4 {
			v.ints, err = encoding.DecodeInt32s(v.ints, src, n)
		} else {
			v.ints, err = encoding.DecodeInt64s(v.ints, src, n)
		}
		return err
	}
	return v.decodeBytes(col, enc, src, n, last)
}

func (v *values) decodeBytes(col *Column, enc encodingID, src []byte, n int, last []byte) error {
	var err error
	width := col.width()
	switch {
	case enc == encPlain && col.Physical == ByteArray:
		_, err = encoding.DecodeByteArrays(&v.bytes, src, n)
	case enc == encPlain:
		err = encoding.DecodeFixed(&v.bytes, src, width, n)
	case enc == encSplit && col.Physical != ByteArray && col.Physical != Int96:
		if v.plain, err = encoding.DecodeSplit(v.plain[:0], src, width, n); err == nil {
			err = encoding.DecodeFixed(&v.bytes, v.plain, width, n)
		}
	case enc == encDeltaLength && col.Physical == ByteArray:
		err = encoding.DecodeDeltaLengths(&v.bytes, src, n)
	case enc == encDeltaBytes && (col.Physical == ByteArray || col.Physical == FixedLenByteArray):
		before := v.bytes.Len()
		err = encoding.DecodeDeltaStrings(&v.bytes, src, n, maxDeltaBytes(col, n, len(src)), last)
		if err == nil && col.Physical == FixedLenByteArray {
			err = checkWidth(&v.bytes, before, width)
		}
	default:
		err = badEncoding(col, enc)
	}
	return err
}

// maxDeltaBytes bounds what a DELTA_BYTE_ARRAY section decodes to: its prefixes can stand for the square of its bytes.
func maxDeltaBytes(col *Column, n, size int) int {
	if col.Physical == FixedLenByteArray {
		return n * col.TypeLength
	}
	return min(64<<20+64*size, 1<<31)
}

func checkWidth(b *encoding.Bytes, from, width int) error {
	for i := from; i < b.Len(); i++ {
		if len(b.At(i)) != width {
			return corruptf("a value of %d bytes in a column of %d", len(b.At(i)), width)
		}
	}
	return nil
}

func decodeBools(dst *encoding.Bitmap, enc encodingID, src []byte, n int) error {
	switch enc {
	case encPlain:
		return encoding.DecodeBools(dst, src, n)
	case encRLE:
		if n == 0 {
			return nil
		}
		if len(src) < 4 || uint64(binary.LittleEndian.Uint32(src)) > uint64(len(src)-4) {
			return corruptf("booleans end too early")
		}
		_, err := encoding.DecodeLevelBits(dst, src[4:4+binary.LittleEndian.Uint32(src)], n)
		return err
	}
	return corruptf("booleans of encoding %d", enc)
}

// appendBytes appends one value to bytes, which must stay below 4 GiB.
func (v *values) appendBytes(b []byte) {
	v.bytes.Data = append(v.bytes.Data, b...)
	v.bytes.Ends = append(v.bytes.Ends, uint32(len(v.bytes.Data)))
}

func badEncoding(col *Column, enc encodingID) error {
	switch enc {
	case encPlain, encRLE, encBitPacked, encDeltaBinary, encDeltaLength, encDeltaBytes, encSplit:
		return corruptf("%s values of encoding %d", col.Physical, enc)
	}
	return unsupportedf("%s values of encoding %d", col.Physical, enc)
}
