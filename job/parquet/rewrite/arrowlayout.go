package rewrite

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
)

// More slots and kinds of types (Arrow's Schema.fbs).
const (
	fieldTypeKind   = 2
	fieldType       = 3
	fieldDictionary = 4
	schemaFeatures  = 3
	indexType       = 1 // of a DictionaryEncoding
	typeText        = 1 // of a Timestamp: its zone, a string
	typeInts        = 1 // of a Union: its ids, a vector of int32

	kindUtf8      = 5
	kindTimestamp = 10
	kindUnion     = 14
	kindLargeUtf8 = 20
	kindUtf8View  = 24
	kindLast      = 26 // later kinds may refer to what is not known here
)

// relayArrowSchema returns the value of ARROW:schema without the fields whose columns are dropped, and with text where columns become
// text. ok is false where it cannot be read or does not have the file's columns. References to dropped fields are taken out; whatever
// nothing refers to any more becomes zeros, so that all else keeps its bytes.
func relayArrowSchema(value []byte, rule *metadataRule) (_ []byte, ok bool) {
	data, at, ok := arrowMessage(value)
	if !ok {
		return nil, false
	}
	r := arrowLayout{arrowSchema: arrowSchema{buf: data[at:], rule: rule, kept: make([]bool, len(data)-at)}}
	if r.all() != nil {
		return nil, false
	}
	for i, live := range r.kept {
		if !live {
			r.buf[i] = 0
		}
	}
	return base64.StdEncoding.AppendEncode(nil, data), true
}

// arrowMessage decodes the value of ARROW:schema and returns where the flatbuffer begins in it.
func arrowMessage(value []byte) (data []byte, at int, ok bool) {
	data, err := base64.StdEncoding.AppendDecode(nil, value)
	if err != nil {
		return nil, 0, false
	}
	if len(data) >= 8 && binary.LittleEndian.Uint32(data) == 0xFFFFFFFF {
		at = 4
	}
	if len(data) < at+4 || int64(binary.LittleEndian.Uint32(data[at:])) > int64(len(data)-at-4) {
		return nil, 0, false
	}
	return data, at + 4, true
}

// An arrowLayout goes through a schema and marks as kept what is still referred to.
type arrowLayout struct {
	arrowSchema
	leaf int // fields without children so far
	top  int
}

func (a *arrowLayout) all() error {
	root, err := a.target(0)
	if err != nil {
		return err
	}
	a.keep(span{0, 4})
	schema, err := a.child(root, messageHeader)
	if err != nil || schema == 0 {
		return errFlatbuffer
	}
	l := a.rule.layout
	for _, table := range []struct{ at, metadata int }{{root, messageMetadata}, {schema, schemaMetadata}} {
		if err := a.fitPandas(table.at, table.metadata); err != nil {
			return err
		}
		err := a.retain(table.at, table.metadata, func(key, value string) bool {
			out, ok := a.rule.relaid(key, []byte(value))
			return ok && string(out) == value && !a.rule.layout.namesDropped(out)
		})
		if err == nil {
			err = a.keepPairs(table.at, table.metadata)
		}
		if err != nil {
			return err
		}
	}
	if err := a.keepTable(root, 5); err != nil {
		return err
	}
	if err := a.keepTable(schema, 4); err != nil {
		return err
	}
	if err := a.keepVector(schema, schemaFeatures, 8); err != nil {
		return err
	}
	if _, err := a.children(schema, schemaFields, 0); err != nil {
		return err
	}
	if a.leaf != len(l.columns) || a.top != len(l.names) {
		return errFlatbuffer
	}
	return nil
}

// fitPandas overwrites pandas' document in a table's metadata with one that fits the columns, and blanks behind it, which JSON allows.
// Where there is no room for it, without the blanks between its parts either, it stays, and retain takes it out.
func (a *arrowLayout) fitPandas(table, n int) error {
	all, err := a.pairs(table, n)
	if err != nil {
		return err
	}
	for _, p := range all {
		if a.string(p.key) != "pandas" {
			continue
		}
		old := a.buf[p.value.lo:p.value.hi]
		fit, ok := a.rule.relaid("pandas", slices.Clone(old))
		if ok && len(fit) > len(old) {
			var short bytes.Buffer
			ok = json.Compact(&short, fit) == nil
			fit = short.Bytes()
		}
		if !ok || len(fit) > len(old) || a.rule.layout.namesDropped(fit) {
			continue
		}
		for i := copy(old, fit); i < len(old); i++ {
			old[i] = ' '
		}
	}
	return nil
}

// children goes through the fields that a table refers to and takes out those that are dropped. It returns how many there were.
func (a *arrowLayout) children(table, n, depth int) (count int, err error) {
	first, count, err := a.vector(table, n, 4)
	if err != nil || count == 0 {
		return 0, err
	}
	if depth > maxShapeDepth {
		return 0, errFlatbuffer
	}
	to := first
	for i := range count {
		if err := a.visit(1); err != nil {
			return 0, err
		}
		field, err := a.target(first + 4*i)
		if err != nil {
			return 0, err
		}
		there, err := a.field(field, depth)
		if err != nil {
			return 0, err
		}
		if !there {
			continue
		}
		if field <= to {
			return 0, errFlatbuffer // builders put what is referred to behind
		}
		binary.LittleEndian.PutUint32(a.buf[to:], uint32(field-to))
		to += 4
	}
	binary.LittleEndian.PutUint32(a.buf[first-4:], uint32((to-first)/4))
	a.keep(span{first - 4, to})
	return count, nil
}

