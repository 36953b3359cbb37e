package run

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"

	"assent/filter/sections"
	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/jobtest"
)

// tiny cuts a job into a shard for each file.
var tiny = sizes{bytes: 1, files: 1}

// steps are the three steps of a job, each with an environment of its own, as if on
// another machine.
type steps struct {
	t      *testing.T
	config string
	out    string
	sizes  sizes
	wrap   func(objstore.Store) objstore.Store
}

func newSteps(t *testing.T) *steps {
	config := jobtest.TinyJob(t)
	return &steps{t: t, config: config, out: filepath.Join(filepath.Dir(config), "out"), sizes: tiny}
}

func (s *steps) env() *job.Env {
	env := jobtest.NewEnv(s.t)
	env.Opener.Wrap = s.wrap
	return env
}

func (s *steps) options() Options { return Options{Config: s.config, Workers: 1, sizes: s.sizes} }

func (s *steps) plan() (*Planned, error) { return StepPlan(s.t.Context(), s.env(), s.options()) }

func noVariables(string) string { return "" }

func (s *steps) shard(plan string, index, count int) (*Sharded, error) {
	o := ShardOptions{Plan: plan, Index: &index, Workers: 1}
	if count > 0 {
		o.Count = &count
	}
	return StepShard(s.t.Context(), s.env(), noVariables, o)
}

func (s *steps) commit(plan string) (*Result, error) {
	return StepCommit(s.t.Context(), s.env(), CommitOptions{Plan: plan})
}

// all takes all steps, the shards as so many tasks, the last one first.
func (s *steps) all(tasks int) (*Result, error) {
	p, err := s.plan()
	if err != nil {
		return nil, err
	}
	for i := tasks - 1; i >= 0; i-- {
		if _, err := s.shard(p.Plan, i, tasks); err != nil {
			return nil, err
		}
	}
	return s.commit(p.Plan)
}

// undisturbed is what a run in one process publishes.
func (s *steps) undisturbed() map[string]string {
	s.t.Helper()
	if _, err := Run(s.t.Context(), jobtest.NewEnv(s.t), Options{Config: s.config}); err != nil {
		s.t.Fatal(err)
	}
	want := jobtest.Tree(s.t, s.out)
	if err := os.RemoveAll(s.out); err != nil {
		s.t.Fatal(err)
	}
	return want
}

