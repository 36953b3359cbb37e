package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sync/semaphore"

	"assent/filter"
	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// RunOptions configure the verb run.
type Options struct {
	Config  string
	Set     []string
	DryRun  bool
	Workers int   // files at a time and CPU slots; 0: one a core
	Memory  int64 // bytes for pages in flight, beside the index; 0: DefaultMemory
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

// Status says how a run ended.
type Status string

// The ways in which run ends without an error.
const (
	Published        Status = "published"
	AlreadyPublished Status = "already_published"
	DryRun           Status = "dry_run"
)

// RunResult is the answer of run.
type Result struct {
	Status   Status                   `json:"status"`
	RunID    string                   `json:"run_id"`
	URI      string                   `json:"uri"` // of the run's directory
	Current  bool                     `json:"current"`
	Horizon  time.Time                `json:"consent_as_of"`
	Datasets map[string]DatasetCounts `json:"datasets"`
	order    []string
}

// DatasetCounts are a data set's figures.
type DatasetCounts struct {
	RowsIn           int64                  `json:"rows_in"`
	RowsKept         int64                  `json:"rows_kept"`
	RowsExcluded     int64                  `json:"rows_excluded"`
	ExcludedByReason manifests.ReasonCounts `json:"excluded_by_reason"`
}

// Run plans, filters and publishes one run.
func Run(ctx context.Context, e *job.Env, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	started := e.Now()
	cfg, err := config.Load(o.Config, o.Set)
	if err != nil {
		return nil, err
	}
	key, err := config.SubjectKey(cfg)
	if err != nil {
		return nil, err
	}
	planner := &source.Planner{Cfg: cfg, Opener: e.Opener, Log: e.Log, Limit: max(4, o.Workers)}
	plan, err := planner.Plan(ctx)
	if err != nil {
		return nil, err
	}
	store, err := e.Opener.Open(ctx, cfg.Output)
	if err != nil {
		return nil, err
	}
	r := &running{Env: e, o: o, cfg: cfg, key: key, plan: plan, started: started,
		out: &publish.Output{Store: store, Program: cfg.Program.Name, Log: e.Log}}
	return r.run(ctx)
}

// running is one run under way.
type running struct {
	*job.Env
	o       Options
	cfg     *config.Config
	key     *manifests.Key
	plan    *source.Plan
	out     *publish.Output
	started time.Time
	loader  source.Loader
}

func (r *running) run(ctx context.Context) (*Result, error) {
	// Where the horizon is known already, so is the run's id: a repeat of a
	// published run ends before the history is read.
	if r.plan.Horizon != schema.Unknown {
		if result, err := r.identify(ctx, r.plan.Horizon); result != nil || err != nil {
			return result, err
		}
	}
	index, err := r.load(ctx)
	if err != nil {
		return nil, err
	}
	if r.plan.RunID == "" {
		if result, err := r.identify(ctx, index.Policy().Horizon); result != nil || err != nil {
			return result, err
		}
	}
	if r.o.DryRun {
		out, gates, err := r.filter(ctx, index, nil)
		if err != nil {
			return nil, err
		}
		return r.result(r.manifest(out, gates), DryRun, false), nil
	}
	return r.publish(ctx, index)
}

// identify fixes the horizon and the run's id, and ends the matter where that run
// is published.
func (r *running) identify(ctx context.Context, horizon schema.Instant) (*Result, error) {
	if err := checkHorizonAge(r.cfg.Gates, horizon, r.Now()); err != nil {
		return nil, err
	}
	r.plan.SetHorizon(horizon, r.key)
	r.Log.Info("planned", "run", r.plan.RunID, "horizon", horizon.String(), "records", r.plan.Rows())
	if err := r.out.CheckOwner(ctx); err != nil {
		return nil, err
	}
	return r.standing(ctx)
}

// standing ends the matter where the run is published, or was erased.
func (r *running) standing(ctx context.Context) (*Result, error) {
	run, digest, err := r.out.Published(ctx, publish.RunDir(r.plan.RunID))
	if err != nil {
		return nil, err
	}
	if run == nil {
		return nil, r.out.RefuseErased(ctx, r.plan.RunID)
	}
	current := false
	if !r.o.DryRun { // a run that ended right before this step is finished by its repeat
		if current, err = r.out.Point(ctx, run, digest); err != nil {
			return nil, err
		}
	}
	return r.result(run, AlreadyPublished, current), nil
}

// load builds the index.
func (r *running) load(ctx context.Context) (*filter.Index, error) {
	b := filter.NewBuilder()
	r.loader = source.Loader{Cfg: r.cfg, Sink: &indexSink{b: b}}
	begin := r.Now()
	if err := r.loader.Load(ctx, r.plan); err != nil {
		return nil, err
	}
	horizon, err := r.plan.HorizonOr(r.loader.Newest)
	if err != nil {
		return nil, err
	}
	if r.plan.Horizon == schema.Unknown {
		r.Log.Warn("the consent horizon is taken from the newest event; say inputs.consent.as_of", "horizon", horizon.String())
	}
	events := b.Events()
	index := b.Freeze(r.plan.Policy(horizon))
	limitHeap(r.o.Memory, index.Size())
	r.Log.Info("history loaded", "events", events, "accounts", index.Accounts(), "index_bytes", index.Size(), "took", r.Now().Sub(begin).Round(time.Millisecond).String())
	return index, nil
}

// limitHeap asks the garbage collector to keep the process within the memory that was
// promised: the budget and the index. Without it the heap grows to twice what is in
// use. A limit from the environment (GOMEMLIMIT) stands. What lives beside the pages
// (the manifests' buffers, mostly) does not shrink with the budget, so neither does
// the limit below its least.
func limitHeap(budget, index int64) {
	const (
		least   = 192 << 20
		outside = 32 << 20 // of the heap: the program's own text and stacks
	)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(max(budget, least) - outside + index)
	}
}

