package report_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assent/job"
	"assent/job/jobtest"
	"assent/job/report"
	"assent/job/run"
	"assent/manifests"
)

// TestReport makes the report of two nights again: it is the published one, byte for byte, also with what changed between them.
func TestReport(t *testing.T) {
	config := jobtest.TinyJob(t)
	for i, horizon := range []string{"2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z"} {
		published := publish(t, config, horizon)
		to := filepath.Join(t.TempDir(), "report.html")
		if err := os.WriteFile(to, []byte("an older report"), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := report.Run(t.Context(), jobtest.NewEnv(t), report.Options{Run: published.URI, To: to})
		if err != nil {
			t.Fatal(err)
		}
		got, want := read(t, to), read(t, filepath.Join(published.URI, "_manifest/report.html"))
		if !bytes.Equal(got, want) || r.SHA256 != manifests.SHA256(want) || r.Bytes != int64(len(want)) || r.RunID != published.RunID {
			t.Errorf("%s: %+v, and %d bytes of %d", horizon, r, len(got), len(want))
		}
		if since := strings.Contains(string(got), "Against the run <code>"); since != (i == 1) {
			t.Errorf("%s: it compares with a run before: %v", horizon, since)
		}
	}
}

// TestReportRefuses damages what the report is made of. What stands at its place stays as it is.
func TestReportRefuses(t *testing.T) {
	published := publish(t, jobtest.TinyJob(t), "2026-06-01T00:00:00Z")
	damage := func(name, text string) func() {
		file := filepath.Join(published.URI, name)
		was := read(t, file)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return func() { os.WriteFile(file, was, 0o644) }
	}
	to := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(to, []byte("an older report"), 0o644); err != nil {
		t.Fatal(err)
	}
	daily := string(read(t, filepath.Join(published.URI, manifests.DailyPath)))
	for name, c := range map[string]struct {
		options report.Options
		damage  func() (mend func())
		exit    int
		want    string
	}{
		"no run":            {report.Options{To: to}, nil, job.ExitUsage, "no run"},
		"no file":           {report.Options{Run: published.URI}, nil, job.ExitUsage, "no file"},
		"no run's place":    {report.Options{Run: filepath.Dir(published.URI), To: to}, nil, job.ExitUsage, "is no run's directory"},
		"counts by day":     {report.Options{Run: published.URI, To: to}, func() func() { return damage(manifests.DailyPath, strings.Replace(daily, "1", "2", 1)) }, job.ExitRefused, "daily.csv"},
		"run manifest":      {report.Options{Run: published.URI, To: to}, func() func() { return damage("_manifest/run.json", "{}") }, job.ExitRefused, "run.json"},
		"a file as a place": {report.Options{Run: published.URI, To: filepath.Join(to, "x.html")}, nil, job.ExitFailed, "--to"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.damage != nil {
				defer c.damage()()
			}
			_, err := report.Run(t.Context(), jobtest.NewEnv(t), c.options)
			if exit, _ := job.Explain(err); exit != c.exit || !strings.Contains(err.Error(), c.want) {
				t.Errorf("exit %d: %v", exit, err)
			}
			if got := read(t, to); string(got) != "an older report" {
				t.Errorf("there is %.50q now", got)
			}
		})
	}
}

func publish(t *testing.T, config, horizon string) *run.Result {
	t.Helper()
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config, Set: []string{"inputs.consent.as_of=" + horizon}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
