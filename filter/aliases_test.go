package filter_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"assent/filter"
	"assent/schema"
)

// TestAliases holds both lists of aliases to what may stand in one.
func TestAliases(t *testing.T) {
	for _, c := range []struct {
		name  string
		pairs []string // alias, account
		err   error    // of the last pair
	}{
		{"one", []string{"a", "b"}, nil},
		{"twice the same", []string{"a", "b", "a", "b"}, nil},
		{"a chain, from its start", []string{"a", "b", "b", "c", "c", "d"}, nil},
		{"a chain, from its end", []string{"c", "d", "b", "c", "a", "b"}, nil},
		{"two aliases of one", []string{"a", "c", "b", "c"}, nil},
		{"two ways", []string{"a", "b", "a", "c"}, filter.ErrTwoAccounts},
		{"two ways that meet", []string{"b", "c", "a", "b", "a", "c"}, filter.ErrTwoAccounts},
		{"itself", []string{"a", "a"}, filter.ErrAliasCycle},
		{"a cycle of two", []string{"a", "b", "b", "a"}, filter.ErrAliasCycle},
		{"a cycle of three", []string{"a", "b", "c", "a", "b", "c"}, filter.ErrAliasCycle},
	} {
		b, l := filter.NewBuilder(), filter.NewAliases()
		for i := 0; i < len(c.pairs); i += 2 {
			alias, of := schema.AccountID(c.pairs[i]), schema.AccountID(c.pairs[i+1])
			want := error(nil)
			if i+2 == len(c.pairs) {
				want = c.err
			}
			if err := b.Alias(account(b, alias), account(b, of)); !errors.Is(err, want) || err != nil && want == nil {
				t.Errorf("%s: builder: %v, want %v", c.name, err, want)
			}
			if err := l.Add(alias, of); !errors.Is(err, want) || err != nil && want == nil {
				t.Errorf("%s: list: %v, want %v", c.name, err, want)
			}
		}
	}
	for _, pair := range [][2]schema.AccountID{{"", "a"}, {"a", ""}} {
		if err := filter.NewAliases().Add(pair[0], pair[1]); !errors.Is(err, filter.ErrNoID) {
			t.Errorf("%q of %q: %v", pair[0], pair[1], err)
		}
	}
}

// TestLongChain has chains that a walk along them for each row would take minutes for.
func TestLongChain(t *testing.T) {
	const n = 200_000
	id := func(i int) schema.AccountID { return schema.AccountID(fmt.Sprint(i)) }
	for name, order := range map[string]func(i int) int{"from its start": func(i int) int { return i }, "from its end": func(i int) int { return n - 1 - i }} {
		b, l := filter.NewBuilder(), filter.NewAliases()
		for i := range n {
			at := order(i)
			if err := errors.Join(b.Alias(account(b, id(at)), account(b, id(at+1))), l.Add(id(at), id(at+1))); err != nil {
				t.Fatal(name, err)
			}
		}
		x := b.Freeze(filter.Policy{})
		if got, want := x.Account([]byte("0")), x.Account([]byte(string(id(n)))); got != want || string(x.ID(got)) != string(id(n)) {
			t.Errorf("%s: accounts %d and %d", name, got, want)
		}
		if l.Account("0") != id(n) || len(l.IDs("7")) != n+1 {
			t.Errorf("%s: %s, %d ids", name, string(l.Account("0")), len(l.IDs("7")))
		}
	}
}

