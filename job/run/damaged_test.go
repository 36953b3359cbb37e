package run

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assent/job/jobtest"
	"assent/manifests"
)

// TestDamagedEarlier damages outputs of the run from which a night starts, before its plan and after it. What the night publishes has
// the bytes of a run from nothing, or the night fails; it never hands on what is damaged.
func TestDamagedEarlier(t *testing.T) {
	s := manyGroups(t)
	s.sizes = sizes{1, 1, 1 << 30, 1}
	config, err := os.ReadFile(s.config)
	if err == nil { // what transforms count must not be counted twice
		err = os.WriteFile(s.config, bytes.Replace(config, []byte("path: messages/"), []byte("path: messages/, redact: {body: [phone]}, coarsen: {sent_at: day}"), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	earlier, err := Run(t.Context(), s.env(), s.options())
	if err != nil {
		t.Fatal(err)
	}
	// A late event of an account that some row groups of the large file name.
	const late = "account_id:string,category:string,opted_in:bool,effective_at:ts_us\nH,communications,false,2026-01-06T00:00:00Z\n"
	if err := jobtest.WriteParquet(filepath.Join(filepath.Dir(s.config), "consent/b.parquet"), late); err != nil {
		t.Fatal(err)
	}
	before, out := t.TempDir(), s.out
	if err := os.CopyFS(before, os.DirFS(s.out)); err != nil {
		t.Fatal(err)
	}
	fresh := func() {
		t.Helper()
		if err := errors.Join(os.RemoveAll(out), os.CopyFS(out, os.DirFS(before))); err != nil {
			t.Fatal(err)
		}
		setBack(t, out)
	}
	fresh()
	nothing := t.TempDir()
	o := s.options()
	o.NoReuse, o.Set = true, []string{"output=" + nothing}
	r, err := Run(t.Context(), s.env(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := jobtest.Tree(t, filepath.Join(nothing, "run="+r.RunID))
	night := func(what string, afterPlan func()) (*manifests.Run, error) {
		t.Helper()
		p, err := s.plan()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		afterPlan()
		if _, err := s.shard(p.Plan, 0, 1); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		r, err := s.commit(p.Plan)
		if err != nil {
			return nil, err
		}
		run := filepath.Join(out, "run="+r.RunID)
		jobtest.SameTrees(t, what, jobtest.Tree(t, run), want)
		return readNight(t, run).Run, nil
	}
	doc, err := night("undamaged", func() {})
	const large = "month=2026-03/large.parquet"
	if err != nil || doc.Invocation.ReusedRowGroups["messages/"+large] < 3 || len(doc.Invocation.ReusedFrom) < 2 {
		t.Fatalf("%v: %+v", err, doc.Invocation)
	}
	var whole string
	for name := range doc.Invocation.ReusedFrom {
		if strings.HasPrefix(name, "messages/") || whole == "" {
			whole = name
		}
	}
	run := filepath.Join(out, "run="+earlier.RunID)
	for _, object := range []string{"messages/" + large, "_manifest/exclusions/messages/" + large, "_manifest/subjects/messages/" + large, whole, "_manifest/subjects/" + whole, "_manifest/footprints/messages.parquet", "_manifest/consent.index"} {
		for what, damage := range map[string]func(name string) error{
			"gone": os.Remove, "cut": func(name string) error { return os.Truncate(name, 40) }, "a bit": flipBit,
		} {
			for _, when := range []string{"before the plan", "after the plan"} {
				name := strings.Join([]string{object, what, when}, ", ")
				fresh()
				spoil := func() {
					if err := damage(filepath.Join(run, object)); err != nil {
						t.Fatal(err)
					}
				}
				if when == "before the plan" {
					spoil()
					spoil = func() {}
				}
				doc, err := night(name, spoil)
				taken := strings.HasSuffix(object, whole)
				switch {
				case err != nil && !(taken && when == "after the plan"):
					t.Errorf("%s: %v", name, err)
				case err == nil && taken && when == "before the plan" && doc.Invocation.ReusedFrom[whole] != "":
					t.Errorf("%s: it was taken over", name)
				}
			}
		}
	}
}

// setBack makes all files of an output older than its markers, as they are where nobody has touched them.
func setBack(t *testing.T, out string) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	err := filepath.WalkDir(out, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() != "_SUCCESS" {
			err = os.Chtimes(name, old, old)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func flipBit(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	data[len(data)/2] ^= 4
	if err := os.WriteFile(name, data, 0o600); err != nil {
		return err
	}
	later := time.Now().Add(time.Minute)
	return os.Chtimes(name, later, later)
}
