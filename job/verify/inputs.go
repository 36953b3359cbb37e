package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"assent/job/internal/config"
	"assent/job/internal/objstore"
	"assent/job/internal/source/listing"
	"assent/schema"
)

// inputName names an input in the run manifest. Either role or dataset is set.
type inputName struct{ role, dataset, path string }

// input is an input file as it lies there now.
type input struct {
	inputName
	rel    string // below the directory that the configuration names
	store  objstore.Store
	object objstore.Object
	rows   int64          // as are the next, known after look
	asOf   schema.Instant // up to when a consent file says that it is complete; or Unknown
}

// inputs are all inputs, each list in the order of its paths.
type inputs struct {
	consent, deletions, restrictions, accounts []*input
	aliases, organisations                     []*input
	datasets                                   []*dataset
}

// dataset is a data set with the roles that its files have.
type dataset struct {
	config.DatasetConfig
	files []*input
}

// control returns the files of a control input by its role.
func (in *inputs) control(role string) []*input {
	return map[string][]*input{
		roleConsent: in.consent, roleDeletions: in.deletions, roleRestrictions: in.restrictions, roleAccounts: in.accounts,
		roleAliases: in.aliases, roleOrganisations: in.organisations,
	}[role]
}

func (in *inputs) all() []*input {
	all := slices.Concat(in.consent, in.deletions, in.restrictions, in.accounts, in.aliases, in.organisations)
	for _, d := range in.datasets {
		all = append(all, d.files...)
	}
	return all
}

// rows returns the number of records in all data sets.
func (in *inputs) rows() (n int64) {
	for _, d := range in.datasets {
		for _, f := range d.files {
			n += f.rows
		}
	}
	return n
}

// roles of inputs, as run.json has them.
const (
	roleConsent      = "consent"
	roleDeletions    = "deletions"
	roleRestrictions = "restrictions"
	roleAccounts     = "accounts"

	roleAliases       = "aliases"
	roleOrganisations = "organisations"
)

// findInputs lists what the configuration names as inputs.
func (a *audit) findInputs(ctx context.Context) (*inputs, error) {
	in := new(inputs)
	var finder listing.Finder
	var err error
	find := func(role, dataset, path string) (files []*input) {
		if err == nil {
			files, err = a.findFiles(ctx, &finder, inputName{role, dataset, path})
		}
		return files
	}
	in.consent = find(roleConsent, "", a.cfg.Consent.Path)
	if c := a.cfg.Deletions; c != nil {
		in.deletions = find(roleDeletions, "", c.Path)
	}
	if c := a.cfg.Restrictions; c != nil {
		in.restrictions = find(roleRestrictions, "", c.Path)
	}
	if c := a.cfg.Accounts; c != nil {
		in.accounts = find(roleAccounts, "", c.Path)
	}
	if c := a.cfg.Aliases; c != nil {
		in.aliases = find(roleAliases, "", c.Path)
	}
	if c := a.cfg.Organisations; c != nil {
		in.organisations = find(roleOrganisations, "", c.Path)
	}
	for _, d := range a.cfg.Datasets {
		in.datasets = append(in.datasets, &dataset{d, find("", d.Name, d.Path)})
	}
	return in, err
}

// findFiles lists the files of one input. None is no error: what the run had there is
// gone, and each file that run.json names is told.
func (a *audit) findFiles(ctx context.Context, finder *listing.Finder, name inputName) ([]*input, error) {
	path, use := name.path, listing.Control
	if name.role == "" {
		use = listing.Dataset
	}
	found, err := finder.Find(ctx, a.Opener, path, use)
	if errors.Is(err, objstore.ErrNotExist) || errors.Is(err, listing.ErrNoInput) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	root := shownRoot(a.cfg.Display(path), path, found.Root)
	var files []*input
	for _, f := range found.Files {
		name.path = root + f.Rel
		files = append(files, &input{inputName: name, rel: f.Rel, store: found.Store, object: f.Object, asOf: schema.Unknown})
	}
	return files, nil
}

// shownRoot is the directory of an input's files as the configuration wrote it, empty
// or with a slash at its end. The configured path may go on below the directory, with a
// file's name or a glob.
func shownRoot(shown, path, root string) string {
	below, _ := strings.CutPrefix(strings.TrimSuffix(path, "/"), strings.TrimSuffix(root, "/"))
	shown = strings.TrimSuffix(strings.TrimSuffix(shown, "/"), below)
	if shown = strings.TrimPrefix(shown, strings.TrimPrefix(below, "/")); shown == "" {
		return ""
	}
	return strings.TrimSuffix(shown, "/") + "/"
}

