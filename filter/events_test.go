package filter

import (
	"assent/schema"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAliasesMoveEvents holds that an alias's events are its account's also where they
// are many, packed, and in another block of accounts.
func TestAliasesMoveEvents(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	build := func(aliases bool) *Index {
		b := NewBuilder()
		ids := make([]Account, 2*blockAccounts)
		for i := range ids {
			a, err := b.Account(fmt.Appendf(nil, "%d", i))
			if err != nil {
				t.Fatal(err)
			}
			ids[i] = a
		}
		r = rand.New(rand.NewPCG(5, 6))
		for range 5 * chunkEvents {
			alias := r.IntN(3)
			a := ids[alias] // of the first block
			if !aliases {
				a = ids[len(ids)-1-alias]
			}
			at, state, seq := schema.Instant(r.Int64N(1e6)), schema.State(r.IntN(2)), Sequence{N: r.Int64N(10), Valid: r.IntN(2) == 0}
			if err := b.Event(a, schema.Category(r.IntN(schema.NumCategories)), state, at, seq); err != nil {
				t.Fatal(err)
			}
		}
		if aliases {
			for alias := range 3 {
				if err := b.Alias(ids[alias], ids[len(ids)-1-alias]); err != nil {
					t.Fatal(err)
				}
			}
		}
		return b.Freeze(Policy{Horizon: schema.Forever})
	}
	want, got := build(false), build(true)
	for alias := range 3 {
		a := Account(2*blockAccounts - 1 - alias)
		if got.Same(Account(alias)) != a {
			t.Errorf("alias %d is account %d, not %d", alias, got.Same(Account(alias)), a)
		}
		for _, c := range schema.Categories() {
			if len(want.timeline(a, c)) < 100 || !slices.Equal(got.timeline(a, c), want.timeline(a, c)) {
				t.Errorf("account %d, %s: %d flips, want %d", a, c, len(got.timeline(a, c)), len(want.timeline(a, c)))
			}
		}
	}
}
