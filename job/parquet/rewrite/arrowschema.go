package rewrite

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// The value of ARROW:schema is the base64 form of an Arrow IPC message (Arrow's Message.fbs and Schema.fbs): a length, and a
// flatbuffer with the schema. Both the schema and each of its fields may bear key-value metadata, and writers put the file's
// own there once more. The entries that may hold values of rows are taken out in place: what is left keeps its bytes.

// Slots of the tables that are read.
const (
	messageHeaderType = 1
	messageHeader     = 2
	messageMetadata   = 4
	schemaFields      = 1
	schemaMetadata    = 2
	fieldName         = 0
	fieldChildren     = 5
	fieldMetadata     = 6
	pairKey           = 0
	pairValue         = 1

	headerSchema = 1 // messageHeaderType of a schema
)

var errFlatbuffer = errors.New("not a flatbuffer of a schema")

// cleanArrowSchema returns the value without the entries that the rule does not keep. ok is false where it cannot be read.
func cleanArrowSchema(value []byte, rule *metadataRule) (_ []byte, ok bool) {
	data, at, ok := arrowMessage(value)
	if !ok {
		return nil, false
	}
	a := arrowSchema{buf: data[at:], rule: rule, kept: make([]bool, len(data)-at)}
	if err := a.message(); err != nil {
		return nil, false
	}
	if len(a.dropped) == 0 {
		return value, true
	}
	for _, s := range a.dropped {
		for i := s.lo; i < s.hi; i++ {
			if !a.kept[i] { // a builder may have stored equal strings once
				a.buf[i] = 0
			}
		}
	}
	return base64.StdEncoding.AppendEncode(nil, data), true
}

// An arrowSchema goes through a schema's flatbuffer.
type arrowSchema struct {
	buf     []byte
	rule    *metadataRule
	kept    []bool // bytes of strings that stay
	dropped []span // strings that go
	work    int    // tables and bytes of strings that were looked at: any may be referred to more than once
}

func (a *arrowSchema) u32(at int) (int, error) {
	if at < 0 || at > len(a.buf)-4 {
		return 0, errFlatbuffer
	}
	return int(binary.LittleEndian.Uint32(a.buf[at:])), nil
}

func (a *arrowSchema) u16(at int) (int, error) {
	if at < 0 || at > len(a.buf)-2 {
		return 0, errFlatbuffer
	}
	return int(binary.LittleEndian.Uint16(a.buf[at:])), nil
}

// slot returns where a table has a field; 0 where it has none.
func (a *arrowSchema) slot(table, n int) (int, error) {
	back, err := a.u32(table)
	if err != nil {
		return 0, err
	}
	vtable := table - int(int32(back))
	size, err := a.u16(vtable)
	if err != nil || 4+2*n+2 > size {
		return 0, err
	}
	offset, err := a.u16(vtable + 4 + 2*n)
	if err != nil || offset == 0 {
		return 0, err
	}
	return table + offset, nil
}

// target returns what the reference at a place refers to.
func (a *arrowSchema) target(at int) (int, error) {
	offset, err := a.u32(at)
	if err != nil {
		return 0, err
	}
	if offset == 0 || offset > len(a.buf)-at {
		return 0, errFlatbuffer
	}
	return at + offset, nil
}

// child returns what a field of a table refers to; 0 where it has none.
func (a *arrowSchema) child(table, n int) (int, error) {
	at, err := a.slot(table, n)
	if err != nil || at == 0 {
		return 0, err
	}
	return a.target(at)
}

// vector returns where the elements of a field of a table begin, which take size bytes each, and how many there are.
func (a *arrowSchema) vector(table, n, size int) (first, count int, err error) {
	at, err := a.child(table, n)
	if err != nil || at == 0 {
		return 0, 0, err
	}
	if count, err = a.u32(at); err != nil {
		return 0, 0, err
	}
	if count > (len(a.buf)-at-4)/size {
		return 0, 0, errFlatbuffer
	}
	return at + 4, count, nil
}

// text returns the bytes of a string that a table has.
func (a *arrowSchema) text(table, n int) (span, error) {
	first, count, err := a.vector(table, n, 1)
	if err == nil {
		err = a.visit(count)
	}
	return span{first, first + count}, err
}

// visit counts a table, or bytes of a string, and refuses a buffer that has too many for its size.
func (a *arrowSchema) visit(n int) error {
	if a.work += n; a.work > 16*len(a.buf) {
		return errFlatbuffer
	}
	return nil
}

func (a *arrowSchema) keep(s span) {
	for i := s.lo; i < s.hi; i++ {
		a.kept[i] = true
	}
}

