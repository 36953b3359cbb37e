package run_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assent/job"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/sample"
)

// TestTold looks at what others are told of runs that end in every way. That nobody listens changes nothing.
func TestTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	if _, err := sample.Run(t.Context(), jobtest.NewEnv(t), sample.Options{Dir: dir, Rows: 1000, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "job.yaml")
	for _, c := range []struct {
		name, config string
		set          []string
		exit         int
		events       []string
		metrics      []string
	}{
		{"refused", config, []string{"gates.max_excluded=0.01"}, job.ExitRefused, []string{"START", "FAIL"},
			[]string{"assent_exit_code 3", `assent_gate_limit{gate="max_excluded",dataset="messages"} 0.01`, `assent_gate_passed{gate="max_excluded",dataset="messages"} 0`}},
		{"too old", config, []string{"gates.max_horizon_age=1s"}, job.ExitRefused, []string{"START", "FAIL"},
			[]string{"assent_exit_code 3", `assent_gate_limit{gate="max_horizon_age"} 1`, `assent_gate_passed{gate="max_horizon_age"} 0`}},
		{"published", config, nil, job.ExitOK, []string{"START", "COMPLETE"},
			[]string{"assent_exit_code 0", `assent_files{dataset="messages",how="made"}`, `assent_step_duration_seconds{step="commit"}`}},
		{"published before", config, nil, job.ExitOK, []string{"START", "COMPLETE"}, []string{"assent_exit_code 0", `assent_records{dataset="events",outcome="kept"}`}},
		{"no configuration", config + ".none", nil, job.ExitUsage, nil, []string{"assent_exit_code 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, metrics := filepath.Join(t.TempDir(), "events"), filepath.Join(t.TempDir(), "run.prom")
			vars := map[string]string{
				"OPENLINEAGE_URL":              "http://127.0.0.1:1", // where nobody listens
				"OPENLINEAGE__TRANSPORT__TYPE": "file", "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": events,
			}
			_, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: c.config, Set: c.set, MetricsFile: metrics, Getenv: func(name string) string { return vars[name] }})
			if exit, _ := job.Explain(err); exit != c.exit {
				t.Fatalf("exit %d: %v", exit, err)
			}
			text, err := os.ReadFile(metrics)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.metrics {
				if !strings.Contains(string(text), want) {
					t.Errorf("no %s in\n%s", want, text)
				}
			}
			told, _ := os.ReadFile(events) // there is none where nothing is told
			if n := strings.Count(string(told), "\n"); n != len(c.events) {
				t.Fatalf("%d events:\n%s", n, told)
			}
			if c.name == "published" && !strings.Contains(string(told), `"subtype":"TRANSFORMATION"`) {
				t.Error("the sample's texts are redacted, and their lineage does not say so")
			}
			for i, line := range strings.Split(string(told), "\n")[:len(c.events)] {
				if !strings.Contains(line, `"eventType":"`+c.events[i]+`"`) {
					t.Errorf("event %d is not %s: %s", i, c.events[i], line)
				}
			}
		})
	}
}
