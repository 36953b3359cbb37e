package objstore

import (
	"context"
	"time"
)

// Retention says what becomes of objects that are deleted, and which may not be. It
// is of the bucket, as far as the bucket says.
type Retention struct {
	// SoftDelete is for how long a deleted object can be restored, and goes on being
	// stored; 0: it cannot.
	SoftDelete time.Duration
	// Versioning says that a deleted object goes on being stored as a noncurrent
	// version, until someone or a lifecycle rule deletes that.
	Versioning bool
	// Lifecycle says that some rule deletes objects or versions by itself.
	Lifecycle bool
	// MinAge is the age below which objects cannot be deleted; 0: none.
	MinAge time.Duration
	// Locked says that MinAge cannot be lowered any more.
	Locked bool
	// Holds says that new objects are held, and so cannot be deleted, until an event.
	Holds bool
	// ObjectRetention says that single objects may have a date of their own before
	// which they cannot be deleted.
	ObjectRetention bool
}

// Retainer is a [Store] in a place that has a retention: GCS.
type Retainer interface {
	// Retention asks the place. ErrPermission where the credentials may use objects,
	// but not see the bucket's settings.
	Retention(ctx context.Context) (Retention, error)
}

func (s *gsStore) Retention(ctx context.Context) (Retention, error) {
	r, err := s.retention(ctx)
	return r, wrap("gs://"+s.root.Bucket, "stat", err)
}
