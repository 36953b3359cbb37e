package runs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/holdings"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/manifests"
)

// PruneStatus says how a prune ended.
type PruneStatus string

// The ways in which a prune ends without an error.
const (
	NothingToPrune PruneStatus = "nothing_to_prune"
	ToPrune        PruneStatus = "to_prune" // it would remove something
	PruneDone      PruneStatus = "pruned"
)

// Pruned is the answer: what was removed, and what was kept for which reasons.
type Pruned struct {
	Status   PruneStatus     `json:"status"`
	Keep     int             `json:"keep"`
	Removed  []Removed       `json:"removed"`
	Kept     []Kept          `json:"kept"`
	Finished []string        `json:"finished"`          // ids of runs of which an interrupted prune had left a part
	Storage  *objstore.Terms `json:"storage,omitempty"` // what the removal means there
}

// Removed is a run that was removed, or would be.
type Removed struct {
	RunID    string    `json:"run_id"`
	URI      string    `json:"uri"`
	Horizon  time.Time `json:"consent_as_of"`
	RowsKept int64     `json:"rows_kept"`
}

// Kept is a run that stays.
type Kept struct {
	RunID   string    `json:"run_id"`
	URI     string    `json:"uri"`
	Horizon time.Time `json:"consent_as_of"`
	Reasons []string  `json:"reasons"`
}

// Why a run stays, beside "held by …".
const (
	isCurrent   = "current"
	isNewest    = "among the newest"
	holdsErased = "holds accounts that asked for deletion: `assent erase --apply` removes it and leaves a receipt"
	isDamaged   = "damaged: "
)

