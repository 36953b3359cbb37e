package run

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"time"

	"assent/job"
	"assent/job/internal/consent"
	"assent/job/internal/publish"
)

// A plan keeps the consent index beside its document, which names it. So shards and commit open it, and read no history,
// and the next night sees by it what has changed.

func indexDir(id string) string { return path.Join(planDir(id), "index") }

// keepIndex stores the plan's index, unless a plan that is the same is there with it. What
// another plan of the run has left is removed before. there says whether there may be any of it.
func (r *runner) keepIndex(ctx context.Context, p *planned, there bool) (err error) {
	if there {
		if there, err = r.indexThere(ctx, p); there || err != nil {
			return err
		}
	}
	begin := r.Now()
	if p.Index, err = p.index.Store(ctx, r.out.Store, indexDir(p.RunID)); err != nil {
		return err
	}
	r.Log.Info("index stored", "bytes", p.Index.Index.Bytes, "near_bytes", p.Index.Near.Bytes, "forms_bytes", p.Index.Forms.Bytes, "took", r.Now().Sub(begin).Round(time.Millisecond).String())
	return nil
}

// indexThere reports whether the plan's index is there. If not, it removes what is there.
func (r *runner) indexThere(ctx context.Context, p *planned) (bool, error) {
	have, _, err := readPlan(ctx, r.out.Store, p.RunID)
	if exit, _ := job.Explain(err); err != nil && exit != job.ExitUsage { // what is there may be of use
		return false, err
	}
	if err == nil && have != nil && have.Tool == p.Tool {
		p.Index = have.Index // the run's id says by which inputs it was made
		if there, err := have.Index.Present(ctx, r.out.Store, indexDir(p.RunID)); err != nil || there {
			return there, err
		}
	}
	return false, r.out.Store.RemoveAll(ctx, planDir(p.RunID))
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

// While a plan waits for its shards and for commit, it holds the run that it takes files over from: nobody prunes it then. The hold
// goes with the plan, when commit or a later plan removes that. Where nobody comes back, it ends by itself.

// holdFor is for how long a plan holds the earlier run: no night lasts as long.
const holdFor = 7 * 24 * time.Hour

// holdName is the name of the hold of a plan.
func holdName(id string) string { return "plan-" + id }

// holdEarlier holds the run that the plan takes over from, if there is one.
func (r *runner) holdEarlier(ctx context.Context, p *Plan) error {
	id := p.earlierRun()
	if id == "" {
		return nil
	}
	_, err := r.out.TakeHold(ctx, r.Now(), holdName(p.RunID), publish.RunDir(id), holdFor)
	return err
}

// earlierRun is the id of the run that files are taken over from; empty where none are.
func (p *Plan) earlierRun() string {
	for i := range p.Datasets {
		if reuse := p.Datasets[i].Reuse; reuse != nil {
			return reuse.Run
		}
	}
	return ""
}

// openEarlierRun returns what opens the run that blocks are taken over from, once for all shards.
func (r *runner) openEarlierRun(ctx context.Context, p *planned) func() (*publish.Run, error) {
	return sync.OnceValues(func() (*publish.Run, error) {
		if p.earlier != nil {
			return p.earlier, nil
		}
		dir := publish.RunDir(p.earlierRun())
		run, err := r.out.FindRun(ctx, dir)
		if err == nil && run == nil {
			err = fmt.Errorf("%s: %w", r.out.Store.URI(dir), fs.ErrNotExist)
		}
		return run, err
	})
}

// releaseEarlier ends the hold of a plan that is over. That there is none is as well.
func (r *runner) releaseEarlier(ctx context.Context, id string) error {
	_, err := r.out.ReleaseHold(ctx, holdName(id))
	return err
}
