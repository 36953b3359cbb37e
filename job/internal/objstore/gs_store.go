package objstore

// The part of the GCS store that is made of its primitives, which stand in gs.go.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// parallel bounds the copies and deletes of one Promote or RemoveAll on GCS.
const parallel = 256

func (s *gsStore) URI(name string) string {
	return s.root.Join(name).String()
}

// key is the object's name in the bucket.
func (s *gsStore) key(name string) string {
	if s.root.Path != "" {
		name = s.root.Path + "/" + name
	}
	return bucketName(name)
}

// pathName is the name in our sense of an object's name in the bucket, which may be
// any text. Elements that no path can have are written otherwise: an empty one as
// %2F, dots as %2E. What a bucket itself calls so gets a 25 more, so that no two
// objects have one name.
func pathName(name string) string {
	return eachElement(name, func(e string) string {
		switch {
		case e == "":
			return "%2F"
		case e == "." || e == "..":
			return strings.ReplaceAll(e, ".", "%2E")
		case isEscape(e):
			return "%25" + e[1:]
		}
		return e
	})
}

// bucketName is the inverse of pathName.
func bucketName(name string) string {
	if !strings.Contains(name, "%2") {
		return name
	}
	return eachElement(name, func(e string) string {
		switch {
		case !isEscape(e):
			return e
		case e == "%2F":
			return ""
		case strings.HasPrefix(e, "%2E"):
			return strings.ReplaceAll(e, "%2E", ".")
		}
		return "%" + e[3:]
	})
}

func isEscape(e string) bool {
	e, ok := strings.CutPrefix(e, "%")
	for strings.HasPrefix(e, "25") {
		e = e[2:]
	}
	return ok && (e == "2F" || e == "2E" || e == "2E%2E")
}

func eachElement(name string, change func(string) string) string {
	elements := strings.Split(name, "/")
	for i, e := range elements {
		elements[i] = change(e)
	}
	return strings.Join(elements, "/")
}

func (s *gsStore) List(ctx context.Context, prefix string) ([]Object, error) {
	prefix, err := cleanPrefix(prefix)
	if err != nil {
		return nil, gsError(s.URI(prefix), "list", err)
	}
	objects, _, err := s.list(ctx, prefix, "")
	if err != nil {
		return nil, gsError(s.URI(prefix), "list", err)
	}
	// An empty object whose name ends in a slash is how consoles and file system
	// adapters mark a directory, the root too.
	objects = slices.DeleteFunc(objects, func(o Object) bool { return o.Size == 0 && path.Base(o.Name) == "%2F" })
	for i := range objects {
		objects[i].Err = checkName(objects[i].Name)
	}
	return objects, nil
}

func (s *gsStore) Exists(ctx context.Context, prefix string) (bool, error) {
	prefix, err := cleanPrefix(prefix)
	if err != nil {
		return false, gsError(s.URI(prefix), "list", err)
	}
	found, err := s.any(ctx, prefix)
	return found, gsError(s.URI(prefix), "list", err)
}

func (s *gsStore) Dirs(ctx context.Context, prefix string) ([]string, error) {
	prefix, err := cleanPrefix(prefix)
	if err != nil {
		return nil, gsError(s.URI(prefix), "list", err)
	}
	_, dirs, err := s.list(ctx, prefix, "/")
	return dirs, gsError(s.URI(prefix), "list", err)
}

func (s *gsStore) Stat(ctx context.Context, name string) (Object, error) {
	if err := checkName(name); err != nil {
		return Object{}, gsError(s.URI(name), "stat", err)
	}
	obj, err := s.stat(ctx, name)
	return obj, gsError(s.URI(name), "stat", err)
}

func (s *gsStore) Identity(ctx context.Context, obj Object) (string, error) {
	if obj.Generation == "" {
		var err error
		if obj, err = s.Stat(ctx, obj.Name); err != nil {
			return "", err
		}
	}
	return "generation:" + obj.Generation, nil
}

func (s *gsStore) Read(ctx context.Context, name string) ([]byte, Object, error) {
	for try := 1; ; try++ {
		obj, err := s.Stat(ctx, name)
		if err != nil {
			return nil, Object{}, err
		}
		r, err := s.Open(ctx, obj)
		if err != nil {
			return nil, Object{}, err
		}
		data, err := readAll(r, nil)
		if errors.Is(err, ErrChanged) && try < 10 {
			continue // replaced between the two requests
		}
		if err == nil && crc32.Checksum(data, castagnoli) != obj.CRC32C {
			err = errors.New("content does not match its CRC32C")
		}
		if err != nil {
			return nil, Object{}, gsError(s.URI(name), "read", err)
		}
		return data, obj, nil
	}
}

func (s *gsStore) Put(ctx context.Context, name string, data []byte, cond Condition) (Object, error) {
	obj, err := s.put(ctx, name, data, cond)
	return obj, gsError(s.URI(name), "put", err)
}

