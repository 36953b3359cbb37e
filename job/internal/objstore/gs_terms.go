package objstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/storage"
)

// Terms of a bucket are its settings. To see them is another permission
// (storage.buckets.get) than the use of its objects: without it they are not known,
// which is no error.
func (s *gsStore) Terms(ctx context.Context, deleted time.Time) (Terms, error) {
	attrs, err := s.bucket.Attrs(ctx)
	if err == nil {
		return bucketTerms(attrs, deleted), nil
	}
	unknown := Terms{Kind: "gcs", Meaning: []string{
		"the bucket's settings are not known (to read them needs storage.buckets.get): buckets have a soft delete of 7 days unless it was changed, and may keep versions",
	}}
	if err = gsError("gs://"+s.root.Bucket, "stat", err); errors.Is(err, ErrPermission) || errors.Is(err, ErrNotExist) {
		err = nil
	}
	return unknown, err
}

func bucketTerms(attrs *storage.BucketAttrs, deleted time.Time) Terms {
	var soft, minAge time.Duration
	locked, lifecycle, objects := false, false, attrs.ObjectRetentionMode == "Enabled"
	if p := attrs.SoftDeletePolicy; p != nil {
		soft = p.RetentionDuration
	}
	if p := attrs.RetentionPolicy; p != nil {
		minAge, locked = p.RetentionPeriod, p.IsLocked
	}
	for _, rule := range attrs.Lifecycle.Rules {
		lifecycle = lifecycle || rule.Action.Type == storage.DeleteAction
	}
	softSeconds, minSeconds := int64(soft.Seconds()), int64(minAge.Seconds())
	t := Terms{
		Kind: "gcs", SoftDeleteSeconds: &softSeconds, RetentionSeconds: &minSeconds, RetentionLocked: &locked,
		Versioning: &attrs.VersioningEnabled, EventBasedHold: &attrs.DefaultEventBasedHold, ObjectRetention: &objects,
	}
	say := func(format string, args ...any) { t.Meaning = append(t.Meaning, fmt.Sprintf(format, args...)) }
	gone := deleted.Add(soft)
	switch {
	case attrs.VersioningEnabled && lifecycle:
		say("the bucket keeps versions: the objects are noncurrent until a lifecycle rule or someone deletes these versions, and for %s after that (soft delete)", soft)
	case attrs.VersioningEnabled:
		say("the bucket keeps versions and no lifecycle rule deletes any: the objects stay as noncurrent versions until someone deletes these, and for %s after that (soft delete)", soft)
	case soft > 0:
		say("the bucket has a soft delete of %s: the objects can be restored until %s and are gone from then on", soft, gone.Format(time.RFC3339))
	default:
		say("the bucket has neither soft delete nor versions: the objects are gone")
	}
	if !attrs.VersioningEnabled { // to delete the live version is allowed at any age
		t.GoneFrom, t.MinAge = &gone, minAge
	}
	if minAge > 0 {
		say("the bucket's retention policy keeps objects from being deleted before they are %s old; these were older", minAge)
	}
	if attrs.DefaultEventBasedHold || objects {
		say("objects of the bucket may be on hold or have a retention of their own; none of those named here was, or it could not have been deleted")
	}
	return t
}
