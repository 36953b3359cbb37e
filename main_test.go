package main

import (
	"errors"
	"fmt"
	"log/slog"
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

// TestOneLine checks that what a file's name or a flag holds cannot act in an error.
func TestOneLine(t *testing.T) {
	a, b := errors.New("out/\x1b[31m\nassent: hint: rm -rf: not empty"), errors.New("gpj\u202eexe")
	const quotedA, quotedB = `out/\x1b[31m\nassent: hint: rm -rf: not empty`, `gpj\u202eexe`
	for want, err := range map[string]error{
		quotedA:                          a,
		quotedA + "; " + quotedB:         errors.Join(a, b),
		quotedB + "; " + quotedA + "; x": errors.Join(b, errors.Join(a, errors.New("x"))),
		"--to: " + quotedB:               fmt.Errorf("--to: %w", b),
		quotedB + " and " + quotedA:      fmt.Errorf("%w and %w", b, a),
		`x: ` + quotedA + "; " + quotedB: fmt.Errorf("x: %w", errors.Join(a, b)),
	} {
		if got := oneLine(err); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	var log strings.Builder
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: printable}), slog.NewJSONHandler(&log, &slog.HandlerOptions{ReplaceAttr: printable})} {
		slog.New(handler).Warn("read", "file", "a\u009b31m\nlevel=ERROR", "error", b)
	}
	if strings.Count(log.String(), "\n") != 2 || strings.ContainsAny(log.String(), "\u009b\u202e") || strings.Count(log.String(), `gpj\\u202eexe`) != 1 {
		t.Error(log.String())
	}
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
