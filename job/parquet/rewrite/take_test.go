package rewrite

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"assent/job/parquet"
)

// TestTake rewrites files twice: once from nothing, and once with most row groups taken from what came of it. The bytes
// and the counts are the same.
func TestTake(t *testing.T) {
	taken, files := 0, 0
	for _, name := range corpusFiles(t, "data") {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
		if err != nil || f.NumRowGroups() == 0 || filepath.Base(name) == hugeFile {
			continue
		}
		if n, ok := takeAgain(t, filepath.Base(name), f); ok {
			taken, files = taken+n, files+1
		}
	}
	t.Logf("%d row groups of %d files", taken, files)
	if files > 0 && taken < 100 {
		t.Errorf("only %d row groups were taken", taken)
	}
}

// takeAgain returns how many row groups were taken; not ok where the file cannot be rewritten.
func takeAgain(t *testing.T, name string, f *parquet.File) (taken int, ok bool) {
	for _, share := range []int{1, 2, 10} { // of how many rows one is dropped; of one: nearly all
		r := rand.New(rand.NewPCG(uint64(share), 1))
		var sels []*Selection
		for g := range f.NumRowGroups() {
			s := NewSelection(f.RowGroupRows(g))
			for i := range f.RowGroupRows(g) {
				if g%3 != 2 && (share == 1) == (r.IntN(max(share, 5)) == 0) {
					s.Keep(i)
				}
			}
			sels = append(sels, s)
		}
		opts := Options{CreatedBy: "test", Memory: NewBudget(64 << 20)}
		var first bytes.Buffer
		var pages []Pages
		w := NewWriter(f, &first, opts)
		for g, s := range sels {
			_, before := w.Written()
			if err := w.RowGroup(t.Context(), g, s); err != nil {
				return 0, false
			}
			_, p := w.Written()
			pages = append(pages, Pages{p.Copied - before.Copied, p.Filtered - before.Filtered, p.Dropped - before.Dropped})
		}
		want, err := w.Close()
		if err != nil {
			return 0, false
		}
		from, err := parquet.Open(t.Context(), bytes.NewReader(first.Bytes()), int64(first.Len()), "earlier.parquet")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var second bytes.Buffer
		w = NewWriter(f, &second, opts)
		at := 0
		for g, s := range sels {
			end := at
			if s.count > 0 {
				end++
			}
			if g%4 == 1 {
				err = w.RowGroup(t.Context(), g, s)
			} else {
				err = w.Take(t.Context(), g+1, from, at, end, pages[g])
				taken++
			}
			if at = end; err != nil {
				t.Fatalf("%s: row group %d: %v", name, g, err)
			}
		}
		got, err := w.Close()
		if err != nil || got.Pages != want.Pages || got.RowsKept != want.RowsKept || got.RowsIn != want.RowsIn || got.Bytes != want.Bytes {
			t.Fatalf("%s: %+v, want %+v: %v", name, got, want, err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s, one in %d: the bytes differ", name, share)
		}
	}
	return taken, true
}
