package run

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"assent/job"
	"assent/job/internal/publish"
	"assent/job/runs"
)

// held is an output of two runs, of which the older one is the current run's predecessor, and a plan that takes files over from the newer.
type held struct {
	*steps
	now  time.Time
	base string // id of the run that the plan takes over from
	plan *Planned
}

func newHeld(t *testing.T) *held {
	h := &held{steps: newSteps(t), now: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}
	h.base = h.night(t, "2026-06-01")
	o := h.options()
	o.Set = []string{"inputs.consent.as_of=2026-06-02T00:00:00Z"}
	var err error
	if h.plan, err = StepPlan(t.Context(), h.at(), o); err != nil || h.plan.Shards != 0 {
		t.Fatalf("%+v, %v: a plan that takes all over", h.plan, err)
	}
	h.night(t, "2026-06-03") // becomes the current run
	return h
}

func (h *held) at() *job.Env {
	env := h.env()
	env.Now = func() time.Time { return h.now }
	return env
}

// night publishes a run and returns its id.
func (h *held) night(t *testing.T, horizon string) string {
	t.Helper()
	r, err := Run(t.Context(), h.at(), Options{Config: h.config, Workers: 1, Set: []string{"inputs.consent.as_of=" + horizon + "T00:00:00Z"}})
	if err != nil {
		t.Fatal(err)
	}
	return r.RunID
}

// prune keeps one run and returns the ids of those that it removed.
func (h *held) prune(t *testing.T) (removed []string) {
	t.Helper()
	r, err := runs.Prune(t.Context(), h.at(), runs.Options{Config: h.config}, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Removed {
		removed = append(removed, x.RunID)
	}
	return removed
}

func (h *held) holds(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(h.out, publish.HoldsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return len(all)
}

// TestPlanHolds: what a waiting plan takes files over from is not pruned, until the plan is committed.
func TestPlanHolds(t *testing.T) {
	h := newHeld(t)
	if got := h.prune(t); len(got) > 0 {
		t.Fatalf("%q were pruned, from which a plan takes over", got)
	}
	r, err := h.commit(h.plan.Plan)
	if err != nil || h.holds(t) != 0 {
		t.Fatalf("%v; %d holds are left", err, h.holds(t))
	}
	if got := h.prune(t); !slices.Equal(got, []string{h.base, r.RunID}) && !slices.Equal(got, []string{r.RunID, h.base}) {
		t.Errorf("after the commit %q were pruned", got)
	}
}

// TestAbandonedPlan: the hold of a plan that nobody comes back to ends with the plan, or by itself.
func TestAbandonedPlan(t *testing.T) {
	for what, end := range map[string]func(h *held){
		"a later plan": func(h *held) {
			old := time.Now().Add(-2 * abandonedAfter)
			err := filepath.WalkDir(filepath.Join(h.out, publish.PlanDir), func(name string, d fs.DirEntry, err error) error {
				return errors.Join(err, os.Chtimes(name, old, old))
			})
			if err != nil {
				t.Fatal(err)
			}
			h.now = time.Now()
			h.night(t, "2026-06-04")
		},
		"time": func(h *held) { h.now = h.now.Add(holdFor + time.Hour) },
	} {
		h := newHeld(t)
		end(h)
		if got := h.prune(t); !slices.Contains(got, h.base) || h.holds(t) != 0 {
			t.Errorf("%s: %q were pruned, %d holds are left", what, got, h.holds(t))
		}
	}
}
