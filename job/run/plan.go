package run

import (
	"context"
	"time"

	"assent/filter"
	"assent/job/internal/config"
	"assent/job/internal/objstore"
	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// Plan is the first step's result: what the run reads, under which rules, and what it
// is called. It is plain data, so that other machines can take the next steps by it.
type Plan struct {
	RunID        string
	Program      config.Program
	PolicyDigest string
	Gates        config.Gates
	Horizon      schema.Instant
	RequestsAsOf schema.Instant    // the newest deletion request; schema.Unknown without a ledger
	Inputs       []manifests.Input // every file, control inputs first, then data sets
	Datasets     []Dataset
}

// Dataset is a data set as the plan has settled it against its files.
type Dataset struct {
	schema.Dataset
	Root         string // URI of the store that its files are in
	Files        []File
	KeepMetadata []string // keys of the files' metadata to keep although they may hold values
}

// File is one input file of a data set.
type File struct {
	Object objstore.Object // as it was found, below the data set's Root
	Rel    string          // path below the data set's root; the output has the same
	Rows   int64
}

// planned is a plan together with the index that its shards decide by.
type planned struct {
	Plan
	index *filter.Index
}

// plan finds the inputs, reads the control inputs and names the run. Where the run is
// published already it returns that instead.
func (r *runner) plan(ctx context.Context) (*planned, *published, error) {
	find := &source.Planner{Cfg: r.cfg, Opener: r.Opener, Log: r.Log, Limit: max(4, r.options.Workers)}
	in, err := find.Inputs(ctx)
	if err != nil {
		return nil, nil, err
	}
	p := &planned{Plan: Plan{
		Program: r.cfg.Program, PolicyDigest: r.cfg.Digest(), Gates: r.cfg.Gates, RequestsAsOf: schema.Unknown,
		Inputs: in.List(), Datasets: datasetsOf(in),
	}}
	// Where the horizon is known already, so is the run's id: a repeat of a published
	// run ends before the history is read.
	known := in.AsOf != schema.Unknown
	if known {
		if done, err := r.identify(ctx, &p.Plan, in.AsOf); done != nil || err != nil {
			return nil, done, err
		}
	}
	if err := r.loadHistory(ctx, in, p); err != nil {
		return nil, nil, err
	}
	if !known {
		horizon := p.index.Policy().Horizon
		r.Log.Warn("the consent horizon is taken from the newest event; say inputs.consent.as_of", "horizon", horizon.String())
		if done, err := r.identify(ctx, &p.Plan, horizon); done != nil || err != nil {
			return nil, done, err
		}
	}
	return p, nil, nil
}

func datasetsOf(in *source.Inputs) []Dataset {
	var all []Dataset
	for _, d := range in.Datasets {
		out := Dataset{Dataset: d.Dataset, KeepMetadata: d.KeepMetadata}
		for _, f := range d.Files {
			out.Root = f.Store.URI("")
			out.Files = append(out.Files, File{f.Object, f.Rel, f.Rows})
		}
		all = append(all, out)
	}
	return all
}

// identify fixes the horizon and the run's id, and looks whether that run is published
// or was erased.
func (r *runner) identify(ctx context.Context, p *Plan, horizon schema.Instant) (*published, error) {
	if err := checkHorizonAge(p.Gates, horizon, r.Now()); err != nil {
		return nil, err
	}
	p.Horizon = horizon
	p.RunID = manifests.RunID(p.PolicyDigest, horizon.Time(), p.Inputs, r.key)
	r.Log.Info("planned", "run", p.RunID, "horizon", horizon.String(), "records", p.records())
	if err := r.out.CheckOwner(ctx); err != nil {
		return nil, err
	}
	return r.findPublished(ctx, p.RunID)
}

// loadHistory reads the control inputs into the index.
func (r *runner) loadHistory(ctx context.Context, in *source.Inputs, p *planned) error {
	begin := r.Now()
	b := filter.NewBuilder()
	loader := source.Loader{Cfg: r.cfg, Sink: &indexSink{b: b, limit: r.limitMemory}}
	if err := loader.Load(ctx, in); err != nil {
		return err
	}
	horizon, err := in.Horizon(loader.Newest)
	if err != nil {
		return err
	}
	events := b.Events()
	r.limitMemory(b.Size())
	p.index = b.Freeze(in.Policy(horizon))
	p.RequestsAsOf = loader.NewestRequest
	r.limitMemory(p.index.Size())
	r.Log.Info("history loaded", "events", events, "accounts", p.index.Accounts(), "index_bytes", p.index.Size(), "took", r.Now().Sub(begin).Round(time.Millisecond).String())
	return nil
}

// records returns the number of records in all data sets.
func (p *Plan) records() (n int64) {
	for _, d := range p.Datasets {
		for _, f := range d.Files {
			n += f.Rows
		}
	}
	return n
}
