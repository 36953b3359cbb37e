package run

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assent/job"
	"assent/job/jobtest"
	"assent/manifests"
)

// joinJob writes a job with every control input. set says what stands in them and in
// the messages, by the name of the directory; what it leaves out joins. Rows are kept apart
// by |, files by ||.
func joinJob(t *testing.T, set map[string]string) (config string) {
	t.Helper()
	t.Setenv("ASSENT_SUBJECT_KEY", jobtest.TestKey)
	dir := t.TempDir()
	rows := map[string]string{
		"consent":      "secret-acct-1,communications,false,2026-03-01T00:00:00Z",
		"deletions":    "secret-acct-2,2026-05-01T00:00:00Z,r1",
		"restrictions": "contract-7,2026-02-01T00:00:00Z,",
		"accounts":     "secret-acct-1|secret-acct-2|secret-acct-3",
		"messages":     "m1,secret-acct-1,secret-acct-3,contract-7,2026-04-01T00:00:00Z|m2,secret-acct-2,secret-acct-3,contract-8,2026-04-02T00:00:00Z",
	}
	for name, text := range set {
		rows[name] = text
	}
	for name, header := range map[string]string{
		"consent":      "account_id:string,category:string,opted_in:bool,effective_at:ts_us",
		"deletions":    "account_id:string,requested_at:ts_us,request_id:string",
		"restrictions": "contract_id:string,from:ts_us,until:ts_us",
		"accounts":     "account_id:string",
		"messages":     "message_id:string,freelancer_id:string,client_id:string,contract_id:string,sent_at:ts_us",
	} {
		for i, part := range strings.Split(rows[name], "||") {
			text := header + "\n" + strings.ReplaceAll(part, "|", "\n") + "\n"
			if err := jobtest.WriteParquet(filepath.Join(dir, name, fmt.Sprintf("%c.parquet", 'a'+i)), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	config = filepath.Join(dir, "job.yaml")
	err := os.WriteFile(config, []byte(`version: 1
program: {name: joins, starts_at: 2026-01-05T00:00:00Z}
output: out
inputs:
  consent: {path: consent/, as_of: 2026-06-01T00:00:00Z}
  deletions: {path: deletions/}
  restrictions: {path: restrictions/}
  accounts: {path: accounts/}
datasets:
  messages: {path: messages/, subjects: {}, moments: {sent: sent_at}}
`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// TestControlInputsJoin gives each control input ids that meet none of the data, as they
// stand or at all. The run is refused, says which input and why, and names no id.
func TestControlInputsJoin(t *testing.T) {
	for _, c := range []struct {
		name string
		rows map[string]string
		want []string // in the error
		gate string   // of the configuration, that lets it pass
	}{
		{"consent, case", map[string]string{"consent": "SECRET-ACCT-1,communications,false,2026-03-01T00:00:00Z"},
			[]string{"max_near_misses", "inputs.consent: 1 of its accounts", "case"}, "{max_near_misses: 1, min_account_match: 0}"},
		{"deletions, padding", map[string]string{"deletions": "secret-acct-2   ,2026-05-01T00:00:00Z,r1"},
			[]string{"max_near_misses", "inputs.deletions: 1 of its accounts", "padding"}, "{max_near_misses: 1, min_deletion_match: 0}"},
		{"deletions, nothing alike", map[string]string{"deletions": "nobody,2026-05-01T00:00:00Z,r1"},
			[]string{"min_deletion_match", "inputs.deletions names 1 accounts", "only 0"}, "{min_deletion_match: 0}"},
		{"restrictions, prefix", map[string]string{"restrictions": "7,2026-02-01T00:00:00Z,|8,2026-02-01T00:00:00Z,"},
			[]string{"max_near_misses", "inputs.restrictions: 2 of its contracts", "prefix"}, "{max_near_misses: 2, min_restriction_match: 0}"},
		{"restrictions, zeros", map[string]string{"restrictions": "contract-007,2026-02-01T00:00:00Z,"},
			[]string{"max_near_misses", "inputs.restrictions: 1 of its contracts", "zeros"}, "{max_near_misses: 1, min_restriction_match: 0}"},
		{"restrictions, nothing alike", map[string]string{"restrictions": "other,2026-02-01T00:00:00Z,"},
			[]string{"min_restriction_match", "inputs.restrictions names 1 contracts"}, "{min_restriction_match: 0}"},
		{"registry, one padded", map[string]string{"accounts": "secret-acct-1|secret-acct-2|secret-acct-3 "},
			[]string{"max_near_misses", "inputs.accounts: 1 of its accounts", "padding"}, "{max_near_misses: 1}"},
		{"registry, nothing alike", map[string]string{"accounts": "x|y|z"},
			[]string{"min_registry_match", "inputs.accounts names 3 accounts"}, "{min_registry_match: 0}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := joinJob(t, c.rows)
			_, err := Run(t.Context(), jobtest.NewEnv(t), Options{Config: config})
			if exit, hint := job.Explain(err); exit != job.ExitRefused || hint == "" {
				t.Fatalf("exit %d, %v, hint %q", exit, err, hint)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: nothing of %q", err, want)
				}
			}
			if strings.Contains(strings.ToLower(err.Error()), "secret-acct") {
				t.Errorf("an account's id is in %v", err)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(config), "out", "current.json")); err == nil {
				t.Error("a run was published")
			}
			if _, err := Run(t.Context(), jobtest.NewEnv(t), Options{Config: config, Set: []string{"gates=" + c.gate}}); err != nil {
				t.Errorf("with gates %s: %v", c.gate, err)
			}
		})
	}
}

// TestJoinCounts holds the figures that a run leaves about its control inputs.
func TestJoinCounts(t *testing.T) {
	config := joinJob(t, map[string]string{
		"deletions": "secret-acct-2,2026-05-01T00:00:00Z,r1|gone,2026-05-01T00:00:00Z,r2",
		"accounts":  "secret-acct-1|secret-acct-2|secret-acct-3|secret-acct-4",
	})
	r, err := Run(t.Context(), jobtest.NewEnv(t), Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(r.URI, "_manifest/run.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifests.ParseRun(data)
	if err != nil {
		t.Fatal(err)
	}
	want := []manifests.Join{
		{Role: "consent", IDs: 1, Matched: 1}, {Role: "deletions", IDs: 2, Matched: 1, Unregistered: 1},
		{Role: "restrictions", IDs: 1, Matched: 1}, {Role: "accounts", IDs: 4, Matched: 3},
	}
	if len(m.Joins) != len(want) {
		t.Fatalf("%+v", m.Joins)
	}
	for i := range want {
		if m.Joins[i] != want[i] {
			t.Errorf("%+v, want %+v", m.Joins[i], want[i])
		}
	}
}
