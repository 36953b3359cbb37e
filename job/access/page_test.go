package access_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"assent/job/access"
	"assent/schema"
)

// TestReasonOf goes through all that can be known of a record and of the account, and
// checks that nothing the other side does changes the answer, unless it is the only
// thing that excludes the record.
func TestReasonOf(t *testing.T) {
	byOther := schema.ReasonsOf(schema.DeletionRequested, schema.PartyUnknown, schema.PartyOptedOut)
	for record := schema.Reasons(0); record < 1<<schema.NumReasons; record++ {
		if record&byOther != 0 {
			continue
		}
		for own := schema.Reasons(0); own < 1<<schema.NumReasons; own++ {
			if own&^byOther != 0 {
				continue
			}
			alone := record | own
			for other := schema.Reasons(0); other < 1<<schema.NumReasons; other++ {
				if other&^byOther != 0 || (alone | other).Kept() {
					continue
				}
				got, want := access.ReasonOf(alone|other, own), access.BothSides
				if !alone.Kept() {
					want = access.Reason(alone.Primary().String())
				}
				if got != want {
					t.Fatalf("record %v, own %v, other %v: %s, want %s", record.Strings(), own.Strings(), other.Strings(), got, want)
				}
			}
		}
	}
	for _, r := range access.Reasons() {
		if r.Because() == "" {
			t.Errorf("%s: no sentence", r)
		}
	}
}

func TestLabels(t *testing.T) {
	l := access.NewLabels(map[string]bool{"me": true})
	l.Meet([]access.Named{{Role: "sender", ID: "b"}, {Role: "freelancer", ID: "me"}, {Role: "client", ID: "b"}})
	l.Meet([]access.Named{{Role: "freelancer", ID: "b"}, {Role: "participant", ID: "c"}, {Role: "client", ID: ""}})
	l.Meet([]access.Named{{Role: "client", ID: "d"}, {Role: "freelancer", ID: "e"}})
	for id, want := range map[string]string{"me": "you", "b": "client 1", "c": "other 1", "d": "client 2", "e": "freelancer 1", "": "", "never met": "other"} {
		if got := l.Label(id); got != want {
			t.Errorf("%q is %q, want %q", id, got, want)
		}
	}
}

