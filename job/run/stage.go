package run

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/manifests"
)

// Staging. What a shard writes lies below the plan's directory, in a directory of that
// attempt alone. Only a shard's result says which attempt counts, so one that comes late,
// or twice, changes nothing. Commit takes from there what the results name.

// newStage names the directory of an attempt at a shard, below the output.
func newStage(id string, shard int) string {
	return path.Join(planDir(id), stagedDir, fmt.Sprintf("%05d-%s", shard, strings.ToLower(rand.Text()[:12])))
}

// stagedNames are the names of a file's data, exclusions and subject index in an attempt.
func stagedNames(stage string, p Part) [3]string {
	base := path.Join(stage, fmt.Sprintf("%d-%d-%d", p.Dataset, p.File, p.Piece))
	return [3]string{base + ".data", base + ".exclusions", base + ".subjects"}
}

// objectsOf are a file's three objects in the run, in the order of stagedNames.
func objectsOf(f *manifests.File) [3]manifests.Object {
	return [3]manifests.Object{f.Data(), f.ExclusionManifest(), f.SubjectIndex()}
}

// redo takes back the result of a shard whose staged object is not there as it was written.
func (r *runner) redo(ctx context.Context, id string, shard int, object string) error {
	err := r.out.Store.Delete(ctx, objstore.Object{Name: resultObject(id, shard)})
	return errors.Join(fmt.Errorf("%s: it is not as shard %d has left it; the shard has to be done again", r.out.Store.URI(object), shard), err)
}

// windUp bounds the work of a step that was interrupted. One that has ended by itself has
// as long as it takes: the objects of many small files are removed one by one.
func windUp(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), 8*time.Second)
}

// removePlan removes a plan and all that was staged by it: people's work must not lie
// around.
func (r *runner) removePlan(ctx context.Context, id string) {
	ctx, cancel := windUp(ctx)
	defer cancel()
	var released error
	var g errgroup.Group
	g.Go(func() error {
		released = r.releaseEarlier(ctx, id)
		return nil
	})
	err := r.out.Store.RemoveAll(ctx, planDir(id))
	_ = g.Wait()
	if err := errors.Join(err, released); err != nil {
		r.Log.Warn("what was staged could not be removed; the next plan will try again", "stage", r.out.Store.URI(planDir(id)), "error", err)
	}
}

// hopeless reports whether a repeat of what failed with err would fail, too.
func hopeless(err error) bool {
	exit, _ := job.Explain(err)
	return exit == job.ExitUsage || exit == job.ExitRefused || exit == job.ExitBadInput
}

// abandonedAfter is for how long a plan that another one follows must have been left alone
// before it is removed. Every shard that ends gives a sign of life.
const abandonedAfter = 12 * time.Hour

// tidy removes other plans than that of the id: those whose run is published, and those
// that no step has worked on for abandonedAfter. The caller holds the output's lease, so
// that no run in one process and no commit is under way. It reports whether there is
// anything of the plan with the id.
func (r *runner) tidy(ctx context.Context, id string) (there bool, err error) {
	dirs, err := r.out.Store.Dirs(ctx, publish.PlanDir)
	if err != nil {
		return false, err
	}
	for _, dir := range dirs {
		if dir == planDir(id) {
			there = true
			continue
		}
		over, err := r.over(ctx, dir)
		if err == nil && over {
			r.Log.Info("a plan of another run is removed: it is published, or was left alone", "plan", r.out.Store.URI(dir))
			err = errors.Join(r.out.Store.RemoveAll(ctx, dir), r.releaseEarlier(ctx, path.Base(dir)))
		}
		if err != nil {
			return false, err
		}
	}
	return there, nil
}

// over reports whether a plan's directory is no use to anyone.
func (r *runner) over(ctx context.Context, dir string) (bool, error) {
	marker := path.Join(publish.RunDir(path.Base(dir)), publish.SuccessObject)
	if _, err := r.out.Store.Stat(ctx, marker); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err == nil, err
	}
	objects, err := r.out.Store.List(ctx, dir)
	if err != nil {
		return false, err
	}
	for _, o := range objects {
		if r.Now().Sub(o.Modified) < abandonedAfter {
			return false, nil
		}
	}
	return true, nil
}

// removeLeftovers removes what a job that was killed has left beside a published run: the
// lease, the run's plan, others' plans that are over. Where a job that lives holds the
// lease, all of it is that job's and stays. That it cannot be removed is logged.
func (r *runner) removeLeftovers(ctx context.Context, id string) {
	err := r.clean(ctx, id)
	if err != nil && !errors.Is(err, objstore.ErrHeld) {
		r.Log.Warn("what a job that was killed has left could not be removed", "output", r.out.Store.URI(""), "error", err)
	}
}

func (r *runner) clean(ctx context.Context, id string) error {
	planned, err := r.out.Store.Exists(ctx, publish.PlanDir)
	if err != nil {
		return err
	}
	_, err = r.out.Store.Stat(ctx, publish.LeaseObject)
	if errors.Is(err, fs.ErrNotExist) && !planned {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lease, err := objstore.Acquire(ctx, r.out.Store, publish.LeaseObject, objstore.Holder{Run: id}, r.Lease)
	if err != nil {
		return err
	}
	_, err = r.tidy(lease.Context(), id)
	return errors.Join(err, r.out.Store.RemoveAll(lease.Context(), planDir(id)), r.releaseEarlier(lease.Context(), id), lease.Release())
}