// TestSteps takes the steps one by one, for several cuts and numbers of tasks. What is
// published is the same as by one call of Run, and nothing else is left.
func TestSteps(t *testing.T) {
	s := newSteps(t)
	want := s.undisturbed()
	for _, c := range []struct {
		sizes sizes
		tasks int
	}{{tiny, 1}, {tiny, 2}, {tiny, 5}, {sizes{bytes: 1 << 30, files: 100}, 1}, {sizes{bytes: 1 << 30, files: 100}, 3}} {
		s.sizes = c.sizes
		r, err := s.all(c.tasks)
		if err != nil || r.Status != Published || !r.Current {
			t.Fatalf("%+v: %+v, %v", c, r, err)
		}
		jobtest.SameTrees(t, fmt.Sprintf("%+v", c), jobtest.Tree(t, s.out), want)
		if _, err := os.Stat(filepath.Join(s.out, publish.PlanDir)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v: the plan is still there: %v", c, err)
		}
		if err := os.RemoveAll(s.out); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStepsAnswers(t *testing.T) {
	s := newSteps(t)
	p, err := s.plan()
	if err != nil || p.Status != PlanReady || p.Shards != 2 || p.Plan != filepath.Join(s.out, "_plan", p.RunID) {
		t.Fatalf("%+v, %v", p, err)
	}
	if again, err := s.plan(); err != nil || *again != *p {
		t.Errorf("a second plan: %+v, %v", again, err)
	}
	if _, err := s.commit(p.Plan); err == nil || !strings.Contains(err.Error(), "2 of 2 shards are not done: 0, 1") {
		t.Errorf("commit without shards: %v", err)
	}
	for i, want := range []Sharded{{p.Plan, []int{1}, 0}, {p.Plan, []int{}, 1}} {
		if got, err := s.shard(p.Plan, 1, 0); err != nil || fmt.Sprint(*got) != fmt.Sprint(want) {
			t.Errorf("shard, call %d: %+v, %v", i, got, err)
		}
	}
	if _, err := s.commit(p.Plan); err == nil || !strings.Contains(err.Error(), "1 of 2 shards are not done: 0") {
		t.Errorf("commit with a shard missing: %v", err)
	}
	if got, err := s.shard(p.Plan+"/", 0, 1); err != nil || got.Skipped != 1 || !slices.Equal(got.Shards, []int{0}) {
		t.Errorf("every shard: %+v, %v", got, err)
	}
	if got, err := s.shard(p.Plan, 2, 0); err != nil || len(got.Shards) != 0 {
		t.Errorf("a shard that is none: %+v, %v", got, err)
	}
	for i, want := range []Status{Published, AlreadyPublished, AlreadyPublished} {
		if r, err := s.commit(p.Plan); err != nil || r.Status != want || r.RunID != p.RunID {
			t.Errorf("commit, call %d: %+v, %v", i, r, err)
		}
	}
	if got, err := s.shard(p.Plan, 0, 1); err != nil || len(got.Shards) != 0 {
		t.Errorf("a shard after the commit: %+v, %v", got, err)
	}
	if again, err := s.plan(); err != nil || again.Status != AlreadyPublished || again.Plan != "" || again.URI != p.URI {
		t.Errorf("a plan of what is published: %+v, %v", again, err)
	}
	if _, err := s.shard(filepath.Join(s.out, "_plan", "20260601T000000Z-000000000000"), 0, 1); exitOf(err) != job.ExitUsage {
		t.Errorf("a plan that is none: %v", err)
	}
}

func exitOf(err error) int {
	exit, _ := job.Explain(err)
	return exit
}

// TestTask reads which shards a task has from what schedulers set.
func TestTask(t *testing.T) {
	two, three := 2, 3
	for _, c := range []struct {
		name         string
		index, count *int
		variables    string
		wantI, wantK int
		refused      bool
	}{
		{"options", &two, &three, "JOB_COMPLETION_INDEX=0 SLURM_ARRAY_TASK_COUNT=9", 2, 3, false},
		{"an index alone", &two, nil, "CLOUD_RUN_TASK_INDEX=0 CLOUD_RUN_TASK_COUNT=9", 2, 0, false},
		{"Kubernetes", nil, nil, "JOB_COMPLETION_INDEX=4", 4, 0, false},
		{"Kubernetes, with a count", nil, &three, "JOB_COMPLETION_INDEX=1", 1, 3, false},
		{"Cloud Run", nil, nil, "CLOUD_RUN_TASK_INDEX=1 CLOUD_RUN_TASK_COUNT=8", 1, 8, false},
		{"Batch", nil, nil, "BATCH_TASK_INDEX=0 BATCH_TASK_COUNT=8", 0, 8, false},
		{"AWS Batch", nil, nil, "AWS_BATCH_JOB_ARRAY_INDEX=5 AWS_BATCH_JOB_ARRAY_SIZE=6", 5, 6, false},
		{"Slurm", nil, nil, "SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_COUNT=4", 3, 4, false},
		{"Airflow", nil, nil, "AIRFLOW_MAP_INDEX=0", 0, 0, false},
		{"nothing", nil, nil, "", 0, 0, true},
		{"an array from 1", nil, nil, "SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_COUNT=4", 0, 0, true},
		{"no number", nil, nil, "AIRFLOW_MAP_INDEX=x", 0, 0, true},
		{"unmapped", nil, nil, "AIRFLOW_MAP_INDEX=-1", 0, 0, true},
	} {
		set := map[string]string{}
		for _, pair := range strings.Fields(c.variables) {
			name, value, _ := strings.Cut(pair, "=")
			set[name] = value
		}
		o := ShardOptions{Index: c.index, Count: c.count}
		i, k, err := o.task(func(name string) string { return set[name] })
		if i != c.wantI || k != c.wantK || (exitOf(err) == job.ExitUsage) != c.refused {
			t.Errorf("%s: %d of %d, %v", c.name, i, k, err)
		}
	}
}

// TestShardsTogether does every shard by several processes at once, and commits by several.
func TestShardsTogether(t *testing.T) {
	s := newSteps(t)
	want := s.undisturbed()
	p, err := s.plan()
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 3 {
		for i := range p.Shards {
			wait.Go(func() {
				if _, err := s.shard(p.Plan, i, 0); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	for range 3 {
		wait.Go(func() {
			if _, err := s.commit(p.Plan); err != nil && !errors.Is(err, objstore.ErrHeld) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	jobtest.SameTrees(t, "together", jobtest.Tree(t, s.out), want)
}

// TestLateShard lets a shard come to its end after the run was published by another
// attempt: nothing that is published changes, and nothing of it stays.
func TestLateShard(t *testing.T) {
	s := newSteps(t)
	want := s.undisturbed()
	p, err := s.plan()
	if err != nil {
		t.Fatal(err)
	}
	late := *s
	committed := false
	late.wrap = func(store objstore.Store) objstore.Store {
		return &atCreate{store, func() {
			if committed {
				return
			}
			committed = true
			for i := range p.Shards {
				if _, err := s.shard(p.Plan, i, 0); err != nil {
					t.Error(err)
				}
			}
			if r, err := s.commit(p.Plan); err != nil || r.Status != Published {
				t.Errorf("%+v, %v", r, err)
			}
		}}
	}
	if got, err := late.shard(p.Plan, 0, 0); err != nil || len(got.Shards) != 0 || !committed {
		t.Errorf("%+v, %v", got, err)
	}
	jobtest.SameTrees(t, "late", jobtest.Tree(t, s.out), want)
}

// atCreate calls a function when an object has been started.
type atCreate struct {
	objstore.Store
	then func()
}

func (s *atCreate) Create(ctx context.Context, name string) (objstore.Writer, error) {
	w, err := s.Store.Create(ctx, name)
	s.then()
	return w, err
}

// TestChangedInputs replaces an input after the plan, and touches one. What was replaced is
// named; what has the content it had is used.
func TestChangedInputs(t *testing.T) {
	for _, c := range []struct {
		name, file string
		more       int // files beside it
	}{{"data", "messages/month=2026-04/a.parquet", 0}, {"of many", "messages/month=2026-04/a.parquet", manyFiles}, {"control", "consent/a.parquet", 0}} {
		t.Run(c.name, func(t *testing.T) {
			s := newSteps(t)
			for i := range c.more {
				from := filepath.Join(filepath.Dir(s.config), "messages/month=2026-02/a.parquet")
				if err := os.Link(from, filepath.Join(filepath.Dir(from), fmt.Sprintf("more-%02d.parquet", i))); err != nil {
					t.Fatal(err)
				}
			}
			want := s.undisturbed()
			p, err := s.plan()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(filepath.Dir(s.config), c.file)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			write := func(data []byte) {
				if err := errors.Join(os.Remove(file), os.WriteFile(file, data, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			changed := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, objstore.ErrChanged) || !strings.Contains(err.Error(), file) || exitOf(err) != job.ExitFailed {
					t.Errorf("%s: %v", what, err)
				}
			}
			if c.name != "control" { // the control inputs are in the plan's index
				write(append(slices.Clone(data), 0))
				_, err = s.shard(p.Plan, 0, 1)
				changed("shard", err)
				write(data)
			}
			if _, err := s.shard(p.Plan, 0, 1); err != nil {
				t.Error(err)
			}
			write(append(slices.Clone(data), 0))
			_, err = s.commit(p.Plan)
			changed("commit", err)
			if _, err := os.Stat(filepath.Join(s.out, "current.json")); err == nil {
				t.Error("a run was published")
			}
			write(data)
			if _, err := s.commit(p.Plan); err != nil {
				t.Error(err)
			}
			jobtest.SameTrees(t, "the content of before", jobtest.Tree(t, s.out), want)
		})
	}
}

// TestStepsRefuseAlike has control inputs that do not join: what the steps say of them, with
// a shard for each file and the stored index, is word for word what Run says. Some have more
// near misses than are named.
func TestStepsRefuseAlike(t *testing.T) {
	many := func(between, format string) string {
		var rows []string
		for i := range 9 {
			rows = append(rows, fmt.Sprintf(format, i))
		}
		return strings.Join(rows, between)
	}
	for name, rows := range map[string]map[string]string{
		"consent": {
			"consent":  many("|", "SECRET-ACCT-%d,communications,false,2026-03-01T00:00:00Z"),
			"messages": many("||", "m%[1]d,secret-acct-%[1]d,client,contract-7,2026-04-01T00:00:00Z"),
		},
		"deletions": {
			"deletions": many("|", "secret-acct-%d  ,2026-05-01T00:00:00Z,r"),
			"messages":  many("||", "m%[1]d,secret-acct-%[1]d,client-%[1]d,contract-7,2026-04-01T00:00:00Z"),
		},
		"restrictions": {
			"restrictions": many("|", "%d,2026-02-01T00:00:00Z,"),
			"messages":     many("||", "m%[1]d,secret-acct-%[1]d,client-%[1]d,contract-%[1]d,2026-04-01T00:00:00Z"),
		},
		"registry":        {"accounts": "x|y|z"},
		"nothing alike":   {"deletions": "nobody,2026-05-01T00:00:00Z,r1"},
		"zeros":           {"restrictions": "contract-007,2026-02-01T00:00:00Z,"},
		"of two inputs":   {"deletions": "acct-2,2026-05-01T00:00:00Z,r1", "accounts": "SECRET-ACCT-1|secret-acct-2|secret-acct-3"},
		"one data prefix": {"consent": "1,communications,false,2026-03-01T00:00:00Z|2,communications,false,2026-03-01T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			config := joinJob(t, rows)
			_, want := Run(t.Context(), jobtest.NewEnv(t), Options{Config: config})
			s := &steps{t: t, config: config, sizes: tiny}
			if _, got := s.all(3); want == nil || got == nil || got.Error() != want.Error() {
				t.Errorf("the steps say\n%v\nRun says\n%v", got, want)
			}
		})
	}
}

// TestPlanHoldsNoID looks for ids in all that the steps leave for each other, and for hashes
// of ids that anybody could make, and so find the ids by trying.
func TestPlanHoldsNoID(t *testing.T) {
	s := &steps{t: t, config: joinJob(t, map[string]string{"deletions": "SECRET-ACCT-2,2026-05-01T00:00:00Z,r1"}), sizes: tiny}
	p, err := s.plan()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.shard(p.Plan, 0, 1); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, pattern := range []string{"plan.json", "index/*", "results/*"} {
		files, err := filepath.Glob(filepath.Join(p.Plan, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			seen[filepath.Base(file)] = true
			for _, id := range []string{"secret", "contract-"} {
				if bytes.Contains(bytes.ToLower(data), []byte(id)) {
					t.Errorf("%s has %q", file, id)
				}
			}
			for _, id := range []string{"secret-acct-1", "secret-acct-3", "contract-7", "contract-8", "acct-2", "2"} {
				hash := xxhash.Sum64String(id)
				if bytes.Contains(data, binary.LittleEndian.AppendUint64(nil, hash)) || bytes.Contains(data, strconv.AppendUint(nil, hash, 10)) {
					t.Errorf("%s has a hash of %q without a key", file, id)
				}
			}
		}
	}
	if len(seen) != 6 {
		t.Errorf("looked at %v", seen)
	}
}

// TestIndexIsReused plans twice: the second plan leaves the index and what a shard has done.
// An index that is damaged is an error of the shard's, one that is not there is stored again.
func TestIndexIsReused(t *testing.T) {
	s := newSteps(t)
	want := s.undisturbed()
	p, err := s.plan()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.shard(p.Plan, 0, 0); err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(p.Plan, "index", "index")
	before, err := os.Stat(index)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.plan(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(index); err != nil || !os.SameFile(before, after) {
		t.Errorf("the index was stored again: %v", err)
	}
	data, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := errors.Join(os.Remove(index), os.WriteFile(index, data, 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.shard(p.Plan, 1, 0); !errors.Is(err, sections.ErrDamaged) || !strings.Contains(err.Error(), index) {
		t.Errorf("a damaged index: %v", err)
	}
	if err := os.Remove(index); err != nil {
		t.Fatal(err)
	}
	if r, err := s.all(2); err != nil || r.Status != Published {
		t.Errorf("%+v, %v", r, err)
	}
	jobtest.SameTrees(t, "after all", jobtest.Tree(t, s.out), want)
}
