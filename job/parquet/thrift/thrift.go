// Package thrift reads and writes the Thrift compact protocol without a schema, so that nothing is lost
// between reading a Parquet footer and writing it again: fields that nobody here knows keep their bytes.
//
// A [Struct] is the list of its [Field]s as they stood; a field's value stays encoded (Raw) until an accessor
// asks for it, and is written back as it was. A [Reader] is the cursor below it, for the places (page headers)
// where building a Struct would cost too much.
//
// Source of the format: github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
package thrift

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
)

// A Type is a field or element type of the compact protocol.
type Type uint8

// Types of the compact protocol. A boolean field has no bytes: its type is its value. A boolean in a list
// has one byte (1 true, 2 or 0 false) and the element type True.
const (
	Stop   Type = 0
	True   Type = 1
	False  Type = 2
	I8     Type = 3
	I16    Type = 4
	I32    Type = 5
	I64    Type = 6
	Double Type = 7
	Binary Type = 8
	ListT  Type = 9
	SetT   Type = 10
	MapT   Type = 11
	StrucT Type = 12
	UUID   Type = 13
)

// maxDepth bounds the nesting of structs, lists and maps. Parquet's own definitions nest less than ten deep.
const maxDepth = 64

// ErrMalformed is wrapped by every error of this package: the bytes are not of the compact protocol, end too
// early, or do not have the type that was asked for.
var ErrMalformed = errors.New("malformed thrift")

// ErrShort is wrapped where the bytes end before the value does: more of them may help. It wraps ErrMalformed.
var ErrShort = malformed("ends too early")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// A Reader is a cursor over encoded bytes. The first fault sticks: later reads return zeros, and Err tells.
type Reader struct {
	b   []byte
	i   int
	err error
}

// NewReader returns a reader at the start of b.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Err returns the first fault met.
func (r *Reader) Err() error { return r.err }

// Pos returns the number of bytes read.
func (r *Reader) Pos() int { return r.i }

func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err = err
		r.i = len(r.b)
	}
}

func (r *Reader) byte() byte {
	if r.i >= len(r.b) {
		r.fail(ErrShort)
		return 0
	}
	c := r.b[r.i]
	r.i++
	return c
}

func (r *Reader) uvarint() uint64 {
	if r.i < len(r.b) && r.b[r.i] < 0x80 {
		r.i++
		return uint64(r.b[r.i-1])
	}
	v, n := binary.Uvarint(r.b[r.i:])
	switch {
	case n == 0:
		r.fail(ErrShort)
		return 0
	case n < 0:
		r.fail(malformed("integer of more than 64 bits"))
		return 0
	}
	r.i += n
	return v
}

// Int reads a zigzag integer (I16, I32, I64).
func (r *Reader) Int() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// Int32 reads a zigzag integer that must fit 32 bits.
func (r *Reader) Int32() int32 {
	v := r.Int()
	if int64(int32(v)) != v {
		r.fail(malformed("integer of more than 32 bits"))
		return 0
	}
	return int32(v)
}

// Bytes reads a length and as many bytes, which are shared with the reader's input.
func (r *Reader) Bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)-r.i) {
		r.fail(ErrShort)
		return nil
	}
	p := r.b[r.i : r.i+int(n) : r.i+int(n)]
	r.i += int(n)
	return p
}

// Bool reads a boolean that is an element of a list.
func (r *Reader) Bool() bool { return r.byte() == byte(True) }

// Field reads the header of the next field of a struct whose previous field was last (0 at the start). The type
// is Stop at the end of the struct and on a fault.
func (r *Reader) Field(last int16) (id int16, t Type) {
	c := r.byte()
	t = Type(c & 0x0f)
	if t == Stop {
		if c != 0 {
			r.fail(malformed("field header %#x", c))
		}
		return 0, Stop
	}
	if t > UUID {
		r.fail(malformed("type %d", t))
		return 0, Stop
	}
	next := int64(last) + int64(c>>4)
	if c>>4 == 0 {
		next = r.Int()
	}
	if r.err == nil && next != int64(int16(next)) {
		r.fail(malformed("field id %d", next))
	}
	if r.err != nil {
		return 0, Stop
	}
	return int16(next), t
}

// Fields yields id and type of each field of the struct at the reader's position. The loop's body must read the value, or skip it.
func (r *Reader) Fields() iter.Seq2[int16, Type] {
	return func(yield func(int16, Type) bool) {
		last := int16(0)
		for {
			id, t := r.Field(last)
			if t == Stop || !yield(id, t) {
				return
			}
			last = id
		}
	}
}

