package holdings

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/manifests"
)

// Index is the open subject index of a data file.
type Index struct {
	*manifests.SubjectIndex
	objstore.Reader
}

// OpenIndex opens the subject index of a file of a data set of a run. For digested see
// publish.Run.Open. An index that speaks of another file is one of a damaged run. The
// caller closes the index.
func OpenIndex(ctx context.Context, run *publish.Run, dataset string, f *manifests.File, digested int64) (*Index, error) {
	r, err := run.Open(ctx, f.SubjectIndex(), digested)
	if err != nil {
		return nil, err
	}
	index, err := manifests.OpenSubjectIndex(r, r.Size())
	if err == nil {
		if meta := index.Meta(); meta.Dataset != dataset || meta.Source != f.Source {
			err = fmt.Errorf("%w: it speaks of another file", manifests.ErrManifest)
		}
	}
	if err != nil {
		r.Close()
		return nil, run.Fault(f.Subjects, err)
	}
	return &Index{index, r}, nil
}

// lookupBytes is about what one look-up reads of a subject index. Where looking up
// all accounts would read more than the index is long, it is read through instead.
const lookupBytes = 64 << 10

// Find returns the rows that name some references, ascending, each row once for a
// reference. References that no row names are left out.
func (x *Index) Find(refs []manifests.Ref) (map[manifests.Ref][]manifests.SubjectRow, error) {
	refs, err := x.Admitted(refs)
	if err != nil {
		return nil, err
	}
	if int64(len(refs))*lookupBytes > x.Size() {
		return readThrough(x.SubjectIndex, refs)
	}
	return lookup(x.SubjectIndex, refs)
}

func lookup(index *manifests.SubjectIndex, refs []manifests.Ref) (map[manifests.Ref][]manifests.SubjectRow, error) {
	found := map[manifests.Ref][]manifests.SubjectRow{}
	for _, ref := range refs {
		rows, err := index.Lookup(ref)
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 {
			found[ref] = rows
		}
	}
	return found, nil
}

func readThrough(index *manifests.SubjectIndex, refs []manifests.Ref) (map[manifests.Ref][]manifests.SubjectRow, error) {
	found := make(map[manifests.Ref][]manifests.SubjectRow, len(refs))
	for e, err := range index.Among(refs) {
		if err != nil {
			return nil, err
		}
		for _, row := range e.Rows {
			found[e.Ref] = append(found[e.Ref], manifests.SubjectRow{Row: row, Kept: e.Kept, Roles: e.Roles})
		}
	}
	for ref, rows := range found {
		merged, err := Merge(rows)
		if err != nil {
			return nil, err
		}
		found[ref] = merged
	}
	return found, nil
}

// Merge makes one of what several entries or ids say of a row, in place. Rows come out
// ascending.
func Merge(all []manifests.SubjectRow) ([]manifests.SubjectRow, error) {
	slices.SortStableFunc(all, func(x, y manifests.SubjectRow) int { return cmp.Compare(x.Row, y.Row) })
	n := 0
	for _, r := range all {
		if n == 0 || all[n-1].Row != r.Row {
			all[n] = r
			n++
			continue
		}
		last := &all[n-1]
		if last.Kept != r.Kept {
			return nil, fmt.Errorf("subject index: %w: row %d is both kept and excluded", manifests.ErrManifest, r.Row)
		}
		last.Roles = slices.Concat(last.Roles, r.Roles)
		slices.Sort(last.Roles)
		last.Roles = slices.Compact(last.Roles)
	}
	return all[:n], nil
}
