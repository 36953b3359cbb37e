package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/metrics"
	"assent/job/internal/objstore"
	"assent/job/internal/pages"
	"assent/job/internal/publish"
	"assent/manifests"
	"assent/schema"
)

// The three steps as verbs of their own, for schedulers that spread a run over machines.

// Planned is the answer of plan.
type Planned struct {
	Status Status `json:"status"`
	Plan   string `json:"plan,omitempty"` // URI; none where the run is published already
	Shards int    `json:"shards"`
	RunID  string `json:"run_id"`
	URI    string `json:"uri"` // of the run's directory
}

// Plan answers that the shards can be done.
const PlanReady Status = "planned"

// WriteText says where the plan is.
func (p *Planned) WriteText(w io.Writer) (err error) {
	if p.Status == AlreadyPublished {
		_, err = fmt.Fprintf(w, "already published, nothing to do: %s\n", p.URI)
		return err
	}
	_, err = fmt.Fprintf(w, "planned: %s\nshards: %s\n", p.Plan, pages.Count(int64(p.Shards)))
	return err
}

// StepPlan plans a run and keeps the plan below the output.
func StepPlan(ctx context.Context, env *job.Env, o Options) (answer *Planned, err error) {
	started := env.Now()
	r, err := newRunner(ctx, env, o)
	defer func() {
		o.writeMetrics(env, metrics.Run{Step: "plan"}, started, r, err)
		err = r.withGates(err)
	}()
	if err != nil {
		return nil, err
	}
	end := r.timed("plan")
	answer, err = r.stepPlan(ctx)
	end()
	r.tellPlanned(ctx, answer, err)
	return answer, err
}

func (r *runner) stepPlan(ctx context.Context) (_ *Planned, err error) {
	plan, done, err := r.plan(ctx)
	if err != nil {
		return nil, err
	}
	if done != nil {
		r.seen.run = done.run
		r.removeLeftovers(ctx, done.run.RunID)
		return &Planned{Status: AlreadyPublished, RunID: done.run.RunID, URI: r.out.Store.URI(publish.RunDir(done.run.RunID))}, nil
	}
	lease, err := objstore.Acquire(ctx, r.out.Store, publish.LeaseObject, objstore.Holder{Run: plan.RunID}, r.Lease)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	there, err := r.tidy(lease.Context(), plan.RunID)
	if err != nil {
		return nil, job.Cause(lease.Context(), err)
	}
	if err := r.settle(lease.Context(), plan, there); err != nil {
		return nil, job.Cause(lease.Context(), err)
	}
	if err := plan.close(); err != nil {
		return nil, err
	}
	if err := r.holdEarlier(lease.Context(), &plan.Plan); err != nil {
		return nil, job.Cause(lease.Context(), err)
	}
	r.seen.shards = map[string]int64{"planned": int64(len(plan.Shards))}
	r.seen.reused = reused(&plan.Plan)
	return &Planned{
		Status: PlanReady, Plan: r.out.Store.URI(planDir(plan.RunID)), Shards: len(plan.Shards),
		RunID: plan.RunID, URI: r.out.Store.URI(publish.RunDir(plan.RunID)),
	}, nil
}

// ShardOptions configure the verb shard.
type ShardOptions struct {
	Plan    string   `required:"" placeholder:"URI" help:"What plan has answered."`
	Index   *int     `placeholder:"I" help:"The first shard to do, from 0. Else the scheduler's variable says it (JOB_COMPLETION_INDEX, CLOUD_RUN_TASK_INDEX, BATCH_TASK_INDEX, SLURM_ARRAY_TASK_ID, AIRFLOW_MAP_INDEX)."`
	Count   *int     `placeholder:"K" help:"Do every K-th shard from there, so that K tasks do all. Else the scheduler's variable says it; without one, one shard is done."`
	Workers int      `help:"Files worked on at a time; 0: one a core." default:"0"`
	Memory  job.Size `help:"Memory for pages in flight, beside the consent index." default:"256MiB"`
	Told
}

// Sharded is the answer of shard.
type Sharded struct {
	Plan    string `json:"plan"`
	Shards  []int  `json:"shards"`  // that were done
	Skipped int    `json:"skipped"` // shards that had been done before
}

