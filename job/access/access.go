package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"assent/filter"
	"assent/job"
	"assent/job/internal/attest"
	"assent/job/internal/config"
	"assent/job/internal/holdings"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/transform"
	"assent/manifests"
	"assent/schema"
)

// Options configure the copies.
// The tags are those of the command line.
type Options struct {
	Config          string   `short:"c" required:"" placeholder:"FILE" help:"${config}"`
	Set             []string `placeholder:"KEY=VALUE" sep:"none" help:"${set}"`
	Run             string   `required:"" placeholder:"URI" help:"The run's directory, <output>/run=<id>."`
	Subject         string   `xor:"subject" placeholder:"ID" help:"The account's id, as in the data."`
	Subjects        string   `xor:"subject" placeholder:"FILE" help:"Many accounts: CSV without a header, one a line: the id, then if wanted the request's id and its day (2026-11-02). Each gets a folder, named by its reference."`
	Request         string   `placeholder:"ID" help:"The id of the request, for the receipt."`
	RequestedAt     string   `placeholder:"DAY" help:"When it was made, for the receipt: 2026-11-02, or with a time as in RFC 3339."`
	Dir             string   `name:"to" required:"" placeholder:"DIR" help:"A new or empty directory of this machine."`
	Format          string   `enum:"parquet,csv,jsonl" default:"parquet" help:"Of the tables: parquet, csv or jsonl."` // "" is parquet
	Zip             bool     `help:"Put the copy into one archive, copy.zip, that can be sent; the receipt stays beside it."`
	IncludeReceived bool     `help:"Give the content of records that others authored, too."`
	Memory          int64    `kong:"-"` // bytes, about, for the records of the accounts of one pass; 0: 256 MiB. With more accounts there are more passes
	RawCSV          bool     `name:"raw-csv" help:"Leave CSV cells as they are that a spreadsheet would calculate. ${rawcsv}"`
}

// Validate complains of what is missing.
func (o *Options) Validate() error {
	if o.Config == "" || o.Run == "" || o.Dir == "" || (o.Subject == "") == (o.Subjects == "") {
		return job.UsageError("", "access needs -c, --run, --to, and one of --subject and --subjects")
	}
	if o.Subjects != "" && o.Request+o.RequestedAt != "" {
		return job.UsageError("write both into the list, behind the account's id", "--request and --requested-at go with --subject")
	}
	if _, err := holdings.ParseDay(o.RequestedAt); err != nil {
		return job.UsageError("", "--requested-at: %w", err)
	}
	if loc, err := objstore.Parse(o.Dir); err != nil || !loc.IsLocal() {
		return job.UsageError("write it to a directory of this machine, and hand it on from there", "--to must be a local directory")
	}
	format, err := ParseFormat(o.Format)
	if err != nil {
		return job.UsageError("", "--%w", err)
	}
	if o.RawCSV && format != CSV {
		return job.UsageError("add --format csv", "--raw-csv is about CSV, and the tables are %s", format)
	}
	return nil
}

// Run writes the copy for one account, or one for each of a list. An account that nothing
// is known of gets a copy that says so. After an error there is nothing at o.Dir.
func Run(ctx context.Context, e *job.Env, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	cfg, err := config.Load(o.Config, o.Set)
	if err != nil {
		return nil, err
	}
	key, err := config.SubjectKey(cfg)
	if err != nil {
		return nil, err
	}
	signer, err := config.SigningKey(cfg)
	if err != nil {
		return nil, err
	}
	if err := placeError(CheckPlace(o.Dir)); err != nil {
		return nil, err
	}
	a := &copier{Env: e, o: o, cfg: cfg, signer: signer}
	a.o.Memory = cmp.Or(o.Memory, 256<<20)
	if e.LimitMemory != nil { // else the heap grows to twice what is in use
		e.LimitMemory(a.o.Memory / 8 * 7)
	}
	a.format, _ = ParseFormat(o.Format)
	if err := a.findAskers(ctx, key); err != nil {
		return nil, err
	}
	if err := a.openRun(ctx, key); err != nil {
		return nil, err
	}
	if err := a.gather(ctx); err != nil {
		return nil, job.Cause(ctx, err)
	}
	dir, err := NewDir(o.Dir)
	if err != nil {
		return nil, placeError(err)
	}
	dir.RawCSV, dir.Step = o.RawCSV, e.Opener.Step
	if o.Subjects != "" {
		dir.SyncOnce()
	}
	result, err := a.write(ctx, dir)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = dir.Commit()
	}
	if err != nil {
		return nil, errors.Join(job.Cause(ctx, err), dir.Abort())
	}
	return result, nil
}

