package run

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"assent/job/internal/card"
	"assent/job/internal/objstore"
	"assent/job/internal/source"
	"assent/manifests"
)

// documents makes what tells programs of others what the run is. tree is where the run's objects lie until it is published.
func (r *runner) documents(ctx context.Context, run *manifests.Run, tree map[string]objstore.Object) ([]card.Document, error) {
	names := slices.Sorted(maps.Keys(run.Datasets))
	found := make([][]card.Column, len(names))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atATime)
	for i, name := range names {
		g.Go(func() (err error) {
			found[i], err = r.columns(gctx, run.Datasets[name].Files, tree)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	columns := make(map[string][]card.Column, len(names))
	for i, name := range names {
		columns[name] = found[i]
	}
	r.seen.columns = columns
	return card.Documents(run, columns)
}

// columns returns the columns of a data set's files: those of the last file, then what earlier ones alone have. It opens
// one file for each schema that there is.
func (r *runner) columns(ctx context.Context, files []manifests.File, tree map[string]objstore.Object) (all []card.Column, err error) {
	seen := map[string]bool{}
	for _, f := range slices.Backward(files) {
		if f.Schema != "" && seen[f.Schema] {
			continue
		}
		seen[f.Schema] = true
		reader, file, err := source.Open(ctx, r.out.Store, tree[f.Output])
		if err != nil {
			return nil, err
		}
		if of := card.ColumnsOf(file.File); all == nil {
			all = of
		} else {
			all = card.Merge(all, of)
		}
		if err := reader.Close(); err != nil {
			return nil, err
		}
	}
	return all, nil
}
