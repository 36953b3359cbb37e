// Package run is the verb run: it decides every record of a job and publishes what may
// be used. It works in three steps, each in the file of its name:
//
//	plan    inputs, their identities, the horizon, the consent index, the run's id
//	shard   for each input file: read keys → decide → rewrite → stage
//	commit  add up, check counts and gates, write the run manifest, publish
//
// They are the verbs plan, shard and commit, each a process of its own, on as many
// machines as there are. What goes from step to step is plain data: a [Plan], and a
// [ShardResult] a shard.
//
// Words: a shard is a part of the input that is done, or done again, as a whole; which
// parts there are depends on the inputs alone. An attempt is one process's work on a
// shard. Its result says that it counts: results are made once, named by plan and shard,
// and a shard that has one is skipped. Staging is a place below the output, _plan/<id>,
// where everything is written before commit publishes it. It holds people's work, so
// commit removes it; a job that failed for good does, too; and so does a later plan, where
// it was left alone for [abandonedAfter]. A dry run is plan and shard without the writing.
package run

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"assent/job"
	"assent/job/internal/attest"
	"assent/job/internal/config"
	"assent/job/internal/consent"
	"assent/job/internal/metrics"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// Options configure the verb run.
type Options struct {
	Config  string
	Set     []string
	DryRun  bool
	NoReuse bool  // nothing is taken over from an earlier run
	Workers int   // files at a time, or more small ones, and CPU slots; 0: one a core; 1: one file after the other
	Memory  int64 // bytes for pages in flight, beside the index; 0: job.DefaultMemory

	Told

	sizes  sizes // of shards; zero: the constants
	inTurn bool  // Workers was 1
}

func (o *Options) shards() sizes {
	if o.sizes == (sizes{}) {
		return sizes{bytes: shardBytes, files: shardFiles, piece: pieceBytes}
	}
	return o.sizes
}

// Validate completes the options and complains of what cannot be.
func (o *Options) Validate() error {
	o.inTurn = o.Workers == 1
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
	options    Options
	cfg        *config.Config
	key        *manifests.Key
	pseudonyms *manifests.Key // the key that they are made by; nil where none are
	signer     *attest.Signer // of commit; nil: the run is not signed
	out        *publish.Output
	started    time.Time
	seen       seen
	current    *publish.Run // see currentRun
}

// published is a run that is there already.
type published struct {
	run     *manifests.Run
	current bool
}

// Run plans, filters and publishes one run.
func Run(ctx context.Context, env *job.Env, o Options) (result *Result, err error) {
	started := env.Now()
	r, err := newRunner(ctx, env, o)
	defer func() {
		o.writeMetrics(env, metrics.Run{}, started, r, err)
		err = r.withGates(err)
	}()
	if err != nil {
		return nil, err
	}
	r.openLineage(o.Told, "")
	r.tellStart(ctx)
	defer func() { r.tellEnd(ctx, err) }()
	return r.run(ctx)
}

func (r *runner) run(ctx context.Context) (*Result, error) {
	if _, err := config.SigningKey(r.cfg); err != nil { // rather now than after the work
		return nil, err
	}
	end := r.timed("plan")
	plan, done, err := r.plan(ctx)
	end()
	if err != nil {
		return nil, err
	}
	if done != nil {
		if !r.options.DryRun {
			r.removeLeftovers(ctx, done.run.RunID)
		}
		return r.result(done.run, AlreadyPublished, done.current), nil
	}
	if r.options.DryRun {
		plan.Shards = cut(plan.Datasets, r.options.shards())
		results, err := r.shards(ctx, plan, nil)
		if err != nil {
			return nil, err
		}
		sum, err := r.weigh(plan, results)
		if err != nil {
			return nil, err
		}
		run, _ := r.manifest(plan, sum)
		return r.result(run, DryRun, false), nil
	}
	return r.publish(ctx, plan)
}

// newRunner reads what a configuration says.
func newRunner(ctx context.Context, env *job.Env, o Options) (*runner, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	r := &runner{Env: env, options: o, started: env.Now(), seen: seen{horizon: schema.Unknown}}
	var err error
	if r.cfg, err = config.Load(o.Config, o.Set); err != nil {
		return nil, err
	}
	r.seen.program, r.seen.maxAge, r.seen.sources = r.cfg.Program.Name, r.cfg.Gates.MaxHorizonAge, sourcesOf(r.cfg)
	if r.key, err = config.SubjectKey(r.cfg); err != nil {
		return nil, err
	}
	if r.pseudonyms, err = config.PseudonymKey(r.cfg, r.key); err != nil {
		return nil, err
	}
	store, err := env.Opener.Open(ctx, r.cfg.Output)
	if err != nil {
		return nil, err
	}
	r.out = &publish.Output{Store: store, Program: r.cfg.Program.Name, Log: env.Log}
	r.limitMemory(0)
	return r, nil
}

// publish stages the shards' work and commits it, under the output's lease. What is done
// when it fails stays for the repeat, unless that would fail, too.
func (r *runner) publish(ctx context.Context, plan *planned) (_ *Result, err error) {
	lease, err := objstore.Acquire(ctx, r.out.Store, publish.LeaseObject, objstore.Holder{Run: plan.RunID}, r.Lease)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	ctx = lease.Context()
	// Whoever held the lease before may have published this very run.
	if done, err := r.findPublished(ctx, plan.RunID); err != nil {
		return nil, err
	} else if done != nil {
		r.removePlan(ctx, plan.RunID)
		return r.result(done.run, AlreadyPublished, done.current), nil
	}
	there, err := r.tidy(ctx, plan.RunID)
	if err != nil {
		return nil, err
	}
	run, current, err := r.stageAndCommit(ctx, lease, plan, there)
	if err = job.Cause(ctx, err); err == nil || hopeless(err) {
		r.removePlan(ctx, plan.RunID)
	}
	if err != nil {
		return nil, err
	}
	return r.result(run, Published, current), nil
}

