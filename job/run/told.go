package run

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"assent/job"
	"assent/job/internal/card"
	"assent/job/internal/config"
	"assent/job/internal/lineage"
	"assent/job/internal/metrics"
	"assent/job/internal/publish"
	"assent/manifests"
	"assent/schema"
)

// What others are told of a run while it is under way and when it ends: a monitoring system by figures, a lineage service by
// events. Neither has a say in the run: what cannot be told is logged.

// seen is what a run has come to, for those who are told.
type seen struct {
	program string
	steps   []metrics.Step
	horizon schema.Instant
	maxAge  time.Duration // the gate's limit
	gates   []manifests.Gate
	run     *manifests.Run
	reused  map[string]int64         // files, by data set
	columns map[string][]card.Column // of the published files
	shards  map[string]int64         // by what became of them
	sources Sources
	lineage *lineage.Run // nil: no one is told
}

// Told says whom to tell of a run, or of one of its steps.
type Told struct {
	MetricsFile string `placeholder:"FILE" help:"Write the figures there when it ends, however it ends, for Prometheus."`
	// Getenv is where OpenLineage's variables are; nil: nobody is told by events.
	Getenv func(string) string `kong:"-"`
}

// Sources say where a job's data comes from, as lineage names it.
type Sources struct {
	Inputs   []string          // URIs of the control inputs and the data sets
	Deciding []lineage.Source  // columns by which records are kept or left out
	Datasets map[string]string // URI of each
}

func sourcesOf(c *config.Config) Sources {
	s := Sources{Datasets: map[string]string{}}
	for _, role := range []string{"consent", "deletions", "restrictions", "accounts", "aliases", "organisations"} {
		if in := c.Control(role); in != nil {
			s.Inputs = append(s.Inputs, in.Path)
		}
	}
	for _, d := range c.Datasets {
		s.Inputs = append(s.Inputs, d.Path)
		s.Datasets[d.Name] = d.Path
	}
	add := func(path string, columns ...config.Column) {
		for _, c := range columns {
			s.Deciding = append(s.Deciding, lineage.Source{URI: path, Field: c.Path})
		}
	}
	in := &c.Inputs
	add(in.Consent.Path, in.Consent.Account, in.Consent.Category, in.Consent.State, in.Consent.EffectiveAt)
	if in.Deletions != nil {
		add(in.Deletions.Path, in.Deletions.Account)
	}
	if in.Restrictions != nil {
		add(in.Restrictions.Path, in.Restrictions.Contract)
	}
	return s
}

// timed begins a step and returns what ends it.
func (r *runner) timed(step string) (end func()) {
	begin := r.Now()
	return func() { r.seen.steps = append(r.seen.steps, metrics.Step{Name: step, Took: r.Now().Sub(begin)}) }
}

// openLineage finds out whom to tell of the run by events. id is empty where this process alone tells of it.
func (r *runner) openLineage(told Told, id string) {
	if r.options.DryRun || told.Getenv == nil {
		return
	}
	options := lineage.FromEnvironment(told.Getenv)
	if options.URL == "" && options.File == "" {
		return
	}
	var inputs []lineage.Dataset
	for _, uri := range r.seen.sources.Inputs {
		inputs = append(inputs, lineage.Dataset{URI: uri})
	}
	var err error
	r.seen.lineage, err = lineage.New(options, lineage.Job{Program: r.seen.program, Version: r.Version, Now: r.Now, Inputs: inputs, ID: id})
	r.warnUntold(err)
}

// tellStart tells that the run began.
func (r *runner) tellStart(ctx context.Context) {
	if r.seen.lineage != nil {
		r.warnUntold(r.seen.lineage.Start(ctx, r.started))
	}
}

// tellPlanned tells that a run began whose other steps are processes of their own, or that it ended with its plan.
func (r *runner) tellPlanned(ctx context.Context, p *Planned, failure error) {
	id := ""
	goesOn := failure == nil && p.Status == PlanReady
	if goesOn {
		id = r.lineageID(p.RunID)
	}
	r.openLineage(r.options.Told, id)
	r.tellStart(ctx)
	if !goesOn {
		r.tellEnd(ctx, failure)
	}
}

