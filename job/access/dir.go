package access

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/parquet-go/parquet-go/compress/zstd"
)

// ErrNotEmpty is wrapped where the place for a copy already holds something.
var ErrNotEmpty = errors.New("not empty")

// Dir is a copy on its way. It is made under a hidden name beside its place and moved
// there as a whole, so that there is never half of one. Only the owner can read it.
type Dir struct {
	RawCSV bool // CSV tables have their cells as they are; see Options
	// Step, if set, is asked before each step that makes something durable or moves it; see objstore.Opener.
	Step func(step, path string) error

	place, tmp string
	open       map[*os.File]bool
	files      []FileInfo
	within     bool // another one, see Sub
	*shared
}

// shared is what a copy and the directories in it have in common.
type shared struct {
	codec   zstd.Codec // of Parquet tables: its encoders serve one after the other
	buffers sync.Pool  // of *bufio.Writer
	system  *os.File   // nil: each file is made durable by itself; see SyncOnce
}

// FileInfo describes a file of a copy.
type FileInfo struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Rows   *int64 `json:"rows,omitempty"` // of a table
}

// CheckPlace returns an error unless there is nothing at a place, or an empty directory.
func CheckPlace(place string) error {
	entries, err := os.ReadDir(place)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s: %w", place, ErrNotEmpty)
	}
	return err
}

// NewDir begins a copy that is to be at a place that CheckPlace allows. The caller ends
// it with Commit or Abort.
func NewDir(place string) (*Dir, error) {
	if err := CheckPlace(place); err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(place); err == nil {
		place = real
	}
	place, err := filepath.Abs(place)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(place), "."+filepath.Base(place)+".assent-*") // 0700
	d := &Dir{place: place, tmp: tmp, open: map[*os.File]bool{}, shared: new(shared)}
	d.buffers.New = func() any { return bufio.NewWriterSize(nil, 64<<10) }
	return d, err
}

// SyncOnce leaves it to Commit to make all files durable, in one go, where the file system can do that. It is for copies of many
// files, and comes before the first one.
func (d *Dir) SyncOnce() { d.system = openFileSystem(d.tmp) }

func (d *Dir) step(name, path string) error {
	if d.Step == nil {
		return nil
	}
	return d.Step(name, path)
}

// Sub begins a directory in the copy, with files of its own. It comes and goes with d, so
// it takes no Commit; Abort closes what is open.
func (d *Dir) Sub(name string) (*Dir, error) {
	sub := &Dir{RawCSV: d.RawCSV, Step: d.Step, place: filepath.Join(d.place, name), tmp: filepath.Join(d.tmp, name), open: map[*os.File]bool{}, within: true, shared: d.shared}
	return sub, os.Mkdir(sub.tmp, 0o700)
}

// File is a file of a copy that is being written.
type File struct {
	dir   *Dir
	name  string
	file  *os.File
	out   *bufio.Writer
	hash  hash.Hash
	bytes int64
}

// Create begins a file; name is slash-separated.
func (d *Dir) Create(name string) (*File, error) {
	path := filepath.Join(d.tmp, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	d.open[file] = true
	out := d.buffers.Get().(*bufio.Writer)
	out.Reset(file)
	return &File{dir: d, name: name, file: file, out: out, hash: sha256.New()}, nil
}

func (f *File) Write(p []byte) (int, error) {
	n, err := f.out.Write(p)
	f.hash.Write(p[:n])
	f.bytes += int64(n)
	return n, err
}

// Close ends the file. rows is nil where it is no table.
func (f *File) Close(rows *int64) error {
	err := f.out.Flush()
	f.out.Reset(nil)
	f.dir.buffers.Put(f.out)
	if f.dir.system == nil {
		if err == nil {
			err = f.dir.step("sync", f.file.Name())
		}
		if err == nil {
			err = f.file.Sync()
		}
	}
	err = errors.Join(err, f.file.Close())
	delete(f.dir.open, f.file)
	if err != nil {
		return err
	}
	f.dir.files = append(f.dir.files, FileInfo{f.name, f.bytes, hex.EncodeToString(f.hash.Sum(nil)), rows})
	return nil
}

// Put writes a whole file.
func (d *Dir) Put(name string, data []byte) error {
	f, err := d.Create(name)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Close(nil)
}

// Files returns the files closed so far, in that order.
func (d *Dir) Files() []FileInfo { return d.files }

// Commit moves the copy to its place. All of it is durable before.
func (d *Dir) Commit() error {
	if err := d.sync(); err != nil {
		return err
	}
	// Only an empty directory goes away by this.
	if err := os.Remove(d.place); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.step("rename", d.place); err != nil {
		return err
	}
	if err := os.Rename(d.tmp, d.place); err != nil {
		return err
	}
	d.tmp = ""
	return d.syncDir(filepath.Dir(d.place))
}

// sync makes durable what is not yet: the directories, and with SyncOnce the files.
func (d *Dir) sync() error {
	if d.system == nil {
		return filepath.WalkDir(d.tmp, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				err = d.syncDir(path)
			}
			return err
		})
	}
	if err := d.step("syncfs", d.tmp); err != nil {
		return err
	}
	err := errors.Join(syncFileSystem(d.system), d.system.Close())
	d.system = nil
	return err
}

func (d *Dir) syncDir(path string) error {
	if err := d.step("syncdir", path); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Abort removes what was written. After Commit it does nothing, so it can be deferred.
func (d *Dir) Abort() error {
	if d.tmp == "" {
		return nil
	}
	for f := range d.open {
		f.Close()
	}
	if d.system != nil && !d.within {
		d.system.Close()
	}
	return os.RemoveAll(d.tmp)
}

// Zip puts the files so far into one archive, in their order, and removes them. at is the
// time that it gives them.
func (d *Dir) Zip(name string, at time.Time) (FileInfo, error) {
	files := d.files
	d.files = nil
	f, err := d.Create(name)
	if err != nil {
		return FileInfo{}, err
	}
	archive := zip.NewWriter(f)
	for _, file := range files {
		path := filepath.Join(d.tmp, filepath.FromSlash(file.Path))
		if err := addFile(archive, file.Path, path, at); err != nil {
			return FileInfo{}, err
		}
		if err := os.Remove(path); err != nil {
			return FileInfo{}, err
		}
		if dir := filepath.Dir(path); dir != d.tmp {
			os.Remove(dir) // where it is empty now
		}
	}
	if err := errors.Join(archive.Close(), f.Close(nil)); err != nil {
		return FileInfo{}, err
	}
	return d.files[0], nil
}

func addFile(archive *zip.Writer, name, path string, at time.Time) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at})
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}
