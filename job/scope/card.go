package scope

import (
	"context"
	"path"

	"github.com/apache/arrow/go/v17/arrow"

	"assent/job/internal/card"
	"assent/job/internal/objstore"
	"assent/job/parquet"
	"assent/manifests"
)

// describe notes the columns of a part that was just written. Parts of one schema have the same ones, so only the first is read.
func (x *exporter) describe(ctx context.Context, name string, s *arrow.Schema) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, known := x.columns[s.String()]; known {
		return nil
	}
	r, err := x.target.Open(ctx, objstore.Object{Name: path.Join(x.stage, name)})
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := parquet.Open(ctx, r, r.Size(), name)
	if err != nil {
		return err
	}
	x.columns[s.String()] = card.ColumnsOf(f)
	return nil
}

// writeCard writes the Croissant document of an account's scope, in the terms of which a run's is made. It lies where a run has its
// own: beside the data sets, so that what loads a run loads a scope.
func (x *exporter) writeCard(ctx context.Context, a *account) error {
	run := &manifests.Run{
		RunID: x.run.RunID, Program: x.run.Program, ConsentAsOf: x.run.ConsentAsOf, RequestsAsOf: x.run.RequestsAsOf,
		Datasets: map[string]manifests.Dataset{}, Use: map[string]manifests.Use{},
	}
	columns := map[string][]card.Column{}
	for name, d := range a.Datasets {
		set := manifests.Dataset{Category: d.Category, RowsIn: d.Rows, RowsKept: d.Rows}
		for i, f := range d.Files {
			base := path.Base(f.Path)
			set.Files = append(set.Files, manifests.File{Source: base, Output: path.Join(name, base), Bytes: f.Bytes, SHA256: f.SHA256})
			if i == 0 {
				columns[name] = x.columns[a.schemas[name][i]]
			} else {
				columns[name] = card.Merge(columns[name], x.columns[a.schemas[name][i]])
			}
		}
		run.Datasets[name], run.Use[name] = set, manifests.Use{Audience: a.Audience}
	}
	documents, err := card.Documents(run, columns)
	if err != nil {
		return err
	}
	for _, d := range documents {
		if d.Path != card.CroissantPath {
			continue // the card for Hugging Face is of a whole run
		}
		name := path.Join(a.Dir, d.Path)
		if _, err := x.target.Put(ctx, path.Join(x.stage, name), d.Data, objstore.Any); err != nil {
			return err
		}
		a.Croissant = File{Path: name, Bytes: int64(len(d.Data)), SHA256: manifests.SHA256(d.Data)}
	}
	return nil
}
