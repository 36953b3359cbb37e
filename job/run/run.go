// Package run is the verb run: it decides every record of a job and publishes what may
// be used. It works in three steps, each in the file of its name:
//
//	plan    inputs, their identities, the horizon, the consent index, the run's id
//	shard   for each input file: read keys → decide → rewrite → stage
//	commit  add up, check counts and gates, write the run manifest, publish
//
// What goes from step to step is plain data: a [Plan], and a [ShardResult] a shard.
//
// Words: a shard is a set of input files that one machine works on; a run in one
// process has one. Staging is a hidden place below the output where everything is
// written before commit publishes it. A dry run is plan and shard without the writing.
package run

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"time"

	"golang.org/x/sync/semaphore"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/parquet/rewrite"
	"assent/manifests"
)

// Options configure the verb run.
type Options struct {
	Config  string
	Set     []string
	DryRun  bool
	Workers int   // files at a time and CPU slots; 0: one a core
	Memory  int64 // bytes for pages in flight, beside the index; 0: job.DefaultMemory
}

// Validate completes the options and complains of what cannot be.
func (o *Options) Validate() error {
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Memory == 0 {
		o.Memory = job.DefaultMemory
	}
	switch {
	case o.Config == "":
		return job.UsageError("`assent sample --to DIR` writes one to start from", "no configuration: name it with -c")
	case o.Workers < 1 || o.Workers > 1024:
		return job.UsageError("", "--workers %d is not between 1 and 1024", o.Workers)
	case o.Memory < 16<<20:
		return job.UsageError("", "--memory must be at least 16MiB")
	}
	return nil
}

// runner is one run under way.
type runner struct {
	*job.Env
	options Options
	cfg     *config.Config
	key     *manifests.Key
	out     *publish.Output
	started time.Time
}

// published is a run that is there already.
type published struct {
	run     *manifests.Run
	current bool
}

// Run plans, filters and publishes one run.
func Run(ctx context.Context, env *job.Env, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	r := &runner{Env: env, options: o, started: env.Now()}
	var err error
	if r.cfg, err = config.Load(o.Config, o.Set); err != nil {
		return nil, err
	}
	if r.key, err = config.SubjectKey(r.cfg); err != nil {
		return nil, err
	}
	store, err := env.Opener.Open(ctx, r.cfg.Output)
	if err != nil {
		return nil, err
	}
	r.out = &publish.Output{Store: store, Program: r.cfg.Program.Name, Log: env.Log}

	plan, done, err := r.plan(ctx)
	if err != nil {
		return nil, err
	}
	if done != nil {
		if !o.DryRun {
			r.out.RemoveLeftovers(ctx, env, done.run.RunID)
		}
		return r.result(done.run, AlreadyPublished, done.current), nil
	}
	if o.DryRun {
		results, err := r.shards(ctx, plan, nil)
		if err != nil {
			return nil, err
		}
		run, _, err := r.manifest(plan, results)
		if err != nil {
			return nil, err
		}
		return r.result(run, DryRun, false), nil
	}
	return r.publish(ctx, plan)
}

// publish stages the shards' work and commits it, under the output's lease. The stage
// is gone afterwards, whatever happens.
func (r *runner) publish(ctx context.Context, plan *planned) (_ *Result, err error) {
	lease, err := objstore.Acquire(ctx, r.out.Store, publish.LeaseObject, objstore.Holder{Run: plan.RunID}, r.Lease)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	ctx = lease.Context()
	// With the lease in hand, whatever is staged was left by a run that died.
	if err := r.out.Store.RemoveAll(ctx, publish.StagingDir); err != nil {
		return nil, err
	}
	// Whoever held the lease before may have published this very run.
	if done, err := r.findPublished(ctx, plan.RunID); err != nil {
		return nil, err
	} else if done != nil {
		return r.result(done.run, AlreadyPublished, done.current), nil
	}
	defer r.removeStage(ctx)
	results, err := r.shards(ctx, plan, r.out.Store)
	if err != nil {
		return nil, job.Cause(ctx, err)
	}
	run, current, err := r.commit(ctx, lease, plan, results)
	if err != nil {
		return nil, job.Cause(ctx, err)
	}
	return r.result(run, Published, current), nil
}

// shards does the whole plan as one shard. stage is nil for a dry run.
func (r *runner) shards(ctx context.Context, plan *planned, stage objstore.Store) ([]*ShardResult, error) {
	bar := r.Progress.Start(plan.records())
	defer bar.Stop()
	s := &shard{
		Env: r.Env, plan: &plan.Plan, index: plan.index, key: r.key, stage: stage, prefix: stageOf(plan.RunID),
		workers: r.filesAtATime(), cpu: semaphore.NewWeighted(int64(r.options.Workers)), memory: rewrite.NewBudget(r.options.Memory),
		progress: bar.Add,
	}
	result, err := s.run(ctx, allFiles(&plan.Plan))
	return []*ShardResult{result}, err
}

// filesAtATime is the number of files that are worked on at a time: fewer than workers where memory is scarce, because each
// file holds keys and manifests beside the budget. The processors then share the columns of the files.
func (r *runner) filesAtATime() int {
	const scarce, file = 128 << 20, 64 << 20
	if r.options.Memory >= scarce {
		return r.options.Workers
	}
	return min(r.options.Workers, max(1, int(r.options.Memory/file)))
}

// stageOf is where a run is staged, below the output.
func stageOf(runID string) string { return path.Join(publish.StagingDir, publish.RunDir(runID)) }

// removeStage removes the stage, also where the run was interrupted: what was staged of
// people's work must not lie around.
func (r *runner) removeStage(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 8*time.Second)
	defer cancel()
	if err := r.out.Store.RemoveAll(ctx, publish.StagingDir); err != nil {
		r.Log.Warn("what was staged could not be removed; the next run will try again", "stage", r.out.Store.URI(publish.StagingDir), "error", err)
	}
}

// findPublished returns the run where it is published, and refuses one that was erased.
func (r *runner) findPublished(ctx context.Context, runID string) (*published, error) {
	run, digest, err := r.out.Published(ctx, publish.RunDir(runID))
	if err != nil {
		return nil, err
	}
	if run == nil {
		return nil, r.out.RefuseErased(ctx, runID)
	}
	done := &published{run: run}
	if !r.options.DryRun { // a run that was killed right before this step is finished by its repeat
		if done.current, err = r.out.Point(ctx, run, digest); err != nil {
			return nil, fmt.Errorf("the run is published, but %s does not name it yet: %w", r.out.Store.URI(publish.CurrentObject), err)
		}
	}
	return done, nil
}

// limitMemory asks the garbage collector to keep the process within the memory that was
// promised: the budget and the index, of which so many bytes are there. Without it the
// heap grows to twice what is in use. The collector takes a limit that cannot be kept for
// a wish: it works harder, up to half of the time, and goes beyond.
func (r *runner) limitMemory(index int64) {
	const outside = 32 << 20 // of the heap: the program's own text and stacks
	if r.LimitMemory != nil {
		r.LimitMemory(max(r.options.Memory-outside, r.options.Memory/2) + index)
	}
}
