package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"assent/job"
	"assent/job/internal/consent"
	"assent/job/internal/objstore"
	"assent/manifests"
	"assent/schema"
)

// footprint returns what the file's blocks that were decided leave behind for a later run. It comes when all rows are written.
func (w *fileWork) footprint() *manifests.Footprints {
	f := &manifests.Footprints{Accounts: manifests.SortNamed(append(w.accounts.named, w.accounts.names()...))}
	facts := manifests.FileFacts{Source: w.in.Rel, LeftOut: w.leftOut, NoContracts: w.index.Restricted() == 0}
	for i := range w.blocks {
		if b := &w.blocks[i]; b.taken == nil {
			for _, c := range w.pairs[len(facts.Blocks)] {
				f.Contracts = append(f.Contracts, c)
				f.Pairs = append(f.Pairs, manifests.ContractBlock{Key: c.Key, Block: uint32(len(facts.Blocks))})
			}
			facts.Blocks = append(facts.Blocks, b.facts)
		}
	}
	f.Contracts = manifests.SortNamed(f.Contracts)
	f.Files = []manifests.FileFacts{facts}
	return f
}

// footprints gathers those of a data set's files. Safe for concurrent use.
type footprints struct {
	mu      sync.Mutex
	all     manifests.Footprints
	compact int // names after the last sort
}

func (f *footprints) add(of *manifests.Footprints) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all.Add(of)
	const least = 1 << 16
	if n := len(f.all.Accounts) + len(f.all.Contracts); n > f.compact+f.compact/2+least { // most files name the same accounts
		f.all.Accounts, f.all.Contracts = manifests.SortNamed(f.all.Accounts), manifests.SortNamed(f.all.Contracts)
		f.compact = len(f.all.Accounts) + len(f.all.Contracts)
	}
}

// stagedFootprints is the name of a data set's footprints in an attempt.
func stagedFootprints(stage string, dataset int) string {
	return path.Join(stage, fmt.Sprintf("%d.footprints", dataset))
}

// stageFootprints writes the footprints of the shard's files.
func (s *shard) stageFootprints(ctx context.Context, datasets []*dataset) error {
	for i, d := range datasets {
		f := &d.footprints.all
		if len(f.Files) == 0 {
			continue
		}
		if err := writeFootprints(ctx, s.stage, stagedFootprints(s.prefix, i), d.Dataset, f); err != nil {
			return err
		}
	}
	return nil
}

