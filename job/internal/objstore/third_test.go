package objstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// third is a store for tests alone: objects in memory, with errors, generations and
// terms of its own. What the rest of the program assumes of "not local" and of "not
// GCS" is wrong for it.
type third struct {
	mu      sync.Mutex
	objects map[string]thirdObject
	edition int64
}

type thirdObject struct {
	Object
	data []byte
}

// NewThird makes an empty store.
func NewThird() Store { return &third{objects: map[string]thirdObject{}} }

var (
	errNoEntry = errors.New("THIRD-404")
	errStale   = errors.New("THIRD-409")
)

func thirdKind(err error) error {
	switch {
	case errors.Is(err, errNoEntry):
		return ErrNotExist
	case errors.Is(err, errStale):
		return ErrPrecondition
	}
	return nil
}

func (s *third) fail(name, op string, err error) error {
	return storageError(s.URI(name), op, err, thirdKind, func(err error) error { return err })
}

func (s *third) URI(name string) string {
	return buckets{"third"}.uri(Location{Bucket: "b", Path: name})
}

func (s *third) Terms(ctx context.Context, _ time.Time) (Terms, error) {
	return Terms{Kind: "third", Meaning: []string{"what was deleted is on the tapes of the vault"}}, ctx.Err()
}

func (s *third) below(prefix string) (found []Object) {
	for _, name := range slices.Sorted(maps.Keys(s.objects)) {
		if prefix == "" || strings.HasPrefix(name, prefix+"/") {
			found = append(found, s.objects[name].Object)
		}
	}
	return found
}

func (s *third) List(ctx context.Context, prefix string) ([]Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix, err := cleanPrefix(prefix)
	if err = cmp.Or(err, ctx.Err()); err != nil {
		return nil, s.fail(prefix, "list", err)
	}
	return s.below(prefix), nil
}

func (s *third) Exists(ctx context.Context, prefix string) (bool, error) {
	found, err := s.List(ctx, prefix)
	return len(found) > 0, err
}