// compareInputs compares the inputs with those of the run manifest, by size and
// identity. It opens none of them, so that one which is no longer a Parquet file is
// reported as what it is: changed.
func (a *audit) compareInputs(ctx context.Context, in *inputs) (found differences, err error) {
	there := map[inputName]*input{}
	for _, f := range in.all() {
		there[f.inputName] = f
	}
	named := map[inputName]bool{}
	wrong := make([]string, len(a.run.Inputs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(a.o.Workers)
	for i, was := range a.run.Inputs {
		name := inputName{was.Role, was.Dataset, was.Path}
		named[name] = true
		f := there[name]
		switch {
		case f == nil:
			wrong[i] = "the input is gone"
			continue
		case f.object.Size != was.Bytes:
			wrong[i] = fmt.Sprintf("the input has changed since the run: %d bytes, then %d", f.object.Size, was.Bytes)
			continue
		}
		g.Go(func() error {
			identity, err := f.store.Identity(gctx, f.object)
			if err == nil && identity != was.Identity {
				wrong[i] = fmt.Sprintf("the input has changed since the run: %s, then %s", identity, was.Identity)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return found, err
	}
	for i, was := range a.run.Inputs {
		if wrong[i] != "" {
			found.of(was.Path, "%s", wrong[i])
		}
	}
	for _, f := range in.all() {
		if !named[f.inputName] {
			found.of(f.path, "the run knows no such input")
		}
	}
	a.checked.Inputs = int64(len(a.run.Inputs))
	return found, nil
}

// look reads the inputs' footers and compares the numbers of rows with the run
// manifest's.
func (a *audit) look(ctx context.Context, in *inputs) (found differences, err error) {
	files := in.all()
	each := make([]differences, len(files))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(a.o.Workers)
	for i, f := range files {
		g.Go(func() error { return f.look(gctx, &each[i]) })
	}
	if err := g.Wait(); err != nil {
		return found, err
	}
	rows := map[inputName]int64{}
	for _, was := range a.run.Inputs {
		rows[inputName{was.Role, was.Dataset, was.Path}] = was.Rows
	}
	for i, f := range files {
		found.merge(&each[i])
		if each[i].none() && f.rows != rows[f.inputName] {
			found.of(f.path, "%d rows, the run manifest has %d", f.rows, rows[f.inputName])
		}
	}
	return found, nil
}

func (f *input) look(ctx context.Context, found *differences) error {
	file, err := f.open(ctx)
	if err != nil {
		return found.unreadable(err)
	}
	defer file.close()
	f.rows = file.rows()
	text, there := file.file.Lookup("assent.as_of")
	if !there || f.role != roleConsent {
		return nil
	}
	if f.asOf, err = config.ParseInstant(text); err != nil {
		found.of(f.path, "the file metadata assent.as_of is no instant")
	}
	return nil
}

// inputFile is an input open for reading.
type inputFile struct {
	*parquetFile
	of    *input
	bytes *watched
}

// open opens the input. A file whose bytes cannot be read gives an unreadableError.
func (f *input) open(ctx context.Context) (*inputFile, error) {
	r, err := f.store.Open(ctx, f.object)
	if err != nil {
		return nil, err
	}
	in := &inputFile{of: f, bytes: &watched{Reader: r}}
	if in.parquetFile, err = openParquet(ctx, in.bytes); err != nil {
		r.Close()
		return nil, in.fault(ctx, nil, err)
	}
	return in, nil
}

func (in *inputFile) close() { in.bytes.Close() }

// fault says whose fault an error of reading was: the storage's, or else the file's,
// which is an unreadableError. row may be nil.
func (in *inputFile) fault(ctx context.Context, row *int64, err error) error {
	if failed := in.bytes.failed(ctx); failed != nil {
		return failed
	}
	return &unreadableError{file: in.of.path, row: row, err: err}
}

// unreadableError means that an input's bytes cannot be read, or that it has no columns
// which could serve. What follows from the input cannot be checked.
type unreadableError struct {
	file   string
	column string // empty: not one alone
	row    *int64 // before which it fails; nil: in all of the file
	err    error
}

func (e *unreadableError) Error() string {
	return Difference{File: e.file, Column: e.column, Row: e.row, What: "cannot be read: " + e.err.Error()}.String()
}

func (e *unreadableError) Unwrap() error { return e.err }

// unreadable adds an unreadableError to what could not be read. That a file has no column
// which could serve is a difference, because the run has found one. Other errors are
// returned.
func (d *differences) unreadable(err error) error {
	var e *unreadableError
	var unbound *unboundError
	switch {
	case !errors.As(err, &e):
		return err
	case errors.As(err, &unbound):
		d.of(e.file, "%v", unbound)
	case e.row != nil:
		d.unread = append(d.unread, Unread{e.file, e.column, fmt.Sprintf("before row %d: %v", *e.row, e.err)})
	default:
		d.unread = append(d.unread, Unread{e.file, e.column, e.err.Error()})
	}
	return nil
}

// bind opens the columns that find asks for.
func (in *inputFile) bind(assumeUTC bool, find func(b *binder)) (*binder, error) {
	b := &binder{file: in.parquetFile, rel: in.of.rel, assumeUTC: assumeUTC}
	if find(b); b.err != nil {
		return nil, &unreadableError{file: in.of.path, err: b.err}
	}
	return b, nil
}

// controlInput is how the files of an input that is no data set are read.
type controlInput struct {
	files     []*input
	assumeUTC bool
	deleted   *schema.Match // rows that the source marks as deleted, and that say nothing; nil: none
	columns   func(b *binder) []*keyReader
	take      func(row []key) (wrong string) // gets a value a column
}

// scan goes through all rows. It adds what is wrong with a row to found.
func (c *controlInput) scan(ctx context.Context, found *differences) error {
	for _, f := range c.files {
		if err := c.scanFile(ctx, f, found); err != nil {
			return err
		}
	}
	return nil
}

func (c *controlInput) scanFile(ctx context.Context, f *input, found *differences) error {
	file, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer file.close()
	var columns []*keyReader
	b, err := file.bind(c.assumeUTC, func(b *binder) {
		columns = c.columns(b)
		if c.deleted != nil {
			columns = append(columns, b.code("inputs."+f.role+".deleted.column", c.deleted.Column))
		}
	})
	if err != nil {
		return err
	}
	defer b.close()
	values := make([]key, len(columns))
	for row := range file.rows() {
		for i, k := range columns {
			if values[i], err = k.one(); err != nil {
				return file.fault(ctx, &row, err)
			}
		}
		if n := len(values) - 1; c.deleted != nil && values[n].matches(c.deleted) {
			continue
		}
		if wrong := c.take(values); wrong != "" {
			found.at(f.path, row, "%s", wrong)
		}
	}
	return file.bytes.Unchanged(ctx)
}
