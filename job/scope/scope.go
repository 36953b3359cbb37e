package scope

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"sync"
	"time"

	"assent/filter"
	"assent/job"
	"assent/job/internal/attest"
	"assent/job/internal/card"
	"assent/job/internal/config"
	"assent/job/internal/holdings"
	"assent/job/internal/objstore"
	"assent/job/internal/pages"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/job/plain"
	"assent/manifests"
	"assent/schema"
)

// Options configure an export.
// The tags are those of the command line.
type Options struct {
	Config      string   `short:"c" required:"" placeholder:"FILE" help:"${config}"`
	Set         []string `placeholder:"KEY=VALUE" sep:"none" help:"${set}"`
	Run         string   `required:"" placeholder:"URI" help:"The run's directory, <output>/run=<id>."`
	Subject     string   `xor:"subject" placeholder:"ID" help:"The account's id, as in the data."`
	Subjects    string   `xor:"subject" placeholder:"FILE" help:"Many accounts: CSV without a header, one a line: the id."`
	To          string   `required:"" placeholder:"URI" help:"A new directory, or a prefix of a bucket."`
	Author      bool     `help:"Records that the account authored alone, not all to which it is a party; as scope: author of a data set."`
	Marketplace bool     `name:"with-marketplace" help:"Platform data too, which may serve everyone."`
	AtHorizon   string   `enum:"in,any" default:"in" help:"in: nothing in a category that the account is out of at the horizon; any: what may be used all the same."`
	Memory      int64    `kong:"-"` // bytes, about, of records that wait to be written; 0: 256 MiB
}

// Validate complains of what is missing.
func (o *Options) Validate() error {
	if o.Config == "" || o.Run == "" || o.To == "" || (o.Subject == "") == (o.Subjects == "") {
		return job.UsageError("", "scope needs -c, --run, --to, and one of --subject and --subjects")
	}
	return nil
}

// account is one that a scope is made of.
type account struct {
	Account
	id    schema.AccountID
	own   []schema.AccountID // all of its ids
	refs  []manifests.Ref    // of these
	out   map[schema.Category]bool
	parts []piece

	schemas map[string][]string // of parts, by data set
}

// exporter is one export under way.
type exporter struct {
	*job.Env
	o        Options
	cfg      *config.Config
	key      *manifests.Key
	out      *publish.Output
	run      *publish.Run
	signer   *attest.Signer // nil: nothing is signed
	aliases  *filter.Aliases
	accounts []*account
	byRef    map[manifests.Ref]*account
	target   objstore.Store
	stage    string // below the target
	doc      Manifest
	waiting  int64 // bytes of records that wait

	mu      sync.Mutex
	columns map[string][]card.Column // by the schema of parts
}

// Run exports. After an error there is nothing at o.To.
func Run(ctx context.Context, e *job.Env, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.AtHorizon, o.Memory = cmp.Or(o.AtHorizon, "in"), cmp.Or(o.Memory, 256<<20)
	x := &exporter{Env: e, o: o, columns: map[string][]card.Column{}}
	if err := x.open(ctx); err != nil {
		return nil, err
	}
	if err := x.findAccounts(ctx); err != nil {
		return nil, err
	}
	if err := x.leaveOut(ctx); err != nil {
		return nil, err
	}
	target, name, err := publish.OpenTarget(ctx, e, o.To)
	if err != nil {
		return nil, err
	}
	if there, err := target.Exists(ctx, name); err != nil {
		return nil, err
	} else if there {
		return nil, job.UsageError("name a directory that is not there yet", "--to %s: there is something already", target.URI(name))
	}
	x.target, x.stage = target, "_staging-"+name
	if err := target.RemoveAll(ctx, x.stage); err != nil { // of an export that was killed
		return nil, err
	}
	result, err := x.export(ctx, name)
	if err != nil {
		err = job.Cause(ctx, err)
		return nil, errors.Join(err, target.RemoveAll(context.WithoutCancel(ctx), x.stage))
	}
	return result, nil
}

