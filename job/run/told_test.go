package run_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assent/job"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/sample"
	"assent/manifests"
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
			_, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: c.config, Set: c.set, Told: run.Told{MetricsFile: metrics, Getenv: func(name string) string { return vars[name] }}})
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

// TestStepsTold lets each step tell of itself: the events are of one run, the figures of no two steps are the same series, and
// a step that fails for good says so, also where no commit will follow.
func TestStepsTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	if _, err := sample.Run(t.Context(), jobtest.NewEnv(t), sample.Options{Dir: dir, Rows: 1000, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	events := filepath.Join(dir, "events")
	vars := map[string]string{"OPENLINEAGE__TRANSPORT__TYPE": "file", "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": events}
	getenv := func(name string) string { return vars[name] }
	metrics := func(step string) run.Told {
		return run.Told{MetricsFile: filepath.Join(dir, step+".prom"), Getenv: getenv}
	}
	options := run.Options{Config: filepath.Join(dir, "job.yaml"), Told: metrics("plan")}
	plan, err := run.StepPlan(t.Context(), jobtest.NewEnv(t), options)
	if err != nil {
		t.Fatal(err)
	}
	index, count := 0, plan.Shards
	for index = range count {
		if _, err := run.StepShard(t.Context(), jobtest.NewEnv(t), getenv, run.ShardOptions{Plan: plan.Plan, Index: &index, Count: &count, Told: metrics(fmt.Sprint("shard", index))}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := run.StepCommit(t.Context(), jobtest.NewEnv(t), run.CommitOptions{Plan: plan.Plan, Told: metrics("commit")}); err != nil {
		t.Fatal(err)
	}
	again := options
	again.MetricsFile = ""
	if _, err := run.StepPlan(t.Context(), jobtest.NewEnv(t), again); err != nil { // published by now
		t.Fatal(err)
	}
	told := eventsOf(t, events)
	if len(told) != 4 || !strings.HasPrefix(told[0], "START ") || !strings.HasPrefix(told[1], "COMPLETE ") || !told.same(0, 1) || told.same(0, 2) || !told.same(2, 3) {
		t.Errorf("%q", told)
	}
	series := map[string]string{}
	for _, file := range []string{"plan", "shard0", "commit"} {
		text, err := os.ReadFile(filepath.Join(dir, file+".prom"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			name, _, _ := strings.Cut(line, "} ")
			if other := series[name]; !strings.HasPrefix(line, "#") && (other != "" || !strings.Contains(name, "verb=")) {
				t.Errorf("%s is in %s and %s", name, other, file)
			}
			series[name] = file
		}
	}
	for _, want := range []string{`assent_shards{state="planned",verb="plan"`, `assent_shards{state="done",verb="shard",task="0"`, `assent_step_duration_seconds{step="commit",verb="commit"`, `assent_records{dataset="messages",outcome="kept",verb="commit"`} {
		if series[want] == "" {
			t.Errorf("no %s", want)
		}
	}
	// A gate that fails is told by commit, and its figures come with the error.
	options.Set = []string{"gates.max_excluded=0.01", "inputs.consent.as_of=2026-11-19T00:00:00Z"}
	if plan, err = run.StepPlan(t.Context(), jobtest.NewEnv(t), options); err != nil {
		t.Fatal(err)
	}
	one, first := 1, 0
	if _, err = run.StepShard(t.Context(), jobtest.NewEnv(t), getenv, run.ShardOptions{Plan: plan.Plan, Index: &first, Count: &one}); err != nil {
		t.Fatal(err)
	}
	_, err = run.StepCommit(t.Context(), jobtest.NewEnv(t), run.CommitOptions{Plan: plan.Plan, Told: metrics("commit")})
	var gates *run.GateError
	if exit, _ := job.Explain(err); exit != job.ExitRefused || !errors.As(err, &gates) || !slices.ContainsFunc(gates.Gates, func(g manifests.Gate) bool { return g.Name == manifests.GateMaxExcluded && !g.Passed }) {
		t.Errorf("exit %d: %v, %+v", exit, err, gates)
	}
	if told = eventsOf(t, events); len(told) != 6 || told[5][:4] != "FAIL" || !told.same(4, 5) {
		t.Errorf("%q", told)
	}
}

// told are the kinds of events, each with the id of its run.
type told []string

func (e told) same(a, b int) bool {
	_, x, _ := strings.Cut(e[a], " ")
	_, y, _ := strings.Cut(e[b], " ")
	return x == y
}

func eventsOf(t *testing.T, file string) (all told) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var event struct {
			Kind string `json:"eventType"`
			Run  struct {
				ID string `json:"runId"`
			} `json:"run"`
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatal(err)
		}
		all = append(all, event.Kind+" "+event.Run.ID)
	}
	return all
}
