package objstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

func (s *fileStore) Copy(ctx context.Context, from Object, to string) (Object, error) {
	obj, err := s.takeOver(ctx, from, to)
	return obj, fileError(s.URI(to), "copy", err)
}

// takeOver is Copy. It makes a temporary name first and looks at what that has: the
// name of the source may be given to another file at any time. The last step is a link,
// which fails where the target exists.
func (s *fileStore) takeOver(ctx context.Context, from Object, to string) (Object, error) {
	src, err := s.path(from.Name)
	dst, err2 := s.path(to)
	if err := cmp.Or(err, err2, ctx.Err()); err != nil {
		return Object{}, err
	}
	if _, err := statFile(dst, to); err == nil {
		return Object{}, ErrPrecondition // found before anything is copied
	} else if !gone(err) {
		return Object{}, err
	}
	// A link to a symbolic link would be one too, and lead elsewhere from another place.
	if src, err = filepath.EvalSymlinks(src); err != nil {
		return Object{}, fileError(s.URI(from.Name), "copy", err)
	}
	if err := s.makeDir(filepath.Dir(dst)); err != nil {
		return Object{}, err
	}
	temp := filepath.Join(filepath.Dir(dst), unique(tempPrefix))
	if err := s.step("link", temp); err != nil {
		return Object{}, err
	}
	if err := s.hardLink(src, temp); err != nil {
		return s.copyBytes(ctx, from, to)
	}
	defer func() {
		if s.step("remove", temp) == nil {
			os.Remove(temp) // in vain: a hidden file stays, which its tree's RemoveAll takes
		}
	}()
	obj, err := statFile(temp, to)
	switch {
	case err != nil:
		return Object{}, err
	case from.Generation != "" && from.Generation != obj.Generation:
		return Object{}, fileError(s.URI(from.Name), "copy", ErrChanged)
	}
	return obj, s.linkInto(temp, dst)
}

func (s *fileStore) hardLink(old, new string) error {
	if s.link != nil {
		return s.link(old, new)
	}
	return os.Link(old, new)
}

// linkInto gives the file temp the name dst, if that is free.
func (s *fileStore) linkInto(temp, dst string) error {
	if err := s.step("link", dst); err != nil {
		return err
	}
	switch err := s.hardLink(temp, dst); {
	case errors.Is(err, fs.ErrExist):
		return ErrPrecondition
	case err != nil:
		return err
	}
	return s.syncDir(filepath.Dir(dst))
}

// copyBytes is Copy where the source cannot be linked: it lies on another file system,
// belongs to someone whose files may not be linked, has as many links as a file can
// have, or its file system has none. Where the target's directory cannot have links
// either, two copies to one name at a time are seen by the lock on it alone.
func (s *fileStore) copyBytes(ctx context.Context, from Object, to string) (Object, error) {
	r, err := s.open(ctx, from)
	if err != nil {
		return Object{}, fileError(s.URI(from.Name), "copy", err)
	}
	defer r.Close()
	w, err := s.create(ctx, to, tempPrefix)
	if err != nil {
		return Object{}, err
	}
	defer w.Abort()
	for w.size < r.Size() {
		if err := cmp.Or(ctx.Err(), s.step("write", w.temp)); err != nil {
			return Object{}, err
		}
		n, err := io.CopyN(w.f, r.f, min(r.Size()-w.size, 64<<20)) // the kernel moves the bytes where it can
		w.size += n
		if err == io.EOF {
			err = fmt.Errorf("copy has %d of %d bytes", w.size, r.Size())
		}
		if err != nil {
			return Object{}, err
		}
	}
	if err := r.Unchanged(ctx); err != nil {
		return Object{}, err
	}
	if err := w.flush(ctx, time.Time{}); err != nil {
		return Object{}, err
	}
	unlock, err := lockDir(ctx, filepath.Dir(w.path))
	if err != nil {
		return Object{}, err
	}
	defer unlock()
	obj, err := statFile(w.temp, to)
	if err != nil {
		return Object{}, err
	}
	if err := s.linkInto(w.temp, w.path); err == nil || errors.Is(err, ErrPrecondition) {
		return obj, err
	}
	if _, err := statFile(w.path, to); err == nil {
		return Object{}, ErrPrecondition
	}
	return obj, w.publish()
}
