package objstore

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// bring gives objects further names below the directory to, durably. A name that is there
// from an interrupted call stays if it is the object's, and is given anew if not.
func (s *fileStore) bring(ctx context.Context, to string, objects map[string]Object) error {
	dirs := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		obj := objects[name]
		src, err := s.path(obj.Name)
		if err != nil {
			return err
		}
		name = to + "/" + name
		dst, err := s.path(name)
		if err != nil {
			return err
		}
		if src, err = linkable(src, obj); err != nil {
			return fileError(src, "link", err)
		}
		if dir := filepath.Dir(dst); !dirs[dir] {
			if err := s.makeDir(dir); err != nil {
				return err
			}
			dirs[dir] = true
		}
		if err := s.linkAs(ctx, obj, src, dst, name); err != nil {
			return fileError(dst, "link", err)
		}
	}
	for dir := range dirs {
		if err := s.syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// linkable returns the regular file that a file is, which is the object. A link to a symbolic link would be one too, and lead elsewhere
// from another place.
func linkable(src string, obj Object) (string, error) {
	info, err := os.Lstat(src)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		real, err := filepath.EvalSymlinks(src)
		if err != nil {
			return src, err
		}
		return linkable(real, obj)
	}
	if err == nil {
		err = regular(info)
	}
	if err == nil && obj.Generation != "" && obj.Generation != generationOf(info) {
		err = ErrChanged
	}
	return src, err
}

// linkAs makes name, which is the file dst, a link to the file src, or a copy of the
// object where it cannot be linked.
func (s *fileStore) linkAs(ctx context.Context, obj Object, src, dst, name string) error {
	if err := s.step("link", dst); err != nil {
		return err
	}
	err := s.hardLink(src, dst)
	if errors.Is(err, fs.ErrExist) {
		have, herr := os.Lstat(dst)
		want, werr := os.Stat(src)
		if herr == nil && werr == nil && os.SameFile(have, want) {
			return nil
		}
		if err = s.step("remove", dst); err == nil {
			err = os.Remove(dst)
		}
		if err == nil {
			err = s.hardLink(src, dst)
		}
	}
	if err == nil || gone(err) {
		return err
	}
	if err := os.Remove(dst); err != nil && !gone(err) { // a copy by an interrupted call
		return err
	}
	_, err = s.copyBytes(ctx, obj, name)
	return err
}
