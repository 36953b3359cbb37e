package verify

import (
	"context"
	"errors"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/parquet-go/parquet-go"

	"assent/filter"
	"assent/job"
	"assent/job/internal/source"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// facts are what the inputs say of the accounts and contracts that some data files
// name. Once loaded they do not change.
type facts struct {
	world     *filter.World
	accounts  map[string]*account // by canonical id
	contracts map[string]bool

	newest, newestRequest schema.Instant  // of the whole history and ledger
	history               map[uint64]bool // hashes of accounts of the history that no data file names; see gateFigures
}

// account is an account that a data file names.
type account struct {
	id        schema.AccountID
	ref       manifests.Ref
	parties   uint64 // party roles under which it is named, a bit for each of all data sets
	inHistory bool
}

func newFacts() *facts {
	return &facts{
		world: filter.NewWorld(), accounts: map[string]*account{}, contracts: map[string]bool{},
		newest: schema.Unknown, newestRequest: schema.Unknown, history: map[uint64]bool{},
	}
}

// readings gathers of which columns the pages were taken apart by hand.
type readings struct {
	mu   sync.Mutex
	list []Reading
}

// note remembers why pages of a cursor's column were.
func (r *readings) note(dataset string, c *cursor) {
	for why := range c.why {
		r.mu.Lock()
		x := Reading{Dataset: dataset, Column: c.f.leaves[c.column].path, Why: why}
		for i := range r.list {
			if y := &r.list[i]; y.Dataset == x.Dataset && y.Column == x.Column && y.Why == x.Why {
				y.Files++
				x.Files = -1
			}
		}
		if x.Files == 0 {
			x.Files = 1
			r.list = append(r.list, x)
		}
		r.mu.Unlock()
	}
}

// inputFile is an input open for the ordinary reader.
type inputFile struct {
	*ordinary
	bytes *watched
	bind  *rewrite.File // finds the columns that the configuration names
}

// openInput opens an input as it was planned. The run's own reader checks its footer.
func openInput(ctx context.Context, f *source.File) (*inputFile, error) {
	r, err := f.Store.Open(ctx, f.Object)
	if err != nil {
		return nil, err
	}
	in := &inputFile{bytes: &watched{Reader: r}}
	if in.bind, err = rewrite.Open(ctx, in.bytes, r.Size(), f.Rel); err == nil {
		in.ordinary, err = openOrdinary(ctx, in.bytes)
	}
	if err != nil {
		r.Close()
		if failed := in.bytes.failed(ctx); failed != nil {
			return nil, failed
		}
		return nil, unreadable{err}
	}
	return in, nil
}

func (in *inputFile) close() { in.bytes.Close() }

// unreadable means that an input's bytes cannot be read by the ordinary reader: what
// follows from it cannot be checked, which is a difference.
type unreadable struct{ error }

func (u unreadable) Unwrap() error { return u.error }

// isUnreadable reports whether err says so.
func isUnreadable(err error) bool {
	var u unreadable
	return errors.As(err, &u)
}

// scanInput goes through the rows of some columns of an input's files. v has an entry
// a column, a null where a file lacks it.
func (a *audit) scanInput(ctx context.Context, in *source.Input, columns func(*rewrite.File) ([]source.KeyColumn, error), take func(file string, row int64, k []*keyReader, v []parquet.Value)) error {
	for _, f := range in.Files {
		if err := a.scanInputFile(ctx, in, f, columns, take); err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) scanInputFile(ctx context.Context, in *source.Input, f *source.File, columns func(*rewrite.File) ([]source.KeyColumn, error), take func(file string, row int64, k []*keyReader, v []parquet.Value)) error {
	name := in.Root + f.Rel
	file, err := openInput(ctx, f)
	if isUnreadable(err) {
		a.found.of(name, "cannot be read: %v", err)
	}
	if err != nil {
		return err
	}
	defer file.close()
	cols, err := columns(file.bind)
	if err != nil {
		return err
	}
	keys := make([]*keyReader, len(cols))
	for i, c := range cols {
		if keys[i] = file.key(c); keys[i] != nil {
			defer keys[i].close()
			defer a.readings.note("inputs."+in.Role, keys[i].cursor)
		}
	}
	v := make([]parquet.Value, len(cols))
	for row := range file.rows() {
		for i, k := range keys {
			if v[i], err = k.one(); err != nil {
				if failed := file.bytes.failed(ctx); failed != nil {
					return failed
				}
				a.found.at(name, row, "cannot be read: %v", err)
				return unreadable{err}
			}
		}
		take(name, row, keys, v)
	}
	return file.bytes.Unchanged(ctx)
}

// load reads all inputs but the data sets. It keeps what concerns the accounts and
// contracts named; count says to count the others of the history.
func (a *audit) load(ctx context.Context, p *source.Inputs, w *facts, count bool) error {
	if err := a.loadConsent(ctx, p, w, count); err != nil {
		return err
	}
	if a.cfg.Deletions != nil {
		err := a.scanDeletions(ctx, &p.Deletion, func(id []byte, d filter.Deletion) {
			w.newestRequest = max(w.newestRequest, d.RequestedAt)
			if known := w.accounts[string(id)]; known != nil {
				w.world.Deletions[known.id] = append(w.world.Deletions[known.id], d)
			}
		})
		if err != nil {
			return err
		}
	}
	if err := a.loadRestrictions(ctx, p, w); err != nil {
		return err
	}
	if a.cfg.Accounts == nil {
		return nil
	}
	w.world.Registry = map[schema.AccountID]bool{}
	bind := func(f *rewrite.File) ([]source.KeyColumn, error) {
		c, err := source.BindAccounts(f, a.cfg.Accounts)
		return []source.KeyColumn{c}, err
	}
	var id []byte
	return a.scanInput(ctx, &p.Accounts, bind, func(_ string, _ int64, k []*keyReader, v []parquet.Value) {
		id = k[0].leaf.canonical(id[:0], v[0])
		if known := w.accounts[string(id)]; known != nil {
			w.world.Registry[known.id] = true
		}
	})
}

func (a *audit) loadConsent(ctx context.Context, p *source.Inputs, w *facts, count bool) error {
	in := source.ConsentCodes{ConsentInput: &a.cfg.Consent}
	bind := func(f *rewrite.File) ([]source.KeyColumn, error) {
		c, err := source.BindConsent(f, in.ConsentInput)
		if err != nil {
			return nil, err
		}
		return []source.KeyColumn{c.Account, c.Category, c.State, c.At, c.Sequence}, nil
	}
	var id []byte
	return a.scanInput(ctx, &p.Consent, bind, func(file string, row int64, k []*keyReader, v []parquet.Value) {
		id = k[0].leaf.canonical(id[:0], v[0])
		e := filter.Event{At: k[3].leaf.instant(v[3])}
		category, err := in.CategoryNamed(string(k[1].leaf.canonical(nil, v[1])))
		if err == nil {
			e.State, err = in.StateNamed(string(k[2].leaf.canonical(nil, v[2])))
		}
		if err != nil || v[1].IsNull() || v[2].IsNull() || len(id) == 0 || e.At == schema.Unknown {
			a.found.at(file, row, "the event is not complete, and the run was published")
			return
		}
		w.newest = max(w.newest, e.At)
		if category.Ignored {
			return
		}
		e.Category = category.Category
		if !v[4].IsNull() {
			e.Sequence = filter.Sequence{N: sequenceOf(k[4].leaf, v[4]), Valid: true}
		}
		known := w.accounts[string(id)]
		if known != nil {
			known.inHistory = true
			w.world.Events[known.id] = append(w.world.Events[known.id], e)
		} else if count && len(w.history) <= len(w.accounts) {
			w.history[xxhash.Sum64(id)] = true
		}
	})
}

func sequenceOf(l *leaf, v parquet.Value) int64 {
	if v.Kind() == parquet.Int64 {
		return v.Int64()
	}
	if l.unsigned() {
		return int64(v.Uint32())
	}
	return int64(v.Int32())
}

func (a *audit) scanDeletions(ctx context.Context, in *source.Input, take func(id []byte, d filter.Deletion)) error {
	bind := func(f *rewrite.File) ([]source.KeyColumn, error) {
		c, err := source.BindDeletions(f, a.cfg.Deletions)
		if err != nil {
			return nil, err
		}
		return []source.KeyColumn{c.Account, c.At, c.Request}, nil
	}
	var id []byte
	return a.scanInput(ctx, in, bind, func(file string, row int64, k []*keyReader, v []parquet.Value) {
		d := filter.Deletion{RequestedAt: schema.Unknown}
		if k[1] != nil {
			d.RequestedAt = k[1].leaf.instant(v[1])
		}
		if k[2] != nil {
			d.Request = string(k[2].leaf.canonical(nil, v[2]))
		}
		if id = k[0].leaf.canonical(id[:0], v[0]); len(id) == 0 {
			a.found.at(file, row, "the request names no account, and the run was published")
			return
		}
		take(id, d)
	})
}

func (a *audit) loadRestrictions(ctx context.Context, p *source.Inputs, w *facts) error {
	if a.cfg.Restrictions == nil {
		return nil
	}
	bind := func(f *rewrite.File) ([]source.KeyColumn, error) {
		c, err := source.BindRestrictions(f, a.cfg.Restrictions)
		if err != nil {
			return nil, err
		}
		return []source.KeyColumn{c.Contract, c.From, c.Until}, nil
	}
	var id []byte
	return a.scanInput(ctx, &p.Restrict, bind, func(file string, row int64, k []*keyReader, v []parquet.Value) {
		span := schema.Span{From: k[1].leaf.instant(v[1]), Until: schema.Forever}
		if k[2] != nil && !v[2].IsNull() {
			span.Until = k[2].leaf.instant(v[2])
		}
		id = k[0].leaf.canonical(id[:0], v[0])
		if filter.CheckRestriction(id, span) != nil {
			a.found.at(file, row, "the restriction is not complete, and the run was published")
			return
		}
		if c := string(id); w.contracts[c] {
			w.world.Restrictions[c] = append(w.world.Restrictions[c], span)
		}
	})
}

// readLedger returns the accounts of the ledger as it is now.
func (a *audit) readLedger(ctx context.Context) (map[schema.AccountID]bool, error) {
	p := &source.Planner{Cfg: a.cfg, Opener: a.Opener, Log: a.Log, Limit: 4, Quick: true}
	in, err := p.Resolve(ctx, "deletions", a.cfg.Deletions.Path)
	if err != nil {
		return nil, err
	}
	for _, f := range in.Files {
		err := p.Look(ctx, &in, f, func(file *rewrite.File) error { _, err := source.BindDeletions(file, a.cfg.Deletions); return err })
		if err != nil {
			return nil, err
		}
	}
	ledger := map[schema.AccountID]bool{}
	before := a.found.count
	err = a.scanDeletions(ctx, &in, func(id []byte, _ filter.Deletion) { ledger[schema.AccountID(id)] = true })
	if a.found.count > before && (err == nil || isUnreadable(err)) {
		err = job.BadInput("mend the ledger and run again", "%s", a.found.first[len(a.found.first)-1])
	}
	return ledger, err
}
