package access_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assent/job"
	"assent/job/access"
	"assent/job/internal/objstore/faulty"
	"assent/job/jobtest"
	"assent/job/run"
)

// TestAccessDamaged flips bytes of a run's files, cuts and removes them: there is no
// copy, and the run is refused.
func TestAccessDamaged(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	m := newAccessMarket(t, rng)
	m.other(t, rng)
	m.world.Registry["me"] = true
	delete(m.world.Deletions, "me")
	dir := t.TempDir()
	config := m.write(t, dir)
	env := jobtest.NewEnv(t)
	env.Now = func() time.Time { return time.Unix(0, 0) }
	r, err := run.Run(t.Context(), env, run.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	attempt := func() (*access.Result, error) {
		n++
		o := access.Options{Config: config, Run: r.URI, Subject: "me", Dir: filepath.Join(dir, "copies", fmt.Sprint(n)), Format: "csv"}
		result, err := access.Run(t.Context(), env, o)
		if err == nil {
			err = os.RemoveAll(o.Dir)
		}
		return result, err
	}
	if _, err := attempt(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{
		"_manifest/subjects/messages/b.parquet", "_manifest/run.json", "_manifest/exclusions/messages/b.parquet", "messages/b.parquet", "events/a.parquet",
	} {
		file = filepath.Join(r.URI, file)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		damage := func(what string, damaged []byte) {
			if err := os.WriteFile(file, damaged, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err = attempt(); err == nil {
				t.Errorf("%s, %s: not noticed", file, what)
			} else if exit, hint := job.Explain(err); exit != job.ExitRefused || hint == "" {
				t.Errorf("%s, %s: exit %d, %v", file, what, exit, err)
			}
			if strings.Contains(err.Error(), "secret-acct") {
				t.Errorf("the error names an account: %v", err)
			}
		}
		for i := 0; i < len(data); i += 1 + len(data)/30 {
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << rng.IntN(8)
			damage(fmt.Sprint("byte ", i), flipped)
		}
		damage("cut", data[:len(data)/2])
		if err := errors.Join(os.Remove(file)); err != nil {
			t.Fatal(err)
		}
		if _, err := attempt(); err == nil {
			t.Errorf("%s: not missed", file)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "copies")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestAccessDamagedPages flips bytes of a data file that is too large to be read as a
// whole: either the copy is the same, or there is none and the run is refused.
func TestAccessDamagedPages(t *testing.T) {
	t.Setenv("ASSENT_SUBJECT_KEY", jobtest.TestKey)
	rng := rand.New(rand.NewPCG(1, 5))
	dir := t.TempDir()
	rows := "message_id:string,freelancer_id:string,client_id:string,sender_id:string,sent_at:ts_us,contract_id:string,body:string\n"
	for i := range 40 {
		body := make([]byte, 100<<10)
		for j := range body {
			body[j] = 'a' + byte(rng.IntN(26))
		}
		client := oneOf(rng, []string{"me", "you"})
		rows += fmt.Sprintf("m%d,other,%s,%s,2026-02-01T00:00:00Z,,%s\n", i, client, client, body)
	}
	for name, text := range map[string]string{"messages/a.parquet": rows, "consent.parquet": "account_id:string,category:string,opted_in:bool,effective_at:ts_us\nme,platform,true,2026-01-01T00:00:00Z\n"} {
		if err := jobtest.WriteParquet(filepath.Join(dir, name), text); err != nil {
			t.Fatal(err)
		}
	}
	o := access.Options{Config: filepath.Join(dir, "job.yaml"), Subject: "me", Dir: filepath.Join(dir, "copy"), Format: "csv"}
	err := os.WriteFile(o.Config, []byte(`version: 1
program: {name: small, starts_at: 2026-01-05T00:00:00Z}
output: out
inputs:
  consent: {path: consent.parquet, as_of: 2026-06-01T00:00:00Z}
datasets:
  messages: {path: messages/, moments: {sent: sent_at}}
gates: {min_account_match: 0}
`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	env := jobtest.NewEnv(t)
	env.Now = func() time.Time { return time.Unix(0, 0) }
	r, err := run.Run(t.Context(), env, run.Options{Config: o.Config})
	if err != nil {
		t.Fatal(err)
	}
	o.Run = r.URI
	attempt := func() (map[string]string, error) {
		if _, err := access.Run(t.Context(), env, o); err != nil {
			return nil, err
		}
		files := jobtest.Tree(t, o.Dir)
		return files, os.RemoveAll(o.Dir)
	}
	want, err := attempt()
	if err != nil || len(want["content/messages.csv"]) < 1<<20 {
		t.Fatalf("%v, content of %d bytes", err, len(want["content/messages.csv"]))
	}
	file := filepath.Join(r.URI, "messages/a.parquet")
	data, err := os.ReadFile(file)
	if err != nil || len(data) < 2<<20 {
		t.Fatalf("%v, %d bytes", err, len(data))
	}
	refusals := 0
	for range 12 {
		flipped := bytes.Clone(data)
		at := rng.IntN(len(data) - 4096) // of the rest, footer and indexes, no page's checksum tells
		flipped[at] ^= 1 << rng.IntN(8)
		if err := os.WriteFile(file, flipped, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := attempt()
		if err == nil {
			jobtest.SameTrees(t, fmt.Sprint("byte ", at), got, want)
		} else if exit, _ := job.Explain(err); exit != job.ExitRefused {
			t.Errorf("byte %d: exit %d, %v", at, exit, err)
		} else {
			refusals++
		}
	}
	if refusals == 0 {
		t.Error("no flip was noticed")
	}
}

// TestAccessFaults fails every storage operation in turn: there is the whole copy, or
// nothing.
func TestAccessFaults(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	m := newAccessMarket(t, rng)
	m.other(t, rng)
	dir := t.TempDir()
	o := access.Options{Config: m.write(t, dir), Subject: "me", Dir: filepath.Join(dir, "copies", "me")}
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: o.Config})
	if err != nil {
		t.Fatal(err)
	}
	o.Run = r.URI
	for i := 0; ; i++ {
		f := faulty.New(faulty.Fail, i, nil)
		env := jobtest.NewEnv(t)
		env.Opener.Wrap = f.Wrap
		_, err := access.Run(t.Context(), env, o)
		if !f.Met() {
			if err != nil || i < 10 {
				t.Fatalf("%d operations, %v", i, err)
			}
			break
		}
		if err == nil {
			t.Errorf("operation %d (%s): no error", i, f.Ops()[i])
		} else if exit, _ := job.Explain(err); exit != job.ExitFailed {
			t.Errorf("operation %d (%s): exit %d, %v", i, f.Ops()[i], exit, err)
		}
		if left, _ := os.ReadDir(filepath.Dir(o.Dir)); len(left) > 0 {
			t.Fatalf("operation %d (%s) left %v", i, f.Ops()[i], left)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.Dir += "-2"
	if _, err := access.Run(ctx, jobtest.NewEnv(t), o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(o.Dir)); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}
