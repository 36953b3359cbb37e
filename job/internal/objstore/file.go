package objstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// own is how the names begin that the file store makes for itself.
const own = ".assent-"

const (
	tempPrefix  = own + "tmp-"   // a Writer's file before Finish
	putPrefix   = own + "put-"   // Put's file before its rename
	trashPrefix = own + "trash-" // a tree that RemoveAll or Promote took out of sight
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileStore keeps objects as files below a directory.
//
// Mutations go through temporary names and rename. What is conditional on the
// state of a name (Put, Delete) runs under a lock on its directory, which all
// processes that use this store respect.
type fileStore struct {
	root string

	hook func(step, path string) error // [Opener.Step]

	swept sync.Map // directories that were rid of what a crashed Put has left
	// link, if set, stands for os.Link. Tests have file systems without links by it.
	link func(old, new string) error
}

// step asks the hook before a step that changes the file system, on path.
func (s *fileStore) step(name, path string) error {
	if s.hook == nil {
		return nil
	}
	return s.hook(name, path)
}

// syncDir makes the entries of dir durable.
func (s *fileStore) syncDir(dir string) error {
	if err := s.step("syncdir", dir); err != nil {
		return err
	}
	return syncDir(dir)
}

func (s *fileStore) URI(name string) string { return filepath.Join(s.root, filepath.FromSlash(name)) }

// path checks name and returns its place in the file system.
func (s *fileStore) path(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	local, err := filepath.Localize(name)
	if err != nil {
		return "", fmt.Errorf("%w: %q", ErrName, name)
	}
	return filepath.Join(s.root, local), nil
}

// dir is path for a prefix, where "" is the root.
func (s *fileStore) dir(prefix string) (string, string, error) {
	prefix, err := cleanPrefix(prefix)
	if err != nil || prefix == "" {
		return s.root, "", err
	}
	p, err := s.path(prefix)
	return p, prefix, err
}

func (s *fileStore) List(ctx context.Context, prefix string) ([]Object, error) {
	dir, prefix, err := s.dir(prefix)
	if err != nil {
		return nil, fileError(s.URI(prefix), "list", err)
	}
	var w walker
	if err := w.walk(ctx, dir, prefix); err != nil {
		return nil, fileError(s.URI(prefix), "list", err)
	}
	slices.SortFunc(w.objects, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	return w.objects, nil
}

// walker collects the files below a directory.
type walker struct {
	objects []Object
	above   []fs.FileInfo // the directories from the start to here, against loops
	link    string        // the name of the last of these, but the first, that is a link
}

func (w *walker) walk(ctx context.Context, dir, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if gone(err) || err == nil && !info.IsDir() {
		return nil
	} else if err != nil {
		return fileError(dir, "list", err)
	}
	if slices.ContainsFunc(w.above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
		return nil
	}
	w.above = append(w.above, info)
	defer func() { w.above = w.above[:len(w.above)-1] }()

	entries, err := os.ReadDir(dir)
	switch {
	case gone(err):
		return nil
	case errors.Is(err, fs.ErrPermission) && strings.HasPrefix(path.Base(name), "."):
		return nil // .Trash, .snapshot: nothing of ours, and not for us to read
	case err != nil:
		return fileError(dir, "list", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), own) {
			continue
		}
		below, before := path.Join(name, e.Name()), w.link
		if e.Type()&fs.ModeSymlink != 0 {
			w.link = below
		}
		err := w.visit(ctx, filepath.Join(dir, e.Name()), below)
		w.link = before
		if err != nil {
			return err
		}
	}
	return nil
}

// visit lists one entry. What fails loudly when it is opened is not missed in
// silence, so all but directories is listed.
func (w *walker) visit(ctx context.Context, file, name string) error {
	var unreadable error
	info, err := os.Stat(file)
	if gone(err) || errors.Is(err, syscall.ELOOP) {
		// Gone since the directory was read, or a link that leads nowhere.
		unreadable = fmt.Errorf("%w: a link that leads nowhere", ErrNotExist)
		if errors.Is(err, syscall.ELOOP) {
			unreadable = ErrLoop
		}
		if info, err = os.Lstat(file); gone(err) {
			return nil
		}
	}
	if err != nil {
		return fileError(file, "list", err)
	}
	if info.IsDir() {
		return w.walk(ctx, file, name)
	}
	obj := fileObject(name, info)
	obj.Link, obj.Err = w.link, unreadable
	switch {
	case unreadable != nil:
	case !info.Mode().IsRegular():
		obj.Err = irregular(info)
	default:
		obj.Err = checkName(name)
	}
	w.objects = append(w.objects, obj)
	return nil
}

// irregular says what a file is that is neither regular nor a directory.
func irregular(info fs.FileInfo) error {
	what := "a device"
	switch {
	case info.Mode()&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case info.Mode()&fs.ModeSocket != 0:
		what = "a socket"
	}
	return fmt.Errorf("%w: %s", ErrIrregular, what)
}

func (s *fileStore) Exists(ctx context.Context, prefix string) (bool, error) {
	dir, prefix, err := s.dir(prefix)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return false, fileError(s.URI(prefix), "stat", err)
	}
	info, err := os.Stat(dir)
	if gone(err) {
		return false, nil
	}
	return err == nil && info.IsDir(), fileError(dir, "stat", err)
}

