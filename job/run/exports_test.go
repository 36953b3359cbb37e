package run_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assent/job"
	"assent/job/access"
	"assent/job/erase"
	"assent/job/explain"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/verify"
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
	verified(t, config, r.URI, sets...)
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

const aliasInputs = `
inputs:
  consent: {path: consent/, as_of: 2026-06-01T00:00:00Z}
  deletions: {path: deletions/}
  accounts: {path: accounts/}
  aliases: {path: aliases/, columns: {alias: was, account: now}, deleted: {column: op, values: [D]}}
datasets:
  messages: {path: messages/, subjects: {sender: sender_id}, moments: {sent: sent_at}}
`

func aliasTables(set map[string]string) map[string]string {
	tables := map[string]string{
		"consent":   "account_id:string,category:string,opted_in:bool,effective_at:ts_us|a-old,communications,false,2026-03-01T00:00:00Z|a-new,communications,true,2026-05-01T00:00:00Z",
		"deletions": "account_id:string,requested_at:ts_us,request_id:string|d-older,2026-05-01T00:00:00Z,r1",
		"accounts":  "account_id:string|a-old|b|d-new",
		"aliases":   "was:string,now:string,op:string|a-old,a-new,|d-older,d-old,I|d-old,d-new,|a-old,b,D|b,a-new,D",
		"messages": "message_id:string,freelancer_id:string,client_id:string,sender_id:string,sent_at:ts_us" +
			"|before,a-new,b,a-new,2026-02-28T00:00:00Z|out,a-new,b,b,2026-04-01T00:00:00Z|out too,b,a-old,b,2026-04-01T00:00:00Z" +
			"|in again,a-old,b,b,2026-05-02T00:00:00Z|by new,d-new,b,b,2026-02-01T00:00:00Z|by old,b,d-old,,2026-02-01T00:00:00Z|by sender,a-new,b,d-older,2026-02-01T00:00:00Z",
	}
	for name, rows := range set {
		tables[name] = rows
	}
	return tables
}

