package pick

import (
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"assent/job/parquet"
)

// elementOf returns what a repeated node is a list of, and whether that is a child of
// it: the node between a LIST and its elements is not part of the data (LogicalTypes.md,
// "Lists"; the exceptions are its backward-compatibility rules).
func elementOf(n, of *parquet.Node) (*parquet.Node, bool) {
	if of.List && len(n.Children) == 1 && n.Name != "array" && n.Name != of.Name+"_tuple" && !strings.HasSuffix(n.Name, "key_value") {
		return n.Children[0], true
	}
	return n, false
}

// field returns the Arrow field of a node.
func (a *Assembler) field(n *parquet.Node) arrow.Field {
	if n.Repetition == parquet.Repeated { // a list without a LIST around it
		return arrow.Field{Name: n.Name, Type: a.listOf(n, n)}
	}
	return arrow.Field{Name: n.Name, Type: a.typeOf(n), Nullable: n.Repetition == parquet.Optional}
}

func (a *Assembler) listOf(repeated, of *parquet.Node) arrow.DataType {
	element, inner := elementOf(repeated, of)
	if inner {
		f := a.field(element)
		f.Name = "element"
		return arrow.ListOfField(f)
	}
	return arrow.ListOfField(arrow.Field{Name: "element", Type: a.typeOf(element)})
}

// typeOf returns the Arrow type of a node but for its repetition.
func (a *Assembler) typeOf(n *parquet.Node) arrow.DataType {
	switch {
	case len(n.Children) == 0:
		return a.leafType(n.Leaf)
	case n.List:
		return a.listOf(n.Children[0], n)
	}
	var all []arrow.Field
	for _, c := range n.Children {
		all = append(all, a.field(c))
	}
	return arrow.StructOf(all...)
}