// lineageID is the id by which the steps of a run tell of it, each in a process of its own.
func (r *runner) lineageID(runID string) string {
	return lineage.RunID(r.out.Store.URI(publish.RunDir(runID)))
}

func (r *runner) warnUntold(err error) {
	if err != nil {
		r.Log.Warn("the lineage service was not told of the run", "error", err)
	}
}

// tellEnd tells how a run ended.
func (r *runner) tellEnd(ctx context.Context, failure error) {
	switch l := r.seen.lineage; {
	case l == nil:
	case failure != nil:
		r.warnUntold(l.Fail(ctx, failure))
	default:
		r.warnUntold(l.Complete(ctx, r.outputs()))
	}
}

// outputs are the data sets of the published run.
func (r *runner) outputs() []lineage.Dataset {
	var all []lineage.Dataset
	for _, name := range slices.Sorted(maps.Keys(r.seen.run.Datasets)) {
		d := r.seen.run.Datasets[name]
		out := lineage.Dataset{
			URI: r.out.Store.URI(publish.RunDir(r.seen.run.RunID)) + "/" + name, Version: r.seen.run.RunID,
			Rows: d.RowsKept, Files: int64(len(d.Files)), FilteredBy: r.seen.sources.Deciding,
		}
		for _, f := range d.Files {
			out.Size += f.Bytes
		}
		for _, c := range r.seen.columns[name] {
			changed := slices.ContainsFunc(d.Transforms, func(t manifests.Transform) bool { // of a column or of a part of it
				return t.Column == c.Name || strings.HasPrefix(t.Column, c.Name+".")
			})
			out.Columns = append(out.Columns, lineage.Column{Name: c.Name, Type: c.TypeName(), From: r.seen.sources.Datasets[name], Changed: changed})
		}
		all = append(all, out)
	}
	return all
}

// GateError is the failure of a run that had come to its gates.
type GateError struct {
	error
	Gates []manifests.Gate // that were evaluated, the one that failed among them
}

func (e *GateError) Unwrap() error { return e.error }

// withGates adds to a failure what the gates found.
func (r *runner) withGates(err error) error {
	if exit, _ := job.Explain(err); r == nil || exit != job.ExitRefused {
		return err
	}
	return &GateError{err, r.gatesNow(r.Now())}
}

// gatesNow returns the gates that were evaluated, with the horizon's age at an instant. The run manifest has none, as it differs
// between repeats.
func (r *runner) gatesNow(now time.Time) []manifests.Gate {
	gates := r.seen.gates
	if gates == nil && r.seen.run != nil {
		gates = r.seen.run.Gates
	}
	gates = slices.DeleteFunc(slices.Clone(gates), func(g manifests.Gate) bool { return g.Name == manifests.GateHorizonAge })
	if r.seen.horizon != schema.Unknown {
		age, limit := now.Sub(r.seen.horizon.Time()).Seconds(), r.seen.maxAge.Seconds()
		gates = append(gates, manifests.Gate{Name: manifests.GateHorizonAge, Limit: limit, Value: &age, Passed: limit == 0 || age <= limit})
	}
	return gates
}

// writeMetrics writes the figures of a run, or of one of its steps. r is nil where it could not even begin.
func (t *Told) writeMetrics(env *job.Env, m metrics.Run, started time.Time, r *runner, failure error) {
	if t.MetricsFile == "" {
		return
	}
	m.Version, m.Started, m.Finished = env.Version, started, env.Now()
	m.Exit, _ = job.Explain(failure)
	if r != nil {
		m.Program, m.Steps, m.Manifest, m.Reused, m.Shards, m.Gates = r.seen.program, r.seen.steps, r.seen.run, r.seen.reused, r.seen.shards, r.gatesNow(m.Finished)
		if r.seen.horizon != schema.Unknown {
			m.Horizon = r.seen.horizon.Time()
		}
	}
	if err := m.Write(t.MetricsFile); err != nil {
		env.Log.Warn("the metrics were not written", "file", t.MetricsFile, "error", err)
	}
}

// reused counts the files of a plan that are taken over from an earlier run.
func reused(p *Plan) map[string]int64 {
	n := map[string]int64{}
	for i := range p.Datasets {
		if reuse := p.Datasets[i].Reuse; reuse != nil {
			n[p.Datasets[i].Name] = int64(len(reuse.Result.Files))
		}
	}
	return n
}
