package parquet

import (
	"bytes"
	"errors"
	"testing"

	parquetgo "github.com/parquet-go/parquet-go"

	"assent/job/parquet/thrift"
)

func TestLookup(t *testing.T) {
	type client struct {
		ID   string `parquet:"id"`
		Name string `parquet:"name"`
	}
	type row struct {
		ID      string   `parquet:"id"`
		Tags    []string `parquet:"tags,list"`
		Clients []client `parquet:"clients,list"`
		Deep    []struct {
			Members []string `parquet:"members,list"`
		} `parquet:"deep,list"`
		Rep []int64        `parquet:"rep"`
		M   map[string]int `parquet:"m"`
		Dot string         `parquet:"a.b"`
	}
	var b bytes.Buffer
	w := parquetgo.NewGenericWriter[row](&b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := Open(t.Context(), bytes.NewReader(b.Bytes()), int64(b.Len()), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, want string
		err        error
	}{
		{"id", "id", nil},
		{"tags", "tags.list.element", nil},
		{"tags.list.element", "tags.list.element", nil},
		{"clients.id", "clients.list.element.id", nil},
		{"clients", "", ErrAmbiguous},
		{"deep.members", "deep.list.element.members.list.element", nil},
		{"deep", "deep.list.element.members.list.element", nil},
		{"rep", "rep", nil},
		{"m", "", ErrNoColumn},
		{"m.key_value.key", "m.key_value.key", nil},
		{"a.b", "a.b", nil},
		{"clints.id", "", ErrNoColumn},
		{"", "", ErrNoColumn},
	} {
		i, err := f.Lookup(c.path)
		if !errors.Is(err, c.err) || c.err == nil && (err != nil || f.Columns()[i].Name() != c.want) {
			t.Errorf("%q: %d, %v; want %q, %v", c.path, i, err, c.want, c.err)
		}
	}
}

func TestApplication(t *testing.T) {
	for _, c := range []struct {
		by                   string
		header, delta, bytes bool
	}{
		{"parquet-mr version 1.2.8 (build x)", true, true, true},
		{"parquet-mr version 1.2.9", false, true, true},
		{"parquet-mr version 1.6.0rc3", false, true, true},
		{"parquet-mr version 1.8.0 (build 8)", false, false, true},
		{"parquet-mr version 1.10.0", false, false, false},
		{"parquet-mr version 1.13.1 (build db4183109d5b734ec5930d870cdae161e408ddba)", false, false, false},
		{"parquet-mr", true, true, true},
		{"parquet-cpp version 1.2.1-SNAPSHOT", false, false, true},
		{"parquet-cpp version 1.3.0", false, false, false},
		{"parquet-cpp-arrow version 1.2.0", false, false, false},
		{"DuckDB version v1.1.3 (build 19864453f7)", false, false, false},
		{"", false, false, false},
	} {
		a := parseApplication(c.by)
		text, number := &Column{Order: OrderBytes}, &Column{Order: OrderSigned}
		if a.omitsDictionaryHeader() != c.header || a.CarriesDelta() != c.delta || a.BadBounds(text) != c.bytes || a.BadBounds(number) {
			t.Errorf("%q: %+v: %v %v %v", c.by, a, a.omitsDictionaryHeader(), a.CarriesDelta(), a.BadBounds(text))
		}
	}
}

func TestConvertedTypes(t *testing.T) {
	for converted, want := range map[int32]Logical{
		-1: {}, 0: {Kind: String}, 1: {Kind: Map}, 3: {Kind: List}, 4: {Kind: Enum}, 5: {Kind: Decimal, Scale: 2, Precision: 9}, 6: {Kind: Date},
		7: {Kind: Time, Unit: Millis, UTC: true}, 8: {Kind: Time, Unit: Micros, UTC: true}, 9: {Kind: Timestamp, Unit: Millis, UTC: true},
		10: {Kind: Timestamp, Unit: Micros, UTC: true}, 11: {Kind: Int, BitWidth: 8}, 14: {Kind: Int, BitWidth: 64},
		15: {Kind: Int, BitWidth: 8, Signed: true}, 18: {Kind: Int, BitWidth: 64, Signed: true}, 19: {Kind: JSON}, 20: {Kind: BSON},
		21: {Kind: Interval}, 22: {Kind: Other},
	} {
		e := thrift.Struct{thrift.Int32Field(ElementConverted, converted), thrift.Int32Field(ElementScale, 2), thrift.Int32Field(ElementPrecision, 9)}
		if got, err := parseLogical(e); got != want || err != nil {
			t.Errorf("converted type %d: %+v, %v; want %+v", converted, got, err, want)
		}
	}
}
