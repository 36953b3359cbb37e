package objstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/faulty"
	"assent/job/internal/objstore/storetest"
)

// tree returns name and content of every object below prefix.
func tree(t *testing.T, s objstore.Store, prefix string) map[string]string {
	t.Helper()
	objects, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	tree := map[string]string{}
	for _, o := range objects {
		data, _, err := s.Read(t.Context(), o.Name)
		if err != nil {
			t.Fatal(err)
		}
		tree[strings.TrimPrefix(o.Name, prefix+"/")] = string(data)
	}
	return tree
}

// own lists the files below dir that the store made for itself.
func own(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if strings.HasPrefix(d.Name(), ".assent-") {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func equal(a, b map[string]string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// everyStep runs an operation with a crash before its step 0, 1, 2 ... until
// there is no such step: of the process, and of the machine, where what was not synced
// is lost. Each time setup makes a fresh store, and check sees it, without faults,
// after the crash.
func everyStep(t *testing.T, setup func(objstore.Store), operate func(objstore.Store) error, check func(t *testing.T, s objstore.Store, dir string)) {
	t.Helper()
	everyCrash(t, false, setup, operate, check)
	t.Run("power", func(t *testing.T) { everyCrash(t, true, setup, operate, check) })
}

func everyCrash(t *testing.T, power bool, setup func(objstore.Store), operate func(objstore.Store) error, check func(t *testing.T, s objstore.Store, dir string)) {
	for i := 0; ; i++ {
		dir := t.TempDir()
		setup(open(t, dir))
		s, disk := open(t, dir), faulty.NewDisk(t, dir, i)
		objstore.SetHook(s, disk.Step)
		err := operate(s)
		crashed := disk.Met()
		if crashed != errors.Is(err, faulty.ErrInjected) && !strings.HasPrefix(disk.Steps()[i], "remove ") {
			t.Errorf("step %d of %q: %v", i, disk.Steps(), err)
		}
		if power {
			disk.Lose()
		}
		t.Run(fmt.Sprintf("before step %d", i), func(t *testing.T) { check(t, open(t, dir), dir) })
		if !crashed {
			if i < 3 {
				t.Errorf("only %d steps", i)
			}
			return
		}
	}
}

func TestFilePromoteCrash(t *testing.T) {
	ctx := context.Background()
	var whole, remains map[string]string
	promote := func(s objstore.Store) error { return s.Promote(ctx, "tmp/run=1", "out/run=1", "_SUCCESS", nil) }
	for _, interrupted := range []bool{false, true} {
		everyStep(t, func(s objstore.Store) {
			storetest.Stage(t, s, "tmp/run=1", 3)
			if interrupted {
				if _, err := s.Put(ctx, "out/run=1/stale", nil, objstore.Any); err != nil {
					t.Fatal(err)
				}
			}
			whole, remains = tree(t, s, "tmp/run=1"), tree(t, s, "out/run=1")
		}, promote, func(t *testing.T, s objstore.Store, dir string) {
			from, to := tree(t, s, "tmp/run=1"), tree(t, s, "out/run=1")
			switch {
			case equal(to, whole) && len(from) == 0:
			case equal(from, whole) && (len(to) == 0 || equal(to, remains)):
			default:
				t.Errorf("from: %v\nto: %v", from, to)
			}
			if err := promote(s); err != nil && !(errors.Is(err, objstore.ErrExist) && len(from) == 0) {
				t.Errorf("repeat: %v", err)
			}
			if got := tree(t, s, ""); len(got) != len(whole) || !equal(tree(t, s, "out/run=1"), whole) {
				t.Errorf("after the repeat: %v", got)
			}
			if got := own(t, dir); len(got) > 0 {
				t.Errorf("after the repeat: %v", got)
			}
		})
	}
}

func TestFileRemoveAllCrash(t *testing.T) {
	ctx := context.Background()
	var whole map[string]string
	remove := func(s objstore.Store) error { return s.RemoveAll(ctx, "out/run=1") }
	everyStep(t, func(s objstore.Store) {
		storetest.Stage(t, s, "out/run=1", 3)
		whole = tree(t, s, "out/run=1")
	}, func(s objstore.Store) error {
		if err := remove(s); err != nil {
			return err
		}
		return remove(s) // which is a step more
	}, func(t *testing.T, s objstore.Store, dir string) {
		if got := tree(t, s, "out/run=1"); len(got) > 0 && !equal(got, whole) {
			t.Errorf("half a tree: %v", got)
		}
		if err := remove(s); err != nil {
			t.Error(err)
		}
		if got := tree(t, s, ""); len(got) > 0 {
			t.Errorf("after the repeat: %v", got)
		}
		if got := own(t, dir); len(got) > 0 {
			t.Errorf("after the repeat: %v", got)
		}
	})
}

func TestFileWriteCrash(t *testing.T) {
	ctx := context.Background()
	putOld := func(s objstore.Store) {
		if _, err := s.Put(ctx, "d/x", []byte("old"), objstore.IfAbsent); err != nil {
			t.Fatal(err)
		}
	}
	put := func(s objstore.Store) error {
		_, err := s.Put(ctx, "d/x", []byte("new"), objstore.Any)
		return err
	}
	create := func(s objstore.Store) error {
		w, err := s.Create(ctx, "d/x")
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err := io.WriteString(w, "new"); err != nil {
			return err
		}
		return w.Finish(ctx)
	}
	check := func(t *testing.T, s objstore.Store, dir string) {
		if got := tree(t, s, "d"); len(got) > 1 || got["x"] != "old" && got["x"] != "new" && len(got) > 0 {
			t.Errorf("after the crash: %v", got)
		}
		if err := put(s); err != nil {
			t.Error(err)
		}
		if got := tree(t, s, ""); !equal(got, map[string]string{"d/x": "new"}) {
			t.Errorf("after the repeat: %v", got)
		}
	}
	t.Run("put", func(t *testing.T) {
		everyStep(t, putOld, put, func(t *testing.T, s objstore.Store, dir string) {
			check(t, s, dir)
			if got := own(t, dir); len(got) > 0 {
				t.Errorf("after the repeat: %v", got)
			}
		})
	})
	t.Run("put if absent", func(t *testing.T) {
		everyStep(t, func(objstore.Store) {}, func(s objstore.Store) error {
			_, err := s.Put(ctx, "d/x", []byte("new"), objstore.IfAbsent)
			return err
		}, check)
	})
	t.Run("create", func(t *testing.T) { everyStep(t, putOld, create, check) })
}

func TestNoSpace(t *testing.T) {
	s := faulty.NoSpace(10).Wrap(open(t, t.TempDir()))
	w, err := s.Create(t.Context(), "d/x")
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(struct{ io.Writer }{w}, strings.NewReader("more than there is room for"))
	if n != 10 || !errors.Is(err, objstore.ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("wrote %d, %v", n, err)
	}
	w.Abort()
	if got := tree(t, s, ""); len(got) > 0 {
		t.Errorf("left behind: %v", got)
	}
}

func TestErrorKinds(t *testing.T) {
	for _, test := range []struct{ err, kind error }{
		{&fs.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}, objstore.ErrNoSpace},
		{&fs.PathError{Op: "write", Path: "/x", Err: syscall.EDQUOT}, objstore.ErrNoSpace},
		{&os.LinkError{Op: "rename", Old: "/x", New: "/y", Err: syscall.EACCES}, objstore.ErrPermission},
		{&fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT}, objstore.ErrNotExist},
		{&fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOTDIR}, objstore.ErrNotExist},
		{context.Canceled, context.Canceled},
	} {
		err := objstore.FileError(test.err)
		if !errors.Is(err, test.kind) || !strings.HasPrefix(err.Error(), "uri: op: ") || strings.Contains(err.Error(), "/x") {
			t.Errorf("%v became %v", test.err, err)
		}
		if again := objstore.FileError(fmt.Errorf("around: %w", err)); again.Error() != "around: "+err.Error() {
			t.Errorf("wrapped twice: %v", again)
		}
	}
	if objstore.FileError(nil) != nil {
		t.Error("FileError(nil) is an error")
	}
}