func placeError(err error) error {
	if errors.Is(err, ErrNotEmpty) {
		return job.UsageError("name a directory that is new or empty", "--to: %w", err)
	}
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	return nil
}

// copier makes the copies.
type copier struct {
	*job.Env
	o       Options
	cfg     *config.Config
	signer  *attest.Signer // nil: receipts are not signed
	format  Format
	aliases *filter.Aliases
	askers  []*asker
	byRef   map[manifests.Ref]*asker // of all ids of each

	run      *publish.Run
	same     bool // the configuration is, as far as it matters, the run's
	datasets []*dataset
}

// dataset is a data set of the run.
type dataset struct {
	config.DatasetConfig               // roles are those of the run
	allRoles             []schema.Role // of the configuration; the run left out those that its first file lacks
	tellTime             bool          // of records that are not used; see notUsed
	files                []*file       // those with rows that name askers
}

// file is an input file of the run that names askers.
type file struct {
	*manifests.File
	roles []string // of the data set
	rows  []namedRow
}

// namedRow is a row that names an asker. A row that names several comes once for each.
type namedRow struct {
	manifests.SubjectRow
	who *asker
}

// openRun finds the run and holds the configuration against it.
func (a *copier) openRun(ctx context.Context, key *manifests.Key) error {
	var err error
	if a.run, err = publish.OpenRun(ctx, a.Env, a.o.Run); err != nil {
		return err
	}
	if a.run.Program.Name != a.cfg.Program.Name {
		return job.UsageError("", "%s belongs to the programme %q, not to %q", a.run.URI(""), a.run.Program.Name, a.cfg.Program.Name)
	}
	if !a.run.MadeUnder(key) {
		return job.UsageError("its key is the one that subject_key_file or ASSENT_SUBJECT_KEY named when it was made; try --set subject_key_file=FILE",
			"%s: the account cannot be looked up: the run was made under another key than the configured one", a.run.URI(""))
	}
	if err := a.findPseudonyms(key); err != nil {
		return err
	}
	return a.matchConfig()
}

// findPseudonyms adds the askers' pseudonyms to their ids, where the run has pseudonyms: its files name accounts by these.
func (a *copier) findPseudonyms(key *manifests.Key) error {
	pseudonyms, err := config.PseudonymKey(a.cfg, key)
	if err != nil || a.run.PseudonymKey == "" {
		return err
	}
	if pseudonyms == nil || pseudonyms.Reference() != a.run.PseudonymKey {
		return job.UsageError("its key is the one that pseudonym_key_file or ASSENT_PSEUDONYM_KEY named when it was made; try --set pseudonym_key_file=FILE",
			"%s: the account cannot be found in its files: its pseudonyms were made under another key than the configured one", a.run.URI(""))
	}
	for _, who := range a.askers {
		for _, id := range slices.Collect(maps.Keys(who.own)) {
			who.own[transform.Pseudonym(pseudonyms, id)] = true
		}
	}
	return nil
}

