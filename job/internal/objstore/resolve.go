package objstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Inputs are the files of one data set.
type Inputs struct {
	Store Store
	Root  string  // URI below which Rel stands
	Files []Input // sorted by Rel; never empty
}

// Input is one file of a data set.
type Input struct {
	Object
	Rel string // path below the data set's root, slash-separated; unique
}

// Resolve finds the files that uri stands for:
//
//   - an object: itself, whatever its name; its Rel is its base name;
//   - a directory or prefix: every *.parquet below it, at any depth;
//   - a glob ("*", "?", "[a-z]" within one path element, "**" across any
//     number of them): every file that matches; its root is the longest
//     directory before the first element with such a character.
//
// In the latter two, a file is left out if its own name or a directory's
// between it and the root begins with "_" or ".". What exists under the
// literal name comes before what the name matches as a glob.
//
// Nothing there is ErrNotExist; something, but none of these files, is
// ErrNoInput; a directory that may not be read is ErrPermission.
func Resolve(ctx context.Context, opener *Opener, uri string) (Inputs, error) {
	loc, err := Parse(uri)
	if err != nil {
		return Inputs{}, err
	}
	in, found, err := resolveObject(ctx, opener, loc)
	if err != nil || found {
		return in, err
	}
	in, err = resolveTree(ctx, opener, loc, nil)
	if dir, pattern, ok := splitGlob(loc); ok && errors.Is(err, ErrNotExist) {
		for _, element := range pattern {
			if _, err := path.Match(element, ""); err != nil {
				return Inputs{}, fmt.Errorf("%s: bad glob: %w", uri, err)
			}
		}
		return resolveTree(ctx, opener, dir, pattern)
	}
	return in, err
}

// resolveObject resolves loc if it is an object.
func resolveObject(ctx context.Context, opener *Opener, loc Location) (Inputs, bool, error) {
	dir, base := loc, ""
	if loc.IsLocal() {
		dir.Path, base = filepath.Dir(loc.Path), filepath.Base(loc.Path)
	} else {
		slash := strings.LastIndexByte(loc.Path, '/')
		dir.Path, base = loc.Path[:max(slash, 0)], loc.Path[slash+1:]
	}
	if checkName(base) != nil {
		return Inputs{}, false, nil // a bucket, a root directory, "..": no file
	}
	store, err := opener.OpenLocation(ctx, dir)
	if err != nil {
		return Inputs{}, false, err
	}
	obj, err := store.Stat(ctx, base)
	if errors.Is(err, ErrNotExist) {
		return Inputs{}, false, nil
	} else if err != nil {
		return Inputs{}, false, err
	}
	return Inputs{Store: store, Root: dir.String(), Files: []Input{{Object: obj, Rel: base}}}, true, nil
}

// resolveTree resolves the files below loc: those that match pattern, or all
// *.parquet where it is nil.
func resolveTree(ctx context.Context, opener *Opener, loc Location, pattern []string) (Inputs, error) {
	store, err := opener.OpenLocation(ctx, loc)
	if err != nil {
		return Inputs{}, err
	}
	objects, err := store.List(ctx, "")
	if err != nil {
		return Inputs{}, err
	}
	in := Inputs{Store: store, Root: loc.String()}
	for _, obj := range objects {
		if hidden(obj.Name) {
			continue
		}
		if pattern == nil && path.Ext(obj.Name) == ".parquet" ||
			pattern != nil && matchGlob(pattern, strings.Split(obj.Name, "/")) {
			in.Files = append(in.Files, Input{Object: obj, Rel: obj.Name})
		}
	}
	if len(in.Files) > 0 {
		return in, nil
	}
	what := "*.parquet"
	if pattern != nil {
		what = strings.Join(pattern, "/")
	}
	if len(objects) == 0 && !exists(loc) {
		return Inputs{}, &storeError{uri: loc.String(), op: "list", err: ErrNotExist}
	}
	return Inputs{}, fmt.Errorf("%s: %w: none of %d files is %s and not hidden", loc, ErrNoInput, len(objects), what)
}

// hidden tells whether an element of name begins with "_" or ".".
func hidden(name string) bool {
	for element := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(element, "_") || strings.HasPrefix(element, ".") {
			return true
		}
	}
	return false
}

// splitGlob cuts a location before its first element that is a glob.
func splitGlob(loc Location) (dir Location, pattern []string, ok bool) {
	elements := strings.Split(filepath.ToSlash(loc.Path), "/")
	for i, e := range elements {
		if strings.ContainsAny(e, "*?[") {
			dir = loc
			dir.Path = strings.Join(elements[:i], "/")
			if loc.IsLocal() {
				if dir.Path == "" && i > 0 {
					dir.Path = "/"
				}
				dir.Path = filepath.Clean(filepath.FromSlash(dir.Path))
			}
			return dir, elements[i:], true
		}
	}
	return Location{}, nil, false
}

// matchGlob matches path elements: "**" any number of them, others by path.Match.
func matchGlob(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := range len(name) + 1 {
				if matchGlob(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], name[0]); !ok || err != nil {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

// exists tells an empty local directory from one that is missing. GCS has no
// empty directories.
func exists(loc Location) bool {
	if !loc.IsLocal() {
		return false
	}
	_, err := os.Stat(loc.Path)
	return err == nil
}
