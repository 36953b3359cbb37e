package arrowparquet

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go"
)

// TestShortBounds shortens texts and bytes, and holds the bounds against them.
func TestShortBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	pieces := []string{"a", "\x7f", "ä", "\ud7ff", "𝄞", "\U0010ffff", "\xff", "\x80", "\xc3"}
	for range 5000 {
		whole := len(pieces)
		if r.IntN(2) == 0 {
			whole -= 3 // characters alone
		}
		var v []byte
		for range r.IntN(70) {
			v = append(v, pieces[r.IntN(whole)]...)
		}
		least, most := shortLeast(v), shortMost(v)
		if bytes.Compare(least, v) > 0 || bytes.Compare(most, v) < 0 || len(least) > boundBytes || len(most) > boundBytes+utf8.UTFMax {
			t.Fatalf("%q: from %q to %q", v, least, most)
		}
		if utf8.Valid(v) && !(utf8.Valid(least) && utf8.Valid(most)) {
			t.Fatalf("%q: bounds %q and %q are no text", v, least, most)
		}
	}
	if all := []byte(strings.Repeat("\U0010ffff", 30)); !bytes.Equal(shortMost(all), all) {
		t.Error("there is something greater than the greatest characters")
	}
}

// TestLargePages writes large values with short bounds, in row groups that end by their size, and reads them.
func TestLargePages(t *testing.T) {
	s := arrow.NewSchema([]arrow.Field{{Name: "body", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	var file bytes.Buffer
	w, err := NewWriter(&file, s, Options{ShortBounds: true, RowGroupBytes: 20 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 6 {
		b := array.NewRecordBuilder(memory.DefaultAllocator, s)
		want = append(want, strings.Repeat(string(rune('a'+i)), []int{10 << 20, 3}[i%2]))
		b.Field(0).(*array.StringBuilder).Append(want[i])
		record := b.NewRecord()
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
		record.Release()
		b.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if groups := f.RowGroups(); len(groups) != 2 {
		t.Errorf("%d row groups", len(groups))
	}
	for _, g := range f.Metadata().RowGroups {
		stats := &g.Columns[0].MetaData.Statistics
		if least, most := stats.MinValue, stats.MaxValue; len(least) > boundBytes || len(most) > boundBytes || bytes.Compare(least, most) > 0 {
			t.Errorf("bounds of %d and %d bytes", len(least), len(most))
		}
	}
	rows := make([]struct {
		Body *string `parquet:"body,optional"`
	}, 7)
	reader := parquet.NewReader(f)
	for i := range want {
		if err := reader.Read(&rows[i]); err != nil || *rows[i].Body != want[i] {
			t.Fatalf("row %d: %v", i, err)
		}
	}
}
