package storetest

import (
	"testing"

	"assent/job/internal/objstore"
)

func TestStartGCS(t *testing.T) {
	host, stop, err := StartGCS("other")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	t.Setenv("STORAGE_EMULATOR_HOST", host)
	opener := new(objstore.Opener)
	defer opener.Close()
	for _, bucket := range []string{Bucket, "other"} {
		s, err := opener.Open(t.Context(), "gs://"+bucket)
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, "x", "in "+bucket)
		if got := read(t, s, "x"); got != "in "+bucket {
			t.Errorf("read %q", got)
		}
	}
}
