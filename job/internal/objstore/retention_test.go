package objstore_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"assent/job/internal/objstore"
	"assent/job/internal/objstore/storetest"
)

// TestRetention reads a bucket's settings as GCS writes them, which the fake does not.
func TestRetention(t *testing.T) {
	answer, status := "", http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/storage/v1/b/kept" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		w.Write([]byte(answer))
	}))
	defer server.Close()
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(server.URL, "http://"))
	retainer := open(t, "gs://kept/training").(objstore.Retainer)

	for name, test := range map[string]struct {
		answer string
		want   objstore.Retention
	}{
		"none": {`{"kind":"storage#bucket","name":"kept"}`, objstore.Retention{}},
		"off":  {`{"softDeletePolicy":{"retentionDurationSeconds":"0"},"versioning":{"enabled":false}}`, objstore.Retention{}},
		"all": {`{"softDeletePolicy":{"retentionDurationSeconds":"604800","effectiveTime":"2026-01-01T00:00:00Z"},
			"versioning":{"enabled":true},"defaultEventBasedHold":true,"objectRetention":{"mode":"Enabled"},
			"retentionPolicy":{"retentionPeriod":"86400","isLocked":true,"effectiveTime":"2026-01-01T00:00:00Z"},
			"lifecycle":{"rule":[{"action":{"type":"Delete"},"condition":{"daysSinceNoncurrentTime":3}}]}}`,
			objstore.Retention{SoftDelete: 7 * 24 * time.Hour, Versioning: true, Lifecycle: true, MinAge: 24 * time.Hour, Locked: true, Holds: true, ObjectRetention: true}},
		"other rules": {`{"lifecycle":{"rule":[{"action":{"type":"SetStorageClass","storageClass":"NEARLINE"},"condition":{"age":3}}]}}`, objstore.Retention{}},
	} {
		answer = test.answer
		if got, err := retainer.Retention(t.Context()); err != nil || got != test.want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, test.want)
		}
	}
	answer, status = `{"error":{"code":403,"message":"no storage.buckets.get"}}`, http.StatusForbidden
	if _, err := retainer.Retention(t.Context()); !errors.Is(err, objstore.ErrPermission) || !strings.Contains(err.Error(), "gs://kept: stat") {
		t.Errorf("forbidden: %v", err)
	}
}

func TestRetentionOfFakes(t *testing.T) {
	storetest.FakeGCS(t)
	if got, err := open(t, gsRoot).(objstore.Retainer).Retention(t.Context()); err != nil || got != (objstore.Retention{}) {
		t.Errorf("the fake's bucket: %+v, %v", got, err)
	}
	if _, ok := open(t, t.TempDir()).(objstore.Retainer); ok {
		t.Error("a directory has a retention")
	}
}
