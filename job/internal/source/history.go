package source

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"assent/filter"
	"assent/job"
	"assent/job/internal/config"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/schema"
)

// The small inputs are read through the same bounded decoders as the data sets.
// Each has a struct of its columns in one file (found by bind…) and a function
// that takes its rows batch by batch.

// historyColumns are the columns of a consent file.
type historyColumns struct {
	Account, Category, State, At, Sequence KeyColumn
	Deleted                                *Mark
}

// BindConsent finds the columns of a consent file.
func BindConsent(f *rewrite.File, rel string, in *config.ConsentInput) (*historyColumns, error) {
	find := Finder{File: f, Rel: rel, assumeUTC: in.AssumeUTC}
	c := &historyColumns{
		Account:  find.ID("inputs.consent.columns.account", in.Account.Path, false),
		Category: find.code("inputs.consent.columns.category", in.Category.Path),
		State:    find.code("inputs.consent.columns.state", in.State.Path),
		At:       find.instant("inputs.consent.columns.effective_at", in.EffectiveAt.Path, in.Units["effective_at"], presence{}),
		Sequence: absent,
		Deleted:  find.mark("inputs.consent.deleted", in.Deleted),
	}
	if find.wanted(in.Sequence) {
		c.Sequence = find.integer("inputs.consent.columns.sequence", in.Sequence.Path)
	}
	return c, find.Err
}

// wanted reports whether an optional column is to be looked for: it is named by
// hand, or it is there.
func (f *Finder) wanted(c config.Column) bool {
	return c.Path != "" && (c.Explicit || f.Has(c.Path))
}

type deletionColumns struct {
	Account, At, Request KeyColumn
	Deleted              *Mark
}

// BindDeletions finds the columns of a file of deletion requests.
func BindDeletions(f *rewrite.File, rel string, in *config.DeletionsInput) (*deletionColumns, error) {
	find := Finder{File: f, Rel: rel, assumeUTC: in.AssumeUTC}
	c := &deletionColumns{
		Account: find.ID("inputs.deletions.columns.account", in.Account.Path, false),
		At:      absent, Request: absent,
		Deleted: find.mark("inputs.deletions.deleted", in.Deleted),
	}
	if find.wanted(in.RequestedAt) {
		c.At = find.instant("inputs.deletions.columns.requested_at", in.RequestedAt.Path, in.Units["requested_at"], presence{})
	}
	if find.wanted(in.Request) {
		c.Request = find.ID("inputs.deletions.columns.request", in.Request.Path, false)
	}
	return c, find.Err
}

type restrictionColumns struct {
	Contract, From, Until KeyColumn
	Deleted               *Mark
}

// BindRestrictions finds the columns of a file of restrictions.
func BindRestrictions(f *rewrite.File, rel string, in *config.RestrictionsInput) (*restrictionColumns, error) {
	find := Finder{File: f, Rel: rel, assumeUTC: in.AssumeUTC}
	c := &restrictionColumns{
		Contract: find.ID("inputs.restrictions.columns.contract", in.Contract.Path, false),
		From:     find.instant("inputs.restrictions.columns.from", in.From.Path, in.Units["from"], presence{}),
		Until:    absent,
		Deleted:  find.mark("inputs.restrictions.deleted", in.Deleted),
	}
	if find.wanted(in.Until) {
		c.Until = find.instant("inputs.restrictions.columns.until", in.Until.Path, in.Units["until"], presence{})
	}
	return c, find.Err
}

type accountColumns struct {
	Account KeyColumn
	Deleted *Mark
}

// BindAccounts finds the column of a file of the registry.
func BindAccounts(f *rewrite.File, rel string, in *config.AccountsInput) (*accountColumns, error) {
	find := Finder{File: f, Rel: rel}
	c := &accountColumns{
		Account: find.ID("inputs.accounts.columns.account", in.Account.Path, false),
		Deleted: find.mark("inputs.accounts.deleted", in.Deleted),
	}
	return c, find.Err
}

// rowError says which row of an input is at fault. Rows count from 0 in the file.
type rowError struct {
	uri    string
	row    int64
	column string
	err    error
}

func (e *rowError) Error() string {
	return fmt.Sprintf("%s: row %d: %s: %v", e.uri, e.row, e.column, e.err)
}

func (e *rowError) Unwrap() error { return e.err }

// Loader reads the control inputs and hands on each fact.
type Loader struct {
	Cfg           *config.Config
	Sink          Sink           // for Load
	Newest        schema.Instant // consent event
	NewestRequest schema.Instant // deletion request
}

