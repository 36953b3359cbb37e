// Package erase removes published runs that hold accounts which asked for deletion. A
// request is retroactive: a run that was published before it may hold the account.
//
//   - entry: what an erasure removes, and why. It is written before anything is removed.
//   - receipt: says that all of it is gone. An entry without a receipt is unfinished; the
//     next erasure goes on with it.
//   - evidence: what is kept of a removed run: counts and digests.
//   - unchecked: a run of which it cannot be said whom it holds.
//
// What is where:
//
//	<output>/_erased/
//	  <receipt id>/entry.json
//	  <receipt id>/receipt.json
//	  <receipt id>/receipt.html    the same, to read
//	  <receipt id>/receipt.intoto.jsonl    the signature of these, where a key is configured
//	  run=<id>/                    run.json, daily.csv, report.html and _SUCCESS, as evidence
//
// None of it holds an account id. Accounts stand there by their references.
package erase

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"assent/job"
	"assent/job/internal/attest"
	"assent/job/internal/config"
	"assent/job/internal/holdings"
	"assent/job/internal/objstore"
	"assent/job/internal/pages"
	"assent/job/internal/publish"
	"assent/job/plain"
	"assent/manifests"
)

// Options configure an erasure.
// The tags are those of the command line.
type Options struct {
	Config string   `short:"c" required:"" placeholder:"FILE" help:"${config}"`
	Set    []string `placeholder:"KEY=VALUE" sep:"none" help:"${set}"`
	Apply  bool     `help:"Remove the runs and leave a receipt."`
}

// Status says how erase ended.
type Status string

// The ways in which erase ends without an error.
const (
	NothingToErase Status = "nothing_to_erase"
	ToErase        Status = "to_erase" // Apply would remove something
	Erased         Status = "erased"
)

// Result is the answer.
type Result struct {
	Status     Status             `json:"status"`
	Requests   int                `json:"requests"`   // accounts with a deletion request
	Runs       []holdings.HeldRun `json:"runs"`       // that hold some of them, or held: newest horizon first
	Incomplete []string           `json:"incomplete"` // directories of runs that were never finished, or half removed: whom they hold is not known
	Unchecked  []UncheckedRun     `json:"unchecked"`
	Unfinished []string           `json:"unfinished"` // receipt ids of erasures that were interrupted
	Receipts   []string           `json:"receipts"`   // URIs of those written now
	Scopes     []publish.Scope    `json:"scopes"`     // that were exported from Runs, see `assent scope`; they are not removed
	NotCovered []string           `json:"not_covered"`
	Storage    *objstore.Terms    `json:"storage,omitempty"` // of the last receipt
}

// UncheckedRun is a run of which it cannot be said whom it holds.
type UncheckedRun struct {
	RunID   string `json:"run_id"`
	URI     string `json:"uri"`
	Problem string `json:"problem"`
}

// notCovered is what erase does not reach, as answers and receipts say it.
var notCovered = []string{
	"copies that were downloaded or exported from the runs",
	"models trained on them, with their checkpoints, caches and indexes",
	"backups, snapshots and replicas of the storage",
	"earlier versions of the objects and soft-deleted ones, until the storage drops them",
	"what an unfinished run has staged, which the next run removes",
	"the inputs: the platform's tables and the snapshots made of them",
}

// eraser is one erasure, or the search before it.
type eraser struct {
	*job.Env
	cfg      *config.Config
	key      *manifests.Key
	out      *publish.Output
	signer   *attest.Signer // nil: receipts are not signed
	requests *holdings.Requests
}

// Run says which published runs hold accounts with a deletion request and, with Apply,
// removes these runs and leaves a receipt. See Result.Complaint for what keeps it from a
// clean answer.
func Run(ctx context.Context, e *job.Env, o Options) (*Result, error) {
	cfg, out, err := publish.Open(ctx, e, o.Config, o.Set)
	if err != nil {
		return nil, err
	}
	if cfg.Deletions == nil {
		return nil, job.UsageError("name the ledger of deletion requests under inputs.deletions", "%s: no deletion requests are configured, so there is nothing to look for", cfg.File)
	}
	key, err := config.SubjectKey(cfg)
	if err != nil {
		return nil, err
	}
	if err := out.CheckOwner(ctx); err != nil && !publish.Damaged(err) {
		return nil, err
	}
	x := &eraser{Env: e, cfg: cfg, key: key, out: out}
	if x.signer, err = config.SigningKey(cfg); err != nil {
		return nil, err
	}
	if x.requests, err = holdings.LoadRequests(ctx, e, cfg, key); err != nil {
		return nil, err
	}
	if o.Apply {
		return x.apply(ctx)
	}
	r, err := x.survey(ctx)
	if err != nil {
		return nil, err
	}
	unfinished, err := x.unfinished(ctx)
	for _, entry := range unfinished {
		r.Unfinished = append(r.Unfinished, entry.ReceiptID)
	}
	if len(r.Unfinished) > 0 || r.found() {
		r.Status = ToErase
	}
	return r, err
}

func (r *Result) found() bool { return len(r.Runs)+len(r.Incomplete) > 0 }

// Complaint is an error where something of the output could not be judged, so that
// nobody takes the answer for the whole. It is for beside the answer.
func (r *Result) Complaint() error {
	if len(r.Unchecked) == 0 {
		return nil
	}
	u := r.Unchecked[0]
	return job.Refused("a run under another key is checked with that key (--set subject_key_file=…); a damaged one is yours to remove",
		"%d published run(s) could not be checked for erased accounts; the first is %s: %s", len(r.Unchecked), u.RunID, u.Problem)
}

