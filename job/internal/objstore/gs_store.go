package objstore

// The part of the GCS store that is made of its primitives, which stand in gs.go.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// parallel bounds the copies and deletes of one Promote or RemoveAll on GCS.
const parallel = 16

func (s *gsStore) URI(name string) string {
	if name == "" {
		return s.root.String()
	}
	return "gs://" + s.root.Bucket + "/" + s.key(name)
}

func (s *gsStore) key(name string) string {
	if s.root.Path == "" {
		return name
	}
	return s.root.Path + "/" + name
}

func (s *gsStore) List(ctx context.Context, prefix string) ([]Object, error) {
	prefix, err := cleanPrefix(prefix)
	if err != nil {
		return nil, wrap(s.URI(prefix), "list", err)
	}
	objects, _, err := s.list(ctx, prefix, "")
	// A name that ends in a slash is how consoles and file system adapters
	// mark a directory.
	objects = slices.DeleteFunc(objects, func(o Object) bool { return strings.HasSuffix(o.Name, "/") })
	for _, o := range objects {
		if err == nil {
			err = checkName(o.Name)
		}
	}
	if err != nil {
		return nil, wrap(s.URI(prefix), "list", err)
	}
	return objects, nil
}

func (s *gsStore) Dirs(ctx context.Context, prefix string) ([]string, error) {
	prefix, err := cleanPrefix(prefix)
	if err != nil {
		return nil, wrap(s.URI(prefix), "list", err)
	}
	_, dirs, err := s.list(ctx, prefix, "/")
	return dirs, wrap(s.URI(prefix), "list", err)
}

func (s *gsStore) Stat(ctx context.Context, name string) (Object, error) {
	if err := checkName(name); err != nil {
		return Object{}, wrap(s.URI(name), "stat", err)
	}
	obj, err := s.stat(ctx, name)
	return obj, wrap(s.URI(name), "stat", err)
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

func (s *gsStore) Open(ctx context.Context, obj Object) (Reader, error) {
	err := checkName(obj.Name)
	if err == nil && obj.Generation == "" {
		obj, err = s.Stat(ctx, obj.Name)
	}
	if err != nil {
		return nil, wrap(s.URI(obj.Name), "open", err)
	}
	generation, err := strconv.ParseInt(obj.Generation, 10, 64)
	if err != nil {
		return nil, wrap(s.URI(obj.Name), "open", ErrChanged)
	}
	return &gsReader{store: s, ctx: ctx, obj: obj, generation: generation}, nil
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
		data, err := readAll(r)
		if errors.Is(err, ErrChanged) && try < 10 {
			continue // replaced between the two requests
		}
		if err == nil && crc32.Checksum(data, castagnoli) != obj.CRC32C {
			err = errors.New("content does not match its CRC32C")
		}
		if err != nil {
			return nil, Object{}, wrap(s.URI(name), "read", err)
		}
		return data, obj, nil
	}
}

// gsReader reads one generation: every ReadAt is a range request.
type gsReader struct {
	store      *gsStore
	ctx        context.Context
	obj        Object
	generation int64 // of obj
}

func (r *gsReader) Size() int64  { return r.obj.Size }
func (r *gsReader) Close() error { return nil }

func (r *gsReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, wrap(r.store.URI(r.obj.Name), "read", errors.New("negative offset"))
	}
	want := p[:max(0, min(int64(len(p)), r.obj.Size-off))]
	n, err := 0, error(nil)
	if len(want) > 0 {
		n, err = r.read(want, off)
	}
	if errors.Is(gsKind(err), ErrNotExist) {
		err = ErrChanged // this generation was there when it was listed
	}
	if err != nil {
		return n, wrap(r.store.URI(r.obj.Name), "read", err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (r *gsReader) Unchanged(ctx context.Context) error {
	now, err := r.store.Stat(ctx, r.obj.Name)
	if errors.Is(err, ErrNotExist) || err == nil && now.Generation != r.obj.Generation {
		return wrap(r.store.URI(r.obj.Name), "stat", ErrChanged)
	}
	return err
}

func (s *gsStore) Put(ctx context.Context, name string, data []byte, cond Condition) (Object, error) {
	obj, err := s.put(ctx, name, data, cond)
	return obj, wrap(s.URI(name), "put", err)
}

func (s *gsStore) Delete(ctx context.Context, obj Object) error {
	if err := checkName(obj.Name); err != nil {
		return wrap(s.URI(obj.Name), "delete", err)
	}
	return wrap(s.URI(obj.Name), "delete", s.delete(ctx, obj))
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
		return wrap(s.URI(obj.Name), "delete", s.delete(ctx, obj)) // whatever its name
	})
}

func (s *gsStore) Promote(ctx context.Context, from, to, last string) error {
	return wrap(s.URI(to), "promote", s.promote(ctx, from, to, last))
}

func (s *gsStore) promote(ctx context.Context, from, to, last string) error {
	if err := cmp.Or(checkName(from), checkName(to), checkName(last), checkApart(from, to)); err != nil {
		return err
	}
	switch _, err := s.Stat(ctx, to+"/"+last); {
	case err == nil:
		return fmt.Errorf("%w: %s", ErrExist, last)
	case !errors.Is(err, ErrNotExist):
		return err
	}
	staged, _, err := s.list(ctx, from, "")
	if err != nil {
		return err
	}
	marker := slices.IndexFunc(staged, func(o Object) bool { return o.Name == from+"/"+last })
	if marker < 0 {
		return wrap(s.URI(from+"/"+last), "promote", ErrNotExist)
	}
	remains, _, err := s.list(ctx, to, "")
	if err != nil {
		return err
	}
	if err := s.deleteAll(ctx, remains); err != nil {
		return err
	}
	rest := slices.Delete(slices.Clone(staged), marker, marker+1)
	err = s.each(ctx, rest, func(obj Object) error {
		return s.copy(ctx, obj, to+strings.TrimPrefix(obj.Name, from))
	})
	if err != nil {
		return err
	}
	if err := s.copy(ctx, staged[marker], to+"/"+last); err != nil {
		return err
	}
	return s.deleteAll(ctx, staged)
}

func (s *gsStore) RemoveAll(ctx context.Context, prefix string) error {
	prefix = strings.TrimSuffix(prefix, "/")
	if err := checkName(prefix); err != nil {
		return wrap(s.URI(prefix), "remove", err)
	}
	objects, _, err := s.list(ctx, prefix, "")
	if err != nil {
		return wrap(s.URI(prefix), "remove", err)
	}
	var direct, deeper []Object
	for _, o := range objects {
		if strings.Contains(strings.TrimPrefix(o.Name, prefix+"/"), "/") {
			deeper = append(deeper, o)
		} else {
			direct = append(direct, o)
		}
	}
	for _, objects := range [][]Object{direct, deeper} {
		if err := s.deleteAll(ctx, objects); err != nil {
			return wrap(s.URI(prefix), "remove", err)
		}
	}
	return nil
}
