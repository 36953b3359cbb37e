//go:build unix

package objstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

const errQuota = syscall.EDQUOT

// inode is the file's number in its file system.
func inode(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino)
	}
	return 0
}

// changedAt is when the file's content or its status changed last, which no program can set; zero where the system does not say.
func changedAt(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return statusChanged(st)
	}
	return time.Time{}
}

// fileID is equal for two names of one file, and for no other.
func fileID(info fs.FileInfo) (string, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("%x:%x", st.Dev, st.Ino), true
}

// syncDir makes what was created, renamed or removed in dir durable. File
// systems that cannot sync a directory say EINVAL or ENOTSUP: they have no such need.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	for _, harmless := range []error{syscall.EINVAL, syscall.ENOTSUP, syscall.ENOTTY} {
		if errors.Is(err, harmless) {
			return nil
		}
	}
	return err
}

// lockDir excludes all others, in this process and in others, who call it for
// the same directory. The lock is on the directory itself; where the file
// system has none (NFS), on a hidden file in it.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err = flock(ctx, f); err != nil && ctx.Err() == nil {
		f.Close()
		if f, err = os.OpenFile(dir+"/"+own+"lock", os.O_RDWR|os.O_CREATE, 0o644); err != nil {
			return nil, err
		}
		err = flock(ctx, f)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func flock(ctx context.Context, f *os.File) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR {
			return os.NewSyscallError("flock", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
