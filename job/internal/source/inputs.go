package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"assent/filter"
	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/objstore"
	"assent/job/internal/source/listing"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// Inputs are all files that a job reads, found and looked at. Nothing has been written yet.
type Inputs struct {
	Config   *config.Config
	AsOf     schema.Instant // the horizon, configured or as the consent files have it; schema.Unknown leaves it to the newest event
	Consent  Input
	Deletion Input // without files where not configured, as are the other control inputs
	Restrict Input
	Accounts Input
	Datasets []*DatasetInput

	Aliases, Organisations Input
}

// Input are the files of one input, in their order.
type Input struct {
	Role  string // as the key under inputs; empty for a data set
	Root  string // directory of its files as configured, "" or with a slash at its end
	store objstore.Store
	Files []*File
}

// File is one input file, found and looked at.
type File struct {
	listing.File
	Store    objstore.Store
	Identity string
	Rows     int64
	Pieces   []Piece         // that the file is cut into; nil where it is worked on as a whole
	Lacks    []schema.Change // what the configuration names and the file has no column for; of a data set only
	asOf     string          // file metadata assent.as_of; consent only
	opening  *opening        // before Open was called; nil: it was not begun
}

// DatasetInput is a data set with its roles settled against its files.
type DatasetInput struct {
	Input
	config.DatasetConfig
}

// URI names the file in messages.
func (f *File) URI() string { return f.Store.URI(f.Name) }

// Open opens the file as it was found.
func (f *File) Open(ctx context.Context) (objstore.Reader, *rewrite.File, error) {
	return f.openIn(ctx, nil)
}

func (f *File) openIn(ctx context.Context, room *semaphore.Weighted) (objstore.Reader, *rewrite.File, error) {
	if o := f.opening; o != nil {
		f.opening = nil
		err := o.wait()
		return o.reader, o.file, err
	}
	return openIn(ctx, f.Store, f.Object, room)
}

// Open opens an object that is a Parquet file. The caller closes the Reader; the File
// reads from it.
func Open(ctx context.Context, store objstore.Store, o objstore.Object) (objstore.Reader, *rewrite.File, error) {
	return openIn(ctx, store, o, nil)
}

