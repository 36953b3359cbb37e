package diff

import (
	"context"
	"fmt"
	"iter"

	"golang.org/x/sync/errgroup"

	"assent/job/internal/publish"
	"assent/manifests"
)

// diffReaders is how many files are read at a time, ahead of what is consumed.
const diffReaders = 4

// diffBatch is how many items go from a reader to the consumer at a time.
const diffBatch = 1024

// inOrder calls produce for 0 … n-1, a few at a time, and hands what they send to
// consume in this order. Readers that are ahead wait, so memory is bounded.
func inOrder[T any](ctx context.Context, n int, produce func(ctx context.Context, i int, send func(T) error) error, consume func(i int, item T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	batches := make([]chan []T, n)
	for i := range batches {
		batches[i] = make(chan []T, 2)
	}
	g.Go(func() error {
		slots := make(chan struct{}, diffReaders)
		for i := range batches {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			g.Go(func() error {
				defer func() { <-slots }()
				return produceBatches(ctx, batches[i], func(send func(T) error) error { return produce(ctx, i, send) })
			})
		}
		return nil
	})
	g.Go(func() error {
		for i, in := range batches {
			for open := true; open; {
				var batch []T
				select {
				case batch, open = <-in:
				case <-ctx.Done():
					return ctx.Err()
				}
				for _, item := range batch {
					if err := consume(i, item); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	return g.Wait()
}

// produceBatches gathers what a reader sends, and closes the channel where it came to its end.
func produceBatches[T any](ctx context.Context, out chan<- []T, produce func(send func(T) error) error) error {
	var batch []T
	flush := func() error {
		select {
		case out <- batch:
			batch = nil
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := produce(func(item T) error {
		if batch == nil {
			batch = make([]T, 0, diffBatch)
		}
		if batch = append(batch, item); len(batch) == diffBatch {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	close(out)
	return nil
}

// compareRows compares files that are the same in both runs.
func (d *differ) compareRows(ctx context.Context, dataset string, pairs [][2]*manifests.File, total *DatasetDiff) error {
	counts := make([]DatasetDiff, len(pairs))
	keys := make([]keyEvidence, len(pairs))
	err := inOrder(ctx, len(pairs), func(ctx context.Context, i int, send func(Change) error) error {
		counts[i].ByRow, counts[i].InBoth = 1, pairs[i][0].RowsIn
		defer d.bar.Add(2 * pairs[i][0].RowsIn)
		return d.mergeRows(ctx, pairs[i], &keys[i], func(id string, before, after fate) error {
			counts[i].count(before, after)
			kind := kindOf(before, after)
			if kind == "" {
				return nil
			}
			source := pairs[i][0].Source
			return send(Change{dataset, id, kind, before.String(), after.String(), source, source})
		})
	}, func(_ int, c Change) error { return d.list.add(c) })
	for i := range pairs {
		total.add(&counts[i])
		d.keys.same = d.keys.same || keys[i].same
		d.keys.other = d.keys.other || keys[i].other
	}
	return err
}

// mergeRows goes through the exclusions of one input file in both runs, row by row.
func (d *differ) mergeRows(ctx context.Context, files [2]*manifests.File, keys *keyEvidence, each func(id string, before, after fate) error) error {
	type cursor struct {
		next func() (manifests.Exclusion, error, bool)
		row  manifests.Exclusion
		ok   bool
	}
	var cursors [2]cursor
	step := func(c *cursor) (err error) {
		c.row, err, c.ok = c.next()
		return err
	}
	for i := range cursors {
		next, stop := iter.Pull2(exclusions(ctx, d.runs[i], files[i]))
		defer stop()
		cursors[i].next = next
		if err := step(&cursors[i]); err != nil {
			return err
		}
	}
	before, after := &cursors[0], &cursors[1]
	for before.ok || after.ok {
		id, fates := "", [2]fate{kept, kept}
		inBefore := before.ok && (!after.ok || before.row.SourceRow <= after.row.SourceRow)
		inAfter := after.ok && (!before.ok || after.row.SourceRow <= before.row.SourceRow)
		if inBefore && inAfter {
			keys.compare(before.row.Subjects, after.row.Subjects)
		}
		if inBefore {
			id, fates[0] = before.row.RecordID, excludedFor(before.row.Reason)
		}
		if inAfter {
			id, fates[1] = after.row.RecordID, excludedFor(after.row.Reason)
		}
		if err := each(id, fates[0], fates[1]); err != nil {
			return err
		}
		if inBefore {
			if err := step(before); err != nil {
				return err
			}
		}
		if inAfter {
			if err := step(after); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// compare looks at one row's accounts in both runs: the same accounts, so other
// references mean another key.
func (k *keyEvidence) compare(a, b []manifests.ExcludedSubject) {
	none := manifests.Ref{}
	if len(a) == len(b) && len(a) > 0 && a[0].Role == b[0].Role && a[0].Ref != none && b[0].Ref != none {
		k.same = k.same || a[0].Ref == b[0].Ref
		k.other = k.other || a[0].Ref != b[0].Ref
	}
}

// exclusions yields the exclusions of an input file, and ends after the first error.
// There must be as many as the run manifest says, and their rows must ascend. The
// slices of an exclusion are valid until the next one.
func exclusions(ctx context.Context, r *publish.Run, f *manifests.File) iter.Seq2[manifests.Exclusion, error] {
	return func(yield func(manifests.Exclusion, error) bool) {
		if f.ExcludedByReason.Total() == 0 {
			return
		}
		if err := readExclusions(ctx, r, f, func(e manifests.Exclusion) bool { return yield(e, nil) }); err != nil {
			yield(manifests.Exclusion{}, err)
		}
	}
}

func readExclusions(ctx context.Context, r *publish.Run, f *manifests.File, yield func(manifests.Exclusion) bool) error {
	o := f.ExclusionManifest()
	file, err := r.Open(ctx, o, publish.DigestSmall)
	if err != nil {
		return err
	}
	defer file.Close()
	x, err := manifests.OpenExclusions(file, file.Size())
	if err != nil {
		return r.Fault(o.Path, err)
	}
	rows, last := int64(0), int64(-1)
	for e, err := range x.All() {
		if err == nil && e.SourceRow <= last {
			err = fmt.Errorf("%w: row %d follows row %d", manifests.ErrManifest, e.SourceRow, last)
		}
		if err != nil {
			return r.Fault(o.Path, err)
		}
		rows, last = rows+1, e.SourceRow
		if !yield(e) {
			return nil
		}
	}
	if want := f.ExcludedByReason.Total(); rows != want {
		return r.Fault(o.Path, fmt.Errorf("%w: has %d rows, the run manifest says %d", manifests.ErrManifest, rows, want))
	}
	return file.Unchanged(ctx)
}
