package run

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"golang.org/x/sync/semaphore"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/jobtest"
	"assent/job/parquet/rewrite"
)

// throughJSON returns a copy of v that has been written and read.
func throughJSON[T any](t *testing.T, v *T) *T {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	copied := new(T)
	if err := json.Unmarshal(data, copied); err != nil {
		t.Fatal(err)
	}
	return copied
}

// TestStepsArePlainData takes a run's steps one by one, with a shard for each file and
// with everything between the steps written as JSON and read again. What is published is
// the same as by one call of Run.
func TestStepsArePlainData(t *testing.T) {
	config := jobtest.TinyJob(t)
	out := filepath.Join(t.TempDir(), "out")
	byShards(t, jobtest.NewEnv(t), Options{Config: config, Set: []string{"output=" + out}})
	if _, err := Run(t.Context(), jobtest.NewEnv(t), Options{Config: config}); err != nil {
		t.Fatal(err)
	}
	jobtest.SameTrees(t, "by shards", jobtest.Tree(t, out), jobtest.Tree(t, filepath.Join(filepath.Dir(config), "out")))
}

func byShards(t *testing.T, env *job.Env, o Options) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(o.Validate())
	r := &runner{Env: env, options: o, started: env.Now()}
	var err error
	r.cfg, err = config.Load(o.Config, o.Set)
	must(err)
	r.key, err = config.SubjectKey(r.cfg)
	must(err)
	store, err := env.Opener.Open(ctx, r.cfg.Output)
	must(err)
	r.out = &publish.Output{Store: store, Program: r.cfg.Program.Name, Log: env.Log}
	p, _, err := r.plan(ctx)
	must(err)
	plan := &planned{Plan: *throughJSON(t, &p.Plan), index: p.index}
	lease, err := objstore.Acquire(ctx, store, publish.LeaseObject, objstore.Holder{Run: plan.RunID}, env.Lease)
	must(err)
	var results []*ShardResult
	for _, f := range allFiles(&plan.Plan) {
		s := &shard{Env: env, plan: &plan.Plan, index: p.index, key: r.key, stage: store, prefix: stageOf(plan.RunID), workers: 1,
			cpu: semaphore.NewWeighted(1), memory: rewrite.NewBudget(job.DefaultMemory), progress: func(int64) {}}
		result, err := s.run(ctx, []fileOf{f})
		must(err)
		results = append(results, throughJSON(t, result))
	}
	if len(results) < 2 {
		t.Fatal("one shard only")
	}
	if _, _, err := r.manifest(plan, results[1:]); err == nil {
		t.Error("a shard is missing, and its files were not missed")
	}
	if _, _, err := r.manifest(plan, append(results[:1:1], results...)); err == nil {
		t.Error("a shard that counts twice was not found")
	}
	_, _, err = r.commit(ctx, lease, plan, results)
	must(err)
	must(store.RemoveAll(ctx, publish.StagingDir))
	must(lease.Release())
}
