package filter_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"assent/filter"
	"assent/schema"
)

// repeated returns rows that are some of rows, in any order and any number of times.
func repeated(rows *filter.Rows, which []int) *filter.Rows {
	out := &filter.Rows{Len: len(which), Moments: make([][]schema.Instant, len(rows.Moments))}
	accounts := func(from []filter.Accounts) (to []filter.Accounts) {
		for _, a := range from {
			var b filter.Accounts
			if a.Offsets != nil {
				b.Offsets = []int32{0}
			}
			for _, i := range which {
				lo, hi := i, i+1
				if a.Offsets != nil {
					lo, hi = int(a.Offsets[i]), int(a.Offsets[i+1])
				}
				b.IDs = append(b.IDs, a.IDs[lo:hi]...)
				if a.Offsets != nil {
					b.Offsets = append(b.Offsets, int32(len(b.IDs)))
				}
			}
			to = append(to, b)
		}
		return to
	}
	out.Parties, out.Subjects = accounts(rows.Parties), accounts(rows.Subjects)
	for _, i := range which {
		for m := range rows.Moments {
			out.Moments[m] = append(out.Moments[m], rows.Moments[m][i])
		}
		if rows.Contract != nil {
			out.Contract = append(out.Contract, rows.Contract[i])
		}
		if rows.Stated != nil {
			out.Stated = append(out.Stated, rows.Stated[i])
		}
	}
	return out
}

// agreeRuns decides records again in long runs of each, whose ends lie about where blocks
// end: what is decided of a record does not depend on those around it.
func agreeRuns(t *testing.T, d *dice, x index, records []*filter.Record, rows *filter.Rows) {
	alone := make([]schema.Reasons, rows.Len)
	decider := x.Decider(records[0].Category)
	decider.Decide(rows, alone)
	var which []int
	for range 1 + d.roll(6) {
		i := d.roll(rows.Len)
		for range []int{1, 2, 254, 255, 256, 257, 300}[d.roll(7)] {
			which = append(which, i)
		}
	}
	got := make([]schema.Reasons, len(which))
	keptAtOnce, excludedAtOnce := decider.Decide(repeated(rows, which), got)
	kept := 0
	for at, i := range which {
		if got[at] != alone[i] {
			t.Fatalf("record %d of %d, once more: %v, alone %v", at, len(which), got[at].Strings(), alone[i].Strings())
		}
		if got[at].Kept() {
			kept++
		}
	}
	if keptAtOnce > kept || excludedAtOnce > len(which)-kept {
		t.Fatalf("%d records kept and %d excluded at once, of %d kept and %d in all", keptAtOnce, excludedAtOnce, kept, len(which))
	}
}

