package metrics_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assent/job/internal/metrics"
	"assent/manifests"
	"assent/schema"
)

func TestText(t *testing.T) {
	start := time.Date(2026, 11, 20, 1, 0, 0, 0, time.UTC)
	value := 0.25
	excluded := manifests.ReasonCounts{schema.DeletionRequested: 3, schema.PartyOptedOut: 1}
	r := &metrics.Run{
		Version: "v1", Program: "a \"quoted\"\nname\\", Exit: 0, Started: start, Finished: start.Add(90 * time.Second), Horizon: start.Add(-time.Hour),
		Steps: []metrics.Step{{Name: "plan", Took: 1500 * time.Millisecond}},
		Gates: []manifests.Gate{{Name: "max_excluded", Dataset: "messages", Limit: 0.2, Value: &value}, {Name: "off", Limit: 0, Passed: true}},
		Manifest: &manifests.Run{RunID: "id", Datasets: map[string]manifests.Dataset{
			"messages": {RowsKept: 12, RowsExcluded: 4, ExcludedByReason: excluded, Files: []manifests.File{{Bytes: 5}, {Bytes: 6}}},
		}, Invocation: manifests.Invocation{ReusedRowGroups: map[string]int{"messages/a.parquet": 2, "messages/b.parquet": 3}}},
		Reused: map[string]int64{"messages": 1},
	}
	file := filepath.Join(t.TempDir(), "run.prom")
	for range 2 { // the second replaces the first
		if err := r.Write(file); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`assent_info{version="v1",program="a \"quoted\"\nname\\",run="id"} 1`, "assent_exit_code 0", "assent_duration_seconds 90",
		`assent_step_duration_seconds{step="plan"} 1.5`, "assent_horizon_age_seconds 3690",
		`assent_gate_limit{gate="max_excluded",dataset="messages"} 0.2`, `assent_gate_value{gate="max_excluded",dataset="messages"} 0.25`,
		`assent_gate_passed{gate="max_excluded",dataset="messages"} 0`, `assent_gate_passed{gate="off"} 1`,
		`assent_records{dataset="messages",outcome="kept"} 12`, `assent_excluded_records{dataset="messages",reason="deletion_requested"} 3`,
		`assent_data_bytes{dataset="messages"} 11`, `assent_files{dataset="messages",how="made"} 1`, `assent_files{dataset="messages",how="reused"} 1`,
		`assent_reused_row_groups{dataset="messages"} 5`,
	} {
		if !strings.Contains("\n"+string(data), "\n"+want+"\n") {
			t.Errorf("no line %s in\n%s", want, data)
		}
	}
	if strings.Contains(string(data), `assent_gate_value{gate="off"}`) {
		t.Error("a gate that is off has a value")
	}
}

// TestTextOfNothing is of a run whose configuration could not be read.
func TestTextOfNothing(t *testing.T) {
	text := string((&metrics.Run{Exit: 2}).Text())
	if !strings.Contains(text, "\nassent_exit_code 2\n") || strings.Contains(text, "assent_records") || strings.Contains(text, "assent_gate") {
		t.Error(text)
	}
}
