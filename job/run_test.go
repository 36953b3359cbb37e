package job_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/objstore/faulty"
	"assent/job/internal/sample"
	"assent/job/jobtest"
)

const testKey = "c3ViamVjdCBrZXkgZm9yIHRlc3RzLCAzMiBieXRlcyE="

func newEnv(t testing.TB) *job.Env {
	t.Helper()
	env := job.NewEnv(slog.New(slog.NewTextHandler(io.Discard, nil)), "test")
	t.Cleanup(func() { env.Close() })
	return env
}

// tinyJob writes a job of few records, for tests that run it hundreds of times.
func tinyJob(t testing.TB) (config string) {
	t.Helper()
	t.Setenv("ASSENT_SUBJECT_KEY", testKey)
	dir := t.TempDir()
	write := func(name, csv string) {
		if err := jobtest.WriteParquet(filepath.Join(dir, name), csv); err != nil {
			t.Fatal(err)
		}
	}
	write("consent/a.parquet", `account_id:string,category:string,opted_in:bool,effective_at:ts_us
A,communications,false,2026-03-01T12:00:00Z
B,platform,false,2026-03-01T12:00:00Z
`)
	for _, month := range []string{"2026-02", "2026-04"} {
		write("messages/month="+month+"/a.parquet", strings.ReplaceAll(`message_id:string,freelancer_id:string,client_id:string,sent_at:ts_us,edited_at:ts_us,body:string
m1,A,B,MONTH-01T00:00:00Z,,first
m2,C,B,MONTH-02T00:00:00Z,,second
`, "MONTH", month))
	}
	config = filepath.Join(dir, "job.yaml")
	err := os.WriteFile(config, []byte(`version: 1
program: {name: tiny, starts_at: 2026-01-05T00:00:00Z}
output: out
inputs:
  consent: {path: consent/, as_of: 2026-06-01T00:00:00Z}
datasets:
  messages: {path: messages/}
`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// tree returns the files below a directory by their relative paths. Of run.json it
// keeps all but the invocation, of _SUCCESS and current.json all but its digest, of
// the report all but these.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		switch filepath.Base(rel) {
		case "run.json", "_SUCCESS", "current.json":
			var doc map[string]any
			if err := json.Unmarshal(data, &doc); err != nil {
				return fmt.Errorf("%s: %w", rel, err)
			}
			delete(doc, "invocation")
			delete(doc, "manifest_sha256")
			delete(doc, "report_sha256")
			data, _ = json.Marshal(doc)
		case "report.html":
			if data, err = outcomeOnly(path, data); err != nil {
				return err
			}
		}
		files[rel] = string(data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// outcomeOnly leaves out of a report what differs between repeats of a run: what it
// says of the invocation, and the digest of the manifest which does, too.
func outcomeOnly(path string, page []byte) ([]byte, error) {
	manifest := filepath.Join(filepath.Dir(path), "run.json")
	data, err := os.ReadFile(manifest)
	if errors.Is(err, fs.ErrNotExist) { // kept as evidence, or amid its removal
		return page, nil
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	page = bytes.ReplaceAll(page, []byte(hex.EncodeToString(sum[:])), []byte("digest"))
	return regexp.MustCompile(`(?s)<p id="made">.*?</p>`).ReplaceAll(page, nil), nil
}

func sameTrees(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	names := slices.Sorted(maps.Keys(want))
	if gotNames := slices.Sorted(maps.Keys(got)); !slices.Equal(gotNames, names) {
		t.Fatalf("%s: files %v, want %v", what, gotNames, names)
	}
	for _, name := range names {
		if got[name] != want[name] {
			t.Fatalf("%s: %s differs", what, name)
		}
	}
}

// TestSampleGolden checks each planted record of the sample: what explain says of
// it, and on which side of the published run it is.
func TestSampleGolden(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	if _, err := sample.Generate(t.Context(), sample.Options{Dir: dir, Rows: 2000, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	env := newEnv(t)
	config := filepath.Join(dir, "job.yaml")
	result, err := env.Run(t.Context(), job.RunOptions{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != job.Published || !result.Current {
		t.Fatalf("%+v", result)
	}
	for i, g := range sample.Golden {
		if testing.Short() && i%8 != 0 {
			continue
		}
		e, err := env.Explain(t.Context(), job.ExplainOptions{Config: config, Dataset: g.Dataset, Record: g.Record})
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
	if _, err := sample.Generate(t.Context(), sample.Options{Dir: dir, Rows: 20000, Seed: 3}); err != nil {
		t.Fatal(err)
	}
	var want map[string]string
	for _, o := range []job.RunOptions{
		{Workers: 1, Memory: 16 << 20}, {Workers: 2, Memory: 64 << 20}, {Workers: 8, Memory: 1 << 30}, {Workers: 8, Memory: 16 << 20},
	} {
		out := t.TempDir()
		o.Config, o.Set = filepath.Join(dir, "job.yaml"), []string{"output=" + out}
		if _, err := newEnv(t).Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		got := tree(t, out)
		if want == nil {
			want = got
			continue
		}
		sameTrees(t, fmt.Sprintf("%d workers, %d bytes", o.Workers, o.Memory), got, want)
	}
}

// TestRepeat runs a job again, and again with an older horizon.
func TestRepeat(t *testing.T) {
	config := tinyJob(t)
	env := newEnv(t)
	run := func(set ...string) *job.RunResult {
		t.Helper()
		r, err := env.Run(t.Context(), job.RunOptions{Config: config, Set: set})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := run()
	before := tree(t, filepath.Join(filepath.Dir(config), "out"))
	if again := run(); again.Status != job.AlreadyPublished || again.RunID != first.RunID || !again.Current {
		t.Errorf("repeat: %+v", again)
	}
	sameTrees(t, "repeat", tree(t, filepath.Join(filepath.Dir(config), "out")), before)

	backfill := run("inputs.consent.as_of=2026-05-01T00:00:00Z")
	if backfill.Status != job.Published || backfill.Current {
		t.Errorf("backfill: %+v", backfill)
	}
	uri, err := env.CurrentRun(t.Context(), job.RunsOptions{Config: config})
	if err != nil || !strings.HasSuffix(uri, "run="+first.RunID) {
		t.Errorf("current after a backfill: %s, %v", uri, err)
	}
	newer := run("inputs.consent.as_of=2026-07-01T00:00:00Z")
	runs, err := env.Runs(t.Context(), job.RunsOptions{Config: config})
	if err != nil || len(runs) != 3 || runs[0].RunID != newer.RunID || !runs[0].Current || runs[1].Current || runs[2].Current {
		t.Errorf("runs: %+v, %v", runs, err)
	}
	_, err = env.Run(t.Context(), job.RunOptions{Config: config, Set: []string{"program.name=other", "inputs.consent.as_of=2026-08-01T00:00:00Z"}})
	if exit, _ := job.Explain(err); exit != job.ExitUsage || !strings.Contains(err.Error(), `belongs to the programme "tiny"`) {
		t.Errorf("another programme: %v", err)
	}
}

// TestFaults fails every storage operation of a run, in several ways, and repeats
// the run: no reader ever sees part of one, and the repeat finishes the job.
func TestFaults(t *testing.T) {
	config := tinyJob(t)
	out := filepath.Join(filepath.Dir(config), "out")
	if _, err := newEnv(t).Run(t.Context(), job.RunOptions{Config: config, Workers: 1}); err != nil {
		t.Fatal(err)
	}
	want := tree(t, out)
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
				env := newEnv(t)
				env.Opener.Wrap = f.Wrap
				_, err := env.Run(t.Context(), job.RunOptions{Config: config, Workers: 1})
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
				if _, err := newEnv(t).Run(t.Context(), job.RunOptions{Config: config, Workers: 1}); err != nil {
					t.Fatalf("repeat after operation %d (%s): %v", i, f.Ops()[i], err)
				}
				sameTrees(t, fmt.Sprintf("repeat after operation %d (%s)", i, f.Ops()[i]), visible(tree(t, out)), want)
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
	got := visible(tree(t, out))
	if len(got) == 0 {
		return
	}
	current, named := got["current.json"]
	if !named { // published, not yet named
		got["current.json"] = want["current.json"]
	} else if current != want["current.json"] {
		t.Fatalf("%s: current.json: %s", what, current)
	}
	sameTrees(t, what, got, want)
}

func TestDiskFull(t *testing.T) {
	config := tinyJob(t)
	out := filepath.Join(filepath.Dir(config), "out")
	for _, room := range []int64{0, 100, 3000} {
		env := newEnv(t)
		env.Opener.Wrap = faulty.NoSpace(room).Wrap
		_, err := env.Run(t.Context(), job.RunOptions{Config: config})
		exit, hint := job.Explain(err)
		if exit != job.ExitFailed || !strings.Contains(hint, "free some space") {
			t.Errorf("%d bytes of room: exit %d, %v, hint %q", room, exit, err, hint)
		}
		if left := tree(t, out); len(left) > 0 {
			t.Errorf("%d bytes of room: left behind: %v", room, slices.Collect(maps.Keys(left)))
		}
	}
}

// TestInterrupted cancels a run at every storage operation.
func TestInterrupted(t *testing.T) {
	config := tinyJob(t)
	out := filepath.Join(filepath.Dir(config), "out")
	for i := 0; ; i += 3 {
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		counter := &cancelAt{at: i, cancel: cancel}
		env := newEnv(t)
		env.Opener.Wrap = func(s objstore.Store) objstore.Store { return counter.wrap(s) }
		result, err := env.Run(ctx, job.RunOptions{Config: config, Workers: 1})
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
		for name := range tree(t, out) {
			if !strings.HasPrefix(name, "run=") && name != "current.json" {
				t.Fatalf("cancelled at operation %d: %s was left behind", i, name)
			}
		}
	}
}

// cancelAt cancels a context when the store is asked for the nth time.
type cancelAt struct {
	mu     sync.Mutex
	n, at  int
	cancel func()
}

func (c *cancelAt) wrap(s objstore.Store) objstore.Store { return &cancelling{s, c} }

type cancelling struct {
	objstore.Store
	c *cancelAt
}

func (s *cancelling) count() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.c.n == s.c.at {
		s.c.cancel()
	}
	s.c.n++
}

func (s *cancelling) Open(ctx context.Context, o objstore.Object) (objstore.Reader, error) {
	s.count()
	return s.Store.Open(ctx, o)
}

func (s *cancelling) Create(ctx context.Context, name string) (objstore.Writer, error) {
	s.count()
	return s.Store.Create(ctx, name)
}

func (s *cancelling) Put(ctx context.Context, name string, data []byte, c objstore.Condition) (objstore.Object, error) {
	s.count()
	return s.Store.Put(ctx, name, data, c)
}

// TestTogether starts the same job several times at once.
func TestTogether(t *testing.T) {
	config := tinyJob(t)
	out := filepath.Join(filepath.Dir(config), "out")
	var wait sync.WaitGroup
	var mu sync.Mutex
	published := 0
	for range 4 {
		env := newEnv(t)
		wait.Go(func() {
			r, err := env.Run(t.Context(), job.RunOptions{Config: config})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && r.Status == job.Published:
				published++
			case err == nil && r.Status == job.AlreadyPublished:
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
	files := tree(t, out)
	if _, ok := files["current.json"]; !ok || len(visible(files)) != len(files) {
		t.Errorf("%v", slices.Collect(maps.Keys(files)))
	}
}
