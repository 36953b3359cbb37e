package erase_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"assent/job"
	"assent/job/erase"
	"assent/job/internal/holdings"
	"assent/job/internal/objstore"
	"assent/job/internal/objstore/faulty"
	"assent/job/internal/objstore/storetest"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/runs"
	"assent/manifests"
)

// erasable is a tiny job with two runs: one that holds an account which asked for
// deletion after it, and the current one, which applies that request.
type erasable struct {
	config, out string
	old, now    string            // run ids
	whole       map[string]string // the output before any erasure
}

func newErasable(t testing.TB) *erasable {
	t.Helper()
	config := jobtest.TinyJob(t)
	dir := filepath.Dir(config)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "datasets:", "  deletions: {path: deletions/}\ngates: {min_deletion_match: 0}\ndatasets:", 1)) // the first ledger names nobody of the data
	if err := os.WriteFile(config, text, 0o644); err != nil {
		t.Fatal(err)
	}
	e := &erasable{config: config, out: filepath.Join(dir, "out")}
	e.ask(t, "nobody,,r0\n")
	e.old = e.run(t)
	e.ask(t, "nobody,,r0\nA,2026-07-01T00:00:00Z,r1\nA,2026-07-02T00:00:00Z,r2\n")
	e.now = e.run(t)
	e.whole = raw(t, e.out)
	return e
}

// ask writes the ledger of deletion requests.
func (e *erasable) ask(t testing.TB, rows string) {
	t.Helper()
	file := filepath.Join(filepath.Dir(e.config), "deletions", "a.parquet")
	if err := jobtest.WriteParquet(file, "account_id:string,requested_at:ts_us,request_id:string\n"+rows); err != nil {
		t.Fatal(err)
	}
}

func (e *erasable) run(t testing.TB, set ...string) string {
	t.Helper()
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: e.config, Set: set})
	if err != nil {
		t.Fatal(err)
	}
	return r.RunID
}