func TestFileLinks(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	s := open(t, dir)
	storetest.Stage(t, s, "a", 1)
	storetest.Stage(t, open(t, other), "b", 1)
	for link, target := range map[string]string{
		"linked":       filepath.Join(other, "b"),
		"file":         filepath.Join(other, "b/_SUCCESS"),
		"a/data/loop":  filepath.Join(dir, "a"),
		"a/data/self":  ".",
		"nowhere":      "does not exist",
		"linked2":      "linked",
		"a/.snapshot~": "/proc/self/does not exist",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	var got []string
	objects, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		got = append(got, o.Name)
	}
	want := []string{
		"a/.snapshot~", "a/_SUCCESS", "a/data/part=0/x.parquet",
		"file", "linked/_SUCCESS", "linked/data/part=0/x.parquet",
		"linked2/_SUCCESS", "linked2/data/part=0/x.parquet", "nowhere",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if _, err := s.Open(t.Context(), objects[len(objects)-1]); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("open of a link that leads nowhere: %v", err)
	}
	if data, _, err := s.Read(t.Context(), "file"); err != nil || string(data) != "all" {
		t.Errorf("read through a link: %q, %v", data, err)
	}
	// What a link leads to is not the store's to remove.
	if err := s.RemoveAll(t.Context(), "linked"); err != nil {
		t.Error(err)
	}
	if got := tree(t, open(t, other), ""); len(got) != 2 {
		t.Errorf("left of the link's target: %v", got)
	}
}

// TestReadWhileReplaced reads an object that is replaced and removed all the time:
// each answer is one whole content, or that there is none.
func TestReadWhileReplaced(t *testing.T) {
	s, err := new(objstore.Opener).Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	contents := []string{strings.Repeat("a", 10_000), strings.Repeat("b", 7_000)}
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() {
		for i := range 300 {
			if _, err := s.Put(t.Context(), "x", []byte(contents[i%2]), objstore.Any); err != nil {
				t.Error(err)
			}
			if i%3 == 0 {
				if err := s.Delete(t.Context(), objstore.Object{Name: "x"}); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 20_000 {
		data, obj, err := s.Read(t.Context(), "x")
		if errors.Is(err, objstore.ErrNotExist) {
			continue
		}
		if err != nil || !slices.Contains(contents, string(data)) || obj.Size != int64(len(data)) {
			t.Fatalf("%d bytes, %+v, %v", len(data), obj, err)
		}
	}
}
