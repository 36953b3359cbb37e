package verify

import (
	"context"
	"errors"
	"maps"

	"assent/filter"
	"assent/job"
	"assent/job/internal/source/listing"
	"assent/manifests"
	"assent/schema"
)

// facts are what the inputs say of the accounts and contracts that some data files
// name. Once loaded they do not change.
type facts struct {
	world     *filter.World
	accounts  map[string]*account // by canonical id
	contracts map[string]bool

	newest, newestRequest schema.Instant      // of the whole history and ledger
	ids                   map[string]*idCount // of control inputs, by role

	merged        map[schema.AccountID]*account // that have aliases, by world.Account; the first of the ids that data files name
	more          int                           // further ids of these that data files name
	organisations map[schema.AccountID]bool     // of accounts that data files name
}

// account is an account that a data file names.
type account struct {
	id        schema.AccountID
	ref       manifests.Ref
	parties   uint64 // party roles under which it is named, a bit for each of all data sets
	inHistory bool
	counted   bool // under another id
}

func newFacts() *facts {
	return &facts{
		world: filter.NewWorld(), accounts: map[string]*account{}, contracts: map[string]bool{},
		newest: schema.Unknown, newestRequest: schema.Unknown, ids: map[string]*idCount{},
		merged: map[schema.AccountID]*account{}, organisations: map[schema.AccountID]bool{},
	}
}

// account returns the account of an id, which it adds where it is new.
func (w *facts) account(id []byte) *account {
	known := w.accounts[string(id)]
	if known == nil {
		known = &account{id: schema.AccountID(id)}
		w.accounts[string(id)] = known
	}
	return known
}

// load reads all inputs but the data sets. It keeps what concerns the accounts and
// contracts named. Of the other ids it counts up to so many of each input.
func (a *audit) load(ctx context.Context, in *inputs, w *facts, count int) (found differences, err error) {
	for _, role := range []string{roleConsent, roleDeletions, roleRestrictions, roleAccounts, roleAliases, roleOrganisations} {
		w.ids[role] = &idCount{others: map[uint64]bool{}, most: count}
	}
	if err := a.loadGroups(ctx, in, w, &found); err != nil {
		return found, err
	}
	all := []controlInput{a.consentOf(in.consent, w)}
	if a.cfg.Deletions != nil {
		all = append(all, a.deletionsOf(in.deletions, func(id []byte, d filter.Deletion) {
			w.newestRequest = max(w.newestRequest, d.RequestedAt)
			if account, known := w.concerned(id); known != nil {
				w.world.Deletions[account] = append(w.world.Deletions[account], d)
			} else {
				w.other(roleDeletions, id)
			}
		}))
	}
	if a.cfg.Restrictions != nil {
		all = append(all, a.restrictionsOf(in.restrictions, w))
	}
	if a.cfg.Accounts != nil {
		w.world.Registry = map[schema.AccountID]bool{}
		all = append(all, a.registryOf(in.accounts, w))
	}
	for i := range all {
		if err := all[i].scan(ctx, &found); err != nil {
			return found, err
		}
	}
	for _, x := range w.accounts {
		if x.inHistory {
			w.ids[roleConsent].matched++
		}
	}
	w.ids[roleDeletions].matched = len(w.world.Deletions)
	w.ids[roleRestrictions].matched = len(w.world.Restrictions)
	w.ids[roleAccounts].matched = len(w.world.Registry)
	maps.DeleteFunc(w.ids, func(role string, _ *idCount) bool { return len(in.control(role)) == 0 })
	return found, nil
}

func (a *audit) consentOf(files []*input, w *facts) controlInput {
	cfg := &a.cfg.Consent
	ignored := map[string]bool{}
	for _, name := range cfg.Ignored {
		ignored[name] = true
	}
	columns := func(b *binder) []*keyReader {
		const under = "inputs.consent.columns."
		return []*keyReader{
			b.id(under+"account", cfg.Account.Path), b.code(under+"category", cfg.Category.Path), b.code(under+"state", cfg.State.Path),
			b.instant(cfg.Units["effective_at"])(under+"effective_at", cfg.EffectiveAt.Path), b.optional(under+"sequence", cfg.Sequence, b.integer),
		}
	}
	var id []byte
	take := func(row []key) string {
		id = row[0].appendID(id[:0])
		named := row[1].text()
		category, known := cfg.Categories[named]
		state, mapped := cfg.States[row[2].text()]
		e := filter.Event{Category: category, State: state, At: row[3].instant()}
		complete := (known || ignored[named]) && mapped && !row[1].IsNull() && !row[2].IsNull() && len(id) > 0 && e.At != schema.Unknown
		if !complete {
			return "the event is not complete, and the run was published"
		}
		w.newest = max(w.newest, e.At)
		if !known {
			return ""
		}
		if !row[4].IsNull() {
			e.Sequence = filter.Sequence{N: row[4].integer(), Valid: true}
		}
		account, subject := w.concerned(id)
		if subject != nil {
			subject.inHistory = true
		} else {
			w.other(roleConsent, id)
			if len(w.organisations) > 0 {
				account = w.world.Account(schema.AccountID(id))
			}
		}
		if subject != nil || w.organisations[account] {
			w.world.Events[account] = append(w.world.Events[account], e)
		}
		return ""
	}
	return controlInput{files, cfg.AssumeUTC, cfg.Deleted, columns, take}
}

