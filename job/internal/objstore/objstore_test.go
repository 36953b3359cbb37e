package objstore_test

import (
	"syscall"
	"testing"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/storetest"
)

func open(t testing.TB, uri string) objstore.Store {
	t.Helper()
	opener := new(objstore.Opener)
	t.Cleanup(func() { opener.Close() })
	s, err := opener.Open(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFileConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) objstore.Store { return open(t, t.TempDir()+"/root") })
}

func TestGSConformance(t *testing.T) {
	for name, prefix := range map[string]string{"bucket": "", "prefix": "/some/prefix"} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) objstore.Store {
				storetest.FakeGCS(t)
				return open(t, "gs://"+storetest.Bucket+prefix)
			})
		})
	}
}

// TestPlainGCSConformance runs against fake-gcs-server itself.
func TestPlainGCSConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) objstore.Store {
		storetest.PlainGCS(t)
		return open(t, gsRoot)
	}, storetest.PlainLacks...)
}

// TestThirdConformance is a store that is neither of the two: one file, and its line here.
func TestThirdConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) objstore.Store { return objstore.NewThird() })
}

// TestNoLinksConformance is a directory on a file system that has no hard links.
func TestNoLinksConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) objstore.Store {
		s := open(t, t.TempDir()+"/root")
		objstore.SetLink(s, func(string, string) error { return syscall.EPERM })
		return s
	})
}
