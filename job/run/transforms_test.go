package run_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/sample"
)

// transforms are settings under which each kind of transform is at work in the sample.
func transforms() []string {
	return []string{
		"datasets.messages.columns.drop=[attachments]", "datasets.messages.pseudonymise=[freelancer_id, client_id, sender_id, participants]", "datasets.messages.coarsen.sent_at=day",
		"datasets.deliverables.pseudonymise=[freelancer_id, client_id]", "datasets.events.pseudonymise=[account_id]",
	}
}

// TestTransformedRun: with transforms on, the bytes do not depend on the number of workers, records are conserved, nothing is taken over
// from a run under other transforms, and all is from one under the same. Columns of parties that stay raw are warned of.
func TestTransformedRun(t *testing.T) {
	t.Setenv("ASSENT_PSEUDONYM_KEY", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
	dir := filepath.Join(t.TempDir(), "market")
	if _, err := sample.Run(t.Context(), jobtest.NewEnv(t), sample.Options{Dir: dir, Rows: 4000, Seed: 5}); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	publish := func(out string, o run.Options, set ...string) *run.Result {
		t.Helper()
		env := jobtest.NewEnv(t)
		log.Reset()
		env.Log = slog.New(slog.NewTextHandler(&log, nil))
		o.Config, o.Set = filepath.Join(dir, "job.yaml"), append(set, "output="+out)
		r, err := run.Run(t.Context(), env, o)
		if err != nil {
			t.Fatal(err)
		}
		for name, d := range r.Datasets {
			if d.RowsIn != d.RowsKept+d.RowsExcluded || d.ExcludedByReason.Total() != d.RowsExcluded {
				t.Errorf("%s: %+v", name, d)
			}
		}
		return r
	}
	one, eight := t.TempDir(), t.TempDir()
	day := func(n int) string { return fmt.Sprintf("inputs.consent.as_of=2026-11-%dT00:00:00Z", n) }
	publish(one, run.Options{Workers: 1, Memory: 16 << 20}, append(transforms(), day(18))...)
	if text := log.String(); !strings.Contains(text, "these are not") || !strings.Contains(text, "events.target_account_id") || strings.Contains(text, "messages.client_id") {
		t.Errorf("a column of events is raw: %s", text)
	}
	publish(eight, run.Options{Workers: 8}, append(transforms(), day(18))...)
	jobtest.SameTrees(t, "8 workers", jobtest.Tree(t, eight), jobtest.Tree(t, one))

	other := publish(one, run.Options{}, append(transforms()[1:], day(19))...)
	checkReuse(t, one, other, false)
	same := publish(one, run.Options{}, append(transforms()[1:], day(20))...)
	checkReuse(t, one, same, true)
	publish(t.TempDir(), run.Options{})
	if text := log.String(); strings.Contains(text, "these are not") {
		t.Errorf("all are pseudonymised: %s", text)
	}
}

// checkReuse wants files of messages to be taken over, or none.
func checkReuse(t *testing.T, out string, r *run.Result, want bool) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(out, "run="+r.RunID, "_manifest", "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	_, reused, _ := strings.Cut(string(text), `"reused_from"`)
	if got := strings.Contains(reused, "messages/"); got != want {
		t.Errorf("files of messages are taken over: %v, want %v", got, want)
	}
}
