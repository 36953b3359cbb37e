package verify

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	pthrift "github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"assent/job/internal/config"
	"assent/schema"
)

// exported is a row as real exports have it.
type exported struct {
	Text     string           `parquet:"text"`
	Small    int32            `parquet:"small,decimal(0:9)"`
	Big      int64            `parquet:"big,decimal(0:18)"`
	Huge     [16]byte         `parquet:"huge,decimal(0:38)"`
	Price    int64            `parquet:"price,decimal(2:18)"`
	Raw16    [16]byte         `parquet:"raw16"`
	Raw8     [8]byte          `parquet:"raw8"`
	UUID     [16]byte         `parquet:"uuid,uuid"`
	Unsigned uint64           `parquet:"unsigned"`
	Millis   int64            `parquet:"millis"`
	Short    int32            `parquet:"short"`
	Stamp    time.Time        `parquet:"stamp,timestamp(microsecond)"`
	Day      int32            `parquet:"day,date"`
	Switch   bool             `parquet:"switch"`
	Parties  map[string]int64 `parquet:"parties"`
	People   []string         `parquet:"people,list"`
	Void     *int32           `parquet:"void,optional"` // its type becomes the null type
	Nested   struct {
		ID int64 `parquet:"id"`
	} `parquet:"nested"`
}

