package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"assent/job/internal/objstore"
)

// Tests of removing and promoting, and of contexts that ended.

func testDelete(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	one := put(t, s, "x", "one")
	two := put(t, s, "x", "two")
	if err := s.Delete(ctx, one); !errors.Is(err, objstore.ErrPrecondition) {
		t.Errorf("Delete of a former generation: %v, want ErrPrecondition", err)
	}
	if got := read(t, s, "x"); got != "two" {
		t.Errorf("after it: %q", got)
	}
	must(t, s.Delete(ctx, two))
	must(t, s.Delete(ctx, two))
	if got := names(t, s, ""); len(got) > 0 {
		t.Errorf("after Delete: %q", got)
	}
	put(t, s, "x", "three")
	must(t, s.Delete(ctx, objstore.Object{Name: "x"}))
	if got := names(t, s, ""); len(got) > 0 {
		t.Errorf("after unconditional Delete: %q", got)
	}
}

// Stage makes a tree of n objects and its marker _SUCCESS below prefix.
func Stage(t testing.TB, s objstore.Store, prefix string, n int) {
	t.Helper()
	for i := range n {
		put(t, s, fmt.Sprintf("%s/data/part=%d/x.parquet", prefix, i), fmt.Sprintf("content %d", i))
	}
	put(t, s, prefix+"/_SUCCESS", "all")
}

func testPromote(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	put(t, s, "out/run=12/other", "sibling")
	for round, remains := range []bool{false, true} {
		Stage(t, s, "tmp/run=1", 20)
		put(t, s, "tmp/run=1/empty", "")
		if remains {
			put(t, s, "out/run=1/data/part=0/x.parquet", "of an interrupted promotion")
			put(t, s, "out/run=1/stale/y.parquet", "of an interrupted promotion")
		}
		want := map[string]string{}
		for _, name := range names(t, s, "tmp/run=1") {
			want["out"+strings.TrimPrefix(name, "tmp")] = read(t, s, name)
		}
		must(t, s.Promote(ctx, "tmp/run=1", "out/run=1", "_SUCCESS", nil))
		got := map[string]string{}
		for _, name := range names(t, s, "out/run=1") {
			got[name] = read(t, s, name)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("round %d: got %v, want %v", round, got, want)
		}
		if left := names(t, s, "tmp"); len(left) > 0 {
			t.Errorf("round %d: left behind %q", round, left)
		}
		must(t, s.RemoveAll(ctx, "out/run=1"))
	}
	if got := names(t, s, ""); !slices.Equal(got, []string{"out/run=12/other"}) {
		t.Errorf("at the end: %q", got)
	}
}

