package run

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"path"

	"golang.org/x/sync/errgroup"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/manifests"
)

// Whole files are taken over without being read. So their objects must be there, of the size that was published, and untouched
// since: one that was written to after the run was published must have the digest that was published.

// objectsOfRun are the objects of a run as they lie there now.
type objectsOfRun struct {
	*publish.Run
	there  map[string]objstore.Object // by name below the output
	marker objstore.Object            // that is written once all else is in place
}

// objectsNow lists the objects of a run.
func (r *runner) objectsNow(ctx context.Context, run *publish.Run) (*objectsOfRun, error) {
	there, err := objectsBelow(ctx, r.out.Store, run.Dir)
	if err != nil {
		return nil, err
	}
	marker, ok := there[path.Join(run.Dir, publish.SuccessObject)]
	if !ok {
		return nil, run.Fault(publish.SuccessObject, fs.ErrNotExist)
	}
	return &objectsOfRun{run, there, marker}, nil
}

// check returns an error that is publish.Damaged where an object is not as it was published.
func (x *objectsOfRun) check(ctx context.Context, objects ...manifests.Object) error {
	for _, o := range objects {
		is, ok := x.there[path.Join(x.Dir, o.Path)]
		switch {
		case !ok:
			return x.Fault(o.Path, fs.ErrNotExist)
		case is.Size != o.Bytes:
			return x.Fault(o.Path, fmt.Errorf("%w: it has %d bytes, not %d", manifests.ErrManifest, is.Size, o.Bytes))
		case is.Modified.After(x.marker.Modified):
			r, err := x.Open(ctx, o, math.MaxInt64)
			if err == nil {
				err = r.Close()
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// checkAll calls check for files, several at a time, and failed for each that is not as it was published.
func (x *objectsOfRun) checkAll(ctx context.Context, files []*manifests.File, failed func(i int, err error) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atATime)
	for i, f := range files {
		g.Go(func() error {
			objects := objectsOf(f)
			err := x.check(gctx, objects[:]...)
			if err != nil && publish.Damaged(err) {
				err = failed(i, err)
			}
			return err
		})
	}
	return g.Wait()
}

// intact returns those of some files whose objects are as they were published, or of which only blocks are to be taken over: those
// are looked at when they are read.
func (c *comparison) intact(ctx context.Context, files []*sameFile) (intact []*sameFile, err error) {
	var whole []*manifests.File
	var at []int
	for i, f := range files {
		if f.taken() == len(f.same) {
			whole, at = append(whole, f.File), append(at, i)
		}
	}
	damaged := make([]bool, len(files))
	err = c.objects.checkAll(ctx, whole, func(i int, err error) error {
		damaged[at[i]] = true
		c.warn("an output of the current run is not as it was published, so its file is done anew", "dataset", c.d.Name, "file", whole[i].Source, "error", err)
		return nil
	})
	for i, f := range files {
		if !damaged[i] {
			intact = append(intact, f)
		}
	}
	return intact, err
}

// checkTaken looks whether the files that the plan takes over are still as they were published.
func (r *runner) checkTaken(ctx context.Context, plan *planned) error {
	if plan.earlierRun() == "" {
		return nil
	}
	run, err := r.openEarlierRun(ctx, plan)()
	if err != nil {
		return err
	}
	now, err := r.objectsNow(ctx, run)
	if err != nil {
		return err
	}
	var files []*manifests.File
	for i := range plan.Datasets {
		if reuse := plan.Datasets[i].Reuse; reuse != nil {
			if reuse.Whole {
				if err := now.check(ctx, run.Datasets[plan.Datasets[i].Name].Footprints); err != nil {
					return planAgain(err)
				}
			}
			for j := range reuse.Result.Files {
				files = append(files, &reuse.Result.Files[j])
			}
		}
	}
	return now.checkAll(ctx, files, func(_ int, err error) error { return planAgain(err) })
}

// planAgain makes of a damaged run that the plan takes over from what a repeat mends. Other errors stay as they are.
func planAgain(err error) error {
	if !publish.Damaged(err) {
		return err
	}
	return &job.Error{Exit: job.ExitFailed, Hint: "run again, or plan again: what is damaged is done anew then", Err: err}
}

// objectsBelow returns the objects of a directory by name.
func objectsBelow(ctx context.Context, store objstore.Store, dir string) (map[string]objstore.Object, error) {
	list, err := store.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	all := make(map[string]objstore.Object, len(list))
	for _, o := range list {
		all[o.Name] = o
	}
	return all, nil
}
