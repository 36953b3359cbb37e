package run

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"golang.org/x/sync/errgroup"

	"assent/filter"
	"assent/job/internal/consent"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// planned is a plan together with its consent index, as far as a step has it.
type planned struct {
	Plan
	digest  string           // of the plan's document, once that is kept
	index   *consent.Built   // where this process has built it
	lookup  *consent.Lookup  // by which shards decide
	listing *consent.Listing // by which commit counts
	noted   noted
	earlier *publish.Run                  // that files are taken over from, where this process has opened it
	alone   bool                          // this process does the shards and commits, too
	fresh   bool                          // of a plan that was alone from the start no shard has a result
	taken   map[int]*manifests.Footprints // see keepTaken, by data set
}

// plan finds the inputs, reads the control inputs and names the run. Where the run is
// published already it returns that instead.
func (r *runner) plan(ctx context.Context) (*planned, *published, error) {
	handed := &handovers{cfg: r.cfg, key: r.pseudonyms}
	known, err := r.known(ctx)
	if err != nil {
		return nil, nil, err
	}
	find := &source.Planner{Cfg: r.cfg, Opener: r.Opener, Log: r.Log, Limit: max(atATime, r.options.Workers), PieceBytes: r.options.shards().piece, Check: handed.check, Known: known}
	in, err := find.Inputs(ctx)
	if err == nil {
		err = r.missing(in.Datasets)
	}
	if err != nil {
		return nil, nil, err
	}
	p := &planned{Plan: Plan{
		Program: r.cfg.Program, PolicyDigest: r.cfg.Digest(), Gates: r.cfg.Gates, RequestsAsOf: schema.Unknown,
		Version: planVersion, Tool: r.Version, KeyFile: r.cfg.SubjectKeyFile, SigningFile: r.cfg.SigningKeyFile,
		Pseudonyms: r.cfg.Pseudonyms, PseudonymFile: r.cfg.PseudonymFile,
		BlockRows: cmp.Or(r.options.shards().block, source.BlockRows), Inputs: in.List(), Controls: controlsOf(in), Datasets: datasetsOf(in), Sources: sourcesOf(r.cfg),
	}, noted: r.note(in)}
	// Where the horizon is known already, so is the run's id: a repeat of a published
	// run ends before the history is read.
	named := in.AsOf != schema.Unknown
	if named {
		if done, err := r.identify(ctx, &p.Plan, in.AsOf); done != nil || err != nil {
			return nil, done, err
		}
	}
	if err := r.loadHistory(ctx, in, p); err != nil {
		return nil, nil, err
	}
	if !named {
		horizon := p.lookup.Policy().Horizon
		r.Log.Warn("the consent horizon is taken from the newest event; say inputs.consent.as_of", "horizon", horizon.String())
		if done, err := r.identify(ctx, &p.Plan, horizon); done != nil || err != nil {
			return nil, done, err
		}
	}
	return p, nil, nil
}

// fileOf pins an input file as it was found.
func fileOf(f *source.File) File {
	o := f.Object
	o.Modified = time.Time{}
	return File{Object: o, Rel: f.Rel, Identity: f.Identity, Rows: f.Rows, Pieces: f.Pieces}
}

func controlsOf(in *source.Inputs) (all []File) {
	for _, f := range in.Controls() {
		file := fileOf(f)
		file.Root = f.Store.URI("")
		all = append(all, file)
	}
	return all
}

func datasetsOf(in *source.Inputs) []Dataset {
	var all []Dataset
	for _, d := range in.Datasets {
		out := Dataset{Dataset: d.Dataset, KeepMetadata: d.KeepMetadata}
		for _, f := range d.Files {
			out.Root = f.Store.URI("")
			out.Files = append(out.Files, fileOf(f))
		}
		all = append(all, out)
	}
	return all
}

