package run

import (
	"fmt"
	"strings"
	"testing"

	"assent/filter"
	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/consent"
	"assent/job/internal/source"
	"assent/job/parquet"
	"assent/manifests"
	"assent/schema"
)

// newRole returns the first role of a file, whose ids are texts, beside a history.
func newRole(x *consent.Lookup, key *manifests.Key) *roleAccounts {
	return &roleAccounts{join: source.NewJoinCounter(x.Accounts()), fileAccounts: &fileAccounts{
		index: x, near: source.NewNearSeen(x.NearAccounts), table: manifests.NewAccounts(key.NewReferrer()),
	}}
}

// joined is a plan and a result whose one party role names the accounts from lo to hi, of a
// history that names those from 0 to history.
func joined(t *testing.T, history, lo, hi int) (*planned, []*total) {
	t.Helper()
	id := func(i int) []byte { return fmt.Appendf(nil, "id-%d", i) }
	b := filter.NewBuilder()
	for i := range history {
		a, err := b.Account(id(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Event(a, schema.Platform, schema.OptedOut, 1, filter.Sequence{}); err != nil {
			t.Fatal(err)
		}
	}
	key := new(manifests.Key)
	index := consent.New(b.Freeze(filter.Policy{}), key)
	x := index.Lookup()
	role := newRole(x, key)
	for range 2 {
		for i := lo; i < hi; i++ {
			_, handles := role.lookup(nil, nil, parquet.Bytes{Data: id(i), Ends: []uint32{uint32(len(id(i)))}})
			role.count(handles[0])
		}
	}
	d := Dataset{Dataset: schema.Dataset{Name: "d", Parties: []schema.Role{{Name: "actor"}}}}
	sum, join := newTotal(&d, x.Facts), role.join.Join()
	if err := sum.joins[0].Add(&join); err != nil {
		t.Fatal(err)
	}
	return &planned{listing: index.Listing(), Plan: Plan{Datasets: []Dataset{d}}}, []*total{sum}
}

func TestAccountGate(t *testing.T) {
	for _, c := range []struct {
		name            string
		history, lo, hi int
		limit           float64
		refused         string
	}{
		{"nothing joins", 10, 10, 20, 0.001, "only 0 are the same"},
		{"nothing joins, gate off", 10, 10, 20, 0, ""},
		{"one joins", 10, 9, 20, 0.001, ""},
		{"one of ten is too few", 10, 9, 20, 0.2, "only 1 are the same"},
		{"no history", 0, 0, 20, 0.001, ""},
		{"no parties", 10, 0, 0, 0.001, ""},
		{"share of the smaller set", 5000, 4990, 5000, 0.9, ""},
	} {
		plan, total := joined(t, c.history, c.lo, c.hi)
		plan.Gates = config.Gates{MinAccountMatch: c.limit, MaxExcluded: 1}
		gates, _, err := checkGates(plan, total)
		exit, _ := job.Explain(err)
		if c.refused == "" && err != nil || c.refused != "" && (exit != job.ExitRefused || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s: %v", c.name, err)
		}
		if gates[0].Name != manifests.GateAccountMatch || gates[0].Passed != (c.refused == "") {
			t.Errorf("%s: %+v", c.name, gates[0])
		}
	}
}

// TestAccountGateByRole has two roles, of which one joins and one does not: the first
// does not vouch for the second.
func TestAccountGateByRole(t *testing.T) {
	plan, good := joined(t, 5000, 0, 5000)
	_, bad := joined(t, 5000, 5000, 10000)
	plan.Gates = config.Gates{MinAccountMatch: 0.001, MaxExcluded: 1}
	plan.Datasets[0].Parties = append(plan.Datasets[0].Parties, schema.Role{Name: "client"})
	good[0].joins = append(good[0].joins, bad[0].joins...)
	_, _, err := checkGates(plan, good)
	if exit, _ := job.Explain(err); exit != job.ExitRefused || !strings.Contains(err.Error(), "d, client: ") {
		t.Error(err)
	}
}
