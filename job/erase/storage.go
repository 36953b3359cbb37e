package erase

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"assent/job"
	"assent/job/internal/objstore"
)

// StorageTerms say what deletion means where the output lies.
type StorageTerms struct {
	Kind string `json:"kind"` // directory or gcs
	// Settings of the bucket; null where they are not known, or for a directory.
	SoftDeleteSeconds *int64 `json:"soft_delete_seconds"`
	Versioning        *bool  `json:"versioning"`
	RetentionSeconds  *int64 `json:"retention_policy_seconds"`
	RetentionLocked   *bool  `json:"retention_policy_locked"`
	EventBasedHold    *bool  `json:"default_event_based_hold"`
	ObjectRetention   *bool  `json:"object_retention"`
	// GoneFrom is from when nothing of the objects is stored any more; null where
	// that is not known, or does not come by itself.
	GoneFrom *time.Time `json:"gone_from"`
	Meaning  []string   `json:"meaning"`
}

// retention asks for the bucket's settings. known is false for a directory, and
// where the bucket does not say.
func (x *eraser) retention(ctx context.Context) (r objstore.Retention, known bool, err error) {
	store, ok := x.out.Store.(objstore.Retainer)
	if !ok {
		return r, false, nil
	}
	r, err = store.Retention(ctx)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	return r, err == nil, err
}

// checkDeletable refuses an erasure that the bucket would stop half-way.
func (x *eraser) checkDeletable(ctx context.Context, entry *Entry) error {
	r, known, err := x.retention(ctx)
	if err != nil || !known || r.MinAge == 0 || r.Versioning {
		return err
	}
	var until time.Time
	for _, d := range entry.dirs() {
		objects, err := x.out.Store.List(ctx, d.Dir)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if t := o.Modified.Add(r.MinAge); t.After(until) {
				until = t
			}
		}
	}
	if until.After(x.Now()) {
		return job.Refused("shorten the retention policy, if it is not locked, or erase after that date",
			"%s: the bucket's retention policy of %s forbids to delete the youngest object before %s; nothing was removed", x.out.Store.URI(""), r.MinAge, until.UTC().Format(time.RFC3339))
	}
	return nil
}

// storageTerms says what the removal at an instant means. That the settings cannot be
// had does not undo the removal, so it is no error.
func (x *eraser) storageTerms(ctx context.Context, removed time.Time) StorageTerms {
	if !x.onGCS() {
		return StorageTerms{Kind: "directory", GoneFrom: &removed, Meaning: []string{
			"the files were unlinked; the file system reuses their blocks in its own time, and its snapshots and backups keep what they have",
		}}
	}
	t := StorageTerms{Kind: "gcs"}
	r, known, err := x.retention(ctx)
	if err != nil || !known {
		if err != nil {
			x.Log.Warn("the bucket's settings could not be read for the receipt", "error", err)
		}
		t.Meaning = []string{"the bucket's settings are not known (to read them needs storage.buckets.get): buckets have a soft delete of 7 days unless it was changed, and may keep versions"}
		return t
	}
	soft, period := int64(r.SoftDelete.Seconds()), int64(r.MinAge.Seconds())
	t.SoftDeleteSeconds, t.RetentionSeconds = &soft, &period
	t.Versioning, t.RetentionLocked, t.EventBasedHold, t.ObjectRetention = &r.Versioning, &r.Locked, &r.Holds, &r.ObjectRetention
	t.describe(r, removed)
	return t
}

func (t *StorageTerms) describe(r objstore.Retention, removed time.Time) {
	say := func(format string, args ...any) { t.Meaning = append(t.Meaning, fmt.Sprintf(format, args...)) }
	gone := removed.Add(r.SoftDelete)
	switch {
	case r.Versioning && r.Lifecycle:
		say("the bucket keeps versions: the objects are noncurrent until a lifecycle rule or someone deletes these versions, and for %s after that (soft delete)", r.SoftDelete)
	case r.Versioning:
		say("the bucket keeps versions and no lifecycle rule deletes any: the objects stay as noncurrent versions until someone deletes these, and for %s after that (soft delete)", r.SoftDelete)
	case r.SoftDelete > 0:
		say("the bucket has a soft delete of %s: the objects can be restored until %s and are gone from then on", r.SoftDelete, gone.Format(time.RFC3339))
	default:
		say("the bucket has neither soft delete nor versions: the objects are gone")
	}
	if !r.Versioning {
		t.GoneFrom = &gone
	}
	if r.MinAge > 0 {
		say("the bucket's retention policy keeps objects from being deleted before they are %s old; these were older", r.MinAge)
	}
	if r.Holds || r.ObjectRetention {
		say("objects of the bucket may be on hold or have a retention of their own; none of those named here was, or it could not have been deleted")
	}
}
