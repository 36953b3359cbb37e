package job

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"golang.org/x/sync/errgroup"

	"assent/filter"
	"assent/job/internal/objstore"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// Plan is what a run is about to do: every input file with its identity, the
// horizon and, following from these, the run's id. Nothing has been written yet.
type Plan struct {
	Config   *Config
	Horizon  schema.Instant
	RunID    string
	Digest   string // of the policy: the configuration as far as decisions depend on it
	Consent  plannedInput
	Deletion plannedInput // without files where not configured, as are the next two
	Restrict plannedInput
	Accounts plannedInput
	Datasets []*plannedDataset
}

// plannedInput are the files of one input, in their order.
type plannedInput struct {
	role  string // consent, deletions, restrictions, accounts; empty for a data set
	root  string // directory of its files as configured, "" or with a slash at its end
	store objstore.Store
	files []*plannedFile
}

// plannedFile is one input file, found and looked at.
type plannedFile struct {
	objstore.Input
	store    objstore.Store
	identity string
	rows     int64
	asOf     string // file metadata assent.as_of; consent only
}

// plannedDataset is a data set with its roles settled against its files.
type plannedDataset struct {
	plannedInput
	DatasetConfig
}

func (f *plannedFile) uri() string { return f.store.URI(f.Name) }

// open opens the file as it was planned.
func (f *plannedFile) open(ctx context.Context) (objstore.Reader, *rewrite.File, error) {
	r, err := f.store.Open(ctx, f.Object)
	if err != nil {
		return nil, nil, err
	}
	file, err := rewrite.Open(ctx, r, r.Size(), f.uri())
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	return r, file, nil
}

// planner finds out what there is.
type planner struct {
	cfg    *Config
	opener *objstore.Opener
	log    *slog.Logger
	limit  int  // concurrent look-ups
	quick  bool // leave identities out: nothing is to be published
}

