package access

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openFileSystem opens the file system on which a directory is, for syncFileSystem. It returns nil where that is not known to do for
// all files what fsync does for one: on a file system of another kind, and on Linux before 5.8, which tells of no error there.
func openFileSystem(dir string) *os.File {
	var fs unix.Statfs_t
	var system unix.Utsname
	if unix.Statfs(dir, &fs) != nil || unix.Uname(&system) != nil || !tellsErrors(unix.ByteSliceToString(system.Release[:])) {
		return nil
	}
	switch int64(fs.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC:
		f, _ := os.Open(dir)
		return f
	}
	return nil
}

// tellsErrors reports whether syncfs of a release of Linux fails where something could not be written since the file was opened.
func tellsErrors(release string) bool {
	var major, minor int
	n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor)
	return n == 2 && (major > 5 || major == 5 && minor >= 8)
}

func syncFileSystem(f *os.File) error { return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd()))) }
