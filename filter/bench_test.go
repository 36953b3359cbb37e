package filter_test

import (
	"math/rand/v2"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"assent/filter"
	"assent/schema"
)

// history feeds events of a history in which each account toggles a few times, in
// the order of time, as an export has it.
func history(b *filter.Builder, events, accounts int) {
	r := rand.New(rand.NewPCG(3, 4))
	var ids []byte
	var ends []uint32
	var numbers []filter.Account
	const batch = 4096
	for i := 0; i < events; i += batch {
		ids, ends = ids[:0], ends[:0]
		for range min(batch, events-i) {
			ids = accountID(ids, r.IntN(accounts))
			ends = append(ends, uint32(len(ids)))
		}
		var err error
		if numbers, err = b.AppendAccounts(numbers[:0], ids, 0, ends); err != nil {
			panic(err)
		}
		for n, a := range numbers {
			at := schema.Instant(i+n) * 500_000_000
			if err := b.Event(a, schema.Category(r.IntN(3)), schema.State(r.IntN(2)), at, filter.Sequence{N: int64(i), Valid: true}); err != nil {
				panic(err)
			}
		}
	}
}

func accountID(dst []byte, n int) []byte {
	return strconv.AppendInt(append(dst, "acct_"...), int64(n)+1e8, 10)
}

// cpuTime returns the CPU time that the process has used: on a shared machine it says
// more than the clock does.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBuild builds indexes of 2.5 events an account, the larger one not with -short.
// events/s is the speed of one core; B/event is what the frozen index holds.
func BenchmarkBuild(b *testing.B) {
	for _, events := range []int{2_000_000, 50_000_000} {
		b.Run(strconv.Itoa(events), func(b *testing.B) {
			if testing.Short() && events > 2_000_000 {
				b.Skip("takes a gigabyte")
			}
			start := cpuTime()
			for b.Loop() {
				builder := filter.NewBuilder()
				history(builder, events, events*2/5)
				x := builder.Freeze(filter.Policy{Start: 1, Default: schema.OptedIn, Horizon: schema.Forever})
				b.ReportMetric(float64(x.Size())/float64(events), "B/event")
			}
			b.ReportMetric(float64(b.N)*float64(events)/(cpuTime()-start).Seconds(), "events/cpu-s")
		})
	}
}

// BenchmarkDecide decides records of two random parties and two moments against
// an index of 20 M accounts where memory allows, so that look-ups miss the caches.
func BenchmarkDecide(b *testing.B) {
	events, accounts := 50_000_000, 20_000_000
	if testing.Short() {
		events, accounts = events/50, accounts/50
	}
	builder := filter.NewBuilder()
	history(builder, events, accounts)
	x := builder.Freeze(filter.Policy{Start: 1, Default: schema.OptedIn, Horizon: schema.Forever})
	runtime.GC()
	const n = 1 << 16
	rows := &filter.Rows{Len: n, Parties: make([]filter.Accounts, 2), Moments: make([][]schema.Instant, 2)}
	r := rand.New(rand.NewPCG(5, 6))
	for range n {
		for p := range rows.Parties {
			rows.Parties[p].IDs = append(rows.Parties[p].IDs, filter.Account(r.IntN(x.Accounts())))
		}
		sent := schema.Instant(1 + r.Int64N(int64(events)*500_000_000))
		edited := schema.Unknown
		if r.IntN(10) == 0 {
			edited = sent + schema.Instant(r.Int64N(1e12))
		}
		rows.Moments[0] = append(rows.Moments[0], sent)
		rows.Moments[1] = append(rows.Moments[1], edited)
	}
	out := make([]schema.Reasons, n)
	d := x.Decider(schema.Communications)
	b.ReportAllocs()
	b.ResetTimer()
	start := cpuTime()
	for b.Loop() {
		d.Decide(rows, out)
	}
	b.ReportMetric(float64(b.N)*n/(cpuTime()-start).Seconds(), "decisions/cpu-s")
	b.ReportMetric(float64(x.Size())/float64(events), "B/event")
}

// BenchmarkAccount looks ids up that are there, as a column of them comes.
func BenchmarkAccount(b *testing.B) {
	const accounts = 1_000_000
	builder := filter.NewBuilder()
	history(builder, 2*accounts, accounts)
	x := builder.Freeze(filter.Policy{Start: 1, Default: schema.OptedIn, Horizon: schema.Forever})
	var ids []byte
	var ends []uint32
	r := rand.New(rand.NewPCG(7, 8))
	for range 1 << 14 {
		ids = accountID(ids, r.IntN(accounts))
		ends = append(ends, uint32(len(ids)))
	}
	var numbers []filter.Account
	start := cpuTime()
	for b.Loop() {
		numbers = x.AppendAccounts(numbers[:0], ids, 0, ends)
	}
	b.ReportMetric(float64(b.N)*float64(len(ends))/(cpuTime()-start).Seconds(), "ids/cpu-s")
}