func (a *audit) deletionsOf(files []*input, each func(id []byte, d filter.Deletion)) controlInput {
	cfg := a.cfg.Deletions
	columns := func(b *binder) []*keyReader {
		const under = "inputs.deletions.columns."
		return []*keyReader{
			b.id(under+"account", cfg.Account.Path),
			b.optional(under+"requested_at", cfg.RequestedAt, b.instant(cfg.Units["requested_at"])), b.optional(under+"request", cfg.Request, b.id),
		}
	}
	var id []byte
	take := func(row []key) string {
		if id = row[0].appendID(id[:0]); len(id) == 0 {
			return "the request names no account, and the run was published"
		}
		each(id, filter.Deletion{RequestedAt: row[1].instant(), Request: row[2].text()})
		return ""
	}
	return controlInput{files, cfg.AssumeUTC, cfg.Deleted, columns, take}
}

func (a *audit) restrictionsOf(files []*input, w *facts) controlInput {
	cfg := a.cfg.Restrictions
	columns := func(b *binder) []*keyReader {
		const under = "inputs.restrictions.columns."
		return []*keyReader{
			b.id(under+"contract", cfg.Contract.Path), b.instant(cfg.Units["from"])(under+"from", cfg.From.Path), b.optional(under+"until", cfg.Until, b.instant(cfg.Units["until"])),
		}
	}
	var id []byte
	take := func(row []key) string {
		span := schema.Span{From: row[1].instant(), Until: schema.Forever}
		if !row[2].IsNull() {
			span.Until = row[2].instant()
		}
		id = row[0].appendID(id[:0])
		if filter.CheckRestriction(id, span) != nil {
			return "the restriction is not complete, and the run was published"
		}
		if c := string(id); w.contracts[c] {
			w.world.Restrictions[c] = append(w.world.Restrictions[c], span)
		} else {
			w.ids[roleRestrictions].other(id)
		}
		return ""
	}
	return controlInput{files, cfg.AssumeUTC, cfg.Deleted, columns, take}
}

func (a *audit) registryOf(files []*input, w *facts) controlInput {
	columns := func(b *binder) []*keyReader {
		return []*keyReader{b.id("inputs.accounts.columns.account", a.cfg.Accounts.Account.Path)}
	}
	var id []byte
	take := func(row []key) string {
		id = row[0].appendID(id[:0])
		if account, known := w.concerned(id); known != nil {
			w.world.Registry[account] = true
		} else {
			w.other(roleAccounts, id)
		}
		return ""
	}
	return controlInput{files: files, deleted: a.cfg.Accounts.Deleted, columns: columns, take: take}
}

// readLedger returns the accounts of the ledger of deletions as it is now, which may be
// after the run, by all of their ids.
func (a *audit) readLedger(ctx context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	err := a.readNow(ctx, roleDeletions, a.cfg.Deletions.Path, func(files []*input) controlInput {
		return a.deletionsOf(files, func(id []byte, _ filter.Deletion) { ids[string(id)] = true })
	})
	if err != nil {
		return nil, err
	}
	aliases, err := a.readAliases(ctx)
	return withAliases(ids, aliases), err
}

// readNow reads a control input as it is now. Faults of it are faults of the answer.
func (a *audit) readNow(ctx context.Context, role, path string, input func([]*input) controlInput) error {
	files, err := a.findFiles(ctx, new(listing.Finder), inputName{role: role, path: path})
	if err != nil {
		return err
	}
	if allowed := a.cfg.Control(role).AllowEmpty; len(files) == 0 && !allowed {
		return job.UsageError("check the path in "+a.cfg.File, "inputs.%s.path: no *.parquet file is there", role)
	}
	c := input(files)
	var found differences
	err = c.scan(ctx, &found)
	var unbound *unboundError
	var unreadable *unreadableError
	switch {
	case errors.As(err, &unbound):
		return job.UsageError("name its columns under inputs."+role+".columns", "%w", err)
	case errors.As(err, &unreadable):
		return job.BadInput("mend it and run again", "%w", err)
	case err == nil && !found.none():
		return job.BadInput("mend it and run again", "%s", found.first[0])
	}
	return err
}
