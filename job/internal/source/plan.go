package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"golang.org/x/sync/errgroup"

	"assent/filter"
	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/objstore"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// Plan is what a run is about to do: every input file with its identity, the
// horizon and, following from these, the run's id. Nothing has been written yet.
type Plan struct {
	Config   *config.Config
	Horizon  schema.Instant
	RunID    string
	Digest   string // of the policy: the configuration as far as decisions depend on it
	Consent  Input
	Deletion Input // without files where not configured, as are the next two
	Restrict Input
	Accounts Input
	Datasets []*DatasetInput
}

// plannedInput are the files of one input, in their order.
type Input struct {
	Role  string // consent, deletions, restrictions, accounts; empty for a data set
	Root  string // directory of its files as configured, "" or with a slash at its end
	store objstore.Store
	Files []*File
}

// plannedFile is one input file, found and looked at.
type File struct {
	objstore.Input
	Store    objstore.Store
	Identity string
	Rows     int64
	asOf     string // file metadata assent.as_of; consent only
}

// plannedDataset is a data set with its roles settled against its files.
type DatasetInput struct {
	Input
	config.DatasetConfig
}

func (f *File) URI() string { return f.Store.URI(f.Name) }

// open opens the file as it was planned.
func (f *File) Open(ctx context.Context) (objstore.Reader, *rewrite.File, error) {
	r, err := f.Store.Open(ctx, f.Object)
	if err != nil {
		return nil, nil, err
	}
	file, err := rewrite.Open(ctx, r, r.Size(), f.URI())
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	return r, file, nil
}

// planner finds out what there is.
type Planner struct {
	Cfg    *config.Config
	Opener *objstore.Opener
	Log    *slog.Logger
	Limit  int  // concurrent look-ups
	Quick  bool // leave identities out: nothing is to be published
}

// plan resolves, opens and identifies every input file and checks that it serves.
// The horizon and the run's id are still open where the configuration leaves the
// horizon to the newest event.
func (p *Planner) Plan(ctx context.Context) (*Plan, error) {
	cfg := p.Cfg
	plan := &Plan{Config: cfg, Horizon: cfg.Consent.AsOf}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(p.Limit)
	var err error
	resolve := func(role, path string, into *Input) bool {
		if err == nil {
			*into, err = p.Resolve(gctx, role, path)
		}
		return err == nil
	}
	find := func(in *Input, check func(*rewrite.File) error) {
		for _, f := range in.Files {
			g.Go(func() error { return p.Look(gctx, in, f, check) })
		}
	}
	if resolve("consent", cfg.Consent.Path, &plan.Consent) {
		find(&plan.Consent, func(f *rewrite.File) error { _, err := BindConsent(f, &cfg.Consent); return err })
	}
	if cfg.Deletions != nil && resolve("deletions", cfg.Deletions.Path, &plan.Deletion) {
		find(&plan.Deletion, func(f *rewrite.File) error { _, err := BindDeletions(f, cfg.Deletions); return err })
	}
	if cfg.Restrictions != nil && resolve("restrictions", cfg.Restrictions.Path, &plan.Restrict) {
		find(&plan.Restrict, func(f *rewrite.File) error { _, err := BindRestrictions(f, cfg.Restrictions); return err })
	}
	if cfg.Accounts != nil && resolve("accounts", cfg.Accounts.Path, &plan.Accounts) {
		find(&plan.Accounts, func(f *rewrite.File) error { _, err := BindAccounts(f, cfg.Accounts); return err })
	}
	for i := range cfg.Datasets {
		d := &DatasetInput{DatasetConfig: cfg.Datasets[i]}
		if resolve("", d.Path, &d.Input) {
			if err = p.settle(gctx, cfg, d); err == nil {
				plan.Datasets = append(plan.Datasets, d)
				find(&d.Input, func(f *rewrite.File) error { _, err := Bind(f, &d.Dataset); return err })
			}
		}
	}
	if lookErr := g.Wait(); err == nil || errors.Is(err, context.Canceled) && lookErr != nil {
		err = lookErr
	}
	if err != nil {
		return nil, err
	}
	if plan.Horizon, err = p.horizonOf(plan); err != nil {
		return nil, err
	}
	plan.Digest = cfg.Digest()
	return plan, nil
}

func (p *Planner) Resolve(ctx context.Context, role, path string) (Input, error) {
	in, err := objstore.Resolve(ctx, p.Opener, path)
	if errors.Is(err, fs.ErrNotExist) {
		return Input{}, job.UsageError("check the path in "+p.Cfg.File, "%w", err)
	}
	if err != nil {
		return Input{}, err
	}
	// What the configured path has below the root (a file's name, a glob) is not of the root.
	below, _ := strings.CutPrefix(strings.TrimSuffix(path, "/"), strings.TrimSuffix(in.Root, "/"))
	root := strings.TrimSuffix(strings.TrimSuffix(p.Cfg.Display(path), "/"), below)
	if root = strings.TrimPrefix(root, strings.TrimPrefix(below, "/")); root != "" {
		root = strings.TrimSuffix(root, "/") + "/"
	}
	out := Input{Role: role, Root: root, store: in.Store}
	for _, f := range in.Files {
		out.Files = append(out.Files, &File{Input: f, Store: in.Store})
	}
	return out, nil
}

