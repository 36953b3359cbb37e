package rewrite

import (
	"errors"
	"fmt"
	"slices"

	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// ErrPartOfWhole is wrapped where a column is to be dropped, or to become text, that its parent cannot do without: the keys of a MAP,
// a part of a VARIANT.
var ErrPartOfWhole = errors.New("a part that the type above it needs")

// A layout is the schema of the output: the input's without some leaves, and with others of another type. A group that loses all of
// its leaves is left out too, as the format has no groups without fields.
type layout struct {
	kept     []int             // leaves of the input, in their order
	place    []int             // by leaf of the input: its index in the output; -1: dropped
	columns  []*parquet.Column // by leaf of the input: what it is in the output; nil: dropped
	paths    [][]string        // by leaf of the input
	changed  []bool            // by leaf of the input: it has a Transform
	text     []bool            // by leaf of the input: it is another type in the input, and text in the output
	elements []byte            // SchemaElements, encoded one after the other
	count    int               // of elements
	names    []topField        // in the order of the schema's tree
	edited   bool              // it is not the input's
}

// A topField is a child of the schema's root, and its leaves.
type topField struct {
	name   string
	lo, hi int // leaves of the input
}

// newLayout checks that the columns can be dropped and changed.
func newLayout(f *parquet.File, opts *Options) (*layout, error) {
	l := &layout{}
	for leaf := range f.Columns() {
		c, place := &f.Columns()[leaf], len(l.kept)
		transform, changed := opts.Transforms[leaf]
		dropped := slices.Contains(opts.Drop, leaf)
		text := changed && !dropped && transform.Text && (c.Logical.Kind != parquet.String || c.Physical != parquet.ByteArray)
		switch {
		case dropped:
			c, place, l.edited = nil, -1, true
		case changed && c.Physical == parquet.Boolean:
			return nil, f.Fault(parquet.Unsupportedf("a transform of booleans"), -1, leaf, -1)
		case text:
			c, l.edited = textColumn(c), true
		}
		l.text = append(l.text, text)
		l.paths = append(l.paths, f.Columns()[leaf].Path)
		l.columns, l.place, l.changed = append(l.columns, c), append(l.place, place), append(l.changed, changed)
		if c != nil {
			l.kept = append(l.kept, leaf)
		}
	}
	if len(l.kept) == 0 {
		return nil, f.Fault(parquet.Unsupportedf("a file without columns"), -1, -1, -1)
	}
	w := schemaWriter{layout: l, f: f}
	return l, f.Fault(w.root(), -1, -1, -1)
}

// A schemaWriter goes through the input's elements, depth first, and writes those that stay.
type schemaWriter struct {
	*layout
	f     *parquet.File
	elems []thrift.Struct
	next  int
	leaf  int
}

func (w *schemaWriter) root() error {
	list, err := w.f.Metadata().Structs(parquet.FileSchema)
	if err != nil {
		return err
	}
	for _, raw := range list.Elements() {
		s, _, err := thrift.Parse(raw)
		if err != nil {
			return err
		}
		w.elems = append(w.elems, s)
	}
	var out []thrift.Struct
	_, err = w.node(&out, 0)
	for _, s := range out {
		w.elements = s.Append(w.elements)
	}
	w.count = len(out)
	return err
}

// node appends the next element and those below it to out, as they are in the output. It reports whether it is there.
func (w *schemaWriter) node(out *[]thrift.Struct, depth int) (there bool, err error) {
	e, at, first := w.elems[w.next], len(*out), w.leaf
	w.next++
	if e.Has(parquet.ElementType) && depth > 0 {
		w.leaf++
		w.note(e, depth, first)
		switch {
		case w.columns[first] == nil:
			return false, nil
		case w.text[first]:
			e = textElement(e)
		}
		*out = append(*out, e)
		return true, nil
	}
	*out = append(*out, e)
	children, err := e.Int(parquet.ElementNumChildren, 0)
	if err != nil {
		return false, err
	}
	left := int64(0)
	for range children {
		there, err := w.node(out, depth+1)
		if err != nil {
			return false, err
		}
		if there {
			left++
		}
	}
	if depth == 1 {
		w.note(e, depth, first)
	}
	if err := w.whole(e, first, left); err != nil {
		return false, err
	}
	if left == 0 && w.leaf > first && depth > 0 {
		*out = (*out)[:at]
		return false, nil
	}
	if left < children {
		e = slices.Clone(e)
		e.Set(thrift.Int32Field(parquet.ElementNumChildren, int32(left)))
		(*out)[at] = e
	}
	return true, nil
}

// note notes a child of the root.
func (w *schemaWriter) note(e thrift.Struct, depth, first int) {
	if depth == 1 {
		name, _, _ := e.Bytes(parquet.ElementName)
		w.names = append(w.names, topField{string(name), first, w.leaf})
	}
}

// Members of the LogicalType union, and of ConvertedType, of groups that stay whole or go.
const (
	logicalMap           = 2
	logicalVariant       = 16
	convertedMap         = 1
	convertedMapKeyValue = 2
)

// whole checks a group from whose leaves some may have gone: a MAP needs its keys, a VARIANT all of its parts.
func (w *schemaWriter) whole(e thrift.Struct, first int, left int64) error {
	logical, err := e.Struct(parquet.ElementLogical)
	if err != nil {
		return err
	}
	converted, err := e.Int(parquet.ElementConverted, -1)
	if err != nil {
		return err
	}
	isMap := logical.Has(logicalMap) || converted == convertedMap || converted == convertedMapKeyValue
	if left == 0 || !isMap && !logical.Has(logicalVariant) {
		return nil
	}
	for leaf := first; leaf < w.leaf; leaf++ {
		if w.columns[leaf] == nil || w.text[leaf] && logical.Has(logicalVariant) {
			name, _, _ := e.Bytes(parquet.ElementName)
			return fmt.Errorf("%w: %w: %q stays or goes as a whole", parquet.ErrUnsupported, ErrPartOfWhole, name)
		}
	}
	return nil
}

// textElement returns the SchemaElement of a leaf that becomes text. Of what is not known nobody can say whether it still holds.
func textElement(e thrift.Struct) thrift.Struct {
	var out thrift.Struct
	for _, id := range []int16{parquet.ElementRepetition, parquet.ElementName, parquet.ElementFieldID} {
		if f, ok := e.Get(id); ok {
			out.Set(f)
		}
	}
	const utf8, logicalString = 0, 1 // ConvertedType, LogicalType
	out.Set(thrift.Int32Field(parquet.ElementType, int32(parquet.ByteArray)))
	out.Set(thrift.Int32Field(parquet.ElementConverted, utf8))
	out.Set(thrift.StructField(parquet.ElementLogical, thrift.Struct{thrift.StructField(logicalString, nil)}))
	return out
}

// setSchema sets the schema and the column orders.
func (l *layout) setSchema(meta *thrift.Struct, f *parquet.File) {
	if !l.edited {
		return
	}
	meta.Set(thrift.ListField(parquet.FileSchema, thrift.StrucT, l.count, l.elements))
	own, err := f.Metadata().List(parquet.FileColumnOrders)
	if err != nil || own.Len == 0 {
		return // the writer sets them
	}
	var orders []byte
	for i, raw := range own.Elements() {
		switch {
		case l.columns[i] == nil:
		case l.text[i]:
			orders = typeOrder(orders)
		default:
			orders = append(orders, raw...)
		}
	}
	meta.Set(thrift.ListField(parquet.FileColumnOrders, thrift.StrucT, len(l.kept), orders))
}

// typeOrder appends the ColumnOrder that a type defines.
func typeOrder(dst []byte) []byte { return thrift.Struct{thrift.StructField(1, nil)}.Append(dst) }

// sorting returns a row group's sorting columns as they still hold: up to the first one that is dropped or changed, as the order of
// those behind it holds only among rows that are equal in it.
func (l *layout) sorting(group thrift.Struct) (thrift.Field, bool) {
	list, err := group.Structs(parquet.GroupSortingColumns)
	var out []byte
	n := 0
	if err != nil {
		return thrift.Field{}, false
	}
	for _, raw := range list.Elements() {
		s, _, err := thrift.Parse(raw)
		if err != nil {
			break
		}
		leaf, err := s.Int(1, -1)
		if err != nil || leaf < 0 || leaf >= int64(len(l.columns)) || l.columns[leaf] == nil || l.changed[leaf] {
			break
		}
		s.Set(thrift.Int32Field(1, int32(l.place[leaf])))
		out = s.Append(out)
		n++
	}
	return thrift.ListField(parquet.GroupSortingColumns, thrift.StrucT, n, out), n > 0
}
