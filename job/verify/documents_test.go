package verify_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"assent/job"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/verify"
)

// TestVerifyDocuments changes what a run tells programs of others, mends all digests, and wants a quick audit to find it.
func TestVerifyDocuments(t *testing.T) {
	_, run := auditedJob(t)
	croissant := func(change func(c map[string]any)) func(t *testing.T, run string) {
		return func(t *testing.T, run string) { inCroissant(change)(t, run); reseal(t, run, nil) }
	}
	card := func(from, to string) func(t *testing.T, run string) {
		return func(t *testing.T, run string) {
			name := filepath.Join(run, "README.md")
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(data), from, to, 1)
			if changed == string(data) {
				t.Fatalf("no %q in\n%s", from, data)
			}
			if err := os.WriteFile(name, []byte(changed), 0o644); err != nil {
				t.Fatal(err)
			}
			reseal(t, run, nil)
		}
	}
	const document, readme = "_manifest/croissant.json", "README.md"
	messages := func(c map[string]any) map[string]any { return at(c, "recordSet", 1).(map[string]any) }
	mutants := []mutant{
		{"another run", croissant(func(c map[string]any) { c["assent:run"] = "x" }), document, -1, "", "it is of the run x"},
		{"another programme", croissant(func(c map[string]any) { c["name"] = "x" }), document, -1, "", `of the programme "x"`},
		{"a later horizon", croissant(func(c map[string]any) { c["assent:consentAsOf"] = "2027-01-01T00:00:00Z" }), document, -1, "", "its horizon is 2027"},
		{"later requests", croissant(func(c map[string]any) { c["assent:requestsAsOf"] = "2027-01-01T00:00:00Z" }), document, -1, "", "its newest deletion request"},
		{"other terms", croissant(func(c map[string]any) { at(c, "@context").(map[string]any)["assent"] = "urn:x:" }), document, -1, "", "its terms of use"},
		{"no prohibition", croissant(func(c map[string]any) { delete(c, "usageInfo") }), document, -1, "", "does not prohibit"},
		{"no prohibition of a data set", croissant(func(c map[string]any) { delete(messages(c)["usageInfo"].(map[string]any), "odrl:prohibition") }), document, -1, "", "messages: the use"},
		{"a wider audience", croissant(func(c map[string]any) {
			at(messages(c), "usageInfo", "odrl:permission", "odrl:constraint").(map[string]any)["odrl:rightOperand"] = map[string]any{"@id": "assent:marketplace"}
		}), document, -1, "", "messages: the use"},
		{"another operator", croissant(func(c map[string]any) {
			at(messages(c), "usageInfo", "odrl:permission", "odrl:constraint").(map[string]any)["odrl:operator"] = map[string]any{"@id": "odrl:neq"}
		}), document, -1, "", "messages: the use"},
		{"a set less", croissant(func(c map[string]any) { c["recordSet"] = at(c, "recordSet").([]any)[1:] }), document, -1, "", "are not the run's data sets"},
		{"a file less", croissant(func(c map[string]any) { c["distribution"] = at(c, "distribution").([]any)[:2] }), document, -1, "", "is missing"},
		{"a digest", croissant(func(c map[string]any) {
			at(c, "distribution", 2).(map[string]any)["sha256"] = strings.Repeat("0", 64)
		}), document, -1, "", "its size or SHA-256"},
		{"a file elsewhere", croissant(func(c map[string]any) {
			at(c, "distribution", 2).(map[string]any)["contentUrl"] = "_manifest/exclusions/messages/m.parquet"
		}), document, -1, "", "no data file of the run"},
		{"files elsewhere", croissant(func(c map[string]any) {
			at(c, "distribution", 1).(map[string]any)["includes"] = []any{"_manifest/*", "_manifest/**/*"}
		}), document, -1, "", "no data file of the run"},
		{"a field less", croissant(func(c map[string]any) { messages(c)["field"] = at(messages(c), "field").([]any)[1:] }), document, -1, "", `the column "message_id" is no field`},
		{"a field more", croissant(func(c map[string]any) { at(messages(c), "field", 0).(map[string]any)["name"] = "x" }), document, -1, "", `field "x" is not in every file`},
		{"another type", croissant(func(c map[string]any) { at(messages(c), "field", 0).(map[string]any)["dataType"] = "sc:DateTime" }), document, -1, "", `field "message_id" has another source or type`},
		{"another column", croissant(func(c map[string]any) {
			at(messages(c), "field", 0, "source", "extract").(map[string]any)["column"] = "body"
		}), document, -1, "", `field "message_id" has another source or type`},
		{"no JSON", func(t *testing.T, run string) {
			if err := os.WriteFile(filepath.Join(run, document), []byte("[]"), 0o644); err != nil {
				t.Fatal(err)
			}
			reseal(t, run, nil)
		}, document, -1, "", "cannot unmarshal"},
		{"unlisted", inManifest(func(m map[string]any) { m["documents"] = at(m, "documents").([]any)[:1] }), readme, -1, "", "does not list it"},
		{"listed by another name", inManifest(func(m map[string]any) { at(m, "documents", 1).(map[string]any)["path"] = "README.txt" }), "README.txt", -1, "", "no document of a run"},
		{"a config that reads manifests", card(`"messages/**"`, `"_manifest/**"`), readme, -1, "", `config "messages" reads "_manifest/**"`},
		{"a config more", card("configs:\n", "configs:\n- config_name: x\n  data_files: x/**\n"), readme, -1, "", "are not the run's data sets"},
		{"no head", card("---\n", "--\n"), readme, -1, "", "no YAML"},
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			copied := copyTree(t, run)
			m.change(t, copied)
			r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Run: copied, Quick: true})
			m.check(t, r, err)
		})
	}
}