// WriteText says how many shards were done.
func (s *Sharded) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "shards done: %s\ndone before: %s\n", pages.Count(int64(len(s.Shards))), pages.Count(int64(s.Skipped)))
	return err
}

// StepShard does some shards of a plan. Where the run is published by now, there are none.
func StepShard(ctx context.Context, env *job.Env, getenv func(string) string, o ShardOptions) (_ *Sharded, err error) {
	started := env.Now()
	index, count, err := o.task(getenv)
	if err != nil {
		return nil, err
	}
	var r *runner
	defer func() {
		o.writeMetrics(env, metrics.Run{Step: "shard", Task: strconv.Itoa(index)}, started, r, err)
	}()
	options := Options{Config: o.Plan, Workers: o.Workers, Memory: int64(o.Memory)}
	r, plan, done, err := openPlan(ctx, env, o.Plan, options)
	if err != nil {
		return nil, err
	}
	if done == nil {
		defer func() { // no commit will tell of it
			if err != nil && hopeless(err) {
				r.openLineage(Told{Getenv: getenv}, r.lineageID(plan.RunID))
				r.tellEnd(ctx, err)
			}
		}()
	}
	return r.stepShard(ctx, o.Plan, plan, done, index, count)
}

func (r *runner) stepShard(ctx context.Context, uri string, plan *planned, done *published, index, count int) (_ *Sharded, err error) {
	defer r.timed("shard")()
	answer := &Sharded{Plan: strings.TrimSuffix(uri, "/"), Shards: []int{}}
	if done != nil {
		return answer, nil
	}
	var shards []int
	for i := index; i < len(plan.Shards); i += count {
		shards = append(shards, i)
		if count == 0 {
			break
		}
	}
	if len(shards) == 0 {
		return answer, nil
	}
	if err = r.openLookup(ctx, plan); err == nil {
		defer func() { err = errors.Join(err, plan.lookup.Close()) }()
		_, answer.Shards, err = r.someShards(ctx, plan, r.out.Store, shards)
	}
	if err != nil {
		// Others may have done the shards meanwhile, and published.
		if done, perr := r.findPublished(ctx, plan.RunID); done == nil || perr != nil {
			return nil, err
		}
		return &Sharded{Plan: answer.Plan, Shards: []int{}}, nil
	}
	answer.Skipped = len(shards) - len(answer.Shards)
	r.seen.shards = map[string]int64{"done": int64(len(answer.Shards)), "skipped": int64(answer.Skipped)}
	return answer, nil
}

// schedulers are the variables by which schedulers number the tasks of a job. count is
// empty where a scheduler does not say how many there are.
var schedulers = [...]struct{ index, count string }{
	{"JOB_COMPLETION_INDEX", ""},
	{"CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT"},
	{"BATCH_TASK_INDEX", "BATCH_TASK_COUNT"},
	{"AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"},
	{"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"},
	{"AIRFLOW_MAP_INDEX", ""},
}

// task says which shards are this process's: from index on every count-th one, or the one
// alone where count is 0. What the options lack is taken from the first scheduler that
// gives an index; an option for the index means that no scheduler counts.
func (o *ShardOptions) task(getenv func(string) string) (index, count int, err error) {
	number := func(option *int, variable string) (n int, given bool) {
		if option != nil {
			return *option, true
		}
		text := ""
		if variable != "" {
			text = getenv(variable)
		}
		if text == "" {
			return 0, false
		}
		n, perr := strconv.Atoi(text)
		if perr != nil {
			err = job.UsageError("", "%s=%s is not a number", variable, job.Quote(text))
		}
		return n, true
	}
	index, given := number(o.Index, "")
	count, counted := number(o.Count, "")
	for _, s := range schedulers {
		if given {
			break
		}
		if index, given = number(nil, s.index); given && !counted {
			count, counted = number(nil, s.count)
		}
	}
	switch {
	case err != nil:
		return 0, 0, err
	case !given:
		return 0, 0, job.UsageError("", "no shard is named: say --index, or let a scheduler set one of its variables (JOB_COMPLETION_INDEX, …)")
	case index < 0 || counted && (count < 1 || index >= count):
		return 0, 0, job.UsageError("number the tasks from 0; with K tasks the last one is K-1", "index %d is not one of %d tasks", index, count)
	}
	return index, count, nil
}

