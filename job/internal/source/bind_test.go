package source

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"assent/job/internal/config"
	"assent/job/internal/objstore"
	"assent/job/parquet/rewrite"
	"assent/schema"
)

// fileOf writes a file of the columns, in the order of their names, and opens it.
func fileOf(t *testing.T, columns pq.Group, rows ...pq.Row) *rewrite.File {
	t.Helper()
	var buf bytes.Buffer
	w := pq.NewWriter(&buf, pq.NewSchema("m", columns))
	if _, err := w.WriteRows(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := rewrite.Open(t.Context(), bytes.NewReader(buf.Bytes()), int64(buf.Len()), "m.parquet")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// nullType is INT32 with the logical type UNKNOWN, as Arrow and Spark write a column
// that has nulls alone.
type nullType struct{ pq.Type }

func (nullType) LogicalType() *format.LogicalType {
	return &format.LogicalType{Value: &format.NullType{}}
}

// column writes a file of one optional column, c. A nil value is null.
func column(t *testing.T, node pq.Node, values ...any) *rewrite.File {
	t.Helper()
	var rows []pq.Row
	for _, v := range values {
		value := pq.NullValue()
		if text, ok := v.(string); ok && node.Type().Kind() == pq.FixedLenByteArray {
			value = pq.FixedLenByteArrayValue([]byte(text))
		} else if v != nil {
			value = pq.ValueOf(v)
		}
		rows = append(rows, pq.Row{value.Level(0, map[bool]int{true: 1}[v != nil], 0)})
	}
	return fileOf(t, pq.Group{"c": pq.Optional(node)}, rows...)
}

// idsOf reads a column as canonical ids.
func idsOf(t *testing.T, f *rewrite.File, c KeyColumn) (ids []string, err error) {
	t.Helper()
	for g := range f.NumRowGroups() {
		err := ScanRowGroup(t.Context(), f, g, []KeyColumn{c}, func(b *Batch) error {
			cursor := idCursor{form: c.ID}
			cursor.read(&b.Columns[0])
			for i := range b.Rows {
				id := string(cursor.at(&b.Columns[0], i))
				if other := string(c.ID.Append(nil, &b.Columns[0], i)); other != id {
					t.Errorf("%q and %q of one slot", id, other)
				}
				ids = append(ids, id)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func twosComplement(decimal string, length int) string {
	n, _ := new(big.Int).SetString(decimal, 10)
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*length)))
	}
	return string(n.FillBytes(make([]byte, length)))
}

const digits38 = "99999999999999999999999999999999999999"

func TestIDForms(t *testing.T) {
	fixed := func(n int) pq.Type { return pq.FixedLenByteArrayType(n) }
	for name, c := range map[string]struct {
		node   pq.Node
		values []any
		want   []string
	}{
		"text":           {pq.String(), []any{"a", "", " 7", nil}, []string{"a", "", " 7", ""}},
		"bytes":          {pq.Leaf(pq.ByteArrayType), []any{"a\xff"}, []string{"a\xff"}},
		"char(3)":        {pq.Leaf(fixed(3)), []any{"ab "}, []string{"ab "}},
		"int32":          {pq.Int(32), []any{int32(-7)}, []string{"-7"}},
		"uint32":         {pq.Uint(32), []any{int32(-1)}, []string{"4294967295"}},
		"uint64":         {pq.Uint(64), []any{int64(-1)}, []string{"18446744073709551615"}},
		"uuid":           {pq.UUID(), []any{[16]byte{15: 1}}, []string{"00000000-0000-0000-0000-000000000001"}},
		"decimal int32":  {pq.Decimal(0, 9, pq.Int32Type), []any{int32(7), nil}, []string{"7", ""}},
		"decimal int64":  {pq.Decimal(0, 18, pq.Int64Type), []any{int64(-7)}, []string{"-7"}},
		"decimal fixed":  {pq.Decimal(0, 38, fixed(16)), []any{twosComplement("7", 16), twosComplement("-7", 16), twosComplement(digits38, 16), twosComplement("-"+digits38, 16), nil}, []string{"7", "-7", digits38, "-" + digits38, ""}},
		"decimal fixed5": {pq.Decimal(0, 11, fixed(5)), []any{twosComplement("-549755813888", 5), twosComplement("549755813887", 5)}, []string{"-549755813888", "549755813887"}},
		"decimal bounds": {pq.Decimal(0, 20, fixed(9)), []any{twosComplement("9223372036854775807", 9), twosComplement("9223372036854775808", 9), twosComplement("-9223372036854775809", 9)}, []string{"9223372036854775807", "9223372036854775808", "-9223372036854775809"}},
		"decimal bytes":  {pq.Decimal(0, 38, pq.ByteArrayType), []any{"\x07", "\x00\x80", "\x80", "\x00", twosComplement(digits38, 17)}, []string{"7", "128", "-128", "0", digits38}},
		"decimal absurd": {pq.Decimal(0, 38, pq.ByteArrayType), []any{"", "\x01" + strings.Repeat("\x00", 32)}, []string{"", ""}},
		"null type":      {pq.Leaf(nullType{pq.Int32Type}), []any{nil, nil}, []string{"", ""}},
	} {
		for _, dictionary := range []bool{false, true} {
			node := c.node
			if dictionary && name != "null type" {
				node = pq.Encoded(node, &pq.RLEDictionary)
			}
			f := column(t, node, c.values...)
			find := Finder{File: f}
			key := find.ID("record", "c", false)
			if find.Err != nil {
				t.Errorf("%s: %v", name, find.Err)
				continue
			}
			if ids, err := idsOf(t, f, key); err != nil || !slices.Equal(ids, c.want) {
				t.Errorf("%s, dictionary %v: %q, %v; want %q", name, dictionary, ids, err, c.want)
			}
		}
	}
}

// TestNoIDs holds that what is no id is refused in words.
func TestNoIDs(t *testing.T) {
	for name, c := range map[string]struct {
		node pq.Node
		want string
	}{
		"fraction":              {pq.Decimal(2, 10, pq.Int64Type), "INT64 (DECIMAL(10,2)) cannot be an id"},
		"fraction in bytes":     {pq.Decimal(1, 38, pq.FixedLenByteArrayType(16)), "UUID"},
		"uuid without its name": {pq.Leaf(pq.FixedLenByteArrayType(16)), "16 bytes without the UUID annotation"},
		"date":                  {pq.Date(), "cannot be an id"},
		"boolean":               {pq.Leaf(pq.BooleanType), "cannot be an id"},
		"double":                {pq.Leaf(pq.DoubleType), "cannot be an id"},
		"json":                  {pq.JSON(), "cannot be an id"},
	} {
		find := Finder{File: column(t, c.node)}
		if find.ID("record", "c", false); find.Err == nil || !strings.Contains(find.Err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, find.Err, c.want)
		}
	}
}

func TestCodes(t *testing.T) {
	for name, c := range map[string]struct {
		node   pq.Node
		values []any
		want   []string
	}{
		"boolean": {pq.Leaf(pq.BooleanType), []any{true, false}, []string{"true", "false"}},
		"int8":    {pq.Int(8), []any{int32(1), int32(0)}, []string{"1", "0"}},
		"uint8":   {pq.Uint(8), []any{int32(1), int32(255)}, []string{"1", "255"}},
		"decimal": {pq.Decimal(0, 1, pq.Int32Type), []any{int32(1)}, []string{"1"}},
		"enum":    {pq.Enum(), []any{"IN"}, []string{"IN"}},
	} {
		f := column(t, c.node, c.values...)
		find := Finder{File: f}
		key := find.code("state", "c")
		if find.Err != nil {
			t.Errorf("%s: %v", name, find.Err)
			continue
		}
		read := codes[string]{form: key.ID}
		var got []string
		err := ScanRowGroup(t.Context(), f, 0, []KeyColumn{key}, func(b *Batch) error {
			for i := range b.Rows {
				code, err := read.at(&b.Columns[0], i, func(s string) (string, error) { return s, nil })
				if err != nil {
					return err
				}
				got = append(got, code)
			}
			return nil
		})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	find := Finder{File: column(t, pq.UUID())}
	if find.code("state", "c"); find.Err == nil {
		t.Error("a UUID is taken for a code")
	}
}

func instantsOf(t *testing.T, f *rewrite.File, c KeyColumn) (all []schema.Instant) {
	t.Helper()
	err := ScanRowGroup(t.Context(), f, 0, []KeyColumn{c}, func(b *Batch) error {
		at := make([]schema.Instant, b.Rows)
		c.Instants(&b.Columns[0], at)
		all = append(all, at...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestUnits(t *testing.T) {
	const second = schema.Instant(1e9)
	for name, c := range map[string]struct {
		node   pq.Node
		unit   schema.Unit
		values []any
		want   []schema.Instant
	}{
		"seconds":      {pq.Int(64), schema.Seconds, []any{int64(2), nil, int64(-1), int64(math.MaxInt64)}, []schema.Instant{2 * second, schema.Unknown, -second, schema.Forever}},
		"plain":        {pq.Leaf(pq.Int64Type), schema.Milliseconds, []any{int64(2000)}, []schema.Instant{2 * second}},
		"int32":        {pq.Leaf(pq.Int32Type), schema.Seconds, []any{int32(2)}, []schema.Instant{2 * second}},
		"microseconds": {pq.Int(64), schema.Microseconds, []any{int64(2e6)}, []schema.Instant{2 * second}},
		"nanoseconds":  {pq.Int(64), schema.Nanoseconds, []any{int64(2e9)}, []schema.Instant{2 * second}},
		"uint32":       {pq.Uint(32), schema.Seconds, []any{int32(-1)}, []schema.Instant{4294967295 * second}},
		"uint64":       {pq.Uint(64), schema.Seconds, []any{int64(-1)}, []schema.Instant{schema.Forever}},
		"decimal":      {pq.Decimal(0, 38, pq.FixedLenByteArrayType(16)), schema.Milliseconds, []any{twosComplement("2000", 16), nil, twosComplement(digits38, 16), twosComplement("-"+digits38, 16)}, []schema.Instant{2 * second, schema.Unknown, schema.Forever, schema.Earliest}},
		"timestamp":    {pq.Timestamp(pq.Millisecond), schema.Seconds, []any{int64(2000)}, []schema.Instant{2 * second}},
		"null type":    {pq.Leaf(nullType{pq.Int32Type}), "", []any{nil}, []schema.Instant{schema.Unknown}},
	} {
		for _, dictionary := range []bool{false, true} {
			node := c.node
			if dictionary && name != "null type" {
				node = pq.Encoded(node, &pq.RLEDictionary)
			}
			f := column(t, node, c.values...)
			find := Finder{File: f}
			key := find.instant("moments.sent", "c", c.unit, presence{})
			if find.Err != nil {
				t.Errorf("%s: %v", name, find.Err)
			} else if got := instantsOf(t, f, key); !slices.Equal(got, c.want) {
				t.Errorf("%s, dictionary %v: %v, want %v", name, dictionary, got, c.want)
			}
		}
	}
}

// TestNoInstants holds that a column whose instants are not known is refused, with
// what to do.
func TestNoInstants(t *testing.T) {
	for name, c := range map[string]struct {
		node pq.Node
		unit schema.Unit
		want string
	}{
		"integers":  {pq.Int(64), "", "units: {sent: ms}"},
		"decimals":  {pq.Decimal(0, 18, pq.Int64Type), "", "units: {sent: ms}"},
		"fractions": {pq.Decimal(3, 18, pq.Int64Type), schema.Seconds, "moments are"},
		"text":      {pq.String(), schema.Seconds, "moments are"},
		"date":      {pq.Date(), schema.Seconds, "moments are"},
		"local":     {pq.TimestampAdjusted(pq.Millisecond, false), schema.Milliseconds, "timezone: UTC"},
	} {
		find := Finder{File: column(t, c.node)}
		find.instant("moments.sent", "c", c.unit, presence{})
		var failed *ColumnError
		if !errors.As(find.Err, &failed) || !strings.Contains(failed.hint, c.want) {
			t.Errorf("%s: %+v, want %s", name, failed, c.want)
		}
	}
}

// TestHiveKeys holds that a directory's key is a column, and agrees with the file's.
func TestHiveKeys(t *testing.T) {
	text := func(values ...any) *rewrite.File { return column(t, pq.String(), values...) }
	for name, c := range map[string]struct {
		file *rewrite.File
		rel  string
		name string
		want []string // nil: an error
	}{
		"absent from the file":  {text("x", "y"), "category=a%3Ab/f.parquet", "category", []string{"a:b", "a:b"}},
		"null":                  {text("x"), "category=__HIVE_DEFAULT_PARTITION__/f.parquet", "category", []string{""}},
		"agrees":                {text("a", "a"), "c=a/f.parquet", "c", []string{"a", "a"}},
		"agrees as an integer":  {column(t, pq.Int(64), int64(7)), "c=7/f.parquet", "c", []string{"7"}},
		"agrees as a boolean":   {column(t, pq.Leaf(pq.BooleanType), true), "c=true/f.parquet", "c", []string{"true"}},
		"agrees on null":        {text(nil, ""), "c=__HIVE_DEFAULT_PARTITION__/f.parquet", "c", []string{"", ""}},
		"differs":               {text("a", "b"), "c=a/f.parquet", "c", nil},
		"differs by a null":     {text("a", nil), "c=a/f.parquet", "c", nil},
		"differs by a value":    {text("a"), "c=__HIVE_DEFAULT_PARTITION__/f.parquet", "c", nil},
		"differs as an integer": {column(t, pq.Int(64), int64(7)), "c=07/f.parquet", "c", nil},
		"twice the same":        {text("x"), "k=a/k=a/f.parquet", "k", []string{"a"}},
		"twice":                 {text("x"), "k=a/k=b/f.parquet", "k", nil},
		"the file's own name":   {text("x"), "k=a.parquet", "k", nil},
	} {
		find := Finder{File: c.file, Rel: c.rel}
		key := find.code("category", c.name)
		ids, err := []string(nil), find.Err
		if err == nil {
			ids, err = idsOf(t, c.file, key)
		}
		if (err != nil) != (c.want == nil) || !slices.Equal(ids, c.want) {
			t.Errorf("%s: %q, %v; want %q", name, ids, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), `"b"`) {
			t.Errorf("%s: the error shows a value: %v", name, err)
		}
	}
	find := Finder{File: text("x"), Rel: "sent_at=2026-03-01/f.parquet"}
	if find.instant("moments.sent", "sent_at", "", presence{}); find.Err == nil {
		t.Error("a directory's name is taken for an instant")
	}
}

// TestBindOptional holds what older files may lack.
func TestBindOptional(t *testing.T) {
	f := fileOf(t, pq.Group{"message_id": pq.String(), "freelancer_id": pq.String(), "client_id": pq.String(), "sent_at": pq.Timestamp(pq.Millisecond)},
		pq.Row{pq.ValueOf("c1").Level(0, 0, 0), pq.ValueOf("f1").Level(0, 0, 1), pq.ValueOf("m1").Level(0, 0, 2), pq.ValueOf(int64(1000)).Level(0, 0, 3)})
	d := schema.Dataset{
		Record:   "message_id",
		Parties:  []schema.Role{{Name: "freelancer", Column: "freelancer_id"}, {Name: "client", Column: "client_id"}},
		Subjects: []schema.Role{{Name: "sender", Column: "sender_id", Optional: true}},
		Moments:  []schema.Moment{{Name: "sent", Column: "sent_at"}, {Name: "edited", Column: "edited_at", Optional: true}},
	}
	b, err := Bind(f, "", &d)
	if err != nil {
		t.Fatal(err)
	}
	err = ScanRowGroup(t.Context(), f, 0, b.Columns, func(batch *Batch) error {
		var at [1]schema.Instant
		b.Moments[1].Instants(&batch.Columns[b.Moments[1].At], at[:])
		sender := b.Roles[2].ID.Append(nil, &batch.Columns[b.Roles[2].At], 0)
		record := b.Record.ID.Append(nil, &batch.Columns[b.Record.At], 0)
		if at[0] != schema.Unknown || len(sender) > 0 || string(record) != "m1" {
			t.Errorf("%v, %q, %q", at, sender, record)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*schema.Dataset){
		"a moment": func(d *schema.Dataset) {
			d.Moments = []schema.Moment{d.Moments[0], {Name: "edited", Column: "edited_at"}}
		},
		"a subject": func(d *schema.Dataset) { d.Subjects = []schema.Role{{Name: "sender", Column: "sender_id"}} },
	} {
		other := d
		change(&other)
		_, err := Bind(f, "", &other)
		var failed *ColumnError
		if !errors.As(err, &failed) || !strings.Contains(failed.hint, "optional: [") {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := d
	other.Moments = []schema.Moment{{Name: "edited", Column: "edited_at"}}
	var failed *ColumnError
	if _, err := Bind(f, "", &other); !errors.As(err, &failed) || strings.Contains(failed.hint, "optional") {
		t.Errorf("the required moment: %v", err)
	}
}

// TestBindMaps holds that the keys and the values of a map may be parties.
func TestBindMaps(t *testing.T) {
	f := fileOf(t, pq.Group{"m": pq.Map(pq.String(), pq.Optional(pq.Int(64)))},
		pq.Row{pq.ValueOf("a").Level(0, 1, 0), pq.ValueOf("b").Level(1, 1, 0), pq.ValueOf(int64(1)).Level(0, 2, 1), pq.NullValue().Level(1, 1, 1)},
		pq.Row{pq.NullValue().Level(0, 0, 0), pq.NullValue().Level(0, 0, 1)})
	for path, want := range map[string][]string{"m.key": {"a", "b"}, "m.value": {"1", ""}, "m.key_value.key": {"a", "b"}} {
		find := Finder{File: f}
		key := find.ID("parties.members", path, true)
		if find.Err != nil {
			t.Errorf("%s: %v", path, find.Err)
			continue
		}
		err := ScanRowGroup(t.Context(), f, 0, []KeyColumn{key}, func(b *Batch) error {
			v := &b.Columns[0]
			var got []string
			for slot := range v.Offsets[1] {
				got = append(got, string(key.ID.Append(nil, v, int(slot))))
			}
			if !slices.Equal(got, want) || v.Offsets[2] != v.Offsets[1] {
				t.Errorf("%s: %q, offsets %v; want %q", path, got, v.Offsets, want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	find := Finder{File: f}
	if find.ID("parties.members", "m", true); find.Err == nil {
		t.Error("a map itself is taken for a column")
	}
}

// TestHorizon holds that the horizon is never later than any consent file says.
func TestHorizon(t *testing.T) {
	at := func(s string) schema.Instant {
		i, err := config.ParseInstant(s)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	store, err := new(objstore.Opener).Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		configured string
		files      []string
		want       string // empty: an error
	}{
		"configured alone":              {"2026-06-01", []string{"", ""}, "2026-06-01"},
		"the files alone":               {"", []string{"2026-06-02", "2026-06-01"}, "2026-06-01"},
		"one of the files":              {"", []string{"", "2026-06-01"}, "2026-06-01"},
		"earlier than the files":        {"2026-05-01", []string{"2026-06-01"}, "2026-05-01"},
		"the very same":                 {"2026-06-01", []string{"2026-06-01"}, "2026-06-01"},
		"later than the file":           {"2026-06-01T00:00:00.000000001Z", []string{"2026-06-01"}, ""},
		"later than one file":           {"2026-06-01", []string{"2026-07-01", "2026-05-01"}, ""},
		"later than a file among mutes": {"2026-06-01", []string{"", "2026-05-01", ""}, ""},
		"no instant":                    {"2026-06-01", []string{"", "yesterday"}, ""},
	} {
		in := &Inputs{AsOf: schema.Unknown}
		if c.configured != "" {
			in.AsOf = at(c.configured)
		}
		for _, asOf := range c.files {
			in.Consent.Files = append(in.Consent.Files, &File{asOf: asOf, Store: store})
		}
		p := Planner{Cfg: &config.Config{File: "job.yaml"}}
		got, err := p.horizonOf(in)
		if c.want == "" && err == nil || c.want != "" && (err != nil || got != at(c.want)) {
			t.Errorf("%s: %v, %v; want %q", name, got, err, c.want)
		}
	}
}

// TestNullTypeWithValues holds that a value cannot hide in a column of the null type.
func TestNullTypeWithValues(t *testing.T) {
	f := column(t, pq.Leaf(nullType{pq.Int32Type}), nil, int32(7))
	find := Finder{File: f}
	for _, key := range []KeyColumn{find.ID("record", "c", false), find.code("state", "c"), find.instant("moments.sent", "c", "", presence{})} {
		if _, err := idsOf(t, f, key); !errors.Is(err, errNotNull) {
			t.Error(err)
		}
	}
}