func (s *gsStore) Copy(ctx context.Context, from Object, to string) (Object, error) {
	obj, err := s.takeOver(ctx, from, to)
	return obj, gsError(s.URI(to), "copy", err)
}

func (s *gsStore) Delete(ctx context.Context, obj Object) error {
	if err := checkName(obj.Name); err != nil {
		return gsError(s.URI(obj.Name), "delete", err)
	}
	return gsError(s.URI(obj.Name), "delete", s.delete(ctx, obj))
}

// each runs do for every object, several at a time. After an error it starts no
// more, but waits for those that run: a request that is given up may still be
// carried out later.
func (s *gsStore) each(ctx context.Context, objects []Object, do func(Object) error) error {
	g, failed := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, obj := range objects {
		if failed.Err() != nil {
			break
		}
		g.Go(func() error { return do(obj) })
	}
	return cmp.Or(g.Wait(), ctx.Err())
}

func (s *gsStore) deleteAll(ctx context.Context, objects []Object) error {
	return s.each(ctx, objects, func(obj Object) error {
		return gsError(s.URI(obj.Name), "delete", s.delete(ctx, obj)) // whatever its name
	})
}

func (s *gsStore) Promote(ctx context.Context, from, to, last string, with map[string]Object) error {
	return gsError(s.URI(to), "promote", s.promote(ctx, from, to, last, with))
}

func (s *gsStore) promote(ctx context.Context, from, to, last string, with map[string]Object) error {
	if err := cmp.Or(checkName(from), checkName(to), checkName(last), checkApart(from, to)); err != nil {
		return err
	}
	var published error // that it is not
	var staged, remains []Object
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		_, published = s.Stat(gctx, to+"/"+last)
		return nil
	})
	g.Go(func() (err error) {
		staged, _, err = s.list(gctx, from, "")
		return err
	})
	g.Go(func() (err error) {
		remains, _, err = s.list(gctx, to, "")
		return err
	})
	switch err := g.Wait(); {
	case published == nil:
		return fmt.Errorf("%w: %s", ErrExist, last)
	case err != nil:
		return err
	case !errors.Is(published, ErrNotExist):
		return published
	}
	marker := slices.IndexFunc(staged, func(o Object) bool { return o.Name == from+"/"+last })
	if marker < 0 {
		return gsError(s.URI(from+"/"+last), "promote", ErrNotExist)
	}
	if err := s.deleteAll(ctx, remains); err != nil {
		return err
	}
	rest := slices.Delete(slices.Clone(staged), marker, marker+1)
	var copies errgroup.Group
	copies.Go(func() error {
		return s.each(ctx, rest, func(obj Object) error {
			return s.copy(ctx, obj, to+strings.TrimPrefix(obj.Name, from))
		})
	})
	copies.Go(func() error { return s.bring(ctx, to, with) })
	if err := copies.Wait(); err != nil {
		return err
	}
	if err := s.copy(ctx, staged[marker], to+"/"+last); err != nil {
		return err
	}
	return s.deleteAll(ctx, staged)
}

// bring copies objects to names below to, where nothing is.
func (s *gsStore) bring(ctx context.Context, to string, objects map[string]Object) error {
	var sources []Object
	names := map[string][]string{} // below to, by the object's name
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		obj := objects[name]
		if err := cmp.Or(checkName(name), checkName(obj.Name)); err != nil {
			return err
		}
		if names[obj.Name] == nil {
			sources = append(sources, obj)
		}
		names[obj.Name] = append(names[obj.Name], to+"/"+name)
	}
	return s.each(ctx, sources, func(obj Object) (err error) {
		at := obj.Name
		if obj.Generation == "" {
			if obj, err = s.Stat(ctx, at); err != nil {
				return err
			}
		}
		for _, name := range names[at] {
			if err := s.copy(ctx, obj, name); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *gsStore) RemoveAll(ctx context.Context, prefix string) error {
	prefix = strings.TrimSuffix(prefix, "/")
	if err := checkName(prefix); err != nil {
		return gsError(s.URI(prefix), "remove", err)
	}
	objects, _, err := s.list(ctx, prefix, "")
	if err != nil {
		return gsError(s.URI(prefix), "remove", err)
	}
	var markers, direct, deeper []Object
	for _, o := range objects {
		switch name := strings.TrimPrefix(o.Name, prefix+"/"); {
		case strings.Contains(name, "/"):
			deeper = append(deeper, o)
		case strings.HasPrefix(name, "_"):
			markers = append(markers, o)
		default:
			direct = append(direct, o)
		}
	}
	for _, objects := range [][]Object{markers, direct, deeper} {
		if err := s.deleteAll(ctx, objects); err != nil {
			return gsError(s.URI(prefix), "remove", err)
		}
	}
	return nil
}
