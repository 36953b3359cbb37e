package card

import (
	"fmt"
	"slices"
	"strings"

	"assent/job/parquet"
)

// Kind says how a column is made up.
type Kind uint8

// The kinds.
const (
	Leaf  Kind = iota // values
	Group             // a struct
	List              // of elements, each as Parts[0]
	Map               // of entries: Parts are the key and the value
)

// Column is a column of a published file, or a part of one.
type Column struct {
	Name      string
	Kind      Kind
	Croissant string   // the type of a leaf in Croissant; "": it has none
	Arrow     string   // and in Arrow, as Hugging Face writes it
	Parts     []Column // of what is no leaf
	Some      bool     // some files of the data set lack it
}

// ColumnsOf returns the columns of a file.
func ColumnsOf(f *parquet.File) []Column {
	var all []Column
	for _, n := range f.Root().Children {
		all = append(all, columnOf(n, f.Columns()))
	}
	return all
}

func columnOf(n *parquet.Node, leaves []parquet.Column) Column {
	if n.Repetition == parquet.Repeated { // a list without a group of its own: each occurrence is an element
		element := *n
		element.Repetition = parquet.Required
		return Column{Name: n.Name, Kind: List, Parts: []Column{columnOf(&element, leaves)}}
	}
	switch {
	case len(n.Children) == 0:
		croissant, arrow := typeOf(&leaves[n.Leaf])
		return Column{Name: n.Name, Croissant: croissant, Arrow: arrow}
	case n.Map:
		return Column{Name: n.Name, Kind: Map, Parts: columnsOf(n.Children[0].Children, leaves)}
	case n.List:
		return Column{Name: n.Name, Kind: List, Parts: []Column{columnOf(elementOf(n.Children[0]), leaves)}}
	}
	return Column{Name: n.Name, Kind: Group, Parts: columnsOf(n.Children, leaves)}
}

func columnsOf(nodes []*parquet.Node, leaves []parquet.Column) []Column {
	var all []Column
	for _, n := range nodes {
		all = append(all, columnOf(n, leaves))
	}
	return all
}

// elementOf returns the element of a LIST by its repeated group, which older writers left out (LogicalTypes.md, backward
// compatibility).
func elementOf(repeated *parquet.Node) *parquet.Node {
	if len(repeated.Children) == 1 && repeated.Name != "array" && !strings.HasSuffix(repeated.Name, "_tuple") {
		return repeated.Children[0]
	}
	element := *repeated
	element.Repetition = parquet.Required
	return &element
}

// typed reports whether Croissant has types for all leaves.
func (c *Column) typed() bool {
	if c.Kind == Leaf {
		return c.Croissant != ""
	}
	return !slices.ContainsFunc(c.Parts, func(part Column) bool { return !part.typed() })
}

// typeOf returns the type of a leaf in Croissant and in Arrow. Croissant has no type for bytes: text is the nearest. It has none for
// UUIDs either, and what loads a text (mlcroissant 1.1) fails on the objects that readers make of them.
func typeOf(c *parquet.Column) (croissant, arrow string) {
	l := &c.Logical
	unit := map[parquet.TimeUnit]string{parquet.Millis: "ms", parquet.Micros: "us", parquet.Nanos: "ns"}[l.Unit]
	switch l.Kind {
	case parquet.String, parquet.Enum, parquet.JSON:
		return "sc:Text", "string"
	case parquet.Int:
		sign := ""
		if !l.Signed {
			sign = "u"
		}
		return fmt.Sprintf("cr:%sInt%d", strings.ToUpper(sign), l.BitWidth), fmt.Sprintf("%sint%d", sign, l.BitWidth)
	case parquet.Date:
		return "sc:Date", "date32"
	case parquet.Time:
		if l.Unit == parquet.Millis {
			return "sc:Time", "time32[ms]"
		}
		return "sc:Time", "time64[" + unit + "]"
	case parquet.Timestamp:
		if l.UTC {
			return "sc:DateTime", "timestamp[" + unit + ", tz=UTC]"
		}
		return "sc:DateTime", "timestamp[" + unit + "]"
	case parquet.Decimal:
		if l.Precision > 38 {
			return "sc:Float", fmt.Sprintf("decimal256(%d, %d)", l.Precision, l.Scale)
		}
		return "sc:Float", fmt.Sprintf("decimal128(%d, %d)", l.Precision, l.Scale)
	case parquet.Float16:
		return "cr:Float16", "float16"
	case parquet.Unknown:
		return "sc:Text", "null"
	case parquet.UUID:
		if c.TypeLength == 16 {
			return "", "binary"
		}
	}
	return physicalType(c.Physical)
}

func physicalType(p parquet.Physical) (croissant, arrow string) {
	switch p {
	case parquet.Boolean:
		return "sc:Boolean", "bool"
	case parquet.Int32:
		return "cr:Int32", "int32"
	case parquet.Int64:
		return "cr:Int64", "int64"
	case parquet.Int96:
		return "sc:DateTime", "timestamp[ns]"
	case parquet.Float:
		return "cr:Float32", "float32"
	case parquet.Double:
		return "cr:Float64", "float64"
	}
	return "sc:Text", "binary"
}

// Merge returns the columns of files of one data set: those of newer, then what older alone has. What is not in both is marked.
func Merge(newer, older []Column) []Column {
	all := slices.Clone(newer)
	for i := range all {
		all[i].Some = all[i].Some || !slices.ContainsFunc(older, func(c Column) bool { return c.Name == all[i].Name })
	}
	for _, c := range older {
		if !slices.ContainsFunc(newer, func(d Column) bool { return d.Name == c.Name }) {
			c.Some = true
			all = append(all, c)
		}
	}
	return all
}

// TypeName is the column's type in a word: that of Arrow, or what it is made up of.
func (c *Column) TypeName() string {
	switch c.Kind {
	case Group:
		return "struct"
	case List:
		return "list"
	case Map:
		return "map"
	}
	return c.Arrow
}

// hasMap reports whether a column is or has a map.
func (c *Column) hasMap() bool {
	return c.Kind == Map || slices.ContainsFunc(c.Parts, func(p Column) bool { return p.hasMap() })
}
