package storetest

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"assent/job/internal/objstore"
)

// Tests of taking over an object.

func testCopy(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	long := strings.Repeat("0123456789", 300_000)
	for name, content := range map[string]string{"run=1/ü %+?#.parquet": "content", "run=1/empty": "", "run=1/long": long} {
		from := put(t, s, name, content)
		to := "run=2/deeper/" + strings.TrimPrefix(name, "run=1/")
		got, err := s.Copy(ctx, from, to)
		must(t, err)
		if got.Name != to || got.Size != from.Size || got.CRC32C != from.CRC32C || got.Generation == "" {
			t.Errorf("Copy = %+v of %+v", got, from)
		}
		if now, err := s.Stat(ctx, to); err != nil || !same(now, got) {
			t.Errorf("Stat = %+v, %v, want %+v", now, err, got)
		}
		if read(t, s, to) != content || read(t, s, name) != content {
			t.Errorf("%s: another content", to)
		}
		_, err = s.Copy(ctx, objstore.Object{Name: name}, to+" by name alone")
		must(t, err)

		// Neither is the other's: one is replaced, then one removed.
		put(t, s, name, "another")
		if read(t, s, to) != content {
			t.Errorf("%s: changed with its original", to)
		}
		put(t, s, to, "a third")
		if read(t, s, to+" by name alone") != content {
			t.Errorf("%s: changed with another copy", to)
		}
	}
	must(t, s.RemoveAll(ctx, "run=1"))
	if got := read(t, s, "run=2/deeper/long by name alone"); got != long {
		t.Error("gone with its original")
	}
	if got := names(t, s, ""); len(got) != 6 {
		t.Errorf("left: %q", got)
	}
}

func testCopyRefused(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	old := put(t, s, "x", "old")
	now := put(t, s, "x", "new")
	put(t, s, "y", "new")
	foreign := objstore.Object{Name: "x", Generation: "12345"}
	missing := objstore.Object{Name: "none"}
	gone := put(t, s, "gone", "gone")
	must(t, s.Delete(ctx, gone))
	for _, test := range []struct {
		what string
		from objstore.Object
		to   string
		want error
	}{
		{"of a former generation", old, "z", objstore.ErrChanged},
		{"of a foreign generation", foreign, "z", objstore.ErrChanged},
		{"of what does not exist", missing, "z", objstore.ErrNotExist},
		{"of what was removed", gone, "z", objstore.ErrNotExist},
		{"onto the same content", now, "y", objstore.ErrPrecondition},
		{"onto itself", now, "x", objstore.ErrPrecondition},
	} {
		if obj, err := s.Copy(ctx, test.from, test.to); !errors.Is(err, test.want) || obj != (objstore.Object{}) {
			t.Errorf("Copy %s: %+v, %v, want %v", test.what, obj, err, test.want)
		}
	}
	if got := names(t, s, ""); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("left: %q", got)
	}
}

// testConcurrentCopies lets several take the same name: one gets it.
func testConcurrentCopies(t *testing.T, s objstore.Store) {
	from := put(t, s, "x", "content")
	var wg sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wg.Go(func() { _, errs[i] = s.Copy(t.Context(), from, "d/y") })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, objstore.ErrPrecondition):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d won", won)
	}
	if got := names(t, s, ""); !slices.Equal(got, []string{"d/y", "x"}) || read(t, s, "d/y") != "content" {
		t.Errorf("left: %q", got)
	}
}