// TestAtOnce: blocks are kept at once where nothing excludes a record of them, and in no
// other; one record that something excludes, wherever it lies, is found.
func TestAtOnce(t *testing.T) {
	const start, horizon, n = 1000, 2000, 1000
	const in, out = schema.Instant(1100), schema.Instant(1500)
	b := filter.NewBuilder()
	ids := map[string]filter.Account{}
	for _, id := range []string{"in", "out", "early", "gone", "member", "organisation", "stranger"} {
		ids[id] = account(b, schema.AccountID(id))
		if id != "stranger" {
			b.Register(ids[id])
		}
	}
	b.UseRegistry()
	b.Delete(ids["gone"], filter.Deletion{})
	turn := func(id string, s schema.State, at schema.Instant) {
		if err := b.Event(ids[id], schema.Communications, s, at, filter.Sequence{}); err != nil {
			t.Fatal(err)
		}
	}
	turn("out", schema.OptedOut, out)
	turn("early", schema.OptedOut, 10)
	turn("early", schema.OptedIn, in)
	turn("organisation", schema.OptedOut, out)
	if err := b.Member(ids["member"], ids["organisation"], schema.Span{From: 0, Until: schema.Forever}); err != nil {
		t.Fatal(err)
	}
	if err := b.Restrict([]byte("k"), schema.Span{From: out, Until: schema.Forever}); err != nil {
		t.Fatal(err)
	}
	x := b.Freeze(filter.Policy{Start: start, Horizon: horizon, Default: schema.OptedIn})
	contract := x.Contract([]byte("k"))
	d := x.Decider(schema.Communications)
	for name, c := range map[string]struct {
		spoil func(r *filter.Rows, i int)
		kept  bool
	}{
		"nothing":             {func(*filter.Rows, int) {}, true},
		"at the start":        {func(r *filter.Rows, i int) { r.Moments[0][i] = start; r.Parties[0].IDs[i] = ids["in"] }, true},
		"before the start":    {func(r *filter.Rows, i int) { r.Moments[0][i] = start - 1 }, false},
		"before the horizon":  {func(r *filter.Rows, i int) { r.Moments[1][i] = horizon - 1 }, true},
		"at the horizon":      {func(r *filter.Rows, i int) { r.Moments[1][i] = horizon }, false},
		"no moment":           {func(r *filter.Rows, i int) { r.Moments[0][i] = schema.Unknown }, false},
		"never edited":        {func(r *filter.Rows, i int) { r.Moments[1][i] = schema.Unknown }, true},
		"in again":            {func(r *filter.Rows, i int) { r.Parties[0].IDs[i], r.Moments[0][i] = ids["early"], in }, true},
		"not in again yet":    {func(r *filter.Rows, i int) { r.Parties[0].IDs[i], r.Moments[0][i] = ids["early"], in-1 }, false},
		"edited when out":     {func(r *filter.Rows, i int) { r.Parties[0].IDs[i], r.Moments[1][i] = ids["out"], out }, false},
		"nobody":              {func(r *filter.Rows, i int) { r.Parties[0].IDs[i] = filter.Null }, false},
		"no such account":     {func(r *filter.Rows, i int) { r.Parties[1].IDs[i] = filter.Absent }, false},
		"not in the registry": {func(r *filter.Rows, i int) { r.Parties[1].IDs[i] = ids["stranger"] }, false},
		"a deleted party":     {func(r *filter.Rows, i int) { r.Parties[1].IDs[i] = ids["gone"] }, false},
		"a deleted subject":   {func(r *filter.Rows, i int) { r.Subjects[0].IDs[i] = ids["gone"] }, false},
		"an organisation":     {func(r *filter.Rows, i int) { r.Parties[1].IDs[i], r.Moments[0][i] = ids["member"], out }, false},
		"a restriction":       {func(r *filter.Rows, i int) { r.Contract[i], r.Moments[0][i] = contract, out }, false},
		"a private record":    {func(r *filter.Rows, i int) { r.Stated[i] = schema.PrivateRecord.Set() }, false},
		"an empty list": {func(r *filter.Rows, i int) {
			r.Parties[2].Offsets = slices.Insert(r.Parties[2].Offsets[:n], i, r.Parties[2].Offsets[i])
		}, false},
		"a subject who is out": {func(r *filter.Rows, i int) { r.Subjects[0].IDs[i] = ids["out"] }, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, i := range []int{0, 1, 255, 256, 257, 511, 767, 768, 998, 999} {
				rows := cleanRows(n, ids["in"], in)
				c.spoil(rows, i)
				got := make([]schema.Reasons, n)
				want := n
				if !c.kept {
					lo := i / 256 * 256
					want -= min(lo+256, n) - lo
				}
				if kept, excluded := d.Decide(rows, got); kept != want || excluded != 0 {
					t.Errorf("record %d: %d of %d kept at once, want %d; %d excluded", i, kept, n, want, excluded)
				}
				for j, why := range got {
					if why.Kept() != (c.kept || j != i) {
						t.Errorf("record %d spoilt: record %d is %v", i, j, why.Strings())
					}
				}
			}
		})
	}
}

