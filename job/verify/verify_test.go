package verify_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"assent/job"
	"assent/job/internal/objstore/faulty"
	"assent/job/internal/runpage"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/sample"
	"assent/job/verify"
	"assent/manifests"
)

// auditedJob publishes a run of which every reason excludes some rows, and returns
// its configuration and directory.
func auditedJob(t testing.TB) (config, uri string) {
	t.Helper()
	t.Setenv("ASSENT_SUBJECT_KEY", jobtest.TestKey)
	dir := t.TempDir()
	write := func(name, csv string) {
		t.Helper()
		if err := jobtest.WriteParquet(filepath.Join(dir, name), csv); err != nil {
			t.Fatal(err)
		}
	}
	write("consent/a.parquet", `account_id:string,category:string,opted_in:bool,effective_at:ts_us,sequence:int64
A,communications,false,2026-03-01T12:00:00Z,1
A,communications,true,2026-05-01T00:00:00Z,2
D,platform,false,2026-02-01T00:00:00Z,3
X,communications,true,2026-03-01T12:00:00Z,4
`)
	write("deletions/a.parquet", `account_id:string,requested_at:ts_us,request_id:string
X,2026-05-20T00:00:00Z,req-1
X,2026-05-10T00:00:00Z,req-2
`)
	write("restrictions/a.parquet", `contract_id:string,from:ts_us,until:ts_us
K9,2026-02-01T00:00:00Z,2026-03-01T00:00:00Z
`)
	write("accounts/a.parquet", "account_id:string\nA\nB\nC\nD\nX\n")
	write("messages/m.parquet", messagesCSV())
	write("messages/none/m.parquet", strings.SplitAfter(messagesCSV(), "\n")[0])
	write("events/e.parquet", `event_id:int64,actors:list,occurred_at:ts_ms,score:int32
1,A|B,2026-02-01T00:00:00Z,1
2,A|D,2026-03-01T00:00:00Z,2
3,[],2026-03-01T00:00:00Z,3
4,D|B|D,2026-01-20T00:00:00Z,4
5,B|C,2026-03-01T00:00:00Z,
6,,2026-03-01T00:00:00Z,6
`)
	config = filepath.Join(dir, "job.yaml")
	err := os.WriteFile(config, []byte(`version: 1
program: {name: tiny, starts_at: 2026-01-05T00:00:00Z}
output: out
inputs:
  consent: {path: consent/, as_of: 2026-06-01T00:00:00Z}
  deletions: {path: deletions/}
  restrictions: {path: restrictions/}
  accounts: {path: accounts/}
datasets:
  messages: {path: messages/}
  events:
    path: events/
    category: platform
    parties: {actor: actors}
    subjects: {}
`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	return config, r.URI
}

func messagesCSV() string {
	b := new(strings.Builder)
	b.WriteString("message_id:string,freelancer_id:string,client_id:string,sender_id:string,contract_id:string,sent_at:ts_us,edited_at:ts_us,kind:string,tokens:int64,body:string\n")
	for i := range 40 {
		freelancer, client, contract, sent := "B", "C", "K1", "2026-02-03T00:00:00Z"
		kind := "kind-of-kept-rows"
		switch i {
		case 5:
			client = "X"
		case 9:
			client = "U" // not in the registry
		case 13:
			sent = "2025-12-30T00:00:00Z"
		case 17:
			sent = "2026-06-01T00:00:00Z"
		case 21:
			contract = "K9"
		case 25:
			client = ""
		case 29:
			sent = ""
		}
		if i%4 == 0 {
			freelancer, sent, kind = "A", "2026-03-10T00:00:00Z", "kind-of-dropped-rows"
		}
		fmt.Fprintf(b, "m%d,%s,%s,%s,%s,%s,,%s,%d,the body of message %d and %x\n", i, freelancer, client, freelancer, contract, sent, kind, 1000+i%4, i, sha256.Sum256([]byte{byte(i)}))
	}
	return b.String()
}

// copyTree copies a directory.
func copyTree(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(from))
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// inCroissant changes croissant.json.
func inCroissant(change func(c map[string]any)) func(t testing.TB, dir string) {
	return func(t testing.TB, dir string) {
		t.Helper()
		name := filepath.Join(dir, "_manifest/croissant.json")
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var c map[string]any
		if err := json.Unmarshal(data, &c); err != nil {
			t.Fatal(err)
		}
		change(c)
		if data, err = json.Marshal(c); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// reseal makes the digests and sizes of run.json and _SUCCESS those of the files, so
// that only what the audit works out for itself can tell. The report is made again, but
// where the manifest is none any more.
func reseal(t testing.TB, dir string, change func(manifest map[string]any)) {
	t.Helper()
	name := filepath.Join(dir, "_manifest/run.json")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	changed := map[string]map[string]any{} // data files, as croissant.json is to have them
	for _, d := range m["datasets"].(map[string]any) {
		for _, f := range d.(map[string]any)["files"].([]any) {
			f := f.(map[string]any)
			for key, prefix := range map[string]string{"output": "", "exclusions": "exclusions_", "subjects": "subjects_"} {
				data, err := os.ReadFile(filepath.Join(dir, f[key].(string)))
				if err != nil {
					t.Fatal(err)
				}
				if digest := digestOf(data); prefix == "" && digest != f["sha256"] {
					changed[f["output"].(string)] = map[string]any{"sha256": digest, "contentSize": fmt.Sprintf("%d B", len(data))}
				}
				f[prefix+"bytes"], f[prefix+"sha256"] = len(data), digestOf(data)
			}
		}
	}
	days, err := os.ReadFile(filepath.Join(dir, "_manifest/daily.csv"))
	if err != nil {
		t.Fatal(err)
	}
	daily := m["daily"].(map[string]any)
	daily["bytes"], daily["sha256"] = len(days), digestOf(days)
	if len(changed) > 0 {
		inCroissant(func(c map[string]any) {
			for _, node := range c["distribution"].([]any) {
				node := node.(map[string]any)
				url, _ := node["contentUrl"].(string)
				maps.Copy(node, changed[url])
			}
		})(t, dir)
	}
	for _, d := range m["documents"].([]any) {
		d := d.(map[string]any)
		data, err := os.ReadFile(filepath.Join(dir, d["path"].(string)))
		if err != nil {
			t.Fatal(err)
		}
		d["bytes"], d["sha256"] = len(data), digestOf(data)
	}
	if change != nil {
		change(m)
	}
	if data, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(name, data)
	page, err := os.ReadFile(filepath.Join(dir, "_manifest/report.html"))
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err := manifests.ParseRun(data); err == nil {
		if counts, err := manifests.ParseDaily(days); err == nil {
			if made, err := runpage.Page(parsed, digestOf(data), counts); err == nil {
				page = made
			}
		}
	}
	write(filepath.Join(dir, "_manifest/report.html"), page)
	sealReport(t, dir, m["run_id"], digestOf(data))
}

// sealReport makes a marker for what there is.
func sealReport(t testing.TB, dir string, id any, manifest string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(dir, "_manifest/report.html"))
	if err != nil {
		t.Fatal(err)
	}
	success := fmt.Sprintf(`{"run_id":%q,"manifest_sha256":%q,"report_sha256":%q}`, id, manifest, digestOf(page))
	if err := os.WriteFile(filepath.Join(dir, "_SUCCESS"), []byte(success), 0o644); err != nil {
		t.Fatal(err)
	}
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// rewriteRows changes the rows of a Parquet file by the means of parquet-go alone.
func rewriteRows(t testing.TB, name string, change func(rows []parquet.Row, column func(path string) int) []parquet.Row) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	rows := readRows(t, f)
	rows = change(rows, func(path string) int {
		i := slices.IndexFunc(f.Schema().Columns(), func(p []string) bool { return strings.Join(p, ".") == path })
		if i < 0 {
			t.Fatalf("no column %s", path)
		}
		return i
	})
	var options []parquet.WriterOption
	for _, kv := range f.Metadata().KeyValueMetadata {
		options = append(options, parquet.KeyValueMetadata(kv.Key, kv.Value))
	}
	var out bytes.Buffer
	w := parquet.NewWriter(&out, append(options, f.Schema())...)
	if _, err := w.WriteRows(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readRows(t testing.TB, f *parquet.File) []parquet.Row {
	t.Helper()
	var all []parquet.Row
	for _, g := range f.RowGroups() {
		rows := g.Rows()
		buf := make([]parquet.Row, g.NumRows())
		for done := 0; done < len(buf); {
			n, err := rows.ReadRows(buf[done:])
			if n == 0 {
				t.Fatal(err)
			}
			done += n
		}
		for _, r := range buf {
			all = append(all, r.Clone())
		}
		rows.Close()
	}
	return all
}

// set changes the values of a column in a row; f gets each.
func set(row parquet.Row, column int, f func(v parquet.Value) parquet.Value) {
	for i, v := range row {
		if v.Column() == column {
			row[i] = f(v).Level(v.RepetitionLevel(), v.DefinitionLevel(), column)
		}
	}
}

func toText(s string) func(parquet.Value) parquet.Value {
	return func(parquet.Value) parquet.Value { return parquet.ValueOf(s) }
}

func TestVerify(t *testing.T) {
	config, dir := auditedJob(t)
	for _, o := range []verify.Options{{}, {Quick: true}, {Accounts: 1}, {Workers: 1}} {
		o.Config, o.Run = config, dir
		r, err := verify.Run(t.Context(), jobtest.NewEnv(t), o)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if r.Status != verify.Verified || r.Count != 0 || !r.Current || r.Checked.Objects != 6+3*4 {
			t.Errorf("%+v: %+v", o, r)
		}
		want := verify.Checked{Objects: 18, Reports: 1, Bytes: r.Checked.Bytes, Inputs: 7, Files: 3, Decisions: 46, Rows: 23 + 3, Values: 23*10 + 5 + 6 + 5, Exclusions: 17 + 3, Pairs: r.Checked.Pairs, Probes: r.Checked.Probes}
		if o.Quick {
			want = verify.Checked{Objects: 18, Reports: 1, Bytes: r.Checked.Bytes, Deleted: 1}
		} else if r.Checked.Pairs != 40*3-1+8 || r.Checked.Probes == 0 {
			t.Errorf("%+v", r.Checked)
		}
		if r.Checked != want {
			t.Errorf("%+v: checked %+v, want %+v", o, r.Checked, want)
		}
	}
}

// TestVerifySample audits the sample, of which the facts come in several batches.
func TestVerifySample(t *testing.T) {
	t.Run("few accounts at a time", func(t *testing.T) { verifySample(t, 2000, 300) })
	t.Run("more accounts than a run counts exactly", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes some seconds")
		}
		verifySample(t, 200_000, 0)
	})
}

func verifySample(t *testing.T, messages int64, accounts int) {
	dir := filepath.Join(t.TempDir(), "market")
	if _, err := sample.Run(t.Context(), jobtest.NewEnv(t), sample.Options{Dir: dir, Rows: messages, Seed: 11}); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "job.yaml")
	published, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: config, Run: published.URI, Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	rows, kept := int64(0), int64(0)
	for _, d := range published.Datasets {
		rows, kept = rows+d.RowsIn, kept+d.RowsKept
	}
	if r.Checked.Decisions != rows || r.Checked.Rows != kept || r.Checked.Exclusions != rows-kept {
		t.Errorf("%+v", r)
	}
}

// TestVerifyOtherJob audits a run with another configuration, key or input than it was
// made with.
func TestVerifyOtherJob(t *testing.T) {
	config, published := auditedJob(t)
	dir := filepath.Dir(config)
	for _, c := range []struct {
		name string
		set  []string
		key  string
		edit func()
		file string
		what string
	}{
		{name: "key", key: "YW5vdGhlciBrZXkgZm9yIHRlc3RzLCAzMiBieXRlcyE=", file: "_manifest/run.json", what: "the subject key is not the run's"},
		{name: "horizon", set: []string{"inputs.consent.as_of=2026-07-01T00:00:00Z"}, file: "_manifest/run.json", what: "the consent horizon"},
		{name: "rules", set: []string{"datasets.messages.moments={sent: sent_at}"}, file: "_manifest/run.json", what: "policy_digest"},
		{name: "programme", set: []string{"program.name=other"}, file: "_manifest/run.json", what: `belongs to the programme "tiny"`},
		{name: "input gone", set: []string{"inputs.deletions=null"}, file: "deletions/a.parquet", what: "the input is gone"},
		{name: "directory gone", set: []string{"inputs.deletions.path=nowhere"}, file: "deletions/a.parquet", what: "the input is gone"},
		{name: "input changed", edit: func() {
			if err := jobtest.WriteParquet(filepath.Join(dir, "accounts/a.parquet"), "account_id:string\nA\nB\nC\nD\nX\nU\n"); err != nil {
				t.Fatal(err)
			}
		}, file: "accounts/a.parquet", what: "the input has changed since the run"},
		{name: "input no longer Parquet", edit: func() {
			if err := os.WriteFile(filepath.Join(dir, "accounts/a.parquet"), []byte("gone"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, file: "accounts/a.parquet", what: "the input has changed since the run"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.key != "" {
				t.Setenv("ASSENT_SUBJECT_KEY", c.key)
			}
			if c.edit != nil {
				c.edit()
			}
			r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: config, Set: c.set, Run: published})
			m := mutant{file: c.file, row: -1, what: c.what}
			m.check(t, r, err)
			if r.Checked.Decisions != 0 {
				t.Errorf("decided %d records by other rules or inputs", r.Checked.Decisions)
			}
		})
	}
}

// TestVerifyErased checks that a preflight finds kept rows of an account that asked
// for deletion after the run.
func TestVerifyErased(t *testing.T) {
	config, dir := auditedJob(t)
	check := func(o verify.Options) (*verify.Result, error) {
		o.Run, o.Quick = dir, true
		return verify.Run(t.Context(), jobtest.NewEnv(t), o)
	}
	ledger := "account_id:string,requested_at:ts_us,request_id:string\nX,,\nB,2026-07-20T00:00:00Z,req-3\n"
	if err := jobtest.WriteParquet(filepath.Join(filepath.Dir(config), "deletions/a.parquet"), ledger); err != nil {
		t.Fatal(err)
	}
	r, err := check(verify.Options{Config: config})
	m := mutant{file: messagesData, row: 1, what: "has asked for deletion (23 times"}
	m.check(t, r, err)
	if _, hint := job.Explain(err); !strings.Contains(hint, "erase --apply") {
		t.Errorf("hint %q", hint)
	}
	if r.Checked.Deleted != 2 || r.Count != 2 { // and events
		t.Errorf("%+v", r)
	}
	if r, err := check(verify.Options{}); err != nil || r.Checked.Deleted != 0 {
		t.Errorf("without a ledger: %v", err)
	}
	if _, err := check(verify.Options{Config: config, Set: []string{"inputs.deletions=null"}}); err != nil {
		t.Errorf("without a ledger: %v", err)
	}
}

// TestVerifyCurrent damages what current.json says.
func TestVerifyCurrent(t *testing.T) {
	_, dir := auditedJob(t)
	id := strings.TrimPrefix(filepath.Base(dir), "run=")
	name := filepath.Join(filepath.Dir(dir), "current.json")
	for current, want := range map[string]string{
		"{": "current.json: ",
		fmt.Sprintf(`{"run":"run=%s","manifest_sha256":%q}`, id, strings.Repeat("0", 64)):                         "current.json: the SHA-256",
		fmt.Sprintf(`{"run":"run=2%s","manifest_sha256":%q}`, id[1:15]+"Z-000000000000", strings.Repeat("0", 64)): "which is not there",
	} {
		if err := os.WriteFile(name, []byte(current), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Run: dir, Quick: true})
		if err == nil || r == nil || !strings.Contains(r.Differences[0].String(), want) {
			t.Errorf("%s: %v", current, err)
		}
	}
	remove(t, filepath.Dir(dir), "current.json")
	if r, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Run: dir, Quick: true}); err != nil || r.Current {
		t.Errorf("without current.json: %+v, %v", r, err)
	}
}

