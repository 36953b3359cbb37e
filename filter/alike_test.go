package filter_test

import (
	"slices"
	"testing"

	"assent/filter"
	"assent/schema"
)

// agreeAlike rolls other moments for records of the same accounts, and holds what Alike says of a run against each record by itself.
func agreeAlike(t *testing.T, d *dice, x index, records []*filter.Record, rows *filter.Rows) {
	which := slices.Repeat([]int{d.roll(rows.Len)}, 2+d.roll(9))
	run := repeated(rows, which)
	for _, moments := range run.Moments {
		for i := range moments {
			if d.roll(2) == 0 {
				moments[i] = d.moment()
			}
		}
	}
	reasons := make([]schema.Reasons, run.Len)
	decider := x.Decider(records[0].Category)
	decider.Decide(run, reasons)
	for i := 0; i < run.Len; {
		if reasons[i].Kept() {
			i++
			continue
		}
		n := decider.Alike(run, i, run.Len, reasons)
		if n < 1 || n > run.Len-i {
			t.Fatalf("%d of %d records are alike", n, run.Len-i)
		}
		want, m := decider.Findings(run, i, nil), decider.MomentOf(run, i, reasons[i].Primary())
		for j := i; j < i+n; j++ {
			got := decider.Findings(run, j, nil)
			same := slices.EqualFunc(got, want, func(a, b filter.Finding) bool { a.Slot, b.Slot = 0, 0; return a == b })
			if reasons[j] != reasons[i] || !same || decider.When(run, j, reasons[j].Primary()) != run.Moments[m][j] {
				t.Fatalf("record %d is not like %d of %d: %v %+v, %v %+v", j, i, n, reasons[j].Strings(), got, reasons[i].Strings(), want)
			}
		}
		i += n
	}
}

// TestAlike: runs end where a moment passes a flip, the start or the horizon, and nowhere else. A later moment may be null or not
// where it adds nothing to the required one.
func TestAlike(t *testing.T) {
	const start, horizon, null = 1000, 2000, schema.Unknown
	b := filter.NewBuilder()
	a := account(b, "a")
	for i, at := range []schema.Instant{500, 1200, 1500} {
		if err := b.Event(a, schema.Communications, schema.State(i%2), at, filter.Sequence{}); err != nil {
			t.Fatal(err)
		}
	}
	x := b.Freeze(filter.Policy{Start: start, Horizon: horizon, Default: schema.OptedIn})
	d := x.Decider(schema.Communications)
	type instants = []schema.Instant
	for name, c := range map[string]struct {
		moments []instants
		want    []int
	}{
		"one span":               {[]instants{{1500, 1999, 1700}}, []int{3}},
		"two spans":              {[]instants{{1199, 1000, 1500, 1600}}, []int{2, 2}},
		"before the start":       {[]instants{{500, 999, 1000}}, []int{2, 1}},
		"a null":                 {[]instants{{1600, null, null, 1600}}, []int{1, 2, 1}},
		"after the horizon":      {[]instants{{1999, 2000, schema.Forever}}, []int{1, 2}},
		"edited in the span":     {[]instants{{1500, 1600, 1700, 1800}, {null, 1999, null, 1500}}, []int{4}},
		"first one edited":       {[]instants{{1500, 1600, 1700}, {1501, null, 1502}}, []int{3}},
		"edited beyond the span": {[]instants{{1100, 1100, 1100, 1100}, {null, 1550, 1560, null}}, []int{1, 2, 1}},
		"out when edited":        {[]instants{{1300, 1300, 1300}, {1550, 1560, 1999}}, []int{3}},
		"sent at no known time":  {[]instants{{null, null, null, null}, {null, 1300, 1310, null}}, []int{1, 2, 1}},
	} {
		rows := cleanRows(len(c.moments[0]), a, 0)
		rows.Moments = c.moments
		reasons := make([]schema.Reasons, rows.Len)
		d.Decide(rows, reasons)
		var got []int
		for i := 0; i < rows.Len; {
			n := d.Alike(rows, i, rows.Len, reasons)
			got = append(got, n)
			i += n
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: runs of %v, want %v", name, got, c.want)
		}
	}
}
