package verify

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"assent/job/internal/source/listing"
	"assent/schema"
)

// nullType is INT32 with the logical type UNKNOWN.
type nullType struct{ parquet.Type }

func (nullType) LogicalType() *format.LogicalType {
	return &format.LogicalType{Value: &format.NullType{}}
}

// bound writes a file of one optional column, c, and opens a binder of it. Byte strings
// of a fixed length are given as []byte. A nil value is null.
func bound(t *testing.T, node parquet.Node, dir string, values ...any) (b *binder, rows int) {
	t.Helper()
	var buf bytes.Buffer
	w := parquet.NewWriter(&buf, parquet.NewSchema("m", parquet.Group{"c": parquet.Optional(node)}))
	for _, v := range values {
		value := parquet.NullValue().Level(0, 0, 0)
		if fixed, ok := v.([]byte); ok {
			value = parquet.FixedLenByteArrayValue(fixed).Level(0, 1, 0)
		} else if v != nil {
			value = parquet.ValueOf(v).Level(0, 1, 0)
		}
		if _, err := w.WriteRows([]parquet.Row{{value}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := openParquet(t.Context(), &watched{Reader: memory{bytes.NewReader(buf.Bytes())}})
	if err != nil {
		t.Fatal(err)
	}
	b = &binder{file: file, keys: listing.Keys(dir)}
	t.Cleanup(b.close)
	return b, len(values)
}

func fixed(length int, last ...byte) []byte {
	return append(make([]byte, length-len(last)), last...)
}

func TestBindIDs(t *testing.T) {
	for name, c := range map[string]struct {
		node   parquet.Node
		dir    string
		column string
		values []any
		want   []string
	}{
		"decimal int64":  {parquet.Decimal(0, 18, parquet.Int64Type), "", "c", []any{int64(-7), nil}, []string{"-7", ""}},
		"decimal fixed":  {parquet.Decimal(0, 38, parquet.FixedLenByteArrayType(16)), "", "c", []any{fixed(16, 1, 0), bytes.Repeat([]byte{0xff}, 16)}, []string{"256", "-1"}},
		"decimal bytes":  {parquet.Decimal(0, 38, parquet.ByteArrayType), "", "c", []any{"\x00\x80", "\x80", "\x01" + strings.Repeat("\x00", 8)}, []string{"128", "-128", "18446744073709551616"}},
		"null type":      {parquet.Leaf(nullType{parquet.Int32Type}), "", "c", []any{nil}, []string{""}},
		"char":           {parquet.Leaf(parquet.FixedLenByteArrayType(3)), "", "c", []any{[]byte("ab ")}, []string{"ab "}},
		"from the path":  {parquet.String(), "k=a%3Ab", "k", []any{"x", "y"}, []string{"a:b", "a:b"}},
		"null in a path": {parquet.String(), "k=__HIVE_DEFAULT_PARTITION__", "k", []any{"x"}, []string{""}},
	} {
		b, rows := bound(t, c.node, c.dir, c.values...)
		k := b.id("record", c.column)
		if b.err != nil {
			t.Errorf("%s: %v", name, b.err)
			continue
		}
		var got []string
		for range rows {
			v, err := k.one()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v.text())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for name, node := range map[string]parquet.Node{
		"16 bytes": parquet.Leaf(parquet.FixedLenByteArrayType(16)), "a fraction": parquet.Decimal(2, 18, parquet.Int64Type),
		"a boolean": parquet.Leaf(parquet.BooleanType), "a fraction of 16 bytes": parquet.Decimal(1, 38, parquet.FixedLenByteArrayType(16)),
	} {
		b, _ := bound(t, node, "")
		if b.id("record", "c"); b.err == nil {
			t.Errorf("%s is taken for an id", name)
		}
	}
}

func TestBindInstants(t *testing.T) {
	const second = schema.Instant(1e9)
	for name, c := range map[string]struct {
		node  parquet.Node
		unit  schema.Unit
		value any
		want  schema.Instant
	}{
		"milliseconds": {parquet.Int(64), schema.Milliseconds, int64(2000), 2 * second},
		"int32":        {parquet.Leaf(parquet.Int32Type), schema.Seconds, int32(-2), -2 * second},
		"uint32":       {parquet.Uint(32), schema.Seconds, int32(-1), 4294967295 * second},
		"uint64":       {parquet.Uint(64), schema.Seconds, int64(-1), schema.Forever},
		"beyond":       {parquet.Int(64), schema.Seconds, int64(math.MaxInt64), schema.Forever},
		"decimal":      {parquet.Decimal(0, 38, parquet.FixedLenByteArrayType(16)), schema.Microseconds, fixed(16, 0x1e, 0x84, 0x80), 2 * second},
		"timestamp":    {parquet.Timestamp(parquet.Millisecond), schema.Seconds, int64(2000), 2 * second},
		"null type":    {parquet.Leaf(nullType{parquet.Int32Type}), "", nil, schema.Unknown},
	} {
		b, _ := bound(t, c.node, "", c.value)
		k := b.instant("moments.sent", "c", c.unit)
		if b.err != nil {
			t.Errorf("%s: %v", name, b.err)
			continue
		}
		if v, err := k.one(); err != nil || v.instant() != c.want {
			t.Errorf("%s: %v, %v; want %v", name, v.instant(), err, c.want)
		}
	}
	for name, c := range map[string]struct {
		node parquet.Node
		unit schema.Unit
		dir  string
	}{
		"no unit": {parquet.Int(64), "", ""}, "text": {parquet.String(), schema.Seconds, ""}, "a path": {parquet.Int(64), schema.Seconds, "c=2026-03-01"},
	} {
		b, _ := bound(t, c.node, c.dir)
		if b.instant("moments.sent", "c", c.unit); b.err == nil {
			t.Errorf("%s is taken for an instant", name)
		}
	}
}

func TestBindMaps(t *testing.T) {
	var buf bytes.Buffer
	w := parquet.NewWriter(&buf, parquet.NewSchema("m", parquet.Group{"m": parquet.Map(parquet.String(), parquet.Int(64))}))
	row := parquet.Row{parquet.ValueOf("a").Level(0, 1, 0), parquet.ValueOf("b").Level(1, 1, 0), parquet.ValueOf(int64(1)).Level(0, 1, 1), parquet.ValueOf(int64(2)).Level(1, 1, 1)}
	if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := openParquet(t.Context(), &watched{Reader: memory{bytes.NewReader(buf.Bytes())}})
	if err != nil {
		t.Fatal(err)
	}
	b := &binder{file: file}
	defer b.close()
	for path, want := range map[string]string{"m.key": "a b", "m.value": "1 2", "m.key_value.value": "1 2"} {
		k := b.ids("parties.members", path)
		if b.err != nil {
			t.Fatal(b.err)
		}
		elements, err := k.elements()
		var got []string
		for _, v := range elements {
			got = append(got, key{Value: v, leaf: k.leaf}.text())
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v; want %s", path, got, err, want)
		}
	}
}
