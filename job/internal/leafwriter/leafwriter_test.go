package leafwriter_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"assent/job/internal/leafwriter"
)

// TestLayout writes rows of a number and a text, and looks at where pages and row
// groups begin.
func TestLayout(t *testing.T) {
	type row struct {
		N    int64  `parquet:"n,plain"`
		Text string `parquet:"text,plain,optional"`
	}
	var file bytes.Buffer
	schema := parquet.SchemaOf(new(row))
	w := leafwriter.New(&file, schema, leafwriter.Layout{GroupRows: 25, PageRows: 7, PageBytes: 60}, parquet.DataPageVersion(1))
	for n := range 40 {
		text := strings.Repeat("x", n%3*8) // 0, which is null, 8 or 16 letters
		for _, v := range schema.Deconstruct(nil, row{int64(n), text}) {
			w.Leaves[v.Column()].Add(v)
		}
		for _, l := range w.Leaves {
			if err := l.EndRow(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.EndRows(1); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	// Seven numbers are 56 bytes, so their pages end by rows. The texts of six rows are
	// twice 12 and twice 20 bytes, 64, so theirs end by bytes.
	want := [][][]int64{{{0, 7, 14, 21}, {0, 6, 12, 18, 24}}, {{0, 7, 14}, {0, 5, 11}}}
	for g, group := range f.RowGroups() {
		for c, chunk := range group.ColumnChunks() {
			index, err := chunk.OffsetIndex()
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for p := range index.NumPages() {
				got = append(got, index.FirstRowIndex(p))
			}
			if !slices.Equal(got, want[g][c]) {
				t.Errorf("row group %d, column %d: pages begin at rows %v, want %v", g, c, got, want[g][c])
			}
		}
	}
	read := make([]row, 40)
	if n, _ := parquet.NewGenericReader[row](f).Read(read); n != 40 || read[39] != (row{39, ""}) || read[38] != (row{38, strings.Repeat("x", 16)}) {
		t.Errorf("%d rows, the last %v", n, read[38:])
	}
	if n := f.RowGroups()[0].NumRows(); n != 25 {
		t.Errorf("the first row group has %d rows", n)
	}
}