// Raw passes over a field's value of type t and returns its bytes, shared with the reader's input.
func (r *Reader) Raw(t Type) []byte {
	start := r.i
	r.skip(t, 0, false)
	if r.err != nil {
		return nil
	}
	return r.b[start:r.i:r.i]
}

// Skip passes over a value of type t.
func (r *Reader) Skip(t Type) { r.skip(t, 0, false) }

func (r *Reader) skip(t Type, depth int, element bool) {
	if r.err == nil && (t == StrucT || t == ListT) {
		if end := passValue(r.b, r.i, t, depth); end >= 0 {
			r.i = end
			return
		}
	}
	r.walk(t, depth, element)
}

// walk is skip for all that there may be, and says what is wrong.
func (r *Reader) walk(t Type, depth int, element bool) {
	if depth > maxDepth {
		r.fail(malformed("nested more than %d deep", maxDepth))
	}
	if r.err != nil {
		return
	}
	switch t {
	case True, False:
		if element {
			r.byte()
		}
	case I8:
		r.byte()
	case I16, I32, I64:
		r.uvarint()
	case Double:
		r.advance(8)
	case UUID:
		r.advance(16)
	case Binary:
		r.Bytes()
	case ListT, SetT:
		elem, n := r.listHeader()
		if elem == I8 || elem == True || elem == False {
			r.advance(n)
			return
		}
		for ; n > 0 && r.err == nil; n-- {
			r.walk(elem, depth+1, true)
		}
	case MapT:
		n := r.uvarint()
		if n == 0 {
			return
		}
		kv := r.byte()
		k, v := Type(kv>>4), Type(kv&0x0f)
		if n > uint64(len(r.b)-r.i) {
			r.fail(ErrShort)
		}
		for ; n > 0 && r.err == nil; n-- {
			r.walk(k, depth+1, true)
			r.walk(v, depth+1, true)
		}
	case StrucT:
		last := int16(0)
		for {
			id, ft := r.Field(last)
			if ft == Stop {
				return
			}
			r.walk(ft, depth+1, false)
			last = id
		}
	default:
		r.fail(malformed("type %d", t))
	}
}

func (r *Reader) advance(n int) {
	if n > len(r.b)-r.i {
		r.fail(ErrShort)
		return
	}
	r.i += n
}

// listHeader reads element type and count. Every element has at least one byte, which bounds the count.
func (r *Reader) listHeader() (Type, int) {
	c := r.byte()
	n := uint64(c >> 4)
	if n == 15 {
		n = r.uvarint()
	}
	if n > uint64(len(r.b)-r.i) {
		r.fail(ErrShort)
		return Stop, 0
	}
	elem := Type(c & 0x0f)
	if n > 0 && (elem == Stop || elem > UUID) {
		r.fail(malformed("element type %d", elem))
		return Stop, 0
	}
	return elem, int(n)
}

// A Field is one field of a struct; Raw is its encoded value, shared with the input (empty for booleans).
type Field struct {
	ID   int16
	Type Type
	Raw  []byte
}

// A Struct is a list of fields in the order in which they stand in the bytes.
type Struct []Field

// Parse reads the struct at the start of b and returns it with its length in bytes. All of it is checked, also
// what is nested in it: the accessors fail only where a type differs from the expected one.
func Parse(b []byte) (Struct, int, error) {
	var room [24]Field // most have fewer
	some, n, err := ParseIn(room[:0], b)
	if len(some) == 0 {
		return nil, n, err
	}
	s := make(Struct, len(some))
	copy(s, some)
	return s, n, err
}

// ParseIn is Parse into the memory of s, whose fields are gone then.
func ParseIn(s Struct, b []byte) (Struct, int, error) {
	r := Reader{b: b}
	s = s[:0]
	for id, t := range r.Fields() {
		start := r.i
		r.skip(t, 1, false)
		if r.err == nil {
			s = append(s, Field{ID: id, Type: t, Raw: b[start:r.i:r.i]})
		}
	}
	return s, r.i, r.err
}

// Get returns the field with the given id: the last one, should there be several.
func (s Struct) Get(id int16) (Field, bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i].ID == id {
			return s[i], true
		}
	}
	return Field{}, false
}

