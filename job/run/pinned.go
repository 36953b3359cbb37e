package run

import (
	"context"
	"errors"
	"fmt"

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

// checkPinned looks whether all inputs are still those of the plan.
func (r *runner) checkPinned(ctx context.Context, p *Plan) error {
	stores := map[string]objstore.Store{}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atATime)
	check := func(root string, files []File) (err error) {
		store := stores[root]
		if store == nil {
			if store, err = r.Opener.Open(ctx, root); err != nil {
				return err
			}
			stores[root] = store
		}
		for i := range files {
			g.Go(func() error {
				_, err := pinned(gctx, store, &files[i])
				return err
			})
		}
		return nil
	}
	var err error
	for i := range p.Controls {
		if err == nil {
			err = check(p.Controls[i].Root, p.Controls[i:i+1])
		}
	}
	for i := range p.Datasets {
		if err == nil {
			err = check(p.Datasets[i].Root, p.Datasets[i].Files)
		}
	}
	return errors.Join(err, g.Wait())
}
