package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"

	"assent/filter"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/manifests"
)

// A run starts from the last published one. It takes a block of a file over from there, with what stands of it in the manifests,
// where the outcome is provably the same: the input file is the same, so are the rules, the key and the program; all moments of all
// records of the block lie before the horizon of both runs; and no account or contract that it names has another state than then, as
// far as what happened up to the latest of these moments goes (filter.Changed). None of this reads a row. Where all blocks of a file are
// taken over, its objects are, as they are; else a shard puts the file together from both kinds of blocks. Of a block that is decided
// anew the data is taken over where it keeps the rows that it kept: reasons alone have changed.

// earlier is the run to start from.
type earlier struct {
	*publish.Run
	objects    *objectsOfRun
	index      *filter.Stored
	content    *objstore.Content                // that index lies in
	footprints map[string]*manifests.Footprints // by data set
}

// earlier opens the run to start from, nil where there is none.
func (r *runner) earlier(ctx context.Context, plan *planned) (*earlier, error) {
	run, err := r.currentRun(ctx)
	if err != nil || run == nil || run.Index.Path == "" || !r.sameRules(run.Run, plan.PolicyDigest, plan.Pseudonyms) || run.ConsentAsOf.After(plan.Horizon.Time()) {
		return nil, err
	}
	e := &earlier{Run: run, footprints: map[string]*manifests.Footprints{}}
	if e.objects, err = r.objectsNow(ctx, run); err != nil {
		return nil, err
	}
	if err := e.objects.check(ctx, run.Index); err != nil {
		return nil, err
	}
	for name, d := range run.Datasets {
		if d.Footprints.Path == "" {
			return nil, nil
		}
		if err := e.objects.check(ctx, d.Footprints); err != nil {
			return nil, err
		}
		c, err := objstore.Load(ctx, r.out.Store, path.Join(run.Dir, d.Footprints.Path))
		if err != nil {
			return nil, err
		}
		e.footprints[name], err = readFootprints(c.Data)
		if err = errors.Join(err, c.Close()); err != nil {
			return nil, run.Fault(d.Footprints.Path, err)
		}
	}
	c, err := objstore.Load(ctx, r.out.Store, path.Join(run.Dir, run.Index.Path))
	if err != nil {
		return nil, err
	}
	e.content = c
	if e.index, err = filter.Open(c.Data); err != nil {
		return nil, errors.Join(run.Fault(run.Index.Path, fmt.Errorf("%w: %w", manifests.ErrManifest, err)), c.Close())
	}
	return e, nil
}

func readFootprints(data []byte) (*manifests.Footprints, error) {
	f, _, err := manifests.ReadFootprints(bytes.NewReader(data), int64(len(data)))
	return f, err
}

// sameRules reports whether an earlier run was made by the same program under the same rules and keys.
func (r *runner) sameRules(run *manifests.Run, policy, pseudonyms string) bool {
	return run.PolicyDigest == policy && run.PseudonymKey == pseudonyms && run.Tool.Version == r.Version && run.MadeUnder(r.key)
}

// takeOver marks in the plan what is taken over from the last published run. A run that is damaged is no reason to fail: this one
// then starts from nothing.
func (r *runner) takeOver(ctx context.Context, plan *planned) error {
	err := r.takeOverFrom(ctx, plan)
	if err != nil && publish.Damaged(err) {
		r.Log.Warn("the current run is not as it was published, so nothing is taken over from it", "error", err)
		for i := range plan.Datasets {
			plan.Datasets[i].Reuse = nil
		}
		return nil
	}
	return err
}

func (r *runner) takeOverFrom(ctx context.Context, plan *planned) (err error) {
	e, err := r.earlier(ctx, plan)
	if err != nil || e == nil {
		return err
	}
	defer func() { err = errors.Join(err, e.content.Close()) }()
	plan.earlier = e.Run
	x := plan.lookup.Stored
	if e.index.HasRegistry() != x.HasRegistry() {
		return nil
	}
	accounts, contracts := filter.Changed(e.index, x, e.index.Policy().Horizon)
	e.content.Unload() // of a large history it takes as much memory as the plan's own index, and only its policy is asked for from here on
	files, taken, parts := 0, 0, 0
	for i := range plan.Datasets {
		c := &comparison{earlier: e, plan: plan, d: &plan.Datasets[i], workers: r.options.Workers, warn: r.Log.Warn}
		reuse, footprints, err := c.dataset(ctx, accounts, contracts)
		if err != nil {
			return err
		}
		files += len(c.d.Files)
		if reuse == nil {
			continue
		}
		if footprints != nil {
			if err := r.keepTaken(ctx, plan, i, reuse, footprints); err != nil {
				return err
			}
		}
		c.d.Reuse = reuse
		taken += len(reuse.Result.Files)
		parts += len(reuse.Parts)
	}
	r.Log.Info("taken over from the current run", "run", e.RunID, "files", taken, "of", files, "files_in_part", parts, "accounts_changed", len(accounts), "contracts_changed", len(contracts))
	return nil
}

// reusedFrom says of each file that is taken over from which run.
func (p *Plan) reusedFrom() map[string]string {
	from := map[string]string{}
	for i := range p.Datasets {
		if reuse := p.Datasets[i].Reuse; reuse != nil {
			for j := range reuse.Result.Files {
				from[reuse.Result.Files[j].Output] = reuse.Run
			}
		}
	}
	return from
}

// reusedRowGroups counts the row groups that are taken over of each file that is done anew otherwise.
func (p *Plan) reusedRowGroups() map[string]int {
	groups := map[string]int{}
	for i := range p.Datasets {
		d := &p.Datasets[i]
		if d.Reuse == nil {
			continue
		}
		for j := range d.Reuse.Parts {
			part := &d.Reuse.Parts[j]
			for k := range part.Blocks {
				b := &part.Blocks[k].Facts
				groups[path.Join(d.Name, part.Source)] += b.To - b.From
			}
		}
	}
	return groups
}

// reused sums up what is taken over; nil where nothing is.
func (p *Plan) reused() *manifests.Reused {
	sum := &manifests.Reused{RunID: p.earlierRun(), Files: len(p.reusedFrom())}
	for _, n := range p.reusedRowGroups() {
		sum.RowGroups += n
	}
	if sum.RunID == "" {
		return nil
	}
	return sum
}
