package jobtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

func follow(ts *testscript.TestScript, args []string) error {
	store, name, err := place(ts, args[0]+"/current.json")
	if err != nil {
		return err
	}
	data, _, err := store.Read(context.Background(), name)
	if err != nil {
		return err
	}
	var current struct{ Run string }
	if err := json.Unmarshal(data, &current); err != nil {
		return err
	}
	ts.Setenv(args[1], args[0]+"/"+current.Run)
	return nil
}

func plan(ts *testscript.TestScript, args []string) error {
	store, name, err := place(ts, args[0]+"/_plan")
	if err != nil {
		return err
	}
	dirs, err := store.Dirs(context.Background(), name)
	if err != nil || len(dirs) != 1 {
		return fmt.Errorf("plans %q, %v", dirs, err)
	}
	ts.Setenv(args[1], args[0]+"/"+dirs[0])
	return nil
}

// fails runs a program for its exit code. It leaves its output for the commands
// stdout and stderr.
func fails(ts *testscript.TestScript, args []string) error {
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return err
		}
		got = exit.ExitCode()
	}
	if got != want {
		return fmt.Errorf("exit code %d, want %d", got, want)
	}
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	if strings.Contains(stdout+stderr, "secret-acct") || strings.Contains(stdout+stderr, "secret words") {
		return errors.New("an account id or content was printed")
	}
	if want == 0 {
		return nil
	}
	count := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(stderr), "\n") {
		for _, kind := range []string{"error", "hint"} {
			if strings.HasPrefix(line, "assent: "+kind+": ") {
				count[kind]++
			}
		}
	}
	if count["error"] != 1 || count["hint"] > 1 {
		return fmt.Errorf("%d lines of error and %d of hint, want 1 and at most 1", count["error"], count["hint"])
	}
	if stdout != "" {
		return errors.New("an answer beside an error")
	}
	return nothingAt(ts, ts.Getenv("OUT"))
}

// nothingAt checks that nothing is below a URI.
func nothingAt(ts *testscript.TestScript, uri string) error {
	store, name, err := place(ts, uri)
	if err != nil {
		return err
	}
	objects, err := store.List(context.Background(), name)
	if err != nil {
		return err
	}
	for _, o := range objects {
		return fmt.Errorf("%s was left behind", store.URI(o.Name))
	}
	return nil
}
