package verify

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"assent/filter"
	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// fileAudit is the audit of one input file and what the run made of it.
type fileAudit struct {
	*audit
	d   *source.DatasetInput
	f   *source.File
	m   *manifests.File
	bit int // of the data set's first party role in account.parties

	found   differences
	checked Checked
	w       *facts
	in      *inputFile
	bound   *source.Binding
	kept    bitmap // of the input's rows, by the rules
	total   int64  // of these
	reasons manifests.ReasonCounts
	again   *recount // nil until every record is decided
	partial bool     // some column was not compared to its end
}

// bitmap is a set of rows.
type bitmap []uint64

func newBitmap(n int64) bitmap { return make(bitmap, (n+63)/64) }

func (b bitmap) set(i int64) { b[i/64] |= 1 << (i % 64) }

func (b bitmap) has(i int64) bool { return b[i/64]>>(i%64)&1 != 0 }

func (a *fileAudit) input() string { return a.d.Root + a.f.Rel }

func (a *fileAudit) ok(s string) bool { return !a.damaged[s] }

// open opens the input and finds its key columns.
func (a *fileAudit) open(ctx context.Context) (err error) {
	if a.in, err = openInput(ctx, a.f); err != nil {
		return err
	}
	if a.bound, err = source.Bind(a.in.bind, &a.d.Dataset); err != nil {
		a.in.close()
	}
	return err
}

// recordKeys reads the keys of a file's records.
type recordKeys struct {
	record   *keyReader
	roles    []*keyReader
	moments  []*keyReader
	contract *keyReader // nil where the data set names none

	id []byte
}

func (a *fileAudit) openKeys() *recordKeys {
	k := &recordKeys{record: a.in.key(a.bound.Record.KeyColumn)}
	for _, c := range a.bound.Roles {
		k.roles = append(k.roles, a.in.key(c.KeyColumn))
	}
	for _, c := range a.bound.Moments {
		k.moments = append(k.moments, a.in.key(c.KeyColumn))
	}
	if a.bound.Contract.At >= 0 {
		k.contract = a.in.key(a.bound.Contract.KeyColumn)
	}
	return k
}

func (k *recordKeys) all() []*keyReader {
	all := slices.Concat([]*keyReader{k.record}, k.roles, k.moments)
	if k.contract != nil {
		all = append(all, k.contract)
	}
	return all
}

func (a *fileAudit) closeKeys(k *recordKeys) {
	for _, r := range k.all() {
		a.readings.note(a.d.Name, r.cursor)
		r.close()
	}
}

// fail reports that the input could not be read, unless it is the storage that failed.
func (a *fileAudit) fail(ctx context.Context, row int64, err error) error {
	if failed := a.in.bytes.failed(ctx); failed != nil {
		return failed
	}
	a.found.at(a.input(), row, "cannot be read: %v", err)
	return nil
}

// gather adds the accounts and contracts that the file names to the facts wanted. A
// file that cannot be read is told of when it is checked.
func (a *fileAudit) gather(ctx context.Context, w *facts) error {
	if err := a.open(ctx); isUnreadable(err) {
		return nil
	} else if err != nil {
		return err
	}
	defer a.in.close()
	k := a.openKeys()
	defer func() {
		for _, r := range k.all() {
			r.close()
		}
	}()
	for range a.in.rows() {
		for n, r := range k.roles {
			elements, err := r.elements()
			if err != nil {
				return a.in.bytes.failed(ctx)
			}
			for _, v := range elements {
				if k.id = r.leaf.canonical(k.id[:0], v); len(k.id) == 0 {
					continue
				}
				known := w.accounts[string(k.id)]
				if known == nil {
					known = &account{id: schema.AccountID(k.id)}
					w.accounts[string(k.id)] = known
				}
				if n < len(a.d.Parties) && a.bit+n < 64 {
					known.parties |= 1 << (a.bit + n)
				}
			}
		}
		if k.contract != nil {
			v, err := k.contract.one()
			if err != nil {
				return a.in.bytes.failed(ctx)
			}
			if k.id = k.contract.leaf.canonical(k.id[:0], v); len(k.id) > 0 && !w.contracts[string(k.id)] {
				w.contracts[string(k.id)] = true
			}
		}
	}
	return nil
}

