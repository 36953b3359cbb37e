package run

import (
	"context"
	"slices"

	"assent/job/internal/card"
	"assent/job/internal/objstore"
	"assent/job/internal/source"
	"assent/manifests"
)

// documents makes what tells programs of others what the run is. tree is where the run's objects lie until it is published.
func (r *runner) documents(ctx context.Context, run *manifests.Run, tree map[string]objstore.Object) ([]card.Document, error) {
	columns := map[string][]card.Column{}
	for name, d := range run.Datasets {
		of, err := r.columns(ctx, d.Files, tree)
		if err != nil {
			return nil, err
		}
		columns[name] = of
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
