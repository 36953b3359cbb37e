package access_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"assent/job/access"
	"assent/job/internal/objstore/faulty"
	"assent/job/jobtest"
	"assent/job/run"
)

// TestAccessPowerLoss cuts the power before each step of making copies, and after the last one: what was not synced is lost. There is
// all of the copies or nothing.
func TestAccessPowerLoss(t *testing.T) {
	config := jobtest.TinyJob(t)
	dir := filepath.Dir(config)
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "list.csv")
	if err := os.WriteFile(list, []byte("A\nB\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]access.Options{
		"one": {Subject: "A"}, "many": {Subjects: list}, "archives": {Subjects: list, Zip: true},
	} {
		t.Run(name, func(t *testing.T) {
			parent := filepath.Join(dir, name)
			o.Config, o.Run, o.Dir = config, r.URI, filepath.Join(parent, "copies")
			attempt := func(step func(step, path string) error) error {
				env := jobtest.NewEnv(t)
				env.Now = func() time.Time { return time.Unix(0, 0) }
				env.Opener.Step = step
				_, err := access.Run(t.Context(), env, o)
				return err
			}
			if err := attempt(nil); err != nil {
				t.Fatal(err)
			}
			want := jobtest.Tree(t, o.Dir)
			for i := 0; ; i++ {
				if err := errors.Join(os.RemoveAll(parent), os.Mkdir(parent, 0o755)); err != nil {
					t.Fatal(err)
				}
				disk := faulty.NewDisk(t, parent, i)
				err := attempt(disk.Step)
				if met := disk.Met(); met != (err != nil) {
					t.Fatalf("step %d: power lost: %t, error: %v", i, met, err)
				}
				disk.Lose()
				if err == nil {
					jobtest.SameTrees(t, "the power goes after the copies", jobtest.Tree(t, o.Dir), want)
					if i < 3 {
						t.Errorf("only %d steps", i)
					}
					return
				}
				what := fmt.Sprintf("step %d (%s)", i, disk.Steps()[i])
				if _, err := os.Stat(o.Dir); err == nil {
					jobtest.SameTrees(t, what, jobtest.Tree(t, o.Dir), want)
				}
			}
		})
	}
}
