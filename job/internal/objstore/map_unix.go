//go:build unix

package objstore

import (
	"os"
	"syscall"
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
