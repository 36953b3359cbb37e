package manifests

import (
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// The functions below build schemas, depth first, in the forms that the Parquet
// specification's LogicalTypes.md asks for.

func required(n int, name string) format.SchemaElement {
	e := format.SchemaElement{Name: name, RepetitionType: thrift.New(format.Required)}
	if n > 0 {
		e.NumChildren = thrift.New(int32(n))
	}
	return e
}

func root(children int) format.SchemaElement {
	return format.SchemaElement{Name: "schema", NumChildren: thrift.New(int32(children))}
}

func text(name string) format.SchemaElement {
	e := required(0, name)
	e.Type = thrift.New(format.ByteArray)
	e.ConvertedType = thrift.New(deprecated.UTF8)
	e.LogicalType = format.LogicalType{Value: new(format.StringType)}
	return e
}

func int64s(name string) format.SchemaElement {
	e := required(0, name)
	e.Type = thrift.New(format.Int64)
	return e
}

func booleans(name string) format.SchemaElement {
	e := required(0, name)
	e.Type = thrift.New(format.Boolean)
	return e
}

func nanos(name string) format.SchemaElement {
	e := int64s(name)
	e.LogicalType = format.LogicalType{Value: &format.TimestampType{
		IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: new(format.NanoSeconds)},
	}}
	return e
}

func optional(e format.SchemaElement) format.SchemaElement {
	e.RepetitionType = thrift.New(format.Optional)
	return e
}

// list returns a required list of the elements that follow: a leaf named element, or a
// group of that name and its children.
func list(name string, element ...format.SchemaElement) []format.SchemaElement {
	outer := required(1, name)
	outer.ConvertedType = thrift.New(deprecated.List)
	outer.LogicalType = format.LogicalType{Value: new(format.ListType)}
	inner := required(1, "list")
	inner.RepetitionType = thrift.New(format.Repeated)
	return append([]format.SchemaElement{outer, inner}, element...)
}

func leavesOf(schema []format.SchemaElement) []leaf {
	var leaves []leaf
	var walk func(i int, path []string, rep, def uint8) int
	walk = func(i int, path []string, rep, def uint8) int {
		e := &schema[i]
		if i > 0 {
			path = append(path[:len(path):len(path)], e.Name)
			switch e.RepetitionType.V {
			case format.Repeated:
				rep, def = rep+1, def+1
			case format.Optional:
				def++
			}
		}
		i++
		if !e.NumChildren.Valid {
			leaves = append(leaves, leaf{path: path, typ: e.Type.V, maxRep: rep, maxDef: def})
			return i
		}
		for range e.NumChildren.V {
			i = walk(i, path, rep, def)
		}
		return i
	}
	walk(0, nil, 0, 0)
	return leaves
}
