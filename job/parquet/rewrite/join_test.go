package rewrite

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"

	"assent/job/parquet"
)

// inParts writes data without the rows that keep drops, in parts that begin at the row groups of cuts, and joins them.
func inParts(t *testing.T, data []byte, keep func(i, n int64) bool, cuts []int, opts Options) []byte {
	t.Helper()
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	var parts []JoinPart
	row := int64(0)
	for i, to := range append(slices.Clone(cuts), f.NumRowGroups()) {
		opts.From, opts.To = append([]int{0}, cuts...)[i], to
		var out bytes.Buffer
		w := NewWriter(f, &out, opts)
		for g := opts.From; g < to; g++ {
			sel := NewSelection(f.RowGroupRows(g))
			for i := range f.RowGroupRows(g) {
				if keep(row, f.NumRows()) {
					sel.Keep(i)
				}
				row++
			}
			if err := w.RowGroup(t.Context(), g, sel); err != nil {
				t.Fatal(err)
			}
		}
		r, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		part, err := parquet.Open(t.Context(), bytes.NewReader(out.Bytes()), int64(out.Len()), "part.parquet")
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, JoinPart{part, r.RowsKept < r.RowsIn})
	}
	var joined bytes.Buffer
	n, err := Join(t.Context(), &joined, parts)
	if err != nil || n != int64(joined.Len()) {
		t.Fatalf("%d bytes said, %d written, %v", n, joined.Len(), err)
	}
	return joined.Bytes()
}

// TestJoin holds files that were written in parts against those that were written at once.
func TestJoin(t *testing.T) {
	pandas := parquetgo.KeyValueMetadata("pandas", `{"index_columns": [{"kind": "range", "name": null, "start": 0, "stop": 3000, "step": 1}], "columns": []}`)
	bloom := parquetgo.BloomFilters(parquetgo.SplitBlockFilter(10, "id"))
	for _, version := range []int{1, 2} {
		data := wideFile(t, wideRows(3000), parquetgo.DataPageVersion(version), parquetgo.PageBufferSize(3000), parquetgo.MaxRowsPerRowGroup(450), pandas, bloom)
		firstGroups := pick{"only first groups", func(i, _ int64) bool { return i < 900 || i%3 == 0 && i < 1350 }}
		for _, p := range append(slices.Clone(picks), firstGroups) {
			want, _, err := rewriteFile(t, data, p.keep, Options{CreatedBy: "test"})
			if err != nil {
				t.Fatal(err)
			}
			for _, cuts := range [][]int{nil, {1}, {6}, {2, 3}, {1, 2, 3, 4, 5, 6}} {
				if got := inParts(t, data, p.keep, cuts, Options{CreatedBy: "test"}); !bytes.Equal(got, want) {
					t.Errorf("version %d, %s, cut at %v: %d bytes differ from %d", version, p.name, cuts, len(got), len(want))
				}
			}
		}
	}
}

// TestJoinCorpus does so for the public files of several row groups.
func TestJoinCorpus(t *testing.T) {
	joined := 0
	for _, name := range corpusFiles(t, "data") {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
		if err != nil || f.NumRowGroups() < 2 || f.NumRows() > 1<<16 {
			continue
		}
		for _, p := range []pick{picks[1], random(50)} {
			want, _, err := rewriteFile(t, data, p.keep, Options{CreatedBy: "test"})
			if err != nil {
				continue
			}
			joined++
			if got := inParts(t, data, p.keep, []int{1}, Options{CreatedBy: "test"}); !bytes.Equal(got, want) {
				t.Errorf("%s, %s: differs", filepath.Base(name), p.name)
			}
		}
	}
	if joined < 4 {
		t.Errorf("only %d files were joined", joined)
	}
}

// TestJoinStops fails the destination at every write.
func TestJoinStops(t *testing.T) {
	data := wideFile(t, wideRows(1000), parquetgo.MaxRowsPerRowGroup(300))
	part := func() JoinPart {
		f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "part.parquet")
		if err != nil {
			t.Fatal(err)
		}
		return JoinPart{f, false}
	}
	full := errors.New("full")
	for i := range 4 {
		if _, err := Join(t.Context(), &failing{left: i, err: full}, []JoinPart{part(), part()}); !errors.Is(err, full) {
			t.Errorf("write %d: %v", i, err)
		}
	}
}

// TestJoinReads joins parts that answer late: each is read once for all its page indexes and once for its pages, several at a time.
func TestJoinReads(t *testing.T) {
	data := wideFile(t, wideRows(3000), parquetgo.MaxRowsPerRowGroup(300))
	const n = 12
	late := &lateReader{ReaderAt: bytes.NewReader(data)}
	var parts []JoinPart
	for range n {
		f, err := parquet.OpenFooter(t.Context(), late, int64(len(data)), "part.parquet")
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, JoinPart{f, false})
	}
	late.reads, late.most = 0, 0
	var joined bytes.Buffer
	if _, err := Join(t.Context(), &joined, parts); err != nil {
		t.Fatal(err)
	}
	if late.reads != 2*n || late.most < readsAhead || late.most > indexesAhead {
		t.Errorf("%d reads of %d parts, %d at a time", late.reads, n, late.most)
	}
	f, err := parquet.Open(t.Context(), bytes.NewReader(joined.Bytes()), int64(joined.Len()), "joined.parquet")
	if err != nil || f.NumRows() != n*3000 || f.NumRowGroups() != n*10 {
		t.Errorf("%v", err)
	}
}

// lateReader answers late, and counts.
type lateReader struct {
	io.ReaderAt
	mu              sync.Mutex
	reads, at, most int
}

func (r *lateReader) ReadAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	r.reads++
	r.at++
	r.most = max(r.most, r.at)
	r.mu.Unlock()
	time.Sleep(20 * time.Millisecond)
	r.mu.Lock()
	r.at--
	r.mu.Unlock()
	return r.ReaderAt.ReadAt(p, off)
}

type failing struct {
	left int
	err  error
}

func (w *failing) Write(p []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, w.err
	}
	return len(p), nil
}