func (s *fileStore) Dirs(ctx context.Context, prefix string) ([]string, error) {
	dir, prefix, err := s.dir(prefix)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fileError(s.URI(prefix), "list", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !gone(err) {
		return nil, fileError(s.URI(prefix), "list", err)
	}
	var dirs []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), own) {
			continue
		}
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(filepath.Join(dir, e.Name()))
			isDir = err == nil && info.IsDir()
		}
		if isDir {
			dirs = append(dirs, path.Join(prefix, e.Name()))
		}
	}
	slices.Sort(dirs)
	return dirs, nil
}

func (s *fileStore) Stat(ctx context.Context, name string) (Object, error) {
	p, err := s.path(name)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return Object{}, fileError(s.URI(name), "stat", err)
	}
	obj, err := statFile(p, name)
	return obj, fileError(s.URI(name), "stat", err)
}

// statFile describes the file p. A directory is no object.
func statFile(p, name string) (Object, error) {
	info, err := os.Stat(p)
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		return Object{}, err
	}
	return fileObject(name, info), nil
}

// regular returns what is wrong with a file that is to be an object.
func regular(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return fmt.Errorf("%w: it is a directory", fs.ErrNotExist)
	case !info.Mode().IsRegular():
		return irregular(info)
	}
	return nil
}

func fileObject(name string, info fs.FileInfo) Object {
	return Object{
		Name:       name,
		Size:       info.Size(),
		Generation: generationOf(info),
		Modified:   info.ModTime(),
		Changed:    changedAt(info),
	}
}

// generationOf returns inode, time and size of a file, in hexadecimal.
func generationOf(info fs.FileInfo) string {
	b := strconv.AppendUint(make([]byte, 0, 48), inode(info), 16)
	b = strconv.AppendInt(append(b, '-'), info.ModTime().UnixNano(), 16)
	return string(strconv.AppendInt(append(b, '-'), info.Size(), 16))
}

func (s *fileStore) Open(ctx context.Context, obj Object) (Reader, error) {
	r, err := s.open(ctx, obj)
	if err != nil {
		return nil, fileError(s.URI(obj.Name), "open", err)
	}
	return r, nil
}

func (s *fileStore) open(ctx context.Context, obj Object) (*fileReader, error) {
	p, err := s.path(obj.Name)
	if err != nil {
		return nil, err
	}
	// Before the open, as that would wait for a writer where p is a pipe.
	if _, err := statFile(p, obj.Name); err != nil {
		return nil, err
	}
	f, err := os.Open(p)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	opened := fileObject(obj.Name, info)
	if obj.Generation != "" && obj.Generation != opened.Generation {
		f.Close()
		return nil, ErrChanged
	}
	return &fileReader{store: s, ctx: ctx, f: f, obj: opened, path: p}, nil
}

// Read does not mind that the name is given to another file, or to none, while it
// reads: what it has open is one whole content. Only a file that somebody writes to
// in place is refused.
func (s *fileStore) Read(ctx context.Context, name string) ([]byte, Object, error) {
	return s.read(ctx, name, nil)
}

func (s *fileStore) read(ctx context.Context, name string, buf []byte) ([]byte, Object, error) {
	r, err := s.open(ctx, Object{Name: name})
	if err != nil {
		return nil, Object{}, fileError(s.URI(name), "open", err)
	}
	defer r.Close()
	data, err := readAll(r, buf)
	if err == nil {
		var info fs.FileInfo
		if info, err = r.f.Stat(); err == nil && fileObject(name, info).Generation != r.obj.Generation {
			err = ErrChanged
		}
	}
	return data, r.obj, fileError(s.URI(name), "read", err)
}