// TestAliases has accounts that were renamed, one of them twice. What any of an account's
// ids was told holds for all of them.
func TestAliases(t *testing.T) {
	config := exportJob(t, aliasInputs, aliasTables(nil))
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	const want = "out opted_out; out too opted_out; by new deletion_requested; by old deletion_requested; by sender deletion_requested"
	if got := reasonsOf(t, r.URI); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	data, err := os.ReadFile(filepath.Join(r.URI, "_manifest/run.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifests.ParseRun(data)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []manifests.Join{
		{Role: "consent", IDs: 1, Matched: 1}, {Role: "deletions", IDs: 1, Matched: 1},
		{Role: "accounts", IDs: 3, Matched: 3}, {Role: "aliases", IDs: 2, Matched: 2},
	} {
		if m.Joins[i] != want {
			t.Errorf("%+v, want %+v", m.Joins[i], want)
		}
	}
	if in := m.Inputs[3]; in.Role != "aliases" || in.Rows != 5 || in.Identity == "" {
		t.Errorf("%+v", in)
	}
	e, err := explain.Run(t.Context(), jobtest.NewEnv(t), explain.Options{Config: config, Dataset: "messages", Record: "out too"})
	if err != nil {
		t.Fatal(err)
	}
	if s := e.Subjects[1]; e.Found[0].Kept || len(s.Aliases) != 1 || len(s.Timeline) != 3 || s.Registered == nil || !*s.Registered {
		t.Errorf("%+v", s)
	}
}

// TestBadAliases has lists that say no one account. The error names the row and no id.
func TestBadAliases(t *testing.T) {
	const head = "was:string,now:string,op:string"
	for name, c := range map[string]struct {
		rows, says string
	}{
		"a cycle":                         {head + "|a-old,a-new,|d-old,d-new,|a-new,a-old,", "row 2: was, now: the id is an alias of itself"},
		"a cycle by way of others":        {head + "|a-old,a-new,|a-new,b,|b,d-new,|d-new,a-old,", "row 3: was, now: the id is an alias of itself"},
		"itself":                          {head + "|a-new,a-new,", "row 0: was, now: the id is an alias of itself"},
		"two ways":                        {head + "|a-old,a-new,|a-old,b,", "row 1: was, now: the id is an alias of two accounts"},
		"nobody":                          {head + "|a-old,a-new,|,b,", "row 1: was, now: the id is null or empty"},
		"an alias of nobody":              {head + "|a-old,,", "row 0: was, now: the id is null or empty"},
		"a row that is marked as deleted": {head + "|a-old,a-new,D|,,D|a-new,a-old,|a-old,a-new,", "row 3: was, now: the id is an alias of itself"},
	} {
		t.Run(name, func(t *testing.T) {
			config := exportJob(t, aliasInputs, aliasTables(map[string]string{"aliases": c.rows}))
			_, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
			if exit, hint := job.Explain(err); exit != job.ExitBadInput || hint == "" || !strings.Contains(err.Error(), "aliases/a.parquet: "+c.says) {
				t.Errorf("exit %d, %v, hint %q", exit, err, hint)
			}
			for _, id := range []string{"a-old", "a-new", "d-new"} {
				if strings.Contains(err.Error(), id) {
					t.Errorf("an id in %v", err)
				}
			}
			_, err = explain.Run(t.Context(), jobtest.NewEnv(t), explain.Options{Config: config, Dataset: "messages", Record: "out"})
			if exit, _ := job.Explain(err); exit != job.ExitBadInput {
				t.Errorf("explain: exit %d, %v", exit, err)
			}
		})
	}
}

// TestAliasesJoin has aliases that meet none of the data, or do so only after folding.
func TestAliasesJoin(t *testing.T) {
	for name, c := range map[string]struct{ rows, says, gates string }{
		"near misses":   {"was:string,now:string,op:string|A-OLD,A-NEW,", "inputs.aliases: 1 of its accounts", "{max_near_misses: 1, min_alias_match: 0}"},
		"nothing alike": {"was:string,now:string,op:string|x,y,", "gate min_alias_match: inputs.aliases names 1 accounts", "{min_alias_match: 0}"},
	} {
		config := exportJob(t, aliasInputs, aliasTables(map[string]string{"aliases": c.rows, "deletions": "account_id:string|d-old"}))
		_, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
		if exit, _ := job.Explain(err); exit != job.ExitRefused || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: exit %d, %v", name, exit, err)
		}
		outcome(t, config, "gates="+c.gates)
	}
}

const organisationInputs = `
inputs:
  consent: {path: consent/, as_of: 2026-06-01T00:00:00Z}
  aliases: {path: aliases/, columns: {alias: was, account: now}}
  organisations: {path: organisations/, deleted: {column: op, values: [D]}}
datasets:
  messages: {path: messages/, subjects: {}, moments: {sent: sent_at, edited: edited_at}}
`