// TestVerifyFaults fails storage operations of an audit: the answer is never that the
// run is in order, nor that it differs.
func TestVerifyFaults(t *testing.T) {
	config, dir := auditedJob(t)
	step := 6
	if testing.Short() {
		step = 35
	}
	for i := 0; ; i += step {
		f := faulty.New(faulty.Fail, i, nil)
		env := jobtest.NewEnv(t)
		env.Opener.Wrap = f.Wrap
		r, err := verify.Run(t.Context(), env, verify.Options{Config: config, Run: dir, Workers: 1})
		if !f.Met() {
			if i < 50 {
				t.Fatalf("only %d operations", i)
			}
			return
		}
		if exit, _ := job.Explain(err); exit != job.ExitFailed || r != nil {
			t.Fatalf("operation %d (%s): exit %d, %v, %+v", i, f.Ops()[i], exit, err, r)
		}
	}
}

func TestVerifyUsage(t *testing.T) {
	config, dir := auditedJob(t)
	for _, o := range []verify.Options{
		{}, {Config: config}, {Run: dir}, {Config: config, Run: filepath.Dir(dir)}, {Config: config, Run: "s3://bucket/run=1"},
		{Config: config, Run: filepath.Join(filepath.Dir(dir), "run=20260601T000000Z-000000000000")}, {Config: "none.yaml", Run: dir},
		{Config: config, Run: dir, Workers: -1},
	} {
		r, err := verify.Run(t.Context(), jobtest.NewEnv(t), o)
		if exit, _ := job.Explain(err); exit != job.ExitUsage || r != nil {
			t.Errorf("%+v: exit %d, %v", o, exit, err)
		}
	}
}
