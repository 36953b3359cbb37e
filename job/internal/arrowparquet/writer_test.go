package arrowparquet

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"
)

// appendRandom appends one value to b: null now and then where that is allowed,
// lists of up to three elements.
func appendRandom(b array.Builder, nullable bool, rng *rand.Rand) {
	if nullable && rng.IntN(4) == 0 {
		b.AppendNull()
		return
	}
	text := func() string { return strings.Repeat("x", rng.IntN(3)) + fmt.Sprint(rng.IntN(20)) }
	switch b := b.(type) {
	case *array.StructBuilder:
		b.Append(true)
		for i, f := range b.Type().(*arrow.StructType).Fields() {
			appendRandom(b.FieldBuilder(i), f.Nullable, rng)
		}
	case *array.MapBuilder:
		b.Append(true)
		for range rng.IntN(4) {
			appendRandom(b.KeyBuilder(), false, rng)
			appendRandom(b.ItemBuilder(), b.Type().(*arrow.MapType).ItemField().Nullable, rng)
		}
	case array.ListLikeBuilder:
		b.Append(true)
		for range rng.IntN(4) {
			appendRandom(b.ValueBuilder(), b.Type().(arrow.ListLikeType).ElemField().Nullable, rng)
		}
	case *array.BooleanBuilder:
		b.Append(rng.IntN(2) == 0)
	case *array.Int32Builder:
		b.Append(int32(rng.Uint32()))
	case *array.Int64Builder:
		b.Append(int64(rng.Uint64()))
	case *array.Uint32Builder:
		b.Append(rng.Uint32())
	case *array.Uint64Builder:
		b.Append(rng.Uint64())
	case *array.Float32Builder:
		b.Append(rng.Float32())
	case *array.Float64Builder:
		b.Append(rng.NormFloat64())
	case *array.Date32Builder:
		b.Append(arrow.Date32(rng.Int32()))
	case *array.Time32Builder:
		b.Append(arrow.Time32(rng.Int32()))
	case *array.Time64Builder:
		b.Append(arrow.Time64(rng.Int64()))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(rng.Uint64()))
	case *array.Decimal128Builder:
		b.Append(decimal128.New(int64(rng.Uint64()), rng.Uint64()))
	case *array.FixedSizeBinaryBuilder:
		v := make([]byte, b.Type().(*arrow.FixedSizeBinaryType).ByteWidth)
		for i := range v {
			v[i] = byte(rng.Uint32())
		}
		b.Append(v)
	case array.StringLikeBuilder:
		b.Append(text())
	case *array.BinaryBuilder:
		b.Append([]byte(text()))
	default:
		panic(fmt.Sprintf("no random values of %s", b.Type()))
	}
}

func randomBatch(s *arrow.Schema, rows int, rng *rand.Rand) arrow.Record {
	b := array.NewRecordBuilder(memory.NewGoAllocator(), s)
	defer b.Release()
	for range rows {
		for i, f := range s.Fields() {
			appendRandom(b.Field(i), f.Nullable, rng)
		}
	}
	return b.NewRecord()
}

// plain is slot i of an array as nested Go values, for comparison; written
// without regard to how the writer goes about it.
func plain(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Struct:
		m := map[string]any{}
		for j, f := range a.DataType().(*arrow.StructType).Fields() {
			m[f.Name] = plain(a.Field(j), i)
		}
		return m
	case *array.Map:
		m := map[any]any{}
		from, to := a.ValueOffsets(i)
		for j := from; j < to; j++ {
			m[plain(a.Keys(), int(j))] = plain(a.Items(), int(j))
		}
		return m
	case array.ListLike:
		l := []any{}
		from, to := a.ValueOffsets(i)
		for j := from; j < to; j++ {
			l = append(l, plain(a.ListValues(), int(j)))
		}
		return l
	case *array.Boolean:
		return a.Value(i)
	case *array.Float32:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.Uint64:
		return int64(a.Value(i))
	case *array.Uint32:
		return int64(a.Value(i))
	case *array.FixedSizeBinary:
		return string(a.Value(i))
	case *array.Binary:
		return string(a.Value(i))
	case *array.String:
		return a.Value(i)
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Int64:
		return a.Value(i)
	case *array.Date32:
		return int64(a.Value(i))
	case *array.Time32:
		return int64(a.Value(i))
	case *array.Time64:
		return int64(a.Value(i))
	case *array.Timestamp:
		return int64(a.Value(i))
	}
	panic(fmt.Sprintf("no plain value of %s", a.DataType()))
}

// normal brings what the reader returns to the form of plain.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[any]any, len(v))
		for k, e := range v {
			m[k] = normal(e)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = normal(e)
		}
		return l
	case []byte:
		return string(v)
	case *[]byte: // optional values of a map
		if v == nil {
			return nil
		}
		return string(*v)
	case *int64:
		if v == nil {
			return nil
		}
		return *v
	case int32:
		return int64(v)
	case uint32:
		return int64(v)
	}
	return v
}

