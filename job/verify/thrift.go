package verify

import (
	"encoding/binary"
	"errors"
)

// A footer is compared field by field as its bytes stand, because parquet-go's structs
// lose what they do not know. For that the fields of a struct in thrift's compact
// protocol have to be told apart, and no more.

// field is a field of a struct.
type field struct {
	id    int16
	kind  byte   // as the protocol numbers types; of a boolean it is the value as well
	value []byte // as it stands
}

// Types of the compact protocol.
const (
	kindTrue   = 1
	kindFalse  = 2
	kindByte   = 3
	kindInt16  = 4
	kindInt32  = 5
	kindInt64  = 6
	kindDouble = 7
	kindBinary = 8
	kindList   = 9
	kindSet    = 10
	kindMap    = 11
	kindStruct = 12
	kindUUID   = 13
)

// maxNesting bounds how deep values may nest in each other.
const maxNesting = 64

var errThrift = errors.New("its thrift is malformed")

// fieldsOf returns the fields of a struct and what follows it. They share its bytes.
func fieldsOf(data []byte) (fields []field, rest []byte, err error) {
	fields = make([]field, 0, 8)
	rest, err = structOf(data, maxNesting, func(f field) { fields = append(fields, f) })
	if err != nil {
		return nil, nil, err
	}
	return fields, rest, nil
}

// structOf tells of the fields, where each is not nil, and returns what follows the struct.
func structOf(data []byte, nesting int, each func(field)) (rest []byte, err error) {
	id := int16(0)
	for nesting > 0 && len(data) > 0 {
		head := data[0]
		data = data[1:]
		if head == 0 {
			return data, nil
		}
		if delta := head >> 4; delta != 0 {
			id += int16(delta)
		} else {
			n, size := binary.Varint(data)
			if size <= 0 {
				return nil, errThrift
			}
			id, data = int16(n), data[size:]
		}
		kind := head & 15
		size := 0
		if kind != kindTrue && kind != kindFalse {
			if size, err = sizeOf(data, kind, nesting-1); err != nil {
				return nil, err
			}
		}
		if each != nil {
			each(field{id, kind, data[:size]})
		}
		data = data[size:]
	}
	return nil, errThrift
}

// uvarint is binary.Uvarint, faster for the small numbers that most are.
func uvarint(data []byte) (uint64, int) {
	if len(data) > 0 && data[0] < 0x80 {
		return uint64(data[0]), 1
	}
	return binary.Uvarint(data)
}

// sizeOf returns the length of the value with which data begins.
func sizeOf(data []byte, kind byte, nesting int) (size int, err error) {
	switch kind {
	case kindTrue, kindFalse, kindByte: // a boolean here is an element of a list
		size = 1
	case kindDouble:
		size = 8
	case kindUUID:
		size = 16
	case kindInt16, kindInt32, kindInt64:
		_, size = uvarint(data)
		if size <= 0 {
			return 0, errThrift
		}
	case kindBinary:
		n, head := uvarint(data)
		if head <= 0 || n > uint64(len(data)) {
			return 0, errThrift
		}
		size = head + int(n)
	case kindList, kindSet:
		element, n, rest, err := listHead(data)
		if err != nil {
			return 0, err
		}
		return sizeOfMany(data, rest, n, nesting, element)
	case kindMap:
		n, head := binary.Uvarint(data)
		switch {
		case head <= 0 || n > uint64(len(data)):
			return 0, errThrift
		case n == 0:
			return head, nil
		case head == len(data):
			return 0, errThrift
		}
		return sizeOfMany(data, data[head+1:], int(n), nesting, data[head]>>4, data[head]&15)
	case kindStruct:
		rest, err := structOf(data, nesting, nil)
		return len(data) - len(rest), err
	default:
		return 0, errThrift
	}
	if size > len(data) {
		return 0, errThrift
	}
	return size, nil
}

// listHead returns what a list says of its elements, and these.
func listHead(data []byte) (element byte, n int, rest []byte, err error) {
	if len(data) == 0 {
		return 0, 0, nil, errThrift
	}
	element, n, rest = data[0]&15, int(data[0]>>4), data[1:]
	if n == 15 {
		long, size := binary.Uvarint(rest)
		if size <= 0 || long > uint64(len(rest)) {
			return 0, 0, nil, errThrift
		}
		n, rest = int(long), rest[size:]
	}
	return element, n, rest, nil
}

// sizeOfMany returns the length of data up to behind n groups of values in rest.
func sizeOfMany(data, rest []byte, n, nesting int, kinds ...byte) (int, error) {
	if nesting <= 0 {
		return 0, errThrift
	}
	for range n {
		for _, kind := range kinds {
			size, err := sizeOf(rest, kind, nesting-1)
			if err != nil {
				return 0, err
			}
			rest = rest[size:]
		}
	}
	return len(data) - len(rest), nil
}

// find returns the value of a field; nil where there is none.
func find(fields []field, id int16) []byte {
	for _, f := range fields {
		if f.id == id {
			return f.value
		}
	}
	return nil
}

// textOf returns a string's or a byte array's content; there tells an empty one from
// none.
func textOf(fields []field, id int16) (text string, there bool) {
	value := find(fields, id)
	n, head := binary.Uvarint(value)
	if head <= 0 || uint64(len(value)-head) != n {
		return "", false
	}
	return string(value[head:]), true
}

// structsOf returns the elements of a list of structs.
func structsOf(fields []field, id int16) (all [][]field, err error) {
	value := find(fields, id)
	if value == nil {
		return nil, nil
	}
	element, n, rest, err := listHead(value)
	if err != nil || element != kindStruct && n > 0 {
		return nil, errThrift
	}
	for range n {
		var one []field
		if one, rest, err = fieldsOf(rest); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// without returns a struct's bytes without the field to which a path of field ids
// leads, through structs and lists of structs.
func without(fields []field, path ...int16) ([]byte, error) {
	var out []byte
	id := int16(0)
	for _, f := range fields {
		if f.id == path[0] {
			if len(path) == 1 {
				continue
			}
			var err error
			if f.value, err = withoutBelow(f, path[1:]); err != nil {
				return nil, err
			}
		}
		if delta := f.id - id; delta > 0 && delta < 16 {
			out = append(out, byte(delta)<<4|f.kind)
		} else {
			out = binary.AppendVarint(append(out, f.kind), int64(f.id))
		}
		out = append(out, f.value...)
		id = f.id
	}
	return append(out, 0), nil
}

func withoutBelow(f field, path []int16) ([]byte, error) {
	if f.kind == kindStruct {
		one, _, err := fieldsOf(f.value)
		if err != nil {
			return nil, err
		}
		return without(one, path...)
	}
	all, err := structsOf([]field{f}, f.id)
	if err != nil {
		return nil, err
	}
	out := binary.AppendUvarint([]byte{15<<4 | kindStruct}, uint64(len(all)))
	for _, one := range all {
		bytes, err := without(one, path...)
		if err != nil {
			return nil, err
		}
		out = append(out, bytes...)
	}
	return out, nil
}
