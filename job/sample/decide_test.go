package sample

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"assent/schema"
)

// The rules once more, in the most obvious way, over the files as they are.

type record = map[string]any

// The reasons in short.
const (
	deletion   = schema.DeletionRequested
	stranger   = schema.PartyUnknown
	timeless   = schema.MomentUnknown
	before     = schema.BeforeProgram
	after      = schema.AfterHorizon
	restricted = schema.ContractRestricted
	out        = schema.PartyOptedOut
)

// tableFile is a file read back.
type tableFile struct {
	path string // below the sample's directory, with slashes
	file *parquet.File
	rows []record
}

// readTable reads all files below a directory of the sample, in order.
func readTable(t *testing.T, dir, name string) []tableFile {
	t.Helper()
	var files []tableFile
	for _, path := range parquetFiles(t, filepath.Join(dir, name)) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(path, err)
		}
		rel, _ := filepath.Rel(dir, path)
		out := tableFile{path: filepath.ToSlash(rel), file: f}
		r := parquet.NewGenericReader[any](f)
		rows := make([]any, r.NumRows())
		if n, err := r.Read(rows); n != len(rows) {
			t.Fatal(path, err)
		}
		for _, row := range rows {
			out.rows = append(out.rows, row.(record))
		}
		r.Close()
		files = append(files, out)
	}
	return files
}

func parquetFiles(t *testing.T, dir string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".parquet") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

func allRows(files []tableFile) []record {
	var rows []record
	for _, f := range files {
		rows = append(rows, f.rows...)
	}
	return rows
}

// inputs are what a decision needs besides the record.
type inputs struct {
	consent      map[string][]consentRecord // by account and category
	deletions    map[string]bool
	registry     map[string]bool
	restrictions map[string][]schema.Span
	aliases      map[string]string
	memberships  map[string][]membership
}

type membership struct {
	schema.Span
	organisation string
}

type consentRecord struct {
	at       schema.Instant
	sequence int64
	in       bool
}

func readInputs(t *testing.T, dir string) *inputs {
	in := &inputs{map[string][]consentRecord{}, map[string]bool{}, map[string]bool{}, map[string][]schema.Span{}, map[string]string{}, map[string][]membership{}}
	for _, r := range allRows(readTable(t, dir, "account_aliases")) {
		in.aliases[r["old_account_id"].(string)] = r["account_id"].(string)
	}
	for _, r := range allRows(readTable(t, dir, "memberships")) {
		account := in.account(r["account_id"])
		in.memberships[account] = append(in.memberships[account], membership{spanOf(r), r["organisation_id"].(string)})
	}
	for _, r := range allRows(readTable(t, dir, "consent_history")) {
		key := in.account(r["account_id"]) + "/" + r["category"].(string)
		in.consent[key] = append(in.consent[key], consentRecord{
			schema.FromMicros(r["effective_at"].(int64)), r["sequence"].(int64), r["opted_in"].(bool),
		})
	}
	for _, r := range allRows(readTable(t, dir, "deletion_requests")) {
		in.deletions[in.account(r["account_id"])] = true
	}
	for _, r := range allRows(readTable(t, dir, "accounts")) {
		in.registry[in.account(r["account_id"])] = true
	}
	for _, r := range allRows(readTable(t, dir, "contract_restrictions")) {
		key := r["contract_id"].(string)
		in.restrictions[key] = append(in.restrictions[key], spanOf(r))
	}
	return in
}

func spanOf(r record) schema.Span {
	span := schema.Span{From: schema.FromMicros(r["from"].(int64)), Until: schema.Forever}
	if until, ok := r["until"].(int64); ok {
		span.Until = schema.FromMicros(until)
	}
	return span
}

// account returns the account that an id stands for, which may be null.
func (in *inputs) account(id any) string {
	text, _ := id.(string)
	if account, ok := in.aliases[text]; ok {
		return account
	}
	return text
}

// partyOut reports whether an account or an organisation of it is opted out at an instant.
func (in *inputs) partyOut(account string, c schema.Category, at schema.Instant) bool {
	for _, m := range in.memberships[account] {
		if m.Contains(at) && in.out(m.organisation, c, at) {
			return true
		}
	}
	return in.out(account, c, at)
}

// out reports whether an account is opted out at an instant.
func (in *inputs) out(account string, c schema.Category, at schema.Instant) bool {
	out := false
	var last *consentRecord
	for _, e := range in.consent[account+"/"+c.String()] {
		if e.at > at {
			continue
		}
		switch {
		case last == nil, e.at > last.at, e.at == last.at && e.sequence > last.sequence:
			last, out = &e, !e.in
		case e.at == last.at && e.sequence == last.sequence:
			out = out || !e.in
		}
	}
	return out
}

// datasets says where the names of the rules are in each data set.
var datasets = []struct {
	name, dir, record        string
	category                 schema.Category
	parties, others, moments []string
	convert                  func(int64) schema.Instant
}{
	{
		"messages", "messages", "message_id", schema.Communications, []string{"freelancer_id", "client_id"},
		[]string{"sender_id", "participants"}, []string{"sent_at", "edited_at"}, schema.FromMicros,
	},
	{
		"deliverables", "deliverables", "deliverable_id", schema.WorkProduct, []string{"freelancer_id", "client_id"},
		nil, []string{"created_at", "submitted_at"}, schema.FromNanos,
	},
	{
		"events", "platform_events", "event_id", schema.Platform, []string{"account_id"},
		[]string{"target_account_id"}, []string{"occurred_at"}, schema.FromMicros,
	},
}

func (in *inputs) decide(dataset int, r record) schema.Reasons {
	d := datasets[dataset]
	var reasons schema.Reasons
	for _, column := range slices.Concat(d.parties, d.others) {
		accounts, isList := r[column].([]any)
		if !isList {
			accounts = []any{r[column]}
		}
		for _, a := range accounts {
			if in.deletions[in.account(a)] {
				reasons |= deletion.Set()
			}
		}
	}
	var moments []schema.Instant
	for i, column := range d.moments {
		at, ok := r[column].(int64)
		switch {
		case ok:
			moments = append(moments, d.convert(at))
		case i == 0:
			reasons |= timeless.Set()
		}
	}
	start, end := schema.FromMicros(programStart), schema.FromMicros(horizon)
	for _, at := range moments {
		if at < start {
			reasons |= before.Set()
		}
		if at >= end {
			reasons |= after.Set()
		}
		if c, ok := r["contract_id"].(string); ok {
			for _, span := range in.restrictions[c] {
				if span.Contains(at) {
					reasons |= restricted.Set()
				}
			}
		}
	}
	for _, column := range d.parties {
		id := in.account(r[column])
		if id == "" || !in.registry[id] {
			reasons |= stranger.Set()
		}
		for _, at := range moments {
			if id != "" && at < end && in.partyOut(id, d.category, at) {
				reasons |= out.Set()
			}
		}
	}
	if d.name == "events" && r["visibility"] == "private" {
		reasons |= schema.PrivateRecord.Set()
	}
	return reasons
}