// testPromoteWith promotes a tree together with objects from elsewhere, one of them under
// two names, and repeats it.
func testPromoteWith(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	Stage(t, s, "tmp/run=1", 2)
	a, b := put(t, s, "other/a", "of another run"), put(t, s, "tmp/b", "staged")
	with := map[string]objstore.Object{"data/a": a, "data/part=0/a": {Name: a.Name}, "deep/er/b": b}
	for name, bad := range map[string]objstore.Object{"missing": {Name: "other/none"}, "another": {Name: "other/a", Generation: b.Generation}} {
		wrong := map[string]objstore.Object{name: bad, "deep/er/b": b}
		if err := s.Promote(ctx, "tmp/run=1", "out/run=1", "_SUCCESS", wrong); err == nil {
			t.Errorf("%s: promoted", name)
		}
		if _, err := s.Stat(ctx, "out/run=1/_SUCCESS"); !errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("%s: a marker is there: %v", name, err)
		}
	}
	must(t, s.Promote(ctx, "tmp/run=1", "out/run=1", "_SUCCESS", with))
	for name, want := range map[string]string{"data/a": "of another run", "data/part=0/a": "of another run", "deep/er/b": "staged", "data/part=1/x.parquet": "content 1", "_SUCCESS": "all"} {
		if got := read(t, s, "out/run=1/"+name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := names(t, s, ""); len(got) != 2+6 {
		t.Errorf("%q", got)
	}
	if err := s.Promote(ctx, "tmp/run=1", "out/run=1", "_SUCCESS", with); !errors.Is(err, objstore.ErrExist) {
		t.Errorf("repeat: %v", err)
	}
	must(t, s.RemoveAll(ctx, "other"))
	must(t, s.RemoveAll(ctx, "tmp"))
	if got := read(t, s, "out/run=1/data/a"); got != "of another run" {
		t.Errorf("without its source: %q", got)
	}
	must(t, s.RemoveAll(ctx, "out/run=1"))
}

func testPromoteRefused(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	Stage(t, s, "tmp/run=1", 2)
	Stage(t, s, "out/run=1", 1)
	before := names(t, s, "")
	if err := s.Promote(ctx, "tmp/run=1", "out/run=1", "_SUCCESS", nil); !errors.Is(err, objstore.ErrExist) {
		t.Errorf("Promote onto a complete tree: %v, want ErrExist", err)
	}
	if err := s.Promote(ctx, "none", "out/run=1", "_SUCCESS", nil); !errors.Is(err, objstore.ErrExist) {
		t.Errorf("repeat of a Promote that was done: %v, want ErrExist", err)
	}
	for _, to := range []string{"tmp", "tmp/run=1", "tmp/run=1/in"} {
		if err := s.Promote(ctx, "tmp/run=1", to, "_SUCCESS", nil); !errors.Is(err, objstore.ErrName) {
			t.Errorf("Promote of tmp/run=1 to %s: %v, want ErrName", to, err)
		}
	}
	for _, from := range []string{"none", "tmp/run=1/data"} {
		if err := s.Promote(ctx, from, "out/run=2", "_SUCCESS", nil); !errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("Promote of %s, which has no marker: %v, want ErrNotExist", from, err)
		}
	}
	if got := names(t, s, ""); !slices.Equal(got, before) {
		t.Errorf("after what was refused: %q, want %q", got, before)
	}
}

func testRemoveAll(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	Stage(t, s, "out/run=1", 20)
	put(t, s, "out/run=12/x", "sibling")
	put(t, s, "out/x", "sibling")
	must(t, s.RemoveAll(ctx, "out/run=1/"))
	must(t, s.RemoveAll(ctx, "out/run=1"))
	if got := names(t, s, ""); !slices.Equal(got, []string{"out/run=12/x", "out/x"}) {
		t.Errorf("after RemoveAll: %q", got)
	}
	if got, err := s.Dirs(ctx, "out"); err != nil || !slices.Equal(got, []string{"out/run=12"}) {
		t.Errorf("after RemoveAll: directories %q, %v", got, err)
	}
}

func testCancelled(t *testing.T, s objstore.Store) {
	Stage(t, s, "tmp/run=1", 1)
	obj := put(t, s, "x", "content")
	r, err := s.Open(t.Context(), obj)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	before := names(t, s, "")
	ctx, cancel := context.WithCancel(t.Context())
	late, err := s.Open(ctx, obj)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	cancel()
	calls := map[string]error{}
	_, calls["List"] = s.List(ctx, "")
	_, calls["Dirs"] = s.Dirs(ctx, "")
	_, calls["Exists"] = s.Exists(ctx, "")
	_, calls["Terms"] = s.Terms(ctx, time.Now())
	_, calls["Stat"] = s.Stat(ctx, "x")
	_, _, calls["Read"] = s.Read(ctx, "x")
	_, calls["Put"] = s.Put(ctx, "new", []byte("x"), objstore.Any)
	_, calls["Create"] = s.Create(ctx, "new")
	calls["Delete"] = s.Delete(ctx, obj)
	_, calls["Copy"] = s.Copy(ctx, obj, "new")
	calls["Promote"] = s.Promote(ctx, "tmp/run=1", "out/run=1", "_SUCCESS", nil)
	calls["RemoveAll"] = s.RemoveAll(ctx, "tmp/run=1")
	calls["Unchanged"] = r.Unchanged(ctx)
	_, calls["ReadAt"] = late.ReadAt(make([]byte, 1), 0)
	for call, err := range calls {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", call, err)
		}
	}
	if got := names(t, s, ""); !slices.Equal(got, before) {
		t.Errorf("after cancelled calls: %q, want %q", got, before)
	}
}
