//go:build unix

package consent

import (
	"math/rand/v2"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"assent/filter"
	"assent/manifests"
	"assent/schema"
)

// cpuTime returns the CPU time that the process has used: on a shared machine it says more
// than the clock does.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchID(dst []byte, n int) []byte {
	return strconv.AppendInt(append(dst, "acct_"...), int64(n)+1e8, 10)
}

// BenchmarkStored stores and opens an index of 50 M events of 20 M accounts; of a fiftieth
// with -short. It reports the bytes of each object, the CPU seconds of each step, what a
// shard holds in memory of its own, and decisions by both forms.
func BenchmarkStored(b *testing.B) {
	events, accounts := 50_000_000, 20_000_000
	if testing.Short() {
		events, accounts = events/50, accounts/50
	}
	dir := b.TempDir()
	out := open(b, dir, nil)
	for b.Loop() {
		b.StopTimer()
		took := func(name string, do func()) {
			begin := cpuTime(b)
			do()
			b.ReportMetric((cpuTime(b) - begin).Seconds(), name+"-cpu-s")
		}
		var x *filter.Index
		took("build", func() { x = benchIndex(b, events, accounts) })
		var built *Built
		took("near", func() { built = New(x, key) })
		b.ReportMetric(float64(x.Size())/float64(events), "built-B/event")
		b.ReportMetric(decisions(b, built.Lookup(), events, accounts), "built-decisions/cpu-s") // storing it ends its use
		b.StartTimer()
		var o Objects
		took("store", func() { o = store(b, built, out) })
		var l *Lookup
		var err error
		took("open", func() { l, err = OpenLookup(b.Context(), out, "p", o, key) })
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		for name, n := range map[string]int64{"index": o.Index.Bytes, "near": o.Near.Bytes, "forms": o.Forms.Bytes, "heap": l.Heap} {
			b.ReportMetric(float64(n)/float64(events), name+"-B/event")
		}
		b.ReportMetric(decisions(b, l, events, accounts), "stored-decisions/cpu-s")
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func benchIndex(b *testing.B, events, accounts int) *filter.Index {
	builder := filter.NewBuilder()
	r := rand.New(rand.NewPCG(3, 4))
	var id []byte
	for i := range events {
		id = benchID(id[:0], r.IntN(accounts))
		a, err := builder.Account(id)
		if err == nil {
			err = builder.Event(a, schema.Category(r.IntN(3)), schema.State(r.IntN(2)), schema.Instant(i)*500_000_000, filter.Sequence{N: int64(i), Valid: true})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return builder.Freeze(filter.Policy{Start: 1, Default: schema.OptedIn, Horizon: schema.Forever})
}

// decisions returns how many records of two random parties are decided in a CPU second.
func decisions(b *testing.B, l *Lookup, events, accounts int) float64 {
	const n, rounds = 1 << 18, 8
	r := rand.New(rand.NewPCG(5, 6))
	rows := &filter.Rows{Len: n, Parties: make([]filter.Accounts, 2), Moments: make([][]schema.Instant, 1)}
	for p := range rows.Parties {
		table := manifests.NewAccounts(key.NewReferrer())
		var id []byte
		for range n {
			id = benchID(id[:0], r.IntN(accounts))
			table.Account(id)
		}
		found := l.AppendAccounts(nil, table, 0)
		for i := range n {
			rows.Parties[p].IDs = append(rows.Parties[p].IDs, found[i%len(found)])
		}
	}
	for range n {
		rows.Moments[0] = append(rows.Moments[0], schema.Instant(1+r.Int64N(int64(events)*500_000_000)))
	}
	runtime.GC()
	out := make([]schema.Reasons, n)
	d := l.Decider(schema.Communications)
	d.Decide(rows, out) // the pages of a mapped file are there from now on
	begin := cpuTime(b)
	for range rounds {
		d.Decide(rows, out)
	}
	return n * rounds / (cpuTime(b) - begin).Seconds()
}
