package runs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/objstore/faulty"
	"assent/job/internal/publish"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/runs"
)

// published makes an output with runs of several horizons, the oldest first.
func published(t *testing.T, n int) (o runs.Options, out string, ids []string) {
	t.Helper()
	config := jobtest.TinyJob(t)
	for day := 1; day <= n; day++ {
		r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config, Workers: 1, Set: []string{fmt.Sprintf("inputs.consent.as_of=2026-06-%02dT00:00:00Z", day)}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.RunID)
	}
	return runs.Options{Config: config}, filepath.Join(filepath.Dir(config), "out"), ids
}

// copyOf makes a fresh copy of an output, so that a test may spoil it.
func copyOf(t *testing.T, original, out string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(out), os.CopyFS(out, os.DirFS(original))); err != nil {
		t.Fatal(err)
	}
}

// whole returns the ids of the runs that look published, each of which must have all of
// its objects.
func whole(t *testing.T, what string, o runs.Options) (ids []string) {
	t.Helper()
	env := jobtest.NewEnv(t)
	listed, err := runs.Run(t.Context(), env, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range listed {
		r, err := publish.OpenRun(t.Context(), env, info.URI)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for _, object := range r.Objects() {
			if _, err := r.Read(t.Context(), object); err != nil {
				t.Errorf("%s: a run that looks published: %v", what, err)
			}
		}
		ids = append(ids, info.RunID)
	}
	slices.Sort(ids)
	return ids
}

func prune(t *testing.T, env *job.Env, o runs.Options, keep int) (*runs.Pruned, error) {
	return runs.Prune(t.Context(), env, o, keep, false)
}

func hold(t *testing.T, o runs.Options, name, uri string) error {
	_, err := runs.TakeHold(t.Context(), jobtest.NewEnv(t), o, name, uri, time.Hour)
	return err
}

// TestPruneFaults fails every storage operation of a prune, and repeats it.
func TestPruneFaults(t *testing.T) {
	o, out, ids := published(t, 4)
	if err := hold(t, o, "train", filepath.Join(out, "run="+ids[1])); err != nil {
		t.Fatal(err)
	}
	original := t.TempDir()
	copyOf(t, out, original)
	want := []string{ids[1], ids[3]}
	step := 1
	if testing.Short() {
		step = 9
	}
	for _, kind := range faulty.Kinds() {
		if kind.Mode == faulty.Fail && kind.Name != "fail" && kind.Name != "precondition" || kind.Mode == faulty.Short {
			continue // to a prune these are as fail
		}
		t.Run(kind.Name, func(t *testing.T) {
			for i := 0; ; i += step {
				copyOf(t, original, out)
				f, env := kind.At(i), jobtest.NewEnv(t)
				env.Opener.Wrap = f.Wrap
				_, err := prune(t, env, o, 1)
				what := fmt.Sprintf("operation %d (%v)", i, err)
				if !f.Met() {
					if i < 30 || err != nil {
						t.Errorf("only %d operations; %v", i, err)
					}
					return
				}
				left := whole(t, what, o)
				if !slices.Contains(left, ids[1]) || !slices.Contains(left, ids[3]) {
					t.Fatalf("%s: %q are left", what, left)
				}
				if err := os.Remove(filepath.Join(out, publish.LeaseObject)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				r, err := prune(t, jobtest.NewEnv(t), o, 1)
				if err != nil {
					t.Fatalf("repeat after %s: %v", what, err)
				}
				pruned(t, "repeat after "+what, o, out, r, want, []string{ids[0], ids[2]})
			}
		})
	}
}

// pruned checks what is there after a prune: these runs, of those evidence, and nothing else.
func pruned(t *testing.T, what string, o runs.Options, out string, r *runs.Pruned, left, gone []string) {
	t.Helper()
	if got := whole(t, what, o); !slices.Equal(got, left) {
		t.Errorf("%s: %q are left, want %q; %+v", what, got, left, r)
	}
	for _, id := range gone {
		if _, err := os.Stat(filepath.Join(out, "run="+id)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: of %s something is left: %v", what, id, err)
		}
		for _, name := range []string{"run.json", "daily.csv", "report.html", "_SUCCESS"} {
			if _, err := os.Stat(filepath.Join(out, publish.PrunedDir, "run="+id, name)); err != nil {
				t.Errorf("%s: evidence: %v", what, err)
			}
		}
		if _, err := os.Stat(filepath.Join(out, publish.PrunedDir, "run="+id, "removing.json")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %s is still announced: %v", what, id, err)
		}
	}
}

// between runs something else just before operation at of a store.
type between struct {
	objstore.Store
	at      *int
	instead func()
}

func (s between) count() {
	if *s.at--; *s.at == -1 {
		s.instead()
	}
}

func (s between) Read(ctx context.Context, name string) ([]byte, objstore.Object, error) {
	s.count()
	return s.Store.Read(ctx, name)
}

func (s between) Stat(ctx context.Context, name string) (objstore.Object, error) {
	s.count()
	return s.Store.Stat(ctx, name)
}

func (s between) List(ctx context.Context, prefix string) ([]objstore.Object, error) {
	s.count()
	return s.Store.List(ctx, prefix)
}

func (s between) Put(ctx context.Context, name string, data []byte, c objstore.Condition) (objstore.Object, error) {
	s.count()
	return s.Store.Put(ctx, name, data, c)
}

func (s between) Delete(ctx context.Context, obj objstore.Object) error {
	s.count()
	return s.Store.Delete(ctx, obj)
}

func (s between) RemoveAll(ctx context.Context, prefix string) error {
	s.count()
	return s.Store.RemoveAll(ctx, prefix)
}

// TestPruneAgainstHold takes a hold before every operation of a prune, and prunes before
// every operation of taking a hold: whoever has got a hold has the run.
func TestPruneAgainstHold(t *testing.T) {
	o, out, ids := published(t, 3)
	original := t.TempDir()
	copyOf(t, out, original)
	uri := filepath.Join(out, "run="+ids[0])
	for name, first := range map[string]bool{"hold amid a prune": false, "prune amid a hold": true} {
		t.Run(name, func(t *testing.T) {
			outcomes := map[bool]int{}
			for i := 0; ; i++ {
				copyOf(t, original, out)
				env, at, done := jobtest.NewEnv(t), i, false
				var holdErr, pruneErr error
				env.Opener.Wrap = func(s objstore.Store) objstore.Store {
					return between{s, &at, func() {
						done = true
						if first {
							_, pruneErr = prune(t, jobtest.NewEnv(t), o, 1)
						} else {
							holdErr = hold(t, o, "train", uri)
						}
					}}
				}
				if first {
					_, holdErr = runs.TakeHold(t.Context(), env, o, "train", uri, time.Hour)
				} else {
					_, pruneErr = prune(t, env, o, 1)
				}
				if !done {
					if i < 4 || first && outcomes[true]*outcomes[false] == 0 {
						t.Errorf("%d operations, outcomes %v", i, outcomes)
					}
					return
				}
				if pruneErr != nil {
					t.Fatal(pruneErr)
				}
				left := whole(t, fmt.Sprint(i), o)
				if held := holdErr == nil; held != slices.Contains(left, ids[0]) && held || !slices.Contains(left, ids[2]) {
					t.Errorf("operation %d: the hold: %v; there are %q", i, holdErr, left)
				}
				outcomes[holdErr == nil]++
				if _, err := os.Stat(filepath.Join(out, publish.HoldsDir, "train.json")); holdErr != nil && err == nil {
					t.Errorf("operation %d: a hold that was refused is there: %v", i, holdErr)
				}
			}
		})
	}
}

// TestTwoPrunes lets several remove at once, beside readers who take holds.
func TestTwoPrunes(t *testing.T) {
	o, out, ids := published(t, 5)
	var wg sync.WaitGroup
	held := make([]error, len(ids))
	for range 3 {
		wg.Go(func() {
			if _, err := prune(t, jobtest.NewEnv(t), o, 2); err != nil && !errors.Is(err, objstore.ErrHeld) {
				t.Error(err)
			}
		})
	}
	for i, id := range ids[:3] {
		wg.Go(func() { held[i] = hold(t, o, fmt.Sprint("reader-", i), filepath.Join(out, "run="+id)) })
	}
	wg.Wait()
	r, err := prune(t, jobtest.NewEnv(t), o, 2)
	if err != nil {
		t.Fatal(err)
	}
	want, gone := slices.Clone(ids[3:]), []string{}
	for i, id := range ids[:3] {
		if held[i] == nil {
			want = append(want, id)
		} else {
			gone = append(gone, id)
		}
	}
	slices.Sort(want)
	pruned(t, "at once", o, out, r, want, gone)
}

// TestPruneWaits has another job at work.
func TestPruneWaits(t *testing.T) {
	o, out, ids := published(t, 2)
	env := jobtest.NewEnv(t)
	env.Lease = objstore.LeaseOptions{Interval: 20 * time.Millisecond, TTL: time.Minute}
	store, err := env.Opener.Open(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	lease, err := objstore.Acquire(t.Context(), store, publish.LeaseObject, objstore.Holder{Run: "another"}, env.Lease)
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release()
	if _, err := prune(t, env, o, 1); !errors.Is(err, objstore.ErrHeld) {
		t.Errorf("beside another job: %v", err)
	}
	if got := whole(t, "beside another job", o); !slices.Equal(got, ids) {
		t.Errorf("%q are left", got)
	}
}

// TestHolds lets time pass.
func TestHolds(t *testing.T) {
	o, out, ids := published(t, 3)
	env := jobtest.NewEnv(t)
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	env.Now = func() time.Time { return now }
	take := func(name, uri string, during time.Duration) *runs.Hold {
		t.Helper()
		h, err := runs.TakeHold(t.Context(), env, o, name, uri, during)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	oldest := filepath.Join(out, "run="+ids[0])
	if h := take("a", "", time.Hour); h.RunID != ids[2] {
		t.Errorf("without a run: %+v, want the current one", h)
	}
	if h := take("a", oldest, 2*time.Hour); h.RunID != ids[0] || !h.ExpiresAt.Equal(now.Add(2*time.Hour)) {
		t.Errorf("moved: %+v", h)
	}
	now = now.Add(30 * time.Minute)
	if h := take("a", "", time.Hour); h.RunID != ids[0] || !h.ExpiresAt.Equal(now.Add(90*time.Minute)) {
		t.Errorf("renewed for less than was left: %+v", h)
	}
	now = now.Add(90*time.Minute + 4*time.Minute) // expired, but clocks differ
	r, err := prune(t, env, o, 1)
	if err != nil || len(r.Removed) != 1 || r.Removed[0].RunID != ids[1] {
		t.Fatalf("%+v, %v", r, err)
	}
	if want := []string{"held by a"}; len(r.Kept) != 2 || !slices.Equal(r.Kept[1].Reasons, want) {
		t.Errorf("%+v", r.Kept)
	}
	now = now.Add(2 * time.Minute)
	r, err = prune(t, env, o, 1)
	if err != nil || len(r.Removed) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	pruned(t, "at the end", o, out, r, ids[2:], ids[:2])
	if _, err := os.Stat(filepath.Join(out, publish.HoldsDir, "a.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an expired hold stays: %v", err)
	}
	for what, err := range map[string]error{
		"a run that was pruned": hold(t, o, "b", oldest),
		"a name that is none":   hold(t, o, "../b", ""),
		"elsewhere":             hold(t, o, "b", "elsewhere/run="+ids[2]),
	} {
		if exit, _ := job.Explain(err); exit != job.ExitUsage {
			t.Errorf("hold on %s: %v", what, err)
		}
	}
	if err := os.WriteFile(filepath.Join(out, publish.HoldsDir, "odd.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := prune(t, env, o, 1); err == nil || !strings.Contains(err.Error(), "not a hold") {
		t.Errorf("beside what is no hold: %v", err)
	}
	if _, err := runs.Run(t.Context(), env, o); err != nil {
		t.Errorf("the list beside what is no hold: %v", err)
	}
}
