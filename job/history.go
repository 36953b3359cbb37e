package job

import (
	"context"
	"errors"
	"fmt"
	"io"

	"assent/filter"
	"assent/job/parquet/rewrite"
	"assent/schema"
)

// The small inputs are read through the same bounded decoders as the data sets.
// Each has a struct of its columns in one file (found by bind…) and a function
// that takes its rows batch by batch.

// historyColumns are the columns of a consent file.
type historyColumns struct {
	account, category, state, at, sequence keyColumn
	boolean                                bool // state is a boolean
}

func bindConsent(f *rewrite.File, in *ConsentInput) (*historyColumns, error) {
	find := finder{file: f, assumeUTC: in.AssumeUTC}
	c := &historyColumns{
		account:  find.id("inputs.consent.columns.account", in.Account.path, false),
		category: find.text("inputs.consent.columns.category", in.Category.path),
		at:       find.instant("inputs.consent.columns.effective_at", in.EffectiveAt.path),
		sequence: keyColumn{leaf: -1},
	}
	c.state, c.boolean = find.state("inputs.consent.columns.state", in.State.path)
	if find.wanted(in.Sequence) {
		c.sequence = find.integer("inputs.consent.columns.sequence", in.Sequence.path)
	}
	return c, find.err
}

// wanted reports whether an optional column is to be looked for: it is named by
// hand, or it is there.
func (f *finder) wanted(c column) bool {
	return c.path != "" && (c.explicit || f.has(c.path))
}

type deletionColumns struct{ account, at, request keyColumn }

func bindDeletions(f *rewrite.File, in *DeletionsInput) (*deletionColumns, error) {
	find := finder{file: f, assumeUTC: in.AssumeUTC}
	c := &deletionColumns{
		account: find.id("inputs.deletions.columns.account", in.Account.path, false),
		at:      keyColumn{leaf: -1}, request: keyColumn{leaf: -1},
	}
	if find.wanted(in.RequestedAt) {
		c.at = find.instant("inputs.deletions.columns.requested_at", in.RequestedAt.path)
	}
	if find.wanted(in.Request) {
		c.request = find.id("inputs.deletions.columns.request", in.Request.path, false)
	}
	return c, find.err
}

type restrictionColumns struct{ contract, from, until keyColumn }

func bindRestrictions(f *rewrite.File, in *RestrictionsInput) (*restrictionColumns, error) {
	find := finder{file: f, assumeUTC: in.AssumeUTC}
	c := &restrictionColumns{
		contract: find.id("inputs.restrictions.columns.contract", in.Contract.path, false),
		from:     find.instant("inputs.restrictions.columns.from", in.From.path),
		until:    keyColumn{leaf: -1},
	}
	if find.wanted(in.Until) {
		c.until = find.instant("inputs.restrictions.columns.until", in.Until.path)
	}
	return c, find.err
}

