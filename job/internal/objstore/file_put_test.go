package objstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"assent/job/internal/objstore"
)

// TestPutSweepsOnce has what a crashed Put left: the first Put of a store there removes it. The Puts after it do not read
// the directory, which may have as many entries as there were Puts.
func TestPutSweepsOnce(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "results", ".assent-put-left")
	plant := func() {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(left), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(left, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	there := func() bool { _, err := os.Stat(left); return err == nil }
	put := func(s objstore.Store, name string) {
		t.Helper()
		if _, err := s.Put(t.Context(), name, []byte("x"), objstore.IfAbsent); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir)
	plant()
	if put(s, "results/1"); there() {
		t.Error("what a crashed Put left is still there")
	}
	plant()
	if put(s, "results/2"); !there() {
		t.Error("the second Put has read the directory once more")
	}
	if put(open(t, dir), "results/3"); there() {
		t.Error("another store's first Put has not looked")
	}
}
