package run

import (
	"context"
	"fmt"
	"math"
	"path"

	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/manifests"
)

// earlierOutput is what an earlier run made of the file. The data is opened when a block of it is to be written: where that of all blocks
// stays, nothing of it is read.
type earlierOutput struct {
	run        *publish.Run
	file       *manifests.File
	place      objstore.Object // of the data file, as it was before its bytes were looked at
	readers    []objstore.Reader
	data       *parquet.File // nil: it is not open
	lost       bool          // the data is not as it was published
	exclusions *manifests.Exclusions
	subjects   *manifests.SubjectIndex
}

func (e *earlierOutput) close() {
	if e != nil {
		for _, r := range e.readers {
			r.Close()
		}
	}
}

// openEarlier opens the earlier manifests, whose bytes must be those that were published.
func (w *fileWork) openEarlier(ctx context.Context) (_ *earlierOutput, err error) {
	run, err := w.earlierRun()
	if err != nil {
		return nil, err
	}
	f := run.File(w.d.Name, w.in.Rel)
	if f == nil {
		return nil, run.Fault(publish.ManifestObject, fmt.Errorf("%w: a file is missing", manifests.ErrManifest))
	}
	w.desk.earlier[0].Clear()
	e := &earlierOutput{run: run, file: f}
	if e.place, err = w.stage.Stat(ctx, path.Join(run.Dir, f.Output)); err != nil {
		return nil, run.Fault(f.Output, err)
	}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	exclusions, err := w.openOf(ctx, e, 1)
	if err != nil {
		return nil, err
	}
	if e.exclusions, err = manifests.OpenExclusions(exclusions, exclusions.Size()); err != nil {
		return nil, err
	}
	subjects, err := w.openOf(ctx, e, 2)
	if err != nil {
		return nil, err
	}
	e.subjects, err = manifests.OpenSubjectIndex(subjects, subjects.Size())
	return e, err
}

// openOf opens an earlier object, by its place in objectsOf.
func (w *fileWork) openOf(ctx context.Context, e *earlierOutput, place int) (objstore.Reader, error) {
	r, err := e.run.OpenIn(ctx, objectsOf(e.file)[place], math.MaxInt64, &w.desk.earlier[place])
	if err == nil {
		e.readers = append(e.readers, r)
	}
	return r, err
}

// openData opens the earlier data, if that is not done. It reports whether the bytes are those that were published.
func (w *fileWork) openData(ctx context.Context) (bool, error) {
	e := w.earlier
	if e.data != nil || e.lost {
		return !e.lost, nil
	}
	r, err := w.openOf(ctx, e, 0)
	if err == nil {
		e.data, err = parquet.Open(ctx, r, r.Size(), e.file.Output)
	}
	if err != nil && publish.Damaged(err) {
		w.Log.Warn("the earlier data file is not as it was published, so no row group of it is taken over", "dataset", w.d.Name, "file", w.in.Rel, "error", err)
		e.lost, err = true, nil
	}
	return !e.lost, err
}

// dataStands reports whether the earlier data file is as it was published. As of other files that are taken over whole, its bytes are
// not looked at where nobody has touched it since.
func (w *fileWork) dataStands(ctx context.Context) (bool, error) {
	e := w.earlier
	marker, err := w.stage.Stat(ctx, path.Join(e.run.Dir, publish.SuccessObject))
	if err == nil && e.place.Size == e.file.Bytes && !e.place.Modified.After(marker.Modified) {
		return true, nil
	}
	if err != nil && !publish.Damaged(err) {
		return false, err
	}
	return w.openData(ctx)
}

// takeData writes the data of a block as it was written before. What stands of the block in the manifests is taken over or decided already:
// so where the data is lost, it is rewritten with the rows that it kept.
func (w *fileWork) takeData(ctx context.Context, out *rewrite.Writer, b *block) error {
	there, err := w.openData(ctx)
	if err != nil {
		return err
	}
	was := b.earlier()
	if there {
		return out.Take(ctx, b.to, w.earlier.data, was.At[0], was.At[0]+was.Facts.Groups[0], rewrite.Pages(was.Facts.Pages))
	}
	sels, err := w.keptBefore(b)
	for i := range sels {
		if err == nil {
			err = out.RowGroup(ctx, b.from+i, sels[i])
		}
	}
	b.redone = true
	return err
}

// keptBefore returns which rows of a block's row groups were kept in the earlier run, by its exclusions.
func (w *fileWork) keptBefore(b *block) (sels []*rewrite.Selection, err error) {
	for group := b.from; group < b.to; group++ {
		sel := rewrite.NewSelection(w.file.RowGroupRows(group))
		sel.KeepRange(0, sel.Len())
		sels = append(sels, sel)
	}
	group, first := 0, b.first
	for was, err := range w.earlier.exclusions.Fates(func(from, to int64) bool { return to < b.first || from >= b.first+b.rows }) {
		if err != nil {
			return nil, err
		}
		for group < len(sels) && was.Row >= first+sels[group].Len() {
			first += sels[group].Len()
			group++
		}
		if was.Row < first || group == len(sels) {
			return nil, w.earlier.run.Fault(w.earlier.file.Exclusions, fmt.Errorf("%w: a row of another block", manifests.ErrManifest))
		}
		sels[group].SetBits(was.Row-first, 0, 1)
	}
	return sels, nil
}