// field goes through a field and reports whether it stays.
func (a *arrowLayout) field(field, depth int) (there bool, err error) {
	l, lo := a.rule.layout, a.leaf
	if depth == 0 {
		name, err := a.text(field, fieldName)
		if err != nil || a.top == len(l.names) || a.string(name) != l.names[a.top].name || lo != l.names[a.top].lo {
			return false, errFlatbuffer
		}
		a.top++
	}
	count, err := a.children(field, fieldChildren, depth+1)
	if err != nil {
		return false, err
	}
	if count == 0 {
		a.leaf++
	}
	if a.leaf > len(l.columns) {
		return false, errFlatbuffer
	}
	for _, c := range l.columns[lo:a.leaf] {
		there = there || c != nil
	}
	if !there {
		return false, nil
	}
	if count == 0 && l.text[lo] {
		if err := a.becomeText(field); err != nil {
			return false, err
		}
	}
	return true, a.keepField(field)
}

// becomeText makes a field one of text. The table that its type had stays: a table of text has no members.
func (a *arrowLayout) becomeText(field int) error {
	at, err := a.slot(field, fieldTypeKind)
	if err != nil || at == 0 || at >= len(a.buf) {
		return errFlatbuffer
	}
	switch a.buf[at] {
	case kindUtf8, kindLargeUtf8, kindUtf8View:
		return nil
	}
	a.buf[at] = kindUtf8
	return a.retain(field, fieldMetadata, func(key, _ string) bool {
		return key != "ARROW:extension:name" && key != "ARROW:extension:metadata"
	})
}

func (a *arrowLayout) keepField(field int) error {
	at, err := a.slot(field, fieldTypeKind)
	if err != nil || at == 0 || at >= len(a.buf) || a.buf[at] > kindLast {
		return errFlatbuffer
	}
	kind := a.buf[at]
	if err := a.keepTable(field, 7); err != nil {
		return err
	}
	if err := a.keepVector(field, fieldName, 1); err != nil {
		return err
	}
	if err := a.keepPairs(field, fieldMetadata); err != nil {
		return err
	}
	of, err := a.keepChild(field, fieldType)
	if err == nil && of != 0 && kind == kindTimestamp {
		err = a.keepVector(of, typeText, 1)
	}
	if err == nil && of != 0 && kind == kindUnion {
		err = a.keepVector(of, typeInts, 4)
	}
	if err != nil {
		return err
	}
	dictionary, err := a.keepChild(field, fieldDictionary)
	if err == nil && dictionary != 0 {
		_, err = a.keepChild(dictionary, indexType)
	}
	return err
}

// keepChild keeps the table that a field of a table refers to, and returns where it is; 0 where there is none.
func (a *arrowLayout) keepChild(table, n int) (int, error) {
	const most = 4 // members of a type and of a DictionaryEncoding
	at, err := a.child(table, n)
	if err == nil && at != 0 {
		err = a.keepTable(at, most)
	}
	return at, err
}

// keepTable keeps a table's own bytes and those of its vtable. A table with more members may refer to what is not known here.
func (a *arrowLayout) keepTable(table, members int) error {
	back, err := a.u32(table)
	if err != nil {
		return err
	}
	vtable := table - int(int32(back))
	size, err := a.u16(vtable)
	if err != nil {
		return err
	}
	own, err := a.u16(vtable + 2)
	if err != nil {
		return err
	}
	if size < 4 || size > 4+2*members || own < 4 || size > len(a.buf)-vtable || own > len(a.buf)-table {
		return errFlatbuffer
	}
	if err := a.visit(1); err != nil {
		return err
	}
	a.keep(span{vtable, vtable + size})
	a.keep(span{table, table + own})
	return nil
}

// keepVector keeps a vector, or a string, that a table refers to.
func (a *arrowLayout) keepVector(table, n, size int) error {
	first, count, err := a.vector(table, n, size)
	if err == nil && first > 0 {
		err = a.visit(count)
		a.keep(span{first - 4, first + size*count})
	}
	return err
}

// keepPairs keeps a table's key-value metadata.
func (a *arrowLayout) keepPairs(table, n int) error {
	all, err := a.pairs(table, n)
	if err != nil {
		return err
	}
	if err := a.keepVector(table, n, 4); err != nil {
		return err
	}
	for _, p := range all {
		if err := a.keepTable(p.table, 2); err != nil {
			return err
		}
		for _, slot := range []int{pairKey, pairValue} {
			if err := a.keepVector(p.table, slot, 1); err != nil {
				return err
			}
		}
	}
	return nil
}