func bindAccounts(f *rewrite.File, in *AccountsInput) (keyColumn, error) {
	find := finder{file: f}
	return find.id("inputs.accounts.columns.account", in.Account.path, false), find.err
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

// scan goes through some columns of a file. Columns that the file lacks give a nil vector.
func scan(ctx context.Context, f *plannedFile, columns func(*rewrite.File) ([]keyColumn, error), take func(first int64, rows int, v []*rewrite.Vector) error) error {
	r, file, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	cols, err := columns(file)
	if err != nil {
		return err
	}
	var leaves []int
	at := make([]int, len(cols))
	for i, c := range cols {
		at[i] = -1
		if c.leaf >= 0 {
			at[i] = len(leaves)
			leaves = append(leaves, c.leaf)
		}
	}
	vectors := make([]*rewrite.Vector, len(cols))
	base := int64(0)
	for g := range file.NumRowGroups() {
		err := scanRowGroup(ctx, file, g, leaves, func(b *rewrite.Batch) error {
			for i, a := range at {
				if a >= 0 {
					vectors[i] = &b.Columns[a]
				}
			}
			return take(base+b.FirstRow, b.Rows, vectors)
		})
		if err != nil {
			return err
		}
		base += file.RowGroupRows(g)
	}
	return r.Unchanged(ctx)
}

func scanRowGroup(ctx context.Context, file *rewrite.File, g int, leaves []int, take func(*rewrite.Batch) error) error {
	keys, err := file.Keys(ctx, g, leaves)
	if err != nil {
		return err
	}
	defer keys.Close()
	for {
		b, err := keys.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := take(b); err != nil {
			return err
		}
	}
}

// historyLoader builds the index. Its sink is told each fact, so that explain and
// the audit can gather them in another form.
type historyLoader struct {
	cfg           *Config
	sink          sink
	newest        schema.Instant // consent event
	newestRequest schema.Instant // deletion request
}

// sink takes the facts that decisions rest on. Faults it returns are bad input.
type sink interface {
	// ids announces the ids of the events that follow, which name one by its place.
	ids(all rewrite.Bytes) error
	event(place int, id []byte, e filter.Event) error
	deletion(id []byte, d filter.Deletion) error
	restriction(contract []byte, s schema.Span) error
	registry()
	registered(id []byte) error
}

// load reads all inputs but the data sets.
func (l *historyLoader) load(ctx context.Context, p *Plan) error {
	l.newest, l.newestRequest = schema.Unknown, schema.Unknown
	for _, f := range p.Consent.files {
		if err := l.consent(ctx, f); err != nil {
			return err
		}
	}
	for _, f := range p.Deletion.files {
		if err := l.deletions(ctx, f); err != nil {
			return err
		}
	}
	for _, f := range p.Restrict.files {
		if err := l.restrictions(ctx, f); err != nil {
			return err
		}
	}
	if l.cfg.Accounts != nil {
		l.sink.registry()
	}
	for _, f := range p.Accounts.files {
		if err := l.accounts(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (l *historyLoader) consent(ctx context.Context, f *plannedFile) error {
	in := consentCodes{&l.cfg.Consent}
	var c *historyColumns
	var ids idCursor
	var states codes[schema.State]
	var categories codes[categoryCode]
	var at []schema.Instant
	bind := func(file *rewrite.File) (_ []keyColumn, err error) {
		if c, err = bindConsent(file, in.ConsentInput); err != nil {
			return nil, err
		}
		ids.form = c.account.id
		return []keyColumn{c.account, c.category, c.state, c.at, c.sequence}, nil
	}
	return scan(ctx, f, bind, func(first int64, rows int, v []*rewrite.Vector) error {
		fail := func(i int, column string, err error) error {
			return badInput("mend the export and run again; nothing was published", "%w", &rowError{f.uri(), first + int64(i), column, err})
		}
		if ids.read(v[0]) {
			if err := l.sink.ids(ids.ids); err != nil {
				return badInput("", "%s: rows from %d on: %s: %w", f.uri(), first, in.Account.path, err)
			}
		}
		at = grow(at, rows)
		c.at.time.instants(v[3], at)
		for i := range rows {
			category, err := categories.at(v[1], i, in.category)
			if err != nil {
				return fail(i, in.Category.path, err)
			}
			var e filter.Event
			if c.boolean {
				e.State, err = in.boolState(v[2], i)
			} else {
				e.State, err = states.at(v[2], i, in.state)
			}
			if err != nil {
				return fail(i, in.State.path, err)
			}
			e.At = at[i]
			if e.At == schema.Unknown {
				return fail(i, in.EffectiveAt.path, filter.ErrNoInstant)
			}
			id := ids.at(v[0], i)
			if len(id) == 0 {
				return fail(i, in.Account.path, filter.ErrNoID)
			}
			if c.sequence.leaf >= 0 {
				if e.Sequence, err = sequence(v[4], i, c.sequence.id); err != nil {
					return fail(i, in.Sequence.path, err)
				}
			}
			l.newest = max(l.newest, e.At)
			if category.ignored {
				continue
			}
			e.Category = category.Category
			if err := l.sink.event(ids.place(v[0], i), id, e); err != nil {
				return fail(i, in.Account.path, err)
			}
		}
		return nil
	})
}

// consentCodes reads the codes of a consent file as the configuration maps them.
type consentCodes struct{ *ConsentInput }

// categoryCode is a category as a file names it.
type categoryCode struct {
	schema.Category
	ignored bool
}

func (in consentCodes) category(name string) (categoryCode, error) {
	if c, ok := in.Categories[name]; ok {
		return categoryCode{Category: c}, nil
	}
	for _, ignored := range in.Ignored {
		if name == ignored {
			return categoryCode{ignored: true}, nil
		}
	}
	return categoryCode{}, fmt.Errorf("unknown category %s (map it under inputs.consent.categories, or list it under ignore_categories)", quote(name))
}

func (in consentCodes) state(name string) (schema.State, error) {
	if s, ok := in.States[name]; ok {
		return s, nil
	}
	return 0, fmt.Errorf("unknown state %s (map it under inputs.consent.states)", quote(name))
}

// boolState reads a boolean switch through the same mapping as a string would go.
func (in consentCodes) boolState(v *rewrite.Vector, i int) (schema.State, error) {
	if v.Null != nil && v.Null[i] {
		return 0, errNull
	}
	value := int64(0)
	if v.Dict != nil {
		value = v.Dict.Int(int(v.Index[i]))
	} else {
		value = v.Ints[i]
	}
	if value != 0 {
		return in.state("true")
	}
	return in.state("false")
}

var errNull = errors.New("the value is null")

// quote shows a value of an enumerated column, cut short: what stands there should
// be a code, but a wrong column may hold anything.
func quote(s string) string {
	const most = 32
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

func sequence(v *rewrite.Vector, i int, form idForm) (filter.Sequence, error) {
	if v.Null != nil && v.Null[i] {
		return filter.Sequence{}, nil
	}
	var n int64
	if v.Dict != nil {
		n = v.Dict.Int(int(v.Index[i]))
	} else {
		n = v.Ints[i]
	}
	switch {
	case form == idUint32:
		n = int64(uint32(n))
	case form == idUint64 && n < 0:
		return filter.Sequence{}, errors.New("the sequence is larger than 2^63-1")
	}
	return filter.Sequence{N: n, Valid: true}, nil
}

// codes reads a column of few distinct strings: each entry of a dictionary, or each
// distinct value, is parsed once.
type codes[T any] struct {
	dict  *rewrite.Dictionary
	entry []parsed[T]
	plain map[string]T
}

type parsed[T any] struct {
	value T
	err   error
}

func (c *codes[T]) at(v *rewrite.Vector, i int, parse func(string) (T, error)) (T, error) {
	var zero T
	if v.Null != nil && v.Null[i] {
		return zero, errNull
	}
	if v.Dict == nil {
		text := v.Bytes.At(i)
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
			value, err := parse(string(v.Dict.Bytes(e)))
			c.entry = append(c.entry, parsed[T]{value, err})
		}
	}
	e := c.entry[v.Index[i]]
	return e.value, e.err
}

// idCursor reads a column of ids one after the other.
type idCursor struct {
	form    idForm
	scratch rewrite.Bytes
	dict    *rewrite.Dictionary
	ids     rewrite.Bytes
}

// read takes the next batch. It reports whether the ids are others than before: of
// a dictionary they are read once.
func (c *idCursor) read(v *rewrite.Vector) (fresh bool) {
	switch {
	case v.Dict == nil:
		c.dict, c.ids = nil, c.form.ids(v, &c.scratch)
	case v.Dict != c.dict:
		c.dict, c.ids = v.Dict, c.form.entries(v.Dict, &c.scratch)
	default:
		return false
	}
	return true
}

// place is where in the ids that of a slot is. The slot is not null.
func (c *idCursor) place(v *rewrite.Vector, slot int) int {
	if v.Dict != nil {
		return int(v.Index[slot])
	}
	return slot
}

// at returns the canonical id in a slot, empty where it is null.
func (c *idCursor) at(v *rewrite.Vector, slot int) []byte {
	switch {
	case v.Null != nil && v.Null[slot]:
		return nil
	default:
		return c.ids.At(c.place(v, slot))
	}
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
