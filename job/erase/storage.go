package erase

import (
	"context"
	"time"

	"assent/job"
	"assent/job/internal/objstore"
)

// checkDeletable refuses an erasure that the store would stop half-way.
func (x *eraser) checkDeletable(ctx context.Context, entry *Entry) error {
	terms, err := x.out.Store.Terms(ctx, x.Now())
	if err != nil || terms.MinAge == 0 {
		return err
	}
	var until time.Time
	for _, d := range entry.dirs() {
		objects, err := x.out.Store.List(ctx, d.Dir)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if t := o.Modified.Add(terms.MinAge); t.After(until) {
				until = t
			}
		}
	}
	if until.After(x.Now()) {
		return job.Refused("shorten the retention policy, if it is not locked, or erase after that date",
			"%s: the retention policy of %s forbids to delete the youngest object before %s; nothing was removed", x.out.Store.URI(""), terms.MinAge, until.UTC().Format(time.RFC3339))
	}
	return nil
}

// storageTerms says what the removal at an instant means. That the settings cannot be
// had does not undo the removal, so it is no error.
func (x *eraser) storageTerms(ctx context.Context, removed time.Time) objstore.Terms {
	terms, err := x.out.Store.Terms(ctx, removed)
	if err != nil {
		x.Log.Warn("the storage's settings could not be read for the receipt", "error", err)
	}
	return terms
}
