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

// find finds the records of the n-th data set that name askers of a group. It gives those that are not used to these, in the
// order of files and rows, and returns the others by file.
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
		for _, u := range r.notUsed {
			set := u.who.found[n]
			set.notUsed = append(set.notUsed, u.NotUsed)
		}
		r.notUsed = nil
	}
	return all, nil
}

// published reads the kept records of the n-th data set, in the order of files and rows. It gives each to its asker, and hands
// their content to take, as pieces of records that it has to retain where it keeps them.
func (a *copier) published(ctx context.Context, n int, all []*fileRecords, take func(*asker, piece) error) error {
	d := a.datasets[n]
	for i, r := range all {
		if len(r.kept) == 0 {
			continue
		}
		out, err := a.openOutput(ctx, d, d.files[i])
		if err != nil {
			return err
		}
		reader := a.newReader(n, out, take)
		if err = a.run.Fault(d.files[i].Output, reader.read(ctx, r.kept)); err == nil {
			err = out.Unchanged(ctx)
		}
		reader.rows.Release()
		out.Close()
		if err != nil {
			return err
		}
		r.kept = nil
	}
	return nil
}

// reader reads kept records of one file.
type reader struct {
	*copier
	n    int
	d    *dataset
	out  *outputFile
	take func(*asker, piece) error

	rows  *pick.Assembler // whole records, with every account id of a mapped column replaced by the label that it has for who
	who   *asker
	named []Named
	batch []rowOf
}

// rowOf is row i of a batch, whose content is given to an asker.
type rowOf struct {
	i   int
	who *asker
}

func (a *copier) newReader(n int, out *outputFile, take func(*asker, piece) error) *reader {
	r := &reader{copier: a, n: n, d: a.datasets[n], out: out, take: take}
	text := map[int]func(*pick.Slots, int) string{}
	for _, role := range out.roles {
		text[role.Leaf] = func(s *pick.Slots, slot int) string {
			return r.who.labels.Label(string(role.ID.Append(nil, &s.Vector, slot)))
		}
	}
	r.rows = out.file.Assembler(pick.Options{Text: text, Finite: a.format != Parquet})
	return r
}

// read reads the keys of all of some rows, and the rest of those whose content is given. It goes once over the file.
func (r *reader) read(ctx context.Context, kept []placedRow) error {
	keys := r.out.keyLeaves()
	var rest []int
	for leaf := range r.out.file.Columns() {
		if !slices.Contains(keys, leaf) {
			rest = append(rest, leaf)
		}
	}
	places, of := byPlace(kept)
	given := func(row placedRow) bool { return r.givesContent(r.d, row.namedRow) }
	whole := func(n int) bool { return slices.ContainsFunc(of(n), given) }
	for b, err := range r.out.file.Wholes(ctx, keys, rest, places, whole) {
		if err != nil {
			return err
		}
		r.batch = r.batch[:0]
		for i := range b.Rows {
			for _, row := range of(b.First + i) {
				used, err := r.used(b, i, row)
				if err != nil {
					return err
				}
				set := row.who.found[r.n]
				if set.used = append(set.used, used); used.Content {
					r.batch = append(r.batch, rowOf{i, row.who})
				}
			}
		}
		if err := r.content(b); err != nil {
			return err
		}
	}
	return nil
}

// content hands on the content of the rows of a batch that are in r.batch.
func (r *reader) content(b *pick.Batch) (err error) {
	if len(r.batch) == 0 {
		return nil
	}
	slices.SortStableFunc(r.batch, func(x, y rowOf) int { return x.who.line - y.who.line })
	for _, row := range r.batch {
		r.who, r.named = row.who, r.named[:0]
		for _, role := range r.out.roles {
			r.named = role.ids(r.named, b, row.i)
		}
		r.who.labels.Meet(r.named)
		if err := r.rows.Append(b, row.i); err != nil {
			return err
		}
	}
	record := r.rows.Record()
	defer record.Release()
	b.Done()
	for from := 0; from < len(r.batch) && err == nil; {
		until := from + 1
		for until < len(r.batch) && r.batch[until].who == r.batch[from].who {
			until++
		}
		err = r.take(r.batch[from].who, piece{record, int64(from), int64(until)})
		from = until
	}
	return err
}
