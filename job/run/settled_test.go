package run

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"assent/job/internal/objstore"
)

// identities notes which files are read for their identity.
type identities struct {
	objstore.Store
	mu   *sync.Mutex
	read map[string]bool
}

func (s identities) Identity(ctx context.Context, o objstore.Object) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read[filepath.Base(s.URI(o.Name))+" "+filepath.Base(filepath.Dir(s.URI(o.Name)))] = true
	return s.Store.Identity(ctx, o)
}

// TestSettled: a file that nobody has touched since the run before is not read for its identity; one that was touched is, whatever
// its times were set to; and one that had just been changed when the run before looked at it is.
func TestSettled(t *testing.T) {
	s := newSteps(t)
	dir, ahead := filepath.Dir(s.config), time.Duration(0)
	night := func(horizon string) (read []string, stamps map[string]string) {
		t.Helper()
		seen := identities{mu: new(sync.Mutex), read: map[string]bool{}}
		s.wrap = func(store objstore.Store) objstore.Store { return identities{store, seen.mu, seen.read} }
		env := s.env()
		env.Now = func() time.Time { return time.Now().Add(ahead) }
		o := s.options()
		o.Set = []string{"inputs.consent.as_of=" + horizon}
		r, err := Run(t.Context(), env, o)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(maps.Keys(seen.read)), readNight(t, filepath.Join(s.out, "run="+r.RunID)).Invocation.InputStamps
	}
	expect := func(what string, read []string, stamps map[string]string, want int, settled int) {
		t.Helper()
		if len(read) != want || len(stamps) != settled {
			t.Errorf("%s: %q were read, %d are settled; want %d and %d", what, read, len(stamps), want, settled)
		}
	}
	read, stamps := night("2026-06-01T00:00:00Z")
	expect("just written", read, stamps, 3, 0)
	ahead = time.Hour
	read, stamps = night("2026-06-02T00:00:00Z")
	expect("nothing is known of them", read, stamps, 3, 3)
	read, stamps = night("2026-06-03T00:00:00Z")
	expect("left alone", read, stamps, 0, 3)

	name := filepath.Join(dir, "messages/month=2026-02/a.parquet")
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	// It is written again, and given its old time.
	if err := errors.Join(os.WriteFile(name, data, 0o600), os.Chtimes(name, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	read, stamps = night("2026-06-04T00:00:00Z")
	expect("one was written again behind its time", read, stamps, 1, 3)
	if len(read) == 1 && read[0] != "a.parquet month=2026-02" {
		t.Errorf("%q was read", read)
	}
}
