//go:build unix

package objstore

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// mapFile maps a file's content for reading. It stays mapped after the file is closed.
func mapFile(f *os.File, size int64) (data []byte, unmap func() error, err error) {
	if size == 0 || size != int64(int(size)) {
		return nil, nil, syscall.EINVAL
	}
	data, err = syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, os.NewSyscallError("mmap", err)
	}
	return data, func() error { return os.NewSyscallError("munmap", syscall.Munmap(data)) }, nil
}

// unload lets the system take what it has read of a mapped file out of the process's memory. It is there again when it is looked at. That
// it may fail does not matter.
func unload(data []byte) { _ = unix.Madvise(data, unix.MADV_DONTNEED) }
