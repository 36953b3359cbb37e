package scope_test

import (
	"cmp"
	"crypto/ed25519"
	"crypto/hmac"
	rand2 "crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"assent/job"
	"assent/job/erase"
	"assent/job/internal/objstore/faulty"
	"assent/job/jobtest"
	"assent/job/run"
	"assent/job/scope"
	"assent/manifests"
)

var accounts = []string{"A", "B", "C", "D", "E", "F"} // F2 is an alias of F

// market writes a random market with its job, runs it, and returns options for an export.
func market(t *testing.T, seed uint64, deletions string, set ...string) scope.Options {
	t.Helper()
	t.Setenv("ASSENT_SUBJECT_KEY", jobtest.TestKey)
	rng := rand.New(rand.NewPCG(seed, 12))
	dir := t.TempDir()
	write := func(name, csv string) {
		t.Helper()
		if err := jobtest.WriteParquet(filepath.Join(dir, name), csv); err != nil {
			t.Fatal(err)
		}
	}
	account := func() string {
		return slices.Concat(accounts, []string{"F2"})[rng.IntN(len(accounts)+1)]
	}
	day := func() string { return fmt.Sprintf("2026-0%d-%02dT00:00:00Z", 1+rng.IntN(5), 1+rng.IntN(28)) }
	write("consent/a.parquet", `account_id:string,category:string,opted_in:bool,effective_at:ts_us
A,communications,false,2026-03-01T12:00:00Z
B,work_product,false,2026-02-10T12:00:00Z
B,work_product,true,2026-03-10T12:00:00Z
C,platform,false,2026-02-01T12:00:00Z
O,communications,false,2026-05-20T00:00:00Z
P,communications,false,2026-05-20T00:00:00Z
`)
	write("aliases.parquet", "old_account_id:string,account_id:string\nF2,F\n")
	write("members.parquet", "account_id:string,organisation_id:string,from:ts_us,until:ts_us\nE,O,2026-01-01T00:00:00Z,\nC,P,2026-01-01T00:00:00Z,2026-05-21T00:00:00Z\n")
	write("deletions/a.parquet", "account_id:string,requested_at:ts_us,request_id:string\n"+deletions)
	for part := range 3 {
		messages, deliverables, events := "", "", ""
		for i := range 40 {
			messages += fmt.Sprintf("m%d-%d,%s,%s,%s,%s,d29yZHM=\n", part, i, account(), account(), account(), day())
			deliverables += fmt.Sprintf("d%d-%d,%s,%s,%s\n", part, i, account(), account(), day())
			events += fmt.Sprintf("e%d-%d,%s,%s\n", part, i, account(), day())
		}
		// The type of body differs: one part cannot hold all.
		write(fmt.Sprintf("messages/%d.parquet", part), "message_id:string,freelancer_id:string,client_id:string,sender_id:string,sent_at:ts_us,body:"+[]string{"string", "string", "bytes"}[part]+"\n"+messages)
		write(fmt.Sprintf("deliverables/%d.parquet", part), "deliverable_id:string,freelancer_id:string,client_id:string,created_at:ts_us\n"+deliverables)
		write(fmt.Sprintf("events/%d.parquet", part), "event_id:string,account_id:string,occurred_at:ts_us\n"+events)
	}
	config := filepath.Join(dir, "job.yaml")
	err := os.WriteFile(config, []byte(`version: 1
program: {name: scopes, starts_at: 2026-01-05T00:00:00Z}
output: out
inputs:
  consent: {path: consent/, as_of: 2026-06-01T00:00:00Z}
  deletions: {path: deletions/}
  aliases: {path: aliases.parquet}
  organisations: {path: members.parquet}
datasets:
  messages: {path: messages/, subjects: {sender: sender_id}, moments: {sent: sent_at}, author: sender}
  deliverables: {path: deliverables/, moments: {created: created_at}}
  events: {path: events/}
gates: {min_account_match: 0, min_deletion_match: 0, max_near_misses: 9}
`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: config, Set: set})
	if err != nil {
		t.Fatal(err)
	}
	return scope.Options{Config: config, Set: set, Run: r.URI, To: filepath.Join(dir, "scopes")}
}

