package faulty_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/faulty"
	"assent/job/internal/objstore/storetest"
)

// A wrapper without a fault is a store like any other.
func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) objstore.Store {
		return open(t, faulty.New(faulty.None, 0, nil), t.TempDir())
	})
}

func open(t *testing.T, f *faulty.Faults, dir string) objstore.Store {
	t.Helper()
	opener := &objstore.Opener{Wrap: f.Wrap}
	s, err := opener.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// script calls every method; it goes on after errors and returns them by operation.
func script(t *testing.T, s objstore.Store) (failed []error) {
	ctx := t.Context()
	add := func(err error) { failed = append(failed, err) }
	obj, err := s.Put(ctx, "x", []byte("content"), objstore.Any)
	add(err)
	_, _, err = s.Read(ctx, "x")
	add(err)
	_, err = s.Stat(ctx, "x")
	add(err)
	_, err = s.Identity(ctx, obj)
	add(err)
	_, err = s.List(ctx, "")
	add(err)
	_, err = s.Dirs(ctx, "")
	add(err)
	r, err := s.Open(ctx, obj)
	add(err)
	if err == nil {
		_, err = r.ReadAt(make([]byte, 6), 0)
		add(err)
		add(r.Unchanged(ctx))
		r.Close()
	}
	w, err := s.Create(ctx, "y")
	add(err)
	if err == nil {
		_, err = io.WriteString(w, "123456")
		add(err)
		add(w.Finish(ctx))
		w.Abort()
	}
	_, err = s.Copy(ctx, obj, "z")
	add(err)
	add(s.Delete(ctx, obj))
	add(s.RemoveAll(ctx, "y"))
	add(s.Promote(ctx, "from", "to", "last", nil))
	return failed
}

func TestModes(t *testing.T) {
	count := faulty.New(faulty.None, 0, nil)
	plain := script(t, open(t, count, t.TempDir()))
	ops := count.Ops()
	want := []string{"Put x", "Read x", "Stat x", "Identity x", "List ", "Dirs ", "Open x", "ReadAt x", "Unchanged x",
		"Create y", "Write y", "Finish y", "Copy z", "Delete x", "RemoveAll y", "Promote to"}
	if !slices.Equal(ops, want) || count.Met() || len(plain) != len(want) {
		t.Fatalf("operations %q, %v", ops, plain)
	}
	cause := errors.New("cause")
	for _, mode := range []faulty.Mode{faulty.Fail, faulty.Lost, faulty.Short, faulty.Crash} {
		for i := range len(want) - 1 { // Promote fails anyhow
			t.Run(fmt.Sprintf("mode %d at %s", mode, want[i]), func(t *testing.T) {
				f := faulty.New(mode, i, cause)
				errs := script(t, open(t, f, t.TempDir()))
				wanted := cause
				if mode == faulty.Short && want[i] == "ReadAt x" {
					wanted = io.ErrUnexpectedEOF
				}
				if !errors.Is(errs[i], wanted) || !f.Met() {
					t.Errorf("operation %d: %v, met %v", i, errs[i], f.Met())
				}
				for j, err := range errs {
					if after := j > i && mode == faulty.Crash; j != i && errors.Is(err, cause) != after {
						t.Errorf("operation %d, with a fault at %d: %v", j, i, err)
					}
				}
			})
		}
	}
}

// What a fault leaves behind, by mode, when it meets a Write.
func TestWrites(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults *faulty.Faults
		wrote  int
	}{
		{"fail", faulty.New(faulty.Fail, 1, nil), 0},
		{"lost", faulty.New(faulty.Lost, 1, nil), 6},
		{"short", faulty.New(faulty.Short, 1, nil), 3},
		{"no space", faulty.NoSpace(4), 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, test.faults, t.TempDir())
			w, err := s.Create(t.Context(), "y")
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.WriteString(w, "123456"); err == nil || n > test.wrote {
				t.Errorf("Write = %d, %v", n, err)
			}
			if err := w.Finish(t.Context()); err != nil {
				t.Fatal(err)
			}
			if data, _, err := s.Read(t.Context(), "y"); err != nil || string(data) != "123456"[:test.wrote] {
				t.Errorf("holds %q, %v", data, err)
			}
			if !test.faults.Met() {
				t.Error("fault not met")
			}
		})
	}
}

// TestKinds wants each kind to be told apart as the stores' own errors are.
func TestKinds(t *testing.T) {
	is := map[string]error{"precondition": objstore.ErrPrecondition, "disk full": objstore.ErrNoSpace, "timeout": context.DeadlineExceeded}
	for _, kind := range faulty.Kinds() {
		f := kind.At(0)
		_, err := open(t, f, t.TempDir()).Put(t.Context(), "x", nil, objstore.Any)
		if !f.Met() || !errors.Is(err, kind.Err) || !errors.Is(err, is[kind.Name]) && is[kind.Name] != nil {
			t.Errorf("%s: %v, met %v", kind.Name, err, f.Met())
		}
	}
}
