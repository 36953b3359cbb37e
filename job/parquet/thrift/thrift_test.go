package thrift

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	inner := Struct{Int32Field(1, -5), BoolField(2, true), BoolField(3, false)}
	var list []byte
	for range 20 {
		list = inner.Append(list)
	}
	s := Struct{
		Int64Field(1, math.MinInt64),
		Int16Field(5, 300),
		BytesField(6, []byte("text")),
		StructField(40, inner),
		ListField(41, StrucT, 20, list),
		ListField(42, True, 3, []byte{1, 2, 0}),
		{ID: 43, Type: Double, Raw: make([]byte, 8)},
		{ID: 44, Type: MapT, Raw: []byte{1, byte(Binary)<<4 | byte(I32), 1, 'k', 2}},
		{ID: 45, Type: MapT, Raw: []byte{0}},
		{ID: 46, Type: UUID, Raw: make([]byte, 16)},
		{ID: 47, Type: I8, Raw: []byte{0xff}},
		{ID: 2, Type: True}, // ids need not rise
	}
	b := s.Append(nil)
	got, n, err := Parse(append(b, 0xaa))
	if err != nil || n != len(b) {
		t.Fatalf("%d of %d bytes, %v", n, len(b), err)
	}
	if again := got.Append(nil); !bytes.Equal(again, b) {
		t.Errorf("%x\n%x", again, b)
	}
	if v, err := got.Int(1, 0); v != math.MinInt64 || err != nil {
		t.Error(v, err)
	}
	if v, err := got.Int(47, 0); v != -1 || err != nil {
		t.Error(v, err)
	}
	if v, err := got.Int(99, 12); v != 12 || err != nil {
		t.Error(v, err)
	}
	if v, ok, err := got.Bytes(6); string(v) != "text" || !ok || err != nil {
		t.Error(v, ok, err)
	}
	if _, err := got.Int(6, 0); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
	in, err := got.Struct(40)
	if f, _ := in.Get(2); err != nil || f.Type != True {
		t.Error(in, err)
	}
	l, err := got.List(41)
	if err != nil || l.Len != 20 || l.Elem != StrucT {
		t.Error(l, err)
	}
	elements := 0
	for i, raw := range l.Elements() {
		if e, n, err := Parse(raw); err != nil || n != len(raw) || len(e) != 3 || i != elements {
			t.Error(i, e, err)
		}
		elements++
	}
	if elements != 20 {
		t.Error(elements)
	}
}

func TestSet(t *testing.T) {
	s := Struct{Int32Field(1, 1), Int32Field(4, 4), Int32Field(4, 5), Int32Field(9, 9)}
	s.Set(Int32Field(4, 7))
	s.Set(Int32Field(2, 2))
	s.Set(Int32Field(12, 12))
	s.Delete(9, 33)
	var ids []int16
	for _, f := range s {
		ids = append(ids, f.ID)
	}
	if v, _ := s.Int(4, 0); v != 7 || len(ids) != 4 || ids[0] != 1 || ids[1] != 2 || ids[2] != 4 || ids[3] != 12 {
		t.Errorf("%v, %d", ids, v)
	}
}

func TestMalformed(t *testing.T) {
	deep := bytes.Repeat([]byte{1<<4 | byte(StrucT)}, 10000)
	lists := append([]byte{1<<4 | byte(ListT)}, bytes.Repeat([]byte{1<<4 | byte(ListT)}, 10000)...)
	for name, b := range map[string][]byte{
		"nothing":              {},
		"no stop":              {1<<4 | byte(I32), 2},
		"deep":                 deep,
		"deep lists":           lists,
		"long bytes":           {1<<4 | byte(Binary), 0xff, 0xff, 0xff, 0xff, 0x0f, 1},
		"long list":            {1<<4 | byte(ListT), 0xf0 | byte(I32), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0},
		"long map":             {1<<4 | byte(MapT), 0xff, 0xff, 0xff, 0x7f, 0x55, 0},
		"type 14":              {1<<4 | 14, 0},
		"list of type 0":       {1<<4 | byte(ListT), 2 << 4, 0, 0, 0},
		"integer of 70 bits":   {1<<4 | byte(I64), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0},
		"field id of 20 bits":  {byte(I32), 0xff, 0xff, 0x7f, 0, 0},
		"stop with a high bit": {1 << 4},
	} {
		if s, _, err := Parse(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	if _, _, err := Parse([]byte{1<<4 | byte(I32)}); !errors.Is(err, ErrShort) {
		t.Error(err)
	}
}

// FuzzStruct: what a Struct is parsed from and what it is written as hold the same fields, and no accessor panics.
func FuzzStruct(f *testing.F) {
	f.Add(Struct{Int32Field(1, 2), ListField(3, I32, 2, []byte{1, 2}), BytesField(400, []byte("x"))}.Append(nil))
	f.Add(Struct{StructField(1, Struct{BoolField(1, true)}), {ID: 2, Type: MapT, Raw: []byte{1, 0x85, 1, 'k', 2}}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, n, err := Parse(b)
		if err != nil {
			return
		}
		if n > len(b) {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
		again, _, err := Parse(s.Append(nil))
		if err != nil || len(again) != len(s) {
			t.Fatalf("%d fields, then %d: %v", len(s), len(again), err)
		}
		for i := range s {
			if s[i].ID != again[i].ID || s[i].Type != again[i].Type || !bytes.Equal(s[i].Raw, again[i].Raw) {
				t.Fatalf("field %d: %+v, then %+v", i, s[i], again[i])
			}
			_, _ = s[i].Int()
			_, _ = s[i].Bool()
			_, _ = s[i].Double()
			_, _ = s[i].Bytes()
			_, _ = s[i].Struct()
			if l, err := s[i].List(); err == nil {
				count := 0
				for range l.Elements() {
					count++
				}
				if count != l.Len {
					t.Fatalf("%d of %d elements", count, l.Len)
				}
			}
		}
	})
}
