package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"assent/job"
	"assent/job/internal/objstore/faulty"
	"assent/job/internal/publish"
	"assent/job/jobtest"
)

// inSight returns what readers see of an output.
func inSight(files map[string]string) map[string]string {
	seen := map[string]string{}
	for name, data := range files {
		if !strings.HasPrefix(name, "_") && !strings.HasPrefix(name, ".") && !strings.Contains(name, "/.") {
			seen[name] = data
		}
	}
	return seen
}

// allOrNothing checks that a reader sees all of the run or none of it.
func (s *steps) allOrNothing(what string, want map[string]string) {
	s.t.Helper()
	got := inSight(jobtest.Tree(s.t, s.out))
	if len(got) == 0 {
		return
	}
	if _, named := got["current.json"]; !named { // published, not yet named
		got["current.json"] = want["current.json"]
	}
	jobtest.SameTrees(s.t, what, got, want)
}

// unlock removes the lease of a process that would be dead.
func (s *steps) unlock() {
	s.t.Helper()
	if err := os.Remove(filepath.Join(s.out, publish.LeaseObject)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
}

// TestResume ends a run at every operation from the second shard's first on. Its repeat
// writes what is left: no file that is staged is written again.
func TestResume(t *testing.T) {
	s := newSteps(t)
	want := s.undisturbed()
	attempt := func(mode faulty.Mode, at int) (*faulty.Faults, error) {
		f := faulty.New(mode, at, nil)
		s.wrap = f.Wrap
		_, err := Run(t.Context(), s.env(), s.options())
		return f, err
	}
	staged := func(f *faulty.Faults) (n, results int) {
		for _, op := range f.Ops() {
			if strings.HasPrefix(op, "Finish ") && strings.Contains(op, "/"+stagedDir+"/") {
				n++
			}
			if strings.HasPrefix(op, "Put ") && strings.Contains(op, "/"+resultsDir+"/") {
				results++
			}
		}
		return n, results
	}
	f, err := attempt(faulty.None, 0)
	if n, results := staged(f); err != nil || n != 8 || results != 2 {
		t.Fatalf("%d objects and %d results staged, %v", n, results, err)
	}
	ops := f.Ops()
	resumed := [3]int{}
	for i := range ops {
		if i%9 != 0 && i < len(ops)-6 {
			continue
		}
		if err := os.RemoveAll(s.out); err != nil {
			t.Fatal(err)
		}
		_, err := attempt(faulty.Crash, i)
		if err == nil {
			continue
		}
		s.unlock()
		results, _ := filepath.Glob(filepath.Join(s.out, "_plan", "*", resultsDir, "*.json"))
		_, gone := os.Stat(filepath.Join(s.out, "current.json"))
		again, err := attempt(faulty.None, 0)
		if err != nil {
			t.Fatalf("repeat after operation %d (%s): %v", i, ops[i], err)
		}
		if n, _ := staged(again); gone != nil && len(results) > 0 && n != 8-4*len(results) {
			t.Errorf("operation %d (%s): %d objects were staged again, with %d of 2 results there", i, ops[i], n, len(results))
		}
		resumed[len(results)]++
		jobtest.SameTrees(t, fmt.Sprintf("operation %d (%s)", i, ops[i]), jobtest.Tree(t, s.out), want)
	}
	if resumed[1] == 0 || resumed[2] == 0 {
		t.Errorf("%v runs went on with 0, 1 and 2 shards", resumed)
	}
}

// TestStepFaults fails storage operations of plan, shards and commit in all the ways that
// there are, and repeats the steps.
func TestStepFaults(t *testing.T) {
	s := newSteps(t)
	want := s.undisturbed()
	kinds := faulty.Kinds()
	stride := 1
	if testing.Short() {
		stride = 6
	}
	for i := 0; ; i += stride {
		if err := os.RemoveAll(s.out); err != nil {
			t.Fatal(err)
		}
		kind := kinds[i%len(kinds)]
		f := kind.At(i)
		s.wrap = f.Wrap
		_, err := s.all(2)
		if !f.Met() {
			if i < 60 {
				t.Fatalf("only %d operations", i)
			}
			return
		}
		what := fmt.Sprintf("%s at operation %d (%s): %v", kind.Name, i, f.Ops()[i], err)
		s.allOrNothing(what, want)
		s.unlock()
		s.wrap = nil
		if _, err := s.repeat(); err != nil {
			t.Fatalf("%s: repeat: %v", what, err)
		}
		jobtest.SameTrees(t, what, jobtest.Tree(t, s.out), want)
	}
}

// repeat takes all steps again, until the run is published.
func (s *steps) repeat() (*Result, error) {
	p, err := s.plan()
	if err != nil || p.Status == AlreadyPublished {
		return nil, err
	}
	return s.all(1)
}

// TestRefusedRunLeavesNothing: what a repeat would refuse again goes at once.
func TestRefusedRunLeavesNothing(t *testing.T) {
	s := newSteps(t)
	refused := []string{"gates={max_excluded: 0.01}"}
	_, err := Run(t.Context(), s.env(), Options{Config: s.config, Set: refused})
	if exitOf(err) != job.ExitRefused || len(jobtest.Tree(t, s.out)) != 0 {
		t.Errorf("%v, left %v", err, jobtest.Tree(t, s.out))
	}
	p, err := StepPlan(t.Context(), s.env(), Options{Config: s.config, Set: refused})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.shard(p.Plan, 0, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.commit(p.Plan); exitOf(err) != job.ExitRefused || len(jobtest.Tree(t, s.out)) != 0 {
		t.Errorf("commit: %v, left %v", err, jobtest.Tree(t, s.out))
	}
}

// TestPlansThatAreOver leaves plans in the output. A new one removes those that nobody has
// worked on for long and those whose run is published, and no others.
func TestPlansThatAreOver(t *testing.T) {
	s := newSteps(t)
	plan := func(day string) *Planned {
		t.Helper()
		p, err := StepPlan(t.Context(), s.env(), Options{Config: s.config, Set: []string{"inputs.consent.as_of=2026-06-" + day + "T00:00:00Z"}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	there := func(p *Planned) bool {
		_, err := os.Stat(filepath.Join(p.Plan, planObject))
		return err == nil
	}
	fresh, old, alive := plan("02"), plan("03"), plan("04")
	if _, err := s.shard(alive.Plan, 0, 0); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-abandonedAfter - time.Hour)
	for _, p := range []*Planned{old, alive} {
		for _, name := range []string{planObject, "index/index", "index/near", "index/forms", "index/notes.json"} {
			if err := os.Chtimes(filepath.Join(p.Plan, name), long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	plan("05")
	if !there(fresh) || there(old) || !there(alive) {
		t.Errorf("fresh %v, left alone %v, worked on %v", there(fresh), there(old), there(alive))
	}
	if _, err := s.shard(old.Plan, 0, 1); exitOf(err) != job.ExitUsage || !strings.Contains(err.Error(), "no plan at") {
		t.Errorf("a shard of a plan that was removed: %v", err)
	}
	if _, err := s.shard(alive.Plan, 0, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.commit(alive.Plan); err != nil {
		t.Fatal(err)
	}
	straggler := filepath.Join(alive.Plan, stagedDir, "00000-late", "0-0.data")
	if err := errors.Join(os.MkdirAll(filepath.Dir(straggler), 0o755), os.WriteFile(straggler, []byte("x"), 0o644)); err != nil {
		t.Fatal(err)
	}
	plan("06")
	if _, err := os.Stat(alive.Plan); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what came late is still there: %v", err)
	}
}

// TestKilled kills processes of all three steps at many operations, by SIGKILL, and
// repeats each until it ends by itself.
func TestKilled(t *testing.T) {
	if os.Getenv("ASSENT_TEST_STEP") != "" {
		stepOfATest(t)
		return
	}
	s := newSteps(t)
	want := s.undisturbed()
	killed := 0
	process := func(at int, args ...string) error {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "ASSENT_TEST_STEP="+strings.Join(args, " "), fmt.Sprintf("ASSENT_TEST_KILL=%d", at))
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && !exit.Exited() {
			killed++
			return errKilled
		}
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	until := func(first, stride int, args ...string) {
		t.Helper()
		for at := first; ; at += stride {
			err := process(at, args...)
			s.allOrNothing(fmt.Sprint(args, at), want)
			if err == nil {
				return
			}
			if !errors.Is(err, errKilled) {
				t.Fatal(args, at, err)
			}
		}
	}
	until(4, 9, "plan", s.config)
	plans, err := filepath.Glob(filepath.Join(s.out, "_plan", "*"))
	if err != nil || len(plans) != 1 {
		t.Fatal(plans, err)
	}
	for i := range 2 {
		until(6+i, 12, "shard", plans[0], strconv.Itoa(i))
	}
	until(5, 7, "commit", plans[0])
	jobtest.SameTrees(t, "after the kills", jobtest.Tree(t, s.out), want)
	if killed < 6 {
		t.Errorf("only %d processes were killed", killed)
	}
}

var errKilled = errors.New("killed")

// stepOfATest is a process that TestKilled has started.
func stepOfATest(t *testing.T) {
	at, err := strconv.Atoi(os.Getenv("ASSENT_TEST_KILL"))
	if err != nil {
		t.Fatal(err)
	}
	f := faulty.New(faulty.None, 0, nil)
	s := &steps{t: t, sizes: tiny, wrap: f.Wrap}
	go func() {
		for len(f.Ops()) < at {
			time.Sleep(50 * time.Microsecond)
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}()
	switch args := strings.Fields(os.Getenv("ASSENT_TEST_STEP")); args[0] {
	case "plan":
		s.config = args[1]
		_, err = s.plan()
	case "shard":
		i, _ := strconv.Atoi(args[2])
		_, err = s.shard(args[1], i, 0)
	case "commit":
		_, err = s.commit(args[1])
	}
	if err != nil {
		t.Fatal(err)
	}
}
