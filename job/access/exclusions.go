package access

import (
	"context"

	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/job/parquet/pick"
	"assent/job/parquet/rewrite"
	"assent/schema"
)

// exclusionFile is an open exclusion manifest of which a copy needs little: the rows of
// all exclusions, and a few whole entries. Package manifests reads all entries, some
// microsecond each; that would be most of the time where a run has millions.
type exclusionFile struct {
	objstore.Reader
	file                                           *pick.File
	record, row, reasons, moment, ref, role, cause int // leaves
}

// exclusion is an entry of an exclusion manifest, as far as it concerns an asker.
type exclusion struct {
	record string
	row    int64
	all    schema.Reasons
	moment schema.Instant // Unknown where null
	roles  []string       // under which it names the asker
	own    schema.Reasons // of which the asker is a cause
}

func (a *copier) openExclusions(ctx context.Context, f *file) (*exclusionFile, error) {
	r, err := a.run.Open(ctx, f.ExclusionManifest(), publish.DigestSmall)
	if err != nil {
		return nil, err
	}
	x := &exclusionFile{Reader: r}
	if x.file, err = pick.Open(ctx, r, r.Size(), a.run.URI(f.Exclusions)); err == nil {
		for name, leaf := range map[string]*int{
			"record_id": &x.record, "source_row": &x.row, "reasons": &x.reasons, "moment": &x.moment,
			"subjects.ref": &x.ref, "subjects.role": &x.role, "subjects.cause": &x.cause,
		} {
			var missing error
			if *leaf, missing = x.file.Lookup(name); missing != nil {
				err = contradiction("%s: %w", name, missing)
			}
		}
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return x, nil
}

// rows calls take with the row of every exclusion, ascending.
func (x *exclusionFile) rows(ctx context.Context, take func(row int64) error) error {
	last := int64(-1)
	for group := range x.file.NumRowGroups() {
		err := source.ScanRowGroup(ctx, &rewrite.File{File: x.file.File}, group, []source.KeyColumn{{Leaf: x.row}}, func(b *source.Batch) error {
			for _, row := range b.Columns[0].Ints {
				if row <= last {
					return contradiction("row %d follows row %d", row, last)
				}
				last = row
				if err := take(row); err != nil {
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

// entries calls take with some rows' entries, each as it concerns the asker whom the row names.
func (x *exclusionFile) entries(ctx context.Context, rows []placedRow, take func(e *exclusion, row placedRow) error) error {
	places, of := byPlace(rows)
	for b, err := range x.file.Batches(ctx, []int{x.record, x.row, x.reasons, x.moment, x.ref, x.role, x.cause}, places) {
		if err != nil {
			return err
		}
		for i := range b.Rows {
			for _, row := range of(b.First + i) {
				e, err := x.entry(b, i, row.who)
				if err == nil {
					err = take(e, row)
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// entry returns row i of a batch as it concerns an asker.
func (x *exclusionFile) entry(b *pick.Batch, i int, who *asker) (*exclusion, error) {
	one := func(leaf int) (*pick.Slots, int) { s := b.Slots(leaf); return s, int(s.Rows[i]) }
	e := new(exclusion)
	s, slot := one(x.record)
	e.record = string(s.Bytes.At(slot))
	s, slot = one(x.row)
	e.row = s.Ints[slot]
	e.moment = schema.Unknown
	if s, slot = one(x.moment); !s.Null[slot] {
		e.moment = schema.Instant(s.Ints[slot])
	}
	s = b.Slots(x.reasons)
	for slot := s.Rows[i]; slot < s.Rows[i+1]; slot++ {
		reason, err := schema.ParseReason(string(s.Bytes.At(int(slot))))
		if err != nil {
			return nil, contradiction("%w", err)
		}
		e.all |= reason.Set()
	}
	refs, roles, causes := b.Slots(x.ref), b.Slots(x.role), b.Slots(x.cause)
	if from, to := refs.Rows[i], refs.Rows[i+1]; from != roles.Rows[i] || from != causes.Rows[i] || to != roles.Rows[i+1] || to != causes.Rows[i+1] {
		return nil, contradiction("columns of subjects disagree")
	}
	for slot := int(refs.Rows[i]); slot < int(refs.Rows[i+1]); slot++ {
		if !who.hasRef(refs.Bytes.At(slot)) {
			continue
		}
		e.roles = append(e.roles, string(roles.Bytes.At(slot)))
		if causes.Null[slot] {
			continue
		}
		reason, err := schema.ParseReason(string(causes.Bytes.At(slot)))
		if err != nil {
			return nil, contradiction("%w", err)
		}
		e.own |= reason.Set()
	}
	return e, nil
}