// TestAliasesAreOne looks at all that an index tells of an account with two ids.
func TestAliasesAreOne(t *testing.T) {
	b := filter.NewBuilder()
	for _, e := range []struct {
		id schema.AccountID
		s  schema.State
		at schema.Instant
	}{{"old", schema.OptedOut, 10}, {"new", schema.OptedIn, 30}, {"older", schema.OptedOut, 50}} {
		if err := b.Event(account(b, e.id), schema.Communications, e.s, e.at, filter.Sequence{}); err != nil {
			t.Fatal(err)
		}
	}
	b.UseRegistry()
	b.Register(account(b, "older"))
	b.Delete(account(b, "new"), filter.Deletion{RequestedAt: 9, Request: "second"})
	b.Delete(account(b, "older"), filter.Deletion{RequestedAt: 8, Request: "first"})
	for _, pair := range [][2]schema.AccountID{{"older", "old"}, {"old", "new"}} {
		if err := b.Alias(account(b, pair[0]), account(b, pair[1])); err != nil {
			t.Fatal(err)
		}
	}
	x := b.Freeze(filter.Policy{Start: 0, Horizon: 100, Default: schema.OptedIn})
	many := x.AppendAccounts(nil, []byte("oldnewolder"), 0, []uint32{3, 6, 11})
	if want := x.Account([]byte("new")); !slices.Equal(many, []filter.Account{want, want, want}) {
		t.Errorf("accounts %v, want three times %d", many, want)
	}
	if d, ok := x.Deletion(many[0]); !ok || d.Request != "first" || !x.Registered(many[0]) || x.HistoryAccounts() != 1 {
		t.Errorf("deletion %+v, registered %t, %d accounts in the history", d, x.Registered(many[0]), x.HistoryAccounts())
	}
	told := map[string]filter.Fact{}
	for id := range filter.Account(x.Accounts()) {
		for _, f := range []filter.Fact{filter.OfHistory, filter.OfDeletions, filter.OfRegistry, filter.OfMembers, filter.OfAliases} {
			if x.Told(id, f) {
				told[string(x.ID(id))] |= f
			}
		}
	}
	if told["old"] != filter.OfHistory|filter.OfAliases || told["new"] != filter.OfHistory|filter.OfDeletions|filter.OfAliases ||
		told["older"] != filter.OfHistory|filter.OfDeletions|filter.OfRegistry|filter.OfAliases {
		t.Errorf("told %v", told)
	}
	moments := []schema.Instant{9, 10, 29, 30, 49, 50}
	out := make([]schema.Reasons, len(moments))
	parties := filter.Accounts{IDs: slices.Repeat(many[:1], len(moments))}
	x.Decider(schema.Communications).Decide(&filter.Rows{Len: len(out), Parties: []filter.Accounts{parties}, Moments: [][]schema.Instant{moments}}, out)
	for i, want := range []bool{false, true, true, false, false, true} {
		if out[i].Has(schema.PartyOptedOut) != want {
			t.Errorf("at %d: %v", moments[i], out[i].Strings())
		}
	}
}

// TestMemberships goes along a membership from before it to behind it.
func TestMemberships(t *testing.T) {
	b := filter.NewBuilder()
	member, organisation := account(b, "m"), account(b, "o")
	if err := errors.Join(
		b.Event(organisation, schema.Communications, schema.OptedOut, 5, filter.Sequence{}),
		b.Member(member, organisation, schema.Span{From: 20, Until: 40}),
		b.Member(member, account(b, "stays in"), schema.Span{From: 0, Until: schema.Forever}),
	); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		span schema.Span
		err  error
	}{
		{schema.Span{From: schema.Unknown, Until: 1}, filter.ErrNoInstant},
		{schema.Span{From: 1, Until: schema.Unknown}, filter.ErrNoInstant},
		{schema.Span{From: 2, Until: 1}, filter.ErrInverted},
	} {
		if err := b.Member(member, organisation, c.span); !errors.Is(err, c.err) {
			t.Errorf("%v: %v, want %v", c.span, err, c.err)
		}
	}
	x := b.Freeze(filter.Policy{Start: 0, Horizon: 100, Default: schema.OptedIn})
	moments := []schema.Instant{10, 19, 20, 39, 40, schema.Unknown}
	rows := &filter.Rows{Len: len(moments), Parties: []filter.Accounts{{IDs: slices.Repeat([]filter.Account{member}, len(moments))}}, Moments: [][]schema.Instant{slices.Repeat([]schema.Instant{1}, len(moments)), moments}}
	out := make([]schema.Reasons, len(moments))
	d := x.Decider(schema.Communications)
	d.Decide(rows, out)
	for i, want := range []bool{false, false, true, true, false, false} {
		if out[i].Has(schema.PartyOptedOut) != want {
			t.Errorf("at %v: %v", moments[i], out[i].Strings())
		}
	}
	f := d.Findings(rows, 2, nil)
	if len(f) != 1 || f[0].Account != member || f[0].Cause != schema.PartyOptedOut.Set() || f[0].Since != 5 {
		t.Errorf("%+v", f)
	}
	if when := d.When(rows, 3, schema.PartyOptedOut); when != 39 {
		t.Errorf("it holds at %v", when)
	}
	if out := make([]schema.Reasons, 1); true {
		other := &filter.Rows{Len: 1, Parties: []filter.Accounts{{IDs: []filter.Account{member}}}, Moments: [][]schema.Instant{{30}}}
		x.Decider(schema.Platform).Decide(other, out)
		if !out[0].Kept() {
			t.Errorf("another category: %v", out[0].Strings())
		}
	}
}
