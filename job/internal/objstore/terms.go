package objstore

import "time"

// Terms say what a deletion means where a store's objects lie. They are the store's
// own words, and stand so in the receipt of an erasure. A setting is null where the
// place has none of its kind, or did not say.
type Terms struct {
	Kind string `json:"kind"` // of the place: directory, gcs
	// SoftDeleteSeconds is for how long a deleted object can be restored, and goes on
	// being stored.
	SoftDeleteSeconds *int64 `json:"soft_delete_seconds"`
	// Versioning says that a deleted object goes on being stored as a noncurrent
	// version, until someone or a lifecycle rule deletes that.
	Versioning *bool `json:"versioning"`
	// RetentionSeconds is the age below which objects cannot be deleted.
	RetentionSeconds *int64 `json:"retention_policy_seconds"`
	// RetentionLocked says that RetentionSeconds cannot be lowered any more.
	RetentionLocked *bool `json:"retention_policy_locked"`
	// EventBasedHold says that new objects are held, and so cannot be deleted, until
	// an event.
	EventBasedHold *bool `json:"default_event_based_hold"`
	// ObjectRetention says that single objects may have a date of their own before
	// which they cannot be deleted.
	ObjectRetention *bool `json:"object_retention"`
	// GoneFrom is from when nothing of the objects is stored any more; null where
	// that is not known, or does not come by itself.
	GoneFrom *time.Time `json:"gone_from"`
	Meaning  []string   `json:"meaning"` // sentences for people

	// MinAge is the age below which the place would refuse to delete an object; 0:
	// it deletes any, as far as is known.
	MinAge time.Duration `json:"-"`
}
