package verify

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assent/job/internal/config"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// memory is an object in memory.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func (memory) Unchanged(context.Context) error { return nil }

// auditOf rewrites a file and returns what an audit finds of the result.
func auditOf(t *testing.T, data []byte, keep func(row int64) bool) (*fileAudit, *decisions, error) {
	t.Helper()
	f, err := rewrite.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
	if err != nil {
		t.Skip(err)
	}
	id, name := "run", "data/in.parquet"
	var out bytes.Buffer
	w := f.NewWriter(&out, rewrite.Options{CreatedBy: "assent version test",
		KeyValues: []parquet.KeyValue{{Key: "assent.run_id", Value: &id}, {Key: "assent.source", Value: &name}}})
	a := &fileAudit{
		published: &published{run: &manifests.Run{RunID: id, Tool: manifests.Tool{Name: "assent", Version: "test"}}},
		d:         &dataset{DatasetConfig: config.DatasetConfig{Dataset: schema.Dataset{Name: "data"}}},
		f:         &input{inputName: inputName{path: "data/in.parquet"}},
		m:         &manifests.File{Source: "in.parquet", Output: "data/in.parquet"},
	}
	d := &decisions{kept: newBitmap(f.NumRows())}
	row := int64(0)
	for g := range f.NumRowGroups() {
		sel := rewrite.NewSelection(f.RowGroupRows(g))
		for i := range f.RowGroupRows(g) {
			if keep(row) {
				sel.Keep(i)
				d.kept.set(row)
				d.total++
			}
			row++
		}
		if err := w.RowGroup(t.Context(), g, sel); err != nil {
			t.Skip(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	d.inputFile = &inputFile{of: a.f, bytes: &watched{Reader: memory{bytes.NewReader(data)}}}
	if d.parquetFile, err = openParquet(t.Context(), d.bytes); err != nil {
		return a, d, err
	}
	result := &watched{Reader: memory{bytes.NewReader(out.Bytes())}}
	return a, d, a.compareData(t.Context(), d, result)
}

// TestVerifyCorpus audits rewritten files of the public corpora: every column of each
// is read by the ordinary reader, and nothing is found.
func TestVerifyCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("reads the conformance files one after the other")
	}
	root := os.Getenv("ASSENT_CORPORA")
	if root == "" {
		root = "../../../shared/corpora" // as for package rewrite's tests
	}
	names, err := filepath.Glob(filepath.Join(root, "parquet-testing/*/*.parquet"))
	if err != nil || len(names) == 0 {
		t.Skip("no corpora")
	}
	for _, name := range names {
		short := filepath.Base(name)
		if strings.Contains(name, "bad_data") || strings.Contains(name, "corrupt") || short == "large_string_map.brotli.parquet" {
			continue // the last takes long
		}
		t.Run(short, func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for what, keep := range map[string]func(int64) bool{
				"even": func(row int64) bool { return row%2 == 0 },
				"all":  func(int64) bool { return true },
				"none": func(int64) bool { return false },
				"some": func(row int64) bool { return row%97 > 40 },
			} {
				a, d, err := auditOf(t, data, keep)
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
				for _, x := range a.found.first {
					t.Errorf("%s: %s", what, x)
				}
				if what == "all" && a.checked.Values == 0 && d.total > 0 {
					t.Error("no value was compared")
				}
			}
		})
	}
}
