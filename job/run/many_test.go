package run

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"assent/job/internal/objstore/faulty"
	"assent/job/jobtest"
)

// TestManyShards takes a plan of many shards, of which one in twenty is killed while it is
// worked on, to its end, and tells what plan and commit cost by themselves. ASSENT_SHARDS
// says how many shards there are, and TMPDIR where they lie:
//
//	ASSENT_SHARDS=10000 TMPDIR=/dev/shm go test -v -run TestManyShards ./job/run
func TestManyShards(t *testing.T) {
	n := 300
	if text := os.Getenv("ASSENT_SHARDS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 100 {
			t.Fatalf("ASSENT_SHARDS=%s", text)
		}
	}
	s := newSteps(t)
	dir := filepath.Join(filepath.Dir(s.config), "messages")
	for i := range n - 2 { // two are there
		name := filepath.Join(dir, fmt.Sprintf("day=%03d", i%365), fmt.Sprintf("%05d.parquet", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(dir, "month=2026-04", "a.parquet"), name); err != nil {
			t.Fatal(err)
		}
	}
	var p *Planned
	s.cost("plan", func() (err error) { p, err = s.plan(); return err })
	if p.Shards != n {
		t.Fatalf("%d shards, want %d", p.Shards, n)
	}
	random := rand.New(rand.NewPCG(1, 2))
	killed := 0
	for killed < n/20 {
		f := faulty.New(faulty.Crash, 5+random.IntN(12), nil)
		s.wrap = f.Wrap
		if _, err := s.shard(p.Plan, random.IntN(n), 0); err != nil {
			killed++
		}
	}
	s.wrap = nil
	const tasks = 16
	done, skipped := 0, 0
	for i := range tasks {
		got, err := s.shard(p.Plan, i, tasks)
		if err != nil {
			t.Fatal(err)
		}
		done, skipped = done+len(got.Shards), skipped+got.Skipped
	}
	if done+skipped != n || done < n*9/10 {
		t.Errorf("%d shards were done, %d were there", done, skipped)
	}
	s.cost("plan again", func() (err error) { p, err = s.plan(); return err })
	var r *Result
	s.cost("commit", func() (err error) { r, err = s.commit(p.Plan); return err })
	s.cost("commit again", func() error { _, err := s.commit(p.Plan); return err })
	if r.Status != Published || r.Datasets["messages"].RowsIn != int64(2*n) {
		t.Errorf("%+v", r)
	}
	if left, err := os.ReadDir(s.out); err != nil || len(left) != 2 {
		t.Errorf("left in the output: %v, %v", left, err)
	}
	if n < 1000 {
		jobtest.SameTrees(t, "many shards", jobtest.Tree(t, s.out), s.fresh())
	}
}

// fresh is what a run in one process publishes, elsewhere.
func (s *steps) fresh() map[string]string {
	s.t.Helper()
	out := s.t.TempDir()
	if _, err := Run(s.t.Context(), jobtest.NewEnv(s.t), Options{Config: s.config, Set: []string{"output=" + out}}); err != nil {
		s.t.Fatal(err)
	}
	return jobtest.Tree(s.t, out)
}

// cost takes a step and tells its time, its processor time, its peak of live memory and its
// storage operations.
func (s *steps) cost(what string, step func() error) {
	s.t.Helper()
	counter := faulty.New(faulty.None, 0, nil)
	s.wrap = counter.Wrap
	defer func() { s.wrap = nil }()
	runtime.GC()
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var m runtime.MemStats
		most := uint64(0)
		for {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	cpu, begin := cpuSeconds(), time.Now()
	err := step()
	took, used := time.Since(begin), cpuSeconds()-cpu
	close(stop)
	s.t.Logf("%-12s  %6.2f s  %6.2f CPU s  %5d MiB heap  %6d storage operations", what, took.Seconds(), used, <-peak>>20, len(counter.Ops()))
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
