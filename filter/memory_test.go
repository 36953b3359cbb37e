package filter_test

import (
	"testing"

	"assent/filter"
	"assent/job/jobtest/liveheap"
	"assent/schema"
)

// TestBuildMemory: what is live while an index is built is at most one and a half times the index. Where an account has so
// many events that the index is smaller than they are, packed, it is what they take.
func TestBuildMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("builds an index of a million events")
	}
	if !liveheap.Alone(t) {
		return
	}
	const events = 3_000_000
	for _, c := range []struct {
		name     string
		accounts int
		most     float64 // bytes, in bytes of the index
	}{{"few events an account", events * 2 / 5, 1.6}, {"many events an account", events / 12, 2.8}} { // a tenth is the collector's
		t.Run(c.name, func(t *testing.T) {
			for attempt := 1; ; attempt++ {
				ratio, ofTold := buildMemory(t, events, c.accounts)
				if ratio <= c.most && ofTold <= 1.5 {
					return
				}
				if attempt == 3 {
					t.Fatalf("building takes %.2f times the index, %.2f times what the builder said", ratio, ofTold)
				}
			}
		})
	}
}

// buildMemory builds an index and returns what was live at most, in sizes of the index and of
// what the builder said that it held.
func buildMemory(t *testing.T, events, accounts int) (ofIndex, ofTold float64) {
	var told int64
	var x *filter.Index
	most := liveheap.Peak(func() {
		b := filter.NewBuilder()
		history(b, events, accounts)
		told = b.Size().Freezing()
		x = b.Freeze(filter.Policy{Start: 1, Default: schema.OptedIn, Horizon: schema.Forever})
	})
	ofIndex, ofTold = most/float64(x.Size()), most/float64(told)
	t.Logf("%.1f bytes an event at most, the index has %.1f: %.2f; of what the builder said %.2f", most/float64(events), float64(x.Size())/float64(events), ofIndex, ofTold)
	return ofIndex, ofTold
}
