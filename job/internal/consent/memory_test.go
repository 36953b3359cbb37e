package consent

import (
	"testing"

	"assent/filter"
	"assent/job/jobtest/liveheap"
	"assent/schema"
)

// TestStoreMemory: storing an index lets go of what finds accounts by their ids, and takes 20 bytes an account at a time: its reference and
// its place, or its place, its form and its mark.
func TestStoreMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("stores an index of many accounts")
	}
	if !liveheap.Alone(t) {
		return
	}
	const accounts = 600_000
	const lookup = 8 << 20 // slots of 8 bytes
	for attempt := 1; ; attempt++ {
		built := builtOf(t, accounts)
		out := open(t, t.TempDir(), nil)
		took := (liveheap.Peak(func() { store(t, built, out) }) + lookup) / accounts
		t.Logf("%.1f bytes an account", took)
		if took <= 25.5 { // a part is the collector's
			return
		}
		if attempt == 3 {
			t.Fatalf("storing takes %.1f bytes an account", took)
		}
	}
}

func builtOf(t *testing.T, accounts int) *Built {
	b := filter.NewBuilder()
	for i := range accounts {
		a, err := b.Account(id(i))
		if err == nil {
			err = b.Event(a, schema.Communications, schema.OptedOut, schema.Instant(i+1), filter.Sequence{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return New(b.Freeze(filter.Policy{Start: 1, Horizon: schema.Forever, Default: schema.OptedIn}), key)
}