// open opens the run, and refuses one that is not to be trained on.
func (x *exporter) open(ctx context.Context) (err error) {
	if x.cfg, err = config.Load(x.o.Config, x.o.Set); err != nil {
		return err
	}
	if x.key, err = config.SubjectKey(x.cfg); err != nil {
		return err
	}
	if _, err = config.PseudonymKey(x.cfg, x.key); err != nil { // the digest is over its reference
		return err
	}
	if x.signer, err = config.SigningKey(x.cfg); err != nil {
		return err
	}
	output, dir, err := publish.SplitRun(x.o.Run)
	if err != nil {
		return err
	}
	store, err := x.Opener.OpenLocation(ctx, output)
	if err != nil {
		return err
	}
	x.out = &publish.Output{Store: store, Program: x.cfg.Program.Name, Log: x.Log}
	if x.run, err = x.out.Run(ctx, dir); err != nil {
		return err
	}
	switch {
	case x.run.Program.Name != x.cfg.Program.Name:
		return job.UsageError("", "%s belongs to the programme %q, not to %q", x.run.URI(""), x.run.Program.Name, x.cfg.Program.Name)
	case !x.run.MadeUnder(x.key):
		return job.UsageError("try --set subject_key_file=FILE", "%s: accounts cannot be looked up: the run was made under another key than the configured one", x.run.URI(""))
	case x.cfg.Digest() != x.run.PolicyDigest:
		return job.UsageError("take the configuration that the run was made with", "%s: the configuration is not that of the run %s", x.cfg.File, x.run.RunID)
	}
	for i := range x.cfg.Datasets {
		if d := &x.cfg.Datasets[i]; x.o.Author && d.Author == "" && x.serves(d) {
			return d.Errorf(x.cfg, "author", "", "--author needs the role whose own content a record is")
		}
	}
	return nil
}

// records says of which accounts a record is in the scope.
func (x *exporter) records(d *config.DatasetConfig) schema.ScopeOf {
	if x.o.Author {
		return schema.ScopeAuthor
	}
	return cmp.Or(d.Scope, schema.ScopeParty)
}

// serves reports whether a data set is part of scopes.
func (x *exporter) serves(d *config.DatasetConfig) bool {
	return d.Category.Audience() == schema.Communications.Audience() || x.o.Marketplace
}

// findAccounts reads which accounts are asked for, and all ids of each.
func (x *exporter) findAccounts(ctx context.Context) error {
	list := []holdings.Listed{{ID: schema.AccountID(x.o.Subject)}}
	if x.o.Subjects != "" {
		var err error
		if list, err = holdings.ReadList(x.o.Subjects); err != nil {
			return err
		}
	}
	aliases, err := source.ReadAliases(ctx, x.Env, x.cfg)
	if err != nil {
		return err
	}
	x.aliases = aliases
	x.byRef = map[manifests.Ref]*account{}
	referrer := x.key.NewReferrer()
	for _, l := range list {
		id := aliases.Account(l.ID)
		a := &account{id: id, own: aliases.IDs(id), out: map[schema.Category]bool{}, schemas: map[string][]string{}}
		main := referrer.Ref([]byte(string(id)))
		ref := main.String()
		a.Account = Account{Line: l.Line, Account: ref, Dir: "account=" + ref, Audience: "account:" + ref, Datasets: map[string]Dataset{}}
		for _, id := range a.own {
			ref := referrer.Ref([]byte(string(id)))
			if other := x.byRef[ref]; other != nil {
				return job.UsageError("leave one line for each account; an alias's account and the account are one", "%s: line %d asks for the account of line %d again", x.o.Subjects, l.Line, other.Line)
			}
			x.byRef[ref] = a
			a.refs = append(a.refs, ref)
		}
		x.accounts = append(x.accounts, a)
	}
	return nil
}

// leaveOut refuses a run that is to be erased, and leaves out accounts with a deletion
// request and, unless any is asked for, categories of which an account is out at the horizon.
func (x *exporter) leaveOut(ctx context.Context) error {
	requested := func(*account) bool { return false }
	if x.cfg.Deletions != nil {
		requests, err := holdings.LoadRequests(ctx, x.Env, x.cfg, x.key)
		if err != nil {
			return err
		}
		held, err := requests.Held(ctx, x.run)
		if err != nil {
			return err
		}
		if held != nil {
			return job.Refused("publish a run that applies the deletion requests with `assent run`, and take that one", "%s is to be erased: it holds %d account(s) with a deletion request", x.run.URI(""), held.Accounts)
		}
		requested = func(a *account) bool {
			return slices.ContainsFunc(a.refs, func(ref manifests.Ref) bool { return requests.Of(ref) != nil })
		}
	}
	if err := x.readStates(ctx); err != nil {
		return err
	}
	x.doc.LeftOut = []LeftOut{}
	x.accounts = slices.DeleteFunc(x.accounts, func(a *account) bool {
		entry := LeftOut{Line: a.Line, Account: a.Account.Account, Reason: schema.DeletionRequested.String()}
		if requested(a) {
			x.doc.LeftOut = append(x.doc.LeftOut, entry)
			return true
		}
		left := 0
		for _, d := range x.cfg.Datasets {
			if x.serves(&d) && !a.out[d.Category] {
				left++
			}
		}
		entry.Reason = schema.PartyOptedOut.String()
		for _, c := range schema.Categories() {
			if a.out[c] && slices.ContainsFunc(x.cfg.Datasets, func(d config.DatasetConfig) bool { return d.Category == c && x.serves(&d) }) {
				entry.Category = c.String()
				x.doc.LeftOut = append(x.doc.LeftOut, entry)
			}
		}
		return left == 0
	})
	if x.o.Subject != "" && len(x.accounts) == 0 {
		l := x.doc.LeftOut[0]
		if l.Category == "" {
			return job.Refused("", "the account has asked for deletion: nothing may be trained on its data")
		}
		return job.Refused("--at-horizon any exports what may be used all the same", "the account is opted out at the run's horizon: its models are not trained any more")
	}
	for ref, a := range x.byRef {
		if !slices.Contains(x.accounts, a) {
			delete(x.byRef, ref)
		}
	}
	return nil
}

