package job_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"assent/job"
	"assent/job/internal/objstore/faulty"
	"assent/job/internal/sample"
	"assent/job/jobtest"
)

// auditedJob publishes a run of which every reason excludes some rows, and returns
// its configuration and directory.
func auditedJob(t testing.TB) (config, run string) {
	t.Helper()
	t.Setenv("ASSENT_SUBJECT_KEY", testKey)
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
	r, err := newEnv(t).Run(t.Context(), job.RunOptions{Config: config})
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

// reseal makes the digests and sizes of run.json and _SUCCESS those of the files, so
// that only what the audit works out for itself can tell.
func reseal(t testing.TB, run string, change func(manifest map[string]any)) {
	t.Helper()
	name := filepath.Join(run, "_manifest/run.json")
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
	for _, d := range m["datasets"].(map[string]any) {
		for _, f := range d.(map[string]any)["files"].([]any) {
			f := f.(map[string]any)
			for key, prefix := range map[string]string{"output": "", "exclusions": "exclusions_", "subjects": "subjects_"} {
				data, err := os.ReadFile(filepath.Join(run, f[key].(string)))
				if err != nil {
					t.Fatal(err)
				}
				sum := sha256.Sum256(data)
				f[prefix+"bytes"], f[prefix+"sha256"] = len(data), hex.EncodeToString(sum[:])
			}
		}
	}
	if change != nil {
		change(m)
	}
	if data, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	success := fmt.Sprintf(`{"run_id":%q,"manifest_sha256":%q}`, m["run_id"], hex.EncodeToString(sum[:]))
	for name, data := range map[string][]byte{name: data, filepath.Join(run, "_SUCCESS"): []byte(success)} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
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
	config, run := auditedJob(t)
	for _, o := range []job.VerifyOptions{{}, {Quick: true}, {Accounts: 1}, {Workers: 1}} {
		o.Config, o.Run = config, run
		r, err := newEnv(t).Verify(t.Context(), o)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if r.Status != job.Verified || r.Count != 0 || !r.Current || r.Checked.Objects != 2+3*3 {
			t.Errorf("%+v: %+v", o, r)
		}
		want := job.Checked{Objects: 11, Bytes: r.Checked.Bytes, Inputs: 7, Files: 3, Decisions: 46, Rows: 23 + 3, Values: 23*10 + 5 + 6 + 5, Exclusions: 17 + 3, Pairs: r.Checked.Pairs, Probes: r.Checked.Probes}
		if o.Quick {
			want = job.Checked{Objects: 11, Bytes: r.Checked.Bytes, Deleted: 1}
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
	dir := filepath.Join(t.TempDir(), "market")
	if _, err := sample.Generate(t.Context(), sample.Options{Dir: dir, Rows: 2000, Seed: 11}); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "job.yaml")
	published, err := newEnv(t).Run(t.Context(), job.RunOptions{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	r, err := newEnv(t).Verify(t.Context(), job.VerifyOptions{Config: config, Run: published.URI, Accounts: 300})
	if err != nil {
		t.Fatal(err)
	}
	rows, kept := int64(0), int64(0)
	for _, d := range published.Datasets {
		rows, kept = rows+d.RowsIn, kept+d.RowsKept
	}
	if r.Checked.Decisions != rows || r.Checked.Rows != kept || r.Checked.Exclusions != rows-kept || len(r.CheckedBy) != 0 {
		t.Errorf("%+v", r)
	}
}

// A mutant is a run that was tampered with.
type mutant struct {
	name   string
	change func(t *testing.T, run string)
	file   string // of the difference wanted, as are row (-1: none), column and what
	row    int64
	column string
	what   string
}

const (
	messagesData       = "messages/m.parquet"
	messagesExclusions = "_manifest/exclusions/messages/m.parquet"
	messagesSubjects   = "_manifest/subjects/messages/m.parquet"
	eventsData         = "events/e.parquet"
	eventsExclusions   = "_manifest/exclusions/events/e.parquet"
)

// data changes rows of the data file. Its row 3 is row 6 of the input.
func changeRows(file string, change func(rows []parquet.Row, column func(string) int) []parquet.Row) func(t *testing.T, run string) {
	return func(t *testing.T, run string) {
		rewriteRows(t, filepath.Join(run, file), change)
		reseal(t, run, nil)
	}
}

// one changes a value of one row.
func one(file string, row int, column string, f func(parquet.Value) parquet.Value) func(t *testing.T, run string) {
	return changeRows(file, func(rows []parquet.Row, at func(string) int) []parquet.Row {
		set(rows[row], at(column), f)
		return rows
	})
}

func drop(file string, row int) func(t *testing.T, run string) {
	return changeRows(file, func(rows []parquet.Row, _ func(string) int) []parquet.Row { return slices.Delete(rows, row, row+1) })
}

func repeat(file string, row int) func(t *testing.T, run string) {
	return changeRows(file, func(rows []parquet.Row, _ func(string) int) []parquet.Row {
		return slices.Insert(rows, row, rows[row].Clone())
	})
}

func swap(file string, row int) func(t *testing.T, run string) {
	return changeRows(file, func(rows []parquet.Row, _ func(string) int) []parquet.Row {
		rows[row], rows[row+1] = rows[row+1], rows[row]
		return rows
	})
}

// changeEntry changes the subject index, of which entry i has the kept rows of
// account B.
func changeEntry(change func(rows []parquet.Row, i int, column func(string) int) []parquet.Row) func(t *testing.T, run string) {
	return changeRows(messagesSubjects, func(rows []parquet.Row, at func(string) int) []parquet.Row {
		i := slices.IndexFunc(rows, func(r parquet.Row) bool {
			roles, kept := "", false
			for _, v := range r {
				switch v.Column() {
				case at("roles.list.element"):
					roles += v.String() + " "
				case at("kept"):
					kept = v.Boolean()
				}
			}
			return roles == "freelancer sender " && kept
		})
		return change(rows, i, at)
	})
}

// flipKept makes a run as if row 1 of the messages were excluded like row 0: data,
// exclusions, subject index and counts are at one with each other.
func flipKept(t *testing.T, run string) {
	drop(messagesData, 0)(t, run)
	changeRows(messagesExclusions, func(rows []parquet.Row, at func(string) int) []parquet.Row {
		row := rows[0].Clone()
		set(row, at("source_row"), func(parquet.Value) parquet.Value { return parquet.ValueOf(int64(1)) })
		set(row, at("record_id"), toText("m1"))
		return slices.Insert(rows, 1, row)
	})(t, run)
	changeRows(messagesSubjects, func(rows []parquet.Row, at func(string) int) []parquet.Row { return moveRow(rows, at, 1) })(t, run)
	reseal(t, run, func(m map[string]any) { count(m, -1) })
}

// flipExcluded is flipKept the other way round, for row 0.
func flipExcluded(t *testing.T, run string) {
	changeRows(messagesData, func(rows []parquet.Row, at func(string) int) []parquet.Row {
		row := rows[0].Clone()
		set(row, at("message_id"), toText("m0"))
		return slices.Insert(rows, 0, row)
	})(t, run)
	drop(messagesExclusions, 0)(t, run)
	changeRows(messagesSubjects, func(rows []parquet.Row, at func(string) int) []parquet.Row { return moveRow(rows, at, 0) })(t, run)
	reseal(t, run, func(m map[string]any) { count(m, 1) })
}

// moveRow takes a row of the input out of its entries and gives it entries of its own
// with the other outcome.
func moveRow(rows []parquet.Row, at func(string) int, row int64) []parquet.Row {
	var out, moved []parquet.Row
	kept, list := at("kept"), at("rows.list.element")
	for _, r := range rows {
		var rest, own parquet.Row
		elements := 0
		for _, v := range r {
			if v.Column() == list && v.Int64() == row {
				own = append(own, v.Level(0, v.DefinitionLevel(), list))
				continue
			}
			if v.Column() == list {
				v = v.Level(min(elements, 1), v.DefinitionLevel(), list)
				elements++
			} else if v.Column() == kept {
				own = append(own, parquet.ValueOf(!v.Boolean()).Level(0, v.DefinitionLevel(), kept))
			} else {
				own = append(own, v)
			}
			rest = append(rest, v)
		}
		if elements > 0 {
			out = append(out, rest)
		}
		if slices.ContainsFunc(own, func(v parquet.Value) bool { return v.Column() == list }) {
			moved = append(moved, own)
		}
	}
	out = append(out, moved...)
	slices.SortStableFunc(out, func(a, b parquet.Row) int { return strings.Compare(a[0].String(), b[0].String()) })
	return out
}

// count moves records of the first file of the messages from opted out to kept.
func count(m map[string]any, n int64) {
	add := func(m map[string]any, key string, n int64) {
		old, _ := m[key].(json.Number).Int64()
		m[key] = json.Number(fmt.Sprint(old + n))
	}
	for _, v := range []any{at(m, "datasets", "messages"), at(m, "datasets", "messages", "files", 0)} {
		d := v.(map[string]any)
		add(d, "rows_kept", n)
		add(d["excluded_by_reason"].(map[string]any), "opted_out", -n)
		if _, ok := d["rows_excluded"]; ok {
			add(d, "rows_excluded", -n)
			for _, g := range at(m, "gates").([]any) {
				if g := g.(map[string]any); g["name"] == "max_excluded" && g["dataset"] == "messages" {
					excluded, _ := d["rows_excluded"].(json.Number).Int64()
					g["value"] = float64(excluded) / 40
				}
			}
		}
	}
}

// inManifest changes the run manifest.
func inManifest(change func(m map[string]any)) func(t *testing.T, run string) {
	return func(t *testing.T, run string) { reseal(t, run, change) }
}

func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			v = v.(map[string]any)[p]
		case int:
			v = v.([]any)[p]
		}
	}
	return v
}

func mutants() []mutant {
	never := func(v parquet.Value) parquet.Value { return parquet.ValueOf(int64(1)) }
	return []mutant{
		// Kept rows: row 3 of the data file is row 6 of the input.
		{"kept row dropped", drop(messagesData, 3), messagesData, 6, "message_id", "the value is not the input's"},
		{"last row dropped", drop(messagesData, 22), messagesData, 39, "body", "the file has no more rows"},
		{"kept row twice", repeat(messagesData, 3), messagesData, 7, "message_id", "the value is not the input's"},
		{"last row twice", repeat(messagesData, 22), messagesData, -1, "tokens", "more than the 23 rows"},
		{"kept rows swapped", swap(messagesData, 3), messagesData, 6, "body", "the value is not the input's"},
		{"text changed", one(messagesData, 3, "body", toText("another body")), messagesData, 6, "body", "the value is not the input's"},
		{"number changed", one(messagesData, 22, "tokens", never), messagesData, 39, "tokens", "the value is not the input's"},
		{"null filled", changeRows(messagesData, func(rows []parquet.Row, at func(string) int) []parquet.Row {
			c := at("edited_at")
			for i, v := range rows[3] {
				if v.Column() == c {
					rows[3][i] = parquet.ValueOf(int64(0)).Level(0, 1, c)
				}
			}
			return rows
		}), messagesData, 6, "edited_at", "nulls or list lengths"},
		{"list grown", changeRows(eventsData, func(rows []parquet.Row, at func(string) int) []parquet.Row {
			c := at("actors.list.element")
			i := slices.IndexFunc(rows[0], func(v parquet.Value) bool { return v.Column() == c })
			extra := parquet.ValueOf("C").Level(1, rows[0][i].DefinitionLevel(), c)
			rows[0] = slices.Insert(rows[0], i+2, extra)
			return rows
		}), eventsData, 0, "actors.list.element", "the list is not as long"},
		{"excluded row back", changeRows(messagesData, func(rows []parquet.Row, at func(string) int) []parquet.Row {
			row := rows[0].Clone()
			set(row, at("message_id"), toText("m0"))
			return slices.Insert(rows, 0, row)
		}), messagesData, 1, "message_id", "the value is not the input's"},

		// Exclusions: row 2 of the manifest is row 5 of the input, the deletion.
		{"exclusion dropped", drop(messagesExclusions, 2), messagesExclusions, 5, "", "the exclusion manifest does not have it"},
		{"last exclusion dropped", drop(messagesExclusions, 16), messagesExclusions, 36, "", "the exclusion manifest does not have it"},
		{"exclusion twice", repeat(messagesExclusions, 2), messagesExclusions, 5, "", "twice, or out of order"},
		{"exclusions swapped", swap(messagesExclusions, 2), messagesExclusions, 5, "", "does not have it"},
		{"exclusion of a kept row", one(messagesExclusions, 2, "source_row", func(parquet.Value) parquet.Value { return parquet.ValueOf(int64(6)) }), messagesExclusions, 6, "", "the rules keep it"},
		{"record id", one(messagesExclusions, 2, "record_id", toText("m6")), messagesExclusions, 5, "", "record_id is not the input's"},
		{"source file", one(messagesExclusions, 2, "source_file", toText("n.parquet")), messagesExclusions, 5, "", "source_file"},
		{"reason", one(messagesExclusions, 2, "reason", toText("opted_out")), messagesExclusions, 5, "", `reason is "opted_out", the rules give deletion_requested`},
		{"reasons", one(messagesExclusions, 2, "reasons.list.element", toText("opted_out")), messagesExclusions, 5, "", "reasons are"},
		{"moment", one(messagesExclusions, 2, "moment", never), messagesExclusions, 5, "", "moment is 1970-01-01T00:00:00.000000001Z"},
		{"since", one(messagesExclusions, 2, "subjects.list.element.since", never), messagesExclusions, 5, "", "subject 1 (client): since is"},
		{"cause", one(messagesExclusions, 2, "subjects.list.element.cause", toText("opted_out")), messagesExclusions, 5, "", "subject 1 (client): cause is"},
		{"role", one(messagesExclusions, 2, "subjects.list.element.role", toText("client")), messagesExclusions, 5, "", "subject 0: role is"},
		{"reference", one(messagesExclusions, 2, "subjects.list.element.ref", toText(strings.Repeat("0f", 16))), messagesExclusions, 5, "", "ref is of another account"},
		{"request", one(messagesExclusions, 2, "request_id", toText("req-1")), messagesExclusions, 5, "", "request_id"},
		{"exclusion of events", drop(eventsExclusions, 1), eventsExclusions, 2, "", "does not have it"},

		// The subject index: B is freelancer and sender of the kept rows, 1 being the first.
		{"account dropped", changeEntry(func(rows []parquet.Row, i int, _ func(string) int) []parquet.Row {
			return slices.Delete(rows, i, i+1)
		}), messagesSubjects, 1, "", "lacks the freelancer"},
		{"outcome", changeEntry(func(rows []parquet.Row, i int, at func(string) int) []parquet.Row {
			set(rows[i], at("kept"), func(parquet.Value) parquet.Value { return parquet.ValueOf(false) })
			return rows
		}), messagesSubjects, 1, "", "wrong outcome for the freelancer"},
		{"another account", changeEntry(func(rows []parquet.Row, i int, at func(string) int) []parquet.Row {
			set(rows[i], at("ref"), toText(strings.Repeat("0f", 16)))
			return rows
		}), messagesSubjects, 1, "", "an account as freelancer that the row does not name so"},
		{"another role", changeEntry(func(rows []parquet.Row, i int, at func(string) int) []parquet.Row {
			set(rows[i], at("roles.list.element"), toText("client"))
			return rows
		}), messagesSubjects, 1, "", "an account as client that the row does not name so"},
		{"another row", changeEntry(func(rows []parquet.Row, i int, at func(string) int) []parquet.Row {
			set(rows[i], at("rows.list.element"), func(v parquet.Value) parquet.Value {
				if v.Int64() == 39 {
					return parquet.ValueOf(int64(36))
				}
				return v
			})
			return rows
		}), messagesSubjects, 39, "", "lacks the freelancer"},
		{"account twice", changeEntry(func(rows []parquet.Row, i int, at func(string) int) []parquet.Row {
			row := rows[i].Clone()
			set(row, at("ref"), toText(strings.Repeat("0f", 16)))
			return slices.Insert(rows, 0, row)
		}), messagesSubjects, 1, "", "that the row does not name so"},
		{"row out of range", changeEntry(func(rows []parquet.Row, i int, at func(string) int) []parquet.Row {
			set(rows[i], at("rows.list.element"), func(parquet.Value) parquet.Value { return parquet.ValueOf(int64(40)) })
			return rows
		}), messagesSubjects, -1, "", "a row is out of range"},

		// A decision that is another, and all that follows from it.
		{"excluded after all", flipKept, messagesExclusions, 1, "", "the exclusion manifest has the row, the rules keep it"},
		{"kept after all", flipExcluded, messagesExclusions, 0, "", "the rules exclude the row (opted_out), the exclusion manifest does not have it"},

		// The run manifest.
		{"counts", inManifest(func(m map[string]any) {
			for _, d := range []any{at(m, "datasets", "messages"), at(m, "datasets", "messages", "files", 0)} {
				d.(map[string]any)["excluded_by_reason"].(map[string]any)["opted_out"] = 9
				d.(map[string]any)["excluded_by_reason"].(map[string]any)["moment_unknown"] = 2
			}
		}), messagesData, -1, "", "10 rows are excluded for opted_out, the run manifest has 9"},
		{"rows kept", inManifest(func(m map[string]any) {
			for _, d := range []any{at(m, "datasets", "messages"), at(m, "datasets", "messages", "files", 0)} {
				d := d.(map[string]any)
				d["rows_kept"] = 24
				d["excluded_by_reason"].(map[string]any)["opted_out"] = 9
				if _, ok := d["rows_excluded"]; ok {
					d["rows_excluded"] = 16
				}
			}
		}), messagesData, -1, "", "the rules keep 23 of 40 rows, the run manifest has 24 of 40"},
		{"conservation", inManifest(func(m map[string]any) {
			at(m, "datasets", "messages").(map[string]any)["rows_kept"] = 24
		}), "_manifest/run.json", -1, "", "the counts are not the sums"},
		{"data digest", inManifest(func(m map[string]any) {
			at(m, "datasets", "messages", "files", 0).(map[string]any)["sha256"] = strings.Repeat("0", 64)
		}), messagesData, -1, "", "its SHA-256"},
		{"index digest", inManifest(func(m map[string]any) {
			at(m, "datasets", "messages", "files", 0).(map[string]any)["subjects_sha256"] = strings.Repeat("0", 64)
		}), messagesSubjects, -1, "", "its SHA-256"},
		{"size", inManifest(func(m map[string]any) {
			at(m, "datasets", "messages", "files", 0).(map[string]any)["exclusions_bytes"] = 5
		}), messagesExclusions, -1, "", "the run manifest has 5"},
		{"policy", inManifest(func(m map[string]any) { m["policy_digest"] = strings.Repeat("0", 64) }), "_manifest/run.json", -1, "", "policy_digest"},
		{"default", inManifest(func(m map[string]any) { at(m, "program").(map[string]any)["default"] = "opted_out" }), "_manifest/run.json", -1, "", "program.default"},
		{"start", inManifest(func(m map[string]any) { at(m, "program").(map[string]any)["starts_at"] = "2025-01-05T00:00:00Z" }), "_manifest/run.json", -1, "", "program.starts_at"},
		{"horizon", inManifest(func(m map[string]any) { m["consent_as_of"] = "2026-06-02T00:00:00Z" }), "_manifest/run.json", -1, "", "the consent horizon"},
		{"requests", inManifest(func(m map[string]any) { m["requests_as_of"] = "2026-06-02T00:00:00Z" }), "_manifest/run.json", -1, "", "requests_as_of"},
		{"tool", inManifest(func(m map[string]any) { at(m, "tool").(map[string]any)["version"] = "9" }), messagesData, -1, "", "created_by"},
		{"gate value", inManifest(func(m map[string]any) { at(m, "gates", 0).(map[string]any)["value"] = 0.9 }), "_manifest/run.json", -1, "", "gate min_account_match: its value"},
		{"gate limit", inManifest(func(m map[string]any) { at(m, "gates", 0).(map[string]any)["limit"] = 0.9 }), "_manifest/run.json", -1, "", "gate min_account_match: its limit"},
		{"gate failed", inManifest(func(m map[string]any) { at(m, "gates", 0).(map[string]any)["passed"] = false }), "_manifest/run.json", -1, "", "gate min_account_match did not pass"},
		{"gate missing", inManifest(func(m map[string]any) { m["gates"] = at(m, "gates").([]any)[1:] }), "_manifest/run.json", -1, "", "gate min_account_match is missing"},
		{"identity", inManifest(func(m map[string]any) { at(m, "inputs", 0).(map[string]any)["identity"] = "crc32c:00000000" }), "consent/a.parquet", -1, "", "the input has changed"},
		{"input size", inManifest(func(m map[string]any) { at(m, "inputs", 0).(map[string]any)["bytes"] = 7 }), "consent/a.parquet", -1, "", "the input has changed"},
		{"input gone", inManifest(func(m map[string]any) { at(m, "inputs", 0).(map[string]any)["path"] = "consent/b.parquet" }), "consent/b.parquet", -1, "", "the input is gone"},
		{"input new", inManifest(func(m map[string]any) { m["inputs"] = at(m, "inputs").([]any)[1:] }), "consent/a.parquet", -1, "", "the run knows no such input"},

		// Objects.
		{"object missing", func(t *testing.T, run string) { remove(t, run, eventsData) }, eventsData, -1, "", "missing"},
		{"object added", func(t *testing.T, run string) { add(t, run, "messages/x.parquet") }, "messages/x.parquet", -1, "", "does not name it"},
		{"marker missing", func(t *testing.T, run string) { remove(t, run, "_SUCCESS") }, "_SUCCESS", -1, "", "missing"},
		{"marker damaged", func(t *testing.T, run string) { add(t, run, "_SUCCESS") }, "_SUCCESS", -1, "", ""},
		{"manifest changed", func(t *testing.T, run string) { add(t, run, "_manifest/run.json") }, "_manifest/run.json", -1, "", "SHA-256"},
	}
}

func remove(t *testing.T, run, name string) {
	if err := os.Remove(filepath.Join(run, name)); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, run, name string) {
	if err := os.WriteFile(filepath.Join(run, name), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyMutants tampers with a run in every way, mends digests, and wants the
// audit to say which file and row is at fault, without telling accounts or content.
func TestVerifyMutants(t *testing.T) {
	config, run := auditedJob(t)
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			copied := copyTree(t, run)
			m.change(t, copied)
			r, err := newEnv(t).Verify(t.Context(), job.VerifyOptions{Config: config, Run: copied})
			m.check(t, r, err)
		})
	}
}