func (a *arrowSchema) message() error {
	root, err := a.target(0)
	if err != nil {
		return err
	}
	kind, err := a.slot(root, messageHeaderType)
	if err != nil {
		return err
	}
	if kind == 0 || kind >= len(a.buf) || a.buf[kind] != headerSchema {
		return errFlatbuffer
	}
	schema, err := a.child(root, messageHeader)
	if err != nil {
		return err
	}
	if schema == 0 {
		return errFlatbuffer
	}
	if err := a.retain(root, messageMetadata, a.describesFile); err != nil {
		return err
	}
	if err := a.retain(schema, schemaMetadata, a.describesFile); err != nil {
		return err
	}
	return a.fields(schema, schemaFields, 0)
}

func (a *arrowSchema) fields(table, n, depth int) error {
	first, count, err := a.vector(table, n, 4)
	if err != nil {
		return err
	}
	for i := range count {
		if depth > maxShapeDepth {
			return errFlatbuffer
		}
		if err := a.visit(1); err != nil {
			return err
		}
		field, err := a.target(first + 4*i)
		if err != nil {
			return err
		}
		name, err := a.text(field, fieldName)
		if err != nil {
			return err
		}
		a.keep(name)
		if err := a.fieldMetadata(field); err != nil {
			return err
		}
		if err := a.fields(field, fieldChildren, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// describesFile reports whether an entry of the schema's metadata stays: as an entry of the file's would, as it is. The range
// of pandas is left alone here, since readers take the file's own; it counts rows and names none.
func (a *arrowSchema) describesFile(key, value string) bool {
	if slices.Contains(a.rule.keep, key) {
		return true
	}
	if key == "ARROW:schema" || key == "geo" && a.rule.lost && patchGeo([]byte(value)) != nil {
		return false
	}
	out, ok := a.rule.describing(key, []byte(value))
	return ok && string(out) == value
}

// fieldMetadata takes entries out of a field's metadata. The parameters of an extension type stay where the type is known to
// have none that hold values (R's and Python's are whole objects of the language); else the type goes too.
func (a *arrowSchema) fieldMetadata(field int) error {
	all, err := a.pairs(field, fieldMetadata)
	if err != nil {
		return err
	}
	name, parameters := "", ""
	for _, p := range all {
		switch a.string(p.key) {
		case "ARROW:extension:name":
			name = a.string(p.value)
		case "ARROW:extension:metadata":
			parameters = a.string(p.value)
		}
	}
	known := parameters == "" || knownExtension(name)
	return a.retain(field, fieldMetadata, func(key, _ string) bool {
		switch key {
		case "PARQUET:field_id", "_PL_CATEGORICAL":
			return true
		case "ARROW:extension:name", "ARROW:extension:metadata":
			return known
		}
		return slices.Contains(a.rule.keep, key)
	})
}

func knownExtension(name string) bool {
	switch name {
	case "arrow.bool8", "arrow.fixed_shape_tensor", "arrow.json", "arrow.uuid", "arrow.variable_shape_tensor",
		"arrow.parquet.variant", "pandas.interval", "pandas.period", "ogc.wkb":
		return true
	}
	return strings.HasPrefix(name, "geoarrow.")
}

// A pair is an entry of key-value metadata: a table and its strings.
type pair struct {
	table      int
	key, value span
}

func (a *arrowSchema) string(s span) string { return string(a.buf[s.lo:s.hi]) }

// pairs returns the entries of a table's metadata.
func (a *arrowSchema) pairs(table, n int) (all []pair, err error) {
	first, count, err := a.vector(table, n, 4)
	if err != nil {
		return nil, err
	}
	for i := range count {
		var p pair
		if p.table, err = a.target(first + 4*i); err != nil {
			return nil, err
		}
		if p.key, err = a.text(p.table, pairKey); err != nil {
			return nil, err
		}
		if p.value, err = a.text(p.table, pairValue); err != nil {
			return nil, err
		}
		if err := a.visit(1); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// retain takes the entries out of a table's metadata that stay does not hold for. References to those that stay move up.
func (a *arrowSchema) retain(table, n int, stay func(key, value string) bool) error {
	all, err := a.pairs(table, n)
	if err != nil || len(all) == 0 {
		return err
	}
	first, _, _ := a.vector(table, n, 4)
	to := first
	for _, p := range all {
		if !stay(a.string(p.key), a.string(p.value)) {
			a.dropped = append(a.dropped, p.key, p.value)
			continue
		}
		a.keep(p.key)
		a.keep(p.value)
		if p.table <= to {
			return errFlatbuffer // builders put what is referred to behind
		}
		binary.LittleEndian.PutUint32(a.buf[to:], uint32(p.table-to))
		to += 4
	}
	if end := first + 4*len(all); to < end {
		clear(a.buf[to:end])
		binary.LittleEndian.PutUint32(a.buf[first-4:], uint32((to-first)/4))
	}
	return nil
}