// TestExcludedAtOnce: blocks are excluded at once where one party is out at all of their moments, and in no other.
func TestExcludedAtOnce(t *testing.T) {
	const start, horizon, n = 1000, 2000, 300
	b := filter.NewBuilder()
	ids := map[string]filter.Account{}
	for _, id := range []string{"in", "out", "also out", "gone", "member", "stranger"} {
		ids[id] = account(b, schema.AccountID(id))
		if id != "stranger" {
			b.Register(ids[id])
		}
		if id == "in" {
			continue
		}
		for i, at := range []schema.Instant{1100, 1300} {
			if err := b.Event(ids[id], schema.Communications, schema.State(i), at, filter.Sequence{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.UseRegistry()
	b.Delete(ids["gone"], filter.Deletion{})
	if err := b.Member(ids["member"], ids["in"], schema.Span{From: 0, Until: schema.Forever}); err != nil {
		t.Fatal(err)
	}
	d := b.Freeze(filter.Policy{Start: start, Horizon: horizon, Default: schema.OptedIn}).Decider(schema.Communications)
	for name, c := range map[string]struct {
		at    schema.Instant
		party string
		spoil func(r *filter.Rows)
		want  int
	}{
		"out":                {1200, "out", func(*filter.Rows) {}, n},
		"from the flip on":   {1100, "out", func(*filter.Rows) {}, n},
		"before the flip":    {1099, "out", func(*filter.Rows) {}, 0},
		"up to the flip":     {1281, "out", func(*filter.Rows) {}, n}, // the last moment is 18 later
		"in again":           {1282, "out", func(*filter.Rows) {}, 0},
		"two accounts":       {1200, "out", func(r *filter.Rows) { r.Parties[0].IDs[299] = ids["also out"] }, 256},
		"two are out":        {1200, "out", func(r *filter.Rows) { r.Parties[1] = r.Parties[0] }, n},
		"nobody":             {1200, "out", func(r *filter.Rows) { r.Parties[1].IDs[0] = filter.Null }, 44},
		"a deleted one":      {1200, "gone", func(*filter.Rows) {}, 0},
		"a member":           {1200, "member", func(*filter.Rows) {}, 0},
		"an unknown one":     {1200, "stranger", func(*filter.Rows) {}, 0},
		"before the program": {1200, "out", func(r *filter.Rows) { r.Moments[1][7] = start - 1 }, 44},
		"a private record":   {1200, "out", func(r *filter.Rows) { r.Stated[256] = schema.PrivateRecord.Set() }, 256},
		"a deleted sender":   {1200, "out", func(r *filter.Rows) { r.Subjects[0].IDs[0] = ids["gone"] }, 44},
	} {
		t.Run(name, func(t *testing.T) {
			rows := cleanRows(n, ids["in"], c.at)
			for i := range rows.Parties[0].IDs {
				rows.Parties[0].IDs[i] = ids[c.party]
			}
			c.spoil(rows)
			got, alone := make([]schema.Reasons, n), make([]schema.Reasons, 1)
			if kept, excluded := d.Decide(rows, got); excluded != c.want || kept != 0 {
				t.Errorf("%d excluded at once, want %d; %d kept", excluded, c.want, kept)
			}
			for i, why := range got {
				d.Decide(repeated(rows, []int{i}), alone)
				if why != alone[0] {
					t.Errorf("record %d: %v, alone %v", i, why.Strings(), alone[0].Strings())
				}
			}
		})
	}
}

// cleanRows returns n rows of which nothing excludes any, at a moment and a little later.
func cleanRows(n int, a filter.Account, at schema.Instant) *filter.Rows {
	r := &filter.Rows{Len: n, Parties: make([]filter.Accounts, 3), Subjects: make([]filter.Accounts, 1), Moments: make([][]schema.Instant, 2)}
	r.Parties[2].Offsets = []int32{0}
	for i := range n {
		for p := range r.Parties {
			r.Parties[p].IDs = append(r.Parties[p].IDs, a)
		}
		r.Parties[2].Offsets = append(r.Parties[2].Offsets, int32(i+1))
		r.Subjects[0].IDs = append(r.Subjects[0].IDs, a)
		r.Moments[0], r.Moments[1] = append(r.Moments[0], at+schema.Instant(i%7)), append(r.Moments[1], at+schema.Instant(10+i%9))
		r.Contract, r.Stated = append(r.Contract, filter.Unrestricted), append(r.Stated, 0)
	}
	return r
}

func BenchmarkDecideRuns(b *testing.B) {
	for _, run := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(run), func(b *testing.B) {
			builder := filter.NewBuilder()
			history(builder, 200_000, 80_000)
			x := builder.Freeze(filter.Policy{Start: 1, Default: schema.OptedIn, Horizon: schema.Forever})
			const n = 1 << 16
			rows, r := cleanRows(n, 0, 1000), rand.New(rand.NewPCG(5, 6))
			rows.Parties, rows.Subjects = rows.Parties[:2], nil
			for p := range rows.Parties {
				for i := range n {
					if i%run == 0 {
						rows.Parties[p].IDs[i] = filter.Account(r.IntN(x.Accounts()))
					} else {
						rows.Parties[p].IDs[i] = rows.Parties[p].IDs[i-1]
					}
				}
			}
			out, d, start := make([]schema.Reasons, n), x.Decider(schema.Communications), cpuTime()
			for b.Loop() {
				d.Decide(rows, out)
			}
			b.ReportMetric(float64(b.N)*n/(cpuTime()-start).Seconds(), "decisions/cpu-s")
		})
	}
}