// exportedFile opens a file of one row.
func exportedFile(t *testing.T) *parquetFile {
	t.Helper()
	row := exported{
		Text: "a", Small: -7, Big: 1234567890123456, Price: 100, Unsigned: 1<<64 - 1, Millis: 1767571200123, Short: 1767571200,
		Stamp: time.UnixMicro(1767571200123456), Switch: true, Parties: map[string]int64{"client": 5}, People: []string{"x", "y"},
	}
	row.UUID = [16]byte{0: 0x12, 15: 0xab}
	copy(row.Huge[:], "\x80"+strings.Repeat("\xff", 14)+"\xfe")
	row.Nested.ID = 9
	var out bytes.Buffer
	w := parquet.NewGenericWriter[exported](&out)
	if _, err := w.Write([]exported{row}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := openParquet(t.Context(), &watched{Reader: memory{bytes.NewReader(out.Bytes())}})
	if err != nil {
		t.Fatal(err)
	}
	i, _ := f.find("void")
	f.leaves[i].element = &format.SchemaElement{Name: "void", Type: pthrift.New(format.Int32), LogicalType: format.LogicalType{Value: new(format.NullType)}}
	return f
}

func TestBind(t *testing.T) {
	f := exportedFile(t)
	const (
		id = iota
		ids
		code
		integer
		millis
		instant
	)
	for _, c := range []struct {
		how  int
		path string
		want string // what it reads; with "!", what it fails with
	}{
		{id, "text", "a"},
		{id, "small", "-7"},
		{id, "big", "1234567890123456"},
		{id, "huge", "-168811955464684315858783496655603761154"},
		{id, "price", "!cannot be an id"},
		{id, "raw16", "!16 bytes"},
		{id, "raw8", strings.Repeat("\x00", 8)},
		{id, "uuid", "12000000-0000-0000-0000-0000000000ab"},
		{id, "unsigned", "18446744073709551615"},
		{id, "nested.id", "9"},
		{id, "void", ""},
		{id, "day", "!cannot be an id"},
		{id, "stamp", "!cannot be an id"},
		{id, "switch", "!cannot be an id"},
		{id, "none", "!there is none"},
		{id, "people", "!is a list"},
		{id, "parties.key", "!is a list"},
		{ids, "people", "x|y"},
		{ids, "people.list.element", "x|y"},
		{ids, "parties.key", "client"},
		{ids, "parties.value", "5"},
		{ids, "parties.key_value.value", "5"},
		{ids, "parties", "!there is none"},
		{ids, "void", ""},
		{code, "switch", "true"},
		{code, "short", "1767571200"},
		{code, "big", "1234567890123456"},
		{code, "uuid", "!neither"},
		{code, "void", ""},
		{integer, "unsigned", "9223372036854775807"},
		{integer, "small", "-7"},
		{integer, "huge", "-9223372036854775808"},
		{integer, "text", "!no integer"},
		{millis, "millis", "2026-01-05T00:00:00.123Z"},
		{millis, "big", "forever"},
		{millis, "short", "1970-01-21T10:59:31.2Z"},
		{millis, "stamp", "2026-01-05T00:00:00.123456Z"},
		{millis, "text", "!no timestamp"},
		{instant, "millis", "!no timestamp"},
		{instant, "stamp", "2026-01-05T00:00:00.123456Z"},
		{instant, "void", "unknown"},
	} {
		b := &binder{file: f}
		open := map[int]func(key, path string) *keyReader{id: b.id, ids: b.ids, code: b.code, integer: b.integer, millis: b.instant(schema.Milliseconds), instant: b.instant("")}[c.how]
		k := open("key", c.path)
		if want, fails := strings.CutPrefix(c.want, "!"); fails || b.err != nil {
			if !fails || b.err == nil || !strings.Contains(b.err.Error(), want) || !strings.Contains(b.err.Error(), c.path) {
				t.Errorf("%s: %v, want %s", c.path, b.err, c.want)
			}
			continue
		}
		if got := readAs(t, k, c.how == ids, c.how == integer, c.how >= millis); got != c.want {
			t.Errorf("%s as %d: %s, want %s", c.path, c.how, got, c.want)
		}
		b.close()
	}
}

func readAs(t *testing.T, k *keyReader, list, integer, instant bool) string {
	t.Helper()
	if list {
		var all []string
		elements, err := k.elements()
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range elements {
			all = append(all, key{v, k.leaf, ""}.text())
		}
		return strings.Join(all, "|")
	}
	v, err := k.one()
	switch {
	case err != nil:
		return err.Error()
	case integer:
		return fmt.Sprint(v.integer())
	case instant:
		return v.instant().String()
	}
	return v.text()
}

func TestBindPath(t *testing.T) {
	f := exportedFile(t)
	for _, c := range []struct {
		rel, path, want string
	}{
		{"client=c%3A1/month=2026-01/f.parquet", "client", "c:1"},
		{"client=c%3A1/month=2026-01/f.parquet", "month", "2026-01"},
		{"_client=x/f.parquet", "_client", "x"},
		{"a%20b=50%/f.parquet", "a b", "50%"},
		{"client=%4x/f.parquet", "client", "%4x"},
		{"client=__HIVE_DEFAULT_PARTITION__/f.parquet", "client", ""},
		{"client=a/client=a/f.parquet", "client", "a"},
		{"client=a/client=b/f.parquet", "client", "!two values"},
		{"client=a.parquet", "client", "!there is none"},
		{"text=a/f.parquet", "text", "a"},
		{"text=b/f.parquet", "text", "!its path says otherwise"},
		{"big=1234567890123456/f.parquet", "big", "1234567890123456"},
		{"void=__HIVE_DEFAULT_PARTITION__/f.parquet", "void", ""},
		{"void=1/f.parquet", "void", "!its path says otherwise"},
		{"people=x/f.parquet", "people", "!is a list"},
	} {
		b := &binder{file: f, rel: c.rel}
		k := b.ids("key", c.path)
		got, err := "", b.err
		if err == nil {
			var v key
			if v, err = k.one(); err == nil {
				got = v.text()
			}
			elements, elementsErr := k.elements()
			if k.cursor == nil && (len(elements) != 1 || elementsErr != nil) {
				t.Errorf("%s: %v, %v", c.rel, elements, elementsErr)
			}
		}
		if want, fails := strings.CutPrefix(c.want, "!"); fails && (err == nil || !strings.Contains(err.Error(), want)) || !fails && (err != nil || got != want) {
			t.Errorf("%s: %q, %v, want %q", c.rel, got, err, c.want)
		}
		var unbound *unboundError
		if err != nil && !errors.As(err, &unbound) {
			t.Errorf("%s: %v is no difference", c.rel, err)
		}
		b.close()
	}
	b := &binder{file: f, rel: "sent=2026-01-01/f.parquet"}
	if b.instant(schema.Milliseconds)("moments.sent", "sent"); b.err == nil {
		t.Error("an instant is taken from the path")
	}
}

func TestBindOptional(t *testing.T) {
	b := &binder{file: exportedFile(t)}
	if k := b.ifThere("subjects.x", "none", true, b.ids); k != nil || b.err != nil {
		t.Errorf("%v, %v", k, b.err)
	} else if elements, err := k.elements(); len(elements) > 0 || err != nil {
		t.Errorf("%v, %v", elements, err)
	}
	if k := b.optional("key", config.Column{Path: "none"}, b.id); k != nil || b.err != nil {
		t.Errorf("%v, %v", k, b.err)
	} else if v, err := k.one(); !v.IsNull() || err != nil {
		t.Errorf("%v, %v", v, err)
	}
	if b.optional("key", config.Column{Path: "text", Explicit: true}, b.id) == nil || b.err != nil {
		t.Error(b.err)
	}
	if b.optional("key", config.Column{Path: "none", Explicit: true}, b.id); b.err == nil {
		t.Error("a column that was mapped by hand may be missing")
	}
}
