package run_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assent/job"
	"assent/job/explain"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/manifests"
)

// exportJob writes a job whose inputs are as other systems export them. tables are the
// rows by directory, split by "|", headers included; of consent and messages there is
// always one.
func exportJob(t *testing.T, yaml string, tables map[string]string) (config string) {
	t.Helper()
	t.Setenv("ASSENT_SUBJECT_KEY", jobtest.TestKey)
	dir := t.TempDir()
	for name, rows := range tables {
		if err := jobtest.WriteParquet(filepath.Join(dir, name, "a.parquet"), strings.ReplaceAll(rows, "|", "\n")+"\n"); err != nil {
			t.Fatal(name, err)
		}
	}
	config = filepath.Join(dir, "job.yaml")
	text := "version: 1\nprogram: {name: exports, starts_at: 2026-01-05T00:00:00Z}\noutput: out\n" + yaml
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return config
}

// outcome runs a job and returns, by the record's last character, why it is excluded.
func outcome(t *testing.T, config string, sets ...string) (reasons string) {
	t.Helper()
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config, Set: sets})
	if err != nil {
		t.Fatal(err)
	}
	return reasonsOf(t, r.URI)
}

func reasonsOf(t *testing.T, uri string) (reasons string) {
	t.Helper()
	file, err := os.Open(filepath.Join(uri, "_manifest/exclusions/messages/a.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	all, err := manifests.OpenExclusions(file, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range all.All() {
		if err != nil {
			t.Fatal(err)
		}
		codes := make([]string, len(e.Reasons))
		for i, r := range e.Reasons {
			codes[i] = r.String()
		}
		reasons += e.RecordID + " " + strings.Join(codes, "+") + "; "
	}
	return strings.TrimSuffix(reasons, "; ")
}

const markedInputs = `
inputs:
  consent: {path: consent/, as_of: 2026-06-01T00:00:00Z, deleted: {column: op, values: [D, "x"]}}
  deletions: {path: deletions/, deleted: {column: gone, values: ["true"]}}
  restrictions: {path: restrictions/, deleted: {column: op, values: ["3"]}}
  accounts: {path: accounts/, deleted: {column: op, values: [D]}}
datasets:
  messages:
    path: messages/
    subjects: {}
    moments: {sent: sent_at}
    deleted: {column: op, values: ["3", "4"]}
    private: {column: visibility, values: [private, invitation only]}
`

var markedTables = map[string]string{
	"consent": "account_id:string,category:string,opted_in:bool,effective_at:ts_us,op:string" +
		"|A,communications,false,2026-03-01T00:00:00Z,D|B,communications,false,2026-03-01T00:00:00Z,I|,nonsense,false,,x|C,communications,true,2026-03-01T00:00:00Z,",
	"deletions":    "account_id:string,requested_at:ts_us,gone:bool|C,2026-05-01T00:00:00Z,true|D,2026-05-01T00:00:00Z,false|,,true",
	"restrictions": "contract_id:string,from:ts_us,until:ts_us,op:int32|k,2026-02-01T00:00:00Z,,3|l,2026-02-01T00:00:00Z,,2|,,,3",
	"accounts":     "account_id:string,op:string|A,I|B,|C,U|D,|E,|F,D",
	"messages": "message_id:string,freelancer_id:string,client_id:string,contract_id:string,sent_at:ts_us,op:int64,visibility:string" +
		"|kept,A,E,k,2026-04-01T00:00:00Z,1,public|out,B,E,,2026-04-01T00:00:00Z,,|requested,D,E,,2026-04-01T00:00:00Z,,|no longer requested,C,E,,2026-04-01T00:00:00Z,," +
		"|restricted,A,E,l,2026-04-01T00:00:00Z,,|unknown,A,F,,2026-04-01T00:00:00Z,,|deleted,A,E,,2026-04-01T00:00:00Z,3,public" +
		"|both,A,E,,2026-04-01T00:00:00Z,4,invitation only|private,A,E,,2026-04-01T00:00:00Z,,private|first of all,B,E,,2026-04-01T00:00:00Z,4,private",
}

// TestMarkedRows marks rows of every input as deleted, by text, a boolean and integers.
// Such a row says nothing, and nothing has to be right in it.
func TestMarkedRows(t *testing.T) {
	config := exportJob(t, markedInputs, markedTables)
	const want = "out opted_out; requested deletion_requested; restricted contract_restricted; unknown party_unknown; " +
		"deleted source_deleted; both private_record+source_deleted; private private_record; first of all opted_out+private_record+source_deleted"
	if got := outcome(t, config); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for record, want := range map[string]string{"deleted": "the source marks the row as deleted", "private": "the source says that the record is private"} {
		e, err := explain.Run(t.Context(), jobtest.NewEnv(t), explain.Options{Config: config, Dataset: "messages", Record: record})
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := e.WriteText(&text); err != nil || e.Found[0].Kept || !strings.Contains(text.String(), "YES  "+want) {
			t.Errorf("%s: %v\n%s", record, err, text.String())
		}
	}
	for _, set := range []string{"inputs.consent", "inputs.deletions", "inputs.restrictions", "inputs.accounts", "datasets.messages"} {
		_, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config, Set: []string{set + ".deleted.column=nowhere"}})
		if exit, _ := job.Explain(err); exit != job.ExitUsage || !strings.Contains(err.Error(), "deleted.column") || !strings.Contains(err.Error(), "nowhere") {
			t.Errorf("%s: exit %d, %v", set, exit, err)
		}
	}
}
