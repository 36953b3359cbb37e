package parquet

import (
	"encoding/binary"

	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
)

// Bytes is a sequence of byte strings. Value i ends at Ends[i] in Data. It begins where the value before it ends, value 0 at
// First.
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

// Slice returns the values from lo up to hi, which share the memory of b.
func (b Bytes) Slice(lo, hi int) Bytes {
	s := Bytes{Data: b.Data, Ends: b.Ends[lo:hi], First: b.First}
	if lo > 0 {
		s.First = b.Ends[lo-1]
	}
	return s
}

// A Vector holds one column's values in the rows of a batch. Values are in slots: one for each row, or, where the column
// is repeated, one for each element of the innermost list.
type Vector struct {
	// Offsets is nil where the column is not repeated: slot i is row i. Otherwise row i has the slots Offsets[i] up to
	// Offsets[i+1]; null and empty lists have none.
	Offsets []int32
	// Null says which slots are null; nil where none is.
	Null []bool
	// Dict is not nil where the values are dictionary-coded: slot i has the entry Index[i], which is below Dict.Len(), and 0 where
	// the slot is null. The pointer is the same in all batches of a row group.
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

// Memory returns the bytes that d holds.
func (d *Dictionary) Memory() int { return 8*cap(d.ints) + cap(d.bytes.Data) + 4*cap(d.bytes.Ends) }

// Int returns entry i of a Boolean (0, 1), Int32 or Int64 column.
func (d *Dictionary) Int(i int) int64 { return d.ints[i] }

// Bytes returns entry i of a ByteArray, FixedLenByteArray or Int96 column, which must not be changed.
func (d *Dictionary) Bytes(i int) []byte { return d.bytes.At(i) }

// LoadDictionary decompresses the body of a dictionary page. It returns the entries as PLAIN, in new memory.
func LoadDictionary(c *codec.Codec, id codec.ID, h *PageHeader, body []byte) ([]byte, error) {
	if h.Encoding != Plain && h.Encoding != PlainDictionary {
		return nil, Corruptf("a dictionary of encoding %d", h.Encoding)
	}
	if int64(h.Values) > 8*int64(h.RawSize)+1 {
		return nil, Corruptf("a dictionary of %d entries in %d bytes", h.Values, h.RawSize)
	}
	return decompress(c, nil, id, body, h.RawSize)
}

// ParseDictionary decodes a dictionary of n PLAIN values. It takes the memory of plain over: byte strings move down in it, each by the
// lengths before it.
func ParseDictionary(col *Column, plain []byte, n int) (*Dictionary, error) {
	d := &Dictionary{}
	v := Values{Bytes: encoding.Bytes{Data: plain[:0]}}
	if err := v.Decode(col, Plain, plain, n, nil); err != nil {
		return nil, err
	}
	d.ints, d.bytes = v.Ints, v.Bytes
	return d, nil
}

// Values are decoded values, without nulls: Ints in a column of Boolean, Int32 or Int64, Bytes in the others. Float and Double
// values are Bytes of 4 and 8 bytes.
type Values struct {
	Ints  []int64
	Bytes encoding.Bytes
	bits  encoding.Bitmap
	plain []byte
}

// Memory returns the bytes that v keeps for the next values.
func (v *Values) Memory() int {
	return 8*cap(v.Ints) + cap(v.Bytes.Data) + 4*cap(v.Bytes.Ends) + cap(v.plain)
}

// Reset empties v and keeps its memory.
func (v *Values) Reset() {
	v.Ints = v.Ints[:0]
	v.Bytes.Reset()
}

// Decode appends the n values of a values section of a page, of any encoding but a dictionary's. last is the last value of the
// page before where Application.CarriesDelta, else nil.
func (v *Values) Decode(col *Column, enc Encoding, src []byte, n int, last []byte) error {
	var err error
	switch col.Physical {
	case Boolean:
		v.bits.Reset()
		if err := DecodeBooleans(&v.bits, enc, src, n); err != nil {
			return err
		}
		for i := range n {
			var b int64
			if v.bits.Get(i) {
				b = 1
			}
			v.Ints = append(v.Ints, b)
		}
		return nil
	case Int32, Int64:
		width := col.Width()
		switch enc {
		case Plain:
		case DeltaBinaryPacked:
			v.Ints, _, err = encoding.DecodeDelta(v.Ints, src, 8*width, n)
			return err
		case ByteStreamSplit:
			if v.plain, err = encoding.DecodeSplit(v.plain[:0], src, width, n); err != nil {
				return err
			}
			src = v.plain
		default:
			return badEncoding(col, enc)
		}
		if width == 4 {
			v.Ints, err = encoding.DecodeInt32s(v.Ints, src, n)
		} else {
			v.Ints, err = encoding.DecodeInt64s(v.Ints, src, n)
		}
		return err
	}
	return v.decodeBytes(col, enc, src, n, last)
}

func (v *Values) decodeBytes(col *Column, enc Encoding, src []byte, n int, last []byte) error {
	var err error
	width := col.Width()
	switch {
	case enc == Plain && col.Physical == ByteArray:
		_, err = encoding.DecodeByteArrays(&v.Bytes, src, n)
	case enc == Plain:
		err = encoding.DecodeFixed(&v.Bytes, src, width, n)
	case enc == ByteStreamSplit && col.Physical != ByteArray && col.Physical != Int96:
		if v.plain, err = encoding.DecodeSplit(v.plain[:0], src, width, n); err == nil {
			err = encoding.DecodeFixed(&v.Bytes, v.plain, width, n)
		}
	case enc == DeltaLengthByteArray && col.Physical == ByteArray:
		err = encoding.DecodeDeltaLengths(&v.Bytes, src, n)
	case enc == DeltaByteArray && (col.Physical == ByteArray || col.Physical == FixedLenByteArray):
		before := v.Bytes.Len()
		err = encoding.DecodeDeltaStrings(&v.Bytes, src, n, maxDeltaBytes(col, n, len(src)), last)
		if err == nil && col.Physical == FixedLenByteArray {
			err = checkWidth(&v.Bytes, before, width)
		}
	default:
		err = badEncoding(col, enc)
	}
	return err
}

// maxDeltaBytes bounds the bytes to which a DELTA_BYTE_ARRAY section decodes. Without it they could be the square of the
// section's bytes, since each value may repeat all of the one before.
func maxDeltaBytes(col *Column, n, size int) int {
	if col.Physical == FixedLenByteArray {
		return n * col.TypeLength
	}
	return min(64<<20+64*size, 1<<31)
}

func checkWidth(b *encoding.Bytes, from, width int) error {
	for i := from; i < b.Len(); i++ {
		if len(b.At(i)) != width {
			return Corruptf("a value of %d bytes in a column of %d", len(b.At(i)), width)
		}
	}
	return nil
}

// DecodeBooleans appends the n values of a values section of a Boolean column.
func DecodeBooleans(dst *encoding.Bitmap, enc Encoding, src []byte, n int) error {
	switch enc {
	case Plain:
		return encoding.DecodeBools(dst, src, n)
	case RLE:
		if n == 0 {
			return nil
		}
		if len(src) < 4 || uint64(binary.LittleEndian.Uint32(src)) > uint64(len(src)-4) {
			return Corruptf("booleans end too early")
		}
		_, err := encoding.DecodeLevelBits(dst, src[4:4+binary.LittleEndian.Uint32(src)], n)
		return err
	}
	return Corruptf("booleans of encoding %d", enc)
}

// AppendBytes appends one value to bytes, which must stay below 4 GiB.
func (v *Values) AppendBytes(b []byte) {
	v.Bytes.Data = append(v.Bytes.Data, b...)
	v.Bytes.Ends = append(v.Bytes.Ends, uint32(len(v.Bytes.Data)))
}

func badEncoding(col *Column, enc Encoding) error {
	switch enc {
	case Plain, RLE, BitPacked, DeltaBinaryPacked, DeltaLengthByteArray, DeltaByteArray, ByteStreamSplit:
		return Corruptf("%s values of encoding %d", col.Physical, enc)
	}
	return Unsupportedf("%s values of encoding %d", col.Physical, enc)
}