// whole reads a small file that was listed, in one read. What is read is one content as in Read; who has the name by now is not asked.
func (s *fileStore) whole(ctx context.Context, obj Object, buf []byte) ([]byte, error) {
	p, err := s.path(obj.Name)
	if err := cmp.Or(err, ctx.Err()); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(p, os.O_RDONLY|syscall.O_NONBLOCK, 0) // of a pipe it would wait for a writer otherwise
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := slices.Grow(buf[:0], int(obj.Size))[:obj.Size]
	for read := false; ; read = true {
		info, err := f.Stat()
		switch {
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular():
			return nil, irregular(info)
		case obj.Generation != generationOf(info):
			return nil, ErrChanged
		case read:
			return data, nil
		}
		if _, err := io.ReadFull(f, data); err != nil {
			return nil, err
		}
	}
}

// readAll reads a small object whole, into buf where that has room for it.
func readAll(r Reader, buf []byte) ([]byte, error) {
	if r.Size() > ReadLimit {
		return nil, fmt.Errorf("%d bytes, more than the %d expected at most", r.Size(), ReadLimit)
	}
	data := slices.Grow(buf[:0], int(r.Size()))[:r.Size()]
	if n, err := r.ReadAt(data, 0); n < len(data) {
		return nil, err
	}
	return data, nil
}

func (s *fileStore) Identity(ctx context.Context, obj Object) (string, error) {
	r, err := s.open(ctx, obj)
	if err != nil {
		return "", fileError(s.URI(obj.Name), "checksum", err)
	}
	defer r.Close()
	sum := crc32.New(castagnoli)
	n, err := io.CopyBuffer(sum, struct{ io.Reader }{io.NewSectionReader(r, 0, r.Size())}, make([]byte, min(1<<20, r.Size()+1)))
	switch {
	case err != nil:
	case n != r.Size():
		err = ErrChanged
	default:
		err = r.Unchanged(ctx)
	}
	if err != nil {
		return "", fileError(s.URI(obj.Name), "checksum", err)
	}
	return fmt.Sprintf("crc32c:%08x", sum.Sum32()), nil
}

// fileReader reads a file that stays open, so a rename over it changes nothing
// for the reads; Unchanged sees it.
type fileReader struct {
	store *fileStore
	ctx   context.Context
	f     *os.File
	obj   Object
	path  string
}

func (r *fileReader) Size() int64  { return r.obj.Size }
func (r *fileReader) Close() error { return fileError(r.path, "close", r.f.Close()) }

func (r *fileReader) ReadAt(p []byte, off int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, fileError(r.path, "read", err)
	}
	n, err := r.f.ReadAt(p, off)
	if err == io.EOF {
		return n, err // by the contract of io.ReaderAt, bare
	}
	return n, fileError(r.path, "read", err)
}

func (r *fileReader) Unchanged(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fileError(r.path, "stat", err)
	}
	now, err := statFile(r.path, r.obj.Name)
	if gone(err) || err == nil && now.Generation != r.obj.Generation {
		err = ErrChanged
	}
	return fileError(r.path, "stat", err)
}

// gone tells that there is no such file, or a file where a directory would be.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// fileError names the URI and the operation in an error of the operating system.
func fileError(uri, op string, err error) error {
	return storageError(uri, op, err, fileKind, func(err error) error {
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			return pe.Err // its path and operation would be said twice
		} else if le, ok := errors.AsType[*os.LinkError](err); ok {
			return le.Err
		}
		return err
	})
}

// fileKind classifies errors of the operating system; nil where it has no
// kind, or one that the error itself reports.
func fileKind(err error) error {
	switch {
	case errors.Is(err, syscall.ELOOP):
		return ErrLoop
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, errQuota):
		return ErrNoSpace
	case errors.Is(err, syscall.ENOTDIR):
		return ErrNotExist
	}
	return nil
}

// newer returns an instant for a new content that is later than the one it
// replaces, so that their generations differ whatever the clock's resolution.
func newer(than time.Time) time.Time {
	if now := time.Now(); now.After(than) {
		return now
	}
	return than.Add(time.Microsecond)
}
