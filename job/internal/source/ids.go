package source

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"

	"assent/job/parquet"
	"assent/schema"
)

// IDForm says how the values of a column become canonical ids: the
// text by which all inputs are compared.
type IDForm uint8

const (
	idText IDForm = iota // strings and byte arrays, as they are
	idInt                // decimal
	idUint32
	idUint64
	idUUID    // 16 bytes, as lower-case hyphenated text
	idDecimal // bytes of an integer: big-endian two's complement
	idBool    // "true" and "false"; of codes, never of ids
)

// inBytes reports whether the form's values are the vector's bytes.
func (form IDForm) inBytes() bool { return form == idText || form == idUUID || form == idDecimal }

func idFormOf(c *parquet.Column) (IDForm, bool) {
	if c.Logical.Kind == parquet.Decimal {
		switch {
		case c.Logical.Scale != 0:
			return 0, false
		case c.Physical == parquet.Int32 || c.Physical == parquet.Int64:
			return idInt, true
		}
		return idDecimal, c.Physical == parquet.FixedLenByteArray || c.Physical == parquet.ByteArray
	}
	switch c.Physical {
	case parquet.ByteArray:
		switch c.Logical.Kind {
		case parquet.None, parquet.String, parquet.Enum, parquet.Other:
			return idText, true
		}
	case parquet.FixedLenByteArray:
		switch {
		case c.Logical.Kind == parquet.UUID && c.TypeLength == 16:
			return idUUID, true
		case c.Logical.Kind == parquet.None, c.Logical.Kind == parquet.Other:
			return idText, true
		}
	case parquet.Int32, parquet.Int64:
		switch c.Logical.Kind {
		case parquet.None:
			return idInt, true
		case parquet.Int:
			switch {
			case c.Logical.Signed:
				return idInt, true
			case c.Physical == parquet.Int32:
				return idUint32, true
			default:
				return idUint64, true
			}
		}
	}
	return 0, false
}

// IDs returns the values of a vector that is not dictionary-coded as canonical ids,
// nulls as empty ones. scratch holds them where they are not the vector's own.
func (form IDForm) IDs(v *parquet.Vector, scratch *parquet.Bytes) parquet.Bytes {
	return form.Range(v, 0, max(len(v.Ints), v.Bytes.Len()), scratch)
}

// Range is IDs for the slots from lo up to hi of any vector.
func (form IDForm) Range(v *parquet.Vector, lo, hi int, scratch *parquet.Bytes) parquet.Bytes {
	if form == idText && v.Dict == nil {
		return v.Bytes.Slice(lo, hi)
	}
	scratch.Data, scratch.Ends = scratch.Data[:0], scratch.Ends[:0]
	for i := lo; i < hi; i++ {
		scratch.Data = form.Append(scratch.Data, v, i)
		scratch.Ends = append(scratch.Ends, uint32(len(scratch.Data)))
	}
	return *scratch
}

// Entries is IDs for the entries of a dictionary.
func (form IDForm) Entries(d *parquet.Dictionary, scratch *parquet.Bytes) parquet.Bytes {
	scratch.Data, scratch.Ends = scratch.Data[:0], scratch.Ends[:0]
	for i := range d.Len() {
		scratch.Data = form.appendEntry(scratch.Data, d, i)
		scratch.Ends = append(scratch.Ends, uint32(len(scratch.Data)))
	}
	return *scratch
}

func (form IDForm) appendEntry(dst []byte, d *parquet.Dictionary, i int) []byte {
	if form.inBytes() {
		return form.appendBytes(dst, d.Bytes(i))
	}
	return form.appendInt(dst, d.Int(i))
}

// Append appends the canonical form of one slot; nothing where it is null.
func (form IDForm) Append(dst []byte, v *parquet.Vector, slot int) []byte {
	switch {
	case v.Null != nil && v.Null[slot]:
		return dst
	case v.Dict != nil:
		return form.appendEntry(dst, v.Dict, int(v.Index[slot]))
	case form.inBytes():
		return form.appendBytes(dst, v.Bytes.At(slot))
	default:
		return form.appendInt(dst, v.Ints[slot])
	}
}

// AppendPlain appends the canonical form of a PLAIN value, given without a length.
func (form IDForm) AppendPlain(dst, value []byte) []byte {
	switch {
	case form.inBytes():
		return form.appendBytes(dst, value)
	case len(value) == 4:
		return form.appendInt(dst, int64(int32(binary.LittleEndian.Uint32(value))))
	}
	return form.appendInt(dst, int64(binary.LittleEndian.Uint64(value)))
}

func (form IDForm) appendBytes(dst, value []byte) []byte {
	switch form {
	case idUUID:
		return schema.AppendUUID(dst, value)
	case idDecimal:
		return appendDecimal(dst, value)
	default:
		return append(dst, value...)
	}
}

func (form IDForm) appendInt(dst []byte, v int64) []byte {
	switch form {
	case idUint32:
		return schema.AppendUintID(dst, uint64(uint32(v)))
	case idUint64:
		return schema.AppendUintID(dst, uint64(v))
	case idBool:
		return strconv.AppendBool(dst, v != 0)
	default:
		return schema.AppendIntID(dst, v)
	}
}

// maxDecimal is the most bytes of an integer that is an id: 76 digits, as the widest
// decimals in use have.
const maxDecimal = 32

// appendDecimal appends an integer of big-endian two's complement. Of no bytes, or too
// many, it appends nothing, as of a null.
func appendDecimal(dst, value []byte) []byte {
	if v, ok := decimalInt(value); ok {
		return schema.AppendIntID(dst, v)
	}
	value = trimSign(value)
	if len(value) == 0 || len(value) > maxDecimal {
		return dst
	}
	n := new(big.Int).SetBytes(value)
	if value[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(value))))
	}
	return n.Append(dst, 10)
}

// decimalInt is the integer where it fits.
func decimalInt(value []byte) (v int64, ok bool) {
	value = trimSign(value)
	if len(value) == 0 || len(value) > 8 {
		return 0, false
	}
	v = int64(int8(value[0]))
	for _, b := range value[1:] {
		v = v<<8 | int64(b)
	}
	return v, true
}

// trimSign cuts leading bytes that only repeat the sign.
func trimSign(b []byte) []byte {
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	return b
}

// integerAt returns the integer in a slot that is not null, or the nearest int64.
func (form IDForm) integerAt(v *parquet.Vector, slot int) int64 {
	if form == idDecimal {
		if v.Dict != nil {
			return nearestInt(v.Dict.Bytes(int(v.Index[slot])))
		}
		return nearestInt(v.Bytes.At(slot))
	}
	var n int64
	if v.Dict != nil {
		n = v.Dict.Int(int(v.Index[slot]))
	} else {
		n = v.Ints[slot]
	}
	switch {
	case form == idUint32:
		return int64(uint32(n))
	case form == idUint64 && n < 0:
		return math.MaxInt64
	}
	return n
}

// fitsInt64 reports whether integerAt is the value of a slot exactly.
func (form IDForm) fitsInt64(v *parquet.Vector, slot int) bool {
	switch n := form.integerAt(v, slot); {
	case form == idUint64:
		return n != math.MaxInt64
	case form == idDecimal:
		return n != math.MaxInt64 && n != math.MinInt64
	}
	return true
}

func nearestInt(value []byte) int64 {
	if v, ok := decimalInt(value); ok {
		return v
	}
	if len(value) > 0 && value[0] >= 0x80 {
		return math.MinInt64
	}
	return math.MaxInt64
}