// TestOrganisations has an organisation that is out, and records from before, within and
// after the time at which a party belonged to it.
func TestOrganisations(t *testing.T) {
	tables := map[string]string{
		"consent":       "account_id:string,category:string,opted_in:bool,effective_at:ts_us|firm-old,communications,false,2026-02-01T00:00:00Z|b,platform,false,2026-02-01T00:00:00Z",
		"aliases":       "was:string,now:string|firm-old,firm|m-old,m",
		"organisations": "account_id:string,organisation_id:string,from:ts_us,until:ts_us,op:string|m-old,firm,2026-03-01T00:00:00Z,2026-04-01T00:00:00Z,|n,firm,2026-05-01T00:00:00Z,,I|b,firm,2026-01-01T00:00:00Z,,D",
		"messages": "message_id:string,freelancer_id:string,client_id:string,sent_at:ts_us,edited_at:ts_us" +
			"|before,m,b,2026-02-28T00:00:00Z,|first,m,b,2026-03-01T00:00:00Z,|last,b,m-old,2026-03-31T23:59:59Z,|after,m,b,2026-04-01T00:00:00Z," +
			"|edited,m,b,2026-02-28T00:00:00Z,2026-03-02T00:00:00Z|the other,n,b,2026-04-30T00:00:00Z,2026-05-31T00:00:00Z|neither,n,b,2026-04-30T00:00:00Z,",
	}
	config := exportJob(t, organisationInputs, tables)
	const want = "first opted_out; last opted_out; edited opted_out; the other opted_out"
	if got := outcome(t, config); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	e, err := explain.Run(t.Context(), jobtest.NewEnv(t), explain.Options{Config: config, Dataset: "messages", Record: "last"})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := e.WriteText(&text); err != nil || !strings.Contains(text.String(), "an organisation of the client was out, by the event of 2026-02-01") || !strings.Contains(text.String(), "belonged to") {
		t.Errorf("%v\n%s", err, text.String())
	}
	if len(e.Subjects) != 3 || len(e.Subjects[2].Timeline) != 2 {
		t.Errorf("%+v", e.Subjects)
	}
	for name, c := range map[string]struct{ rows, says string }{
		"no start":          {"|m,firm,,,", "row 0: account_id, organisation_id, from, until: the instant is null"},
		"no organisation":   {"|m,firm,2026-03-01T00:00:00Z,,|m,,2026-03-01T00:00:00Z,,", "row 1: account_id, organisation_id, from, until: the id is null"},
		"ends before it is": {"|m,firm,2026-03-01T00:00:00Z,2026-02-01T00:00:00Z,", "row 0: account_id, organisation_id, from, until: the span ends"},
	} {
		tables["organisations"] = "account_id:string,organisation_id:string,from:ts_us,until:ts_us,op:string" + c.rows
		bad := exportJob(t, organisationInputs, tables)
		_, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: bad})
		if exit, _ := job.Explain(err); exit != job.ExitBadInput || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: exit %d, %v", name, exit, err)
		}
	}
	tables["organisations"] = "account_id:string,organisation_id:string,from:ts_us|M,firm,2026-03-01T00:00:00Z"
	_, err = run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: exportJob(t, strings.Replace(organisationInputs, ", deleted: {column: op, values: [D]}", "", 1), tables)})
	if exit, _ := job.Explain(err); exit != job.ExitRefused || !strings.Contains(err.Error(), "inputs.organisations: 1 of its accounts") {
		t.Errorf("exit %d, %v", exit, err)
	}
	// The switch is meant for the organisation, whom no record names.
	tables["organisations"] = "account_id:string,organisation_id:string,from:ts_us,op:string|m,Firm,2026-03-01T00:00:00Z,"
	tables["consent"] = strings.Replace(tables["consent"], "firm-old", "firm", 1)
	_, err = run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: exportJob(t, organisationInputs, tables)})
	if exit, _ := job.Explain(err); exit != job.ExitRefused || !strings.Contains(err.Error(), "inputs.consent: 1 of its accounts") {
		t.Errorf("exit %d, %v", exit, err)
	}
}

// TestCopyOfAMember holds that a copy does not call the organisation's choice the member's.
func TestCopyOfAMember(t *testing.T) {
	config := exportJob(t, strings.Replace(organisationInputs, ", deleted: {column: op, values: [D]}", "", 1), map[string]string{
		"consent":       "account_id:string,category:string,opted_in:bool,effective_at:ts_us|firm,communications,false,2026-02-01T00:00:00Z|b,platform,false,2026-02-01T00:00:00Z",
		"aliases":       "was:string,now:string|b-old,b",
		"organisations": "account_id:string,organisation_id:string,from:ts_us,until:ts_us|m,firm,2026-03-01T00:00:00Z,2026-04-01T00:00:00Z",
		"messages":      "message_id:string,freelancer_id:string,client_id:string,sent_at:ts_us,edited_at:ts_us|before,m,b,2026-02-28T00:00:00Z,|during,m,b,2026-03-01T00:00:00Z,",
	})
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"m": "You, or an organisation that you belonged to, had opted out", "b-old": "The consent of both sides was not in place"} {
		to := filepath.Join(t.TempDir(), "copy")
		c, err := access.Run(t.Context(), jobtest.NewEnv(t), access.Options{Config: config, Run: r.URI, Subject: id, Dir: to})
		if err != nil {
			t.Fatal(err)
		}
		if n := c.Datasets["messages"]; n.Used != 1 || n.NotUsed != 1 {
			t.Errorf("%s: %+v", id, n)
		}
		page, err := os.ReadFile(filepath.Join(to, "index.html"))
		if err != nil || !strings.Contains(string(page), want) || strings.Contains(string(page), "You had opted out") {
			t.Errorf("%s: %v\n%s", id, err, page)
		}
	}
}

