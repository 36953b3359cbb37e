package run_test

import (
	"path/filepath"
	"slices"
	"testing"

	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/sample"
)

// TestMemoryTold: while the index is built, the collector is not given more than the promise, which is the budget and the index. Events
// that the index will not hold are no part of it.
func TestMemoryTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	if _, err := sample.Run(t.Context(), jobtest.NewEnv(t), sample.Options{Dir: dir, Rows: 2000, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	env := jobtest.NewEnv(t)
	var limits []int64
	env.LimitMemory = func(bytes int64) { limits = append(limits, bytes) }
	if _, err := run.Run(t.Context(), env, run.Options{Config: filepath.Join(dir, "job.yaml"), DryRun: true}); err != nil {
		t.Fatal(err)
	}
	if len(limits) < 2 {
		t.Fatalf("limits %d", limits)
	}
	if promised := limits[len(limits)-1]; slices.Max(limits) > promised { // told when the index is there
		t.Errorf("limits %d: the promise is the last", limits)
	}
}
