// Package requests is the verb requests: it holds the ledger of deletion requests against
// the published runs and says of each request how far it is.
//
//   - held: a run keeps records that name the account.
//   - honoured in a run: the run was made from a ledger that reaches to the request or
//     further, and neither it nor a later run holds the account.
//   - age: whole days since the request.
//
// It works from manifests, the key and the ledger. The data that the runs were made from
// may be gone.
package requests

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/holdings"
	"assent/job/internal/pages"
	"assent/job/internal/publish"
	"assent/job/internal/receipt"
	"assent/job/plain"
	"assent/manifests"
)

// Options name the configuration, whose output is looked at.
// The tags are those of the command line.
type Options struct {
	Config  string   `short:"c" required:"" placeholder:"FILE" help:"${config}"`
	Set     []string `placeholder:"KEY=VALUE" sep:"none" help:"${set}"`
	Waiting bool     `help:"Those alone that still wait for something."`
}

// State says how far a request is.
type State string

// The states.
const (
	WaitsForRun   State = "waits_for_run"   // no run applies it yet, or the current run holds the account
	WaitsForErase State = "waits_for_erase" // the current run is free of the account; an older one holds it
	Honoured      State = "honoured"        // no published run holds the account
)

// Request is a request of the ledger and how far it is.
type Request struct {
	State   State           `json:"state"`
	Request string          `json:"request_id"`
	Account string          `json:"account"` // its reference
	At      *time.Time      `json:"requested_at"`
	Age     *int            `json:"age_days"`
	Due     string          `json:"due,omitempty"` // the last day of one month after it, see package receipt
	Overdue bool            `json:"overdue"`       // it waits, and the day is over
	Since   *Since          `json:"honoured_since"`
	HeldBy  []string        `json:"held_by"` // run ids, the newest first
	Erased  []ErasedHolding `json:"erased"`  // runs that held the account and were removed
}

// Since is the first run in which a request is honoured.
type Since struct {
	RunID string    `json:"run_id"`
	At    time.Time `json:"finished_at"`
}

// ErasedHolding is a removed run that held the account.
type ErasedHolding struct {
	RunID     string    `json:"run_id"`
	ReceiptID string    `json:"receipt_id"`
	At        time.Time `json:"removed_at"`
}

// Result is the answer.
type Result struct {
	Program   string         `json:"program"`
	CheckedAt time.Time      `json:"checked_at"`
	Counts    map[State]int  `json:"counts"`
	Overdue   int            `json:"overdue"`
	Requests  []Request      `json:"requests"` // those that wait first, the oldest first
	Unchecked []UncheckedRun `json:"unchecked"`
	waiting   bool           // Requests are those alone that wait
	now       time.Time      // with its fraction
	erased    map[string][]ErasedHolding
}

// UncheckedRun is a run of which it cannot be said whom it holds.
type UncheckedRun struct {
	RunID   string `json:"run_id"`
	Problem string `json:"problem"`
}

// heldRun is a published run with the references that it holds.
type heldRun struct {
	*publish.Run
	current bool
	holds   map[string]bool
}

// Run answers. See Result.Complaint for what keeps it from a clean answer.
func Run(ctx context.Context, e *job.Env, o Options) (*Result, error) {
	cfg, out, err := publish.Open(ctx, e, o.Config, o.Set)
	if err != nil {
		return nil, err
	}
	if cfg.Deletions == nil {
		return nil, job.UsageError("name the ledger of deletion requests under inputs.deletions", "%s: no deletion requests are configured", cfg.File)
	}
	key, err := config.SubjectKey(cfg)
	if err != nil {
		return nil, err
	}
	if err := out.CheckOwner(ctx); err != nil && !publish.Damaged(err) {
		return nil, err
	}
	ledger, err := holdings.LoadRequests(ctx, e, cfg, key)
	if err != nil {
		return nil, err
	}
	now := e.Now().UTC()
	r := &Result{
		Program: cfg.Program.Name, CheckedAt: now.Truncate(time.Second), now: now, waiting: o.Waiting,
		Counts: map[State]int{WaitsForRun: 0, WaitsForErase: 0, Honoured: 0}, Requests: []Request{}, Unchecked: []UncheckedRun{},
	}
	runs, err := r.survey(ctx, out, key, ledger)
	if err != nil {
		return nil, err
	}
	if r.erased, err = readReceipts(ctx, out); err != nil {
		return nil, err
	}
	for _, account := range ledger.All() {
		for _, asked := range account.Requests {
			r.add(account, asked, runs)
		}
	}
	slices.SortStableFunc(r.Requests, func(a, b Request) int {
		return cmp.Or(cmp.Compare(a.State.order(), b.State.order()), compareTimes(a.At, b.At), cmp.Compare(a.Request, b.Request))
	})
	return r, nil
}

