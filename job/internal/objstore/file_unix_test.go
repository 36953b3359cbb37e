//go:build unix

package objstore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/storetest"
)

func TestFileModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o027))
	dir := t.TempDir()
	s := open(t, dir)
	storetest.Stage(t, s, "a/b", 1)
	for name, want := range map[string]fs.FileMode{"a": 0o750 | fs.ModeDir, "a/b": 0o750 | fs.ModeDir, "a/b/_SUCCESS": 0o640} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

func TestFileOddities(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Skip(err)
	}
	if got, err := s.List(t.Context(), ""); err != nil || len(got) != 1 || !errors.Is(got[0].Err, objstore.ErrIrregular) {
		t.Errorf("List: %+v, %v", got, err)
	}
	if _, err := s.Open(t.Context(), objstore.Object{Name: "pipe"}); !errors.Is(err, objstore.ErrIrregular) {
		t.Errorf("a pipe opens: %v", err)
	}
	if _, err := s.Stat(t.Context(), "pipe"); !errors.Is(err, objstore.ErrIrregular) {
		t.Errorf("a pipe is an object: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "huge"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "huge"), objstore.ReadLimit+1); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Read(t.Context(), "huge"); err == nil || !strings.Contains(err.Error(), s.URI("huge")) {
		t.Errorf("Read beyond the limit: %v", err)
	}
	// Written in place while it is read.
	r, err := s.Open(t.Context(), objstore.Object{Name: "huge"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := os.Truncate(filepath.Join(dir, "huge"), 1); err != nil {
		t.Fatal(err)
	}
	if err := r.Unchanged(t.Context()); !errors.Is(err, objstore.ErrChanged) {
		t.Errorf("Unchanged after a truncation: %v", err)
	}
	// A file where a directory must be.
	if _, err := s.Put(t.Context(), "huge/x", nil, objstore.Any); err == nil {
		t.Error("Put below a file succeeds")
	}
}

func TestFilePermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may do anything")
	}
	dir := t.TempDir()
	s := open(t, dir)
	storetest.Stage(t, s, "open/.hidden", 1)
	storetest.Stage(t, s, "closed", 1)
	for _, name := range []string{"open/.hidden", "closed"} {
		if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(filepath.Join(dir, name), 0o755)
	}
	if _, err := s.List(t.Context(), "open"); err != nil {
		t.Errorf("List over a closed hidden directory: %v", err)
	}
	calls := map[string]error{}
	_, calls["List"] = s.List(t.Context(), "")
	_, calls["Stat"] = s.Stat(t.Context(), "closed/_SUCCESS")
	_, calls["Open"] = s.Open(t.Context(), objstore.Object{Name: "closed/_SUCCESS"})
	_, calls["Put"] = s.Put(t.Context(), "closed/x", nil, objstore.Any)
	_, calls["Create"] = s.Create(t.Context(), "closed/x")
	for call, err := range calls {
		if !errors.Is(err, objstore.ErrPermission) || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%s: %v, want ErrPermission", call, err)
		}
	}
}
