package filter_test

import (
	"bytes"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"assent/filter"
	"assent/schema"
)

// TestState: where two indexes give all accounts and the contract of a record the same state before an instant, they
// decide alike on a record whose moments are all before it, and find the same causes.
func TestState(t *testing.T) {
	same, different, changed := 0, 0, 0
	random := rand.New(rand.NewPCG(7, 8))
	for n := range twoNights(t, 3, 60_000) {
		d, s, x, y, before := n.dice, n.scene, n.x, n.y, n.before
		if random.IntN(2) == 0 {
			before = min(before, schema.Instant(random.IntN(100)))
		}
		c := schema.Category(d.roll(schema.NumCategories))
		rest := slices.Clone(d.b)
		records, rows := newRecords(&dice{rest}, x, c)
		_, others := newRecords(&dice{rest}, y, c)
		got, want := make([]schema.Reasons, rows.Len), make([]schema.Reasons, rows.Len)
		x.Decider(c).Decide(rows, got)
		y.Decider(c).Decide(others, want)
		for i, r := range records {
			if !decidedBefore(r, before) {
				continue
			}
			if !sameState(x, y, r, before) {
				different++
				continue
			}
			same++
			if s.world.Policy != y.Policy() {
				changed++
			}
			fx, fy := x.Decider(c).Findings(rows, i, nil), y.Decider(c).Findings(others, i, nil)
			for k := range fx {
				fx[k].Account, fy[k].Account = 0, 0 // numbers differ from index to index
			}
			if got[i] != want[i] || !slices.Equal(fx, fy) {
				t.Fatalf("%v and %v, %+v and %+v, before %v\n%+v", got[i].Strings(), want[i].Strings(), fx, fy, before, *r)
			}
			if !got[i].Kept() && x.Decider(c).When(rows, i, got[i].Primary()) != y.Decider(c).When(others, i, want[i].Primary()) {
				t.Fatalf("%v holds at different moments", got[i].Primary())
			}
		}
	}
	if same < 10_000 || different < 5_000 || changed < 5_000 {
		t.Errorf("%d records of the same state, %d of another, %d at another horizon: the test shows little", same, different, changed)
	}
}

// nights are the indexes of a scene and of what became of it.
type nights struct {
	*dice  // for more
	scene  *scene
	x, y   *filter.Index
	before schema.Instant // the earlier of their horizons
}

// twoNights rolls scenes and what becomes of them, so many times. It leaves out what contradicts itself, or has a registry on one
// night alone.
func twoNights(t *testing.T, seed uint64, times int) iter.Seq[nights] {
	return func(yield func(nights) bool) {
		random := rand.New(rand.NewPCG(seed, seed+1))
		for range times {
			data := make([]byte, 400)
			for i := range data {
				data[i] = byte(random.Uint32())
			}
			d := &dice{data}
			s := newScene(d)
			x, err := s.index(s.world.Policy, nil)
			if err != nil {
				t.Fatal(err)
			}
			y := later(t, s, d)
			if y == nil || x.HasRegistry() != y.HasRegistry() {
				continue
			}
			if !yield(nights{d, s, x, y, min(x.Policy().Horizon, y.Policy().Horizon)}) {
				return
			}
		}
	}
}

// later returns an index of the scene with more facts, some less, and another horizon; nil where the facts contradict each other.
func later(t *testing.T, s *scene, d *dice) *filter.Index {
	t.Helper()
	more := newScene(d)
	next := &scene{world: s.world, tell: slices.Clone(s.tell)}
	for range d.roll(3) {
		if len(more.tell) > 0 {
			next.tell = append(next.tell, more.tell[d.roll(len(more.tell))])
		}
	}
	if len(next.tell) > 0 && d.roll(4) == 0 {
		i := d.roll(len(next.tell))
		next.tell = slices.Delete(next.tell, i, i+1)
	}
	policy := s.world.Policy
	policy.Horizon = schema.Instant(100 - d.roll(9)*10)
	x, err := next.index(policy, nil)
	if err != nil {
		return nil
	}
	return x
}

func decidedBefore(r *filter.Record, before schema.Instant) bool {
	for _, m := range r.Moments {
		if m.At != schema.Unknown && m.At >= before {
			return false
		}
	}
	return true
}

// TestChanged: the accounts and contracts of whose state two stored indexes do not say the same are those whose states differ, and
// they do not before the instant that is told.
func TestChanged(t *testing.T) {
	found, later := 0, 0
	// told reports whether there is a change, which must be one before the horizon and none before its own instant.
	told := func(all []filter.Change, id string, differ func(before schema.Instant) bool, start schema.Instant) bool {
		i := slices.IndexFunc(all, func(c filter.Change) bool { return c.Ref == refOf([]byte(id)) })
		if i < 0 {
			return false
		}
		from := all[i].From
		if from != schema.Unknown {
			later++
		}
		if from == schema.Unknown && !differ(start) || from != schema.Unknown && (differ(from) || !differ(from+1)) {
			t.Fatalf("%s: it is said to have changed from %v on", id, int64(from))
		}
		return true
	}
	for n := range twoNights(t, 5, 5000) {
		x, y, before := n.x, n.y, n.before
		sx, sy := storedOf(t, x).Stored, storedOf(t, y).Stored
		accounts, contracts := filter.Changed(sx, sy, before)
		for _, id := range []string{"a", "b", "c", "d", "ab"} {
			ref := refOf([]byte(id))
			differs := func(before schema.Instant) bool {
				return !bytes.Equal(x.AppendState(nil, x.Account([]byte(id)), before), y.AppendState(nil, y.Account([]byte(id)), before))
			}
			differ := differs(before)
			if told(accounts, id, differs, x.Policy().Start) != differ {
				t.Fatalf("%s: %v, want %v", id, !differ, differ)
			}
			if differ {
				found++
			}
			lo, hi := sx.WithKey(ref.Key())
			if is := sx.AppendAccounts(nil, []filter.Ref{ref})[0]; is == filter.Absent && lo != hi || is != filter.Absent && (hi != lo+1 || sx.Same(lo) != is) {
				t.Fatalf("%s: account %d, by its key [%d,%d)", id, is, lo, hi)
			}
		}
		for _, id := range []string{"k", "l"} {
			state := func(x *filter.Index, before schema.Instant) []byte {
				if c := x.Contract([]byte(id)); c >= 0 {
					return x.AppendRestrictions(nil, c, before)
				}
				return nil
			}
			differs := func(before schema.Instant) bool { return !bytes.Equal(state(x, before), state(y, before)) }
			if differ := differs(before); told(contracts, id, differs, x.Policy().Start) != differ {
				t.Fatalf("contract %s: %v, want %v", id, !differ, differ)
			}
		}
	}
	if found < 1000 || later < 300 {
		t.Errorf("only %d states differed, %d from some instant on", found, later)
	}
}

func sameState(x, y *filter.Index, r *filter.Record, before schema.Instant) bool {
	for _, s := range slices.Concat(r.Parties, r.Subjects) {
		id := []byte(string(s.ID))
		if !bytes.Equal(x.AppendState(nil, x.Account(id), before), y.AppendState(nil, y.Account(id), before)) {
			return false
		}
	}
	restrictions := func(x *filter.Index) []byte {
		if c := x.Contract([]byte(r.Contract)); c != filter.Unrestricted {
			return x.AppendRestrictions(nil, c, before)
		}
		return nil
	}
	return bytes.Equal(restrictions(x), restrictions(y))
}
