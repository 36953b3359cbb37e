package requests_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"assent/job"
	"assent/job/erase"
	"assent/job/jobtest"
	"assent/job/requests"
	"assent/job/run"
)

// newJob makes a tiny job with a ledger and an alias: A2 is A.
func newJob(t *testing.T) string {
	t.Helper()
	config := jobtest.TinyJob(t)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "datasets:", "  deletions: {path: deletions/}\n  aliases: {path: aliases.parquet}\ngates: {min_deletion_match: 0, min_alias_match: 0}\ndatasets:", 1))
	if err := os.WriteFile(config, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := jobtest.WriteParquet(filepath.Join(filepath.Dir(config), "aliases.parquet"), "old_account_id:string,account_id:string\nA2,A\n"); err != nil {
		t.Fatal(err)
	}
	return config
}

func ask(t *testing.T, config, rows string) {
	t.Helper()
	file := filepath.Join(filepath.Dir(config), "deletions", "a.parquet")
	if err := jobtest.WriteParquet(file, "account_id:string,requested_at:ts_us,request_id:string\n"+rows); err != nil {
		t.Fatal(err)
	}
}

// TestRequests follows requests from the day they are made until nothing holds the account.
func TestRequests(t *testing.T) {
	config := newJob(t)
	env := jobtest.NewEnv(t)
	env.Now = func() time.Time { return time.Date(2026, 8, 3, 1, 0, 0, 0, time.UTC) }
	publish := func() string {
		t.Helper()
		r, err := run.Run(t.Context(), env, run.Options{Config: config})
		if err != nil {
			t.Fatal(err)
		}
		env.Now = func(now time.Time) func() time.Time { return func() time.Time { return now } }(env.Now().Add(time.Hour))
		return r.RunID
	}
	// want is, of each request: its id, state, the run since which it is honoured, the runs that hold it.
	check := func(what string, want ...string) *requests.Result {
		t.Helper()
		r, err := requests.Run(t.Context(), env, requests.Options{Config: config})
		if err != nil {
			t.Fatal(what, err)
		}
		var got []string
		for _, q := range r.Requests {
			line := fmt.Sprintf("%s %s", q.Request, q.State)
			if q.Since != nil {
				line += " since " + q.Since.RunID
			}
			got = append(got, strings.TrimSpace(line+" held "+strings.Join(q.HeldBy, ",")))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return r
	}
	ask(t, config, "nobody,2026-05-01T00:00:00Z,r0\n")
	check("no run", "r0 waits_for_run held")
	first := publish()
	check("one run", "r0 honoured since "+first+" held")

	ask(t, config, "nobody,2026-05-01T00:00:00Z,r0\nA2,2026-07-01T00:00:00Z,r1\n")
	r := check("asked", "r1 waits_for_run held "+first, "r0 honoured since "+first+" held")
	if q := r.Requests[0]; *q.Age != 33 || q.Due != "2026-08-01" || !q.Overdue || r.Overdue != 1 {
		t.Errorf("%+v", q)
	}
	second := publish()
	check("applied", "r1 waits_for_erase since "+second+" held "+first, "r0 honoured since "+first+" held")
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil || !strings.Contains(b.String(), "2026-08-01 OVERDUE") || strings.Contains(b.String(), "A2") {
		t.Errorf("%v\n%s", err, b.String())
	}
	for _, input := range []string{"messages", "consent"} { // the inputs may be gone
		if err := os.RemoveAll(filepath.Join(filepath.Dir(config), input)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := erase.Run(t.Context(), env, erase.Options{Config: config, Apply: true}); err != nil {
		t.Fatal(err)
	}
	r = check("erased", "r0 honoured since "+second+" held", "r1 honoured since "+second+" held")
	if e := r.Requests[1].Erased; len(e) != 1 || e[0].RunID != first || r.Requests[1].Overdue || r.Complaint() != nil {
		t.Errorf("%+v", r)
	}
	waiting, err := requests.Run(t.Context(), env, requests.Options{Config: config, Waiting: true})
	if err != nil || len(waiting.Requests) != 0 || waiting.Counts[requests.Honoured] != 2 {
		t.Errorf("%+v, %v", waiting, err)
	}
}

// TestRequestsUnchecked wants a run that cannot be judged to be told of, and to spoil the exit.
func TestRequestsUnchecked(t *testing.T) {
	config := newJob(t)
	ask(t, config, "A,2026-07-01T00:00:00Z,r1\n")
	env := jobtest.NewEnv(t)
	if _, err := run.Run(t.Context(), env, run.Options{Config: config}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ASSENT_SUBJECT_KEY", "b3RoZXIga2V5IG90aGVyIGtleSBvdGhlciBrZXkgMDE=")
	r, err := requests.Run(context.Background(), env, requests.Options{Config: config})
	if err != nil || len(r.Unchecked) != 1 || r.Requests[0].State != requests.WaitsForRun {
		t.Fatalf("%+v, %v", r, err)
	}
	if exit, _ := job.Explain(r.Complaint()); exit != job.ExitRefused {
		t.Error(r.Complaint())
	}
	_, err = requests.Run(context.Background(), env, requests.Options{Config: config, Set: []string{"inputs.deletions=null"}})
	if exit, _ := job.Explain(err); exit != job.ExitUsage {
		t.Error(err)
	}
}
