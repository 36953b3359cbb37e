package access

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"slices"

	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/job/parquet/pick"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// runObject is an open object of the run.
type runObject interface {
	io.ReaderAt
	io.Closer
	Unchanged(ctx context.Context) error
}

// wholeObject is an object that was read as a whole.
type wholeObject struct{ *bytes.Reader }

func (wholeObject) Close() error { return nil }

func (wholeObject) Unchanged(context.Context) error { return nil }

// open opens an object of the run. A small one is read at once, and its digest checked.
// Of a large one pages are read, which have their checksums, and what stands in them is
// held against the subject index.
func (a *accessing) open(ctx context.Context, name string, size int64, digest string) (runObject, error) {
	const small = 2 << 20
	if size <= small {
		return a.openWhole(ctx, name, size, digest)
	}
	r, err := a.store.Open(ctx, objstore.Object{Name: path.Join(a.dir, name)})
	if err != nil {
		return nil, err
	}
	if r.Size() != size {
		r.Close()
		return nil, a.of(name, publish.ErrSeal)
	}
	return r, nil
}

// openSealed opens an object and checks the digest of all of it, whatever it takes. It
// is for subject indexes: a bound that is off, in the parts that no page's checksum
// covers, could hide records, and nobody would know that they are missing.
func (a *accessing) openSealed(ctx context.Context, name string, size int64, digest string) (runObject, error) {
	const small, block = 16 << 20, 4 << 20
	if size <= small {
		return a.openWhole(ctx, name, size, digest)
	}
	r, err := a.open(ctx, name, size, digest)
	if err != nil {
		return nil, err
	}
	// Through a buffer of our own: each read of an object store is a request.
	sum := sha256.New()
	_, err = io.CopyBuffer(sum, struct{ io.Reader }{io.NewSectionReader(r, 0, size)}, make([]byte, block))
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != digest {
		err = a.of(name, publish.ErrSeal)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (a *accessing) openWhole(ctx context.Context, name string, size int64, digest string) (runObject, error) {
	data, _, err := a.store.Read(ctx, path.Join(a.dir, name))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != size || manifests.SHA256(data) != digest {
		return nil, a.of(name, publish.ErrSeal)
	}
	return wholeObject{bytes.NewReader(data)}, nil
}

// contradiction says that two of the run's files do not agree.
func contradiction(format string, args ...any) error {
	return fmt.Errorf("%w: %w", manifests.ErrManifest, fmt.Errorf(format, args...))
}

// fileRecords are the records of one input file that name the account.
type fileRecords struct {
	used    []Used
	notUsed []NotUsed
	content []int64 // places in the output of those whose content is given
}

// records finds the records of one file.
func (a *accessing) records(ctx context.Context, d *dataset, f *file) (*fileRecords, error) {
	var exclusions *pick.File
	if f.ExcludedByReason.Total() > 0 {
		r, err := a.open(ctx, f.Exclusions, f.ExclusionsBytes, f.ExclusionsSHA256)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		if exclusions, err = pick.Open(ctx, r, f.ExclusionsBytes, a.uri(f.Exclusions)); err != nil {
			return nil, err
		}
	}
	kept, excluded, err := a.places(ctx, f, exclusions)
	if err != nil {
		return nil, err
	}
	found := new(fileRecords)
	if len(excluded) > 0 {
		if err := a.notUsed(ctx, d, f, exclusions, excluded, found); err != nil {
			return nil, a.of(f.Exclusions, err)
		}
	}
	if len(kept) == 0 {
		return found, nil
	}
	out, err := a.openOutput(ctx, d, f)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	rows := slices.DeleteFunc(slices.Clone(f.rows), func(r manifests.SubjectRow) bool { return !r.Kept })
	if err := a.used(ctx, d, out, rows, kept, found); err != nil {
		return nil, a.of(f.Output, err)
	}
	return found, out.Unchanged(ctx)
}

// places are where an input file's rows are now: a kept row's in the output, an
// excluded one's in the exclusion manifest. Both ascend, as do the rows.
func (a *accessing) places(ctx context.Context, f *file, exclusions *pick.File) (kept, excluded []int64, err error) {
	next := 0 // of f.rows
	before := int64(0)
	// settle places the rows before an excluded one, and that one itself.
	settle := func(row int64) error {
		for next < len(f.rows) && f.rows[next].Row <= row {
			r := f.rows[next]
			switch {
			case r.Kept != (r.Row < row):
				return contradiction("row %d is both kept and excluded", r.Row)
			case r.Kept:
				kept = append(kept, r.Row-before)
			default:
				excluded = append(excluded, before)
			}
			next++
		}
		before++
		return nil
	}
	if exclusions != nil {
		if err := eachExcludedRow(ctx, exclusions, settle); err != nil {
			return nil, nil, a.of(f.Exclusions, err)
		}
	}
	if before != f.ExcludedByReason.Total() {
		return nil, nil, a.of(f.Exclusions, contradiction("%d exclusions, the run manifest says %d", before, f.ExcludedByReason.Total()))
	}
	if n := len(f.rows); n > 0 && f.rows[n-1].Row >= f.RowsIn {
		return nil, nil, a.of(f.Subjects, contradiction("row %d of %d", f.rows[n-1].Row, f.RowsIn))
	}
	return kept, excluded, a.of(f.Subjects, settle(f.RowsIn))
}

// eachExcludedRow calls do with every row of an exclusion manifest, ascending.
func eachExcludedRow(ctx context.Context, f *pick.File, do func(row int64) error) error {
	leaf, err := f.Lookup("source_row")
	if err != nil {
		return err
	}
	last := int64(-1)
	for g := range f.NumRowGroups() {
		err := source.ScanRowGroup(ctx, f.File, g, []int{leaf}, func(b *rewrite.Batch) error {
			for _, row := range b.Columns[0].Ints {
				if row <= last {
					return contradiction("rows do not ascend")
				}
				last = row
				if err := do(row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// exclusionLeaves are the columns of an exclusion manifest that access reads.
type exclusionLeaves struct{ record, row, reasons, moment, ref, role, cause int }

func (l *exclusionLeaves) find(f *pick.File) error {
	for name, leaf := range map[string]*int{
		"record_id": &l.record, "source_row": &l.row, "reasons": &l.reasons, "moment": &l.moment,
		"subjects.ref": &l.ref, "subjects.role": &l.role, "subjects.cause": &l.cause,
	} {
		var err error
		if *leaf, err = f.Lookup(name); err != nil {
			return contradiction("%s: %w", name, err)
		}
	}
	return nil
}

// notUsed reads the excluded records of a file from its exclusion manifest.
//
// Their moment there is the first at which the primary reason holds, and both may be
// the other side's doing: with "sent" and "edited" to choose from, it would tell at
// which of them the other side was out. So it is given only where a record has one
// moment and there is nothing to choose.
func (a *accessing) notUsed(ctx context.Context, d *dataset, f *file, exclusions *pick.File, places []int64, found *fileRecords) error {
	var l exclusionLeaves
	if err := l.find(exclusions); err != nil {
		return err
	}
	rows := slices.DeleteFunc(slices.Clone(f.rows), func(r manifests.SubjectRow) bool { return r.Kept })
	leaves := []int{l.record, l.row, l.reasons, l.moment, l.ref, l.role, l.cause}
	for b, err := range exclusions.Batches(ctx, leaves, places) {
		if err != nil {
			return err
		}
		for i := range b.Rows {
			row := rows[b.First+i]
			one := func(leaf int) int { return int(b.Slots(leaf).Rows[i]) }
			if b.Slots(l.row).Ints[one(l.row)] != row.Row {
				return contradiction("row %d is not where it should be", row.Row)
			}
			all, own, err := a.reasons(b, i, &l, row)
			if err != nil {
				return err
			}
			r := NotUsed{Record: a.tellID(d, b.Slots(l.record).Bytes.At(one(l.record))), Dataset: d.Name, Time: schema.Unknown, Reason: ReasonOf(all, own)}
			if s := b.Slots(l.moment); d.tellTime && !s.Null[one(l.moment)] {
				r.Time = schema.Instant(s.Ints[one(l.moment)])
			}
			found.notUsed = append(found.notUsed, r)
		}
	}
	return nil
}

// reasons returns why row i of a batch of exclusions is excluded, and of which of that
// the account is a cause.
func (a *accessing) reasons(b *pick.Batch, i int, l *exclusionLeaves, row manifests.SubjectRow) (all, own schema.Reasons, err error) {
	s := b.Slots(l.reasons)
	for slot := s.Rows[i]; slot < s.Rows[i+1]; slot++ {
		reason, err := schema.ParseReason(string(s.Bytes.At(int(slot))))
		if err != nil {
			return 0, 0, contradiction("%w", err)
		}
		all |= reason.Set()
	}
	refs, roles, causes := b.Slots(l.ref), b.Slots(l.role), b.Slots(l.cause)
	if n := refs.Rows[i]; n != roles.Rows[i] || n != causes.Rows[i] || refs.Rows[i+1] != roles.Rows[i+1] || refs.Rows[i+1] != causes.Rows[i+1] {
		return 0, 0, contradiction("columns of subjects disagree")
	}
	me := []byte(a.ref.String())
	var mine []string
	for slot := refs.Rows[i]; slot < refs.Rows[i+1]; slot++ {
		if !bytes.Equal(refs.Bytes.At(int(slot)), me) {
			continue
		}
		mine = append(mine, string(roles.Bytes.At(int(slot))))
		if causes.Null[slot] {
			continue
		}
		reason, err := schema.ParseReason(string(causes.Bytes.At(int(slot))))
		if err != nil {
			return 0, 0, contradiction("%w", err)
		}
		own |= reason.Set()
	}
	if !sameRoles(mine, row.Roles) || all.Kept() || own&^all != 0 {
		return 0, 0, contradiction("the entry of row %d is not that of the subject index", row.Row)
	}
	return all, own, nil
}

// sameRoles compares sets of roles.
func sameRoles(a, b []string) bool {
	for _, name := range a {
		if !slices.Contains(b, name) {
			return false
		}
	}
	for _, name := range b {
		if !slices.Contains(a, name) {
			return false
		}
	}
	return true
}
