package manifests

import (
	"fmt"
	"strings"
	"testing"

	"assent/schema"
)

// sinceRun is the run of the tests with a run before it.
func sinceRun() *Run {
	r := testRun()
	const before = "20261119T000000Z-0123456789ab"
	r.Invocation.Since = &Since{
		RunID: before, ManifestSHA256: strings.Repeat("e", 64), ConsentAsOf: r.ConsentAsOf.AddDate(0, 0, -1),
		Datasets: map[string]Changes{
			"messages": {KeptBefore: 7, ExcludedBefore: 2, NowExcluded: ReasonCounts{schema.PartyOptedOut: 2}, NowKept: ReasonCounts{schema.AfterHorizon: 1}, OtherReason: 1,
				New: FileCounts{Files: 1, Kept: 1, Excluded: 1}, Gone: FileCounts{Files: 1, Kept: 1}},
			"events": {},
		},
		Earlier: []EarlierRun{{RunID: before, Kept: 7, Excluded: 2, Change: Change{NowExcluded: 1}}},
	}
	return r
}

func TestSinceValidate(t *testing.T) {
	if err := sinceRun().Validate(); err != nil {
		t.Fatal(err)
	}
	edit := func(f func(*Changes)) func(*Run) {
		return func(r *Run) {
			c := r.Invocation.Since.Datasets["messages"]
			f(&c)
			r.Invocation.Since.Datasets["messages"] = c
		}
	}
	for name, change := range map[string]func(*Run){
		"no run":          func(r *Run) { r.Invocation.Since.RunID = "" },
		"itself":          func(r *Run) { r.Invocation.Since.RunID, r.Invocation.Since.Earlier[0].RunID = r.RunID, r.RunID },
		"a later run":     func(r *Run) { r.Invocation.Since.ConsentAsOf = r.ConsentAsOf.AddDate(0, 0, 1) },
		"no digest":       func(r *Run) { r.Invocation.Since.ManifestSHA256 = "" },
		"no earlier runs": func(r *Run) { r.Invocation.Since.Earlier = nil },
		"too many": func(r *Run) {
			s := r.Invocation.Since
			s.Earlier = append(make([]EarlierRun, MaxEarlier), s.Earlier...)
		},
		"another at last":   func(r *Run) { r.Invocation.Since.Earlier[0].RunID = "20261118T000000Z-0123456789ab" },
		"its sums":          func(r *Run) { r.Invocation.Since.Earlier[0].Kept++ },
		"its changes":       func(r *Run) { r.Invocation.Since.Earlier[0].Change.NewKept = -1 },
		"a data set lacks":  func(r *Run) { delete(r.Invocation.Since.Datasets, "events") },
		"kept before":       edit(func(c *Changes) { c.KeptBefore++ }),
		"excluded before":   edit(func(c *Changes) { c.ExcludedBefore++ }),
		"now excluded":      edit(func(c *Changes) { c.NowExcluded[schema.DeletionRequested]++ }),
		"now kept":          edit(func(c *Changes) { c.NowKept[schema.DeletionRequested]++ }),
		"new":               edit(func(c *Changes) { c.New.Kept++ }),
		"gone":              edit(func(c *Changes) { c.Gone.Excluded++ }),
		"a negative reason": edit(func(c *Changes) { c.NowKept[schema.DeletionRequested]--; c.NowKept[schema.PartyOptedOut]++ }),
	} {
		r := sinceRun()
		change(r)
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), "since") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRemember goes through more nights than a run remembers.
func TestRemember(t *testing.T) {
	r := sinceRun()
	for night := range 2 * MaxEarlier {
		all := r.Remember()
		last := all[len(all)-1]
		if want := min(night+2, MaxEarlier); len(all) != want || last.RunID != r.RunID || last.Kept != 6 || last.Excluded != 4 || last.Change != r.Invocation.Since.Change() {
			t.Fatalf("night %d: %d runs, want %d; the last: %+v", night, len(all), want, last)
		}
		next := testRun()
		next.RunID = fmt.Sprintf("20261121T%06dZ-0123456789ab", night)
		next.Invocation.Since = &Since{RunID: r.RunID, Datasets: map[string]Changes{"messages": {NowKept: ReasonCounts{3: int64(night)}}}, Earlier: all}
		r = next
	}
}
