package faulty

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Disk is a directory on a machine that loses power: of what the file store did below
// it, only what was synced survives. That is less than most file systems keep, and as
// little as they promise: a file's content as it was at its last sync (nothing, if it
// had none), and a directory's entries as they were at its last sync.
//
// Its Step goes into [objstore.Opener.Step]:
//
//	d := faulty.NewDisk(t, dir, i)
//	err := run(&objstore.Opener{Step: d.Step})
//	d.Lose()
//	// check what is there, repeat without faults, check again
type Disk struct {
	t    testing.TB
	root string
	at   int

	mu    sync.Mutex
	steps []string
	nodes []*node
	lost  bool
}

// node is a file or directory that survives, whatever its name is by now. Its file is
// kept open, so that no other gets its inode.
type node struct {
	file    *os.File
	info    fs.FileInfo
	size    int64            // of a file: what is synced
	entries map[string]*node // of a directory: what is synced
	made    string           // where Lose has made it
}

// NewDisk returns a disk below the directory root, where what is there has been
// synced. The power goes before step at, counted from 0: that step and all after it
// fail with [ErrInjected]. Where at is negative it never goes by itself.
func NewDisk(t testing.TB, root string, at int) *Disk {
	t.Helper()
	d := &Disk{t: t, root: root, at: at}
	t.Cleanup(func() {
		for _, n := range d.nodes {
			n.file.Close()
		}
	})
	d.must(d.adopt(root))
	return d
}

// Met tells whether the power went.
func (d *Disk) Met() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lost
}

// Steps lists the steps so far, as "step path", the path below the root.
func (d *Disk) Steps() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.steps...)
}

// Step is asked before each step of a file store.
func (d *Disk) Step(step, path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	below, err := filepath.Rel(d.root, path)
	if err != nil || below == ".." || strings.HasPrefix(below, ".."+string(filepath.Separator)) {
		return nil
	}
	d.lost = d.lost || len(d.steps) == d.at
	d.steps = append(d.steps, step+" "+below)
	if d.lost {
		return ErrInjected
	}
	switch step {
	case "sync":
		n, err := d.node(path)
		if err == nil {
			n.size = n.info.Size()
		}
		return err
	case "syncfs": // all of the file system
		return d.adopt(d.root)
	case "syncdir":
		if _, err := d.syncDir(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// node is what has the name path now, with what it is like now.
func (d *Disk) node(path string) (*node, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	for _, n := range d.nodes {
		if os.SameFile(n.info, info) {
			n.info = info
			return n, nil
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	n := &node{file: f, info: info}
	d.nodes = append(d.nodes, n)
	return n, nil
}

// syncDir keeps the entries that a directory has now.
func (d *Disk) syncDir(path string) (*node, error) {
	dir, err := d.node(path)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	dir.entries = map[string]*node{}
	for _, e := range entries {
		n, err := d.node(filepath.Join(path, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // renamed by another goroutine since
		} else if err != nil {
			return nil, err
		}
		if n.info.IsDir() { // a directory that was moved is in one place
			for _, other := range d.nodes {
				for name, child := range other.entries {
					if child == n {
						delete(other.entries, name)
					}
				}
			}
		}
		dir.entries[e.Name()] = n
	}
	return dir, nil
}

// adopt takes a tree as synced.
func (d *Disk) adopt(path string) error {
	dir, err := d.syncDir(path)
	if err != nil {
		return err
	}
	for name, n := range dir.entries {
		n.size = n.info.Size()
		if n.info.IsDir() {
			if err := d.adopt(filepath.Join(path, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Lose makes the tree what it is after the loss. No store may be at work below it.
func (d *Disk) Lose() {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost = true
	rest, err := os.MkdirTemp(filepath.Dir(d.root), "rest-")
	d.must(err)
	defer os.RemoveAll(rest)
	root, err := d.node(d.root)
	d.must(err)
	for _, n := range d.nodes {
		n.made = ""
	}
	d.must(root.restore(rest))
	left, err := os.ReadDir(d.root)
	d.must(err)
	for _, e := range left {
		d.must(os.RemoveAll(filepath.Join(d.root, e.Name())))
	}
	survived, err := os.ReadDir(rest)
	d.must(err)
	for _, e := range survived {
		d.must(os.Rename(filepath.Join(rest, e.Name()), filepath.Join(d.root, e.Name())))
	}
}

// restore makes n's entries in dir.
func (n *node) restore(dir string) error {
	for name, child := range n.entries {
		path := filepath.Join(dir, name)
		if child.info.IsDir() {
			if err := os.Mkdir(path, 0o755); err != nil {
				return err
			}
			if err := child.restore(path); err != nil {
				return err
			}
			continue
		}
		if child.made != "" { // another name of the same file
			if err := os.Link(child.made, path); err != nil {
				return err
			}
			continue
		}
		child.made = path
		if err := child.write(path); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) write(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, n.info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.NewSectionReader(n.file, 0, n.size))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Chtimes(path, n.info.ModTime(), n.info.ModTime())
}

func (d *Disk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}