func record(t *testing.T) arrow.Record {
	s := arrow.NewSchema([]arrow.Field{
		{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "price", Type: &arrow.Decimal128Type{Precision: 38, Scale: 2}},
		{Name: "names", Type: arrow.ListOf(arrow.BinaryTypes.String)},
		{Name: "who", Type: arrow.StructOf(arrow.Field{Name: "a,b", Type: arrow.BinaryTypes.String, Nullable: true})},
		{Name: "raw", Type: arrow.BinaryTypes.Binary},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	b.Field(0).(*array.TimestampBuilder).Append(1_700_000_000_000_001)
	price, err := decimal128.FromString("12345678901234567890123456789012345.67", 38, 2)
	if err != nil {
		t.Fatal(err)
	}
	b.Field(1).(*array.Decimal128Builder).Append(price)
	b.Field(2).(*array.ListBuilder).Append(true)
	b.Field(2).(*array.ListBuilder).ValueBuilder().(*array.StringBuilder).AppendValues([]string{`x "y"`, "z\n"}, nil)
	b.Field(3).(*array.StructBuilder).Append(true)
	b.Field(3).(*array.StructBuilder).FieldBuilder(0).AppendNull()
	b.Field(4).(*array.BinaryBuilder).Append([]byte{0, 1})
	return b.NewRecord()
}

// TestTables writes a record of each kind of type in each format.
func TestTables(t *testing.T) {
	place := filepath.Join(t.TempDir(), "deep", "copy")
	d, err := access.NewDir(place)
	if err != nil {
		t.Fatal(err)
	}
	r := record(t)
	defer r.Release()
	for _, format := range []access.Format{access.Parquet, access.CSV, access.JSONL} {
		for _, rows := range []int{0, 2} {
			table, err := d.NewTable("t"+string('0'+rune(rows)), format, r.Schema())
			if err != nil {
				t.Fatal(err)
			}
			for range rows {
				if err := table.Write(r); err != nil {
					t.Fatal(err)
				}
			}
			if err := table.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := os.Stat(place); err == nil {
		t.Error("there before it is complete")
	}
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	line := "2023-11-14T22:13:20.000001Z,12345678901234567890123456789012345.67,\"[\"\"x \\\"\"y\\\"\"\"\",\"\"z\\n\"\"]\",\"{\"\"a,b\"\":null}\",AAE=\n"
	for name, want := range map[string]string{
		"t0.csv": "at,price,names,who,raw\n", "t2.csv": "at,price,names,who,raw\n" + line + line, "t0.jsonl": "",
	} {
		if got, _ := os.ReadFile(filepath.Join(place, name)); string(got) != want {
			t.Errorf("%s:\n%swant\n%s", name, got, want)
		}
	}
	if got, _ := os.ReadFile(filepath.Join(place, "t2.jsonl")); strings.Count(string(got), "12345678901234567890123456789012345.67") != 2 {
		t.Errorf("t2.jsonl: %s", got)
	}
	if got, _ := os.ReadFile(filepath.Join(place, "t0.parquet")); !bytes.HasSuffix(got, []byte("PAR1")) {
		t.Errorf("t0.parquet is no file: %q", got)
	}
	for _, f := range d.Files() {
		info, err := os.Stat(filepath.Join(place, f.Path))
		if err != nil || info.Size() != f.Bytes || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Path, info, err)
		}
	}
}

// TestCSVFormulas checks that a spreadsheet calculates nothing of a CSV table, that
// numbers stay numbers, and that raw cells can be had.
func TestCSVFormulas(t *testing.T) {
	texts := []string{"=HYPERLINK(\"http://x\")", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1", "-5", "a=1"}
	s := arrow.NewSchema([]arrow.Field{
		{Name: "=cmd|' /C calc'!A0", Type: arrow.BinaryTypes.String}, {Name: "n", Type: arrow.PrimitiveTypes.Int64},
		{Name: "f", Type: arrow.PrimitiveTypes.Float64}, {Name: "d", Type: &arrow.Decimal128Type{Precision: 9, Scale: 2}},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	for i, text := range texts {
		b.Field(0).(*array.StringBuilder).Append(text)
		b.Field(1).(*array.Int64Builder).Append(int64(-i))
		b.Field(2).(*array.Float64Builder).Append(-1.5e300)
		b.Field(3).(*array.Decimal128Builder).Append(decimal128.FromI64(-123))
	}
	r := b.NewRecord()
	defer r.Release()
	for _, raw := range []bool{false, true} {
		place := filepath.Join(t.TempDir(), "copy")
		d, err := access.NewDir(place)
		if err != nil {
			t.Fatal(err)
		}
		d.RawCSV = raw
		table, err := d.NewTable("t", access.CSV, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(table.Write(r), table.Close(), d.Commit()); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(place, "t.csv"))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
		if err != nil || len(rows) != 1+len(texts) {
			t.Fatal(rows, err)
		}
		for i, text := range append([]string{s.Field(0).Name}, texts...) {
			want := text
			if !raw && text != "-5" && text != "a=1" {
				want = "'" + text
			}
			if got := rows[i][0]; got != strings.ReplaceAll(want, "\r\n", "\n") {
				t.Errorf("raw %v: %q, want %q", raw, got, want)
			}
			if i > 0 && (rows[i][1] != fmt.Sprint(1-i) || rows[i][2] != "-1.5e+300" || rows[i][3] != "-1.23") {
				t.Errorf("raw %v: numbers %v", raw, rows[i][1:])
			}
		}
	}
}

// TestDir checks that a copy takes an empty place only, and leaves nothing of an
// attempt behind.
func TestDir(t *testing.T) {
	parent := t.TempDir()
	place := filepath.Join(parent, "copy")
	if err := os.Mkdir(place, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := access.NewDir(place)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Put("content/a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := d.Abort(); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(parent); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if d, err = access.NewDir(place); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Put("a", []byte("x")), d.Commit(), d.Abort()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(place); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := access.NewDir(place); !errors.Is(err, access.ErrNotEmpty) {
		t.Errorf("got %v", err)
	}
}

// TestPage checks that the page escapes what comes from records, and loads nothing.
func TestPage(t *testing.T) {
	set := access.NewPageSet("messages", schema.Communications)
	for range 150 {
		set.AddUsed(access.Used{Record: "<script>\n\x1b[31m\u202e", Dataset: "messages", Time: schema.Unknown, Content: true})
	}
	set.AddNotUsed(access.NotUsed{Record: `"><img src=x>`, Dataset: "messages", Time: 5, Reason: access.BothSides})
	set.Tables = []access.PageTable{{Path: "content/messages.csv", Rows: 150, Columns: []string{"<b>"}}}
	p := &access.Page{
		Program: "p&q", Starts: time.Unix(0, 0), AsOf: time.Unix(1e6, 0), Format: access.CSV, Sets: []*access.PageSet{set},
		NotUsedBy: map[access.Reason]int64{access.BothSides: 1},
		Choices: access.Choices{Categories: []access.Choice{{Category: "communications", Timeline: []access.Stretch{
			{Until: time.Unix(250000, 0), State: "opted_in"}, {From: new(time.Time), Until: time.Unix(1e6, 0), State: "opted_out"}}}}},
	}
	html, err := p.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`&lt;script&gt;\n\x1b[31m\u202e<`, "Content-Security-Policy", "has an apostrophe", "p&amp;q", "And 50 more", "width:25.000%", "The consent of both sides was not in place.", `lang="en"`, "prefers-color-scheme: dark", "viewport"} {
		if !strings.Contains(string(html), want) {
			t.Errorf("no %q", want)
		}
	}
	for _, bad := range []string{"<script", "<img", "http://", "https://", "ZgotmplZ", "<b>, "} {
		if strings.Contains(string(html), bad) {
			t.Errorf("it has %q", bad)
		}
	}
	p.RawCSV = true
	if html, err = p.HTML(); err != nil || !strings.Contains(string(html), "Take care with spreadsheets") || strings.Contains(string(html), "apostrophe") {
		t.Errorf("raw cells: %v", err)
	}
	empty := &access.Page{Program: "p", Format: access.Parquet}
	if html, err = empty.HTML(); err != nil || !strings.Contains(string(html), "nothing of yours is used") {
		t.Errorf("%v: %s", err, html)
	}
}
