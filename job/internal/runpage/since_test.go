package runpage

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"assent/manifests"
	"assent/schema"
)

// nightly gives a run a history of so many runs before it, and columns that were changed.
func nightly(t *testing.T, m *made, runs int) {
	t.Helper()
	before := &manifests.Since{ManifestSHA256: strings.Repeat("9", 64), Datasets: map[string]manifests.Changes{}}
	last := manifests.EarlierRun{}
	for name, d := range m.run.Datasets {
		c := manifests.Changes{KeptBefore: d.RowsKept + 700 - 13 - 4, ExcludedBefore: d.RowsExcluded - 1700 + 13,
			NowExcluded: manifests.ReasonCounts{schema.DeletionRequested: 1500, schema.PartyOptedOut: 200}, NowKept: manifests.ReasonCounts{schema.AfterHorizon: 13},
			Gone: manifests.FileCounts{Files: 1, Kept: 0}, New: manifests.FileCounts{Files: 2, Kept: 1004}}
		before.Datasets[name] = c
		last.Kept += c.KeptBefore
		last.Excluded += c.ExcludedBefore
	}
	for i := range runs {
		at := m.run.ConsentAsOf.AddDate(0, 0, i-runs)
		e := manifests.EarlierRun{RunID: at.Format("20060102T150405Z") + fmt.Sprintf("-%012x", i), ConsentAsOf: at, Kept: 1000 + int64(i), Change: manifests.Change{NowExcluded: int64(i) * 90, NewKept: 1000}}
		if i == runs-1 {
			e.Kept, e.Excluded = last.Kept, last.Excluded
		}
		before.Earlier = append(before.Earlier, e)
		before.RunID, before.ConsentAsOf = e.RunID, at
	}
	m.run.Invocation.Since = before
	m.run.Invocation.ReusedFrom = map[string]string{}
	for _, d := range m.run.Datasets {
		m.run.Invocation.ReusedFrom[d.Files[0].Output] = before.RunID
	}
	d := m.run.Datasets["messages"]
	d.Transforms = []manifests.Transform{{Column: "body", Action: manifests.Redacted, Values: 31, Redactions: map[string]int64{"email": 1234, "link": 5}}, {Column: "sent_at", Action: manifests.Coarsened, To: "day", Values: 32}}
	d.Files[0].Transforms = d.Transforms
	m.run.Datasets["messages"] = d
}

// TestPageSince looks for what changed since the run before, for what was taken over from it, and for what was replaced.
func TestPageSince(t *testing.T) {
	for _, runs := range []int{1, manifests.MaxEarlier} {
		m := example(t)
		nightly(t, m, runs)
		page := m.page(t)
		since := m.run.Invocation.Since
		for _, want := range []string{
			since.RunID, "3,400 records that it kept are left out now", "assent diff -c job.yaml " + since.RunID + " " + m.run.RunID + " --to changes.csv",
			"<td>3,000</td><td>0</td>", "<td>400</td><td>0</td>", "<td>0</td><td>26</td>", "<td>2,008</td>", "What the last " + fmt.Sprint(runs+1) + " runs",
			"2 of 5 published files were taken over as they are from <code>" + since.RunID + "</code>", "1,234 [email], 5 [link]", "coarsened to the day",
		} {
			if !strings.Contains(page, want) {
				t.Errorf("%d runs: %q is not on the page", runs, want)
			}
		}
		bars := regexp.MustCompile(`(\d[\d,]*) came, (\d[\d,]*) left</title>`).FindAllStringSubmatch(page, -1)
		if len(bars) != runs+1 || bars[runs][1] != "2,034" || bars[runs][2] != "3,400" {
			t.Errorf("%d runs: bars %v", runs, bars)
		}
		checkNesting(t, page)
	}
}

// TestNightsDrawn holds the bars against their scale: the highest and the lowest end where their counts are.
func TestNightsDrawn(t *testing.T) {
	n := &nights{Bars: []night{{Came: 300}, {Came: 100, Left: 100}}}
	n.draw(300, 100)
	// A step is 100, so four of them are the height, and the line of no change is three fourths down.
	if n.Zero != 75 || n.Came != "M220 0h60v750h-60zM720 500h60v250h-60z" || n.Left != "M720 750h60v250h-60z" {
		t.Errorf("%v %s %s", n.Zero, n.Came, n.Left)
	}
	if len(n.Y) != 5 || n.Y[0] != (tick{At: 100, Label: "−100"}) || n.Y[4] != (tick{At: 0, Label: "300"}) {
		t.Errorf("%+v", n.Y)
	}
}

// TestPageFirst has nothing to compare with.
func TestPageFirst(t *testing.T) {
	page := example(t).page(t)
	if !strings.Contains(page, "There was no run before") || !strings.Contains(page, "All 5 published files were made anew") || strings.Contains(page, "The last runs") {
		t.Error("the page of a first run")
	}
}