// TestAliasesOfACopy asks for a copy by one id of an account that records name by two, and
// erases by a third.
func TestAliasesOfACopy(t *testing.T) {
	tables := aliasTables(map[string]string{"deletions": "account_id:string,requested_at:ts_us,request_id:string|b,2026-05-01T00:00:00Z,r0"})
	tables["messages"] += "|of both,a-old,e,a-new,2026-02-03T00:00:00Z|by new alone,e,a-new,e,2026-02-04T00:00:00Z|not theirs,e,f,,2026-02-05T00:00:00Z|too late,e,a-new,e,2026-04-05T00:00:00Z"
	tables["accounts"] += "|e|f"
	config := exportJob(t, aliasInputs, tables)
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	verified(t, config, r.URI)
	for _, id := range []string{"a-old", "a-new"} {
		to := filepath.Join(t.TempDir(), "copy")
		c, err := access.Run(t.Context(), jobtest.NewEnv(t), access.Options{Config: config, Run: r.URI, Subject: id, Dir: to, Format: "jsonl"})
		if err != nil {
			t.Fatal(err)
		}
		if n := c.Datasets["messages"]; n.Used != 2 || n.NotUsed != 6 || n.Content != 1 {
			t.Errorf("%s: %+v", id, n)
		}
		consent, err := os.ReadFile(filepath.Join(to, "consent.json"))
		if err != nil || !strings.Contains(string(consent), "2026-03-01T00:00:00Z") || !strings.Contains(string(consent), "2026-05-01T00:00:00Z") {
			t.Errorf("%s: %v %s", id, err, consent)
		}
		content, err := os.ReadFile(filepath.Join(to, "content", "messages.jsonl"))
		if err != nil || strings.Contains(string(content), "a-") || strings.Count(string(content), `"you"`) != 2 {
			t.Errorf("%s: %v %s", id, err, content)
		}
	}
	for ledger, runs := range map[string]int{"a-older": 0, "a-old": 1, "a-new": 1} {
		rows := "account_id:string,requested_at:ts_us,request_id:string|" + ledger + ",2026-05-01T00:00:00Z,r1"
		if err := jobtest.WriteParquet(filepath.Join(filepath.Dir(config), "deletions", "a.parquet"), strings.ReplaceAll(rows, "|", "\n")+"\n"); err != nil {
			t.Fatal(err)
		}
		e, err := erase.Run(t.Context(), jobtest.NewEnv(t), erase.Options{Config: config})
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Runs) != runs || e.Requests != 1 {
			t.Errorf("%s: %+v", ledger, e)
		}
		if runs == 1 && e.Runs[0].KeptRows != 2 {
			t.Errorf("%s: %+v", ledger, e.Runs[0])
		}
		_, err = verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: config, Run: r.URI, Quick: true})
		if exit, _ := job.Explain(err); runs == 1 && exit != job.ExitRefused || runs == 0 && exit != 0 {
			t.Errorf("%s: verify --quick: exit %d, %v", ledger, exit, err)
		}
	}
}

// verified audits a run.
func verified(t *testing.T, config, uri string, sets ...string) {
	t.Helper()
	if v, err := verify.Run(t.Context(), jobtest.NewEnv(t), verify.Options{Config: config, Set: sets, Run: uri}); err != nil {
		t.Errorf("%v\n%+v", err, v)
	}
}
