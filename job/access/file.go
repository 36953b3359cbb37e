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
	rows := f.rows // that come at or after the exclusion
	excluded := int64(0)
	keepBefore := func(row int64) error {
		for len(rows) > 0 && rows[0].Row < row {
			if !rows[0].Kept {
				return contradiction("row %d is not among the exclusions", rows[0].Row)
			}
			kept = append(kept, keptRow{rows[0], rows[0].Row - excluded})
			rows = rows[1:]
		}
		return nil
	}
	for e, err := range a.run.Exclusions(ctx, f.File) {
		if err == nil {
			err = a.run.Fault(f.Exclusions, keepBefore(e.SourceRow))
		}
		if err != nil {
			return nil, err
		}
		excluded++
		if len(rows) == 0 || rows[0].Row != e.SourceRow {
			continue
		}
		r, err := a.notUsedRecord(d, &e, rows[0])
		if err != nil {
			return nil, a.run.Fault(f.Exclusions, err)
		}
		found.notUsed = append(found.notUsed, r)
		rows = rows[1:]
	}
	return kept, a.run.Fault(f.Exclusions, keepBefore(f.RowsIn))
}

// notUsedRecord tells of an exclusion what the account may know.
//
// The moment of an exclusion is the first at which the primary reason holds, and both
// may be the other side's doing: with "sent" and "edited" to choose from, it would tell
// at which of them the other side was out. So it is given only where a record has one
// moment and there is nothing to choose.
func (a *copier) notUsedRecord(d *dataset, e *manifests.Exclusion, row manifests.SubjectRow) (NotUsed, error) {
	if row.Kept {
		return NotUsed{}, contradiction("row %d is both kept and excluded", row.Row)
	}
	var all, own schema.Reasons
	for _, reason := range e.Reasons {
		all |= reason.Set()
	}
	var mine []string
	for _, s := range e.Subjects {
		if s.Ref != a.ref {
			continue
		}
		mine = append(mine, s.Role)
		if s.Cause == manifests.NoCause {
			continue
		}
		reason, err := schema.ParseReason(s.Cause.String())
		if err != nil {
			return NotUsed{}, contradiction("%w", err)
		}
		own |= reason.Set()
	}
	if !sameRoles(mine, row.Roles) || all.Kept() || own&^all != 0 {
		return NotUsed{}, contradiction("the entry of row %d is not that of the subject index", row.Row)
	}
	r := NotUsed{Record: a.tellID(d, []byte(e.RecordID)), Dataset: d.Name, Time: schema.Unknown, Reason: ReasonOf(all, own)}
	if d.tellTime {
		r.Time = e.Moment
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