func (m *mutant) check(t *testing.T, r *job.VerifyResult, err error) {
	t.Helper()
	if exit, _ := job.Explain(err); exit != job.ExitRefused || r == nil || r.Status != job.Differs {
		t.Fatalf("exit %d, %v, %+v", exit, err, r)
	}
	if !strings.Contains(err.Error(), r.Differences[0].String()) {
		t.Errorf("the error does not tell the first difference: %v", err)
	}
	found := slices.ContainsFunc(r.Differences, func(d job.Difference) bool {
		row := int64(-1)
		if d.Row != nil {
			row = *d.Row
		}
		return d.File == m.file && row == m.row && (m.column == "" || d.Column == m.column) && strings.Contains(d.What, m.what)
	})
	if !found {
		t.Errorf("not found:\n%s", texts(r))
	}
	if strings.Contains(texts(r), "the body of") {
		t.Errorf("content:\n%s", texts(r))
	}
}

func texts(r *job.VerifyResult) string {
	b := new(strings.Builder)
	for _, d := range r.Differences {
		fmt.Fprintln(b, d)
	}
	return b.String()
}

// TestVerifyOtherJob audits a run with another configuration, key or input than it was
// made with.
func TestVerifyOtherJob(t *testing.T) {
	config, run := auditedJob(t)
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
			r, err := newEnv(t).Verify(t.Context(), job.VerifyOptions{Config: config, Set: c.set, Run: run})
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
	config, run := auditedJob(t)
	verify := func(o job.VerifyOptions) (*job.VerifyResult, error) {
		o.Run, o.Quick = run, true
		return newEnv(t).Verify(t.Context(), o)
	}
	ledger := "account_id:string,requested_at:ts_us,request_id:string\nX,,\nB,2026-07-20T00:00:00Z,req-3\n"
	if err := jobtest.WriteParquet(filepath.Join(filepath.Dir(config), "deletions/a.parquet"), ledger); err != nil {
		t.Fatal(err)
	}
	r, err := verify(job.VerifyOptions{Config: config})
	m := mutant{file: messagesData, row: 1, what: "has asked for deletion (23 times"}
	m.check(t, r, err)
	if _, hint := job.Explain(err); !strings.Contains(hint, "erase --apply") {
		t.Errorf("hint %q", hint)
	}
	if r.Checked.Deleted != 2 || r.Count != 2 { // and events
		t.Errorf("%+v", r)
	}
	if r, err := verify(job.VerifyOptions{}); err != nil || r.Checked.Deleted != 0 {
		t.Errorf("without a ledger: %v", err)
	}
	if _, err := verify(job.VerifyOptions{Config: config, Set: []string{"inputs.deletions=null"}}); err != nil {
		t.Errorf("without a ledger: %v", err)
	}
}

