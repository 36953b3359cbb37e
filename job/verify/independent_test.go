package verify_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assent/job/internal/config"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/verify"
	"assent/manifests"
)

// TestVerifySwapped publishes runs that took one column for another, with manifests that
// claim the right configuration, as a fault in the run's way to its columns would leave
// them. The audit finds columns in its own way and must not agree.
func TestVerifySwapped(t *testing.T) {
	right, _ := auditedJob(t)
	const messages = "datasets.messages."
	for _, c := range []struct {
		name string
		set  []string
		file string // with a difference
	}{
		{"two parties", []string{messages + "parties={freelancer: client_id, client: freelancer_id}"}, messagesSubjects},
		{"a party and a subject", []string{messages + "parties={freelancer: freelancer_id, client: sender_id}", messages + "subjects={sender: client_id}"}, messagesExclusions},
		{"two moments", []string{messages + "moments={sent: edited_at, edited: sent_at}"}, messagesExclusions},
		{"contract and record", []string{messages + "contract=message_id", messages + "record=contract_id", "gates.max_near_misses=9", "gates.min_restriction_match=0"}, messagesExclusions},
		{"a ledger's columns", []string{"inputs.deletions.columns={account: request_id, request: account_id}", "gates.min_deletion_match=0"}, messagesData},
		{"ends of a restriction", []string{"inputs.restrictions.columns={from: until, until: until}"}, messagesData},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The gates would stop some of these runs; here it is the audit that must.
			set := append([]string{"output=swapped-" + strings.ReplaceAll(c.name, " ", "-"), "gates={min_deletion_match: 0, min_restriction_match: 0, max_near_misses: 100}"}, c.set...)
			published, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: right, Set: set})
			if err != nil {
				t.Fatal(err)
			}
			claimed := claim(t, right, published.URI)
			r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: right, Run: claimed})
			if r == nil || err == nil {
				t.Fatalf("%v", err)
			}
			found := slices.ContainsFunc(r.Differences, func(d verify.Difference) bool { return d.File == c.file })
			if !found || r.Checked.Decisions == 0 {
				t.Errorf("%d decisions, nothing in %s:\n%s", r.Checked.Decisions, c.file, texts(r))
			}
		})
	}
}

// claim makes a run that of another configuration, by everything that its documents say.
// It returns where the run then is.
func claim(t *testing.T, file, uri string) string {
	t.Helper()
	cfg, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := config.SubjectKey(cfg)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(uri, "_manifest/run.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifests.ParseRun(data)
	if err != nil {
		t.Fatal(err)
	}
	id := manifests.RunID(cfg.Digest(), m.ConsentAsOf, m.Inputs, key)
	err = filepath.WalkDir(uri, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, bytes.ReplaceAll(data, []byte(m.RunID), []byte(id)), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "run="+id)
	if err := os.Rename(uri, to); err != nil {
		t.Fatal(err)
	}
	reseal(t, to, func(m map[string]any) { m["policy_digest"] = cfg.Digest() })
	return to
}