// footprintsOf returns the footprints of a data set's files: of those that shards have worked on, and of those that were taken over.
// staged is what was staged, by name.
func (r *runner) footprintsOf(ctx context.Context, plan *planned, dataset int, results []*ShardResult, staged map[string]objstore.Object) (*manifests.Footprints, error) {
	var f footprints
	if reuse := plan.Datasets[dataset].Reuse; reuse != nil && plan.taken[dataset] != nil {
		f.all = *plan.taken[dataset] // nobody else needs it any more
	} else if reuse != nil {
		name, err := takenFootprints(plan.RunID, reuse)
		if err != nil {
			return nil, err
		}
		taken, err := r.loadFootprints(ctx, objstore.Object{Name: name})
		if errors.Is(err, fs.ErrNotExist) {
			err = errNotKept
		}
		if err != nil {
			return nil, err
		}
		f.add(taken)
	}
	var parts []objstore.Object
	for _, result := range results {
		if len(result.Datasets[dataset].Files) > 0 {
			name := stagedFootprints(result.Stage, dataset)
			o := staged[name]
			o.Name = name // also of one that is not there
			parts = append(parts, o)
		}
	}
	for len(parts) > 0 {
		now := parts[:partsAtATime(parts)]
		parts = parts[len(now):]
		loaded := make([]*manifests.Footprints, len(now))
		g, gctx := errgroup.WithContext(ctx)
		for i, o := range now {
			g.Go(func() (err error) {
				loaded[i], err = r.loadFootprints(gctx, o)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		for _, part := range loaded {
			f.add(part)
		}
	}
	f.all.Sort()
	return &f.all, nil
}

// partsAtATime is how many of some parts of footprints are read next: few, as each may name all accounts, but many small ones.
func partsAtATime(parts []objstore.Object) (n int) {
	const few, small = 8, 4 << 20 // bytes
	for bytes := int64(0); n < min(atATime, len(parts)); n++ {
		if bytes += parts[n].Size; n >= few && bytes > small {
			break
		}
	}
	return n
}

// loadFootprints reads footprints that were listed, or, where they have no generation, those with the name.
func (r *runner) loadFootprints(ctx context.Context, o objstore.Object) (f *manifests.Footprints, err error) {
	var c *objstore.Content
	if o.Generation != "" {
		c, err = objstore.LoadListed(ctx, r.out.Store, o)
	} else {
		c, err = objstore.Load(ctx, r.out.Store, o.Name)
	}
	if err != nil {
		return nil, err
	}
	f, err = readFootprints(c.Data)
	if err = errors.Join(err, c.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", r.out.Store.URI(o.Name), err)
	}
	return f, nil
}

// errNotKept says that the process which planned has ended without a commit, and had kept footprints in its memory.
var errNotKept = &job.Error{
	Exit: job.ExitFailed, Hint: "run again, or plan again: shards that are done stay done",
	Err: errors.New("the plan is of a run in one process, which has not left what a commit by another process needs"),
}

// takenFootprints is the name of the footprints of a data set's files that are taken over. It is beside the index, as it is
// made by the plan. It says what is taken over: footprints of another plan of the same run are never read in their place.
func takenFootprints(id string, reuse *Reuse) (string, error) {
	data, err := json.Marshal(reuse)
	return path.Join(indexDir(id), manifests.SHA256(data)[:16]+".footprints"), err
}

// keepTaken keeps the footprints of a data set's files that are taken over: in memory where this process commits, and they are small.
func (r *runner) keepTaken(ctx context.Context, plan *planned, dataset int, reuse *Reuse, f *manifests.Footprints) error {
	const small = 1 << 18 // names and pairs, of 24 bytes at most
	if plan.alone && len(f.Accounts)+len(f.Contracts)+len(f.Pairs) <= small {
		if plan.taken == nil {
			plan.taken = map[int]*manifests.Footprints{}
		}
		plan.taken[dataset] = f
		return nil
	}
	name, err := takenFootprints(plan.RunID, reuse)
	if err != nil {
		return err
	}
	return writeFootprints(ctx, r.out.Store, name, &plan.Datasets[dataset], f)
}

// writeFootprints sorts footprints and writes them.
func writeFootprints(ctx context.Context, store objstore.Store, name string, d *Dataset, f *manifests.Footprints) error {
	f.Sort()
	o, err := store.Create(ctx, name)
	if err != nil {
		return err
	}
	defer o.Abort()
	if err := f.Write(o, manifests.Meta{Dataset: d.Name, Roles: d.RoleNames()}); err != nil {
		return err
	}
	return o.Finish(ctx)
}

// keepForLater adds to the run what a later one starts from: the index and the footprints.
func (r *runner) keepForLater(ctx context.Context, plan *planned, results []*ShardResult, run *manifests.Run, staged, tree map[string]objstore.Object) error {
	const index = "_manifest/consent.index"
	run.Index = manifests.Object{Path: index, Bytes: plan.Index.Index.Bytes, SHA256: plan.Index.SHA256}
	tree[index] = objstore.Object{Name: consent.IndexName(indexDir(plan.RunID))}
	objects := make([]manifests.Object, len(plan.Datasets))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(2) // each is in memory as a whole
	for i := range plan.Datasets {
		g.Go(func() (err error) {
			if reuse := plan.Datasets[i].Reuse; reuse != nil && reuse.Whole {
				return nil
			}
			objects[i], err = r.sealFootprints(gctx, plan, i, results, staged)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, o := range objects {
		name := plan.Datasets[i].Name
		if o.Path == "" {
			earlier, err := r.openEarlierRun(ctx, plan)()
			if err != nil {
				return err
			}
			o = earlier.Datasets[name].Footprints
			tree[o.Path] = objstore.Object{Name: path.Join(earlier.Dir, o.Path)}
		}
		entry := run.Datasets[name]
		entry.Footprints = o
		run.Datasets[name] = entry
	}
	return nil
}

// sealFootprints writes the footprints of a data set of the run.
func (r *runner) sealFootprints(ctx context.Context, plan *planned, dataset int, results []*ShardResult, staged map[string]objstore.Object) (o manifests.Object, err error) {
	d := &plan.Datasets[dataset]
	f, err := r.footprintsOf(ctx, plan, dataset, results, staged)
	if err != nil {
		return o, err
	}
	var b bytes.Buffer
	b.Grow(f.About())
	if err := f.Write(&b, manifests.Meta{Dataset: d.Name, Roles: d.RoleNames()}); err != nil {
		return o, err
	}
	o = manifests.Object{Path: manifests.FootprintsPath(d.Name), Bytes: int64(b.Len()), SHA256: manifests.SHA256(b.Bytes())}
	_, err = r.out.Store.Put(ctx, path.Join(planDir(plan.RunID), sealDir, o.Path), b.Bytes(), objstore.Any)
	return o, err
}

// facts returns the counts of a block for its footprint.
func (t *Tally) facts() manifests.BlockFacts {
	var f manifests.BlockFacts
	for _, d := range t.daily("") {
		if d.Kept > 0 {
			f.Days = append(f.Days, manifests.DayOutcome{Day: d.Day, Reason: schema.NumReasons, Rows: d.Kept})
		}
		for reason, rows := range d.Excluded {
			if rows > 0 {
				f.Days = append(f.Days, manifests.DayOutcome{Day: d.Day, Reason: schema.Reason(reason), Rows: rows})
			}
		}
	}
	f.Days = slices.Clone(f.Days) // they are held until the shard ends: without the room that append left
	for reason := range t.Causes {
		for roles, rows := range t.Causes[reason] {
			if rows > 0 {
				f.Causes = append(f.Causes, manifests.CausedByBits{Reason: schema.Reason(reason), Roles: uint16(roles), Rows: rows})
			}
		}
	}
	return f
}

// addFacts adds a block's counts to a tally. It fails where they cannot be of such a tally.
func (t *Tally) addFacts(f *manifests.BlockFacts) error {
	for _, d := range f.Days {
		slot := 0
		switch d.Day {
		case manifests.DaysBefore:
		case manifests.DaysAfter:
			slot = len(t.Days) - 2
		case manifests.DayUnknown:
			slot = len(t.Days) - 1
		default:
			if slot = int(d.Day) - int(t.First) + 1; slot < 1 || slot > len(t.Days)-3 {
				return fmt.Errorf("%w: a day that the run does not have", manifests.ErrManifest)
			}
		}
		t.Days[slot][d.Reason] += d.Rows // the kept ones are at keptSlot
	}
	for _, c := range f.Causes {
		if int(c.Roles) >= len(t.Causes[c.Reason]) {
			return fmt.Errorf("%w: a cause that the run does not have", manifests.ErrManifest)
		}
		t.Causes[c.Reason][c.Roles] += c.Rows
	}
	return nil
}