// Result is the answer.
type Result struct {
	To       string           `json:"to"`
	RunID    string           `json:"run_id"`
	Accounts int              `json:"accounts"`
	LeftOut  []LeftOut        `json:"left_out"`
	Rows     map[string]int64 `json:"rows"` // by data set; a record counts for each account that has it
	Files    int              `json:"files"`
	Manifest string           `json:"manifest_sha256"`
}

// export writes all scopes, enters the export in the registry, and puts it in its place.
func (x *exporter) export(ctx context.Context, name string) (*Result, error) {
	for i := range x.cfg.Datasets {
		d := &x.cfg.Datasets[i]
		if run, ok := x.run.Datasets[d.Name]; ok && x.serves(d) {
			if err := x.dataset(ctx, d, run.Files); err != nil {
				return nil, err
			}
		}
	}
	r := &Result{To: x.target.URI(name), RunID: x.run.RunID, Accounts: len(x.accounts), LeftOut: x.doc.LeftOut, Rows: map[string]int64{}}
	doc := &x.doc
	doc.SchemaVersion, doc.Program, doc.RunID, doc.ManifestSHA256, doc.AsOf = 1, x.run.Program.Name, x.run.RunID, x.run.Digest, x.run.ConsentAsOf
	doc.MadeAt, doc.Tool = x.Now().UTC().Truncate(time.Second), "assent "+x.Version
	doc.Marketplace, doc.AtHorizon = x.o.Marketplace, x.o.AtHorizon
	doc.Accounts = []Account{}
	for _, a := range x.accounts {
		for name, d := range a.Datasets {
			a.Rows += d.Rows
			r.Rows[name] += d.Rows
			r.Files += len(d.Files)
		}
		if err := x.writeCard(ctx, a); err != nil {
			return nil, err
		}
		doc.Accounts = append(doc.Accounts, a.Account)
	}
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	r.Manifest = manifests.SHA256(data)
	marker := fmt.Sprintf("{\"run_id\":%q,\"manifest_sha256\":%q}\n", x.run.RunID, r.Manifest)
	objects := map[string][]byte{manifestObject: data, successObject: []byte(marker)}
	if x.signer != nil {
		if objects[signatureObject], err = x.signature(ctx, r.Manifest); err != nil {
			return nil, err
		}
	}
	for object, data := range objects {
		if _, err := x.target.Put(ctx, path.Join(x.stage, object), data, objstore.Any); err != nil {
			return nil, err
		}
	}
	// What is exported is in the registry before it is there.
	entry := &publish.Scope{RunID: x.run.RunID, To: r.To, MadeAt: doc.MadeAt, Accounts: r.Accounts, SHA256: r.Manifest}
	if err := x.out.Register(ctx, entry); err != nil {
		return nil, err
	}
	if err := x.target.Promote(ctx, x.stage, name, successObject, nil); err != nil {
		return nil, errors.Join(err, x.out.Unregister(context.WithoutCancel(ctx), entry))
	}
	return r, nil
}

// signature signs the digests of the manifest and of all parts.
func (x *exporter) signature(ctx context.Context, manifest string) ([]byte, error) {
	files := []attest.Subject{attest.File(manifestObject, manifest)}
	for _, a := range x.accounts {
		files = append(files, attest.File(a.Croissant.Path, a.Croissant.SHA256))
		for _, name := range slices.Sorted(maps.Keys(a.Datasets)) {
			for _, f := range a.Datasets[name].Files {
				files = append(files, attest.File(f.Path, f.SHA256))
			}
		}
	}
	return x.signer.Envelope(ctx, attest.ScopePredicate, map[string]any{"run_id": x.run.RunID, "program": x.run.Program.Name}, files)
}

// WriteText writes the answer as a table.
func (r *Result) WriteText(w io.Writer) error {
	t := job.NewTable(w)
	t.Row("data set", "records, by account")
	for _, name := range slices.Sorted(maps.Keys(r.Rows)) {
		t.Row(name, pages.Count(r.Rows[name]))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if n := len(r.LeftOut); n > 0 {
		fmt.Fprintf(w, "\nleft out: %s; _manifest/scope.json says which and why\n", pages.Count(int64(n)))
	}
	_, err := fmt.Fprintf(w, "\n%s scopes are in %s\n", pages.Count(int64(r.Accounts)), plain.Line(r.To))
	return err
}
