package run_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"assent/job"
	"assent/job/explain"
	"assent/job/internal/objstore"
	"assent/job/internal/objstore/faulty"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/runs"
	"assent/job/sample"
	"assent/manifests"
)

// TestSampleGolden checks each planted record of the sample: what explain says of
// it, and on which side of the published run it is.
func TestSampleGolden(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	if _, err := sample.Run(t.Context(), jobtest.NewEnv(t), sample.Options{Dir: dir, Rows: 2000, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	env := jobtest.NewEnv(t)
	config := filepath.Join(dir, "job.yaml")
	result, err := run.Run(t.Context(), env, run.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != run.Published || !result.Current {
		t.Fatalf("%+v", result)
	}
	for i, g := range sample.Golden() {
		if testing.Short() && i%8 != 0 {
			continue
		}
		e, err := explain.Run(t.Context(), env, explain.Options{Config: config, Dataset: g.Dataset, Record: g.Record})
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Found) != 1 || !slices.Equal(e.Found[0].Reasons, g.Reasons.Strings()) {
			t.Errorf("%s %s (%s): %+v, want %v", g.Dataset, g.Record, g.Why, e.Found, g.Reasons.Strings())
		}
	}
	for name, d := range result.Datasets {
		if d.RowsIn != d.RowsKept+d.RowsExcluded || d.ExcludedByReason.Total() != d.RowsExcluded || d.RowsKept == 0 || d.RowsExcluded == 0 {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// TestSameBytes runs one job with several numbers of workers and budgets.
func TestSameBytes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	if _, err := sample.Run(t.Context(), jobtest.NewEnv(t), sample.Options{Dir: dir, Rows: 20000, Seed: 3}); err != nil {
		t.Fatal(err)
	}
	var want map[string]string
	for _, o := range []run.Options{
		{Workers: 1, Memory: 16 << 20}, {Workers: 2, Memory: 64 << 20}, {Workers: 8, Memory: 1 << 30}, {Workers: 8, Memory: 16 << 20},
	} {
		out := t.TempDir()
		o.Config, o.Set = filepath.Join(dir, "job.yaml"), []string{"output=" + out}
		if _, err := run.Run(t.Context(), jobtest.NewEnv(t), o); err != nil {
			t.Fatal(err)
		}
		got := jobtest.Tree(t, out)
		if want == nil {
			want = got
			continue
		}
		jobtest.SameTrees(t, fmt.Sprintf("%d workers, %d bytes", o.Workers, o.Memory), got, want)
	}
}

// TestKeptAtOnce: the run says how many records it kept without a look at each. Of the file
// with a record of an account that is out it looks at all.
func TestKeptAtOnce(t *testing.T) {
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: jobtest.TinyJob(t)})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(r.URI, "_manifest/run.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc manifests.Run
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Invocation.KeptAtOnce != 2 || r.Datasets["messages"].RowsKept != 3 {
		t.Errorf("%d records kept at once of %d kept", doc.Invocation.KeptAtOnce, r.Datasets["messages"].RowsKept)
	}
}

// TestRepeat runs a job again, and again with an older horizon.
func TestRepeat(t *testing.T) {
	config := jobtest.TinyJob(t)
	env := jobtest.NewEnv(t)
	publish := func(set ...string) *run.Result {
		t.Helper()
		r, err := run.Run(t.Context(), env, run.Options{Config: config, Set: set})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := publish()
	before := jobtest.Tree(t, filepath.Join(filepath.Dir(config), "out"))
	if again := publish(); again.Status != run.AlreadyPublished || again.RunID != first.RunID || !again.Current {
		t.Errorf("repeat: %+v", again)
	}
	jobtest.SameTrees(t, "repeat", jobtest.Tree(t, filepath.Join(filepath.Dir(config), "out")), before)

	backfill := publish("inputs.consent.as_of=2026-05-01T00:00:00Z")
	if backfill.Status != run.Published || backfill.Current {
		t.Errorf("backfill: %+v", backfill)
	}
	uri, err := runs.Current(t.Context(), env, runs.Options{Config: config})
	if err != nil || !strings.HasSuffix(uri, "run="+first.RunID) {
		t.Errorf("current after a backfill: %s, %v", uri, err)
	}
	newer := publish("inputs.consent.as_of=2026-07-01T00:00:00Z")
	listed, err := runs.Run(t.Context(), env, runs.Options{Config: config})
	if err != nil || len(listed) != 3 || listed[0].RunID != newer.RunID || !listed[0].Current || listed[1].Current || listed[2].Current {
		t.Errorf("runs: %+v, %v", listed, err)
	}
	_, err = run.Run(t.Context(), env, run.Options{Config: config, Set: []string{"program.name=other", "inputs.consent.as_of=2026-08-01T00:00:00Z"}})
	if exit, _ := job.Explain(err); exit != job.ExitUsage || !strings.Contains(err.Error(), `belongs to the programme "tiny"`) {
		t.Errorf("another programme: %v", err)
	}
}

// TestFaults fails every storage operation of a run, in several ways, and repeats
// the run: no reader ever sees part of one, and the repeat finishes the job.
func TestFaults(t *testing.T) {
	config := jobtest.TinyJob(t)
	out := filepath.Join(filepath.Dir(config), "out")
	if _, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config, Workers: 1}); err != nil {
		t.Fatal(err)
	}
	want := jobtest.Tree(t, out)
	modes := []faulty.Mode{faulty.Fail, faulty.Lost, faulty.Short, faulty.Crash}
	for n, name := range []string{"fail", "lost", "short", "crash"} {
		mode := modes[n]
		step := 1
		if mode == faulty.Lost || mode == faulty.Short {
			step = 4 // much the same as the other two, at half the cost
		}
		if testing.Short() {
			step *= 9
		}
		t.Run(name, func(t *testing.T) {
			for i := 0; ; i += step {
				if err := os.RemoveAll(out); err != nil {
					t.Fatal(err)
				}
				f := faulty.New(mode, i, nil)
				env := jobtest.NewEnv(t)
				env.Opener.Wrap = f.Wrap
				_, err := run.Run(t.Context(), env, run.Options{Config: config, Workers: 1})
				if !f.Met() {
					if i < 50 {
						t.Fatalf("only %d operations", i)
					}
					return
				}
				completeOrAbsent(t, fmt.Sprintf("operation %d (%s, %v)", i, f.Ops()[i], err), out, want)
				// Where the lease was not released, the repeat would wait for it to end, as this process is not dead.
				if err := os.Remove(filepath.Join(out, "_lock.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				if _, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config, Workers: 1}); err != nil {
					t.Fatalf("repeat after operation %d (%s): %v", i, f.Ops()[i], err)
				}
				jobtest.SameTrees(t, fmt.Sprintf("repeat after operation %d (%s)", i, f.Ops()[i]), visible(jobtest.Tree(t, out)), want)
			}
		})
	}
}

// visible leaves out what readers do not see: names with a leading dot or the stage.
func visible(files map[string]string) map[string]string {
	seen := map[string]string{}
	for name, data := range files {
		if !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_") && !strings.Contains(name, "/.") {
			seen[name] = data
		}
	}
	return seen
}

// completeOrAbsent checks that a reader sees all of the run or none of it, and that
// current.json names a run only if it is there.
func completeOrAbsent(t *testing.T, what, out string, want map[string]string) {
	t.Helper()
	got := visible(jobtest.Tree(t, out))
	if len(got) == 0 {
		return
	}
	current, named := got["current.json"]
	if !named { // published, not yet named
		got["current.json"] = want["current.json"]
	} else if current != want["current.json"] {
		t.Fatalf("%s: current.json: %s", what, current)
	}
	jobtest.SameTrees(t, what, got, want)
}

func TestDiskFull(t *testing.T) {
	config := jobtest.TinyJob(t)
	out := filepath.Join(filepath.Dir(config), "out")
	for _, room := range []int64{0, 100, 3000} {
		env := jobtest.NewEnv(t)
		env.Opener.Wrap = faulty.NoSpace(room).Wrap
		_, err := run.Run(t.Context(), env, run.Options{Config: config})
		exit, hint := job.Explain(err)
		if exit != job.ExitFailed || !strings.Contains(hint, "free some space") {
			t.Errorf("%d bytes of room: exit %d, %v, hint %q", room, exit, err, hint)
		}
		if left := visible(jobtest.Tree(t, out)); len(left) > 0 {
			t.Errorf("%d bytes of room: left behind: %v", room, slices.Collect(maps.Keys(left)))
		}
	}
}

// TestInterrupted cancels a run at every storage operation.
func TestInterrupted(t *testing.T) {
	config := jobtest.TinyJob(t)
	out := filepath.Join(filepath.Dir(config), "out")
	for i := 0; ; i += 3 {
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		counter := &jobtest.CancelAt{At: i, Cancel: cancel}
		env := jobtest.NewEnv(t)
		env.Opener.Wrap = func(s objstore.Store) objstore.Store { return counter.Wrap(s) }
		result, err := run.Run(ctx, env, run.Options{Config: config, Workers: 1})
		cancel()
		if err == nil {
			if i < 15 {
				t.Fatalf("only %d operations: %+v", i, result)
			}
			return
		}
		if exit, _ := job.Explain(err); exit != job.ExitInterrupted {
			t.Fatalf("cancelled at operation %d: exit %d, %v", i, exit, err)
		}
		for name := range jobtest.Tree(t, out) {
			if !strings.HasPrefix(name, "run=") && !strings.HasPrefix(name, "_plan/") && name != "current.json" {
				t.Fatalf("cancelled at operation %d: %s was left behind", i, name)
			}
		}
	}
}

// TestTogether starts the same job several times at once.
func TestTogether(t *testing.T) {
	config := jobtest.TinyJob(t)
	out := filepath.Join(filepath.Dir(config), "out")
	var wait sync.WaitGroup
	var mu sync.Mutex
	published := 0
	for range 4 {
		env := jobtest.NewEnv(t)
		wait.Go(func() {
			r, err := run.Run(t.Context(), env, run.Options{Config: config})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && r.Status == run.Published:
				published++
			case err == nil && r.Status == run.AlreadyPublished:
			case errors.Is(err, objstore.ErrHeld):
			default:
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	wait.Wait()
	if published != 1 {
		t.Errorf("published %d times", published)
	}
	files := jobtest.Tree(t, out)
	if _, ok := files["current.json"]; !ok || len(visible(files)) != len(files) {
		t.Errorf("%v", slices.Collect(maps.Keys(files)))
	}
}
