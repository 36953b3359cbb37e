package objstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"assent/job/internal/objstore"
)

func TestFileCopyCrash(t *testing.T) {
	ctx := context.Background()
	for name, link := range map[string]func(old, new string) error{
		"link": os.Link, "no links": func(string, string) error { return syscall.EPERM },
	} {
		t.Run(name, func(t *testing.T) {
			copyX := func(s objstore.Store) error {
				objstore.SetLink(s, link)
				_, err := s.Copy(ctx, objstore.Object{Name: "old/x"}, "new/x")
				return err
			}
			everyStep(t, func(s objstore.Store) {
				if _, err := s.Put(ctx, "old/x", []byte("content"), objstore.Any); err != nil {
					t.Fatal(err)
				}
			}, copyX, func(t *testing.T, s objstore.Store, dir string) {
				before := tree(t, s, "new")
				if err := copyX(s); err != nil && !(errors.Is(err, objstore.ErrPrecondition) && len(before) == 1) {
					t.Errorf("repeat, where there was %v: %v", before, err)
				}
				if got := tree(t, s, ""); !equal(got, map[string]string{"old/x": "content", "new/x": "content"}) {
					t.Errorf("after the repeat: %v", got)
				}
			})
		})
	}
}

// TestFileCopyLinks wants no byte to be copied where a link is possible, and the
// content itself where the source is a symbolic link.
func TestFileCopyLinks(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for _, name := range []string{"a/x", "elsewhere"} {
		if _, err := s.Put(t.Context(), name, []byte("content of "+name), objstore.Any); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join("..", "elsewhere"), filepath.Join(dir, "a/link")); err != nil {
		t.Fatal(err)
	}
	for from, original := range map[string]string{"a/x": "a/x", "a/link": "elsewhere"} {
		listed, err := s.Stat(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		to := "deep/er/" + filepath.Base(from)
		if _, err := s.Copy(t.Context(), listed, to); err != nil {
			t.Fatal(err)
		}
		old, err1 := os.Stat(filepath.Join(dir, original))
		now, err2 := os.Lstat(filepath.Join(dir, to))
		if err1 != nil || err2 != nil || !os.SameFile(old, now) {
			t.Errorf("%s is not the file %s: %v, %v", to, original, err1, err2)
		}
	}
	if left := own(t, dir); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
