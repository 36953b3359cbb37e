package filter_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"assent/filter"
	"assent/schema"
)

// dice turns bytes of a fuzzer into choices; out of bytes it says 0.
type dice struct{ b []byte }

func (d *dice) roll(n int) int {
	if len(d.b) == 0 {
		return 0
	}
	v := int(d.b[0]) % n
	d.b = d.b[1:]
	return v
}

// instant picks from a few instants close together, so that ties and exact
// boundaries are common, and from the ends of time.
func (d *dice) instant() schema.Instant {
	switch v := d.roll(16); v {
	case 14:
		return schema.Earliest
	case 15:
		return schema.Forever
	default:
		return schema.Instant(v * 10)
	}
}

func (d *dice) moment() schema.Instant {
	if d.roll(5) == 0 {
		return schema.Unknown
	}
	return d.instant() + schema.Instant(d.roll(2))*schema.Instant(d.roll(2))
}

func (d *dice) id() schema.AccountID {
	return schema.AccountID([]string{"", "a", "b", "c", "d", "ab"}[d.roll(6)])
}

// scene is a world and the same facts for a builder, in the order told.
type scene struct {
	world filter.World
	tell  []func(b *filter.Builder) error
}

func (s *scene) index(policy filter.Policy, shuffle *rand.Rand) (*filter.Index, error) {
	tell := slices.Clone(s.tell)
	if shuffle != nil {
		shuffle.Shuffle(len(tell), func(i, j int) { tell[i], tell[j] = tell[j], tell[i] })
	}
	b := filter.NewBuilder()
	for _, f := range tell {
		if err := f(b); err != nil {
			return nil, err
		}
	}
	return b.Freeze(policy), nil
}

func newScene(d *dice) *scene {
	s := &scene{world: filter.World{
		Policy:       filter.Policy{Start: schema.Instant(20 + d.roll(3)*10), Horizon: schema.Instant(100 - d.roll(9)*10), Default: schema.State(1 - d.roll(4)/3)},
		Events:       map[schema.AccountID][]filter.Event{},
		Deletions:    map[schema.AccountID][]filter.Deletion{},
		Restrictions: map[string][]schema.Span{},
	}}
	w := &s.world
	w.Aliases = newAliases(d, s)
	for range d.roll(24) {
		id := d.id()
		if id == "" {
			continue
		}
		e := filter.Event{Category: schema.Category(d.roll(schema.NumCategories)), State: schema.State(d.roll(2)), At: d.instant()}
		if d.roll(4) > 0 {
			e.Sequence = filter.Sequence{N: int64(d.roll(4)) - 1, Valid: true}
		}
		w.Events[w.Account(id)] = append(w.Events[w.Account(id)], e)
		s.tell = append(s.tell, func(b *filter.Builder) error {
			return b.Event(account(b, id), e.Category, e.State, e.At, e.Sequence)
		})
	}
	for i := range d.roll(3) {
		if id := d.id(); id != "" {
			del := filter.Deletion{RequestedAt: d.moment(), Request: fmt.Sprint(i)}
			w.Deletions[w.Account(id)] = append(w.Deletions[w.Account(id)], del)
			s.tell = append(s.tell, func(b *filter.Builder) error { b.Delete(account(b, id), del); return nil })
		}
	}
	for range d.roll(4) {
		contract, from := []string{"k", "l"}[d.roll(2)], d.instant()
		if until := d.instant(); from <= until {
			span := schema.Span{From: from, Until: until}
			w.Restrictions[contract] = append(w.Restrictions[contract], span)
			s.tell = append(s.tell, func(b *filter.Builder) error { return b.Restrict([]byte(contract), span) })
		}
	}
	if d.roll(3) == 0 {
		w.Registry = map[schema.AccountID]bool{}
		s.tell = append(s.tell, func(b *filter.Builder) error { b.UseRegistry(); return nil })
		for range d.roll(8) {
			if id := d.id(); id != "" {
				w.Registry[w.Account(id)] = true
				s.tell = append(s.tell, func(b *filter.Builder) error { b.Register(account(b, id)); return nil })
			}
		}
	}
	newMembers(d, s)
	return s
}

// newAliases rolls aliases. What one formulation takes, the other has to take.
func newAliases(d *dice, s *scene) *filter.Aliases {
	if d.roll(2) == 0 {
		return nil
	}
	l, b := filter.NewAliases(), filter.NewBuilder()
	for range d.roll(6) {
		alias, of := d.id(), d.id()
		if alias == "" || of == "" {
			continue
		}
		slow, fast := l.Add(alias, of), b.Alias(account(b, alias), account(b, of))
		if slow != fast {
			panic(fmt.Sprintf("alias %s of %s: %v and %v", alias, of, slow, fast))
		}
		if slow == nil {
			s.tell = append(s.tell, func(b *filter.Builder) error { return b.Alias(account(b, alias), account(b, of)) })
		}
	}
	return l
}

