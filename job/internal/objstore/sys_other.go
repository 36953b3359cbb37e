//go:build !unix

package objstore

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const errQuota = syscall.Errno(1295) // Windows: ERROR_DISK_QUOTA_EXCEEDED

func inode(fs.FileInfo) uint64 { return 0 }

// fileID has no answer here: a file is known by its path.
func fileID(fs.FileInfo) (string, bool) { return "", false }

// syncDir does nothing: renames are journaled here, and directories cannot be synced.
func syncDir(string) error { return nil }

// lockDir excludes all others who call it for the same directory, through a
// file that exists while the lock is held. A crash within the few
// milliseconds of a hold leaves it; the next caller says what to remove.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	name := filepath.Join(dir, own+"lock")
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err == nil {
			f.Close()
			return func() { os.Remove(name) }, nil
		}
		if !os.IsExist(err) && !os.IsPermission(err) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// changedAt is not known.
func changedAt(fs.FileInfo) time.Time { return time.Time{} }