// Has reports whether the field is set.
func (s Struct) Has(id int16) bool {
	_, ok := s.Get(id)
	return ok
}

// Int returns the integer field id, or def where it is absent.
func (s Struct) Int(id int16, def int64) (int64, error) {
	f, ok := s.Get(id)
	if !ok {
		return def, nil
	}
	return f.Int()
}

// Bytes returns the binary field id and whether it is set.
func (s Struct) Bytes(id int16) ([]byte, bool, error) {
	f, ok := s.Get(id)
	if !ok {
		return nil, false, nil
	}
	b, err := f.Bytes()
	return b, err == nil, err
}

// Struct returns the struct field id, nil where it is absent.
func (s Struct) Struct(id int16) (Struct, error) {
	f, ok := s.Get(id)
	if !ok {
		return nil, nil
	}
	return f.Struct()
}

// List returns the list field id, an empty one where it is absent.
func (s Struct) List(id int16) (List, error) {
	f, ok := s.Get(id)
	if !ok {
		return List{}, nil
	}
	return f.List()
}

// Structs is List for a list whose elements must be structs.
func (s Struct) Structs(id int16) (List, error) {
	l, err := s.List(id)
	if err == nil && l.Len > 0 && l.Elem != StrucT {
		err = malformed("list of type %d where structs should be", l.Elem)
	}
	return l, err
}

// Bool returns the boolean field id, false where it is absent.
func (s Struct) Bool(id int16) (bool, error) {
	f, ok := s.Get(id)
	if !ok {
		return false, nil
	}
	return f.Bool()
}

// Set replaces the field f.ID or inserts it before the first one with a greater id.
func (s *Struct) Set(f Field) {
	s.Delete(f.ID)
	at := slices.IndexFunc(*s, func(g Field) bool { return g.ID > f.ID })
	if at < 0 {
		at = len(*s)
	}
	*s = slices.Insert(*s, at, f)
}

// Delete removes the fields with the given ids.
func (s *Struct) Delete(ids ...int16) {
	*s = slices.DeleteFunc(*s, func(f Field) bool { return slices.Contains(ids, f.ID) })
}

// Int returns the value of an integer field.
func (f Field) Int() (int64, error) {
	switch f.Type {
	case I8:
		return int64(int8(f.Raw[0])), nil
	case I16, I32, I64:
		r := Reader{b: f.Raw}
		v := r.Int()
		return v, r.err
	}
	return 0, malformed("field %d is of type %d, not an integer", f.ID, f.Type)
}

// Bool returns the value of a boolean field.
func (f Field) Bool() (bool, error) {
	if f.Type != True && f.Type != False {
		return false, malformed("field %d is of type %d, not a boolean", f.ID, f.Type)
	}
	return f.Type == True, nil
}

// Double returns the value of a double field.
func (f Field) Double() (float64, error) {
	if f.Type != Double {
		return 0, malformed("field %d is of type %d, not a double", f.ID, f.Type)
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(f.Raw)), nil
}

// Bytes returns the value of a binary field, shared with the input.
func (f Field) Bytes() ([]byte, error) {
	if f.Type != Binary {
		return nil, malformed("field %d is of type %d, not binary", f.ID, f.Type)
	}
	r := Reader{b: f.Raw}
	b := r.Bytes()
	return b, r.err
}

// Struct returns the value of a struct field.
func (f Field) Struct() (Struct, error) {
	if f.Type != StrucT {
		return nil, malformed("field %d is of type %d, not a struct", f.ID, f.Type)
	}
	s, _, err := Parse(f.Raw)
	return s, err
}

// A List is a checked list whose elements are still encoded.
type List struct {
	Elem Type
	Len  int
	raw  []byte
}

// List returns the value of a list field.
func (f Field) List() (List, error) {
	if f.Type != ListT && f.Type != SetT {
		return List{}, malformed("field %d is of type %d, not a list", f.ID, f.Type)
	}
	r := Reader{b: f.Raw}
	elem, n := r.listHeader()
	return List{Elem: elem, Len: n, raw: f.Raw[r.i:]}, r.err
}

// Elements yields the encoded elements.
func (l List) Elements() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		r := Reader{b: l.raw}
		for i := range l.Len {
			start := r.i
			r.skip(l.Elem, 1, true)
			if r.err != nil || !yield(i, l.raw[start:r.i:r.i]) {
				return
			}
		}
	}
}
