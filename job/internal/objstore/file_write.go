package objstore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// unique returns a name that nobody else has.
func unique(prefix string) string { return prefix + strings.ToLower(rand.Text()[:16]) }

func (s *fileStore) Create(ctx context.Context, name string) (Writer, error) {
	w, err := s.create(ctx, name, tempPrefix)
	if err != nil {
		return nil, fileError(s.URI(name), "create", err)
	}
	return w, nil
}

func (s *fileStore) create(ctx context.Context, name, prefix string) (*fileWriter, error) {
	p, err := s.path(name)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.makeDir(filepath.Dir(p))
	}
	temp := filepath.Join(filepath.Dir(p), unique(prefix))
	if err == nil {
		err = s.step("create", temp)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &fileWriter{store: s, ctx: ctx, f: f, temp: temp, path: p}, nil
}

// makeDir makes dir and those above it that are missing, durably.
func (s *fileStore) makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := s.makeDir(parent); err != nil {
			return err
		}
	}
	if err := s.step("mkdir", dir); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrNotExist) { // the one above was empty, and removed just now
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	} else if info, serr := os.Stat(dir); err != nil && (serr != nil || !info.IsDir()) {
		return err // there is something, but no directory
	}
	return s.syncDir(parent)
}

// fileWriter writes a temporary file beside its destination. f is nil once it
// is closed, temp is "" once the file is renamed or removed.
type fileWriter struct {
	store      *fileStore
	ctx        context.Context
	f          *os.File
	temp, path string
	size       int64 // bytes written
}

func (w *fileWriter) Write(p []byte) (int, error) {
	err := w.ctx.Err()
	if w.f == nil {
		err = fs.ErrClosed
	}
	if err == nil {
		err = w.store.step("write", w.temp)
	}
	if err != nil {
		return 0, fileError(w.path, "write", err)
	}
	n, err := w.f.Write(p)
	w.size += int64(n)
	return n, fileError(w.path, "write", err)
}

func (w *fileWriter) Finish(ctx context.Context) error {
	err := w.flush(ctx, time.Time{})
	if err == nil {
		err = w.publish()
	}
	return fileError(w.path, "finish", err)
}

// flush makes the temporary file's content durable and closes it. Unless it is
// zero, modified becomes the file's modification time.
func (w *fileWriter) flush(ctx context.Context, modified time.Time) error {
	err := cmp.Or(ctx.Err(), w.ctx.Err())
	if w.f == nil {
		err = fs.ErrClosed
	}
	if err == nil {
		err = w.store.step("sync", w.temp)
	}
	if err != nil {
		return err
	}
	if !modified.IsZero() {
		if err := os.Chtimes(w.temp, modified, modified); err != nil {
			return err
		}
	}
	if err := w.f.Sync(); err != nil {
		return err
	}
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != w.size {
		return fmt.Errorf("length is %d after writing %d bytes", info.Size(), w.size)
	}
	f := w.f
	w.f = nil
	return f.Close()
}

// publish renames the temporary file to its name.
func (w *fileWriter) publish() error {
	if err := w.store.step("rename", w.path); err != nil {
		return err
	}
	if err := os.Rename(w.temp, w.path); err != nil {
		return err
	}
	w.temp = ""
	return w.store.syncDir(filepath.Dir(w.path))
}

func (w *fileWriter) Abort() {
	if w.f != nil {
		w.f.Close()
		w.f = nil
	}
	if w.temp != "" && w.store.step("remove", w.temp) == nil {
		os.Remove(w.temp) // in vain: a hidden file stays, which its tree's RemoveAll takes
	}
	w.temp = ""
}

func (s *fileStore) Put(ctx context.Context, name string, data []byte, cond Condition) (Object, error) {
	obj, err := s.put(ctx, name, data, cond)
	return obj, fileError(s.URI(name), "put", err)
}