// identify fixes the horizon and the run's id, and looks whether that run is published
// or was erased.
func (r *runner) identify(ctx context.Context, p *Plan, horizon schema.Instant) (*published, error) {
	r.seen.horizon = horizon
	if err := checkHorizonAge(p.Gates, horizon, r.Now()); err != nil {
		return nil, err
	}
	p.Horizon = horizon
	p.RunID = manifests.RunID(p.PolicyDigest, horizon.Time(), p.Inputs, r.key)
	r.Log.Info("planned", "run", p.RunID, "horizon", horizon.String(), "records", p.records())
	var owner error
	var g errgroup.Group
	g.Go(func() error {
		owner = r.out.CheckOwner(ctx)
		return nil
	})
	run, digest, err := r.lookFor(ctx, p.RunID)
	if _ = g.Wait(); owner != nil {
		return nil, owner
	}
	if run == nil || err != nil {
		return nil, err
	}
	return r.found(ctx, run, digest)
}

// keepPlan writes the plan's document, unless it is there. Another plan of the same run, by
// another version of the program for example, goes with all that was staged by it.
func (r *runner) keepPlan(ctx context.Context, p *planned) error {
	data, err := p.marshal()
	if err != nil {
		return err
	}
	p.digest = manifests.SHA256(data)
	name := path.Join(planDir(p.RunID), planObject)
	for range 5 {
		if _, err := r.out.Store.Put(ctx, name, data, objstore.IfAbsent); !errors.Is(err, objstore.ErrPrecondition) {
			return err
		}
		have, _, err := r.out.Store.Read(ctx, name)
		if err == nil && bytes.Equal(have, data) {
			return nil
		}
		if err == nil {
			err = r.dropWork(ctx, p.RunID)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("%s: other jobs keep replacing it", r.out.Store.URI(name))
}

// dropWork removes a plan's document and all that was done by it, but not the index.
func (r *runner) dropWork(ctx context.Context, id string) error {
	err := r.out.Store.Delete(ctx, objstore.Object{Name: path.Join(planDir(id), planObject)})
	for _, dir := range []string{resultsDir, stagedDir, joinedDir} {
		if err == nil {
			err = r.out.Store.RemoveAll(ctx, path.Join(planDir(id), dir))
		}
	}
	return err
}

// settle makes a plan one that shards can work by: with a stored index, with what is taken over, and cut. It is kept then.
// What it opens is open until it is closed. there says that there may be something of an earlier try.
func (r *runner) settle(ctx context.Context, p *planned, there bool) error {
	if err := r.keepIndex(ctx, p, there); err != nil {
		return err
	}
	heap := p.lookup.Heap
	p.index, p.lookup, p.listing = nil, nil, nil
	consent.Free(heap) // the stored index takes the place of the one that was built
	if err := r.openLookup(ctx, p); err != nil {
		return err
	}
	if !r.options.NoReuse {
		if err := r.takeOver(ctx, p); err != nil {
			return errors.Join(err, p.close())
		}
	}
	p.Shards = cut(p.Datasets, r.options.shards())
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.keepNotes(gctx, p) })
	g.Go(func() error { return r.keepPlan(gctx, p) })
	if err := g.Wait(); err != nil {
		return errors.Join(err, p.close())
	}
	return nil
}

// close closes what is open of the index.
func (p *planned) close() (err error) {
	if p.lookup != nil {
		err = p.lookup.Close()
	}
	if p.listing != nil {
		err = errors.Join(err, p.listing.Close())
	}
	return err
}

// loadHistory reads the control inputs into the index.
func (r *runner) loadHistory(ctx context.Context, in *source.Inputs, p *planned) error {
	begin := r.Now()
	b := filter.NewBuilder()
	loader := source.Loader{Cfg: r.cfg, Sink: &indexSink{b: b, limit: r.limitBuilding}}
	if err := loader.Load(ctx, in); err != nil {
		return err
	}
	horizon, err := in.Horizon(loader.Newest)
	if err != nil {
		return err
	}
	events := b.Events()
	size := b.Size()
	r.limitBuilding(size.Index(), size.Freezing())
	x := b.Freeze(in.Policy(horizon))
	p.index = consent.New(x, r.key)
	p.lookup, p.listing = p.index.Lookup(), p.index.Listing()
	p.RequestsAsOf = loader.NewestRequest
	r.limitMemory(p.lookup.Heap)
	r.Log.Info("history loaded", "events", events, "accounts", x.Accounts(), "index_bytes", x.Size(), "took", r.Now().Sub(begin).Round(time.Millisecond).String())
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
