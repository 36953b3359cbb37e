package pick

import (
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"assent/job/parquet/thrift"
)

// node is an element of the schema.
type node struct {
	name     string
	optional bool
	repeated bool
	list     bool // a group that stands for a LIST or a MAP: one repeated child
	def, rep uint8
	leaf     int // the first leaf in it; the leaf itself where there are no children
	children []*node
}

// Field ids of SchemaElement, and numbers of what makes a group a list.
const (
	elementType, elementRepetition, elementName = 1, 3, 4
	elementChildren, elementConverted           = 5, 6
	elementLogical                              = 10

	convertedMap, convertedMapKeyValue, convertedList = 1, 2, 3
	logicalMap, logicalList                           = 2, 3
)

// tree builds the schema's tree from its elements, which stand depth first. Package
// rewrite has checked their number and levels.
func (f *File) tree(elements []thrift.Struct) (*node, error) {
	w := treeWalk{elements: elements}
	root := w.node(0, 0)
	if w.err == nil && (w.leaf != len(f.Columns()) || len(w.elements) > 0) {
		w.err = corruptf("schema: %d leaves, want %d", w.leaf, len(f.Columns()))
	}
	return root, w.err
}

type treeWalk struct {
	elements []thrift.Struct
	leaf     int
	root     bool // has been seen
	err      error
}

func (w *treeWalk) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *treeWalk) node(def, rep uint8) *node {
	if len(w.elements) == 0 {
		w.fail(corruptf("schema: an element is missing"))
		return &node{}
	}
	e := fields{Struct: w.elements[0]}
	w.elements = w.elements[1:]
	name, _, err := e.Bytes(elementName)
	if err != nil {
		w.fail(err)
	}
	n := &node{name: string(name), def: def, rep: rep, leaf: w.leaf}
	if repetition := e.int(elementRepetition); w.root {
		n.optional, n.repeated = repetition == 1, repetition == 2
	}
	w.root = true
	if n.optional || n.repeated {
		n.def++
	}
	if n.repeated {
		n.rep++
	}
	if e.Has(elementType) {
		w.leaf++
		return n
	}
	for range max(e.int(elementChildren), 0) {
		if w.err != nil {
			return n
		}
		if c := w.node(n.def, n.rep); c.leaf < w.leaf { // not a group of nothing
			n.children = append(n.children, c)
		}
	}
	logical, err := e.Struct.Struct(elementLogical)
	if err != nil {
		w.fail(err)
	}
	converted := e.int(elementConverted)
	n.list = (logical.Has(logicalList) || logical.Has(logicalMap) || converted == convertedList || converted == convertedMap || converted == convertedMapKeyValue) &&
		len(n.children) == 1 && n.children[0].repeated && !n.repeated
	if e.err != nil {
		w.fail(e.err)
	}
	return n
}

// group reports whether the node has children; a leaf has none.
func (n *node) group() bool { return len(n.children) > 0 }

// element returns what a repeated node is a list of, and whether that is a child of
// it: the node between a LIST and its elements is not part of the data (LogicalTypes.md,
// "Lists"; the exceptions are its backward-compatibility rules).
func (n *node) element(of *node) (*node, bool) {
	if of.list && len(n.children) == 1 && n.name != "array" && n.name != of.name+"_tuple" && !strings.HasSuffix(n.name, "key_value") {
		return n.children[0], true
	}
	return n, false
}

// field returns the Arrow field of a node.
func (a *Assembler) field(n *node) arrow.Field {
	if n.repeated { // a list without a LIST around it
		return arrow.Field{Name: n.name, Type: a.listOf(n, n)}
	}
	return arrow.Field{Name: n.name, Type: a.typeOf(n), Nullable: n.optional}
}

func (a *Assembler) listOf(repeated, of *node) arrow.DataType {
	element, inner := repeated.element(of)
	if inner {
		f := a.field(element)
		f.Name = "element"
		return arrow.ListOfField(f)
	}
	return arrow.ListOfField(arrow.Field{Name: "element", Type: a.typeOf(element)})
}

// typeOf returns the Arrow type of a node but for its repetition.
func (a *Assembler) typeOf(n *node) arrow.DataType {
	switch {
	case !n.group():
		return a.leafType(n.leaf)
	case n.list:
		return a.listOf(n.children[0], n)
	}
	var all []arrow.Field
	for _, c := range n.children {
		all = append(all, a.field(c))
	}
	return arrow.StructOf(all...)
}