// restore makes the output as it was before any erasure.
func (e *erasable) restore(t testing.TB) {
	t.Helper()
	if err := os.RemoveAll(e.out); err != nil {
		t.Fatal(err)
	}
	for name, data := range e.whole {
		file := filepath.Join(e.out, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(data), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func (e *erasable) erase(env *job.Env, apply bool, set ...string) (*erase.Result, error) {
	return erase.Run(context.Background(), env, erase.Options{Config: e.config, Set: set, Apply: apply})
}

// raw returns the files below a directory as they are.
func raw(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// below are the files of a tree below a directory, by their paths there.
func below(files map[string]string, dir string) map[string]string {
	found := map[string]string{}
	for name, data := range files {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			found[rest] = data
		}
	}
	return found
}

// erasedOnce checks the output after an erasure that went to its end.
func (e *erasable) erasedOnce(t *testing.T, what string, files map[string]string) *erase.Receipt {
	t.Helper()
	old, now := "run="+e.old, "run="+e.now
	if got := below(files, old); len(got) > 0 {
		t.Fatalf("%s: %d objects of the erased run are left", what, len(got))
	}
	jobtest.SameTrees(t, what, below(files, now), below(e.whole, now))
	if files["current.json"] != e.whole["current.json"] {
		t.Fatalf("%s: current.json changed", what)
	}
	evidence := below(files, "_erased/"+old)
	if len(evidence) != 4 || evidence["run.json"] != e.whole[old+"/_manifest/run.json"] || evidence["_SUCCESS"] != e.whole[old+"/_SUCCESS"] ||
		evidence["daily.csv"] != e.whole[old+"/_manifest/daily.csv"] || evidence["report.html"] != e.whole[old+"/_manifest/report.html"] {
		t.Fatalf("%s: evidence %v", what, slices.Collect(maps.Keys(evidence)))
	}
	var receipts []*erase.Receipt
	entries := 0
	for name, data := range files {
		if strings.HasPrefix(filepath.Base(name), ".assent-") || strings.HasPrefix(name, "_lock") {
			t.Fatalf("%s: %s is left", what, name)
		}
		if strings.HasPrefix(name, "_erased/") && strings.HasSuffix(name, "/entry.json") {
			entries++
		}
		if strings.HasPrefix(name, "_erased/") && strings.HasSuffix(name, "/receipt.json") {
			r := new(erase.Receipt)
			if err := json.Unmarshal([]byte(data), r); err != nil {
				t.Fatal(err)
			}
			receipts = append(receipts, r)
		}
	}
	if len(receipts) != 1 || entries != 1 {
		t.Fatalf("%s: %d receipts, %d entries, want one", what, len(receipts), entries)
	}
	return receipts[0]
}

func TestErase(t *testing.T) {
	e := newErasable(t)
	env := jobtest.NewEnv(t)
	env.Now = func() time.Time { return time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC) }
	r, err := e.erase(env, false)
	if err != nil || r.Status != erase.ToErase || r.Requests != 2 || len(r.Runs) != 1 || r.Complaint() != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	held := r.Runs[0]
	if held.RunID != e.old || held.Current || held.Accounts != 1 || held.KeptRows != 1 || len(held.Files) != 1 || held.Files[0].Path != "messages/month=2026-02/a.parquet" {
		t.Errorf("%+v", held)
	}
	if s := held.Subjects; len(s) != 1 || len(s[0].Ref) != 32 || !slices.Equal(s[0].Requests, []string{"r1", "r2"}) || s[0].KeptRows != 1 {
		t.Errorf("%+v", s)
	}
	jobtest.SameTrees(t, "without --apply", raw(t, e.out), e.whole)
	listed, err := runs.Run(t.Context(), env, runs.Options{Config: e.config})
	if err != nil || len(listed) != 2 || *listed[0].HoldsErased || !*listed[1].HoldsErased {
		t.Errorf("%+v, %v", listed, err)
	}

	if r, err = e.erase(env, true); err != nil || r.Status != erase.Erased || len(r.Receipts) != 1 || len(r.Runs) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	files := raw(t, e.out)
	receipt := e.erasedOnce(t, "erase", files)
	if !strings.HasSuffix(r.Receipts[0], "_erased/"+receipt.ReceiptID+"/receipt.json") || !receipt.RemovedAt.Equal(env.Now()) ||
		receipt.FinishedBy.Version != "test" || !receipt.Storage.GoneFrom.Equal(env.Now()) || len(receipt.NotCovered) < 5 || len(receipt.Evidence) != 4 {
		t.Errorf("%+v", receipt)
	}
	for _, text := range []string{files["_erased/"+receipt.ReceiptID+"/receipt.json"], files["_erased/"+receipt.ReceiptID+"/entry.json"]} {
		if strings.Contains(text, `"A"`) || !strings.Contains(text, `"r1"`) || !strings.Contains(text, held.Subjects[0].Ref) {
			t.Errorf("the account is not told by reference and request alone: %s", text)
		}
	}
	page := files["_erased/"+receipt.ReceiptID+"/receipt.html"]
	for _, want := range []string{"r1", held.Subjects[0].Ref, manifests.SHA256([]byte(files["_erased/"+receipt.ReceiptID+"/receipt.json"])), "1 August 2026", "default-src"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %s:\n%s", want, page)
		}
	}
	var manifest struct {
		Datasets map[string]struct {
			Files []struct{ Output, SHA256 string }
		}
	}
	if err := json.Unmarshal([]byte(e.whole["run="+e.old+"/_manifest/run.json"]), &manifest); err != nil {
		t.Fatal(err)
	}
	named := receipt.Runs[0].Objects
	if len(named) != len(below(e.whole, "run="+e.old)) {
		t.Errorf("%d objects in the receipt", len(named))
	}
	for _, f := range manifest.Datasets["messages"].Files {
		i := slices.IndexFunc(named, func(o erase.ErasedObject) bool { return o.Path == f.Output })
		if i < 0 || named[i].SHA256 != f.SHA256 || named[i].Bytes != int64(len(e.whole["run="+e.old+"/"+f.Output])) {
			t.Errorf("%s: %+v", f.Output, named)
		}
	}

	// A second time there is nothing left to do, and nobody stumbles over what is kept.
	if r, err = e.erase(env, true); err != nil || r.Status != erase.NothingToErase || len(r.Receipts) != 0 {
		t.Errorf("repeat: %+v, %v", r, err)
	}
	if listed, err = runs.Run(t.Context(), env, runs.Options{Config: e.config}); err != nil || len(listed) != 1 || *listed[0].HoldsErased {
		t.Errorf("%+v, %v", listed, err)
	}
	if e.run(t) != e.now {
		t.Error("the run was not found published")
	}
}

func TestEraseRefusals(t *testing.T) {
	e := newErasable(t)
	env := jobtest.NewEnv(t)
	exit := func(what string, want int, text string, apply bool, set ...string) {
		t.Helper()
		_, err := e.erase(env, apply, set...)
		if code, _ := job.Explain(err); code != want || !strings.Contains(fmt.Sprint(err), text) {
			t.Errorf("%s: exit %d, %v", what, code, err)
		}
	}
	exit("no ledger", job.ExitUsage, "no deletion requests are configured", false, "inputs.deletions=null")
	exit("no such ledger", job.ExitUsage, "gone", true, "inputs.deletions.path=gone/")
	exit("another programme", job.ExitUsage, `belongs to the programme "tiny"`, true, "program.name=other")

	// B is held by the current run: all stays, the older run too.
	e.ask(t, "A,,r1\nB,,\n")
	r, err := e.erase(env, false)
	if err != nil || len(r.Runs) != 2 || !slices.ContainsFunc(r.Runs, func(h holdings.HeldRun) bool { return h.Current && h.RunID == e.now }) {
		t.Errorf("%+v, %v", r, err)
	}
	exit("current run", job.ExitRefused, "current.json points at run="+e.now, true)
	jobtest.SameTrees(t, "refused", raw(t, e.out), e.whole)

	// A run under another key holds nobody as far as anyone can tell: it says so.
	t.Setenv("ASSENT_SUBJECT_KEY", "b3RoZXIga2V5IG90aGVyIGtleSBvdGhlciBrZXkgMDE=")
	r, err = e.erase(env, true)
	if err != nil || r.Status != erase.NothingToErase || len(r.Unchecked) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if code, _ := job.Explain(r.Complaint()); code != job.ExitRefused || !strings.Contains(r.Complaint().Error(), "another key") {
		t.Error(r.Complaint())
	}
	listed, err := runs.Run(t.Context(), env, runs.Options{Config: e.config})
	if err != nil || len(listed) != 2 || listed[0].HoldsErased != nil {
		t.Errorf("%+v, %v", listed, err)
	}
	t.Setenv("ASSENT_SUBJECT_KEY", jobtest.TestKey)

	// A damaged run neither: its index is cut short. What can be judged is erased.
	e.ask(t, "A,,r1\n")
	cut := filepath.Join(e.out, "run="+e.now, "_manifest/subjects/messages/month=2026-02/a.parquet")
	if err := os.Truncate(cut, 100); err != nil {
		t.Fatal(err)
	}
	r, err = e.erase(env, true)
	if err != nil || r.Status != erase.Erased || len(r.Runs) != 1 || r.Runs[0].RunID != e.old || len(r.Unchecked) != 1 || r.Unchecked[0].RunID != e.now {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestEraseIncomplete removes what a publication or a removal left half done: nobody
// knows whom that holds.
func TestEraseIncomplete(t *testing.T) {
	e := newErasable(t)
	if err := os.Remove(filepath.Join(e.out, "run="+e.old, "_SUCCESS")); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(e.out, "run=mine", "x")
	if err := errors.Join(os.Mkdir(filepath.Dir(foreign), 0o755), os.WriteFile(foreign, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	env := jobtest.NewEnv(t)
	if r, err := e.erase(env, false); err != nil || r.Status != erase.ToErase || len(r.Incomplete) != 1 || len(r.Runs) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := e.erase(env, true); err != nil || r.Status != erase.Erased || len(r.Incomplete) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	left := raw(t, e.out)
	if len(below(left, "run="+e.old)) > 0 || len(below(left, "run=mine")) != 1 || len(below(left, "run="+e.now)) == 0 {
		t.Errorf("left: %v", slices.Sorted(maps.Keys(left)))
	}
}

// TestEraseSwapped puts a file's subject index in the place of another's: whom the run
// holds is not known then.
func TestEraseSwapped(t *testing.T) {
	e := newErasable(t)
	e.ask(t, "nobody,,r3\n")
	var one, two []byte
	var id, account, file string
	for i := 0; i < 50 && (i == 0 || len(one) != len(two)); i++ { // until the two are of one size
		account = fmt.Sprint("X", i)
		for month, freelancer := range map[string]string{"2026-02": "Y", "2026-04": account} {
			err := jobtest.WriteParquet(filepath.Join(filepath.Dir(e.config), "messages/month="+month+"/a.parquet"),
				"message_id:string,freelancer_id:string,client_id:string,sent_at:ts_us,edited_at:ts_us\nm1,"+freelancer+",B,2026-02-01T00:00:00Z,\n")
			if err != nil {
				t.Fatal(err)
			}
		}
		id = e.run(t)
		dir := filepath.Join(e.out, "run="+id, "_manifest/subjects/messages")
		file = filepath.Join(dir, "month=2026-04/a.parquet")
		var errs [2]error
		one, errs[0] = os.ReadFile(filepath.Join(dir, "month=2026-02/a.parquet"))
		two, errs[1] = os.ReadFile(file)
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
	}
	e.ask(t, account+",,r4\n")
	if r, err := e.erase(jobtest.NewEnv(t), false); err != nil || len(r.Unchecked) != 0 || len(r.Runs) != 1 || r.Runs[0].RunID != id {
		t.Fatalf("%+v, %v", r, err)
	}
	if len(one) != len(two) {
		t.Fatalf("the two are of %d and %d bytes: the test is weak", len(one), len(two))
	}
	if err := os.WriteFile(file, one, 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := e.erase(jobtest.NewEnv(t), false)
	if err != nil || len(r.Unchecked) != 1 || r.Complaint() == nil {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestEraseNothing asks of an output that is not there, and with an empty ledger.
func TestEraseNothing(t *testing.T) {
	e := newErasable(t)
	e.ask(t, "")
	for _, set := range [][]string{nil, {"output=elsewhere"}} {
		for _, apply := range []bool{false, true} {
			r, err := e.erase(jobtest.NewEnv(t), apply, set...)
			if err != nil || r.Status != erase.NothingToErase || len(r.Runs)+len(r.Receipts) > 0 {
				t.Errorf("%v: %+v, %v", set, r, err)
			}
		}
	}
	jobtest.SameTrees(t, "nothing to erase", raw(t, e.out), e.whole)
	if _, err := os.Stat(filepath.Join(filepath.Dir(e.config), "elsewhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("made an output:", err)
	}
}

// TestEraseFaults fails every storage operation of an erasure and repeats it: nothing
// goes before its entry and its evidence are there, and the repeat ends it.
func TestEraseFaults(t *testing.T) {
	e := newErasable(t)
	step := 1
	if testing.Short() {
		step = 7
	}
	for mode, name := range map[faulty.Mode]string{faulty.Fail: "fail", faulty.Lost: "lost", faulty.Crash: "crash"} {
		t.Run(name, func(t *testing.T) {
			for i := 0; ; i += step {
				e.restore(t)
				f := faulty.New(mode, i, nil)
				env := jobtest.NewEnv(t)
				env.Opener.Wrap = f.Wrap
				_, err := e.erase(env, true)
				if !f.Met() {
					if i < 40 {
						t.Fatalf("only %d operations", i)
					}
					return
				}
				what := fmt.Sprintf("operation %d (%s, %v)", i, f.Ops()[i], err)
				e.nothingTooEarly(t, what, raw(t, e.out))
				// Where the lease is left, this process, which is not dead, would have to wait for it.
				os.Remove(filepath.Join(e.out, "_lock.json"))
				if _, err := e.erase(jobtest.NewEnv(t), true); err != nil {
					t.Fatalf("repeat after %s: %v", what, err)
				}
				e.erasedOnce(t, "repeat after "+what, raw(t, e.out))
			}
		})
	}
}

// nothingTooEarly checks an output amid an erasure.
func (e *erasable) nothingTooEarly(t *testing.T, what string, files map[string]string) {
	t.Helper()
	jobtest.SameTrees(t, what, below(files, "run="+e.now), below(e.whole, "run="+e.now))
	entry := slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(name string) bool { return strings.HasSuffix(name, "/entry.json") })
	evidence := len(below(files, "_erased/run="+e.old)) == 4
	if got := below(files, "run="+e.old); len(got) < len(below(e.whole, "run="+e.old)) && (!entry || !evidence) {
		t.Fatalf("%s: the run was touched before its entry (%v) and its evidence (%v) were written", what, entry, evidence)
	}
	if _, marked := files["run="+e.old+"/_SUCCESS"]; marked {
		jobtest.SameTrees(t, what, below(files, "run="+e.old), below(e.whole, "run="+e.old))
	}
}

// TestEraseInterrupted cancels an erasure as it opens and writes objects, and repeats it.
func TestEraseInterrupted(t *testing.T) {
	e := newErasable(t)
	for i := 0; ; i++ {
		e.restore(t)
		ctx, cancel := context.WithCancel(t.Context())
		counter := &jobtest.CancelAt{At: i, Cancel: cancel}
		env := jobtest.NewEnv(t)
		env.Opener.Wrap = func(s objstore.Store) objstore.Store { return counter.Wrap(s) }
		_, err := erase.Run(ctx, env, erase.Options{Config: e.config, Apply: true})
		cancel()
		what := fmt.Sprintf("cancelled at operation %d (%v)", i, err)
		files := raw(t, e.out)
		if err == nil {
			if i < 8 {
				t.Fatalf("only %d operations", i)
			}
			e.erasedOnce(t, what, files)
			return
		}
		if exit, _ := job.Explain(err); exit != job.ExitInterrupted || files["_lock.json"] != "" {
			t.Fatalf("%s: exit %d", what, exit)
		}
		e.nothingTooEarly(t, what, files)
		if _, err := e.erase(jobtest.NewEnv(t), true); err != nil {
			t.Fatalf("repeat after %s: %v", what, err)
		}
		e.erasedOnce(t, "repeat after "+what, raw(t, e.out))
	}
}

// TestEraseGCS crashes an erasure in a bucket at its requests. The bucket keeps what
// is deleted for a while, and the receipt says so.
func TestEraseGCS(t *testing.T) {
	e := newErasable(t)
	set := "output=gs://" + storetest.Bucket + "/root"
	week := int64(7 * 24 * 60 * 60)
	for i := 4; ; i += 7 {
		g := storetest.FakeGCS(t)
		for name, data := range e.whole {
			g.PutObject(storetest.Bucket, "root/"+name, []byte(data))
		}
		env := jobtest.NewEnv(t)
		env.Opener.Wrap = withTerms(func(deleted time.Time) (objstore.Terms, error) { // what the fake does not know of buckets
			gone := deleted.Add(7 * 24 * time.Hour)
			return objstore.Terms{Kind: "gcs", SoftDeleteSeconds: &week, GoneFrom: &gone}, nil
		})
		g.Inject(storetest.CrashBefore, i)
		_, err := e.erase(env, true, set)
		met := len(g.Requests()) > i
		g.Inject(storetest.NoFault, 0)
		store, err2 := new(objstore.Opener).Open(t.Context(), "gs://"+storetest.Bucket+"/root")
		if err2 != nil {
			t.Fatal(err2)
		}
		what := fmt.Sprintf("request %d (%v)", i, err)
		e.nothingTooEarly(t, what, stored(t, store))
		if err := store.Delete(t.Context(), objstore.Object{Name: "_lock.json"}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.erase(env, true, set); err != nil {
			t.Fatalf("repeat after %s: %v", what, err)
		}
		receipt := e.erasedOnce(t, what, stored(t, store))
		if s := receipt.Storage; s.Kind != "gcs" || !s.GoneFrom.Equal(receipt.RemovedAt.Add(7*24*time.Hour)) || *s.SoftDeleteSeconds != week ||
			receipt.Runs[0].Objects[0].Generation == "" {
			t.Fatalf("%s: %+v", what, receipt)
		}
		if !met {
			if i < 60 {
				t.Errorf("only %d requests", i)
			}
			return
		}
	}
}

func stored(t *testing.T, s objstore.Store) map[string]string {
	t.Helper()
	objects, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, o := range objects {
		data, _, err := s.Read(t.Context(), o.Name)
		if err != nil {
			t.Fatal(err)
		}
		files[o.Name] = string(data)
	}
	return files
}

// termed is a store with terms of its own.
type termed struct {
	objstore.Store
	terms func(deleted time.Time) (objstore.Terms, error)
}

func (s termed) Terms(_ context.Context, deleted time.Time) (objstore.Terms, error) {
	return s.terms(deleted)
}

func withTerms(terms func(time.Time) (objstore.Terms, error)) func(objstore.Store) objstore.Store {
	return func(s objstore.Store) objstore.Store { return termed{s, terms} }
}

// TestEraseTerms wants a receipt to have the store's own words, also of a store that
// is neither a directory nor a bucket.
func TestEraseTerms(t *testing.T) {
	for name, test := range map[string]struct {
		terms   objstore.Terms
		err     error
		refused string
	}{
		"a third store":  {terms: objstore.Terms{Kind: "third", Meaning: []string{"it is on the tapes of the vault"}}},
		"old enough":     {terms: objstore.Terms{Kind: "third", MinAge: time.Nanosecond}},
		"too young":      {terms: objstore.Terms{Kind: "third", MinAge: time.Hour}, refused: "retention policy of 1h0m0s forbids"},
		"it did not say": {terms: objstore.Terms{Kind: "third", Meaning: []string{"not known"}}, err: errors.New("no answer")},
	} {
		t.Run(name, func(t *testing.T) {
			e := newErasable(t)
			asked := 0
			env := jobtest.NewEnv(t)
			env.Opener.Wrap = withTerms(func(deleted time.Time) (objstore.Terms, error) {
				terms, err := test.terms, test.err
				if asked++; asked == 1 {
					err = nil // before anything is removed, no answer ends the erasure
				}
				terms.GoneFrom = &deleted
				return terms, err
			})
			r, err := e.erase(env, true)
			if test.refused != "" {
				if code, _ := job.Explain(err); code != job.ExitRefused || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("exit %d, %v", code, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			receipt := e.erasedOnce(t, name, raw(t, e.out))
			if s := receipt.Storage; s.Kind != "third" || !slices.Equal(s.Meaning, test.terms.Meaning) || !s.GoneFrom.Equal(receipt.RemovedAt) || r.Storage.Kind != "third" ||
				receipt.Runs[0].Objects[0].Generation != "" {
				t.Errorf("%+v", receipt)
			}
		})
	}
}

// TestEraseSigned wants the signature of a run to be kept as evidence, and the receipt to be
// signed as it was written.
func TestEraseSigned(t *testing.T) {
	key, signed := jobtest.SigningKey(t)
	t.Setenv("ASSENT_SIGNING_KEY", key)
	e := newErasable(t)
	r, err := e.erase(jobtest.NewEnv(t), true)
	if err != nil || len(r.Receipts) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	files := raw(t, e.out)
	if name := "/run.intoto.jsonl"; files["_erased/run="+e.old+name] != e.whole["run="+e.old+"/_manifest"+name] || files["_erased/run="+e.old+name] == "" {
		t.Error("the run's signature was not kept")
	}
	dir := "_erased/" + filepath.Base(filepath.Dir(r.Receipts[0]))
	digests := signed(files[dir+"/receipt.intoto.jsonl"])
	for _, name := range []string{"receipt.json", "receipt.html", "entry.json"} {
		if manifests.SHA256([]byte(files[dir+"/"+name])) != digests[name] {
			t.Errorf("%s is not as it was signed", name)
		}
	}
}
