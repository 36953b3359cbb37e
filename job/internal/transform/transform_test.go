package transform

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"

	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// record is a row of the files below.
type record struct {
	ID      string            `parquet:"id"`
	Text    string            `parquet:"text"`
	Number  int64             `parquet:"number"`
	Fixed   [16]byte          `parquet:"uuid,uuid"`
	Raw     [16]byte          `parquet:"raw"`
	Ratio   float64           `parquet:"ratio"`
	Flag    bool              `parquet:"flag"`
	Sent    int64             `parquet:"sent,timestamp(microsecond)"`
	Seconds uint32            `parquet:"seconds"`
	Day     int32             `parquet:"day,date"`
	Inner   inner             `parquet:"inner"`
	List    []string          `parquet:"list,list"`
	Map     map[string]string `parquet:"map"`
}

type inner struct {
	A string `parquet:"a"`
	B string `parquet:"b"`
}

func open(t *testing.T) *rewrite.File {
	t.Helper()
	var b bytes.Buffer
	w := parquetgo.NewGenericWriter[record](&b)
	if _, err := w.Write(make([]record, 2)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := rewrite.Open(t.Context(), bytes.NewReader(b.Bytes()), int64(b.Len()), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var testKey = &manifests.Key{1, 2, 3}

// What cannot be left out or changed is refused, with the key that asks for it.
func TestBindRefuses(t *testing.T) {
	grain := func(column string) schema.Handover {
		return schema.Handover{Coarsen: map[string]schema.Grain{column: schema.Hour}}
	}
	for _, c := range []struct {
		name, rel, key, want string
		handover             schema.Handover
	}{
		{"a struct", "f.parquet", "pseudonymise", "has fields of its own", schema.Handover{Pseudonymise: []string{"inner"}}},
		{"a ratio", "f.parquet", "pseudonymise", "cannot be an id", schema.Handover{Pseudonymise: []string{"ratio"}}},
		{"a flag", "f.parquet", "pseudonymise", "cannot be an id", schema.Handover{Pseudonymise: []string{"flag"}}},
		{"a day as an id", "f.parquet", "pseudonymise", "cannot be an id", schema.Handover{Pseudonymise: []string{"day"}}},
		{"16 bytes that are no UUID", "f.parquet", "pseudonymise", "without the UUID annotation", schema.Handover{Pseudonymise: []string{"raw"}}},
		{"text as an instant", "f.parquet", "coarsen", "is no timestamp", grain("text")},
		{"a number without a unit", "f.parquet", "coarsen", "has no unit", grain("number")},
		{"a key of a map", "f.parquet", "columns.drop", "stays or goes as a whole", schema.Handover{Drop: []string{"map.key"}}},
		{"dropped and changed", "f.parquet", "pseudonymise", "is left out by columns.drop", schema.Handover{Drop: []string{"list"}, Pseudonymise: []string{"list.list.element"}}},
		{"not kept and changed", "f.parquet", "coarsen", "is left out by columns.keep", schema.Handover{Keep: []string{"id"}, Coarsen: map[string]schema.Grain{"sent": schema.DayOf}}},
		{"the record", "f.parquet", "columns.keep", "is the record's id", schema.Handover{Keep: []string{"text"}}},
		{"by two names", "f.parquet", "pseudonymise", "is changed by two keys", schema.Handover{Pseudonymise: []string{"list", "list.list.element"}}},
		{"in the path", "client=7/f.parquet", "pseudonymise", "stands in the path", schema.Handover{Pseudonymise: []string{"client"}}},
		{"in the path as well", "text=7/f.parquet", "columns.drop", "stands in the path", schema.Handover{Drop: []string{"text"}}},
		{"in the path, not kept", "client=7/f.parquet", "columns.keep", "stands in the path", schema.Handover{Keep: []string{"id"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Rules{Dataset: &schema.Dataset{Record: "id", Handover: c.handover}, Key: testKey}
			_, err := r.Bind(open(t), c.rel)
			var x *ColumnError
			if !errors.As(err, &x) || x.Key != c.key || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestBind(t *testing.T) {
	r := Rules{Key: testKey, Dataset: &schema.Dataset{
		Record:  "id",
		Moments: []schema.Moment{{Name: "at", Column: "seconds", Unit: schema.Seconds}},
		Handover: schema.Handover{Keep: []string{"id", "inner.a", "list", "map", "seconds", "month"}, Pseudonymise: []string{"list", "other"},
			Coarsen: map[string]schema.Grain{"seconds": schema.DayOf}},
	}}
	b, err := r.Bind(open(t), "month=1/f.parquet")
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Drop) != 9 || len(b.Transforms) != 2 || len(b.Lacking) != 1 || b.Lacking[0] != (schema.Change{Key: "pseudonymise", Column: "other"}) {
		t.Errorf("%+v", b)
	}
}

// The pseudonym is the formula's, and the same whatever type holds the id.
func TestPseudonym(t *testing.T) {
	// printf 'pseudonym:7' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0102030000…
	const seven = "6ec4555ea11f75588990511e36e27e51"
	if got := Pseudonym(testKey, "7"); got != seven {
		t.Errorf("%s, want %s", got, seven)
	}
	r := Rules{Dataset: &schema.Dataset{Record: "id", Handover: schema.Handover{Pseudonymise: []string{"text", "number", "uuid"}}}, Key: testKey}
	f := open(t)
	b, err := r.Bind(f, "f.parquet")
	if err != nil {
		t.Fatal(err)
	}
	id := []byte{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0}
	for column, c := range map[string]struct {
		plain []byte
		want  string
	}{
		"text":   {[]byte("7"), "7"},
		"number": {binary.LittleEndian.AppendUint64(nil, 7), "7"},
		"uuid":   {id, "12345678-9abc-def0-1234-56789abcdef0"},
	} {
		leaf, err := f.Lookup(column)
		if err != nil {
			t.Fatal(err)
		}
		m := b.Transforms[leaf].New()
		for range 2 { // the second is remembered
			if got := string(m(nil, c.plain, 3)); got != Pseudonym(testKey, c.want) {
				t.Errorf("%s: %s", column, got)
			}
		}
	}
	for _, c := range b.Counts() {
		if c.Values != 6 {
			t.Errorf("%s: %d values", c.Column, c.Values)
		}
	}
}

// Cutting is what the calendar of package time says, for all units and for instants before 1970 too.
func TestCut(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 13))
	for range 20_000 {
		at := time.Unix(r.Int64N(1<<36)-1<<35, r.Int64N(1e9)).UTC()
		for grain, want := range map[schema.Grain]time.Time{
			schema.Hour:  at.Truncate(time.Hour),
			schema.DayOf: time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC),
			schema.Month: time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC),
		} {
			if got := cut(at.Unix(), 86_400, grain); got != want.Unix() {
				t.Fatalf("%s, %s in seconds: %s", at, grain, time.Unix(got, 0).UTC())
			}
			if got := cut(at.UnixMilli(), 86_400_000, grain); got != want.UnixMilli() {
				t.Fatalf("%s, %s in milliseconds: %s", at, grain, time.UnixMilli(got).UTC())
			}
			if got := cut(at.UnixMicro(), 86_400_000_000, grain); got != want.UnixMicro() {
				t.Fatalf("%s, %s in microseconds: %s", at, grain, time.UnixMicro(got).UTC())
			}
			raw := binary.LittleEndian.AppendUint64(nil, uint64(at.Sub(at.Truncate(24*time.Hour))))
			raw = binary.LittleEndian.AppendUint32(raw, uint32(floorDiv(at.Unix(), 86_400)+2_440_588))
			if got := schema.FromInt96(appendInt96(nil, raw, grain)); got != schema.FromTime(want) {
				t.Fatalf("%s, %s as INT96: %s", at, grain, got)
			}
		}
	}
	for _, grain := range []schema.Grain{schema.Hour, schema.DayOf, schema.Month} {
		if got := cut(math.MinInt64, 86_400_000_000_000, grain); got != math.MinInt64 {
			t.Errorf("the least instant: %d", got)
		}
		if got := cut(math.MaxInt64, 86_400_000_000_000, grain); got < math.MaxInt64-32*86_400_000_000_000 {
			t.Errorf("the greatest instant: %d", got)
		}
	}
}
