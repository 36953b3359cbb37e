package access

import (
	"context"
	"slices"

	"assent/schema"
)

// fileRecords are the records of one input file that name askers, in the order of rows.
type fileRecords struct {
	kept    []placedRow
	notUsed []notUsedBy
}

// notUsedBy is a record that is not used, as the copy of one asker has it.
type notUsedBy struct {
	NotUsed
	who *asker
}

// placedRow is a row that names an asker, and its place: of a kept row in the data file,
// of an excluded one among the entries of the exclusion manifest.
type placedRow struct {
	namedRow
	place int64
}

// byPlace returns the places of rows, each once, and a function that returns the rows of
// the n-th. Rows ascend.
func byPlace(rows []placedRow) (places []int64, of func(n int) []placedRow) {
	var starts []int
	for i, r := range rows {
		if n := len(places); n == 0 || places[n-1] != r.place {
			places, starts = append(places, r.place), append(starts, i)
		}
	}
	starts = append(starts, len(rows))
	return places, func(n int) []placedRow { return rows[starts[n]:starts[n+1]] }
}

// records finds the records of one file that name askers of a group. Of the kept ones it finds their places.
func (a *copier) records(ctx context.Context, d *dataset, f *file, group int) (*fileRecords, error) {
	others := func(r namedRow) bool { return r.who.group != group }
	rows := f.rows
	if slices.ContainsFunc(rows, others) {
		rows = slices.DeleteFunc(slices.Clone(rows), others)
	}
	found := new(fileRecords)
	if len(rows) == 0 {
		return found, nil
	}
	var err error
	found.kept, err = a.notUsed(ctx, d, f, rows, found)
	return found, err
}

// notUsed reads the excluded ones of some rows. It returns the kept ones, as the
// exclusions tell their places.
func (a *copier) notUsed(ctx context.Context, d *dataset, f *file, rows []namedRow, found *fileRecords) (kept []placedRow, err error) {
	if f.ExcludedByReason.Total() == 0 {
		kept, _, err = split(f, rows, func(func(int64) error) error { return nil })
		return kept, a.run.Fault(f.Subjects, err)
	}
	x, err := a.openExclusions(ctx, f)
	if err != nil {
		return nil, a.run.Fault(f.Exclusions, err)
	}
	defer x.Close()
	kept, excluded, err := split(f, rows, func(take func(row int64) error) error { return x.rows(ctx, take) })
	if err == nil && len(excluded) > 0 {
		err = x.entries(ctx, excluded, func(e *exclusion, row placedRow) error {
			r, err := a.notUsedRecord(d, e, row)
			found.notUsed = append(found.notUsed, notUsedBy{r, row.who})
			return err
		})
	}
	if err == nil {
		err = x.Unchanged(ctx)
	}
	return kept, a.run.Fault(f.Exclusions, err)
}

// split splits rows of a file that name askers into those that were kept and those that
// were excluded, with their places. exclusions calls its argument with the row of every
// exclusion.
func split(f *file, rows []namedRow, exclusions func(take func(row int64) error) error) (kept, excluded []placedRow, err error) {
	n := int64(0) // exclusions so far; rows come at or after the exclusion
	keepBefore := func(row int64) error {
		for len(rows) > 0 && rows[0].Row < row {
			if !rows[0].Kept {
				return contradiction("row %d is not among the exclusions", rows[0].Row)
			}
			kept = append(kept, placedRow{rows[0], rows[0].Row - n})
			rows = rows[1:]
		}
		return nil
	}
	err = exclusions(func(row int64) error {
		if err := keepBefore(row); err != nil {
			return err
		}
		for len(rows) > 0 && rows[0].Row == row {
			if rows[0].Kept {
				return contradiction("row %d is both kept and excluded", row)
			}
			excluded = append(excluded, placedRow{rows[0], n})
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
	return kept, excluded, err
}

// notUsedRecord tells of an exclusion what the account may know.
//
// The moment of an exclusion is the first at which the primary reason holds, and both
// may be the other side's doing: with "sent" and "edited" to choose from, it would tell
// at which of them the other side was out. So it is given only where a record has one
// moment and there is nothing to choose.
func (a *copier) notUsedRecord(d *dataset, e *exclusion, row placedRow) (NotUsed, error) {
	if e.row != row.Row || !sameRoles(e.roles, row.Roles) || e.all.Kept() || e.own&^e.all != 0 {
		return NotUsed{}, contradiction("the entry of row %d is not that of the subject index", row.Row)
	}
	r := NotUsed{Record: row.who.tellID(d, []byte(e.record)), Dataset: d.Name, Time: schema.Unknown, Reason: ReasonOf(e.all, e.own)}
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