// record is a record with those whom it names, aliases resolved.
type record struct {
	Message     string `parquet:"message_id,optional"`
	Deliverable string `parquet:"deliverable_id,optional"`
	Event       string `parquet:"event_id,optional"`
	Freelancer  string `parquet:"freelancer_id,optional"`
	Client      string `parquet:"client_id,optional"`
	Sender      string `parquet:"sender_id,optional"`
	Actor       string `parquet:"account_id,optional"`
}

func (r record) id() string { return r.Message + r.Deliverable + r.Event }

func (r record) parties() []string { return named(r.Freelancer, r.Client, r.Actor) }

func named(ids ...string) (out []string) {
	for _, id := range ids {
		if id = strings.TrimSuffix(id, "2"); id != "" && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// read reads all Parquet files below a directory.
func read(t *testing.T, dir string) (all []record) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && strings.HasSuffix(name, ".parquet") {
			var rows []record
			rows, err = parquet.ReadFile[record](name)
			all = append(all, rows...)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func refOf(t *testing.T, id string) string {
	t.Helper()
	key, err := manifests.ParseKey(jobtest.TestKey)
	if err != nil {
		t.Fatal(err)
	}
	ref := key.NewReferrer().Ref([]byte(id))
	return ref.String()
}

func list(t *testing.T, ids ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(name, []byte(strings.Join(ids, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestScopes wants the union of all scopes to be exactly the kept records of exclusive
// categories, each in the scopes of its parties (or of its author) and in no other.
func TestScopes(t *testing.T) {
	t.Setenv("ASSENT_PSEUDONYM_KEY", pseudonymKey)
	for seed := range uint64(6) {
		var set []string
		if seed == 4 { // what is handed over does not say who the parties are
			set = []string{
				"datasets.messages.pseudonymise=[freelancer_id, client_id, sender_id]", "datasets.messages.columns.drop=[body]", "datasets.messages.coarsen.sent_at=month",
				"datasets.deliverables.pseudonymise=[freelancer_id, client_id]",
			}
		}
		if seed == 5 {
			set = []string{"datasets.messages.scope=author", "datasets.deliverables.scope=party"}
		}
		o := market(t, seed, "", set...)
		o.Subjects, o.AtHorizon = list(t, accounts...), "any"
		o.Marketplace = seed == 1
		if seed == 2 {
			o.Memory = 1 // a part a file
		}
		sets := []string{"messages", "deliverables"}
		if o.Marketplace {
			sets = append(sets, "events")
		}
		o.Author = seed == 3
		r, err := scope.Run(t.Context(), jobtest.NewEnv(t), o)
		if err != nil || r.Accounts != len(accounts) || len(r.LeftOut) != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		want, got := map[string][]string{}, map[string][]string{}
		for _, set := range sets {
			for _, rec := range withIDs(t, read(t, filepath.Join(o.Run, set)), seed == 4) {
				if want[rec.id()] = slices.Sorted(slices.Values(rec.parties())); o.Author || seed == 5 && rec.Message != "" {
					want[rec.id()] = named(cmp.Or(rec.Sender, rec.Freelancer))
				}
			}
		}
		for _, id := range accounts {
			for _, rec := range read(t, filepath.Join(o.To, "account="+refOf(t, id))) {
				got[rec.id()] = append(got[rec.id()], id)
			}
		}
		if len(want) < 50 || !maps.EqualFunc(want, got, slices.Equal) {
			t.Errorf("seed %d: %d records, want %d", seed, len(got), len(want))
		}
		checkManifest(t, o.To, r)
	}
}

// checkManifest holds what was exported against its manifest.
func checkManifest(t *testing.T, dir string, r *scope.Result) {
	t.Helper()
	files := jobtest.Tree(t, dir)
	var m scope.Manifest
	if err := json.Unmarshal([]byte(files["_manifest/scope.json"]), &m); err != nil {
		t.Fatal(err)
	}
	named := 2 // manifest and marker
	if _, signed := files["_manifest/scope.intoto.jsonl"]; signed {
		named++
	}
	for _, a := range m.Accounts {
		rows := int64(0)
		named++
		checkCroissant(t, &a, files[a.Croissant.Path])
		for name, d := range a.Datasets {
			for _, f := range d.Files {
				named++
				rows += f.Rows
				if manifests.SHA256([]byte(files[f.Path])) != f.SHA256 || int64(len(files[f.Path])) != f.Bytes || !strings.HasPrefix(f.Path, a.Dir+"/"+name+"/") {
					t.Errorf("%+v", f)
				}
			}
		}
		if rows != a.Rows || a.Audience != "account:"+a.Account || a.ThirdParty {
			t.Errorf("%+v", a)
		}
	}
	marker, err := os.ReadFile(filepath.Join(dir, "_SUCCESS"))
	if err != nil || named != len(files) || manifests.SHA256([]byte(files["_manifest/scope.json"])) != r.Manifest || !strings.Contains(string(marker), r.Manifest) {
		t.Errorf("%d of %d files are named; %s, %v", named, len(files), marker, err)
	}
}

// pseudonymKey is another key than jobtest's.
const pseudonymKey = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

// withIDs gives records their parties' ids again where these were pseudonymised, by the rule of semantics.md, and fails where an id is left.
func withIDs(t *testing.T, all []record, pseudonymised bool) []record {
	if !pseudonymised {
		return all
	}
	key, err := base64.StdEncoding.DecodeString(pseudonymKey)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, id := range slices.Concat(accounts, []string{"F2"}) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte("pseudonym:" + id))
		ids[hex.EncodeToString(mac.Sum(nil))[:32]] = id
	}
	for i := range all {
		for _, p := range []*string{&all[i].Freelancer, &all[i].Client, &all[i].Sender} {
			id, ok := ids[*p]
			if *p != "" && !ok {
				t.Fatalf("%q is no pseudonym", *p)
			}
			*p = id
		}
	}
	return all
}

// checkCroissant holds an account's document against its files.
func checkCroissant(t *testing.T, a *scope.Account, document string) {
	t.Helper()
	if manifests.SHA256([]byte(document)) != a.Croissant.SHA256 || strings.Count(document, "\"assent:account:"+a.Account+"\"") != len(a.Datasets) {
		t.Errorf("%+v: %s", a.Croissant, document)
	}
	for _, d := range a.Datasets {
		for _, f := range d.Files {
			if !strings.Contains(document, f.SHA256) || !strings.Contains(document, `"contentUrl": "`+strings.TrimPrefix(f.Path, a.Dir+"/")+`"`) {
				t.Errorf("%s is not in %s", f.Path, document)
			}
		}
	}
}

// TestShortBounds wants footers to stay small, however large values are.
func TestShortBounds(t *testing.T) {
	o := market(t, 9, "")
	dir := filepath.Dir(o.Config)
	large := "message_id:string,freelancer_id:string,client_id:string,sender_id:string,sent_at:ts_us,body:string\n"
	body := func(letter string) string { return strings.Repeat(letter, 1<<20) }
	for _, letter := range []string{"a", "b", "c"} {
		large += fmt.Sprintf("large-%s,B,E,B,2026-05-01T00:00:00Z,%s\n", letter, body(letter))
	}
	if err := jobtest.WriteParquet(filepath.Join(dir, "messages/large.parquet"), large); err != nil {
		t.Fatal(err)
	}
	r, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: o.Config})
	if err != nil {
		t.Fatal(err)
	}
	o.Run, o.Subject, o.Memory = r.URI, "B", 1 // a part a file
	if _, err := scope.Run(t.Context(), jobtest.NewEnv(t), o); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for name, data := range jobtest.Tree(t, o.To) {
		if !strings.HasSuffix(name, ".parquet") {
			continue
		}
		f, err := parquet.OpenFile(strings.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := parquet.Read[record](strings.NewReader(data), int64(len(data))); err != nil || !strings.HasPrefix(rows[0].Message, "large") {
			continue
		}
		seen++
		stats := f.Metadata().RowGroups[0].Columns[5].MetaData.Statistics
		if n := binary.LittleEndian.Uint32([]byte(data[len(data)-8:])); n > 4<<10 || string(stats.MinValue) > body("a") || string(stats.MaxValue) < body("c") {
			t.Errorf("%s: a footer of %d bytes, bounds of %d and %d", name, n, len(stats.MinValue), len(stats.MaxValue))
		}
	}
	if seen != 1 {
		t.Errorf("%d parts of large values", seen)
	}
}

// TestSigned wants all objects of an export to be signed, but for the marker.
func TestSigned(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand2.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	o := market(t, 8, "")
	t.Setenv("ASSENT_SIGNING_KEY", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	o.Subjects = list(t, "B", "F")
	r, err := scope.Run(t.Context(), jobtest.NewEnv(t), o)
	if err != nil {
		t.Fatal(err)
	}
	checkManifest(t, o.To, r)
	files := jobtest.Tree(t, o.To)
	var envelope struct {
		PayloadType string
		Payload     []byte
		Signatures  []struct{ Sig []byte }
	}
	var statement struct {
		Subject []struct {
			Name   string
			Digest map[string]string
		}
	}
	if err := json.Unmarshal([]byte(files["_manifest/scope.intoto.jsonl"]), &envelope); err != nil {
		t.Fatal(err)
	}
	signed := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(envelope.PayloadType), envelope.PayloadType, len(envelope.Payload), envelope.Payload)
	if len(envelope.Signatures) != 1 || !ed25519.Verify(public, signed, envelope.Signatures[0].Sig) {
		t.Error("the signature is not of the key")
	}
	if err := json.Unmarshal(envelope.Payload, &statement); err != nil || len(statement.Subject) != len(files)-2 {
		t.Errorf("%d of %d objects, %v", len(statement.Subject), len(files), err)
	}
	for _, s := range statement.Subject {
		if manifests.SHA256([]byte(files[s.Name])) != s.Digest["sha256"] {
			t.Error(s.Name)
		}
	}
}

// TestLeftOut wants those to be left out who asked for deletion or are out at the horizon.
func TestLeftOut(t *testing.T) {
	o := market(t, 5, "D,2026-05-20T00:00:00Z,r1\n")
	many := o
	many.Subjects = list(t, "A", "B", "D", "F2", "E", "C") // E belongs to an organisation that is out; C did
	r, err := scope.Run(t.Context(), jobtest.NewEnv(t), many)
	if err != nil || r.Accounts != 5 {
		t.Fatalf("%+v, %v", r, err)
	}
	want := []scope.LeftOut{{Line: 1, Account: refOf(t, "A"), Category: "communications", Reason: "opted_out"}, {Line: 3, Account: refOf(t, "D"), Reason: "deletion_requested"}, {Line: 5, Account: refOf(t, "E"), Category: "communications", Reason: "opted_out"}}
	if !slices.Equal(r.LeftOut, want) {
		t.Errorf("%+v", r.LeftOut)
	}
	if _, err := os.Stat(filepath.Join(o.To, "account="+refOf(t, "A"), "messages")); err == nil {
		t.Error("messages of an account that is out")
	}
	if len(read(t, filepath.Join(o.To, "account="+refOf(t, "A")))) == 0 || len(read(t, filepath.Join(o.To, "account="+refOf(t, "F")))) == 0 {
		t.Error("deliverables of A, or all of F, are missing")
	}
	refused := func(what string, want int, change func(o *scope.Options)) {
		t.Helper()
		o := o
		o.To += "-refused"
		change(&o)
		_, err := scope.Run(t.Context(), jobtest.NewEnv(t), o)
		if exit, _ := job.Explain(err); exit != want {
			t.Errorf("%s: exit %d, %v", what, exit, err)
		}
		if _, err := os.Stat(o.To); err == nil && o.To != many.To {
			t.Errorf("%s: something was written", what)
		}
	}
	refused("asked for deletion", job.ExitRefused, func(o *scope.Options) { o.Subject = "D" })
	refused("asked for deletion, any", job.ExitRefused, func(o *scope.Options) { o.Subject, o.AtHorizon = "D", "any" })
	refused("both", job.ExitUsage, func(o *scope.Options) { o.Subject, o.Subjects = "A", many.Subjects })
	refused("twice", job.ExitUsage, func(o *scope.Options) { o.Subjects = list(t, "F", "F2") })
	refused("there already", job.ExitUsage, func(o *scope.Options) { o.Subject, o.To = "A", many.To })
	refused("other rules", job.ExitUsage, func(o *scope.Options) {
		o.Subject, o.Set = "A", []string{"datasets.messages.parties={freelancer: sender_id, client: freelancer_id}"}
	})
}

// TestErased wants a run that is to be erased to be refused, and erase to name what was
// exported from it.
func TestErased(t *testing.T) {
	o := market(t, 6, "")
	o.Subject = "E"
	r, err := scope.Run(t.Context(), jobtest.NewEnv(t), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := jobtest.WriteParquet(filepath.Join(filepath.Dir(o.Config), "deletions/a.parquet"), "account_id:string,requested_at:ts_us,request_id:string\nB,2026-07-01T00:00:00Z,r2\n"); err != nil {
		t.Fatal(err)
	}
	again := o
	again.To += "-2"
	_, err = scope.Run(t.Context(), jobtest.NewEnv(t), again)
	if exit, _ := job.Explain(err); exit != job.ExitRefused || !strings.Contains(err.Error(), "is to be erased") {
		t.Error(err)
	}
	if _, err := run.Run(t.Context(), jobtest.NewEnv(t), run.Options{Config: o.Config}); err != nil {
		t.Fatal(err)
	}
	e, err := erase.Run(t.Context(), jobtest.NewEnv(t), erase.Options{Config: o.Config, Apply: true})
	if err != nil || len(e.Scopes) != 1 || e.Scopes[0].To != r.To || e.Scopes[0].SHA256 != r.Manifest || e.Scopes[0].Accounts != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	page, err := os.ReadFile(filepath.Join(filepath.Dir(e.Receipts[0]), "receipt.html"))
	if err != nil || !strings.Contains(string(page), r.To) {
		t.Errorf("%v\n%s", err, page)
	}
}

// TestFaults fails every storage operation in turn: there is the whole export and its entry
// in the registry, or no export.
func TestFaults(t *testing.T) {
	o := market(t, 7, "")
	o.Subjects, o.AtHorizon = list(t, "A", "B"), "any"
	step := 1
	if testing.Short() {
		step = 5
	}
	for i := 0; ; i += step {
		f := faulty.New(faulty.Fail, i, nil)
		env := jobtest.NewEnv(t)
		env.Opener.Wrap = f.Wrap
		_, err := scope.Run(t.Context(), env, o)
		if !f.Met() {
			if err != nil || i < 20 {
				t.Fatalf("%d operations, %v", i, err)
			}
			break
		}
		if err == nil { // what failed was of no consequence
			t.Errorf("operation %d (%s): no error", i, f.Ops()[i])
		}
		if _, err := os.Stat(o.To); err == nil {
			t.Fatalf("operation %d (%s) left something", i, f.Ops()[i])
		}
	}
}