func (s *fileStore) put(ctx context.Context, name string, data []byte, cond Condition) (Object, error) {
	p, err := s.path(name)
	if err := cmp.Or(err, ctx.Err()); err != nil {
		return Object{}, err
	}
	dir := filepath.Dir(p)
	if err := s.makeDir(dir); err != nil {
		return Object{}, err
	}
	unlock, err := lockDir(ctx, dir)
	if err != nil {
		return Object{}, err
	}
	defer unlock()
	// Such files are only made under the lock: this one is of a crashed Put. To look once is
	// enough: to read the directory at each Put would cost the square of its entries.
	if _, done := s.swept.LoadOrStore(dir, true); !done {
		s.sweep(dir, putPrefix)
	}

	old, err := statFile(p, name)
	exists := err == nil
	if err != nil && !gone(err) {
		return Object{}, err
	}
	if cond.absent && exists || cond.generation != "" && (!exists || old.Generation != cond.generation) {
		return Object{}, ErrPrecondition
	}
	w, err := s.create(ctx, name, putPrefix)
	if err != nil {
		return Object{}, err
	}
	defer w.Abort()
	if _, err := bytes.NewReader(data).WriteTo(w); err != nil {
		return Object{}, err
	}
	if err := w.flush(ctx, newer(old.Modified)); err != nil {
		return Object{}, err
	}
	obj, err := statFile(w.temp, name)
	if err != nil {
		return Object{}, err
	}
	if cond.absent {
		// A link fails where the name exists: right even where locks are not.
		if err := s.step("link", p); err != nil {
			return Object{}, err
		}
		switch err := os.Link(w.temp, p); {
		case err == nil:
			return obj, s.syncDir(dir)
		case errors.Is(err, fs.ErrExist):
			return Object{}, ErrPrecondition
		}
	}
	return obj, w.publish()
}

func (s *fileStore) Delete(ctx context.Context, obj Object) error {
	return fileError(s.URI(obj.Name), "delete", s.delete(ctx, obj))
}

func (s *fileStore) delete(ctx context.Context, obj Object) error {
	p, err := s.path(obj.Name)
	if err := cmp.Or(err, ctx.Err()); err != nil {
		return err
	}
	dir := filepath.Dir(p)
	unlock, err := lockDir(ctx, dir)
	if gone(err) {
		return nil
	} else if err != nil {
		return err
	}
	defer unlock()
	now, err := statFile(p, obj.Name)
	if gone(err) {
		return nil
	} else if err != nil {
		return err
	}
	if obj.Generation != "" && obj.Generation != now.Generation {
		return ErrPrecondition
	}
	if err := s.step("remove", p); err != nil {
		return err
	}
	if err := os.Remove(p); err != nil {
		return err
	}
	return s.syncDir(dir)
}

func (s *fileStore) Promote(ctx context.Context, from, to, last string, with map[string]Object) error {
	return fileError(s.URI(to), "promote", s.promote(ctx, from, to, last, with))
}

func (s *fileStore) promote(ctx context.Context, from, to, last string, with map[string]Object) error {
	src, err := s.path(from)
	dst, err2 := s.path(to)
	if err := cmp.Or(err, err2, checkName(last), checkApart(from, to), ctx.Err()); err != nil {
		return err
	}
	if _, err := statFile(filepath.Join(dst, filepath.FromSlash(last)), last); err == nil {
		return fmt.Errorf("%w: %s", ErrExist, last)
	} else if !gone(err) {
		return err
	}
	if _, err := statFile(filepath.Join(src, filepath.FromSlash(last)), last); err != nil {
		return fileError(s.URI(from+"/"+last), "promote", err)
	}
	if err := s.bring(ctx, from, with); err != nil {
		return err
	}
	parent := filepath.Dir(dst)
	if err := s.makeDir(parent); err != nil {
		return err
	}
	if err := s.discard(dst); err != nil {
		return err
	}
	if err := s.step("rename", dst); err != nil {
		return err
	}
	if err := os.Rename(src, dst); err != nil {
		return err
	}
	if err := s.syncDir(parent); err != nil {
		return err
	}
	return s.syncDir(filepath.Dir(src))
}

func (s *fileStore) RemoveAll(ctx context.Context, prefix string) error {
	p, err := s.path(strings.TrimSuffix(prefix, "/"))
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.discard(p)
	}
	if err == nil {
		// Whoever makes a file there meanwhile makes its directory again: see makeDir.
		for dir := path.Dir(strings.TrimSuffix(prefix, "/")); dir != "."; dir = path.Dir(dir) {
			if s.step("remove", s.URI(dir)) != nil || os.Remove(s.URI(dir)) != nil {
				break
			}
		}
	}
	return fileError(s.URI(prefix), "remove", err)
}

// discard takes the tree p out of sight in one rename, then removes it, and
// what earlier calls in the same directory could not finish.
func (s *fileStore) discard(p string) error {
	dir := filepath.Dir(p)
	if err := s.step("rename", p); err != nil {
		return err
	}
	if err := os.Rename(p, filepath.Join(dir, unique(trashPrefix))); err != nil && !gone(err) {
		return err
	}
	if err := s.sweep(dir, trashPrefix); err != nil {
		return err
	}
	if err := s.syncDir(dir); !gone(err) {
		return err
	}
	return nil
}

// sweep removes the files and trees in dir whose names begin with prefix.
func (s *fileStore) sweep(dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !gone(err) {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		tree := filepath.Join(dir, e.Name())
		if err := s.step("remove", tree); err != nil {
			return err
		}
		if err := os.RemoveAll(tree); err != nil {
			return err
		}
	}
	return nil
}