func (s State) order() int { return slices.Index([]State{WaitsForRun, WaitsForErase, Honoured}, s) }

func compareTimes(a, b *time.Time) int {
	if a == nil || b == nil {
		return map[bool]int{true: 0, false: 1}[a == nil] - map[bool]int{true: 0, false: 1}[b == nil] // without a time first
	}
	return a.Compare(*b)
}

// survey finds out whom each published run holds. The runs come in the order in which they
// were finished.
func (r *Result) survey(ctx context.Context, out *publish.Output, key *manifests.Key, ledger *holdings.Requests) ([]*heldRun, error) {
	current, err := out.Current(ctx)
	if err != nil {
		return nil, err
	}
	dirs, err := out.Store.Dirs(ctx, "")
	if err != nil {
		return nil, err
	}
	var all []*heldRun
	for _, dir := range dirs {
		id, ok := strings.CutPrefix(dir, publish.RunPrefix)
		if !ok || !publish.CompleteID.MatchString(id) {
			continue
		}
		run, err := out.FindRun(ctx, dir)
		if err == nil && run == nil {
			err = job.Refused("", "it was never finished, or is half removed")
		} else if err == nil && !run.MadeUnder(key) {
			err = job.Refused("", "its references were made under another key than the configured one")
		}
		var held *holdings.HeldRun
		if err == nil {
			held, err = ledger.Held(ctx, run)
		}
		if err != nil && publish.Damaged(err) && ctx.Err() == nil {
			r.Unchecked = append(r.Unchecked, UncheckedRun{id, err.Error()})
			continue
		}
		if err != nil {
			return nil, err
		}
		h := &heldRun{Run: run, current: current != nil && current.Run == dir, holds: map[string]bool{}}
		if held != nil {
			for _, s := range held.Subjects {
				h.holds[s.Ref] = true
			}
		}
		all = append(all, h)
	}
	slices.SortStableFunc(all, func(a, b *heldRun) int { return a.Invocation.FinishedAt.Compare(b.Invocation.FinishedAt) })
	return all, nil
}

// readReceipts reads which runs were removed for whom, by reference.
func readReceipts(ctx context.Context, out *publish.Output) (map[string][]ErasedHolding, error) {
	objects, err := out.Store.List(ctx, publish.ErasedDir)
	if err != nil {
		return nil, err
	}
	erased := map[string][]ErasedHolding{}
	for _, o := range objects {
		if path.Base(o.Name) != publish.ReceiptObject {
			continue
		}
		data, _, err := out.Store.Read(ctx, o.Name)
		if err != nil {
			return nil, err
		}
		var r struct {
			ReceiptID string    `json:"receipt_id"`
			RemovedAt time.Time `json:"removed_at"`
			Runs      []struct {
				RunID    string `json:"run_id"`
				Subjects []struct {
					Ref string `json:"ref"`
				} `json:"subjects"`
			} `json:"runs"`
		}
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, job.Refused("restore the receipt, or move it out of the output", "%s: %w", out.Store.URI(o.Name), err)
		}
		for _, run := range r.Runs {
			for _, s := range run.Subjects {
				erased[s.Ref] = append(erased[s.Ref], ErasedHolding{run.RunID, r.ReceiptID, r.RemovedAt})
			}
		}
	}
	return erased, nil
}

