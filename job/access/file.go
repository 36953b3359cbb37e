package access

import (
	"context"
	"slices"

	"assent/manifests"
	"assent/schema"
)

// fileRecords are the records of one input file that name the account.
type fileRecords struct {
	used    []Used
	notUsed []NotUsed
	content []int64 // places of those whose content is given
}

// keptRow is a kept row that names the account, and its place.
type keptRow struct {
	manifests.SubjectRow
	place int64
}

// records finds the records of one file.
func (a *copier) records(ctx context.Context, d *dataset, f *file) (*fileRecords, error) {
	found := new(fileRecords)
	kept, err := a.notUsed(ctx, d, f, found)
	if err != nil || len(kept) == 0 {
		return found, err
	}
	out, err := a.openOutput(ctx, d, f)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := a.used(ctx, d, out, kept, found); err != nil {
		return nil, a.run.Fault(f.Output, err)
	}
	return found, out.Unchanged(ctx)
}

// notUsed reads the excluded records of a file that name the account. It returns the
// kept rows that do, as the exclusions tell their places.
func (a *copier) notUsed(ctx context.Context, d *dataset, f *file, found *fileRecords) (kept []keptRow, err error) {
	if f.ExcludedByReason.Total() == 0 {
		kept, _, _, err = split(f, func(func(int64) error) error { return nil })
		return kept, a.run.Fault(f.Subjects, err)
	}
	x, err := a.openExclusions(ctx, f)
	if err != nil {
		return nil, a.run.Fault(f.Exclusions, err)
	}
	defer x.Close()
	kept, rows, places, err := split(f, func(take func(row int64) error) error { return x.rows(ctx, take) })
	if err == nil && len(rows) > 0 {
		err = x.entries(ctx, a, places, func(n int, e *exclusion) error {
			r, err := a.notUsedRecord(d, e, rows[n])
			found.notUsed = append(found.notUsed, r)
			return err
		})
	}
	if err == nil {
		err = x.Unchanged(ctx)
	}
	return kept, a.run.Fault(f.Exclusions, err)
}

// split splits the rows that name the account into those that were kept, with their
// places, and those that were excluded, with the places of their entries in the exclusion
// manifest. exclusions calls its argument with the row of every exclusion.
func split(f *file, exclusions func(take func(row int64) error) error) (kept []keptRow, excluded []manifests.SubjectRow, places []int64, err error) {
	rows := f.rows // that come at or after the exclusion
	n := int64(0)  // exclusions so far
	keepBefore := func(row int64) error {
		for len(rows) > 0 && rows[0].Row < row {
			if !rows[0].Kept {
				return contradiction("row %d is not among the exclusions", rows[0].Row)
			}
			kept = append(kept, keptRow{rows[0], rows[0].Row - n})
			rows = rows[1:]
		}
		return nil
	}
	err = exclusions(func(row int64) error {
		if err := keepBefore(row); err != nil {
			return err
		}
		if len(rows) > 0 && rows[0].Row == row {
			if rows[0].Kept {
				return contradiction("row %d is both kept and excluded", row)
			}
			excluded, places = append(excluded, rows[0]), append(places, n)
			rows = rows[1:]
		}
		n++
		return nil
	})
	if err == nil {
		err = keepBefore(f.RowsIn)
	}
	if want := f.ExcludedByReason.Total(); err == nil && n != want {
		err = contradiction("%d exclusions, the run manifest says %d", n, want)
	}
	return kept, excluded, places, err
}

// notUsedRecord tells of an exclusion what the account may know.
//
// The moment of an exclusion is the first at which the primary reason holds, and both
// may be the other side's doing: with "sent" and "edited" to choose from, it would tell
// at which of them the other side was out. So it is given only where a record has one
// moment and there is nothing to choose.
func (a *copier) notUsedRecord(d *dataset, e *exclusion, row manifests.SubjectRow) (NotUsed, error) {
	if e.row != row.Row || !sameRoles(e.roles, row.Roles) || e.all.Kept() || e.own&^e.all != 0 {
		return NotUsed{}, contradiction("the entry of row %d is not that of the subject index", row.Row)
	}
	r := NotUsed{Record: a.tellID(d, []byte(e.record)), Dataset: d.Name, Time: schema.Unknown, Reason: ReasonOf(e.all, e.own)}
	if a.cfg.Organisations != nil && r.Reason == Reason(schema.PartyOptedOut.String()) {
		r.Reason = OptedOutAround
	}
	if d.tellTime {
		r.Time = e.moment
	}
	return r, nil
}

// sameRoles compares sets of roles.
func sameRoles(a, b []string) bool {
	notIn := func(set []string) func(string) bool {
		return func(name string) bool { return !slices.Contains(set, name) }
	}
	return !slices.ContainsFunc(a, notIn(b)) && !slices.ContainsFunc(b, notIn(a))
}
