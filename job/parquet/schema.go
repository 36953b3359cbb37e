package parquet

import (
	"strings"

	"assent/job/parquet/thrift"
)

// A Physical is a type in which values are stored, by its number in parquet.thrift (Type).
type Physical int32

// Physical types.
const (
	Boolean           Physical = 0
	Int32             Physical = 1
	Int64             Physical = 2
	Int96             Physical = 3
	Float             Physical = 4
	Double            Physical = 5
	ByteArray         Physical = 6
	FixedLenByteArray Physical = 7
)

var physicalNames = [...]string{"BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"}

// String returns the name of the type in the format.
func (p Physical) String() string {
	if p >= 0 && int(p) < len(physicalNames) {
		return physicalNames[p]
	}
	return "unknown type"
}

// A LogicalKind says what the values of a column mean.
type LogicalKind int

// Logical kinds. None: the column has no logical type. Unknown: the format's UNKNOWN, a column that is always null. Other: one
// that this package does not know, so the order of its values is not known either.
const (
	None LogicalKind = iota
	String
	Map
	List
	Enum
	Decimal
	Date
	Time
	Timestamp
	Int
	Unknown
	JSON
	BSON
	UUID
	Float16
	Variant
	Geometry
	Geography
	Interval
	Other
)

var logicalNames = [...]string{"none", "STRING", "MAP", "LIST", "ENUM", "DECIMAL", "DATE", "TIME", "TIMESTAMP", "INTEGER",
	"UNKNOWN", "JSON", "BSON", "UUID", "FLOAT16", "VARIANT", "GEOMETRY", "GEOGRAPHY", "INTERVAL", "other"}

// String returns the name of the kind in the format.
func (k LogicalKind) String() string { return logicalNames[k] }

// A TimeUnit is the unit of a Timestamp or a Time.
type TimeUnit int

// Time units.
const (
	Millis TimeUnit = 1 + iota
	Micros
	Nanos
)

// Logical is a column's logical type. Unit and UTC are set for Timestamp and Time, BitWidth and Signed for Int,
// Scale and Precision for Decimal.
type Logical struct {
	Kind             LogicalKind
	Unit             TimeUnit
	UTC              bool
	BitWidth         int
	Signed           bool
	Scale, Precision int
}

// A Column is a leaf of the schema.
type Column struct {
	Path           []string // field names from the root's child to the leaf
	Physical       Physical
	TypeLength     int  // bytes of a FixedLenByteArray value
	MaxRep, MaxDef int  // maximum repetition and definition level
	Optional       bool // the leaf itself may be null
	Logical        Logical

	short      string // path without the groups that only make up a LIST or a MAP
	lists      []int  // lengths in short at which a LIST group's name ends
	ElementDef int    // lowest definition level at which an element of the innermost list exists
	Order      Order
}

// Name returns the dotted path.
func (c *Column) Name() string { return strings.Join(c.Path, ".") }

// Short returns the dotted path without the groups that only make up a LIST or a MAP.
func (c *Column) Short() string { return c.short }

// Limits of a schema. Levels must fit a byte. The sum of the lengths of all paths is bounded because a crafted tree of few bytes
// can have very long ones.
const (
	maxLevel       = 255
	maxSchemaDepth = 128
	maxPathSum     = 1 << 22
)

// Members of ConvertedType that matter here.
const (
	convertedMap         = 1
	convertedMapKeyValue = 2
	convertedList        = 3
	convertedDecimal     = 5
)

// A Repetition says how often a node stands in its parent, by its number in parquet.thrift (FieldRepetitionType).
type Repetition int32

// Repetitions.
const (
	Required Repetition = 0
	Optional Repetition = 1
	Repeated Repetition = 2
)

// A Node is an element of the schema: a group, or a leaf, which has no children. Groups without a leaf are left out.
type Node struct {
	Name           string
	Repetition     Repetition
	MaxRep, MaxDef int  // the levels of a slot in which the node is there
	Leaf           int  // index of its first leaf, or of itself, in File.Columns
	List           bool // a group that stands for a LIST or a MAP: its one child is repeated, and it is not
	Map            bool // a List group that is a MAP: its child has a key and a value
	Children       []*Node
}

type schemaWalk struct {
	elems   []thrift.Struct
	next    int
	leaves  []Column
	pathSum int
}

// place is what is known of a node from the nodes above it.
type place struct {
	path       []string
	short      []string
	lists      []int
	rep, def   int
	elementDef int
	list       int // 1: the parent is a LIST group, 2: the parent is the repeated group of one, 3: the parent is a MAP group
	depth      int
}

