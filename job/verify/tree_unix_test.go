//go:build unix

package verify_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"assent/job/jobtest"
	"assent/job/verify"
)

// TestVerifyTree puts into a run's directory what no run publishes. A quick audit says so
// as well as a full one.
func TestVerifyTree(t *testing.T) {
	config, run := auditedJob(t)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	// link moves a file or a directory elsewhere and leaves a link to it.
	link := func(t *testing.T, name string) {
		t.Helper()
		if err := os.RemoveAll(elsewhere); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name, elsewhere); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, name); err != nil {
			t.Fatal(err)
		}
	}
	pipe := func(t *testing.T, name string) {
		t.Helper()
		if err := syscall.Mkfifo(name, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	replace := func(name string) func(t *testing.T, run string) {
		return func(t *testing.T, run string) {
			remove(t, run, name)
			pipe(t, filepath.Join(run, name))
		}
	}
	mkdir := func(name string) func(t *testing.T, run string) {
		return func(t *testing.T, run string) {
			if err := os.MkdirAll(filepath.Join(run, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, m := range []mutant{
		{"link to the same bytes", func(t *testing.T, run string) { link(t, filepath.Join(run, messagesData)) }, messagesData, -1, "", "a link leads there"},
		{"link to a manifest", func(t *testing.T, run string) { link(t, filepath.Join(run, messagesSubjects)) }, messagesSubjects, -1, "", "a link leads there"},
		{"link to the marker", func(t *testing.T, run string) { link(t, filepath.Join(run, "_SUCCESS")) }, "_SUCCESS", -1, "", "a link leads there"},
		{"link to a directory", func(t *testing.T, run string) { link(t, filepath.Join(run, "events")) }, eventsData, -1, "", "a link leads there"},
		{"link to nowhere", func(t *testing.T, run string) {
			if err := os.Symlink("nowhere", filepath.Join(run, "messages/x.parquet")); err != nil {
				t.Fatal(err)
			}
		}, "messages/x.parquet", -1, "", "does not name it"},
		{"pipe", func(t *testing.T, run string) { pipe(t, filepath.Join(run, "messages/pipe")) }, "messages/pipe", -1, "", "does not name it"},
		{"pipe for a data file", replace(messagesData), messagesData, -1, "", "a named pipe"},
		{"pipe for the marker", replace("_SUCCESS"), "_SUCCESS", -1, "", "a named pipe"},
		{"pipe for the manifest", replace("_manifest/run.json"), "_manifest/run.json", -1, "", "a named pipe"},
		{"empty directory", mkdir("messages/empty"), "messages/empty", -1, "", "an empty directory"},
		{"empty directories", mkdir("other/empty"), "other", -1, "", "an empty directory"},
		{"empty directory of manifests", mkdir("_manifest/x"), "_manifest/x", -1, "", "an empty directory"},
	} {
		t.Run(m.name, func(t *testing.T) {
			copied := copyTree(t, run)
			m.change(t, copied)
			for _, quick := range []bool{true, false} {
				r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: config, Run: copied, Quick: quick})
				m.check(t, r, err)
			}
		})
	}
}