// auditRecord is a record with its keys spelt out, and the accounts that it names.
type auditRecord struct {
	filter.Record
	id    []byte // of the record
	named []namedAccount
}

// namedAccount is an account under a role. A party role that names nobody, or null,
// has an entry without one.
type namedAccount struct {
	role    int
	party   bool
	account *account
}

// next reads the keys of the next record.
func (a *fileAudit) next(k *recordKeys, r *auditRecord) error {
	r.Category = a.d.Category
	r.Parties, r.Subjects, r.Moments, r.named = r.Parties[:0], r.Subjects[:0], r.Moments[:0], r.named[:0]
	for n, role := range a.d.Roles() {
		elements, err := k.roles[n].elements()
		if err != nil {
			return err
		}
		party := n < len(a.d.Parties)
		for _, v := range elements {
			k.id = k.roles[n].leaf.canonical(k.id[:0], v)
			x := namedAccount{n, party, nil}
			s := filter.Subject{Role: role.Name}
			if len(k.id) > 0 {
				if x.account = a.w.accounts[string(k.id)]; x.account == nil {
					return errors.New("the file names other accounts than a moment ago")
				}
				s.ID = x.account.id
			}
			if party {
				r.Parties = append(r.Parties, s)
			} else if r.Subjects = append(r.Subjects, s); x.account == nil {
				continue
			}
			r.named = append(r.named, x)
		}
		if party && len(elements) == 0 {
			r.Parties = append(r.Parties, filter.Subject{Role: role.Name})
			r.named = append(r.named, namedAccount{n, true, nil})
		}
	}
	for n, m := range a.d.Moments {
		v, err := k.moments[n].one()
		if err != nil {
			return err
		}
		r.Moments = append(r.Moments, filter.Moment{Name: m.Name, At: k.moments[n].leaf.instant(v)})
	}
	r.Contract = ""
	if k.contract != nil {
		v, err := k.contract.one()
		if err != nil {
			return err
		}
		k.id = k.contract.leaf.canonical(k.id[:0], v)
		r.Contract = string(k.id)
	}
	v, err := k.record.one()
	if err != nil {
		return err
	}
	r.id = k.record.leaf.canonical(r.id[:0], v)
	return nil
}

// check audits the file: its decisions, with the exclusions and the subject index that
// follow from them, then the data.
func (a *fileAudit) check(ctx context.Context, w *facts) error {
	a.w = w
	if err := a.open(ctx); isUnreadable(err) {
		a.found.of(a.input(), "cannot be read: %v", err)
		return nil
	} else if err != nil {
		return err
	}
	defer a.in.close()
	if read, err := a.decide(ctx); err != nil || !read {
		return err
	}
	a.checkSums()
	if err := a.checkData(ctx); err != nil {
		return err
	}
	a.checked.Files++
	return a.in.bytes.Unchanged(ctx)
}

// decide decides every record and compares exclusions and subjects. It reports
// whether all keys could be read.
func (a *fileAudit) decide(ctx context.Context) (read bool, err error) {
	excluded, err := a.openExclusions(ctx)
	if err != nil {
		return false, err
	}
	defer excluded.close()
	sums, again := newPairSums(a.in.rows()), newRecount()
	a.kept = newBitmap(a.in.rows())
	k := a.openKeys()
	defer a.closeKeys(k)
	var r auditRecord
	w := a.w
	for row := range a.in.rows() {
		if err := a.next(k, &r); err != nil {
			return false, a.fail(ctx, row, err)
		}
		e := w.world.Explain(&r.Record)
		a.count(again, &r, e.Reasons)
		if e.Reasons.Kept() {
			a.kept.set(row)
			a.total++
		} else {
			a.reasons[e.Reasons.Primary()]++
			if err := excluded.expect(ctx, a.exclusionOf(row, &r, e.Reasons)); err != nil {
				return false, err
			}
		}
		sums.expect(row, e.Reasons.Kept(), r.named)
		a.checked.Decisions++
	}
	if err := excluded.end(ctx); err != nil {
		return false, err
	}
	a.again = again
	return true, a.compareSubjects(ctx, sums)
}

