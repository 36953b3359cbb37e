package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"assent/job/internal/objstore"
	"assent/job/internal/source"
	"assent/job/parquet/rewrite"
)

// A plan pins its inputs: each step works on what was planned or fails, and says which
// input is another one by now. A store's generation tells at once. Where it differs, as a
// file's does that was touched or copied, the content's identity decides.

// openPinned opens an input file with the content that was planned.
func openPinned(ctx context.Context, store objstore.Store, f *File) (objstore.Reader, *rewrite.File, error) {
	r, file, err := source.Open(ctx, store, f.Object)
	if err == nil || !errors.Is(err, objstore.ErrChanged) && !errors.Is(err, objstore.ErrNotExist) {
		return r, file, err
	}
	now, err := pinned(ctx, store, f)
	if err != nil {
		return nil, nil, err
	}
	return source.Open(ctx, store, now)
}

// pinned returns the object that has the planned content now.
func pinned(ctx context.Context, store objstore.Store, f *File) (objstore.Object, error) {
	now, err := store.Stat(ctx, f.Object.Name)
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		return now, fmt.Errorf("%s: %w: it is gone", store.URI(f.Object.Name), objstore.ErrChanged)
	case err != nil || now.Generation == f.Object.Generation:
		return now, err
	}
	if now.Size == f.Object.Size {
		identity, err := store.Identity(ctx, now)
		if err != nil || identity == f.Identity {
			return now, err
		}
	}
	return now, fmt.Errorf("%s: %w: its content is not that which was planned", store.URI(f.Object.Name), objstore.ErrChanged)
}

// manyFiles is the number of files from which on they are listed rather than asked for one by
// one: a listing is a request for a thousand.
const manyFiles = 32

// checkPinned looks whether all inputs are still those of the plan.
func (r *runner) checkPinned(ctx context.Context, p *Plan) error {
	byRoot := map[string][]*File{}
	for i := range p.Controls {
		byRoot[p.Controls[i].Root] = append(byRoot[p.Controls[i].Root], &p.Controls[i])
	}
	for i := range p.Datasets {
		d := &p.Datasets[i]
		for j := range d.Files {
			byRoot[d.Root] = append(byRoot[d.Root], &d.Files[j])
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atATime)
	for _, root := range slices.Sorted(maps.Keys(byRoot)) {
		store, err := r.Opener.Open(ctx, root)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		for _, f := range doubtful(ctx, store, byRoot[root]) {
			g.Go(func() error {
				_, err := pinned(gctx, store, f)
				return err
			})
		}
	}
	return g.Wait()
}

// doubtful are the files that a listing does not show as they were planned; all of them
// where there is none.
func doubtful(ctx context.Context, store objstore.Store, files []*File) []*File {
	if len(files) < manyFiles {
		return files
	}
	dir := path.Dir(files[0].Object.Name)
	for _, f := range files {
		for dir != "." && !strings.HasPrefix(f.Object.Name, dir+"/") {
			dir = path.Dir(dir)
		}
	}
	if dir == "." {
		dir = ""
	}
	list, err := store.List(ctx, dir)
	if err != nil {
		return files
	}
	now := make(map[string]string, len(list))
	for _, o := range list {
		now[o.Name] = o.Generation
	}
	return slices.DeleteFunc(files, func(f *File) bool {
		return f.Object.Generation != "" && now[f.Object.Name] == f.Object.Generation
	})
}
