package access

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"assent/filter"
	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/holdings"
	"assent/job/internal/objstore"
	"assent/job/internal/pages"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/job/plain"
	"assent/manifests"
	"assent/schema"
)

// Options configure one copy.
// The tags are those of the command line.
type Options struct {
	Config          string   `short:"c" required:"" placeholder:"FILE" help:"${config}"`
	Set             []string `placeholder:"KEY=VALUE" sep:"none" help:"${set}"`
	Run             string   `required:"" placeholder:"URI" help:"The run's directory, <output>/run=<id>."`
	Subject         string   `required:"" placeholder:"ID" help:"The account's id, as in the data."`
	Dir             string   `name:"to" required:"" placeholder:"DIR" help:"A new or empty directory of this machine."`
	Format          string   `enum:"parquet,csv,jsonl" default:"parquet" help:"Of the tables: parquet, csv or jsonl."` // "" is parquet
	IncludeReceived bool     `help:"Give the content of records that others authored, too."`
	RawCSV          bool     `name:"raw-csv" help:"Leave CSV cells as they are that a spreadsheet would calculate. ${rawcsv}"`
}

// Validate complains of what is missing.
func (o *Options) Validate() error {
	if o.Config == "" || o.Run == "" || o.Subject == "" || o.Dir == "" {
		return job.UsageError("", "access needs -c, --run, --subject and --to")
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

// Result is the answer.
type Result struct {
	Dir      string                   `json:"dir"`
	RunID    string                   `json:"run_id"`
	Found    bool                     `json:"found"` // a record names the account
	Datasets map[string]DatasetCounts `json:"datasets"`
	Files    int                      `json:"files"`
}

// Run writes the copy for one account. An account that nothing is known of gets a
// copy that says so. After an error there is nothing at o.Dir.
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
	if err := placeError(CheckPlace(o.Dir)); err != nil {
		return nil, err
	}
	a := &copier{Env: e, o: o, cfg: cfg, own: map[string]bool{}, ref: key.NewReferrer().Ref([]byte(o.Subject))}
	if a.aliases, err = source.ReadAliases(ctx, e, cfg); err != nil {
		return nil, err
	}
	referrer := key.NewReferrer()
	for _, id := range a.aliases.IDs(schema.AccountID(o.Subject)) {
		a.own[string(id)] = true
		a.refs = append(a.refs, referrer.Ref([]byte(string(id))))
	}
	a.format, _ = ParseFormat(o.Format)
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
	dir.RawCSV = o.RawCSV
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

// copier is one copy under way.
type copier struct {
	*job.Env
	o       Options
	cfg     *config.Config
	format  Format
	ref     manifests.Ref // of the id that was asked for
	aliases *filter.Aliases
	own     map[string]bool // all ids of the account
	refs    []manifests.Ref // of these

	run      *publish.Run
	same     bool // the configuration is, as far as it matters, the run's
	datasets []*dataset
	choices  Choices
}

// dataset is a data set of the run.
type dataset struct {
	config.DatasetConfig               // roles are those of the run
	allRoles             []schema.Role // of the configuration; the run left out those that its first file lacks
	tellTime             bool          // of records that are not used; see notUsed
	files                []*file       // those with rows that name the account
}

// file is an input file of the run that names the account.
type file struct {
	*manifests.File
	roles []string // of the data set
	rows  []manifests.SubjectRow
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
	return a.matchConfig()
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
			return c.Errorf(a.cfg, "category", "it was %s in the run", d.Category)
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

// lookup finds the rows of one input file that name the account. The digest of all of
// the subject index is checked: a bound that is off, in the parts that no page's checksum
// covers, could hide records, and nobody would know that they are missing.
func (a *copier) lookup(ctx context.Context, dataset string, f *manifests.File) (*file, error) {
	index, err := holdings.OpenIndex(ctx, a.run, dataset, f, publish.DigestAll)
	if err != nil {
		return nil, err
	}
	defer index.Close()
	rows, err := a.lookupAll(index.Lookup)
	if n := len(rows); err == nil && n > 0 && rows[n-1].Row >= f.RowsIn {
		err = contradiction("row %d of %d", rows[n-1].Row, f.RowsIn)
	}
	return &file{f, index.Meta().Roles, rows}, a.run.Fault(f.Subjects, err)
}

// lookupAll looks up all ids of the account, and merges what a row says of several.
func (a *copier) lookupAll(lookup func(manifests.Ref) ([]manifests.SubjectRow, error)) (all []manifests.SubjectRow, err error) {
	for _, ref := range a.refs {
		rows, err := lookup(ref)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	if len(a.refs) == 1 {
		return all, nil
	}
	slices.SortStableFunc(all, func(x, y manifests.SubjectRow) int { return cmp.Compare(x.Row, y.Row) })
	n := 0
	for _, r := range all {
		if n == 0 || all[n-1].Row != r.Row {
			all[n] = r
			n++
			continue
		}
		last := &all[n-1]
		if last.Kept != r.Kept {
			return nil, contradiction("row %d is both kept and excluded", r.Row)
		}
		last.Roles = slices.Concat(last.Roles, r.Roles)
		slices.Sort(last.Roles)
		last.Roles = slices.Compact(last.Roles)
	}
	return all[:n], nil
}

// contradiction says that two of the run's objects do not agree.
func contradiction(format string, args ...any) error {
	return fmt.Errorf("%w: %w", manifests.ErrManifest, fmt.Errorf(format, args...))
}

// write writes all of the copy.
func (a *copier) write(ctx context.Context, dir *Dir) (*Result, error) {
	page := &Page{
		Program: a.run.Program.Name, Starts: a.run.Program.StartsAt, AsOf: a.run.ConsentAsOf,
		OptedInAtFirst: a.run.Program.Default == schema.OptedIn.String(),
		Format:         a.format, RawCSV: a.o.RawCSV, IncludeReceived: a.o.IncludeReceived,
		Choices: a.choices, NotUsedBy: map[Reason]int64{},
	}
	counts, err := a.writeRecords(ctx, dir, page)
	if err != nil {
		return nil, err
	}
	if err := putJSON(dir, "consent.json", &a.choices); err != nil {
		return nil, err
	}
	html, err := page.HTML()
	if err != nil {
		return nil, err
	}
	if err := dir.Put("index.html", html); err != nil {
		return nil, err
	}
	err = putJSON(dir, "receipt.json", &Receipt{
		Program: a.run.Program.Name, RunID: a.run.RunID, ManifestSHA256: a.run.Digest, AsOf: a.run.ConsentAsOf,
		Subject: a.ref.String(), MadeAt: a.Now().UTC().Truncate(time.Second), Tool: "assent " + a.Version,
		Format: a.format, RawCSV: a.o.RawCSV, IncludeReceived: a.o.IncludeReceived, Datasets: counts, Files: dir.Files(),
	})
	return &Result{Dir: a.o.Dir, RunID: a.run.RunID, Found: page.Found(), Datasets: counts, Files: len(dir.Files())}, err
}

func putJSON(dir *Dir, name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return dir.Put(name, append(data, '\n'))
}

// WriteText writes the answer as a table.
func (r *Result) WriteText(w io.Writer) error {
	t := job.NewTable(w)
	t.Row("data set", "used", "content", "not used")
	for _, name := range slices.Sorted(maps.Keys(r.Datasets)) {
		d := r.Datasets[name]
		t.Row(name, pages.Count(d.Used), pages.Count(d.Content), pages.Count(d.NotUsed))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if !r.Found {
		fmt.Fprintf(w, "\nno record names the account (ids are compared byte for byte)\n")
	}
	_, err := fmt.Fprintf(w, "\nthe copy is in %s: open %s\n", plain.Line(r.Dir), plain.Line(filepath.Join(r.Dir, "index.html")))
	return err
}