// Prune removes the oldest published runs but for the keep newest, or says which. It
// also finishes what an interrupted prune has left.
func Prune(ctx context.Context, e *job.Env, o Options, keep int, dryRun bool) (*Pruned, error) {
	if keep < 1 {
		return nil, job.UsageError("such as --keep 7", "--prune: how many runs are to stay?")
	}
	cfg, out, err := publish.Open(ctx, e, o.Config, o.Set)
	if err != nil {
		return nil, err
	}
	if err := out.CheckOwner(ctx); err != nil && !publish.Damaged(err) {
		return nil, err
	}
	holder, err := holdings.NewHolder(ctx, e, cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Deletions != nil && !holder.Knows() {
		_, err := config.SubjectKey(cfg)
		return nil, errors.Join(err, job.UsageError("a run that holds accounts that asked for deletion is for `assent erase`, which leaves a receipt",
			"the ledger of deletion requests cannot be read, so nothing was removed"))
	}
	p := &pruner{e, out, holder, keep}
	if dryRun {
		r, err := p.choose(ctx)
		if err == nil && len(r.Removed) > 0 {
			r.Status = ToPrune
		}
		return r, err
	}
	return p.apply(ctx)
}

type pruner struct {
	*job.Env
	out    *publish.Output
	holder *holdings.Holder
	keep   int
}

// apply removes under the output's lease: nothing is published, erased or pruned by
// others in between.
func (p *pruner) apply(ctx context.Context) (_ *Pruned, err error) {
	if dirs, err := p.out.Store.Dirs(ctx, ""); err != nil || len(dirs) == 0 {
		return p.nothing(), err // not even an output to lock
	}
	lease, err := objstore.Acquire(ctx, p.out.Store, publish.LeaseObject, objstore.Holder{Run: "prune"}, p.Lease)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	r, err := p.applyUnder(lease.Context(), lease)
	return r, job.Cause(lease.Context(), err)
}

func (p *pruner) applyUnder(ctx context.Context, lease *objstore.Lease) (*Pruned, error) {
	switch entry, err := p.out.UnfinishedErasure(ctx); {
	case err != nil:
		return nil, err
	case entry != "":
		return nil, job.Refused("finish it with `assent erase --apply`, then prune", "%s: an erasure was interrupted, and what it removes needs a receipt", entry)
	}
	finished, err := p.settle(ctx, lease)
	if err != nil {
		return nil, err
	}
	r, err := p.choose(ctx)
	if err != nil {
		return nil, err
	}
	r.Finished = finished
	chosen := r.Removed
	r.Removed = []Removed{}
	for i := len(chosen) - 1; i >= 0; i-- { // the oldest first
		kept, err := p.remove(ctx, lease, chosen[i])
		switch {
		case err != nil:
			return nil, err
		case kept != nil:
			r.Kept = append(r.Kept, *kept)
		default:
			r.Removed = append([]Removed{chosen[i]}, r.Removed...)
		}
	}
	if len(r.Removed)+len(finished) > 0 {
		r.Status = PruneDone
		terms, err := p.out.Store.Terms(ctx, p.Now())
		if err != nil {
			p.Log.Warn("what the removal means where the output lies is not known", "error", err)
		}
		r.Storage = &terms
	}
	if _, err := p.out.Holds(ctx, p.Now(), true); err != nil {
		return nil, err
	}
	return r, nil
}

// settle looks at what an interrupted prune has announced. A run that still has its
// marker is whole, and is chosen anew; of one that has not the rest goes.
func (p *pruner) settle(ctx context.Context, lease *objstore.Lease) ([]string, error) {
	dirs, err := p.out.Interrupted(ctx)
	if err != nil {
		return nil, err
	}
	finished := []string{}
	for _, dir := range dirs {
		run, _, err := p.out.Published(ctx, dir)
		if err != nil && !publish.Damaged(err) {
			return nil, err
		}
		if run != nil || err != nil {
			if err := p.out.Withdraw(ctx, dir); err != nil {
				return nil, err
			}
			continue
		}
		if err := errors.Join(lease.Confirm(ctx), ctx.Err()); err != nil {
			return nil, err
		}
		if err := p.out.RemoveRun(ctx, dir); err != nil {
			return nil, err
		}
		p.Log.Info("finished a removal that was interrupted", "run", dir)
		finished = append(finished, strings.TrimPrefix(dir, publish.RunPrefix))
	}
	return finished, nil
}

func (p *pruner) nothing() *Pruned {
	return &Pruned{Status: NothingToPrune, Keep: p.keep, Removed: []Removed{}, Kept: []Kept{}, Finished: []string{}}
}

// choose says what is to be removed and what stays.
func (p *pruner) choose(ctx context.Context) (*Pruned, error) {
	holds, err := p.out.Holds(ctx, p.Now(), false)
	if err != nil {
		return nil, err
	}
	runs, err := list(ctx, p.out, p.holder, holds)
	if err != nil {
		return nil, err
	}
	r := p.nothing()
	reasons := why(runs, p.keep)
	for i, run := range runs {
		if len(reasons[i]) > 0 {
			r.Kept = append(r.Kept, Kept{run.RunID, run.URI, run.Horizon, reasons[i]})
		} else {
			r.Removed = append(r.Removed, Removed{run.RunID, run.URI, run.Horizon, run.RowsKept})
		}
	}
	return r, nil
}

// why says for each run why it stays; a run without a reason goes. Runs that must not be
// used are not among the newest, so that as many good ones stay.
func why(runs List, keep int) [][]string {
	reasons := make([][]string, len(runs))
	for i, run := range runs {
		var of []string
		if run.Current {
			of = append(of, isCurrent)
		}
		if run.Problem == "" && keep > 0 {
			keep--
			of = append(of, isNewest)
		}
		for _, name := range run.HeldBy {
			of = append(of, "held by "+name)
		}
		if run.HoldsErased != nil && *run.HoldsErased {
			of = append(of, holdsErased)
		}
		if run.Problem != "" {
			of = append(of, isDamaged+run.Problem)
		}
		reasons[i] = of
	}
	return reasons
}

// remove removes a run, unless somebody has taken a hold on it since.
func (p *pruner) remove(ctx context.Context, lease *objstore.Lease, run Removed) (*Kept, error) {
	dir := publish.RunDir(run.RunID)
	if err := errors.Join(lease.Confirm(ctx), ctx.Err()); err != nil {
		return nil, err
	}
	tool := manifests.Tool{Name: "assent", Version: p.Version}
	if err := p.out.Announce(ctx, publish.Announcement{Run: dir, BegunAt: p.Now().UTC().Truncate(time.Second), Tool: tool}); err != nil {
		return nil, err
	}
	holds, err := p.out.Holds(ctx, p.Now(), false)
	if err != nil {
		return nil, errors.Join(err, p.out.Withdraw(ctx, dir))
	}
	if len(holds[dir]) > 0 {
		kept := &Kept{run.RunID, run.URI, run.Horizon, nil}
		for _, h := range holds[dir] {
			kept.Reasons = append(kept.Reasons, "held by "+h.Name)
		}
		return kept, p.out.Withdraw(ctx, dir)
	}
	if err := p.out.RemoveRun(ctx, dir); err != nil {
		return nil, err
	}
	p.Log.Info("pruned", "run", run.RunID)
	return nil, nil
}

// WriteText writes the answer as tables.
func (r *Pruned) WriteText(w io.Writer) error {
	if len(r.Kept)+len(r.Removed) > 0 {
		t := job.NewTable(w)
		t.Row("run", "horizon", "verdict", "why")
		row := func(id string, horizon time.Time, verdict, why string) {
			t.Row(id, horizon.Format("2006-01-02T15:04:05Z"), verdict, why)
		}
		for _, k := range r.Kept {
			row(k.RunID, k.Horizon, "kept", strings.Join(k.Reasons, "; "))
		}
		verdict := map[PruneStatus]string{ToPrune: "to remove", PruneDone: "removed"}[r.Status]
		for _, d := range r.Removed {
			row(d.RunID, d.Horizon, verdict, fmt.Sprintf("older than the %d newest", r.Keep))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for _, id := range r.Finished {
		fmt.Fprintf(w, "finished: the removal of %s, which was interrupted\n", id)
	}
	var err error
	switch r.Status {
	case NothingToPrune:
		_, err = fmt.Fprintln(w, "\nnothing to prune")
	case ToPrune:
		_, err = fmt.Fprintln(w, "\nnothing was removed: without --dry-run these are")
	case PruneDone:
		for _, sentence := range r.Storage.Meaning {
			if _, err = fmt.Fprintf(w, "\n%s\n", sentence); err != nil {
				return err
			}
		}
	}
	return err
}
