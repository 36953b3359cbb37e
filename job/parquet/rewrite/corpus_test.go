package rewrite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assent/job/parquet"
	parquetgo "github.com/parquet-go/parquet-go"
)

// refused are the files of the corpora that are in order and still refused, and those of data/ that are not in order; with
// what the error says.
var refused = map[string]string{
	"datapage_v1-corrupt-checksum.parquet":           "checksum differs",
	"rle-dict-uncompressed-corrupt-checksum.parquet": "checksum differs",
}

// sound are files of bad_data/ that break no rule: they made a reader fail.
var sound = map[string]string{
	"ARROW-GH-43605.parquet": "a dictionary of one entry, whose indices have no bits",
}

// hugeFile has values of 1 GiB in a few KB.
const hugeFile = "large_string_map.brotli.parquet"

// corpusFiles returns the files of some directories of the corpora.
func corpusFiles(t *testing.T, dirs ...string) []string {
	root := corpus(t)
	var all []string
	for _, dir := range dirs {
		names, err := filepath.Glob(filepath.Join(root, dir, "*.parquet*"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no files in %s: %v", dir, err)
		}
		for _, name := range names {
			if !strings.HasSuffix(name, ".json") {
				all = append(all, name)
			}
		}
	}
	return all
}

// tryReadRows is readRows for files that make the second implementation fail or panic.
func tryReadRows(data []byte) (all []parquetgo.Row, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	f, err := parquetgo.OpenFile(bytes.NewReader(data), int64(len(data)), parquetgo.SkipPageIndex(true))
	if err != nil {
		return nil, err
	}
	for _, g := range f.RowGroups() {
		rows := g.Rows()
		buf := make([]parquetgo.Row, 100)
		for {
			n, err := rows.ReadRows(buf)
			for _, r := range buf[:n] {
				all = append(all, r.Clone())
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
		}
		rows.Close()
	}
	return all, nil
}

func TestCorpus(t *testing.T) {
	both := 0
	for _, name := range corpusFiles(t, "data", "data/geospatial", "shredded_variant") {
		short := filepath.Base(name)
		t.Run(short, func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			reason, ok := refused[short]
			if !ok && strings.HasSuffix(short, ".encrypted") {
				reason, ok = "encrypted", true
			}
			if ok {
				_, _, err := rewriteFile(t, data, func(i, n int64) bool { return i%2 == 0 }, Options{})
				if err == nil || !strings.Contains(err.Error(), reason) {
					t.Fatalf("got %v, want %q", err, reason)
				}
				return
			}
			huge := short == hugeFile
			if huge && testing.Short() {
				t.Skip("takes 15 s")
			}
			own, err := dump(t, data)
			if err != nil {
				t.Fatal(err)
			}
			var second []parquetgo.Row
			secondErr := errors.New("too large")
			switch {
			case huge:
			case strings.HasPrefix(short, "lz4_raw"):
				secondErr = errors.New("its values come out different each time")
			default:
				second, secondErr = tryReadRows(data)
			}
			if secondErr == nil && len(second) == len(own) {
				both++
			} else {
				t.Logf("not read by parquet-go: %d rows for %d, %v", len(second), len(own), secondErr)
			}
			for _, p := range picks {
				if huge && p.name != "all" {
					continue
				}
				if testing.Short() && p.name != "alternating" {
					continue // one goroutine: the race detector finds nothing in it
				}
				if len(own) > 2000 && strings.HasPrefix(p.name, "random") && p.name != "random50" {
					continue
				}
				t.Run(p.name, func(t *testing.T) {
					out, _, err := rewriteFile(t, data, p.keep, Options{CreatedBy: "test"})
					if err != nil {
						t.Fatal(err)
					}
					if !huge {
						checkFile(t, data, out, p.keep, p.name == "alternating")
					}
					got, err := dump(t, out)
					if err != nil {
						t.Fatal(err)
					}
					var want []string
					for i, r := range own {
						if p.keep(int64(i), int64(len(own))) {
							want = append(want, r)
						}
					}
					if len(got) != len(want) {
						t.Fatalf("%d rows, want %d", len(got), len(want))
					}
					for i := range want {
						if got[i] != want[i] {
							t.Fatalf("row %d: %.300s, want %.300s", i, got[i], want[i])
						}
					}
					if secondErr == nil && len(second) == len(own) {
						rows, err := tryReadRows(out)
						if err != nil {
							t.Fatal(err)
						}
						checkRows(t, second, rows, p.keep)
					}
				})
			}
		})
	}
	t.Logf("%d files compared by both readers", both)
}

func TestCorpusBad(t *testing.T) {
	for _, name := range corpusFiles(t, "bad_data") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range picks {
				_, r, err := rewriteFile(t, data, p.keep, Options{})
				if sound[filepath.Base(name)] != "" && err == nil {
					continue
				}
				if err == nil {
					// Row groups of which no row is kept are not looked at.
					switch p.name {
					case "all", "alternating", "middle", "edges", "random50", "random90", "random99":
						if r.RowsKept > 0 {
							t.Errorf("%s: rewritten: %+v", p.name, r)
						}
					}
				} else if !errors.Is(err, parquet.ErrCorrupt) && !errors.Is(err, parquet.ErrUnsupported) {
					t.Errorf("%s: %v", p.name, err)
				} else {
					t.Logf("%s: %v", p.name, err)
				}
			}
		})
	}
}