// checkSums compares what was decided with the run manifest's counts.
func (a *fileAudit) checkSums() {
	if a.total != a.m.RowsKept || a.in.rows() != a.m.RowsIn {
		a.found.of(a.m.Output, "the rules keep %d of %d rows, the run manifest has %d of %d", a.total, a.in.rows(), a.m.RowsKept, a.m.RowsIn)
	}
	for i, n := range a.reasons {
		if got := a.m.ExcludedByReason[i]; got != n {
			a.found.of(a.m.Output, "%d rows are excluded for %s, the run manifest has %d", n, schema.Reason(i), got)
		}
	}
}

// exclusionOf works out what the exclusion manifest has to say of a record
// (contract.md, "Exclusion manifest").
func (a *fileAudit) exclusionOf(row int64, r *auditRecord, reasons schema.Reasons) *exclusion {
	e := &exclusion{
		record: string(r.id), file: a.m.Source, row: row,
		reason: reasons.Primary().String(), reasons: reasons.Strings(),
		moment: a.w.world.When(&r.Record, reasons.Primary()),
	}
	for _, x := range r.named {
		s := exclusionSubject{role: a.d.Roles()[x.role].Name, since: schema.Unknown}
		if x.account != nil {
			s.ref = x.account.ref.String()
		}
		cause, since, request := a.causeOf(r, x)
		if cause != "" {
			s.cause, s.since = cause, since
		}
		if cause == schema.DeletionRequested.String() && e.request == "" {
			e.request = request
		}
		e.subjects = append(e.subjects, s)
	}
	return e
}

// causeOf says whether an account is a cause of the exclusion, the first of those that
// it is, and the instant of the event that made it so.
func (a *fileAudit) causeOf(r *auditRecord, x namedAccount) (cause string, since schema.Instant, request string) {
	world := a.w.world
	if x.account == nil { // only parties come without
		return schema.PartyUnknown.String(), schema.Unknown, ""
	}
	id := x.account.id
	if requests := world.Deletions[id]; len(requests) > 0 {
		d := earliest(requests)
		return schema.DeletionRequested.String(), d.RequestedAt, d.Request
	}
	if !x.party {
		return "", schema.Unknown, ""
	}
	if world.Registry != nil && !world.Registry[id] {
		return schema.PartyUnknown.String(), schema.Unknown, ""
	}
	for _, m := range r.Moments {
		if a.outAt(id, m.At) {
			return schema.PartyOptedOut.String(), world.Since(id, a.d.Category, m.At), ""
		}
	}
	return "", schema.Unknown, ""
}

// outAt reports whether an account is out at an instant about which anything is known.
func (a *fileAudit) outAt(id schema.AccountID, at schema.Instant) bool {
	world := a.w.world
	return at != schema.Unknown && at < world.Policy.Horizon && world.StateAt(id, a.d.Category, at) == schema.OptedOut
}

// earliest is the request that counts of several by one account: the earliest, at one
// instant that with the smallest id; one without an instant only if there is no other.
func earliest(requests []filter.Deletion) filter.Deletion {
	return slices.MinFunc(requests, func(x, y filter.Deletion) int {
		if (x.RequestedAt == schema.Unknown) != (y.RequestedAt == schema.Unknown) {
			return -cmp.Compare(x.RequestedAt, y.RequestedAt) // Unknown is the least instant
		}
		return cmp.Or(cmp.Compare(x.RequestedAt, y.RequestedAt), cmp.Compare(x.Request, y.Request))
	})
}