// plan resolves, opens and identifies every input file and checks that it serves.
// The horizon and the run's id are still open where the configuration leaves the
// horizon to the newest event.
func (p *planner) plan(ctx context.Context) (*Plan, error) {
	cfg := p.cfg
	plan := &Plan{Config: cfg, Horizon: cfg.Consent.AsOf}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(p.limit)
	var err error
	resolve := func(role, path string, into *plannedInput) bool {
		if err == nil {
			*into, err = p.resolve(gctx, role, path)
		}
		return err == nil
	}
	find := func(in *plannedInput, check func(*rewrite.File) error) {
		for _, f := range in.files {
			g.Go(func() error { return p.look(gctx, in, f, check) })
		}
	}
	if resolve("consent", cfg.Consent.Path, &plan.Consent) {
		find(&plan.Consent, func(f *rewrite.File) error { _, err := bindConsent(f, &cfg.Consent); return err })
	}
	if cfg.Deletions != nil && resolve("deletions", cfg.Deletions.Path, &plan.Deletion) {
		find(&plan.Deletion, func(f *rewrite.File) error { _, err := bindDeletions(f, cfg.Deletions); return err })
	}
	if cfg.Restrictions != nil && resolve("restrictions", cfg.Restrictions.Path, &plan.Restrict) {
		find(&plan.Restrict, func(f *rewrite.File) error { _, err := bindRestrictions(f, cfg.Restrictions); return err })
	}
	if cfg.Accounts != nil && resolve("accounts", cfg.Accounts.Path, &plan.Accounts) {
		find(&plan.Accounts, func(f *rewrite.File) error { _, err := bindAccounts(f, cfg.Accounts); return err })
	}
	for i := range cfg.Datasets {
		d := &plannedDataset{DatasetConfig: cfg.Datasets[i]}
		if resolve("", d.Path, &d.plannedInput) {
			if err = p.settle(gctx, cfg, d); err == nil {
				plan.Datasets = append(plan.Datasets, d)
				find(&d.plannedInput, func(f *rewrite.File) error { _, err := bind(f, &d.Dataset); return err })
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
	plan.Digest = cfg.policyDigest()
	return plan, nil
}

func (p *planner) resolve(ctx context.Context, role, path string) (plannedInput, error) {
	in, err := objstore.Resolve(ctx, p.opener, path)
	if errors.Is(err, fs.ErrNotExist) {
		return plannedInput{}, usageError("check the path in "+p.cfg.File, "%w", err)
	}
	if err != nil {
		return plannedInput{}, err
	}
	// What the configured path has below the root (a file's name, a glob) is not of the root.
	below, _ := strings.CutPrefix(strings.TrimSuffix(path, "/"), strings.TrimSuffix(in.Root, "/"))
	root := strings.TrimSuffix(strings.TrimSuffix(p.cfg.display(path), "/"), below)
	if root = strings.TrimPrefix(root, strings.TrimPrefix(below, "/")); root != "" {
		root = strings.TrimSuffix(root, "/") + "/"
	}
	out := plannedInput{role: role, root: root, store: in.Store}
	for _, f := range in.Files {
		out.files = append(out.files, &plannedFile{Input: f, store: in.Store})
	}
	return out, nil
}

// look opens a file, checks its columns and takes its identity.
func (p *planner) look(ctx context.Context, in *plannedInput, f *plannedFile, check func(*rewrite.File) error) error {
	r, file, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	f.rows = file.NumRows()
	f.asOf, _ = file.KeyValue("assent.as_of")
	if err := check(file); err != nil {
		var c *columnError
		if errors.As(err, &c) {
			return usageError(c.hint, "%s: %w", f.uri(), err)
		}
		return fmt.Errorf("%s: %w", f.uri(), err)
	}
	if p.quick {
		return nil
	}
	f.identity, err = f.store.Identity(ctx, f.Object)
	return err
}

// settle leaves out what a data set maps by default and its first file lacks. A
// contract column may only be missing where no restrictions are given.
func (p *planner) settle(ctx context.Context, cfg *Config, d *plannedDataset) error {
	if !d.defaultSubjects && !d.defaultContract {
		return nil
	}
	r, file, err := d.files[0].open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	find := finder{file: file}
	if d.defaultSubjects {
		var kept []schema.Role
		for _, s := range d.Subjects {
			if find.has(s.Column) {
				kept = append(kept, s)
			} else if d.Author == s.Name {
				d.Author = ""
			}
		}
		d.Subjects = kept
	}
	if d.defaultContract && d.Contract != "" && !find.has(d.Contract) {
		if cfg.Restrictions != nil {
			return d.errorf(cfg, "contract", "there are contract restrictions, but %s has no column %q: map it, or say `contract: \"\"`", d.files[0].uri(), d.Contract)
		}
		d.Contract = ""
	}
	return nil
}

// horizonOf is the configured horizon, else the earliest one that the consent
// files name; schema.Unknown leaves it to the newest event.
func (p *planner) horizonOf(plan *Plan) (schema.Instant, error) {
	least := schema.Unknown
	for _, f := range plan.Consent.files {
		if f.asOf == "" {
			return plan.Horizon, nil
		}
		t, err := parseInstant(f.asOf)
		if err != nil {
			return 0, badInput("it is an instant such as 2026-01-05T00:00:00Z", "%s: file metadata assent.as_of: %q is no instant", f.uri(), f.asOf)
		}
		if least == schema.Unknown || t < least {
			least = t
		}
	}
	if plan.Horizon == schema.Unknown {
		return least, nil
	}
	if plan.Horizon > least {
		p.log.Warn("inputs.consent.as_of is later than the consent snapshot says it is complete", "as_of", plan.Horizon.String(), "snapshot", least.String())
	}
	return plan.Horizon, nil
}

// policyDigest is the SHA-256 of all of the configuration that a run's outcome
// depends on: not where things are, but what they mean.
func (c *Config) policyDigest() string {
	type dataset struct {
		schema.Dataset
		Category string
	}
	var datasets []dataset
	for _, d := range c.Datasets {
		datasets = append(datasets, dataset{d.Dataset, d.Category.String()})
	}
	columns := func(cs ...column) (out []string) {
		for _, c := range cs {
			out = append(out, c.path)
		}
		return out
	}
	in := map[string]any{
		"consent": columns(c.Consent.Account, c.Consent.Category, c.Consent.State, c.Consent.EffectiveAt, c.Consent.Sequence),
	}
	if d := c.Deletions; d != nil {
		in["deletions"] = columns(d.Account, d.RequestedAt, d.Request)
	}
	if r := c.Restrictions; r != nil {
		in["restrictions"] = columns(r.Contract, r.From, r.Until)
	}
	if a := c.Accounts; a != nil {
		in["accounts"] = columns(a.Account)
	}
	return manifests.Digest(map[string]any{
		"program": c.Program, "columns": in, "datasets": datasets, "gates": c.Gates,
		"states": c.Consent.States, "categories": c.Consent.Categories, "ignored": c.Consent.Ignored,
		"assume_utc": []bool{c.Consent.AssumeUTC, c.Deletions != nil && c.Deletions.AssumeUTC, c.Restrictions != nil && c.Restrictions.AssumeUTC},
	})
}

// setHorizon fixes the horizon and with it the run's id.
func (p *Plan) setHorizon(h schema.Instant, key *manifests.Key) {
	p.Horizon = h
	p.RunID = manifests.RunID(p.Digest, h.Time(), p.inputs(), key)
}

// inputs lists every input file as the run manifest has it.
func (p *Plan) inputs() (list []manifests.Input) {
	add := func(dataset string, in *plannedInput) {
		for _, f := range in.files {
			list = append(list, manifests.Input{Role: in.role, Dataset: dataset, Path: in.root + f.Rel, Bytes: f.Size, Identity: f.identity, Rows: f.rows})
		}
	}
	for _, in := range []*plannedInput{&p.Consent, &p.Deletion, &p.Restrict, &p.Accounts} {
		add("", in)
	}
	for _, d := range p.Datasets {
		add(d.Name, &d.plannedInput)
	}
	return list
}

// rows returns the number of records in all data sets.
func (p *Plan) rows() (n int64) {
	for _, d := range p.Datasets {
		for _, f := range d.files {
			n += f.rows
		}
	}
	return n
}

// horizon is the plan's, or that of the newest event where the plan leaves it open.
func (p *Plan) horizon(newest schema.Instant) (schema.Instant, error) {
	if p.Horizon != schema.Unknown {
		return p.Horizon, nil
	}
	if newest == schema.Unknown || newest == schema.Forever {
		return 0, usageError("say inputs.consent.as_of: up to when the consent history is complete",
			"%s: the consent horizon is not known: neither the configuration nor the files name it, and there is no newest event to take for it", p.Config.File)
	}
	return newest, nil
}

// policy returns the programme's rules for a horizon.
func (p *Plan) policy(horizon schema.Instant) filter.Policy {
	return filter.Policy{Start: p.Config.Program.StartsAt, Horizon: horizon, Default: p.Config.Program.Default}
}
