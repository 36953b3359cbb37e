package access

import (
	"context"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"golang.org/x/sync/errgroup"

	"assent/job/parquet/pick"
)

// accessFiles is how many input files' records are looked for at a time: with an object
// store, most of that is waiting.
const accessFiles = 4

// found is what a data set has of an asker.
type found struct {
	used    []Used
	notUsed []NotUsed
	content []piece // empty where it is written as it is read
}

// piece is some rows of a record: those of one asker.
type piece struct {
	record      arrow.Record
	from, until int64
}

// find finds the records of the n-th data set that name askers of a group, and gives them
// to these in the order of files and rows. It returns them by file, too.
func (a *copier) find(ctx context.Context, n, group int) ([]*fileRecords, error) {
	d := a.datasets[n]
	all := make([]*fileRecords, len(d.files))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(accessFiles)
	for i, f := range d.files {
		g.Go(func() (err error) {
			all[i], err = a.records(ctx, d, f, group)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, r := range all {
		for _, u := range r.used {
			set := u.who.found[n]
			set.used = append(set.used, u.Used)
		}
		for _, u := range r.notUsed {
			set := u.who.found[n]
			set.notUsed = append(set.notUsed, u.NotUsed)
		}
		r.used, r.notUsed = nil, nil
	}
	return all, nil
}

// contents hands the content of a data set's records to take, as pieces of records that it
// has to retain where it keeps them.
func (a *copier) contents(ctx context.Context, d *dataset, all []*fileRecords, take func(*asker, piece) error) error {
	for i, r := range all {
		if len(r.content) == 0 {
			continue
		}
		out, err := a.openOutput(ctx, d, d.files[i])
		if err != nil {
			return err
		}
		if err = a.run.Fault(d.files[i].Output, a.content(ctx, out, r.content, take)); err == nil {
			err = out.Unchanged(ctx)
		}
		out.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// content reads whole records of a file, with every account id of a mapped column replaced
// by the label that it has for the asker.
func (a *copier) content(ctx context.Context, f *outputFile, wanted []placedRow, take func(*asker, piece) error) error {
	var who *asker
	text := map[int]func(*pick.Slots, int) string{}
	for _, role := range f.roles {
		text[role.Leaf] = func(s *pick.Slots, slot int) string {
			return who.labels.Label(string(role.ID.Append(nil, &s.Vector, slot)))
		}
	}
	rows := f.file.Assembler(pick.Options{Text: text, Finite: a.format != Parquet})
	defer rows.Release()
	leaves := make([]int, len(f.file.Columns()))
	for leaf := range leaves {
		leaves[leaf] = leaf
	}
	type rowOf struct {
		i   int
		who *asker
	}
	var batch []rowOf
	var named []Named
	places, of := byPlace(wanted)
	for b, err := range f.file.Batches(ctx, leaves, places) {
		if err != nil {
			return err
		}
		batch = batch[:0]
		for i := range b.Rows {
			for _, row := range of(b.First + i) {
				batch = append(batch, rowOf{i, row.who})
			}
		}
		slices.SortStableFunc(batch, func(x, y rowOf) int { return x.who.line - y.who.line })
		for _, r := range batch {
			who, named = r.who, named[:0]
			for _, role := range f.roles {
				named = role.ids(named, b, r.i)
			}
			who.labels.Meet(named)
			if err := rows.Append(b, r.i); err != nil {
				return err
			}
		}
		record := rows.Record()
		for from := 0; from < len(batch) && err == nil; {
			until := from + 1
			for until < len(batch) && batch[until].who == batch[from].who {
				until++
			}
			err = take(batch[from].who, piece{record, int64(from), int64(until)})
			from = until
		}
		record.Release()
		if err != nil {
			return err
		}
	}
	return nil
}