// add says how far a request of an account is.
func (r *Result) add(account holdings.Asked, asked holdings.Request, runs []*heldRun) {
	q := Request{Request: asked.ID, Account: account.Refs[0].String(), At: asked.At, HeldBy: []string{}, Erased: []ErasedHolding{}}
	heldByCurrent := false
	for _, run := range runs {
		if slices.ContainsFunc(account.Refs, func(ref manifests.Ref) bool { return run.holds[ref.String()] }) {
			q.HeldBy = append(q.HeldBy, run.RunID)
			q.Since = nil
			heldByCurrent = heldByCurrent || run.current
		} else if to := run.RequestsAsOf; q.Since == nil && to != nil && (asked.At == nil || !to.Before(*asked.At)) {
			q.Since = &Since{run.RunID, run.Invocation.FinishedAt}
		}
	}
	slices.Reverse(q.HeldBy)
	for _, ref := range account.Refs {
		q.Erased = append(q.Erased, r.erased[ref.String()]...)
	}
	switch {
	case q.Since == nil || heldByCurrent:
		q.State = WaitsForRun
	case len(q.HeldBy) > 0:
		q.State = WaitsForErase
	default:
		q.State = Honoured
	}
	if asked.At != nil {
		age, due := receipt.Days(*asked.At, r.now), receipt.Due(*asked.At)
		q.Age, q.Due = &age, due.Format(time.DateOnly)
		q.Overdue = q.State != Honoured && !r.now.Before(due.AddDate(0, 0, 1))
	}
	r.Counts[q.State]++
	if q.Overdue {
		r.Overdue++
	}
	if q.State != Honoured || !r.waiting {
		r.Requests = append(r.Requests, q)
	}
}

// Complaint is an error where a run could not be judged, so that nobody takes the answer
// for the whole. It is for beside the answer.
func (r *Result) Complaint() error {
	if len(r.Unchecked) == 0 {
		return nil
	}
	u := r.Unchecked[0]
	return job.Refused("a run under another key is checked with that key (--set subject_key_file=…); `assent erase --apply` removes one that was never finished; a damaged one is yours to remove",
		"%d published run(s) could not be checked for erased accounts; the first is %s: %s", len(r.Unchecked), u.RunID, u.Problem)
}

// shownRequests is how many requests the table lists.
const shownRequests = 50

// WriteText writes the answer as a table.
func (r *Result) WriteText(w io.Writer) error {
	t := job.NewTable(w)
	t.Row("request", "account", "requested", "age", "due", "state", "honoured since", "held by")
	for _, q := range r.Requests[:min(len(r.Requests), shownRequests)] {
		requested, age, since, state, due := "not known", "", "", strings.ReplaceAll(string(q.State), "_", " "), q.Due
		if q.At != nil {
			requested, age = q.At.Format(time.DateOnly), fmt.Sprintf("%d d", *q.Age)
		}
		if q.Overdue {
			due += " OVERDUE"
		}
		if q.Since != nil && q.State != WaitsForRun {
			since = q.Since.RunID + ", " + q.Since.At.Format(time.DateOnly)
		}
		t.Row(plain.Line(q.Request), q.Account, requested, age, due, state, since, strings.Join(q.HeldBy, " "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if more := len(r.Requests) - shownRequests; more > 0 {
		fmt.Fprintf(w, "and %s more, which --json lists\n", pages.Count(int64(more)))
	}
	for i, u := range r.Unchecked {
		if i == 0 {
			fmt.Fprintf(w, "\nCOULD NOT BE CHECKED:\n")
		}
		fmt.Fprintf(w, "  %s: %s\n", u.RunID, plain.Line(u.Problem))
	}
	count := func(s State) string { return pages.Count(int64(r.Counts[s])) }
	_, err := fmt.Fprintf(w, "\n%s honoured, %s wait for `assent run`, %s wait for `assent erase --apply`; %s of these overdue (one month, Article 12(3) GDPR)\n",
		count(Honoured), count(WaitsForRun), count(WaitsForErase), pages.Count(int64(r.Overdue)))
	return err
}