// look opens a file, checks its columns and takes its identity.
func (p *Planner) Look(ctx context.Context, in *Input, f *File, check func(*rewrite.File) error) error {
	r, file, err := f.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	f.Rows = file.NumRows()
	f.asOf, _ = file.KeyValue("assent.as_of")
	if err := check(file); err != nil {
		var c *ColumnError
		if errors.As(err, &c) {
			return job.UsageError(c.hint, "%s: %w", f.URI(), err)
		}
		return fmt.Errorf("%s: %w", f.URI(), err)
	}
	if p.Quick {
		return nil
	}
	f.Identity, err = f.Store.Identity(ctx, f.Object)
	return err
}

// settle leaves out what a data set maps by default and its first file lacks. A
// contract column may only be missing where no restrictions are given.
func (p *Planner) settle(ctx context.Context, cfg *config.Config, d *DatasetInput) error {
	if !d.DefaultSubjects && !d.DefaultContract {
		return nil
	}
	r, file, err := d.Files[0].Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	find := Finder{File: file}
	if d.DefaultSubjects {
		var kept []schema.Role
		for _, s := range d.Subjects {
			if find.Has(s.Column) {
				kept = append(kept, s)
			} else if d.Author == s.Name {
				d.Author = ""
			}
		}
		d.Subjects = kept
	}
	if d.DefaultContract && d.Contract != "" && !find.Has(d.Contract) {
		if cfg.Restrictions != nil {
			return d.Errorf(cfg, "contract", "there are contract restrictions, but %s has no column %q: map it, or say `contract: \"\"`", d.Files[0].URI(), d.Contract)
		}
		d.Contract = ""
	}
	return nil
}

// horizonOf is the configured horizon, else the earliest one that the consent
// files name; schema.Unknown leaves it to the newest event.
func (p *Planner) horizonOf(plan *Plan) (schema.Instant, error) {
	least := schema.Unknown
	for _, f := range plan.Consent.Files {
		if f.asOf == "" {
			return plan.Horizon, nil
		}
		t, err := config.ParseInstant(f.asOf)
		if err != nil {
			return 0, job.BadInput("it is an instant such as 2026-01-05T00:00:00Z", "%s: file metadata assent.as_of: %q is no instant", f.URI(), f.asOf)
		}
		if least == schema.Unknown || t < least {
			least = t
		}
	}
	if plan.Horizon == schema.Unknown {
		return least, nil
	}
	if plan.Horizon > least {
		p.Log.Warn("inputs.consent.as_of is later than the consent snapshot says it is complete", "as_of", plan.Horizon.String(), "snapshot", least.String())
	}
	return plan.Horizon, nil
}

// setHorizon fixes the horizon and with it the run's id.
func (p *Plan) SetHorizon(h schema.Instant, key *manifests.Key) {
	p.Horizon = h
	p.RunID = manifests.RunID(p.Digest, h.Time(), p.Inputs(), key)
}

// inputs lists every input file as the run manifest has it.
func (p *Plan) Inputs() (list []manifests.Input) {
	add := func(dataset string, in *Input) {
		for _, f := range in.Files {
			list = append(list, manifests.Input{Role: in.Role, Dataset: dataset, Path: in.Root + f.Rel, Bytes: f.Size, Identity: f.Identity, Rows: f.Rows})
		}
	}
	for _, in := range []*Input{&p.Consent, &p.Deletion, &p.Restrict, &p.Accounts} {
		add("", in)
	}
	for _, d := range p.Datasets {
		add(d.Name, &d.Input)
	}
	return list
}

// rows returns the number of records in all data sets.
func (p *Plan) Rows() (n int64) {
	for _, d := range p.Datasets {
		for _, f := range d.Files {
			n += f.Rows
		}
	}
	return n
}

// horizon is the plan's, or that of the newest event where the plan leaves it open.
func (p *Plan) HorizonOr(newest schema.Instant) (schema.Instant, error) {
	if p.Horizon != schema.Unknown {
		return p.Horizon, nil
	}
	if newest == schema.Unknown || newest == schema.Forever {
		return 0, job.UsageError("say inputs.consent.as_of: up to when the consent history is complete",
			"%s: the consent horizon is not known: neither the configuration nor the files name it, and there is no newest event to take for it", p.Config.File)
	}
	return newest, nil
}

// policy returns the programme's rules for a horizon.
func (p *Plan) Policy(horizon schema.Instant) filter.Policy {
	return filter.Policy{Start: p.Config.Program.StartsAt, Horizon: horizon, Default: p.Config.Program.Default}
}