// ParseSchema reads a schema's depth-first list of elements, which are structs: the tree and its leaves.
func ParseSchema(l thrift.List) (*Node, []Column, error) {
	if l.Len == 0 {
		return nil, nil, Corruptf("schema: no element")
	}
	w := schemaWalk{elems: make([]thrift.Struct, 0, min(l.Len, 4096))}
	for _, raw := range l.Elements() {
		s, _, err := thrift.Parse(raw)
		if err != nil {
			return nil, nil, err
		}
		w.elems = append(w.elems, s)
	}
	n, err := w.elems[0].Int(ElementNumChildren, 0)
	if err != nil {
		return nil, nil, err
	}
	w.next = 1
	root := &Node{}
	if err := w.children(root, n, place{}); err != nil {
		return nil, nil, err
	}
	if w.next != len(w.elems) {
		return nil, nil, Corruptf("schema: %d elements outside of the tree", len(w.elems)-w.next)
	}
	return root, w.leaves, nil
}

// children reads the next n nodes as the children of a group.
func (w *schemaWalk) children(of *Node, n int64, at place) error {
	for range n {
		before := len(w.leaves)
		c, err := w.node(at)
		if err != nil {
			return err
		}
		if len(w.leaves) > before {
			of.Children = append(of.Children, c)
		}
	}
	return nil
}

func (w *schemaWalk) node(at place) (*Node, error) {
	if w.next >= len(w.elems) {
		return nil, Corruptf("schema: a group has fewer children than it says")
	}
	if at.depth++; at.depth > maxSchemaDepth {
		return nil, Unsupportedf("schema: more than %d levels deep", maxSchemaDepth)
	}
	e := w.elems[w.next]
	w.next++
	name, _, err := e.Bytes(ElementName)
	if err != nil {
		return nil, err
	}
	at.path = append(at.path[:len(at.path):len(at.path)], string(name))
	repetition, err := e.Int(ElementRepetition, 0)
	if err != nil {
		return nil, err
	}
	switch Repetition(repetition) {
	case Required:
	case Optional:
		at.def++
	case Repeated:
		at.def++
		at.rep++
		at.elementDef = at.def
	default:
		return nil, Corruptf("schema: repetition type %d", repetition)
	}
	if at.rep > maxLevel || at.def > maxLevel {
		return nil, Unsupportedf("schema: more than %d levels", maxLevel)
	}
	children, err := e.Int(ElementNumChildren, 0)
	if err != nil {
		return nil, err
	}
	n := &Node{Name: string(name), Repetition: Repetition(repetition), MaxRep: at.rep, MaxDef: at.def, Leaf: len(w.leaves)}
	if at.list == 0 || n.Repetition != Repeated && at.list != 2 {
		at.list = 0
		at.short = append(at.short[:len(at.short):len(at.short)], string(name))
	}
	if !e.Has(ElementType) {
		return n, w.group(n, e, at, children)
	}
	if children > 0 {
		return nil, Corruptf("schema: a column with children")
	}
	if w.pathSum += len(at.path); w.pathSum > maxPathSum {
		return nil, Unsupportedf("schema: too large")
	}
	c, err := newColumn(e, at)
	if err != nil {
		return nil, err
	}
	c.Optional = n.Repetition == Optional
	w.leaves = append(w.leaves, c)
	return n, nil
}

func (w *schemaWalk) group(n *Node, e thrift.Struct, at place, children int64) error {
	if children < 0 || children > int64(len(w.elems)-w.next) {
		return Corruptf("schema: a group of %d children", children)
	}
	list, listOrMap, err := isList(e)
	if err != nil {
		return err
	}
	switch {
	case list && children == 1:
		at.lists = append(at.lists[:len(at.lists):len(at.lists)], len(strings.Join(at.short, ".")))
		at.list = 1
	case at.list == 1 && n.Repetition == Repeated && children == 1 && n.Name != "array" && !strings.HasSuffix(n.Name, "_tuple"):
		at.list = 2 // the group between a LIST and its element (LogicalTypes.md, backward compatibility)
	case listOrMap && !list && n.Repetition != Repeated && children == 1:
		at.list = 3 // what follows is the group of keys and values
	default:
		at.list = 0
	}
	if err := w.children(n, children, at); err != nil {
		return err
	}
	n.List = listOrMap && n.Repetition != Repeated && len(n.Children) == 1 && n.Children[0].Repetition == Repeated
	n.Map = n.List && !list && len(n.Children[0].Children) == 2
	return nil
}

// isList reports whether a group is a LIST, and whether it is one or a MAP.
func isList(e thrift.Struct) (list, listOrMap bool, err error) {
	logical, err := e.Struct(ElementLogical)
	if err != nil {
		return false, false, err
	}
	converted, err := e.Int(ElementConverted, -1)
	list = logical.Has(logicalListID) || converted == convertedList
	return list, list || logical.Has(logicalMapID) || converted == convertedMap || converted == convertedMapKeyValue, err
}

