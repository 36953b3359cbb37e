package diff_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"assent/job"
	"assent/job/diff"
	"assent/job/internal/objstore/faulty"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/sample"
	"assent/schema"
)

// TestDiffWays compares the records of a sample row by row and, after all its files
// got another identity, by their ids, with and without room for them.
func TestDiffWays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	if _, err := sample.Run(t.Context(), jobtest.NewEnv(t), sample.Options{Dir: dir, Rows: 4000, Seed: 5}); err != nil {
		t.Fatal(err)
	}
	env := jobtest.NewEnv(t)
	shown := new(counted)
	publish := func(set ...string) *run.Result {
		t.Helper()
		r, err := run.Run(t.Context(), env, run.Options{Config: filepath.Join(dir, "job.yaml"), Set: set})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	compare := func(before, after *run.Result, memory int64) (*diff.Result, [][]string) {
		t.Helper()
		list := filepath.Join(t.TempDir(), "list.csv")
		env := jobtest.NewEnv(t)
		shown = new(counted)
		env.Progress = shown
		r, err := diff.Run(t.Context(), env, diff.Options{Config: filepath.Join(dir, "job.yaml"), Before: before.RunID, After: after.URI, To: list, Memory: job.Size(memory)})
		if err != nil {
			t.Fatal(err)
		}
		if total := rowsOf(before) + rowsOf(after); shown.total != total || shown.sum.Load() != total || shown.calls.Load() < 3 || !shown.stopped {
			t.Errorf("progress shows %d of %d records in %d steps, stopped %v; there are %d", shown.sum.Load(), shown.total, shown.calls.Load(), shown.stopped, total)
		}
		return r, readList(t, list)
	}
	before := publish()
	other := []string{"inputs.consent.as_of=2026-09-01T00:00:00Z", "inputs.deletions=null", "program.starts_at=2026-01-20T00:00:00Z"}
	after := publish(other...)
	rows, want := compare(before, after, 0)
	if !slices.Equal(rows.Differs, []string{"horizon", "policy", "inputs.deletions"}) || len(rows.NotKnown) > 0 {
		t.Errorf("differs %v, not known %v", rows.Differs, rows.NotKnown)
	}
	for name, d := range rows.Datasets {
		a, b := before.Datasets[name], after.Datasets[name]
		if d.InBoth != a.RowsIn || a.RowsKept+d.NowKept.Total()-d.NowExcluded.Total() != b.RowsKept || d.ByID != 0 || d.ByRow == 0 {
			t.Errorf("%s: %+v", name, d)
		}
		if d.NowKept[schema.DeletionRequested] == 0 || d.NowExcluded[schema.AfterHorizon] == 0 || d.NowExcluded[schema.BeforeProgram] == 0 {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if int64(len(want)) != rows.Listed || len(rows.Shown) != 20 || rows.Shown[0].Kind != diff.NowKept || rows.Shown[10].Kind != diff.NowExcluded {
		t.Errorf("%d in the list, %d listed, %d shown", len(want), rows.Listed, len(rows.Shown))
	}

	for _, pattern := range []string{"messages/*/*.parquet", "deliverables/*/*.parquet", "platform_events/*/*.parquet"} {
		otherIdentity(t, filepath.Join(dir, pattern))
	}
	copied := publish(other...)
	for _, memory := range []int64{0, 64 << 10} {
		ids, got := compare(before, copied, memory)
		if !slices.Equal(ids.Differs, []string{"horizon", "policy", "inputs.deletions", "datasets.deliverables", "datasets.events", "datasets.messages"}) {
			t.Errorf("differs %v", ids.Differs)
		}
		for name, d := range ids.Datasets {
			w := *rows.Datasets[name]
			w.ByRow, w.ByID = 0, 2*w.ByRow
			if *d != w {
				t.Errorf("%s by ids, memory %d: %+v, want %+v", name, memory, d, w)
			}
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("memory %d: lists differ: %d and %d records", memory, len(got), len(want))
		}
	}
	same, list := compare(after, copied, 0)
	for name, d := range same.Datasets {
		if d.NowKept.Total()+d.NowExcluded.Total()+d.OtherReason != 0 || d.InBoth != after.Datasets[name].RowsIn {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if same.Listed != 0 || len(list) != 0 {
		t.Errorf("%d listed between equal runs", same.Listed)
	}
}

// counted is a progress that adds up what it is told.
type counted struct {
	total      int64
	sum, calls atomic.Int64
	stopped    bool
}

func (c *counted) Start(total int64) job.Bar { c.total = total; return c }

func (c *counted) Add(n int64) { c.sum.Add(n); c.calls.Add(1) }

func (c *counted) Stop() { c.stopped = true }

func rowsOf(r *run.Result) (n int64) {
	for _, d := range r.Datasets {
		n += d.RowsIn
	}
	return n
}

// otherIdentity changes a byte of the writer's name in files' footers.
func otherIdentity(t *testing.T, pattern string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatal(pattern, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.LastIndex(data, []byte("assent"))
		if at < 0 {
			t.Fatal(file)
		}
		data[at] = 'A'
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// readList returns a list's rows, sorted.
func readList(t *testing.T, file string) [][]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || strings.Join(rows[0], ",") != "dataset,record_id,change,before,after,before_file,after_file" {
		t.Fatal(rows, err)
	}
	slices.SortFunc(rows[1:], slices.Compare)
	return rows[1:]
}

// changing is a job whose files come, go and change between two runs.
func changing(t *testing.T) (config string, before, after *run.Result) {
	t.Helper()
	config = jobtest.TinyJob(t)
	dir := filepath.Join(filepath.Dir(config), "messages")
	write := func(name string, rows ...string) {
		t.Helper()
		text := "message_id:string,freelancer_id:string,client_id:string,sent_at:ts_us,edited_at:ts_us\n" + strings.Join(rows, "\n") + "\n"
		if err := jobtest.WriteParquet(filepath.Join(dir, name), text); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(name string) {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	publish := func() *run.Result {
		t.Helper()
		r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	const in, out = "A,B,2026-02-01T00:00:00Z,", "A,B,2026-04-01T00:00:00Z,"
	remove("month=2026-02")
	remove("month=2026-04")
	write("same.parquet", "s1,"+in, "s2,"+out)
	write("gone.parquet", "g1,"+in, "g2,"+out, "moved,"+in)
	write("grown.parquet", "stays,"+in, "dropped,"+in, "turns out,"+in, "turns in,"+out, "twice,"+out, "twice,"+in, ",A,,2026-02-01T00:00:00Z,")
	before = publish()
	remove("gone.parquet")
	write("new.parquet", "n1,"+in, "n2,"+out, "moved,"+in)
	write("grown.parquet", "stays,"+in, "turns out,"+out, "turns in,"+in, "twice,"+out, "other,,B,2026-02-01T00:00:00Z,")
	after = publish()
	return config, before, after
}

func TestDiffFiles(t *testing.T) {
	config, before, after := changing(t)
	list := filepath.Join(t.TempDir(), "list.csv")
	r, err := diff.Run(t.Context(), jobtest.NewEnv(t), diff.Options{Config: config, Before: before.URI, After: after.RunID, To: list})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"messages", "", "only_before", "party_unknown", "", "grown.parquet", ""},
		{"messages", "dropped", "only_before", "kept", "", "grown.parquet", ""},
		{"messages", "g1", "only_before", "kept", "", "gone.parquet", ""},
		{"messages", "g2", "only_before", "opted_out", "", "gone.parquet", ""},
		{"messages", "n1", "only_after", "", "kept", "", "new.parquet"},
		{"messages", "n2", "only_after", "", "opted_out", "", "new.parquet"},
		{"messages", "other", "only_after", "", "party_unknown", "", "grown.parquet"},
		{"messages", "turns in", "now_kept", "opted_out", "kept", "grown.parquet", "grown.parquet"},
		{"messages", "turns out", "now_excluded", "kept", "opted_out", "grown.parquet", "grown.parquet"},
		{"messages", "twice", "now_excluded", "kept", "opted_out", "grown.parquet", "grown.parquet"},
	}
	if got := readList(t, list); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v\nwant %v", got, want)
	}
	d := r.Datasets["messages"]
	if d.InBoth != 7 || d.ByRow != 1 || d.ByID != 4 || d.OnlyBefore != (diff.SideCounts{Kept: 2, Excluded: 2}) || d.OnlyAfter != (diff.SideCounts{Kept: 1, Excluded: 2}) ||
		d.NowKept[schema.PartyOptedOut] != 1 || d.NowExcluded[schema.PartyOptedOut] != 2 {
		t.Errorf("%+v", d)
	}
	if r.Listed != 10 || !slices.Equal(r.Differs, []string{"datasets.messages"}) || r.List != list {
		t.Errorf("%+v", r)
	}
}

// TestDiffLargeIDs wants the footer of a list to stay small, however long ids of records are.
func TestDiffLargeIDs(t *testing.T) {
	config := jobtest.TinyJob(t)
	dir := filepath.Join(filepath.Dir(config), "messages")
	var runs []*run.Result
	for _, id := range []string{"a", "b"} {
		text := "message_id:string,freelancer_id:string,client_id:string,sent_at:ts_us,edited_at:ts_us\n" + strings.Repeat(id, 1<<20) + ",A,B,2026-02-01T00:00:00Z,\n"
		if err := jobtest.WriteParquet(filepath.Join(dir, "large.parquet"), text); err != nil {
			t.Fatal(err)
		}
		r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, r)
	}
	list := filepath.Join(t.TempDir(), "list.parquet")
	r, err := diff.Run(t.Context(), jobtest.NewEnv(t), diff.Options{Config: config, Before: runs[0].URI, After: runs[1].RunID, To: list})
	if err != nil || r.Listed != 2 {
		t.Fatal(r, err)
	}
	data, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if n := binary.LittleEndian.Uint32(data[len(data)-8:]); n > 4<<10 {
		t.Errorf("a footer of %d bytes", n)
	}
}

// TestDiffDisjoint compares runs without a record in common, whose ids together need
// more room than those of either.
func TestDiffDisjoint(t *testing.T) {
	config := jobtest.TinyJob(t)
	const rows = 1500
	var ids []string
	for _, prefix := range []string{"x", "y"} {
		text := new(strings.Builder)
		text.WriteString("message_id:string,freelancer_id:string,client_id:string,sent_at:ts_us,edited_at:ts_us\n")
		for i := range rows {
			fmt.Fprintf(text, "%s%d,A,B,2026-0%d-02T00:00:00Z,\n", prefix, i, 2+i%3)
		}
		if err := jobtest.WriteParquet(filepath.Join(filepath.Dir(config), "messages/month=2026-02/a.parquet"), text.String()); err != nil {
			t.Fatal(err)
		}
		r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.RunID)
	}
	env, shown := jobtest.NewEnv(t), new(counted)
	env.Progress = shown
	r, err := diff.Run(t.Context(), env, diff.Options{Config: config, Before: ids[0], After: ids[1], Memory: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if shown.total != 2*(rows+2) || shown.sum.Load() != shown.total {
		t.Errorf("progress shows %d of %d records", shown.sum.Load(), shown.total)
	}
	d := r.Datasets["messages"]
	if only := (diff.SideCounts{Kept: rows / 3, Excluded: rows / 3 * 2}); d.OnlyBefore != only || d.OnlyAfter != only || d.InBoth != 2 || r.Listed != 2*rows {
		t.Errorf("%+v", d)
	}
}

// TestDiffKeys compares runs of two keys, with one of them at hand and with neither.
func TestDiffKeys(t *testing.T) {
	config := jobtest.TinyJob(t)
	publish := func() string {
		t.Helper()
		r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
		if err != nil {
			t.Fatal(err)
		}
		return r.RunID
	}
	keys := []string{jobtest.TestKey, "b3RoZXIga2V5IG90aGVyIGtleSBvdGhlciBrZXkgMDE=", "", "dGhpcmQga2V5IHRoaXJkIGtleSB0aGlyZCBrZXkgMDE="}
	first := publish()
	t.Setenv("ASSENT_SUBJECT_KEY", keys[1])
	second := publish()
	for _, key := range keys {
		t.Setenv("ASSENT_SUBJECT_KEY", key)
		r, err := diff.Run(t.Context(), jobtest.NewEnv(t), diff.Options{Config: config, Before: first, After: second})
		if err != nil || !slices.Equal(r.Differs, []string{"key"}) || r.Listed != 0 || len(r.NotKnown) > 0 {
			t.Errorf("key %q: %+v, %v", key, r, err)
		}
		r, err = diff.Run(t.Context(), jobtest.NewEnv(t), diff.Options{Config: config, Before: second, After: second})
		if err != nil || len(r.Differs)+len(r.NotKnown) > 0 {
			t.Errorf("key %q, with itself: %+v, %v", key, r, err)
		}
	}
}

// TestDiffFailures asks for what is not there, damages a run, and fails or cancels
// every storage operation: there is never a list beside an error.
func TestDiffFailures(t *testing.T) {
	config, before, after := changing(t)
	dir := t.TempDir()
	list := filepath.Join(dir, "list.parquet")
	compare := func(ctx context.Context, env *job.Env, o diff.Options) error {
		o.Config, o.To = config, list
		_, err := diff.Run(ctx, env, o)
		if _, statErr := os.Stat(list); err != nil && !errors.Is(statErr, fs.ErrNotExist) {
			t.Fatalf("a list beside the error %v", err)
		}
		return err
	}
	for _, name := range []string{"20260601T000000Z-000000000000", "run=20260601T000000Z-000000000000", "nonsense", "s3://x/run=20260601T000000Z-000000000000", filepath.Dir(config)} {
		err := compare(t.Context(), jobtest.NewEnv(t), diff.Options{Before: before.RunID, After: name})
		if exit, _ := job.Explain(err); exit != job.ExitUsage {
			t.Errorf("%s: exit %d, %v", name, exit, err)
		}
	}
	both := diff.Options{Before: before.RunID, After: after.RunID}
	for i := 0; ; i++ {
		f := faulty.New(faulty.Fail, i, nil)
		env := jobtest.NewEnv(t)
		env.Opener.Wrap = f.Wrap
		err := compare(t.Context(), env, both)
		if !f.Met() {
			if i < 20 || err != nil {
				t.Errorf("%d operations, %v", i, err)
			}
			break
		}
		if exit, _ := job.Explain(err); exit != job.ExitFailed {
			t.Errorf("operation %d (%s): exit %d, %v", i, f.Ops()[i], exit, err)
		}
	}
	os.Remove(list)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if exit, _ := job.Explain(compare(ctx, jobtest.NewEnv(t), both)); exit != job.ExitInterrupted {
		t.Errorf("interrupted: exit %d", exit)
	}
	for _, name := range []string{"_manifest/exclusions/messages/same.parquet", "_manifest/exclusions/messages/grown.parquet", "messages/grown.parquet"} {
		file := filepath.Join(before.URI, name)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for what, damage := range map[string]func() error{
			"cut":  func() error { return os.Truncate(file, int64(len(data)/2)) },
			"gone": func() error { return os.Remove(file) },
			"swap": func() error { return jobtest.WriteParquet(file, "message_id:string\nx\n") },
		} {
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			err := compare(t.Context(), jobtest.NewEnv(t), both)
			if exit, _ := job.Explain(err); exit != job.ExitRefused && exit != job.ExitBadInput || !strings.Contains(fmt.Sprint(err), name) {
				t.Errorf("%s %s: exit %d, %v", name, what, exit, err)
			}
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
