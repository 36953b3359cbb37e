package manifests

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"assent/schema"
)

// duckQueries are run by DuckDB over the files of a run. Those of the package comment
// are among them, word for word.
var duckQueries = map[string]string{
	"rows": `SELECT filename, unnest(rows) AS source_row, kept, roles
FROM read_parquet('_manifest/subjects/*/**', filename = true)
WHERE ref = '$REF'
ORDER BY ALL;`,
	"authored": `SELECT count(*) AS n FROM (
SELECT unnest(rows) FROM read_parquet('_manifest/subjects/*/**')
WHERE ref = '$REF' AND kept AND list_contains(roles, 'sender'))`,
	"excluded": `SELECT record_id, source_row, reason, reasons, epoch_ns(moment) AS moment, request_id, to_json(subjects)::TEXT AS subjects
FROM read_parquet('_manifest/exclusions/*/**') ORDER BY source_row`,
	"by row": `SELECT record_id FROM read_parquet('_manifest/exclusions/*/**') WHERE source_row = $ROW`,
	"metadata": `SELECT decode(key) AS key, decode(value) AS value
FROM parquet_kv_metadata('_manifest/exclusions/messages/day=1/part-0.parquet') ORDER BY key`,
}

const duckScript = `
import json, sys
import duckdb
out = {}
duckdb.execute("SET TimeZone = 'UTC'")
for name, query in json.load(sys.stdin).items():
    cursor = duckdb.execute(query)
    columns = [d[0] for d in cursor.description]
    out[name] = [dict(zip(columns, row)) for row in cursor.fetchall()]
json.dump(out, sys.stdout)
`

// TestDuckDB reads manifests with a program that is not of this one's making. It needs
// Python with the duckdb module on the PATH.
func TestDuckDB(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import duckdb").Run() != nil {
		t.Skip("no python3 with duckdb")
	}
	comment, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	accounts := NewAccounts(testKey.NewReferrer())
	rows := makeExcluded(accounts, 20_000, 500, true)
	mentions := makeMentions(accounts, 20_000, 500, true)
	write := func(kind string, to func(f *os.File)) {
		name := filepath.Join(dir, "_manifest", kind, "messages", filepath.FromSlash(testMeta().Source))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		to(f)
	}
	write("exclusions", func(f *os.File) { appendAll(t, NewExclusionWriter(f, accounts, testMeta()), rows) })
	write("subjects", func(f *os.File) { addAll(t, NewSubjectIndexWriter(f, accounts, testMeta()), mentions) })

	ref := accounts.Ref(7).String()
	queries := map[string]string{}
	for name, query := range duckQueries {
		if name == "rows" && !strings.Contains(strings.ReplaceAll(string(comment), "\n//\t", "\n"), query) {
			t.Errorf("%s: is not in the package comment", name)
		}
		queries[name] = strings.NewReplacer("$REF", ref, "$ROW", strconv.FormatInt(rows[12_345].row, 10)).Replace(query)
	}
	cmd := exec.Command(python, "-c", duckScript)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(jsonText(t, queries))
	cmd.Stderr = os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Rows []struct {
			Row   int64 `json:"source_row"`
			Kept  bool
			Roles []string
		}
		Authored []struct{ N int }
		Excluded []duckExclusion
		ByRow    []struct {
			ID string `json:"record_id"`
		} `json:"by row"`
		Metadata []struct{ Key, Value string }
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatal(err)
	}

	index := byRow{}
	authored := 0
	for _, r := range got.Rows {
		index.add(ref, r.Row, r.Kept, r.Roles)
		if r.Kept && slices.Contains(r.Roles, "sender") {
			authored++
		}
	}
	want := expect(accounts, testMeta(), mentions)
	if len(want[ref]) == 0 || jsonText(t, index[ref]) != jsonText(t, want[ref]) {
		t.Errorf("%d rows, want %d", len(index[ref]), len(want[ref]))
	}
	if len(got.Authored) != 1 || got.Authored[0].N != authored {
		t.Errorf("authored %v, want %d", got.Authored, authored)
	}
	if len(got.Excluded) != len(rows) {
		t.Fatalf("%d exclusions, want %d", len(got.Excluded), len(rows))
	}
	for i, e := range got.Excluded {
		if have, want := jsonText(t, e), jsonText(t, duckExpect(accounts, &rows[i])); have != want {
			t.Fatalf("row %d:\ngot  %s\nwant %s", i, have, want)
		}
	}
	if len(got.ByRow) != 1 || got.ByRow[0].ID != string(rows[12_345].id) {
		t.Errorf("by row: %v", got.ByRow)
	}
	if len(got.Metadata) != 5 {
		t.Errorf("metadata: %v", got.Metadata)
	}
}

type duckExclusion struct {
	ID       string `json:"record_id"`
	Row      int64  `json:"source_row"`
	Reason   string
	Reasons  []string
	Moment   *int64
	Request  *string `json:"request_id"`
	Subjects string
}

func duckExpect(accounts *Accounts, e *excluded) duckExclusion {
	d := duckExclusion{ID: string(e.id), Row: e.row, Reason: e.reasons.Primary().String(), Reasons: e.reasons.Strings()}
	if e.moment != schema.Unknown {
		d.Moment = (*int64)(&e.moment)
	}
	if e.request != "" {
		d.Request = &e.request
	}
	subjects := []string{}
	for _, s := range e.subjects {
		cause, since := "null", "null"
		if s.Cause != NoCause {
			cause = strconv.Quote(s.Cause.String())
		}
		if s.Since != schema.Unknown {
			since = strconv.Quote(s.Since.Time().Format("2006-01-02 15:04:05.999999+00"))
		}
		subjects = append(subjects, fmt.Sprintf(`{"ref":%q,"role":%q,"cause":%s,"since":%s}`, accounts.Ref(s.Account), testMeta().Roles[s.Role], cause, since))
	}
	d.Subjects = "[" + strings.Join(subjects, ",") + "]"
	return d
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