func newMembers(d *dice, s *scene) {
	s.world.Memberships = map[schema.AccountID][]filter.Membership{}
	if d.roll(2) == 0 {
		return
	}
	for range d.roll(6) {
		id, of, from, until := d.id(), d.id(), d.instant(), d.instant()
		if id == "" || of == "" || until < from {
			continue
		}
		span := schema.Span{From: from, Until: until}
		member := s.world.Account(id)
		s.world.Memberships[member] = append(s.world.Memberships[member], filter.Membership{Span: span, Organisation: of})
		s.tell = append(s.tell, func(b *filter.Builder) error { return b.Member(account(b, id), account(b, of), span) })
	}
}

// index is an index in either form.
type index interface {
	Account(id []byte) filter.Account
	Contract(id []byte) filter.Contract
	Decider(c schema.Category) *filter.Decider
	Deletion(a filter.Account) (filter.Deletion, bool)
}

// newRecords rolls records whose second party role and second subject role are lists.
func newRecords(d *dice, x index, c schema.Category) ([]*filter.Record, *filter.Rows) {
	n := 1 + d.roll(6)
	rows := &filter.Rows{
		Len:      n,
		Parties:  []filter.Accounts{{}, {Offsets: []int32{0}}},
		Subjects: []filter.Accounts{{}, {Offsets: []int32{0}}},
		Moments:  make([][]schema.Instant, 2),
	}
	if d.roll(2) == 0 {
		rows.Stated = []schema.Reasons{}
	}
	var records []*filter.Record
	flat := func(a *filter.Accounts, role string) []filter.Subject {
		id := d.id()
		a.IDs = append(a.IDs, x.Account([]byte(string(id))))
		return []filter.Subject{{Role: role, ID: id}}
	}
	list := func(a *filter.Accounts, role string) (out []filter.Subject) {
		for range d.roll(4) {
			out = append(out, flat(a, role)...)
		}
		a.Offsets = append(a.Offsets, int32(len(a.IDs)))
		return out
	}
	for range n {
		r := &filter.Record{Category: c}
		r.Parties = flat(&rows.Parties[0], "first")
		members := list(&rows.Parties[1], "member")
		if len(members) == 0 {
			members = []filter.Subject{{Role: "member"}}
		}
		r.Parties = append(r.Parties, members...)
		r.Subjects = append(flat(&rows.Subjects[0], "sender"), list(&rows.Subjects[1], "reader")...)
		for m, name := range []string{"made", "edited"} {
			at := d.moment()
			rows.Moments[m] = append(rows.Moments[m], at)
			r.Moments = append(r.Moments, filter.Moment{Name: name, At: at})
		}
		r.Contract = []string{"", "k", "l", "m"}[d.roll(4)]
		rows.Contract = append(rows.Contract, x.Contract([]byte(r.Contract)))
		if rows.Stated != nil {
			r.Private, r.SourceDeleted = d.roll(3) == 0, d.roll(3) == 0
			rows.Stated = append(rows.Stated, stated(r))
		}
		records = append(records, r)
	}
	return records, rows
}

// stated is what the source states of the record, as the fast path is told.
func stated(r *filter.Record) (set schema.Reasons) {
	if r.Private {
		set |= schema.PrivateRecord.Set()
	}
	if r.SourceDeleted {
		set |= schema.SourceDeleted.Set()
	}
	return set
}

