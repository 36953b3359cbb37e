package run

import (
	"context"
	"path"
	"time"

	"assent/job"
	"assent/job/internal/consent"
)

// A plan keeps the consent index beside its document, which names it. So shards and commit open it, and read no history,
// and the next night sees by it what has changed.

func indexDir(id string) string { return path.Join(planDir(id), "index") }

// keepIndex stores the plan's index, unless a plan that is the same is there with it. What
// another plan of the run has left is removed before.
func (r *runner) keepIndex(ctx context.Context, p *planned) error {
	have, _, err := readPlan(ctx, r.out.Store, p.RunID)
	if exit, _ := job.Explain(err); err != nil && exit != job.ExitUsage { // what is there may be of use
		return err
	}
	if err == nil && have != nil && have.Tool == p.Tool {
		p.Index = have.Index // the run's id says by which inputs it was made
		if there, err := have.Index.Present(ctx, r.out.Store, indexDir(p.RunID)); err != nil || there {
			return err
		}
	}
	if err := r.out.Store.RemoveAll(ctx, planDir(p.RunID)); err != nil {
		return err
	}
	begin := r.Now()
	if p.Index, err = p.index.Store(ctx, r.out.Store, indexDir(p.RunID)); err != nil {
		return err
	}
	r.Log.Info("index stored", "bytes", p.Index.Index.Bytes, "near_bytes", p.Index.Near.Bytes, "forms_bytes", p.Index.Forms.Bytes, "took", r.Now().Sub(begin).Round(time.Millisecond).String())
	return nil
}

// openLookup opens the plan's index for shards.
func (r *runner) openLookup(ctx context.Context, p *planned) (err error) {
	begin := r.Now()
	if p.lookup, err = consent.OpenLookup(ctx, r.out.Store, indexDir(p.RunID), p.Index, r.key); err != nil {
		return err
	}
	r.limitMemory(p.lookup.Heap)
	r.Log.Info("index opened", "accounts", p.lookup.Accounts(), "index_bytes", p.Index.Index.Bytes, "heap_bytes", p.lookup.Heap, "took", r.Now().Sub(begin).Round(time.Millisecond).String())
	return nil
}

// openListing opens the plan's index for commit.
func (r *runner) openListing(ctx context.Context, p *planned) (err error) {
	if p.lookup != nil { // the index is open
		p.listing, err = p.lookup.Listing(ctx, r.out.Store, indexDir(p.RunID), p.Index)
		return err
	}
	p.listing, err = consent.OpenListing(ctx, r.out.Store, indexDir(p.RunID), p.Index)
	return err
}
