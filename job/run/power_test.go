package run_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"assent/job/internal/objstore/faulty"
	"assent/job/jobtest"
	"assent/job/run"
)

// TestPowerLoss cuts the power before steps of a run, so that what was not synced is
// lost, and repeats the run.
func TestPowerLoss(t *testing.T) {
	config := jobtest.TinyJob(t)
	out := filepath.Join(filepath.Dir(config), "out")
	if _, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config, Workers: 1}); err != nil {
		t.Fatal(err)
	}
	want := jobtest.Tree(t, out)
	stride := 7
	if testing.Short() {
		stride = 41
	}
	for i := 0; ; i += stride {
		if err := errors.Join(os.RemoveAll(out), os.Mkdir(out, 0o755)); err != nil {
			t.Fatal(err)
		}
		disk, env := faulty.NewDisk(t, out, i), jobtest.NewEnv(t)
		env.Opener.Step = disk.Step
		_, err := run.Run(t.Context(), env, run.Options{Config: config, Workers: 1})
		if !disk.Met() {
			disk.Lose() // right after the run said that it had published
			jobtest.SameTrees(t, "the power goes after the run", visible(jobtest.Tree(t, out)), want)
			if i < 100 {
				t.Errorf("only %d steps", i)
			}
			return
		}
		disk.Lose()
		what := fmt.Sprintf("step %d (%s, %v)", i, disk.Steps()[i], err)
		completeOrAbsent(t, what, out, want)
		if err := os.Remove(filepath.Join(out, "_lock.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if _, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config, Workers: 1}); err != nil {
			t.Fatalf("repeat after %s: %v", what, err)
		}
		jobtest.SameTrees(t, "repeat after "+what, visible(jobtest.Tree(t, out)), want)
	}
}