// TestVerifyCurrent damages what current.json says.
func TestVerifyCurrent(t *testing.T) {
	_, run := auditedJob(t)
	id := strings.TrimPrefix(filepath.Base(run), "run=")
	name := filepath.Join(filepath.Dir(run), "current.json")
	for current, want := range map[string]string{
		"{": "current.json: ",
		fmt.Sprintf(`{"run":"run=%s","manifest_sha256":%q}`, id, strings.Repeat("0", 64)):                         "current.json: the SHA-256",
		fmt.Sprintf(`{"run":"run=2%s","manifest_sha256":%q}`, id[1:15]+"Z-000000000000", strings.Repeat("0", 64)): "which is not there",
	} {
		if err := os.WriteFile(name, []byte(current), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := newEnv(t).Verify(t.Context(), job.VerifyOptions{Run: run, Quick: true})
		if err == nil || r == nil || !strings.Contains(r.Differences[0].String(), want) {
			t.Errorf("%s: %v", current, err)
		}
	}
	remove(t, filepath.Dir(run), "current.json")
	if r, err := newEnv(t).Verify(t.Context(), job.VerifyOptions{Run: run, Quick: true}); err != nil || r.Current {
		t.Errorf("without current.json: %+v, %v", r, err)
	}
}

// TestVerifyFaults fails storage operations of an audit: the answer is never that the
// run is in order, nor that it differs.
func TestVerifyFaults(t *testing.T) {
	config, run := auditedJob(t)
	for i := 0; ; i += 6 {
		f := faulty.New(faulty.Fail, i, nil)
		env := newEnv(t)
		env.Opener.Wrap = f.Wrap
		r, err := env.Verify(t.Context(), job.VerifyOptions{Config: config, Run: run, Workers: 1})
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
	config, run := auditedJob(t)
	for _, o := range []job.VerifyOptions{
		{}, {Config: config}, {Run: run}, {Config: config, Run: filepath.Dir(run)}, {Config: config, Run: "s3://bucket/run=1"},
		{Config: config, Run: filepath.Join(filepath.Dir(run), "run=20260601T000000Z-000000000000")}, {Config: "none.yaml", Run: run},
		{Config: config, Run: run, Workers: -1},
	} {
		r, err := newEnv(t).Verify(t.Context(), o)
		if exit, _ := job.Explain(err); exit != job.ExitUsage || r != nil {
			t.Errorf("%+v: exit %d, %v", o, exit, err)
		}
	}
}