func newColumn(e thrift.Struct, at place) (Column, error) {
	physical, err := e.Int(ElementType, 0)
	if err != nil {
		return Column{}, err
	}
	if physical < 0 || physical > int64(FixedLenByteArray) {
		return Column{}, Unsupportedf("schema: physical type %d", physical)
	}
	length, err := e.Int(ElementTypeLength, 0)
	if err != nil {
		return Column{}, err
	}
	c := Column{Path: at.path, Physical: Physical(physical), MaxRep: at.rep, MaxDef: at.def,
		short: strings.Join(at.short, "."), lists: at.lists, ElementDef: at.elementDef}
	switch c.Physical {
	case FixedLenByteArray:
		if length < 0 || length > 1<<30 {
			return Column{}, Corruptf("schema: %s of %d bytes", c.Physical, length)
		}
		c.TypeLength = int(length)
	case Int96:
		c.TypeLength = 12
	}
	if c.Logical, err = parseLogical(e); err != nil {
		return Column{}, err
	}
	c.Order = columnOrder(c.Physical, c.Logical)
	return c, nil
}

// Width returns the bytes of a PLAIN value, 0 for ByteArray and Boolean.
func (c *Column) Width() int {
	switch c.Physical {
	case Int32, Float:
		return 4
	case Int64, Double:
		return 8
	}
	return c.TypeLength
}

// Integer reports whether decoded values are integers (Boolean, Int32, Int64), not bytes.
func (c *Column) Integer() bool { return c.Physical <= Int64 }

// Text reports whether values are UTF-8.
func (c *Column) Text() bool {
	return c.Logical.Kind == String || c.Logical.Kind == JSON || c.Logical.Kind == Enum
}

// Members of the LogicalType union.
const (
	logicalMapID  = 2
	logicalListID = 3
)

var logicalKinds = map[int16]LogicalKind{1: String, 2: Map, 3: List, 4: Enum, 5: Decimal, 6: Date, 7: Time, 8: Timestamp,
	10: Int, 11: Unknown, 12: JSON, 13: BSON, 14: UUID, 15: Float16, 16: Variant, 17: Geometry, 18: Geography}

func parseLogical(e thrift.Struct) (Logical, error) {
	union, err := e.Struct(ElementLogical)
	if err != nil {
		return Logical{}, err
	}
	if len(union) == 0 {
		return parseConverted(e)
	}
	l := Logical{Kind: Other}
	if k, ok := logicalKinds[union[0].ID]; ok {
		l.Kind = k
	}
	s, err := union[0].Struct()
	if err != nil {
		return l, err
	}
	switch l.Kind {
	case Time, Timestamp:
		if l.UTC, err = s.Bool(1); err != nil {
			return l, err
		}
		unit, err := s.Struct(2)
		if len(unit) > 0 && unit[0].ID >= 1 && unit[0].ID <= 3 {
			l.Unit = TimeUnit(unit[0].ID)
		}
		return l, err
	case Int:
		width, err := s.Int(1, 0)
		if err != nil {
			return l, err
		}
		l.BitWidth = int(width)
		l.Signed, err = s.Bool(2)
		return l, err
	case Decimal:
		return decimal(s, 1, 2)
	}
	return l, nil
}

func decimal(s thrift.Struct, scaleID, precisionID int16) (Logical, error) {
	scale, err := s.Int(scaleID, 0)
	if err != nil {
		return Logical{}, err
	}
	precision, err := s.Int(precisionID, 0)
	return Logical{Kind: Decimal, Scale: int(scale), Precision: int(precision)}, err
}

// convertedTypes are the logical types for which members of ConvertedType stand, by their numbers.
var convertedTypes = [...]Logical{
	{Kind: String}, {Kind: Map}, {Kind: Map}, {Kind: List}, {Kind: Enum}, {Kind: Decimal}, {Kind: Date},
	{Kind: Time, Unit: Millis, UTC: true}, {Kind: Time, Unit: Micros, UTC: true},
	{Kind: Timestamp, Unit: Millis, UTC: true}, {Kind: Timestamp, Unit: Micros, UTC: true},
	{Kind: Int, BitWidth: 8}, {Kind: Int, BitWidth: 16}, {Kind: Int, BitWidth: 32}, {Kind: Int, BitWidth: 64},
	{Kind: Int, BitWidth: 8, Signed: true}, {Kind: Int, BitWidth: 16, Signed: true},
	{Kind: Int, BitWidth: 32, Signed: true}, {Kind: Int, BitWidth: 64, Signed: true},
	{Kind: JSON}, {Kind: BSON}, {Kind: Interval},
}

// parseConverted reads the older ConvertedType.
func parseConverted(e thrift.Struct) (Logical, error) {
	c, err := e.Int(ElementConverted, -1)
	if err != nil {
		return Logical{}, err
	}
	switch {
	case c < 0:
		return Logical{}, nil
	case c == convertedDecimal:
		return decimal(e, ElementScale, ElementPrecision)
	case c < int64(len(convertedTypes)):
		return convertedTypes[c], nil
	}
	return Logical{Kind: Other}, nil
}
