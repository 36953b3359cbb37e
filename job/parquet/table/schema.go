package table

import (
	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// A Type is the type of a column's values.
type Type int

// Types.
const (
	Text  Type = iota // STRING
	Int64             // INT64
	Nanos             // TIMESTAMP: nanoseconds since 1970, UTC
	Bool              // BOOLEAN
)

// A Field describes a column of a document: of values of a type, or, where it has Fields, of groups of them.
type Field struct {
	Name     string
	Type     Type
	Fields   []Field
	List     bool // a list of such values or groups. Neither the list nor an element is null
	Optional bool // a value may be null

	Encoding     parquet.Encoding // of data pages: RLEDictionary, DeltaBinaryPacked, DeltaLengthByteArray, DeltaByteArray, or Plain booleans
	Uncompressed bool
	Literal      bool // pages may be compressed as literals alone, see literals.go
	Bounded      bool // pages and chunks have bounds; those of a dictionary are the bounds of all its entries
	Filtered     bool // chunks have a bloom filter; of DeltaByteArray alone
}

// A Schema is a document's columns.
type Schema struct {
	elements thrift.Field // FileMetaData's schema
	fields   []Field      // of each leaf
	columns  []parquet.Column
	paths    []thrift.Field // path_in_schema of each leaf's chunks
}

// NewSchema returns the schema of some fields, which are constants of the program: it panics where they are none.
func NewSchema(fields ...Field) *Schema {
	s := &Schema{}
	b := thrift.Struct{
		thrift.BytesField(parquet.ElementName, []byte("schema")),
		thrift.Int32Field(parquet.ElementNumChildren, int32(len(fields))),
	}.Append(nil)
	n := 1
	for i := range fields {
		b = s.add(b, &fields[i], &n)
	}
	s.elements = thrift.ListField(parquet.FileSchema, thrift.StrucT, n, b)
	list, err := s.elements.List()
	if err == nil {
		_, s.columns, err = parquet.ParseSchema(list)
	}
	if err != nil {
		panic(err)
	}
	for i := range s.columns {
		var path []byte
		for _, name := range s.columns[i].Path {
			path = thrift.AppendBytes(path, []byte(name))
		}
		s.paths = append(s.paths, thrift.ListField(parquet.MetaPath, thrift.Binary, len(s.columns[i].Path), path))
	}
	return s
}

// Leaves returns the number of columns.
func (s *Schema) Leaves() int { return len(s.columns) }

// Logical and converted types, by their numbers in parquet.thrift.
const (
	logicalString    = 1
	logicalList      = 3
	logicalTimestamp = 8
	unitNanos        = 3
	convertedUTF8    = 0
	convertedList    = 3
)

// add appends the elements of a field, depth first, in the forms that LogicalTypes.md asks for, and counts them.
func (s *Schema) add(b []byte, f *Field, n *int) []byte {
	name := f.Name
	if f.List {
		b = group(f.Name, parquet.Required, 1, true).Append(b)
		b = group("list", parquet.Repeated, 1, false).Append(b)
		name = "element"
		*n += 2
	}
	*n++
	if f.Fields == nil {
		s.fields = append(s.fields, *f)
		return leaf(name, f).Append(b)
	}
	b = group(name, parquet.Required, len(f.Fields), false).Append(b)
	for i := range f.Fields {
		b = s.add(b, &f.Fields[i], n)
	}
	return b
}

// group returns the SchemaElement of a group, which may stand for a LIST.
func group(name string, repetition parquet.Repetition, children int, list bool) thrift.Struct {
	e := thrift.Struct{
		thrift.Int32Field(parquet.ElementRepetition, int32(repetition)),
		thrift.BytesField(parquet.ElementName, []byte(name)),
		thrift.Int32Field(parquet.ElementNumChildren, int32(children)),
	}
	if list {
		e = append(e, thrift.Int32Field(parquet.ElementConverted, convertedList), logical(logicalList, nil))
	}
	return e
}

// leaf returns the SchemaElement of a column.
func leaf(name string, f *Field) thrift.Struct {
	physical := map[Type]parquet.Physical{Text: parquet.ByteArray, Int64: parquet.Int64, Nanos: parquet.Int64, Bool: parquet.Boolean}[f.Type]
	repetition := parquet.Required
	if f.Optional {
		repetition = parquet.Optional
	}
	e := thrift.Struct{
		thrift.Int32Field(parquet.ElementType, int32(physical)),
		thrift.Int32Field(parquet.ElementRepetition, int32(repetition)),
		thrift.BytesField(parquet.ElementName, []byte(name)),
	}
	switch f.Type {
	case Text:
		e = append(e, thrift.Int32Field(parquet.ElementConverted, convertedUTF8), logical(logicalString, nil))
	case Nanos:
		e = append(e, logical(logicalTimestamp, thrift.Struct{
			thrift.BoolField(1, true),
			thrift.StructField(2, thrift.Struct{thrift.StructField(unitNanos, nil)}),
		}))
	}
	return e
}

// logical returns a LogicalType: the union's member and what it holds.
func logical(member int16, s thrift.Struct) thrift.Field {
	return thrift.StructField(parquet.ElementLogical, thrift.Struct{thrift.StructField(member, s)})
}