// answer is what erase says where there is nothing.
func (x *eraser) answer() *Result {
	return &Result{
		Status: NothingToErase, Requests: x.requests.Accounts, NotCovered: notCovered,
		Runs: []holdings.HeldRun{}, Incomplete: []string{}, Unchecked: []UncheckedRun{}, Unfinished: []string{}, Receipts: []string{}, Scopes: []publish.Scope{},
	}
}

// survey looks for the accounts in every run of the output.
func (x *eraser) survey(ctx context.Context) (*Result, error) {
	r := x.answer()
	if len(x.requests.Refs) == 0 {
		return r, nil
	}
	current, err := x.out.Current(ctx)
	if err != nil {
		return nil, err
	}
	dirs, err := x.out.Store.Dirs(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		id, ok := strings.CutPrefix(dir, publish.RunPrefix)
		if !ok || !publish.CompleteID.MatchString(id) {
			continue
		}
		if err := x.surveyRun(ctx, r, id, current != nil && current.Run == dir); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(r.Runs, func(a, b holdings.HeldRun) int { return b.Horizon.Compare(a.Horizon) })
	return r, nil
}

// surveyRun looks for the accounts in one run and adds what it finds to the answer.
func (x *eraser) surveyRun(ctx context.Context, r *Result, id string, current bool) error {
	uri := x.out.Store.URI(publish.RunDir(id))
	run, err := x.out.FindRun(ctx, publish.RunDir(id))
	if err == nil && run == nil {
		r.Incomplete = append(r.Incomplete, uri)
		return nil
	}
	if err == nil && !run.MadeUnder(x.key) {
		err = errOtherKey
	}
	var held *holdings.HeldRun
	if err == nil {
		held, err = x.requests.Held(ctx, run)
	}
	if err != nil && publish.Damaged(err) && ctx.Err() == nil {
		r.Unchecked = append(r.Unchecked, UncheckedRun{id, uri, err.Error()})
		return nil
	}
	if held != nil {
		held.Current = current
		r.Runs = append(r.Runs, *held)
		scopes, err := x.out.Scopes(ctx, id)
		if err != nil {
			return err
		}
		r.Scopes = append(r.Scopes, scopes...)
	}
	return err
}

// errOtherKey means that a run's references cannot be compared.
var errOtherKey = job.Refused("", "its references were made under another key than the configured one")

// shownSubjects is how many accounts the table names for each run.
const shownSubjects = 20

// WriteText writes what was found and done as a page.
func (r *Result) WriteText(w io.Writer) error {
	b := new(strings.Builder)
	if len(r.Runs) > 0 {
		t := job.NewTable(b)
		t.Row("run", "horizon", "accounts", "kept rows", "files", "current")
		for _, run := range r.Runs {
			current := ""
			if run.Current {
				current = "current"
			}
			t.Row(run.RunID, run.Horizon.Format("2006-01-02T15:04:05Z"), pages.Count(int64(run.Accounts)), pages.Count(run.KeptRows), pages.Count(int64(len(run.Files))), current)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for _, run := range r.Runs {
		fmt.Fprintf(b, "\n%s holds\n", run.RunID)
		t := job.NewTable(b)
		t.Row("  account", "request", "kept rows")
		for _, s := range run.Subjects[:min(len(run.Subjects), shownSubjects)] {
			t.Row("  "+s.Ref, strings.Join(s.Requests, ", "), pages.Count(s.KeptRows))
		}
		if err := t.Flush(); err != nil {
			return err
		}
		if more := len(run.Subjects) - shownSubjects; more > 0 {
			fmt.Fprintf(b, "  and %s more, which --json lists\n", pages.Count(int64(more)))
		}
	}
	list := func(title string, lines []string) {
		if len(lines) > 0 {
			fmt.Fprintf(b, "\n%s:\n", title)
		}
		for _, line := range lines {
			fmt.Fprintf(b, "  %s\n", plain.Line(line))
		}
	}
	list("never finished, or half removed", r.Incomplete)
	var unchecked []string
	for _, u := range r.Unchecked {
		unchecked = append(unchecked, u.URI+": "+u.Problem)
	}
	list("COULD NOT BE CHECKED", unchecked)
	list("begun and not finished; --apply goes on with", r.Unfinished)
	list("exported from these runs, and yours to remove", scopeLines(r.Scopes))
	list("receipts", r.Receipts)
	if r.Storage != nil {
		list("the storage", r.Storage.Meaning)
	}
	if r.Status != NothingToErase {
		list("not covered", r.NotCovered)
	}
	fmt.Fprintf(b, "\n%s\n", r.sentence())
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

func scopeLines(scopes []publish.Scope) (lines []string) {
	for _, s := range scopes {
		lines = append(lines, fmt.Sprintf("%s, of %s accounts, on %s", s.To, pages.Count(int64(s.Accounts)), pages.Day(s.MadeAt)))
	}
	return lines
}

func (r *Result) sentence() string {
	switch r.Status {
	case Erased:
		return "erased: what is listed above is no longer in the output"
	case ToErase:
		return "nothing was removed: `assent erase --apply` removes what is listed above"
	}
	return fmt.Sprintf("no published run that could be checked holds any of the %s accounts with a deletion request", pages.Count(int64(r.Requests)))
}