// agree holds the fast path against the slow one over everything that the bytes roll,
// and returns the reasons that held for some record.
func agree(t *testing.T, data []byte) (held schema.Reasons) {
	d := &dice{data}
	s := newScene(d)
	w := &s.world
	x, err := s.index(w.Policy, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := schema.Category(d.roll(schema.NumCategories))
	stored := storedOf(t, x)
	for form, x := range map[string]index{"built": x, "stored": stored} {
		dice := &dice{d.b}
		records, rows := newRecords(dice, x, c)
		held |= agreeRecords(t, form, w, x, records, rows)
		agreeRuns(t, dice, x, records, rows)
		agreeAlike(t, dice, x, records, rows)
	}
	agreeShuffled(t, s, stored, data)
	return held
}

func agreeRecords(t *testing.T, form string, w *filter.World, x index, records []*filter.Record, rows *filter.Rows) (held schema.Reasons) {
	got := make([]schema.Reasons, rows.Len)
	decider := x.Decider(records[0].Category)
	decider.Decide(rows, got)
	for i, r := range records {
		e := w.Explain(r)
		if e.Reasons != got[i] {
			t.Fatalf("%s, record %d: Decide %v, Explain %v\n%+v\n%+v", form, i, got[i].Strings(), e.Reasons.Strings(), *r, e.Rules)
		}
		held |= got[i]
		if got[i].Kept() {
			continue
		}
		why := got[i].Primary()
		want := slowWhen(w, r, why)
		if fast, slow := decider.When(rows, i, why), w.When(r, why); fast != want || slow != want {
			t.Fatalf("%s, record %d: %s holds at %v and %v, want %v", form, i, why, fast, slow, want)
		}
		findings := decider.Findings(rows, i, nil)
		agreeFindings(t, w, r, findings)
		for _, f := range findings {
			if d, ok := x.Deletion(f.Account); ok != (f.Cause == schema.DeletionRequested.Set()) || ok && d.RequestedAt != f.Since {
				t.Fatalf("%s, record %d: the request of %+v is %+v", form, i, f, d)
			}
		}
	}
	return held
}

// slowWhen asks Explain about each moment alone.
func slowWhen(w *filter.World, r *filter.Record, why schema.Reason) schema.Instant {
	if why.Timed() {
		for _, m := range r.Moments {
			alone := *r
			alone.Moments = []filter.Moment{m}
			if w.Explain(&alone).Reasons.Has(why) {
				return m.At
			}
		}
	}
	return r.Moments[0].At
}

// slowOut reports whether an account is out, or else an organisation of it, and since when.
func slowOut(w *filter.World, id schema.AccountID, c schema.Category, t schema.Instant) (out bool, since schema.Instant) {
	if w.StateAt(id, c, t) == schema.OptedOut {
		return true, w.Since(id, c, t)
	}
	for _, m := range w.Memberships[w.Account(id)] {
		if m.Contains(t) && w.StateAt(m.Organisation, c, t) == schema.OptedOut {
			if s := w.Since(m.Organisation, c, t); !out || s < since {
				out, since = true, s
			}
		}
	}
	return out, since
}

func agreeFindings(t *testing.T, w *filter.World, r *filter.Record, got []filter.Finding) {
	var want []filter.Finding
	for n, s := range slices.Concat(r.Parties, r.Subjects) {
		party := n < len(r.Parties)
		if s.ID == "" && !party {
			continue
		}
		f := filter.Finding{Since: schema.Unknown}
		alone := *r
		alone.Subjects = nil
		alone.Parties = []filter.Subject{s}
		reasons := w.Explain(&alone).Reasons
		if !party {
			reasons &= schema.DeletionRequested.Set()
		}
		for _, cause := range []schema.Reason{schema.DeletionRequested, schema.PartyUnknown, schema.PartyOptedOut} {
			if reasons.Has(cause) {
				f.Cause = cause.Set()
				break
			}
		}
		switch f.Cause {
		case schema.DeletionRequested.Set():
			for _, d := range w.Deletions[w.Account(s.ID)] {
				if f.Since == schema.Unknown || d.RequestedAt != schema.Unknown && d.RequestedAt < f.Since {
					f.Since = d.RequestedAt
				}
			}
		case schema.PartyOptedOut.Set():
			for _, m := range r.Moments {
				if m.At == schema.Unknown || m.At >= w.Policy.Horizon {
					continue
				}
				if out, since := slowOut(w, s.ID, r.Category, m.At); out {
					f.Since = since
					break
				}
			}
		}
		want = append(want, f)
	}
	if len(got) != len(want) {
		t.Fatalf("%d findings, want %d: %+v", len(got), len(want), *r)
	}
	for i := range got {
		if got[i].Cause != want[i].Cause || got[i].Since != want[i].Since {
			t.Fatalf("finding %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

// agreeShuffled checks that neither the order of facts nor the numbering matters: what is
// stored of an index that was told the same in another order has the same bytes.
func agreeShuffled(t *testing.T, s *scene, stored storedIndex, data []byte) {
	y, err := s.index(s.world.Policy, rand.New(rand.NewPCG(uint64(len(data)), 7)))
	if err != nil {
		t.Fatal(err)
	}
	if other := storedOf(t, y); !bytes.Equal(stored.data, other.data) {
		t.Fatal("the order of facts changes what is stored")
	}
}

func TestDecideAgreesWithExplain(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var held schema.Reasons
	for range 8000 {
		data := make([]byte, r.IntN(300))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		held |= agree(t, data)
	}
	for _, reason := range schema.AllReasons() {
		if !held.Has(reason) {
			t.Errorf("no record has the reason %s: newRecords has to make some", reason)
		}
	}
}

func FuzzDecideAgreesWithExplain(f *testing.F) {
	f.Add([]byte("a few bytes to start from, long enough to make a world of"))
	f.Fuzz(func(t *testing.T, data []byte) { agree(t, data) })
}
