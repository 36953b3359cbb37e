package publish_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/objstore/faulty"
	"assent/job/jobtest"
	"assent/job/run"
)

// hasty is an environment in which a lease that is not renewed ends soon.
func hasty(t *testing.T) *job.Env {
	env := jobtest.NewEnv(t)
	env.Lease = objstore.LeaseOptions{Interval: 100 * time.Millisecond, TTL: 600 * time.Millisecond}
	return env
}

// everything lists files and directories, hidden ones too.
func everything(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// repeat runs a job that is published, and checks what is in the output then.
func repeat(t *testing.T, what, config string, dryRun bool, want []string) {
	t.Helper()
	r, err := run.Run(t.Context(), hasty(t), run.Options{Config: config, Workers: 1, DryRun: dryRun})
	if err != nil || r.Status != run.AlreadyPublished {
		t.Fatalf("%s: %+v, %v", what, r, err)
	}
	if got := everything(t, filepath.Join(filepath.Dir(config), "out")); !slices.Equal(got, want) {
		t.Errorf("%s: it has %v, want %v", what, got, want)
	}
}

// TestLeftovers puts beside a published run what one that was killed may leave, and
// repeats it.
func TestLeftovers(t *testing.T) {
	config := jobtest.TinyJob(t)
	out := filepath.Join(filepath.Dir(config), "out")
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := everything(t, out)
	put := func(name string) error {
		file := filepath.Join(out, name)
		return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("{}"), 0o644))
	}
	lock := func() error { return put("_lock.json") }
	stage := func() error { return os.Mkdir(filepath.Join(out, "_plan"), 0o755) }
	staged := func() error { return put("_plan/" + r.RunID + "/staged/a.data") } // as on GCS, where they are copied
	for what, left := range map[string][]func() error{
		"nothing": nil, "a lock": {lock}, "an empty stage": {stage}, "staged files": {staged}, "both": {lock, stage}, "all": {lock, staged},
	} {
		for _, leave := range left {
			if err := leave(); err != nil {
				t.Fatal(err)
			}
		}
		repeat(t, what+", dry run", config, true, everything(t, out))
		repeat(t, what, config, false, want)
	}

	// What a job that lives has there is its own.
	if err := staged(); err != nil {
		t.Fatal(err)
	}
	env := hasty(t)
	store, err := env.Opener.Open(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	lease, err := objstore.Acquire(t.Context(), store, "_lock.json", objstore.Holder{Run: "another"}, env.Lease)
	if err != nil {
		t.Fatal(err)
	}
	repeat(t, "another job", config, false, everything(t, out))
	if err := errors.Join(lease.Confirm(t.Context()), lease.Release()); err != nil {
		t.Error(err)
	}
	repeat(t, "another job that ended", config, false, want)

	// Where nothing can be removed, the run is still there.
	if err := lock(); err != nil {
		t.Fatal(err)
	}
	env = hasty(t)
	env.Opener.Wrap = func(s objstore.Store) objstore.Store { return unremovable{s} }
	if r, err := run.Run(t.Context(), env, run.Options{Config: config}); err != nil || r.Status != run.AlreadyPublished {
		t.Errorf("%+v, %v", r, err)
	}
}

// unremovable is a store in which the job may read alone.
type unremovable struct{ objstore.Store }

func (unremovable) RemoveAll(context.Context, string) error { return fs.ErrPermission }

func (unremovable) Put(context.Context, string, []byte, objstore.Condition) (objstore.Object, error) {
	return objstore.Object{}, fs.ErrPermission
}

// TestKilled ends a run at every operation from its promotion on, and repeats it.
func TestKilled(t *testing.T) {
	config := jobtest.TinyJob(t)
	out := filepath.Join(filepath.Dir(config), "out")
	attempt := func(i int) *faulty.Faults {
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
		f := faulty.New(faulty.Crash, i, nil)
		env := jobtest.NewEnv(t)
		env.Opener.Wrap = f.Wrap
		if _, err := run.Run(t.Context(), env, run.Options{Config: config, Workers: 1}); (err != nil) != f.Met() {
			t.Fatal(err)
		}
		return f
	}
	ops := attempt(1 << 30).Ops()
	want := everything(t, out)
	first := slices.IndexFunc(ops, func(op string) bool { return op[:min(len(op), 7)] == "Promote" })
	killed := 0
	for i := first + 1; i < len(ops); i++ {
		if !attempt(i).Met() {
			continue // fewer operations: renewals of the lease come by the clock
		}
		killed++
		if _, err := os.Stat(filepath.Join(out, "_lock.json")); err == nil { // its process would be dead
			if err := os.WriteFile(filepath.Join(out, "_lock.json"), []byte("{}"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		repeat(t, fmt.Sprintf("killed at %d of %d (%s)", i, len(ops), ops[i]), config, false, want)
	}
	if first < 0 || killed < 3 {
		t.Errorf("killed %d times from operation %d of %v", killed, first, ops)
	}
}