// openIn is Open that waits for room for a large footer, if room is not nil.
func openIn(ctx context.Context, store objstore.Store, o objstore.Object, room *semaphore.Weighted) (objstore.Reader, *rewrite.File, error) {
	r, err := store.Open(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	if a, late := r.(objstore.Ahead); late {
		a.WillRead(0, 4) // the magic, while the footer is on its way
	}
	if room != nil {
		r = &awaiting{Reader: r, ctx: ctx, room: room}
	}
	file, err := rewrite.Open(ctx, r, r.Size(), store.URI(o.Name))
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	return r, file, nil
}

// Known is what is known of a file without a look at it.
type Known struct {
	Identity string // empty: it must be read
	// Serves says that this very file was found to serve under the same rules, so that it need not be opened: Rows and Lacks are known.
	Serves bool
	Rows   int64
	Lacks  []schema.Change
}

// Planner finds out what there is.
type Planner struct {
	Cfg    *config.Config
	Opener *objstore.Opener
	Log    *slog.Logger
	Limit  int  // concurrent look-ups
	Quick  bool // leave identities out: nothing is to be published
	// Known returns what is known of a file of a data set (or of a control input: ""), by its path as run manifests have it.
	// nil: nothing of any. It is called by several goroutines.
	Known func(dataset, path string, o objstore.Object) Known
	// PieceBytes is the size in bytes of the pieces that larger files of data sets are cut into; 0: they are not.
	PieceBytes int64
	// Check looks at each file of a data set, beside the columns that decide, and returns what it lacks of them; nil: it does not. It is
	// called by several goroutines.
	Check func(d *DatasetInput, f *rewrite.File, rel string) (lacks []schema.Change, err error)

	finder  listing.Finder
	footers *semaphore.Weighted // bytes of large footers, and of what is made of them; nil: nobody waits
}

// A file is looked at for its footer. But a bucket's small file is read as a whole, for that is one request.
const (
	lookMemory = 32 << 20  // bytes of files that are looked at at a time
	lookMost   = 512 << 10 // bytes of one file
)

// Inputs resolves, opens and identifies every input file and checks that it serves.
func (p *Planner) Inputs(ctx context.Context) (*Inputs, error) {
	cfg := p.Cfg
	in := &Inputs{Config: cfg, AsOf: cfg.Consent.AsOf}
	if err := p.resolveAll(ctx, in); err != nil {
		return nil, err
	}
	if err := p.finder.Apart(cfg.Output); err != nil {
		return nil, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(p.Limit)
	room := semaphore.NewWeighted(lookMemory)
	p.footers = semaphore.NewWeighted(footerMemory)
	look := func(f *File, at func() error) {
		g.Go(func() error {
			size := min(f.Size, lookMost)
			if err := room.Acquire(gctx, size); err != nil {
				return err
			}
			defer room.Release(size)
			return at()
		})
	}
	for _, c := range controlsOf(cfg, in) {
		for _, f := range c.into.Files {
			look(f, func() error { return p.Look(gctx, c.into, f, c.check) })
		}
	}
	for _, d := range in.Datasets {
		for _, f := range d.Files {
			look(f, func() error { return p.lookAt(gctx, d, f) })
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	warnLacking(p.Log, in.Datasets)
	var err error
	in.AsOf, err = p.horizonOf(in)
	return in, err
}

// resolveAll finds the files of all inputs, of several at a time: each takes some requests one after the other.
func (p *Planner) resolveAll(ctx context.Context, in *Inputs) error {
	type named struct {
		role, path string
		into       *Input
		found      listing.Inputs
		err        error
	}
	var all []*named
	for _, c := range controlsOf(p.Cfg, in) {
		all = append(all, &named{role: c.role, path: c.path, into: c.into})
	}
	for i := range p.Cfg.Datasets {
		d := &DatasetInput{DatasetConfig: p.Cfg.Datasets[i]}
		in.Datasets = append(in.Datasets, d)
		all = append(all, &named{path: d.Path, into: &d.Input})
	}
	var g errgroup.Group
	g.SetLimit(p.Limit)
	for _, n := range all {
		g.Go(func() error {
			n.found, n.err = p.find(ctx, n.role, n.path)
			return nil
		})
	}
	_ = g.Wait()
	for _, n := range all { // errors and warnings in this order, whatever came first
		var err error
		if *n.into, err = p.resolved(n.role, n.path, n.found, n.err); err != nil {
			return err
		}
	}
	return nil
}

// lookAt is Look for a file of a data set. One that is known to serve is not opened, unless it is to be cut.
func (p *Planner) lookAt(ctx context.Context, d *DatasetInput, f *File) error {
	if p.Known != nil {
		known := p.Known(d.Name, d.Root+f.Rel, f.Object)
		f.Identity = known.Identity
		if known.Serves && (p.PieceBytes == 0 || f.Size <= p.PieceBytes) {
			f.Rows, f.Lacks = known.Rows, known.Lacks
			return nil
		}
	}
	return p.Look(ctx, &d.Input, f, func(file *rewrite.File, rel string) error {
		b, err := Bind(file, rel, &d.Dataset)
		if err != nil {
			return err
		}
		for _, name := range b.absent(&d.Dataset) {
			f.Lacks = append(f.Lacks, schema.Change{Key: KeyOptional, Column: name})
		}
		if p.Check == nil {
			return nil
		}
		lacks, err := p.Check(d, file, rel)
		f.Lacks = append(f.Lacks, lacks...)
		return err
	})
}

// KeyOptional is the key of [File.Lacks] for an optional role or moment, whose name is in the place of the column's.
const KeyOptional = "optional"

// warnLacking tells of what no file has, though it was called optional by hand.
func warnLacking(log *slog.Logger, datasets []*DatasetInput) {
	for _, d := range datasets {
		for _, name := range d.Optional {
			lacks := func(f *File) bool { return slices.Contains(f.Lacks, schema.Change{Key: KeyOptional, Column: name}) }
			if len(d.Files) > 0 && !slices.ContainsFunc(d.Files, func(f *File) bool { return !lacks(f) }) {
				log.Warn("no file has the column of an optional role or moment: is its name right?", "dataset", d.Name, "optional", name)
			}
		}
	}
}

// control is a control input that is configured.
type control struct {
	role, path string
	into       *Input
	check      func(f *rewrite.File, rel string) error // whether a file's columns serve
}

func controlsOf(cfg *config.Config, in *Inputs) []control {
	bind := func(f *rewrite.File, rel string) error { _, err := BindConsent(f, rel, &cfg.Consent); return err }
	all := []control{{"consent", cfg.Consent.Path, &in.Consent, bind}}
	if c := cfg.Deletions; c != nil {
		bind := func(f *rewrite.File, rel string) error { _, err := BindDeletions(f, rel, c); return err }
		all = append(all, control{"deletions", c.Path, &in.Deletion, bind})
	}
	if c := cfg.Restrictions; c != nil {
		bind := func(f *rewrite.File, rel string) error { _, err := BindRestrictions(f, rel, c); return err }
		all = append(all, control{"restrictions", c.Path, &in.Restrict, bind})
	}
	if c := cfg.Accounts; c != nil {
		bind := func(f *rewrite.File, rel string) error { _, err := BindAccounts(f, rel, c); return err }
		all = append(all, control{"accounts", c.Path, &in.Accounts, bind})
	}
	if c := cfg.Aliases; c != nil {
		bind := func(f *rewrite.File, rel string) error { _, err := BindAliases(f, rel, c); return err }
		all = append(all, control{"aliases", c.Path, &in.Aliases, bind})
	}
	if c := cfg.Organisations; c != nil {
		bind := func(f *rewrite.File, rel string) error { _, err := BindOrganisations(f, rel, c); return err }
		all = append(all, control{"organisations", c.Path, &in.Organisations, bind})
	}
	return all
}

// isEmpty reports whether there is no file, which is why a path did not resolve. A
// local directory must exist; an object store has none that are empty.
func isEmpty(path string, err error) bool {
	location, parseErr := objstore.Parse(path)
	return errors.Is(err, listing.ErrNoInput) || errors.Is(err, fs.ErrNotExist) && parseErr == nil && !location.IsLocal()
}

// Resolve finds the files of an input: of the control input of that role, or, where
// role is empty, of a data set.
func (p *Planner) Resolve(ctx context.Context, role, path string) (Input, error) {
	found, err := p.find(ctx, role, path)
	return p.resolved(role, path, found, err)
}

func (p *Planner) find(ctx context.Context, role, path string) (listing.Inputs, error) {
	use := listing.Control
	if role == "" {
		use = listing.Dataset
	}
	return p.finder.Find(ctx, p.Opener, path, use)
}

// resolved is the input that was found under a path, or not. It warns of what is not read there.
func (p *Planner) resolved(role, path string, in listing.Inputs, err error) (Input, error) {
	if control := p.Cfg.Control(role); control != nil && control.AllowEmpty && isEmpty(path, err) {
		return Input{Role: role}, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return Input{}, job.UsageError("check the path in "+p.Cfg.File, "%w", err)
	}
	if err != nil {
		return Input{}, err
	}
	if len(in.Strangers) > 0 {
		p.Log.Warn("files below a data set's path are not read: their names are not *.parquet", "path", in.Root, "files", len(in.Strangers), "names", strings.Join(in.Strangers[:min(20, len(in.Strangers))], ", "))
	}
	for _, dir := range in.Unseen {
		p.Log.Warn("a directory above an input may not be looked into; if it is the root of a table, the input is not a plain directory", "directory", dir)
	}
	// What the configured path has below the root (a file's name, a glob) is not of the root.
	below, _ := strings.CutPrefix(strings.TrimSuffix(path, "/"), strings.TrimSuffix(in.Root, "/"))
	root := strings.TrimSuffix(strings.TrimSuffix(p.Cfg.Display(path), "/"), below)
	if root = strings.TrimPrefix(root, strings.TrimPrefix(below, "/")); root != "" {
		root = strings.TrimSuffix(root, "/") + "/"
	}
	out := Input{Role: role, Root: root, store: in.Store}
	for _, f := range in.Files {
		out.Files = append(out.Files, &File{File: f, Store: in.Store})
	}
	return out, nil
}

// Look opens a file, checks its columns and takes its identity.
func (p *Planner) Look(ctx context.Context, in *Input, f *File, check func(f *rewrite.File, rel string) error) (err error) {
	if err := p.lookInto(ctx, in, f, check); err != nil || p.Quick {
		return err
	}
	if p.Known != nil && in.Role != "" {
		f.Identity = p.Known("", in.Root+f.Rel, f.Object).Identity
	}
	if f.Identity == "" {
		f.Identity, err = f.Store.Identity(ctx, f.Object)
	}
	return err
}

// lookInto is Look but for the identity.
func (p *Planner) lookInto(ctx context.Context, in *Input, f *File, check func(f *rewrite.File, rel string) error) error {
	r, file, err := f.openIn(ctx, p.footers)
	if err != nil {
		return err
	}
	defer r.Close()
	f.Rows = file.NumRows()
	f.asOf, _ = file.KeyValue("assent.as_of")
	if err := check(file, f.Rel); err != nil {
		var c *ColumnError
		if errors.As(err, &c) {
			return job.UsageError(c.hint, "%s: %w", f.URI(), err)
		}
		return fmt.Errorf("%s: %w", f.URI(), err)
	}
	if p.PieceBytes > 0 && f.Size > p.PieceBytes && in.Role == "" {
		f.Pieces, err = cut(file, p.PieceBytes)
	}
	return err
}

// horizonOf is the configured horizon, else the earliest one that the consent files
// name; schema.Unknown leaves it to the newest event. A horizon later than what a
// consent file says of itself is refused: of what came after, nothing is known.
func (p *Planner) horizonOf(in *Inputs) (schema.Instant, error) {
	least, of := schema.Unknown, ""
	for _, f := range in.Consent.Files {
		if f.asOf == "" {
			continue
		}
		t, err := config.ParseInstant(f.asOf)
		if err != nil {
			return 0, job.BadInput("it is an instant such as 2026-01-05T00:00:00Z", "%s: file metadata assent.as_of: %w", f.URI(), err)
		}
		if least == schema.Unknown || t < least {
			least, of = t, f.URI()
		}
	}
	switch {
	case in.AsOf == schema.Unknown:
		return least, nil
	case least != schema.Unknown && in.AsOf > least:
		return 0, job.Refused("say an inputs.consent.as_of that is not later, or wait for a newer export",
			"%s: inputs.consent.as_of is %s, and %s says that it is complete only up to %s (assent.as_of)", p.Cfg.File, in.AsOf, of, least)
	}
	return in.AsOf, nil
}

// List returns every input file as the run manifest has it.
func (in *Inputs) List() (list []manifests.Input) {
	in.each(func(dataset string, of *Input, f *File) {
		list = append(list, manifests.Input{Role: of.Role, Dataset: dataset, Path: of.Root + f.Rel, Bytes: f.Size, Identity: f.Identity, Rows: f.Rows})
	})
	return list
}

// Objects returns every input file as it was found, by its path as run manifests have it.
func (in *Inputs) Objects() map[string]objstore.Object {
	all := map[string]objstore.Object{}
	in.each(func(_ string, of *Input, f *File) { all[of.Root+f.Rel] = f.Object })
	return all
}

// each calls do for every input file, with its data set, if it is of one.
func (in *Inputs) each(do func(dataset string, of *Input, f *File)) {
	add := func(dataset string, of *Input) {
		for _, f := range of.Files {
			do(dataset, of, f)
		}
	}
	for _, of := range in.controls() {
		add("", of)
	}
	for _, d := range in.Datasets {
		add(d.Name, &d.Input)
	}
}

func (in *Inputs) controls() []*Input {
	return []*Input{&in.Consent, &in.Deletion, &in.Restrict, &in.Accounts, &in.Aliases, &in.Organisations}
}

// Controls are the files of all control inputs, in the order of List.
func (in *Inputs) Controls() (files []*File) {
	for _, of := range in.controls() {
		files = append(files, of.Files...)
	}
	return files
}

// Records returns the number of rows in all data sets.
func (in *Inputs) Records() (n int64) {
	for _, d := range in.Datasets {
		for _, f := range d.Files {
			n += f.Rows
		}
	}
	return n
}

// Horizon is AsOf, or the newest event where that leaves it open.
func (in *Inputs) Horizon(newest schema.Instant) (schema.Instant, error) {
	if in.AsOf != schema.Unknown {
		return in.AsOf, nil
	}
	if newest == schema.Unknown || newest == schema.Forever {
		return 0, job.UsageError("say inputs.consent.as_of: up to when the consent history is complete",
			"%s: the consent horizon is not known: neither the configuration nor the files name it, and there is no newest event to take for it", in.Config.File)
	}
	return newest, nil
}

// Policy returns the programme's rules for a horizon.
func (in *Inputs) Policy(horizon schema.Instant) filter.Policy {
	return filter.Policy{Start: in.Config.Program.StartsAt, Horizon: horizon, Default: in.Config.Program.Default}
}
