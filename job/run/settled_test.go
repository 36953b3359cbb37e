package run

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assent/job/internal/objstore"
)

// identities notes which files are read for their identity, and which of a data set are opened.
type identities struct {
	objstore.Store
	mu   *sync.Mutex
	read map[string]bool
	open map[string]bool
}

func (s identities) Open(ctx context.Context, o objstore.Object) (objstore.Reader, error) {
	s.mu.Lock()
	if file := s.URI(o.Name); !strings.Contains(file, "/out/") && !strings.Contains(file, "/consent/") {
		s.open[file] = true
	}
	s.mu.Unlock()
	return s.Store.Open(ctx, o)
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
	var opened int
	var set []string
	night := func(horizon string) (read []string, stamps map[string]string) {
		t.Helper()
		seen := identities{mu: new(sync.Mutex), read: map[string]bool{}, open: map[string]bool{}}
		s.wrap = func(store objstore.Store) objstore.Store { return identities{store, seen.mu, seen.read, seen.open} }
		env := s.env()
		env.Now = func() time.Time { return time.Now().Add(ahead) }
		o := s.options()
		o.Set = append([]string{"inputs.consent.as_of=" + horizon}, set...)
		r, err := Run(t.Context(), env, o)
		if err != nil {
			t.Fatal(err)
		}
		opened = len(seen.open)
		return slices.Sorted(maps.Keys(seen.read)), readNight(t, filepath.Join(s.out, "run="+r.RunID)).Invocation.InputStamps
	}
	expect := func(what string, read []string, stamps map[string]string, want, settled, open int) {
		t.Helper()
		if len(read) != want || len(stamps) != settled || opened != open {
			t.Errorf("%s: %q were read, %d are settled, %d of a data set were opened; want %d, %d and %d", what, read, len(stamps), opened, want, settled, open)
		}
	}
	read, stamps := night("2026-06-01T00:00:00Z")
	expect("just written", read, stamps, 3, 0, 2)
	ahead = time.Hour
	read, stamps = night("2026-06-02T00:00:00Z")
	expect("nothing is known of them", read, stamps, 3, 3, 2)
	read, stamps = night("2026-06-03T00:00:00Z")
	expect("left alone", read, stamps, 0, 3, 0)

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
	expect("one was written again behind its time", read, stamps, 1, 3, 1)
	if len(read) == 1 && read[0] != "a.parquet month=2026-02" {
		t.Errorf("%q was read", read)
	}
	// Other columns may be named by other rules.
	set = []string{"datasets.messages.optional=[edited]"}
	read, stamps = night("2026-06-05T00:00:00Z")
	expect("other rules", read, stamps, 0, 3, 2)
	read, stamps = night("2026-06-06T00:00:00Z")
	expect("the same rules again", read, stamps, 0, 3, 0)
}

// TestLacking: what untouched files lack is known without opening them, and told as if they had been opened.
func TestLacking(t *testing.T) {
	s := newSteps(t)
	warnings := func(horizon string, more ...string) (lines []string, err error) {
		t.Helper()
		var log bytes.Buffer
		env := s.env()
		env.Log = slog.New(slog.NewTextHandler(&log, nil))
		env.Now = func() time.Time { return time.Now().Add(time.Hour) }
		o := s.options()
		o.Set = append([]string{"inputs.consent.as_of=" + horizon, "datasets.messages.subjects={sender: sender_id}", "datasets.messages.optional=[sender]"}, more...)
		_, err = Run(t.Context(), env, o)
		for line := range strings.Lines(log.String()) {
			if _, warning, ok := strings.Cut(line, "level=WARN "); ok {
				lines = append(lines, warning)
			}
		}
		return lines, err
	}
	first, err := warnings("2026-06-01T00:00:00Z")
	if err != nil || len(first) != 1 || !strings.Contains(first[0], "optional=sender") {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := warnings("2026-06-02T00:00:00Z"); err != nil || !slices.Equal(first, again) {
		t.Errorf("%q, want %q: %v", again, first, err)
	}
}
