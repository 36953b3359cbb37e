package config

import (
	"os"
	"strings"
	"testing"

	"assent/schema"
)

const smallConfig = `version: 1
program: {name: p, starts_at: 2026-01-05}
output: out
inputs:
  consent: {path: consent}
datasets:
  messages: {path: m}
`

func TestConfigDefaults(t *testing.T) {
	t.Setenv("MONTH", "2026-03")
	cfg, err := parseConfig([]byte(smallConfig), "/jobs/job.yaml", []string{"datasets.messages.path=gs://b/month=${MONTH}", "inputs.consent.as_of=2026-06-01T00:00:00Z"})
	if err != nil {
		t.Fatal(err)
	}
	d := cfg.Datasets[0]
	if cfg.Output != "/jobs/out" || cfg.Display(cfg.Output) != "out" || d.Path != "gs://b/month=2026-03" {
		t.Errorf("paths: %q, %q, %q", cfg.Output, cfg.Display(cfg.Output), d.Path)
	}
	if cfg.Consent.AsOf.String() != "2026-06-01T00:00:00Z" || cfg.Program.Default != schema.OptedIn || cfg.Gates.MinAccountMatch != 0.001 || cfg.Gates.MaxExcluded != 1 {
		t.Errorf("%+v", cfg)
	}
	if d.Category != schema.Communications || d.Record != "message_id" || len(d.Parties) != 2 || d.Moments[1].Column != "edited_at" || d.Author != "sender" {
		t.Errorf("%+v", d)
	}
}

// TestConfigErrors holds each complaint to its key and line.
func TestConfigErrors(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"version=2", `--set version: version "2" is not known`},
		{"program.start=2026-01-01", "--set program.start: unknown key"},
		{"program.starts_at=tomorrow", `--set program.starts_at: "tomorrow" is not an instant`},
		{"program.starts_at=2026-01-05T00:00:00", "is not an instant"},
		{"program.default=maybe", `unknown state "maybe"`},
		{"program.name=", "--set program.name: must not be empty"},
		{"output=s3://bucket", "--set output"},
		{"inputs.consent.states={yes: in}", `inputs.consent.states.yes: unknown state "in"`},
		{"inputs.consent.categories={mail: email}", `inputs.consent.categories.mail: unknown category "email"`},
		{"inputs.consent.ignore_categories=[platform]", "is mapped under categories as well"},
		{"inputs.consent=x", "--set inputs.consent: want a mapping"},
		{"datasets={}", "datasets must name at least one data set"},
		{"datasets.messages.parties={a: x, b: x}", "two party roles share the column"},
		{"datasets.messages.parties={a: x}", "at least 2 party roles"},
		{"datasets.messages.subjects={client: x}", "stands under parties as well"},
		{`datasets.messages.subjects={"a,b": x}`, "has no comma"},
		{"datasets.messages.author=nobody", `"nobody" is no role`},
		{"datasets.messages.moments={}", "at least one moment"},
		{"datasets.messages.timezone=CET", "only UTC"},
		{"datasets.other={path: x}", "line 7: datasets.other: category is missing"},
		{"datasets._x={path: x}", "data set's name"},
		{"gates.max_excluded=2", "not a share"},
		{"gates.max_horizon_age=long", "not a duration"},
		{"gates=[1]", "want a mapping"},
		{"nothing", "want key=value"},
	} {
		_, err := parseConfig([]byte(smallConfig), "job.yaml", []string{c.set})
		if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(c.want, "line 7: ")) {
			t.Errorf("%s: %v, want %s", c.set, err, c.want)
		}
	}
	for _, c := range []struct{ yaml, want string }{
		{strings.Replace(smallConfig, "output", "outptu", 1), "line 3: outptu: unknown key (did you mean output?)"},
		{strings.Replace(smallConfig, "path: m", `path: "${ASSENT_NOT_SET}"`, 1), "line 7: datasets.messages.path: the environment variable ASSENT_NOT_SET is not set"},
		{smallConfig + "output: twice\n", "line 8"},
		{"", "version is missing"},
		{"a: &x 1\nb: *x\n", "anchors"},
		{"---\n" + smallConfig + "---\n" + smallConfig, "second document"},
	} {
		_, err := parseConfig([]byte(c.yaml), "job.yaml", nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// TestPolicyDigest holds that what decisions depend on is in the digest, and that
// where things are is not.
func TestPolicyDigest(t *testing.T) {
	digestOf := func(set ...string) string {
		t.Helper()
		cfg, err := parseConfig([]byte(smallConfig), "job.yaml", set)
		if err != nil {
			t.Fatal(err)
		}
		return cfg.Digest()
	}
	plain := digestOf()
	for _, same := range []string{"output=elsewhere", "inputs.consent.path=other", "datasets.messages.path=other", "subject_key_file=k"} {
		if digestOf(same) != plain {
			t.Errorf("%s changes the policy", same)
		}
	}
	for _, other := range []string{
		"program.default=opted_out", "program.starts_at=2026-01-06", "program.name=q", "inputs.consent.columns={state: s}",
		"inputs.consent.states={in: opted_in}", "inputs.consent.ignore_categories=[x]", "inputs.deletions={path: d}",
		"datasets.messages.category=work_product", "datasets.messages.moments={sent: sent_at}", "datasets.messages.contract=k",
		"datasets.messages.timezone=UTC", "gates.max_excluded=0.5", "datasets.messages.subjects={}",
	} {
		if digestOf(other) == plain {
			t.Errorf("%s does not change the policy", other)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(smallConfig))
	if sample, err := os.ReadFile("../../sample/job.yaml"); err == nil {
		f.Add(sample)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := parseConfig(data, "job.yaml", nil)
		if err != nil {
			return
		}
		for _, d := range cfg.Datasets {
			if len(d.Parties) < d.Category.Parties() {
				t.Errorf("one side only: %+v", d)
			}
		}
	})
}
