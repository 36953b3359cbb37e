package lineage_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assent/job/internal/lineage"
)

func environment(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func now() time.Time { return time.Date(2026, 11, 20, 1, 2, 3, 4, time.UTC) }

// at returns what stands in a decoded event.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func started(t *testing.T, o lineage.Options, j lineage.Job) (*lineage.Run, error) {
	t.Helper()
	r, err := lineage.New(o, j)
	if err != nil {
		t.Fatal(err)
	}
	return r, r.Start(t.Context(), now())
}

func TestHTTP(t *testing.T) {
	var events []map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		var event map[string]any
		if err == nil {
			err = json.Unmarshal(data, &event)
		}
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/api/v1/lineage" || r.Header.Get("Authorization") != "Bearer key" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v: %s %s %v", err, r.Method, r.URL, r.Header)
		}
		events = append(events, event)
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	o := lineage.FromEnvironment(environment(map[string]string{
		"OPENLINEAGE_URL": server.URL + "/", "OPENLINEAGE_API_KEY": "key", "OPENLINEAGE_NAMESPACE": "prod",
		"OPENLINEAGE_PARENT_ID":      "airflow/instance/dag.task/01234567-89ab-7def-8123-456789abcdef",
		"OPENLINEAGE_ROOT_PARENT_ID": "airflow/dag/01234567-89ab-7def-8123-456789abcde0",
	}))
	r, err := started(t, o, lineage.Job{Program: "program", Version: "v1", Now: now, Inputs: []lineage.Dataset{{URI: "/in/messages"}, {URI: "gs://bucket/in/consent/"}}})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Complete(t.Context(), []lineage.Dataset{{
		URI: "gs://bucket/out/run=1/messages", Version: "1", Rows: 3, Size: 4, Files: 2,
		Columns:    []lineage.Column{{Name: "body", Type: "string", From: "/in/messages"}, {Name: "author", Type: "string", From: "/in/messages", Changed: true}},
		FilteredBy: []lineage.Source{{URI: "gs://bucket/in/consent/", Field: "opted_in"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Fail(t.Context(), errors.New("gate")); err != nil {
		t.Fatal(err)
	}
	if len(events) != 3 {
		t.Fatalf("%d events", len(events))
	}
	for _, c := range []struct {
		event int
		want  any
		path  []any
	}{
		{0, "START", []any{"eventType"}}, {1, "COMPLETE", []any{"eventType"}}, {2, "FAIL", []any{"eventType"}},
		{0, "prod", []any{"job", "namespace"}}, {0, "assent.program", []any{"job", "name"}}, {0, "2026-11-20T01:02:03.000000004Z", []any{"eventTime"}},
		{0, "airflow/instance", []any{"run", "facets", "parent", "job", "namespace"}}, {0, "dag.task", []any{"run", "facets", "parent", "job", "name"}},
		{0, "01234567-89ab-7def-8123-456789abcdef", []any{"run", "facets", "parent", "run", "runId"}}, {0, "dag", []any{"run", "facets", "parent", "root", "job", "name"}},
		{0, "file", []any{"inputs", 0, "namespace"}}, {0, "/in/messages", []any{"inputs", 0, "name"}},
		{0, "gs://bucket", []any{"inputs", 1, "namespace"}}, {0, "in/consent", []any{"inputs", 1, "name"}},
		{1, "out/run=1/messages", []any{"outputs", 0, "name"}}, {1, 3.0, []any{"outputs", 0, "outputFacets", "outputStatistics", "rowCount"}},
		{1, "/in/messages", []any{"outputs", 0, "facets", "columnLineage", "fields", "body", "inputFields", 0, "name"}},
		{1, "IDENTITY", []any{"outputs", 0, "facets", "columnLineage", "fields", "body", "inputFields", 0, "transformations", 0, "subtype"}},
		{1, "TRANSFORMATION", []any{"outputs", 0, "facets", "columnLineage", "fields", "author", "inputFields", 0, "transformations", 0, "subtype"}},
		{1, "opted_in", []any{"outputs", 0, "facets", "columnLineage", "dataset", 0, "field"}},
		{1, "INDIRECT", []any{"outputs", 0, "facets", "columnLineage", "dataset", 0, "transformations", 0, "type"}},
		{1, "FILTER", []any{"outputs", 0, "facets", "columnLineage", "dataset", 0, "transformations", 0, "subtype"}},
		{1, "1", []any{"outputs", 0, "facets", "version", "datasetVersion"}}, {2, "gate", []any{"run", "facets", "errorMessage", "message"}},
		{2, at(events[0], "run", "runId"), []any{"run", "runId"}},
	} {
		if got := at(events[c.event], c.path...); got != c.want {
			t.Errorf("event %d: %v: %v, want %v", c.event, c.path, got, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnprocessableEntity) }))
	defer server.Close()
	r, err := started(t, lineage.Options{URL: server.URL}, lineage.Job{Program: "p", Version: "v", Now: now, Inputs: nil})
	if r == nil || err == nil || !strings.Contains(err.Error(), "422") {
		t.Errorf("%v, %v", r, err)
	}
}

func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.json")
	vars := map[string]string{"OPENLINEAGE__TRANSPORT__TYPE": "file", "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": file, "OPENLINEAGE_PARENT_ID": "no parent"}
	o := lineage.FromEnvironment(environment(vars))
	r, err := started(t, o, lineage.Job{Program: "p", Version: "v", Now: now, Inputs: nil})
	if err != nil || r.Complete(t.Context(), nil) != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	var event map[string]any
	if len(lines) != 2 || json.Unmarshal([]byte(lines[1]), &event) != nil || at(event, "eventType") != "COMPLETE" || at(event, "run", "facets", "parent") != nil || at(event, "job", "namespace") != "default" {
		t.Errorf("%s", data)
	}
	vars["OPENLINEAGE_DISABLED"] = "true"
	if o := lineage.FromEnvironment(environment(vars)); o != (lineage.Options{}) {
		t.Errorf("disabled, and %+v", o)
	}
}
