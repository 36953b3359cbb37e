package jobtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"assent/job"
)

const TestKey = "c3ViamVjdCBrZXkgZm9yIHRlc3RzLCAzMiBieXRlcyE="

// NewEnv returns an environment that logs nothing and closes itself.
func NewEnv(t testing.TB) *job.Env {
	t.Helper()
	env := job.NewEnv(slog.New(slog.NewTextHandler(io.Discard, nil)), "test")
	t.Cleanup(func() { env.Close() })
	return env
}

// TinyJob writes a job of few records, for tests that run it hundreds of times.
func TinyJob(t testing.TB) (config string) {
	t.Helper()
	t.Setenv("ASSENT_SUBJECT_KEY", TestKey)
	dir := t.TempDir()
	write := func(name, csv string) {
		if err := WriteParquet(filepath.Join(dir, name), csv); err != nil {
			t.Fatal(err)
		}
	}
	write("consent/a.parquet", `account_id:string,category:string,opted_in:bool,effective_at:ts_us
A,communications,false,2026-03-01T12:00:00Z
B,platform,false,2026-03-01T12:00:00Z
`)
	for _, month := range []string{"2026-02", "2026-04"} {
		write("messages/month="+month+"/a.parquet", strings.ReplaceAll(`message_id:string,freelancer_id:string,client_id:string,sent_at:ts_us,edited_at:ts_us,body:string
m1,A,B,MONTH-01T00:00:00Z,,first
m2,C,B,MONTH-02T00:00:00Z,,second
`, "MONTH", month))
	}
	config = filepath.Join(dir, "job.yaml")
	err := os.WriteFile(config, []byte(`version: 1
program: {name: tiny, starts_at: 2026-01-05T00:00:00Z}
output: out
inputs:
  consent: {path: consent/, as_of: 2026-06-01T00:00:00Z}
datasets:
  messages: {path: messages/}
`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// Tree returns the files below a directory by their relative paths. Of run.json it
// keeps all but the invocation, of _SUCCESS and current.json all but its digest, of
// the report all but these.
func Tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		switch filepath.Base(rel) {
		case "run.json", "_SUCCESS", "current.json":
			var doc map[string]any
			if err := json.Unmarshal(data, &doc); err != nil {
				return fmt.Errorf("%s: %w", rel, err)
			}
			delete(doc, "invocation")
			delete(doc, "manifest_sha256")
			delete(doc, "report_sha256")
			data, _ = json.Marshal(doc)
		case "report.html":
			if data, err = outcomeOnly(path, data); err != nil {
				return err
			}
		}
		files[rel] = string(data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// outcomeOnly leaves out of a report what differs between repeats of a run: what it
// says of the invocation, and the digest of the manifest which does, too.
func outcomeOnly(path string, page []byte) ([]byte, error) {
	manifest := filepath.Join(filepath.Dir(path), "run.json")
	data, err := os.ReadFile(manifest)
	if errors.Is(err, fs.ErrNotExist) { // kept as evidence, or amid its removal
		return page, nil
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	page = bytes.ReplaceAll(page, []byte(hex.EncodeToString(sum[:])), []byte("digest"))
	return regexp.MustCompile(`(?s)<p id="made">.*?</p>|<section id="since">.*?</section>`).ReplaceAll(page, nil), nil
}

// SameTrees compares what Tree has returned.
func SameTrees(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	names := slices.Sorted(maps.Keys(want))
	if gotNames := slices.Sorted(maps.Keys(got)); !slices.Equal(gotNames, names) {
		t.Fatalf("%s: files %v, want %v", what, gotNames, names)
	}
	for _, name := range names {
		if got[name] != want[name] {
			t.Fatalf("%s: %s differs", what, name)
		}
	}
}