// CommitOptions configure the verb commit.
type CommitOptions struct {
	Plan string `required:"" placeholder:"URI" help:"What plan has answered."`
	Told
}

// StepCommit publishes the run of a plan whose shards are done.
func StepCommit(ctx context.Context, env *job.Env, o CommitOptions) (_ *Result, err error) {
	started := env.Now()
	var r *runner
	defer func() {
		o.writeMetrics(env, metrics.Run{Step: "commit"}, started, r, err)
		err = r.withGates(err)
	}()
	r, _, done, err := openPlan(ctx, env, o.Plan, Options{Config: o.Plan})
	if err != nil {
		return nil, err
	}
	_, id, err := publish.SplitPlan(o.Plan)
	if err != nil {
		return nil, err
	}
	if done != nil {
		r.removeLeftovers(ctx, id)
		return r.result(done.run, AlreadyPublished, done.current), nil
	}
	lease, err := objstore.Acquire(ctx, r.out.Store, publish.LeaseObject, objstore.Holder{Run: id}, r.Lease)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	ctx = lease.Context()
	// Whoever held the lease before may have published the run, or made another plan of it.
	r, plan, done, err := openPlan(ctx, env, o.Plan, Options{Config: o.Plan})
	if err != nil {
		return nil, err
	}
	if done != nil {
		r.removePlan(ctx, id)
		return r.result(done.run, AlreadyPublished, done.current), nil
	}
	r.openLineage(o.Told, r.lineageID(id))
	defer func() { r.tellEnd(ctx, err) }()
	run, current, err := r.commitPlan(ctx, lease, plan)
	if err = job.Cause(ctx, err); err == nil || hopeless(err) {
		r.removePlan(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	return r.result(run, Published, current), nil
}

// commitPlan commits what other processes have left of a plan.
func (r *runner) commitPlan(ctx context.Context, lease *objstore.Lease, plan *planned) (_ *manifests.Run, _ bool, err error) {
	results, err := r.results(ctx, plan)
	if err != nil {
		return nil, false, err
	}
	if err := r.openListing(ctx, plan); err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, plan.listing.Close()) }()
	return r.commit(ctx, lease, plan, results)
}

// openPlan opens a plan by its URI, or the run where that is published.
func openPlan(ctx context.Context, env *job.Env, uri string, o Options) (*runner, *planned, *published, error) {
	if err := o.Validate(); err != nil {
		return nil, nil, nil, err
	}
	output, id, err := publish.SplitPlan(uri)
	if err != nil {
		return nil, nil, nil, err
	}
	store, err := env.Opener.OpenLocation(ctx, output)
	if err != nil {
		return nil, nil, nil, err
	}
	r := &runner{Env: env, options: o, started: env.Now(), out: &publish.Output{Store: store, Log: env.Log}, seen: seen{horizon: schema.Unknown}}
	done, err := r.findPublished(ctx, id)
	if done != nil {
		r.seen.program = done.run.Program.Name
	}
	if done != nil || err != nil {
		return r, nil, done, err
	}
	p, digest, err := readPlan(ctx, store, id)
	if err != nil {
		return nil, nil, nil, err
	}
	if p == nil {
		return nil, nil, nil, job.UsageError("plan again", "no plan at %s: it was never made, or another one has followed it", uri)
	}
	r.out.Program = p.Program.Name
	r.seen.program, r.seen.horizon, r.seen.maxAge, r.seen.sources = p.Program.Name, p.Horizon, p.Gates.MaxHorizonAge, p.Sources
	if r.key, err = config.SubjectKeyOf(p.KeyFile, uri); err != nil {
		return nil, nil, nil, err
	}
	if err := p.madeFor(r.key, env.Version); err != nil {
		return nil, nil, nil, err
	}
	if p.Pseudonyms != "" {
		if r.pseudonyms, err = config.PseudonymKeyOf(p.PseudonymFile, uri, r.key); err != nil {
			return nil, nil, nil, err
		}
		if r.pseudonyms.Reference() != p.Pseudonyms {
			return nil, nil, nil, job.UsageError("the steps of a plan need one key", "%s: the key for pseudonyms is not the plan's", uri)
		}
	}
	return r, &planned{Plan: *p, digest: digest}, nil, nil
}
