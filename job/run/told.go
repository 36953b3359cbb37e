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
	steps   []metrics.Step
	horizon schema.Instant
	gates   []manifests.Gate
	run     *manifests.Run
	reused  map[string]int64         // files, by data set
	columns map[string][]card.Column // of the published files
	lineage *lineage.Run             // nil: no one is told
}

// timed begins a step and returns what ends it.
func (r *runner) timed(step string) (end func()) {
	begin := r.Now()
	return func() { r.seen.steps = append(r.seen.steps, metrics.Step{Name: step, Took: r.Now().Sub(begin)}) }
}

// tellStart tells that a run starts.
func (r *runner) tellStart(ctx context.Context) {
	if r.options.DryRun || r.options.Getenv == nil {
		return
	}
	options := lineage.FromEnvironment(r.options.Getenv)
	if options.URL == "" && options.File == "" {
		return
	}
	var inputs []lineage.Dataset
	for _, role := range []string{"consent", "deletions", "restrictions", "accounts", "aliases", "organisations"} {
		if in := r.cfg.Control(role); in != nil {
			inputs = append(inputs, lineage.Dataset{URI: in.Path})
		}
	}
	for _, d := range r.cfg.Datasets {
		inputs = append(inputs, lineage.Dataset{URI: d.Path})
	}
	var err error
	r.seen.lineage, err = lineage.Start(ctx, options, r.cfg.Program.Name, r.Version, r.Now, inputs)
	r.warnUntold(err)
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
	in := &r.cfg.Inputs
	deciding := []lineage.Source{}
	add := func(path string, columns ...config.Column) {
		for _, c := range columns {
			deciding = append(deciding, lineage.Source{URI: path, Field: c.Path})
		}
	}
	add(in.Consent.Path, in.Consent.Account, in.Consent.Category, in.Consent.State, in.Consent.EffectiveAt)
	if in.Deletions != nil {
		add(in.Deletions.Path, in.Deletions.Account)
	}
	if in.Restrictions != nil {
		add(in.Restrictions.Path, in.Restrictions.Contract)
	}
	var all []lineage.Dataset
	for _, name := range slices.Sorted(maps.Keys(r.seen.run.Datasets)) {
		d := r.seen.run.Datasets[name]
		out := lineage.Dataset{
			URI: r.out.Store.URI(publish.RunDir(r.seen.run.RunID)) + "/" + name, Version: r.seen.run.RunID,
			Rows: d.RowsKept, Files: int64(len(d.Files)), FilteredBy: deciding,
		}
		for _, f := range d.Files {
			out.Size += f.Bytes
		}
		i := slices.IndexFunc(r.cfg.Datasets, func(c config.DatasetConfig) bool { return c.Name == name })
		for _, c := range r.seen.columns[name] {
			changed := slices.ContainsFunc(d.Transforms, func(t manifests.Transform) bool { // of a column or of a part of it
				return t.Column == c.Name || strings.HasPrefix(t.Column, c.Name+".")
			})
			out.Columns = append(out.Columns, lineage.Column{Name: c.Name, Type: c.TypeName(), From: r.cfg.Datasets[i].Path, Changed: changed})
		}
		all = append(all, out)
	}
	return all
}

// writeMetrics writes the figures of a run, of which r is nil where the configuration could not be read.
func writeMetrics(env *job.Env, file string, started time.Time, r *runner, failure error) {
	m := &metrics.Run{Version: env.Version, Started: started, Finished: env.Now()}
	m.Exit, _ = job.Explain(failure)
	if r != nil {
		m.Program, m.Steps, m.Gates, m.Manifest, m.Reused = r.cfg.Program.Name, r.seen.steps, r.seen.gates, r.seen.run, r.seen.reused
		if m.Gates == nil && m.Manifest != nil {
			m.Gates = m.Manifest.Gates
		}
		m.Gates = slices.DeleteFunc(slices.Clone(m.Gates), func(g manifests.Gate) bool { return g.Name == manifests.GateHorizonAge })
		if r.seen.horizon != schema.Unknown {
			m.Horizon = r.seen.horizon.Time()
			age, limit := m.Finished.Sub(m.Horizon).Seconds(), r.cfg.Gates.MaxHorizonAge.Seconds()
			m.Gates = append(m.Gates, manifests.Gate{Name: manifests.GateHorizonAge, Limit: limit, Value: &age, Passed: limit == 0 || age <= limit})
		}
	}
	if err := m.Write(file); err != nil {
		env.Log.Warn("the metrics were not written", "file", file, "error", err)
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
