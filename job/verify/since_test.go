package verify_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"assent/job"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/verify"
	"assent/manifests"
	"assent/schema"
)

// TestVerifySince publishes nights on which records come, go and change sides. Each run says what changed since the one before,
// and an audit agrees: also where what it says was made up and every digest fits again, but not where the run before is gone.
func TestVerifySince(t *testing.T) {
	config, first := auditedJob(t)
	dir := filepath.Dir(config)
	at := func(name string) string { return filepath.Join(dir, name) }
	env := jobtest.NewEnv(t)
	if s := manifestOf(t, first).Invocation.Since; s != nil {
		t.Errorf("the first run has %+v", s)
	}
	write := func(name, csv string) {
		t.Helper()
		if err := jobtest.WriteParquet(at(name), csv); err != nil {
			t.Fatal(err)
		}
	}
	night := func(set ...string) string {
		t.Helper()
		r, err := run.Run(t.Context(), env, run.Options{Config: config, Set: set})
		if err != nil || r.Status != run.Published {
			t.Fatalf("%+v, %v", r, err)
		}
		return r.URI
	}
	// B opts out late in one file, a request is withdrawn, a file comes, another is written anew.
	write("consent/b.parquet", "account_id:string,category:string,opted_in:bool,effective_at:ts_us,sequence:int64\nB,communications,false,2026-02-01T00:00:00Z,9\n")
	write("deletions/a.parquet", "account_id:string,requested_at:ts_us,request_id:string\nB,2026-05-20T00:00:00Z,req-1\n")
	write("events/new.parquet", "event_id:int64,actors:list,occurred_at:ts_ms,score:int32\n7,A,2026-02-01T00:00:00Z,1\n8,,2026-02-01T00:00:00Z,1\n")
	write("messages/none/m.parquet", messagesCSV())
	second := night()
	write("deletions/a.parquet", "account_id:string,requested_at:ts_us,request_id:string\nC,2026-05-20T00:00:00Z,req-1\n")
	if err := os.Remove(at("events/new.parquet")); err != nil {
		t.Fatal(err)
	}
	third := night()
	for i, want := range []map[string]manifests.Changes{
		{"messages": {KeptBefore: 23, ExcludedBefore: 17, NowExcluded: manifests.ReasonCounts{schema.DeletionRequested: 23}, OtherReason: 6,
			New: manifests.FileCounts{Files: 1, Excluded: 40}, Gone: manifests.FileCounts{Files: 1}},
			"events": {KeptBefore: 3, ExcludedBefore: 3, NowExcluded: manifests.ReasonCounts{schema.DeletionRequested: 3}, New: manifests.FileCounts{Files: 1, Kept: 1, Excluded: 1}}},
		{"messages": {ExcludedBefore: 80, OtherReason: 26},
			"events": {KeptBefore: 1, ExcludedBefore: 7, NowKept: manifests.ReasonCounts{schema.DeletionRequested: 2}, Gone: manifests.FileCounts{Files: 1, Kept: 1, Excluded: 1}}},
	} {
		now, before := manifestOf(t, []string{second, third}[i]), manifestOf(t, []string{first, second}[i])
		s := now.Invocation.Since
		if s == nil || s.RunID != before.RunID || len(s.Earlier) != i+1 || !reflect.DeepEqual(s.Datasets, want) {
			t.Errorf("run %d: %+v", i, s)
		}
	}
	r, err := verify.Run(t.Context(), env, verify.Options{Config: config, Run: third})
	if err != nil || r.Checked.Since != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	for name, change := range map[string]func(s *manifests.Since){
		"a reason": func(s *manifests.Since) {
			d := s.Datasets["events"]
			d.NowKept[schema.DeletionRequested]--
			d.NowKept[schema.PartyOptedOut]++
			s.Datasets["events"] = d
		},
		"other reasons": func(s *manifests.Since) { d := s.Datasets["messages"]; d.OtherReason++; s.Datasets["messages"] = d },
		"a file":        func(s *manifests.Since) { d := s.Datasets["events"]; d.Gone.Files++; s.Datasets["events"] = d },
		"what came and went": func(s *manifests.Since) {
			d := s.Datasets["messages"]
			d.NowExcluded[schema.PartyOptedOut]++
			d.NowKept[schema.PartyOptedOut]++
			s.Datasets["messages"] = d
		},
		"a run before": func(s *manifests.Since) { s.Earlier[0].Change.NowKept++ },
	} {
		t.Run(name, func(t *testing.T) {
			broken := filepath.Join(filepath.Dir(copyTree(t, filepath.Dir(third))), "out", filepath.Base(third))
			remake(t, broken, func(r *manifests.Run) { change(r.Invocation.Since) })
			_, err := verify.Run(t.Context(), env, verify.Options{Config: config, Run: broken})
			if exit, _ := job.Explain(err); exit != job.ExitRefused || !strings.Contains(fmt.Sprint(err), "since: ") {
				t.Errorf("exit %d: %v", exit, err)
			}
		})
	}
	if err := os.RemoveAll(second); err != nil {
		t.Fatal(err)
	}
	if r, err = verify.Run(t.Context(), env, verify.Options{Config: config, Run: third}); err != nil || r.Checked.Since != 0 {
		t.Errorf("without the run before: %+v, %v", r, err)
	}
}

func manifestOf(t *testing.T, dir string) *manifests.Run {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "_manifest/run.json"))
	if err != nil {
		t.Fatal(err)
	}
	r := new(manifests.Run)
	if err := json.Unmarshal(data, r); err != nil {
		t.Fatal(err)
	}
	return r
}