// stageAndCommit does the work of a plan, of which something may be there.
func (r *runner) stageAndCommit(ctx context.Context, lease *objstore.Lease, plan *planned, there bool) (_ *manifests.Run, _ bool, err error) {
	plan.alone, plan.fresh = true, !there
	if err := r.settle(ctx, plan, there); err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, plan.close()) }()
	var listing errgroup.Group // which only commit needs
	listing.Go(func() error { return r.openListing(ctx, plan) })
	results, err := r.shards(ctx, plan, r.out.Store)
	if err := errors.Join(err, listing.Wait()); err != nil {
		return nil, false, err
	}
	consent.Free(plan.Index.Forms.Bytes) // which come into memory now, in place of what shards have held
	return r.commit(ctx, lease, plan, results)
}

// shards does all shards of the plan. stage is nil for a dry run.
func (r *runner) shards(ctx context.Context, plan *planned, stage objstore.Store) ([]*ShardResult, error) {
	defer r.timed("shard")()
	all := make([]int, len(plan.Shards))
	for i := range all {
		all[i] = i
	}
	results, _, err := r.someShards(ctx, plan, stage, all)
	return results, err
}

// someShards does shards of the plan, several at a time, and returns their results and
// which of them it has done itself.
func (r *runner) someShards(ctx context.Context, plan *planned, stage objstore.Store, shards []int) ([]*ShardResult, []int, error) {
	records := int64(0)
	for _, i := range shards {
		records += plan.rows(i)
	}
	bar := r.Progress.Start(records)
	defer bar.Stop()
	s := &sharder{
		Env: r.Env, plan: &plan.Plan, digest: plan.digest, index: plan.lookup, key: r.key, pseudonyms: r.pseudonyms, stage: stage, fresh: plan.fresh,
		workers: r.options.Workers, inTurn: r.options.inTurn, cpu: semaphore.NewWeighted(r.computing()), memory: rewrite.NewBudget(r.options.Memory / 4 * 3), // the rest is for garbage
		progress: bar.Add, earlierRun: r.openEarlierRun(ctx, plan),
	}
	if err := s.open(ctx); err != nil {
		return nil, nil, err
	}
	r.limitMemory(plan.lookup.Heap + s.buffers)
	results, there := make([]*ShardResult, len(shards)), make([]bool, len(shards))
	var counts tallies
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.shardsAtATime())
	for n, i := range shards {
		g.Go(func() (err error) {
			if results[n], there[n], err = s.do(gctx, i); err == nil {
				counts.take(results[n])
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	if len(results) > 0 {
		counts.give(results[0])
	}
	s.reused.tell(r.Log)
	done := []int{}
	for n, i := range shards {
		if !there[n] {
			done = append(done, i)
		}
	}
	return results, done, nil
}

// computing is how many goroutines compute at a time: fewer than workers where memory is scarce, because each has encoders and decoders.
func (r *runner) computing() int64 {
	const codecs = 8 << 20
	return max(1, min(int64(r.options.Workers), r.options.Memory/codecs))
}

// findPublished returns the run where it is published, and refuses one that was erased.
func (r *runner) findPublished(ctx context.Context, runID string) (*published, error) {
	run, digest, err := r.lookFor(ctx, runID)
	if run == nil || err != nil {
		return nil, err
	}
	return r.found(ctx, run, digest)
}

// lookFor returns the manifest of the run where it is published, with its digest, and refuses a run that was erased.
func (r *runner) lookFor(ctx context.Context, runID string) (run *manifests.Run, digest string, err error) {
	var erased error
	var g errgroup.Group
	g.Go(func() error {
		erased = r.out.RefuseErased(ctx, runID)
		return nil
	})
	run, digest, err = r.out.Published(ctx, publish.RunDir(runID))
	if _ = g.Wait(); err == nil && run == nil {
		err = erased
	}
	return run, digest, err
}

// found finishes a run that is published: one that was killed right before its last step is not the current one yet.
func (r *runner) found(ctx context.Context, run *manifests.Run, digest string) (_ *published, err error) {
	done := &published{run: run}
	if !r.options.DryRun {
		if done.current, err = r.out.Point(ctx, run, digest); err != nil {
			return nil, fmt.Errorf("the run is published, but %s does not name it yet: %w", r.out.Store.URI(publish.CurrentObject), err)
		}
	}
	return done, nil
}

// limitMemory asks the garbage collector to keep the process within the memory that was
// promised: the budget and so many bytes beside it, of the index and of storage. Without it the
// heap grows to twice what is in use. The collector takes a limit that cannot be kept for
// a wish: it works harder, up to half of the time, and goes beyond.
func (r *runner) limitMemory(beside int64) {
	if r.LimitMemory != nil {
		r.LimitMemory(r.heapBudget() + beside)
	}
}

// limitBuilding does the same while an index is built, which will take so many bytes at least, and for which so many are held. Where that
// is the larger part of the promise, there is little room for garbage. But to collect it among ids and events costs next to nothing, as
// there are no pointers in them.
func (r *runner) limitBuilding(index, held int64) {
	const reading = 40 << 20 // pages of control inputs and garbage; the runtime's own tables grow with what is held
	if r.LimitMemory != nil {
		r.LimitMemory(max(r.heapBudget()+index, held+held/32+reading))
	}
}

// heapBudget is the part of the budget that the heap may take.
func (r *runner) heapBudget() int64 {
	const outside = 32 << 20 // of the heap: the program's own text and stacks
	return max(r.options.Memory-outside, r.options.Memory/2)
}
