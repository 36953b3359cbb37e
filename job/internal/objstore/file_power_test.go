package objstore_test

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/faulty"
	"assent/job/internal/objstore/storetest"
)

// TestFileDurable cuts the power after each operation that succeeded: what it did is
// still so.
func TestFileDurable(t *testing.T) {
	ctx := context.Background()
	put := func(name, content string, cond objstore.Condition) func(objstore.Store) error {
		return func(s objstore.Store) error {
			_, err := s.Put(ctx, name, []byte(content), cond)
			return err
		}
	}
	takeOver := func(to string) func(objstore.Store) error {
		return func(s objstore.Store) error {
			_, err := s.Copy(ctx, objstore.Object{Name: "tmp/run=1/_SUCCESS"}, to)
			return err
		}
	}
	for name, operate := range map[string]func(objstore.Store) error{
		"put":           put("new/dir/x", "content", objstore.Any),
		"put over":      put("old", "another", objstore.Any),
		"put if absent": put("new/dir/x", "content", objstore.IfAbsent),
		"copy":          takeOver("new/dir/x"),
		"copy of bytes": func(s objstore.Store) error {
			objstore.SetLink(s, func(string, string) error { return syscall.EPERM })
			return takeOver("new/dir/x")(s)
		},
		"create": func(s objstore.Store) error {
			w, err := s.Create(ctx, "new/dir/x")
			if err == nil {
				_, err = io.WriteString(w, "content")
			}
			return errors.Join(err, w.Finish(ctx))
		},
		"delete":     func(s objstore.Store) error { return s.Delete(ctx, objstore.Object{Name: "old"}) },
		"remove all": func(s objstore.Store) error { return s.RemoveAll(ctx, "tmp/run=1") },
		"promote":    func(s objstore.Store) error { return s.Promote(ctx, "tmp/run=1", "out/run=1", "_SUCCESS", nil) },
		"promote with": func(s objstore.Store) error {
			return s.Promote(ctx, "tmp/run=1", "out/run=1", "_SUCCESS", map[string]objstore.Object{"deep/er": {Name: "old"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			storetest.Stage(t, s, "tmp/run=1", 2)
			if err := put("old", "content", objstore.Any)(s); err != nil {
				t.Fatal(err)
			}
			before, disk := tree(t, s, ""), faulty.NewDisk(t, dir, -1)
			objstore.SetHook(s, disk.Step)
			if err := operate(s); err != nil {
				t.Fatal(err)
			}
			want := tree(t, open(t, dir), "")
			disk.Lose()
			if got := tree(t, open(t, dir), ""); !equal(got, want) || equal(got, before) {
				t.Errorf("before: %v\ndone: %v\nsurvived: %v\nsteps: %q", before, want, got, disk.Steps())
			}
		})
	}
}

// TestDiskLoses wants what was not synced to be gone.
func TestDiskLoses(t *testing.T) {
	for _, test := range []struct {
		name, forgotten string
		finish          bool
		want            map[string]string
	}{
		{"all is done", "", true, map[string]string{"x": "content"}},
		{"the file is not synced", "sync", true, map[string]string{"x": ""}},
		{"its directory is not synced", "syncdir", true, nil},
		{"it is not finished", "", false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			disk := faulty.NewDisk(t, dir, -1)
			s := open(t, dir)
			objstore.SetHook(s, func(step, path string) error {
				if step == test.forgotten {
					return nil // the step is done, but the disk does not see it
				}
				return disk.Step(step, path)
			})
			w, err := s.Create(t.Context(), "x")
			if err == nil {
				_, err = io.WriteString(w, "content")
			}
			if err == nil && test.finish {
				err = w.Finish(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			disk.Lose()
			if got := tree(t, open(t, dir), ""); len(got) != len(test.want) || got["x"] != test.want["x"] || len(own(t, dir)) > 0 {
				t.Errorf("survived: %v, want %v", got, test.want)
			}
			w.Abort()
		})
	}
}