// matchConfig finds the configuration of each of the run's data sets, in its order.
func (a *copier) matchConfig() error {
	a.same = a.cfg.Digest() == a.run.PolicyDigest
	if !a.same {
		a.Log.Warn("the configuration has changed since the run; the copy follows the configuration as it is now", "run", a.run.RunID)
	}
	for _, c := range a.cfg.Datasets {
		d, ok := a.run.Datasets[c.Name]
		if !ok {
			continue
		}
		if d.Category != c.Category.String() {
			return c.Errorf(a.cfg, "category", "", "it was %s in the run", d.Category)
		}
		a.datasets = append(a.datasets, &dataset{DatasetConfig: c, allRoles: c.Roles(), tellTime: a.same && len(c.Moments) == 1})
	}
	for name := range a.run.Datasets {
		if _, err := a.cfg.Dataset(name); err != nil {
			return job.UsageError(hintThatConfig, "%s: the run has a data set %q, which is not configured", a.cfg.File, name)
		}
	}
	return nil
}

// gather looks the account up: in the run's subject indexes and in the consent inputs.
func (a *copier) gather(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(holdings.IndexReaders)
	g.Go(func() error { return a.loadChoices(ctx) })
	for _, d := range a.datasets {
		files := a.run.Datasets[d.Name].Files
		d.files = make([]*file, len(files))
		for i := range files {
			g.Go(func() (err error) {
				d.files[i], err = a.lookup(ctx, d.Name, &files[i])
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, d := range a.datasets {
		if err := a.settle(d); err != nil {
			return err
		}
	}
	return nil
}

// settle leaves of a data set the roles that the run had, which are the same in all
// its files, and the files that name the account.
func (a *copier) settle(d *dataset) error {
	if len(d.files) == 0 {
		return nil
	}
	inRun := d.files[0].roles
	for _, name := range inRun {
		if !slices.Contains(d.RoleNames(), name) {
			return job.UsageError(hintThatConfig, "%s: datasets.%s: the run has a role %q, which is not configured", a.cfg.File, d.Name, name)
		}
	}
	other := func(r schema.Role) bool { return !slices.Contains(inRun, r.Name) }
	d.Parties = slices.DeleteFunc(slices.Clone(d.Parties), other)
	d.Subjects = slices.DeleteFunc(slices.Clone(d.Subjects), other)
	d.files = slices.DeleteFunc(d.files, func(f *file) bool { return len(f.rows) == 0 })
	return nil
}

const hintThatConfig = "take the configuration that the run was made with"

// lookup finds the rows of one input file that name askers. The digest of all of
// the subject index is checked: a bound that is off, in the parts that no page's checksum
// covers, could hide records, and nobody would know that they are missing.
func (a *copier) lookup(ctx context.Context, dataset string, f *manifests.File) (*file, error) {
	index, err := holdings.OpenIndex(ctx, a.run, dataset, f, publish.DigestAll)
	if err != nil {
		return nil, err
	}
	defer index.Close()
	named, err := index.Find(slices.Collect(maps.Keys(a.byRef)))
	rows, err2 := a.byAsker(named)
	if err = cmp.Or(err, err2); err == nil && len(rows) > 0 && rows[len(rows)-1].Row >= f.RowsIn {
		err = contradiction("row %d of %d", rows[len(rows)-1].Row, f.RowsIn)
	}
	return &file{f, index.Meta().Roles, rows}, a.run.Fault(f.Subjects, err)
}

// byAsker puts the rows of the ids of each asker together, and all in the order of rows.
func (a *copier) byAsker(named map[manifests.Ref][]manifests.SubjectRow) (all []namedRow, err error) {
	for _, who := range a.askers {
		var rows []manifests.SubjectRow
		for _, ref := range who.refs {
			rows = append(rows, named[ref]...)
		}
		if len(who.refs) > 1 {
			if rows, err = holdings.Merge(rows); err != nil {
				return nil, err
			}
		}
		for _, r := range rows {
			all = append(all, namedRow{r, who})
		}
	}
	slices.SortStableFunc(all, func(x, y namedRow) int { return cmp.Compare(x.Row, y.Row) })
	return all, nil
}

// contradiction says that two of the run's objects do not agree.
func contradiction(format string, args ...any) error {
	return fmt.Errorf("%w: %w", manifests.ErrManifest, fmt.Errorf(format, args...))
}
