package manifests

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPostings: each account gets its runs in the order in which they were added, also where entries are dealt out in several goes.
func TestPostings(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var p postings
	for name, c := range map[string]struct {
		entries, accounts int
		goes              int // at least
	}{
		"none":             {0, 10, 0},
		"few":              {5, 10, 1},
		"one account":      {maxDealt + 100, 1, 1},
		"more than a deal": {maxDealt + maxDealt/2, 5000, 2},
		"fewer accounts":   {1000, 7, 1},
	} {
		p.clear()
		want, row := make([][]run, c.accounts), uint32(0)
		for range c.entries {
			r := run{row, 1, uint8(rng.IntN(wideLabel))}
			if rng.IntN(50) == 0 {
				r.rows, r.label = uint32(1+rng.IntN(100)), uint8(rng.IntN(maxLabels))
			}
			a := rng.IntN(c.accounts)
			p.add(Account(a), r)
			want[a] = append(want[a], r)
			if rng.IntN(2) == 0 {
				row += uint32(rng.IntN(3 * maxDistance))
			}
		}
		counts := p.count(c.accounts)
		var order []ranked
		for _, a := range rng.Perm(c.accounts) {
			if counts[a] > 0 {
				order = append(order, ranked{account: uint32(a)})
			}
		}
		goes := 0
		for len(order) > 0 {
			entries, n := p.deal(order)
			for _, r := range order[:n] {
				var got []run
				for _, e := range entries[:counts[r.account]] {
					got = append(got, p.run(e))
				}
				if entries = entries[counts[r.account]:]; !slices.Equal(got, want[r.account]) {
					t.Fatalf("%s: account %d: %d runs, want %d", name, r.account, len(got), len(want[r.account]))
				}
				want[r.account] = nil
			}
			if len(entries) > 0 {
				t.Fatalf("%s: %d entries of nobody", name, len(entries))
			}
			order = order[n:]
			goes++
		}
		if goes < c.goes || slices.ContainsFunc(want, func(runs []run) bool { return len(runs) > 0 }) {
			t.Errorf("%s: dealt in %d goes, or some runs are missing", name, goes)
		}
	}
}