func (s *third) Dirs(ctx context.Context, prefix string) ([]string, error) {
	found, err := s.List(ctx, prefix)
	var dirs []string
	start := len(strings.TrimSuffix(prefix, "/"))
	if start > 0 {
		start++
	}
	for _, o := range found {
		if dir, _, deeper := strings.Cut(o.Name[start:], "/"); deeper {
			dirs = append(dirs, o.Name[:start]+dir)
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs), err
}

func (s *third) get(ctx context.Context, op, name string) (thirdObject, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[name]
	err := cmp.Or(checkName(name), ctx.Err())
	if err == nil && !ok {
		err = errNoEntry
	}
	return o, s.fail(name, op, err)
}

func (s *third) Stat(ctx context.Context, name string) (Object, error) {
	o, err := s.get(ctx, "stat", name)
	return o.Object, err
}

func (s *third) Identity(ctx context.Context, obj Object) (string, error) {
	o, err := s.get(ctx, "stat", obj.Name)
	return "edition:" + o.Generation, err
}

func (s *third) Read(ctx context.Context, name string) ([]byte, Object, error) {
	o, err := s.get(ctx, "read", name)
	return slices.Clone(o.data), o.Object, err
}

func (s *third) Open(ctx context.Context, obj Object) (Reader, error) {
	o, err := s.get(ctx, "open", obj.Name)
	if err == nil && obj.Generation != "" && obj.Generation != o.Generation {
		err = s.fail(obj.Name, "open", ErrChanged)
	}
	if err != nil {
		return nil, err
	}
	return &thirdReader{s, ctx, o}, nil
}

type thirdReader struct {
	s   *third
	ctx context.Context
	o   thirdObject
}

func (r *thirdReader) Size() int64  { return r.o.Size }
func (r *thirdReader) Close() error { return nil }
func (r *thirdReader) ReadAt(p []byte, off int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return bytes.NewReader(r.o.data).ReadAt(p, off)
}

func (r *thirdReader) Unchanged(ctx context.Context) error {
	now, err := r.s.Stat(ctx, r.o.Name)
	if errors.Is(err, ErrNotExist) || err == nil && now.Generation != r.o.Generation {
		return ErrChanged
	}
	return err
}

type thirdWriter struct {
	s    *third
	ctx  context.Context
	name string
	buf  bytes.Buffer
	done bool
}

func (s *third) Create(ctx context.Context, name string) (Writer, error) {
	if err := cmp.Or(checkName(name), ctx.Err()); err != nil {
		return nil, s.fail(name, "create", err)
	}
	return &thirdWriter{s: s, ctx: ctx, name: name}, nil
}

func (w *thirdWriter) Abort() { w.done = true }
func (w *thirdWriter) Write(p []byte) (int, error) {
	if w.done {
		return 0, errors.New("finished or aborted before")
	}
	return w.buf.Write(p)
}

func (w *thirdWriter) Finish(context.Context) error {
	if w.done {
		return errors.New("finished or aborted before")
	}
	_, err := w.s.Put(w.ctx, w.name, w.buf.Bytes(), Any)
	w.done = err == nil
	return err
}

func (s *third) Put(ctx context.Context, name string, data []byte, cond Condition) (Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := cmp.Or(checkName(name), ctx.Err())
	old, ok := s.objects[name]
	if err == nil && (cond.absent && ok || cond.generation != "" && cond.generation != old.Generation) {
		err = errStale
	}
	if err != nil {
		return Object{}, s.fail(name, "put", err)
	}
	return s.set(name, slices.Clone(data)), nil
}

func (s *third) set(name string, data []byte) Object {
	s.edition++
	o := Object{Name: name, Size: int64(len(data)), Generation: strconv.FormatInt(s.edition+1_000_000, 10), Modified: time.Now(),
		CRC32C: crc32.Checksum(data, castagnoli), HasCRC: true}
	s.objects[name] = thirdObject{o, data}
	return o
}

func (s *third) Copy(ctx context.Context, from Object, to string) (Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := cmp.Or(checkName(from.Name), checkName(to), ctx.Err())
	old, ok := s.objects[from.Name]
	_, there := s.objects[to]
	switch {
	case err != nil:
	case !ok:
		err = errNoEntry
	case from.Generation != "" && from.Generation != old.Generation:
		err = ErrChanged
	case there:
		err = errStale
	}
	if errors.Is(err, errNoEntry) {
		return Object{}, s.fail(from.Name, "copy", err)
	} else if err != nil {
		return Object{}, s.fail(to, "copy", err)
	}
	return s.set(to, old.data), nil
}

func (s *third) Delete(ctx context.Context, obj Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := cmp.Or(checkName(obj.Name), ctx.Err())
	if o, ok := s.objects[obj.Name]; err == nil && ok && obj.Generation != "" && obj.Generation != o.Generation {
		err = errStale
	}
	if err == nil {
		delete(s.objects, obj.Name)
	}
	return s.fail(obj.Name, "delete", err)
}

func (s *third) Promote(ctx context.Context, from, to, last string, with map[string]Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := cmp.Or(checkName(from), checkName(to), checkName(last), checkApart(from, to), ctx.Err())
	if err != nil {
		return s.fail(to, "promote", err)
	}
	if _, done := s.objects[to+"/"+last]; done {
		return s.fail(to, "promote", fmt.Errorf("%w: %s", ErrExist, last))
	}
	if _, staged := s.objects[from+"/"+last]; !staged {
		return s.fail(from, "promote", errNoEntry)
	}
	for _, o := range with {
		if now, there := s.objects[o.Name]; !there {
			return s.fail(o.Name, "promote", errNoEntry)
		} else if o.Generation != "" && o.Generation != now.Generation {
			return s.fail(o.Name, "promote", errStale)
		}
	}
	for _, o := range s.below(to) {
		delete(s.objects, o.Name)
	}
	for name, o := range with {
		s.set(to+"/"+name, s.objects[o.Name].data)
	}
	for _, o := range s.below(from) {
		s.set(to+strings.TrimPrefix(o.Name, from), s.objects[o.Name].data)
		delete(s.objects, o.Name)
	}
	return nil
}

func (s *third) RemoveAll(ctx context.Context, prefix string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix = strings.TrimSuffix(prefix, "/")
	if err := cmp.Or(checkName(prefix), ctx.Err()); err != nil {
		return s.fail(prefix, "remove", err)
	}
	for _, o := range s.below(prefix) {
		delete(s.objects, o.Name)
	}
	return nil
}

// TestThirdPlace names a store of another scheme: nothing takes it for a local path.
func TestThirdPlace(t *testing.T) {
	b := buckets{"third"}
	loc, err := b.parse("third://b/p/x", "b/p/x")
	dir, base := b.split(loc)
	if err != nil || loc.IsLocal() || b.uri(loc) != "third://b/p/x" || b.uri(dir) != "third://b/p" || base != "x" || b.join(dir, base) != loc {
		t.Errorf("%+v, %v: %+v and %q", loc, err, dir, base)
	}
	same := Location{Scheme: "gs", Bucket: "b", Path: "p/x"}
	here, _ := b.lineage(loc)
	there, _ := same.Lineage()
	if here[0].ID == there[0].ID || len(here) != 3 {
		t.Errorf("%+v and %+v are the same place", here, there)
	}
	if _, err := Parse("third://b/p"); err == nil {
		t.Error("a scheme that no store has is taken")
	}
}
