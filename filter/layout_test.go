package filter

import (
	"errors"
	"testing"

	"assent/schema"
)

// TestFlagsApart checks that each category has a flag of its own, and that no other flag
// is among them.
func TestFlagsApart(t *testing.T) {
	all := flagRegistered | flagDeleted | flagHistory | flagMember
	for _, c := range schema.Categories() {
		flag := flagTimeline << c
		if flag == 0 || all&flag != 0 {
			t.Errorf("the flag of %s is another's, too", c)
		}
		all |= flag
		if k := eventKind(c)<<kindCategory | eventKind(schema.OptedIn) | kindSequenced; k.category() != c || k.state() != schema.OptedIn || !k.sequenced() {
			t.Errorf("an event of %s is one of %s", c, k.category())
		}
	}
}

// TestNoSuchCategory checks that a category which the index has no place for cannot
// reach it. It would read and write the flags and timelines of others.
func TestNoSuchCategory(t *testing.T) {
	for _, c := range []schema.Category{schema.NumCategories, schema.NumCategories + 1, 255} {
		b := NewBuilder()
		a, err := b.Account([]byte("a"))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Event(a, c, schema.OptedOut, 1, Sequence{}); !errors.Is(err, ErrNoCategory) {
			t.Errorf("an event of category %d: %v", c, err)
		}
		b.UseRegistry() // a is not in it
		x := b.Freeze(Policy{Start: 1, Horizon: 100, Default: schema.OptedIn})
		func() {
			defer func() { _ = recover() }()
			out := make([]schema.Reasons, 1)
			x.Decider(c).Decide(&Rows{Len: 1, Parties: []Accounts{{IDs: []Account{a}}}, Moments: [][]schema.Instant{{50}}}, out)
			t.Errorf("category %d: decided %v", c, out[0].Strings())
		}()
	}
}
