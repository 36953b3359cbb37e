package main

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"assent/job/jobtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"assent": main})
}

// TestScripts runs every story of testdata/script twice: with its output, $OUT, in a
// directory, and in a bucket of a fake GCS that the official client talks to. A
// story that begins with a line `# local` is about directories alone.
func TestScripts(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		runScripts(t, everyStory(t, false), func(env *testscript.Env) {
			env.Setenv("OUT", filepath.Join(env.WorkDir, "out"))
		})
	})
	t.Run("gs", func(t *testing.T) {
		host, bucket, stop, err := jobtest.StartGCS()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		runScripts(t, everyStory(t, true), func(env *testscript.Env) {
			env.Setenv("STORAGE_EMULATOR_HOST", host)
			env.Setenv("OUT", "gs://"+path.Join(bucket, filepath.Base(env.WorkDir)))
		})
	})
}

func runScripts(t *testing.T, files []string, setup func(*testscript.Env)) {
	testscript.Run(t, testscript.Params{
		Files: files,
		Cmds:  jobtest.Commands(),
		Setup: func(env *testscript.Env) error {
			env.Setenv("ASSENT_SUBJECT_KEY", "c3ViamVjdCBrZXkgZm9yIHRlc3RzLCAzMiBieXRlcyE=")
			setup(env)
			return nil
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

func everyStory(t *testing.T, anywhere bool) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(all) == 0 {
		t.Fatal("no stories", err)
	}
	var files []string
	for _, file := range all {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !anywhere || !strings.HasPrefix(string(data), "# local") {
			files = append(files, file)
		}
	}
	return files
}
