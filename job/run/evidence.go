package run

import (
	"slices"

	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// What the manifests say of a batch. Neighbouring rows mostly name the same accounts, and are then told of together.

// findRuns notes where runs of rows end that name the same accounts, role by role.
func (k *desk) findRuns(rows int) {
	k.runs = k.runs[:0]
	for i := 1; i < rows; i++ {
		for _, r := range k.roles {
			if !r.repeats(i) {
				k.runs = append(k.runs, i)
				break
			}
		}
	}
	k.runs = append(k.runs, rows)
}

// repeats reports whether a row of the batch names the same accounts as the one before it.
func (r *roleAccounts) repeats(row int) bool {
	o := r.accounts.Offsets
	if o == nil {
		return r.handles[row] == r.handles[row-1]
	}
	return slices.Equal(r.handles[o[row-1]:o[row]], r.handles[o[row]:o[row+1]])
}

// exclude writes the batch's excluded records to the exclusion manifest.
func (w *fileWork) exclude(b *source.Batch, first int64) error {
	i, loaded := 0, false
	for _, end := range w.runs {
		for i < end {
			if w.reasons[i].Kept() {
				i++
				continue
			}
			if !loaded {
				if err := b.Load(w.bound.Record.At); err != nil {
					return err
				}
				loaded = true
			}
			n := w.d.decider.Alike(&w.rows, i, end, w.reasons)
			if err := w.excludeRun(b, i, n, first); err != nil {
				return err
			}
			i += n
		}
	}
	return nil
}

// excludeRun writes n records from row i of the batch on, which are excluded alike.
func (w *fileWork) excludeRun(b *source.Batch, i, n int, first int64) error {
	reasons := w.reasons[i]
	w.findings = w.d.decider.Findings(&w.rows, i, w.findings[:0])
	w.tally.excluded(reasons.Primary(), w.findings, n)
	w.subjectsOf = w.subjectsOf[:0]
	request := ""
	for _, f := range w.findings {
		s := manifests.Subject{Account: manifests.NoAccount, Role: uint8(f.Role), Cause: manifests.CauseOf(f.Cause), Since: f.Since}
		if f.Slot >= 0 {
			s.Account = w.roles[f.Role].handles[f.Slot]
		}
		w.subjectsOf = append(w.subjectsOf, s)
		if request == "" && f.Cause == schema.DeletionRequested.Set() {
			d, _ := w.index.Deletion(f.Account)
			request = d.Request
		}
	}
	record := &w.bound.Record
	return w.exclusions.Append(&manifests.Excluded{
		Row:      first + int64(i),
		IDs:      record.ID.Range(&b.Columns[record.At], i, i+n, &w.recordIDs),
		Reasons:  reasons,
		Moments:  w.rows.Moments[w.d.decider.MomentOf(&w.rows, i, reasons.Primary())][i : i+n],
		Subjects: w.subjectsOf,
		Request:  request,
	})
}

// indexSubjects tells the subject index of every account that the batch names.
func (w *fileWork) indexSubjects(first int64) error {
	i := 0
	for _, end := range w.runs {
		w.named = w.named[:0]
		for n, r := range w.roles {
			lo, hi := i, i+1
			if o := r.accounts.Offsets; o != nil {
				lo, hi = int(o[i]), int(o[i+1])
			}
			for _, account := range r.handles[lo:hi] {
				w.named = append(w.named, manifests.NamedAs{Account: account, Role: uint8(n)})
			}
		}
		for i < end {
			from, kept := i, w.reasons[i].Kept()
			for i < end && w.reasons[i].Kept() == kept {
				i++
			}
			if err := w.subjects.Add(first+int64(from), i-from, w.named, kept); err != nil {
				return err
			}
		}
	}
	return nil
}
