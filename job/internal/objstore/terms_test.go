package objstore_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestTerms reads a bucket's settings as GCS writes them, which the fake does not.
func TestTerms(t *testing.T) {
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
	s := open(t, "gs://kept/training")
	deleted := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

	for name, test := range map[string]struct {
		answer   string
		settings string // soft delete, versioning, retention, locked, hold, object retention
		gone     string // after the deletion; "" if not known
		minAge   time.Duration
		meaning  string
	}{
		"none": {`{"kind":"storage#bucket","name":"kept"}`, "0 false 0 false false false", "0s", 0, "neither soft delete nor versions"},
		"off":  {`{"softDeletePolicy":{"retentionDurationSeconds":"0"},"versioning":{"enabled":false}}`, "0 false 0 false false false", "0s", 0, "neither soft delete nor versions"},
		"soft": {`{"softDeletePolicy":{"retentionDurationSeconds":"604800"}}`, "604800 false 0 false false false", "168h0m0s", 0, "can be restored until 2026-11-27T00:00:00Z"},
		"all": {`{"softDeletePolicy":{"retentionDurationSeconds":"604800","effectiveTime":"2026-01-01T00:00:00Z"},
			"versioning":{"enabled":true},"defaultEventBasedHold":true,"objectRetention":{"mode":"Enabled"},
			"retentionPolicy":{"retentionPeriod":"86400","isLocked":true,"effectiveTime":"2026-01-01T00:00:00Z"},
			"lifecycle":{"rule":[{"action":{"type":"Delete"},"condition":{"daysSinceNoncurrentTime":3}}]}}`,
			"604800 true 86400 true true true", "", 0, "until a lifecycle rule or someone"},
		"versions":    {`{"versioning":{"enabled":true}}`, "0 true 0 false false false", "", 0, "until someone deletes these"},
		"other rules": {`{"versioning":{"enabled":true},"lifecycle":{"rule":[{"action":{"type":"SetStorageClass","storageClass":"NEARLINE"},"condition":{"age":3}}]}}`, "0 true 0 false false false", "", 0, "until someone deletes these"},
		"old enough":  {`{"retentionPolicy":{"retentionPeriod":"86400","effectiveTime":"2026-01-01T00:00:00Z"},"defaultEventBasedHold":true}`, "0 false 86400 false true false", "0s", 24 * time.Hour, "these were older; objects of the bucket may be on hold"},
	} {
		answer = test.answer
		got, err := s.Terms(t.Context(), deleted)
		if err != nil || got.Kind != "gcs" {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		settings := fmt.Sprint(*got.SoftDeleteSeconds, *got.Versioning, *got.RetentionSeconds, *got.RetentionLocked, *got.EventBasedHold, *got.ObjectRetention)
		gone := ""
		if got.GoneFrom != nil {
			gone = got.GoneFrom.Sub(deleted).String()
		}
		if meaning := strings.Join(got.Meaning, "; "); settings != test.settings || gone != test.gone || got.MinAge != test.minAge || !strings.Contains(meaning, test.meaning) {
			t.Errorf("%s: %s, gone after %q, at least %s old: %s", name, settings, gone, got.MinAge, meaning)
		}
	}
	for code, bad := range map[int]bool{http.StatusForbidden: false, http.StatusNotFound: false, http.StatusBadRequest: true} {
		answer, status = fmt.Sprintf(`{"error":{"code":%d,"message":"no storage.buckets.get"}}`, code), code
		got, err := s.Terms(t.Context(), deleted)
		if got.Kind != "gcs" || got.Versioning != nil || got.GoneFrom != nil || !strings.Contains(got.Meaning[0], "not known") || (err != nil) != bad {
			t.Errorf("HTTP %d: %+v, %v", code, got, err)
		}
		if bad && err != nil && !strings.Contains(err.Error(), "gs://kept: stat") {
			t.Error(err)
		}
	}
}

func TestTermsOfDirectory(t *testing.T) {
	at := time.Now()
	if got, err := open(t, t.TempDir()).Terms(t.Context(), at); err != nil || got.Kind != "directory" || !got.GoneFrom.Equal(at) || got.Versioning != nil || got.MinAge != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