func open(t *testing.T, data []byte) *parquet.File {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func readRows(t *testing.T, f *parquet.File) []any {
	t.Helper()
	r := parquet.NewGenericReader[any](f)
	defer r.Close()
	rows := make([]any, r.NumRows())
	if n, err := r.Read(rows); n != len(rows) {
		t.Fatalf("read %d of %d rows: %v", n, len(rows), err)
	}
	return rows
}

func writeFile(t *testing.T, s *arrow.Schema, o Options, batches ...arrow.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, s, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range batches {
		if err := w.Write(batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// scalars has every type of leaf that the reader gives back as it was.
func scalars() *arrow.Schema {
	types := []arrow.DataType{
		arrow.FixedWidthTypes.Boolean,
		arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
		arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Time32ms, arrow.FixedWidthTypes.Time64us, arrow.FixedWidthTypes.Time64ns,
		arrow.FixedWidthTypes.Timestamp_ms, arrow.FixedWidthTypes.Timestamp_us, arrow.FixedWidthTypes.Timestamp_ns,
		&arrow.TimestampType{Unit: arrow.Microsecond},
		arrow.BinaryTypes.String, arrow.BinaryTypes.Binary,
		&arrow.FixedSizeBinaryType{ByteWidth: 5},
		arrow.ListOf(arrow.PrimitiveTypes.Int32), arrow.ListOfNonNullable(arrow.BinaryTypes.String),
		arrow.ListOf(arrow.ListOf(arrow.FixedWidthTypes.Boolean)),
		arrow.ListOf(arrow.StructOf(
			arrow.Field{Name: "z", Type: arrow.BinaryTypes.String},
			arrow.Field{Name: "a", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64), Nullable: true},
		)),
		arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64),
	}
	var fields []arrow.Field
	for i, t := range types {
		// Names in falling order: the file must keep that of the schema.
		name := fmt.Sprintf("c%02d", 2*(len(types)-i))
		fields = append(fields, arrow.Field{Name: name, Type: t}, arrow.Field{Name: name + "_null", Type: t, Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

func messages() *arrow.Schema {
	text := arrow.BinaryTypes.String
	return arrow.NewSchema([]arrow.Field{
		{Name: "message_id", Type: text},
		{Name: "contract_id", Type: text, Nullable: true},
		{Name: "room_id", Type: text},
		{Name: "sender_id", Type: text, Nullable: true},
		{Name: "sent_at", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "body", Type: text, Nullable: true},
		{Name: "attachments", Type: arrow.PrimitiveTypes.Int32},
	}, nil)
}

func nested() *arrow.Schema {
	text := arrow.BinaryTypes.String
	return arrow.NewSchema([]arrow.Field{
		{Name: "event_id", Type: text},
		{Name: "occurred_at", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "metadata", Type: arrow.StructOf(
			arrow.Field{Name: "format", Type: text, Nullable: true},
			arrow.Field{Name: "tags", Type: arrow.ListOf(text), Nullable: true},
			arrow.Field{Name: "revision", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		), Nullable: true},
		{Name: "properties", Type: arrow.MapOf(text, text), Nullable: true},
	}, nil)
}

var schemas = map[string]func() *arrow.Schema{"messages": messages, "nested": nested, "scalars": scalars}

func TestRoundTrip(t *testing.T) {
	all := func(string) bool { return true }
	notBool := func(path string) bool { return !strings.HasPrefix(path, "c46") }
	options := map[string]Options{
		"defaults":            {},
		"v2 snappy":           {PageVersion: 2, Codec: &snappy.Codec{}},
		"small pages":         {PageBytes: 200, PageRows: 17, RowGroupRows: 100},
		"deltas":              {Delta: all, PageVersion: 2},
		"dictionaries":        {Dictionary: all, RowGroupRows: 64},
		"dictionary to plain": {Dictionary: notBool, DictionaryBytes: 64, PageRows: 10, PageVersion: 2},
	}
	for schemaName, s := range schemas {
		for optionsName, o := range options {
			t.Run(schemaName+"/"+optionsName, func(t *testing.T) {
				s := s()
				rng := rand.New(rand.NewPCG(1, uint64(len(schemaName))))
				// An odd start: slices of arrays have offsets that must be honoured.
				first := randomBatch(s, 150, rng)
				batches := []arrow.Record{first.NewSlice(7, 150), first.NewSlice(3, 3), randomBatch(s, 90, rng)}
				f := open(t, writeFile(t, s, o, batches...))
				got := readRows(t, f)
				i := 0
				for _, batch := range batches {
					for row := range int(batch.NumRows()) {
						want := map[any]any{}
						for c, field := range s.Fields() {
							want[field.Name] = normal(plain(batch.Column(c), row))
						}
						if diff := cmp.Diff(want, normal(got[i])); diff != "" {
							t.Fatalf("row %d: -want +got\n%s", i, diff)
						}
						i++
					}
				}
				if i != len(got) {
					t.Errorf("%d rows, want %d", len(got), i)
				}
				for c, field := range f.Schema().Fields() {
					if field.Name() != s.Field(c).Name || field.Optional() != s.Field(c).Nullable {
						t.Errorf("field %d is %s, optional %t", c, field.Name(), field.Optional())
					}
				}
			})
		}
	}
}
