package thrift

import (
	"encoding/binary"
	"slices"
)

// Append appends the encoded struct to dst.
func (s Struct) Append(dst []byte) []byte {
	const header = 4 // bytes before a field, at most
	n := 1
	for _, f := range s {
		n += header + len(f.Raw)
	}
	dst = slices.Grow(dst, n)
	last := int16(0)
	for _, f := range s {
		dst = AppendField(dst, last, f)
		last = f.ID
	}
	return append(dst, 0)
}

// AppendField appends a field whose predecessor in the struct is last (0 at the start).
func AppendField(dst []byte, last int16, f Field) []byte {
	if d := int(f.ID) - int(last); d > 0 && d <= 15 {
		dst = append(dst, byte(d)<<4|byte(f.Type))
	} else {
		dst = append(dst, byte(f.Type))
		dst = AppendInt(dst, int64(f.ID))
	}
	return append(dst, f.Raw...)
}

// AppendInt appends a zigzag integer.
func AppendInt(dst []byte, v int64) []byte {
	return binary.AppendUvarint(dst, uint64(v)<<1^uint64(v>>63))
}

// AppendBytes appends a length and the bytes.
func AppendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// AppendListHeader appends the header of a list of n elements.
func AppendListHeader(dst []byte, elem Type, n int) []byte {
	if n < 15 {
		return append(dst, byte(n)<<4|byte(elem))
	}
	return binary.AppendUvarint(append(dst, 0xf0|byte(elem)), uint64(n))
}

// Int32Field returns an I32 field.
func Int32Field(id int16, v int32) Field {
	return Field{ID: id, Type: I32, Raw: newInt(int64(v))}
}

// Int64Field returns an I64 field.
func Int64Field(id int16, v int64) Field { return Field{ID: id, Type: I64, Raw: newInt(v)} }

// Int16Field returns an I16 field.
func Int16Field(id int16, v int16) Field {
	return Field{ID: id, Type: I16, Raw: newInt(int64(v))}
}

// newInt is AppendInt to new memory, which is asked for once.
func newInt(v int64) []byte { return AppendInt(make([]byte, 0, binary.MaxVarintLen64), v) }

// BoolField returns a boolean field.
func BoolField(id int16, v bool) Field {
	if v {
		return Field{ID: id, Type: True}
	}
	return Field{ID: id, Type: False}
}

// BytesField returns a binary field.
func BytesField(id int16, v []byte) Field {
	return Field{ID: id, Type: Binary, Raw: AppendBytes(nil, v)}
}

// StructField returns a struct field.
func StructField(id int16, s Struct) Field {
	return Field{ID: id, Type: StrucT, Raw: s.Append(nil)}
}

// ListField returns a list field of n elements that are encoded in elems, one after the other.
func ListField(id int16, elem Type, n int, elems []byte) Field {
	return Field{ID: id, Type: ListT, Raw: append(AppendListHeader(nil, elem, n), elems...)}
}