// Sink takes the facts of all control inputs, which decisions rest on. Faults that it
// returns are bad input. Ids of events, deletion requests, aliases and memberships are
// never empty.
type Sink interface {
	// IDs announces the ids of the events that follow, which name one by its place.
	IDs(all parquet.Bytes) error
	Event(place int, id []byte, e filter.Event) error
	Alias(alias, account []byte) error
	Member(account, organisation []byte, s schema.Span) error
	Deletion(id []byte, d filter.Deletion) error
	Restriction(contract []byte, s schema.Span) error
	Registry()
	Registered(id []byte) error
}

// Load reads all inputs but the data sets: aliases first, then organisations, as what the
// others say is about the accounts that these make up.
func (l *Loader) Load(ctx context.Context, in *Inputs) error {
	l.Newest, l.NewestRequest = schema.Unknown, schema.Unknown
	steps := []struct {
		files []*File
		load  func(*File) error
	}{
		{in.Aliases.Files, func(f *File) error { return l.aliases(ctx, f, l.Sink.Alias) }},
		{in.Organisations.Files, func(f *File) error { return l.organisations(ctx, f) }},
		{in.Consent.Files, func(f *File) error { return l.consent(ctx, f, l.Sink.IDs, l.Sink.Event) }},
		{in.Deletion.Files, func(f *File) error { return l.deletions(ctx, f, l.Sink.Deletion) }},
		{in.Restrict.Files, func(f *File) error { return l.restrictions(ctx, f) }},
		{in.Accounts.Files, func(f *File) error { return l.accounts(ctx, f) }},
	}
	var ahead aheadOf
	defer ahead.close()
	for _, s := range steps {
		ahead.files = append(ahead.files, s.files...)
	}
	if l.Cfg.Accounts != nil {
		l.Sink.Registry()
	}
	for _, s := range steps {
		for _, f := range s.files {
			ahead.next(ctx)
			if err := s.load(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// consent reads a consent file. announce may be nil; see Sink for both.
func (l *Loader) consent(ctx context.Context, f *File, announce func(all parquet.Bytes) error, event func(place int, id []byte, e filter.Event) error) error {
	in := ConsentCodes{&l.Cfg.Consent}
	var c *historyColumns
	var ids idCursor
	var states codes[schema.State]
	var categories codes[categoryCode]
	var at []schema.Instant
	bind := func(file *rewrite.File) (_ []KeyColumn, err error) {
		if c, err = BindConsent(file, f.Rel, in.ConsentInput); err != nil {
			return nil, err
		}
		ids.form, states.form, categories.form = c.Account.ID, c.State.ID, c.Category.ID
		return []KeyColumn{c.Account, c.Category, c.State, c.At, c.Sequence, c.Deleted.KeyColumn}, nil
	}
	return Scan(ctx, f, bind, func(first int64, rows int, v []*parquet.Vector) error {
		fail := func(i int, column string, err error) error {
			return job.BadInput("mend the export and run again; nothing was published", "%w", &rowError{f.URI(), first + int64(i), column, err})
		}
		if ids.read(v[0]) && announce != nil {
			if err := announce(ids.ids); err != nil {
				return job.BadInput("", "%s: rows from %d on: %s: %w", f.URI(), first, in.Account.Path, err)
			}
		}
		at = Grow(at, rows)
		c.At.Instants(v[3], at)
		for i := range rows {
			if c.Deleted.Has(v[5], i) {
				continue
			}
			category, err := categories.at(v[1], i, in.CategoryNamed)
			if err != nil {
				return fail(i, in.Category.Path, err)
			}
			e := filter.Event{At: at[i]}
			if e.State, err = states.at(v[2], i, in.StateNamed); err != nil {
				return fail(i, in.State.Path, err)
			}
			if e.At == schema.Unknown {
				return fail(i, in.EffectiveAt.Path, filter.ErrNoInstant)
			}
			id := ids.at(v[0], i)
			if len(id) == 0 {
				return fail(i, in.Account.Path, filter.ErrNoID)
			}
			if e.Sequence, err = sequence(v[4], i, c.Sequence.ID); err != nil {
				return fail(i, in.Sequence.Path, err)
			}
			l.Newest = max(l.Newest, e.At)
			if category.Ignored {
				continue
			}
			e.Category = category.Category
			if err := event(ids.place(v[0], i), id, e); err != nil {
				return fail(i, in.Account.Path, err)
			}
		}
		return nil
	})
}

// ConsentCodes reads the codes of a consent file as the configuration maps them.
type ConsentCodes struct{ *config.ConsentInput }

// categoryCode is a category as a file names it.
type categoryCode struct {
	schema.Category
	Ignored bool
}

// CategoryNamed returns the category that a file calls by a name.
func (in ConsentCodes) CategoryNamed(name string) (categoryCode, error) {
	if c, ok := in.Categories[name]; ok {
		return categoryCode{Category: c}, nil
	}
	for _, ignored := range in.Ignored {
		if name == ignored {
			return categoryCode{Ignored: true}, nil
		}
	}
	return categoryCode{}, fmt.Errorf("unknown category %s (map it under inputs.consent.categories, or list it under ignore_categories)", job.Quote(name))
}

// StateNamed returns the state that a file calls by a name.
func (in ConsentCodes) StateNamed(name string) (schema.State, error) {
	if s, ok := in.States[name]; ok {
		return s, nil
	}
	return 0, fmt.Errorf("unknown state %s (map it under inputs.consent.states)", job.Quote(name))
}

var errNull = errors.New("the value is null")

func sequence(v *parquet.Vector, i int, form IDForm) (filter.Sequence, error) {
	if v.Null != nil && v.Null[i] {
		return filter.Sequence{}, nil
	}
	if form == idText { // in the file's path
		n, err := strconv.ParseInt(string(form.Append(nil, v, i)), 10, 64)
		return filter.Sequence{N: n, Valid: err == nil}, err
	}
	if !form.fitsInt64(v, i) {
		return filter.Sequence{}, errors.New("the sequence is no integer of 64 bits")
	}
	return filter.Sequence{N: form.integerAt(v, i), Valid: true}, nil
}

// codes reads a column of few distinct codes: each entry of a dictionary, or each
// distinct value, is parsed once.
type codes[T any] struct {
	form    IDForm
	dict    *parquet.Dictionary
	entry   []parsed[T]
	plain   map[string]T
	scratch []byte
}

type parsed[T any] struct {
	value T
	err   error
}

func (c *codes[T]) at(v *parquet.Vector, i int, parse func(string) (T, error)) (T, error) {
	var zero T
	if v.Null != nil && v.Null[i] {
		return zero, errNull
	}
	if v.Dict == nil {
		c.scratch = c.form.Append(c.scratch[:0], v, i)
		text := c.scratch
		if value, ok := c.plain[string(text)]; ok {
			return value, nil
		}
		value, err := parse(string(text))
		if err == nil {
			if c.plain == nil {
				c.plain = map[string]T{}
			}
			c.plain[string(text)] = value
		}
		return value, err
	}
	if c.dict != v.Dict {
		c.dict, c.entry = v.Dict, c.entry[:0]
		for e := range v.Dict.Len() {
			c.scratch = c.form.appendEntry(c.scratch[:0], v.Dict, e)
			value, err := parse(string(c.scratch))
			c.entry = append(c.entry, parsed[T]{value, err})
		}
	}
	e := c.entry[v.Index[i]]
	return e.value, e.err
}

// idCursor reads a column of ids one after the other.
type idCursor struct {
	form    IDForm
	scratch parquet.Bytes
	dict    *parquet.Dictionary
	ids     parquet.Bytes
}

// read takes the next batch. It reports whether the ids are others than before: of
// a dictionary they are read once.
func (c *idCursor) read(v *parquet.Vector) (fresh bool) {
	switch {
	case v.Dict == nil:
		c.dict, c.ids = nil, c.form.IDs(v, &c.scratch)
	case v.Dict != c.dict:
		c.dict, c.ids = v.Dict, c.form.Entries(v.Dict, &c.scratch)
	default:
		return false
	}
	return true
}

// place is where in the ids that of a slot is. The slot is not null.
func (c *idCursor) place(v *parquet.Vector, slot int) int {
	if v.Dict != nil {
		return int(v.Index[slot])
	}
	return slot
}

// at returns the canonical id in a slot, empty where it is null.
func (c *idCursor) at(v *parquet.Vector, slot int) []byte {
	switch {
	case v.Null != nil && v.Null[slot]:
		return nil
	default:
		return c.ids.At(c.place(v, slot))
	}
}

// Grow returns a slice of n elements, s itself where that is long enough. The elements
// have any value.
func Grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
