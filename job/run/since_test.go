package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"assent/job/jobtest"
	"assent/manifests"
	"assent/schema"
)

// nightRun is a run with the reason of each excluded row: by exclusion manifest, then by row.
type nightRun struct {
	*manifests.Run
	why map[string]map[int64]schema.Reason
}

func readNight(t *testing.T, dir string) *nightRun {
	t.Helper()
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	doc := &nightRun{new(manifests.Run), map[string]map[int64]schema.Reason{}}
	if err := json.Unmarshal(read("_manifest/run.json"), doc.Run); err != nil {
		t.Fatal(err)
	}
	for _, d := range doc.Datasets {
		for _, f := range d.Files {
			data := read(f.Exclusions)
			x, err := manifests.OpenExclusions(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			doc.why[f.Exclusions] = map[int64]schema.Reason{}
			for e, err := range x.All() {
				if err != nil {
					t.Fatal(err)
				}
				doc.why[f.Exclusions][e.SourceRow] = e.Reason
			}
		}
	}
	return doc
}

// current reads the run that the market's output has as its current one; nil where it has none.
func (m *market) current(t *testing.T) *nightRun {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(m.dir, "out", "current.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	c, err2 := manifests.ParseCurrent(data)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	dir := filepath.Join(m.dir, "out", c.Run)
	if _, err := os.Stat(dir); err != nil { // it was erased
		return nil
	}
	return readNight(t, dir)
}

// identity of the input of a file, with its size. The n-th input of a data set is that of its n-th file.
func (r *nightRun) identity(dataset string, file int) string {
	for _, in := range r.Inputs {
		if in.Dataset == dataset {
			if file == 0 {
				return in.Path + in.Identity
			}
			file--
		}
	}
	return ""
}

// checkSince counts row by row what changed between two nights.
func checkSince(t *testing.T, name string, now, before *nightRun) {
	t.Helper()
	got := now.Invocation.Since
	if before == nil {
		if got != nil {
			t.Errorf("%s: nothing was before, and it says %+v", name, got)
		}
		return
	}
	if got == nil || got.RunID != before.RunID {
		t.Fatalf("%s: since %+v, want run %s", name, got, before.RunID)
	}
	for dataset, d := range now.Datasets {
		was := before.Datasets[dataset]
		want := manifests.Changes{KeptBefore: was.RowsKept, ExcludedBefore: was.RowsExcluded}
		inputs := map[string]manifests.File{}
		for i, f := range was.Files {
			inputs[before.identity(dataset, i)] = f
		}
		for i, f := range d.Files {
			old, ok := inputs[now.identity(dataset, i)]
			if !ok {
				want.New.Files, want.New.Kept, want.New.Excluded = want.New.Files+1, want.New.Kept+f.RowsKept, want.New.Excluded+f.RowsIn-f.RowsKept
				continue
			}
			delete(inputs, now.identity(dataset, i))
			for row := range f.RowsIn {
				a, wasOut := before.why[old.Exclusions][row]
				b, isOut := now.why[f.Exclusions][row]
				switch {
				case wasOut && !isOut:
					want.NowKept[a]++
				case isOut && !wasOut:
					want.NowExcluded[b]++
				case a != b:
					want.OtherReason++
				}
			}
		}
		for _, f := range inputs {
			want.Gone.Files, want.Gone.Kept, want.Gone.Excluded = want.Gone.Files+1, want.Gone.Kept+f.RowsKept, want.Gone.Excluded+f.RowsIn-f.RowsKept
		}
		if got.Datasets[dataset] != want {
			t.Errorf("%s: %s since the last run: %+v, want %+v", name, dataset, got.Datasets[dataset], want)
		}
	}
	if want := before.Remember(); !reflect.DeepEqual(got.Earlier, want) || len(want) > manifests.MaxEarlier {
		t.Errorf("%s: earlier runs %+v, want %+v", name, got.Earlier, want)
	}
}

// TestSinceOlder publishes a run that goes back to an older horizon, and one after a run that was damaged: neither says what
// changed, and both are published.
func TestSinceOlder(t *testing.T) {
	config := jobtest.TinyJob(t)
	night := func(as string) *nightRun {
		t.Helper()
		r, err := Run(t.Context(), jobtest.NewEnv(t), Options{Config: config, Set: []string{"inputs.consent.as_of=" + as}})
		if err != nil || r.Status != Published {
			t.Fatalf("%+v, %v", r, err)
		}
		return readNight(t, r.URI)
	}
	first := night("2026-06-01T00:00:00Z")
	if r := night("2026-05-01T00:00:00Z"); r.Invocation.Since != nil {
		t.Errorf("an older horizon: %+v", r.Invocation.Since)
	}
	next := night("2026-04-01T00:00:00Z")
	if next.Invocation.Since != nil {
		t.Error(next.Invocation.Since)
	}
	last := night("2026-06-02T00:00:00Z")
	if s := last.Invocation.Since; s == nil || s.RunID != first.RunID || s.Change() != (manifests.Change{}) {
		t.Errorf("%+v", s)
	}
	dir := filepath.Join(filepath.Dir(config), "out", "run="+last.RunID, "_manifest/exclusions")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(must(t, config), "gates: {max_excluded: 0.9}\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := jobtest.WriteParquet(filepath.Join(filepath.Dir(config), "consent/b.parquet"), "account_id:string,category:string,opted_in:bool,effective_at:ts_us\nC,communications,false,2026-02-01T00:00:00Z\n"); err != nil {
		t.Fatal(err)
	}
	if s := night("2026-06-03T00:00:00Z").Invocation.Since; s != nil {
		t.Errorf("the run before is damaged: %+v", s)
	}
}

func must(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
