//go:build unix

package listing_test

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"assent/job/internal/objstore"
	"assent/job/internal/source/listing"
)

// TestPipes has what is no file in place of one. Nothing waits for a writer.
func TestPipes(t *testing.T) {
	for name, make := range map[string]func(string) error{
		"a named pipe": func(p string) error { return syscall.Mkfifo(p, 0o644) },
		"a socket": func(p string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p, Net: "unix"})
			if err == nil {
				l.SetUnlinkOnClose(false)
				l.Close()
			}
			return err
		},
	} {
		for _, file := range []string{"x", "x.parquet", "_k=v/x"} {
			t.Run(name+" "+filepath.Base(file), func(t *testing.T) {
				root := t.TempDir()
				put(t, root, "m/a.parquet", "m/_k=v/b.parquet")
				t.Chdir(root)
				if err := make("m/" + file); err != nil {
					t.Skip(err)
				}
				for _, path := range []string{"m", "m/**"} {
					in, err := find(t, path, listing.Dataset)
					if err != nil || len(in.Files) != 2 || len(in.Strangers) != 1 || !strings.Contains(in.Strangers[0], name) {
						t.Errorf("%s: %q, %q, %v", path, rels(in), in.Strangers, err)
					}
					if _, err := find(t, path, listing.Control); !errors.Is(err, listing.ErrStranger) || !strings.Contains(err.Error(), name) {
						t.Errorf("%s: %v", path, err)
					}
				}
				_, err := find(t, "m/"+file, listing.Dataset)
				if _, ok := errors.AsType[*listing.Error](err); !ok || !errors.Is(err, objstore.ErrIrregular) {
					t.Errorf("named: %v", err)
				}
			})
		}
	}
	root := t.TempDir()
	put(t, root, "m/_x/b.parquet", "m/a.parquet")
	if err := syscall.Mkfifo(root+"/m/_pipe", 0o644); err != nil {
		t.Skip(err)
	}
	if in, err := find(t, root+"/m", listing.Control); err != nil || len(in.Files) != 1 {
		t.Errorf("a hidden pipe: %v, %v", rels(in), err)
	}
}
