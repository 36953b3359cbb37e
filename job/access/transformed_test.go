package access_test

import (
	"path/filepath"
	"strings"
	"testing"

	"assent/job/access"
	"assent/job/jobtest"
	"assent/job/run"
)

// TestAccessTransformed: the copy for an account has the same records whatever is handed over of them, and its content is what is handed
// over: pseudonyms of others do not get into it, nor do columns that were left out.
func TestAccessTransformed(t *testing.T) {
	t.Setenv("ASSENT_PSEUDONYM_KEY", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
	config := jobtest.TinyJob(t)
	copyOf := func(set ...string) map[string]string {
		t.Helper()
		set = append(set, "output="+filepath.Join(t.TempDir(), "out"))
		r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config, Set: set})
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(t.TempDir(), "copy")
		if _, err := access.Run(t.Context(), jobtest.NewEnv(t), access.Options{Config: config, Set: set, Run: r.URI, Subject: "B", Dir: to, Format: "csv", IncludeReceived: true}); err != nil {
			t.Fatal(err)
		}
		return jobtest.Tree(t, to)
	}
	plain := copyOf()
	got := copyOf("datasets.messages.pseudonymise=[freelancer_id, client_id]", "datasets.messages.columns.drop=[body]")
	for _, name := range []string{"used.csv", "not_used.csv"} {
		if got[name] != plain[name] || strings.Count(got[name], "\n") < 2 {
			t.Errorf("%s:\n%s\nwant\n%s", name, got[name], plain[name])
		}
	}
	content := ""
	for name, text := range got {
		if strings.HasPrefix(name, "content/") {
			content += text
		}
	}
	if !strings.Contains(content, "m2") || !strings.Contains(content, "you") || strings.Contains(content, "second") || strings.Contains(content, "body") {
		t.Errorf("content:\n%s", content)
	}
}
