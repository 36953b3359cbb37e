package arrowparquet

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
)

// ErrUnsupported is the cause of an error about an Arrow type that has no
// counterpart here.
var ErrUnsupported = errors.New("type not supported")

// schemaOf returns the Parquet schema of an Arrow schema, with its fields in the same
// order. The error wraps ErrUnsupported and names the field.
func schemaOf(s *arrow.Schema, o *Options) (*parquet.Schema, error) {
	root, err := groupOf(s.Fields(), "", o)
	if err != nil {
		return nil, err
	}
	return parquet.NewSchema("schema", root), nil
}

// group is a Parquet group that keeps its fields in order; parquet.Group, a map,
// sorts them by name.
type group struct {
	parquet.Group
	fields []parquet.Field
}

func (g *group) Fields() []parquet.Field { return g.fields }

// groupOf returns the group of some Arrow fields. path is that of the group and
// ends in a dot unless it is empty.
func groupOf(fields []arrow.Field, path string, o *Options) (*group, error) {
	if len(fields) == 0 {
		return nil, fmt.Errorf("%s: struct without fields: %w", orRoot(path), ErrUnsupported)
	}
	g := &group{Group: make(parquet.Group, len(fields))}
	for _, f := range fields {
		if _, taken := g.Group[f.Name]; taken {
			return nil, fmt.Errorf("%s%s: two fields of that name: %w", path, f.Name, ErrUnsupported)
		}
		node, err := nodeOf(f, path+f.Name, o)
		if err != nil {
			return nil, err
		}
		g.Group[f.Name] = node
	}
	// The map gives each node its Field; only the order is ours.
	byName := make(map[string]parquet.Field, len(fields))
	for _, f := range g.Group.Fields() {
		byName[f.Name()] = f
	}
	for _, f := range fields {
		g.fields = append(g.fields, byName[f.Name])
	}
	return g, nil
}

func orRoot(path string) string {
	if path == "" {
		return "schema"
	}
	return path[:len(path)-1]
}

func nodeOf(f arrow.Field, path string, o *Options) (parquet.Node, error) {
	node, err := requiredNodeOf(f.Type, path, o)
	if err != nil {
		return nil, err
	}
	if f.Nullable {
		return parquet.Optional(node), nil
	}
	return parquet.Required(node), nil
}

func requiredNodeOf(t arrow.DataType, path string, o *Options) (parquet.Node, error) {
	switch t := t.(type) {
	case *arrow.StructType:
		return groupOf(t.Fields(), path+".", o)
	case *arrow.MapType:
		key, err := nodeOf(arrow.Field{Type: t.KeyType()}, path+".key_value.key", o)
		if err != nil {
			return nil, err
		}
		item := t.ItemField()
		value, err := nodeOf(item, path+".key_value.value", o)
		if err != nil {
			return nil, err
		}
		return parquet.Map(key, value), nil
	case arrow.ListLikeType: // after MapType, which is one too
		element, err := nodeOf(t.ElemField(), path+".list.element", o)
		if err != nil {
			return nil, err
		}
		return parquet.List(element), nil
	}
	leaf, err := leafNodeOf(t)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	encoding := encodingOf(leaf, path, o)
	if o.ShortBounds && leaf.Type().Kind() == parquet.ByteArray {
		leaf = shortBounds(leaf)
	}
	return parquet.Encoded(leaf, encoding), nil
}

// encodingOf returns the encoding that the options mean for a leaf. The library's
// own choice would be DELTA_LENGTH_BYTE_ARRAY for text, which few writers use.
func encodingOf(leaf parquet.Node, path string, o *Options) encoding.Encoding {
	switch {
	case o.Dictionary != nil && o.Dictionary(path):
		return &parquet.RLEDictionary
	case o.Delta != nil && o.Delta(path):
		switch leaf.Type().Kind() {
		case parquet.Int32, parquet.Int64:
			return &parquet.DeltaBinaryPacked
		case parquet.ByteArray:
			return &parquet.DeltaByteArray
		}
	}
	return &parquet.Plain
}

func leafNodeOf(t arrow.DataType) (parquet.Node, error) {
	switch t := t.(type) {
	case *arrow.BooleanType:
		return parquet.Leaf(parquet.BooleanType), nil
	case *arrow.Int32Type, *arrow.Int64Type:
		return parquet.Int(t.(arrow.FixedWidthDataType).BitWidth()), nil
	case *arrow.Uint32Type, *arrow.Uint64Type:
		return parquet.Uint(t.(arrow.FixedWidthDataType).BitWidth()), nil
	case *arrow.Float32Type:
		return parquet.Leaf(parquet.FloatType), nil
	case *arrow.Float64Type:
		return parquet.Leaf(parquet.DoubleType), nil
	case *arrow.StringType:
		return parquet.String(), nil
	case *arrow.BinaryType:
		return parquet.Leaf(parquet.ByteArrayType), nil
	case *arrow.FixedSizeBinaryType:
		if t.ByteWidth > 0 {
			return parquet.Leaf(parquet.FixedLenByteArrayType(t.ByteWidth)), nil
		}
	case *arrow.Decimal128Type:
		return parquet.Decimal(int(t.Scale), int(t.Precision), parquet.FixedLenByteArrayType(decimalBytes)), nil
	case *arrow.Date32Type:
		return parquet.Date(), nil
	case *arrow.Time32Type:
		if t.Unit == arrow.Millisecond {
			return parquet.TimeAdjusted(parquet.Millisecond, false), nil
		}
	case *arrow.Time64Type:
		if unit, ok := unitOf(t.Unit); ok {
			return parquet.TimeAdjusted(unit, false), nil
		}
	case *arrow.TimestampType:
		if unit, ok := unitOf(t.Unit); ok {
			return parquet.TimestampAdjusted(unit, t.TimeZone != ""), nil
		}
	}
	return nil, fmt.Errorf("%s: %w", t, ErrUnsupported)
}

// unitOf returns Parquet's name for a unit of time; it has none for seconds.
func unitOf(u arrow.TimeUnit) (parquet.TimeUnit, bool) {
	switch u {
	case arrow.Millisecond:
		return parquet.Millisecond, true
	case arrow.Microsecond:
		return parquet.Microsecond, true
	case arrow.Nanosecond:
		return parquet.Nanosecond, true
	}
	return nil, false
}
