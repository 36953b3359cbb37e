package run_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assent/job/jobtest"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/job/run"
)

// addMetadata adds an entry to the metadata of a file.
func addMetadata(t *testing.T, file, key, value string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := rewrite.Open(t.Context(), bytes.NewReader(data), int64(len(data)), file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := f.NewWriter(&out, rewrite.Options{KeyValues: []parquet.KeyValue{{Key: key, Value: &value}}, KeepMetadata: []string{"huggingface", "summary"}})
	for i := range f.NumRowGroups() {
		if err := w.RowGroup(t.Context(), i, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestMetadataWarning: keys that may hold values are left out of the published files and named once, with their files; by a
// dry run too, and not where the data set keeps them.
func TestMetadataWarning(t *testing.T) {
	config := jobtest.TinyJob(t)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(config), "messages", "*", "*.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	addMetadata(t, files[0], "huggingface", "hidden-label")
	addMetadata(t, files[0], "summary\nlevel=ERROR", "hidden-label")
	for _, c := range []struct {
		name     string
		dry      bool
		set      []string
		warnings int
		kept     bool
	}{
		{"dry run", true, nil, 1, false},
		{"run", false, nil, 1, false},
		{"one key kept", false, []string{"datasets.messages.metadata={keep: [huggingface]}"}, 1, true},
		{"both kept", false, []string{`datasets.messages.metadata={keep: [huggingface, "summary\nlevel=ERROR"]}`}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			env := jobtest.NewEnv(t)
			var log bytes.Buffer
			env.Log = slog.New(slog.NewTextHandler(&log, nil))
			if _, err := run.Run(t.Context(), env, run.Options{Config: config, Set: append(c.set, "output="+out), DryRun: c.dry}); err != nil {
				t.Fatal(err)
			}
			text := log.String()
			if n := strings.Count(text, "file metadata"); n != c.warnings {
				t.Errorf("%d warnings:\n%s", n, text)
			}
			if c.warnings > 0 && (!strings.Contains(text, "summary") || !strings.Contains(text, "month=2026-02/a.parquet") || strings.Contains(text, "huggingface") == c.kept) {
				t.Error(text)
			}
			if c.dry {
				return
			}
			found := false
			for _, data := range jobtest.Tree(t, out) {
				found = found || strings.Contains(data, "hidden-label")
			}
			if found != c.kept {
				t.Errorf("the label is in the published files: %v", found)
			}
		})
	}
}