// filter works through all files and checks the gates.
func (r *running) filter(ctx context.Context, index *filter.Index, stage objstore.Store) (*outcome, []manifests.Gate, error) {
	s := &shard{
		plan: r.plan, index: index, key: r.key, stage: stage, prefix: path.Join(publish.StagingDir, publish.RunDir(r.plan.RunID)), version: r.Version,
		workers: r.o.Workers, cpu: semaphore.NewWeighted(int64(r.o.Workers)), memory: rewrite.NewBudget(r.o.Memory),
	}
	bar := r.Progress.Start(r.plan.Rows())
	defer bar.Stop()
	s.report = bar.Add
	out, err := s.run(ctx)
	if err != nil {
		return nil, nil, err
	}
	gates, err := checkGates(r.cfg.Gates, out)
	return out, gates, err
}

func (r *running) manifest(out *outcome, gates []manifests.Gate) *manifests.Run {
	return manifest(r.plan, out, gates, r.loader.NewestRequest, r.Version, r.started, r.o.Workers)
}

// publish filters into the stage and promotes it, under the output's lease. The
// stage is gone afterwards, whatever happens.
func (r *running) publish(ctx context.Context, index *filter.Index) (_ *Result, err error) {
	lease, err := objstore.Acquire(ctx, r.out.Store, publish.LeaseObject, objstore.Holder{Run: r.plan.RunID}, r.Lease)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	ctx = lease.Context()
	// Whoever held the lease before may have published this very run.
	if result, err := r.standing(ctx); result != nil || err != nil {
		return result, err
	}
	// With the lease in hand, whatever is staged was left by a run that died.
	if err := r.out.Store.RemoveAll(ctx, publish.StagingDir); err != nil {
		return nil, err
	}
	defer r.clean(ctx)
	out, gates, err := r.filter(ctx, index, r.out.Store)
	if err != nil {
		return nil, job.Cause(ctx, err)
	}
	run := r.manifest(out, gates)
	if err := lease.Confirm(ctx); err != nil {
		return nil, err
	}
	digest, err := commit(ctx, r.out, run, out.daily(), path.Join(publish.StagingDir, publish.RunDir(r.plan.RunID)))
	if err != nil {
		return nil, job.Cause(ctx, err)
	}
	current, err := r.out.Point(ctx, run, digest)
	if err != nil {
		return nil, fmt.Errorf("the run is published, but %s does not name it yet: %w", r.out.Store.URI(publish.CurrentObject), job.Cause(ctx, err))
	}
	r.Log.Info("published", "run", run.RunID, "current", current)
	return r.result(run, Published, current), nil
}

// clean removes the stage, also where the run was interrupted: what was staged of
// people's work must not lie around.
func (r *running) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 8*time.Second)
	defer cancel()
	if rmErr := r.out.Store.RemoveAll(ctx, publish.StagingDir); rmErr != nil {
		r.Log.Warn("what was staged could not be removed; the next run will try again", "stage", r.out.Store.URI(publish.StagingDir), "error", rmErr)
	}
}

func (r *running) result(run *manifests.Run, status Status, current bool) *Result {
	out := &Result{
		Status: status, RunID: run.RunID, URI: r.out.Store.URI(publish.RunDir(run.RunID)), Current: current,
		Horizon: run.ConsentAsOf, Datasets: map[string]DatasetCounts{},
	}
	for _, d := range r.cfg.Datasets {
		out.order = append(out.order, d.Name)
	}
	for name, d := range run.Datasets {
		out.Datasets[name] = DatasetCounts{d.RowsIn, d.RowsKept, d.RowsExcluded, d.ExcludedByReason}
	}
	return out
}