// TestVerifyUUIDs makes a run with columns of UUIDs, for which Croissant has no type: they are no fields, and a quick audit agrees.
func TestVerifyUUIDs(t *testing.T) {
	config := jobtest.TinyJob(t)
	file := filepath.Join(filepath.Dir(config), "messages/month=2026-02/a.parquet")
	type message struct {
		ID         string    `parquet:"message_id"`
		Freelancer string    `parquet:"freelancer_id"`
		Client     string    `parquet:"client_id"`
		Sent       time.Time `parquet:"sent_at,timestamp(microsecond)"`
		Edited     time.Time `parquet:"edited_at,timestamp(microsecond)"`
		Body       string    `parquet:"body"`
		Unique     [16]byte  `parquet:"unique,uuid"`
	}
	at := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	rows := []message{{"m1", "B", "B", at, at, "first", [16]byte{1}}}
	if err := errors.Join(os.RemoveAll(filepath.Join(filepath.Dir(config), "messages/month=2026-04")), parquet.WriteFile(file, rows)); err != nil {
		t.Fatal(err)
	}
	published, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(published.URI, "_manifest/croissant.json"))
	if text := string(data); err != nil || strings.Contains(text, "messages/unique") || !strings.Contains(text, "the column unique, too: it is of UUIDs") {
		t.Errorf("%v: %s", err, text)
	}
	if _, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Run: published.URI, Quick: true}); err != nil {
		t.Error(err)
	}
}

func TestVerifyUse(t *testing.T) {
	config, run := auditedJob(t)
	for _, c := range []struct {
		name string
		o    verify.Options
		exit int
		told string
	}{
		{"everyone's data", verify.Options{Use: "marketplace", Datasets: []string{"events"}}, job.ExitOK, ""},
		{"all data", verify.Options{Use: "marketplace"}, job.ExitRefused, "messages is exclusive to the accounts concerned"},
		{"both", verify.Options{Use: "marketplace", Datasets: []string{"events", "messages"}}, job.ExitRefused, "messages is exclusive"},
		{"an account's", verify.Options{Use: "account:B", Config: config}, job.ExitOK, ""},
		{"whose records are excluded", verify.Options{Use: "account:A", Config: config, Datasets: []string{"messages"}}, job.ExitRefused, "a party to 0 of its 23 records"},
		{"of nobody", verify.Options{Use: "account:nobody", Config: config}, job.ExitRefused, "a party to 0 of its 23 records"},
		{"everyone's data for an account", verify.Options{Use: "account:nobody", Config: config, Datasets: []string{"events"}}, job.ExitOK, ""},
		{"third parties", verify.Options{Use: "third_party"}, job.ExitUsage, "neither"},
		{"no account", verify.Options{Use: "account:", Config: config}, job.ExitUsage, "neither"},
		{"no key", verify.Options{Use: "account:B"}, job.ExitUsage, "needs a configuration"},
		{"no such data set", verify.Options{Use: "marketplace", Datasets: []string{"x"}}, job.ExitUsage, `no data set "x"`},
		{"data sets for nothing", verify.Options{Datasets: []string{"events"}}, job.ExitUsage, "--use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Run, c.o.Quick = run, true
			r, err := verify.Run(t.Context(), jobtest.NewEnv(t), c.o)
			if exit, _ := job.Explain(err); exit != c.exit {
				t.Fatalf("exit %d, %v", exit, err)
			}
			if err != nil && !strings.Contains(err.Error(), c.told) {
				t.Errorf("%v, want %q", err, c.told)
			}
			if c.exit == job.ExitOK && (r.Use == "" || strings.Contains(r.Use, "B")) {
				t.Errorf("use %q", r.Use)
			}
		})
	}
}
