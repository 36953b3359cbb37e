package run

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/manifests"
)

// What changed since the last run. Files whose exclusions are the same bytes, as those that are taken over, are not opened: of
// all others that both runs read, two columns of both exclusion manifests are, but for blocks that are taken over.

// currentRun returns the run that current.json names; nil where there is none. It is read once for as long as that names it.
func (r *runner) currentRun(ctx context.Context) (*publish.Run, error) {
	current, err := r.out.Current(ctx)
	if err != nil || current == nil {
		return nil, err
	}
	if r.current == nil || r.current.Dir != current.Run || r.current.Digest != current.ManifestSHA256 {
		r.current, err = r.out.FindRun(ctx, current.Run)
	}
	return r.current, err
}

// since says what changed from the current run to one that is about to be published, whose objects lie at tree. It is nil where
// there is none to compare with: the first run, one that goes back to an older horizon, or a current run that is damaged.
func (r *runner) since(ctx context.Context, plan *Plan, run *manifests.Run, tree map[string]objstore.Object) (*manifests.Since, error) {
	before, err := r.currentRun(ctx)
	if err == nil && (before == nil || before.ConsentAsOf.After(run.ConsentAsOf)) {
		return nil, nil
	}
	var s *manifests.Since
	if err == nil {
		c := &change{runner: r, plan: plan, before: before, run: run, tree: tree}
		s, err = c.all(ctx)
	}
	if exit, _ := job.Explain(err); exit == job.ExitRefused {
		r.Log.Warn("the current run is not as it was published, so run.json does not say what changed since", "error", err)
		return nil, nil
	}
	return s, err
}

// change compares two runs.
type change struct {
	*runner
	plan   *Plan // of run
	before *publish.Run
	run    *manifests.Run
	tree   map[string]objstore.Object // of run
	room   sync.Pool                  // of *publish.Room, for exclusions of before
}

func (c *change) all(ctx context.Context) (*manifests.Since, error) {
	s := &manifests.Since{
		RunID: c.before.RunID, ManifestSHA256: c.before.Digest, ConsentAsOf: c.before.ConsentAsOf,
		Datasets: map[string]manifests.Changes{}, Earlier: c.before.Remember(),
	}
	names := maps.Clone(c.before.Datasets)
	maps.Copy(names, c.run.Datasets)
	for name := range names {
		d, err := c.dataset(ctx, name)
		if err != nil {
			return nil, err
		}
		s.Datasets[name] = d
	}
	return s, nil
}

func (c *change) dataset(ctx context.Context, name string) (sum manifests.Changes, err error) {
	was := c.before.Datasets[name]
	sum.KeptBefore, sum.ExcludedBefore = was.RowsKept, was.RowsExcluded
	old, now := filesOf(c.before.Run, name), filesOf(c.run, name)
	var pairs [][2]*manifests.File
	for _, source := range slices.Sorted(maps.Keys(now)) {
		a, b := old[source], now[source]
		switch {
		case a.input == nil || b.input == nil || !sameInput(a.input, b.input) || a.RowsIn != b.RowsIn:
			count(&sum.New, b.File)
			continue
		case a.ExclusionsSHA256 != b.ExclusionsSHA256:
			pairs = append(pairs, [2]*manifests.File{a.File, b.File})
		}
		delete(old, source)
	}
	for _, f := range old {
		count(&sum.Gone, f.File)
	}
	var reuse *Reuse
	for i := range c.plan.Datasets {
		if d := &c.plan.Datasets[i]; d.Name == name && d.Reuse != nil && d.Reuse.Run == c.before.RunID {
			reuse = d.Reuse
		}
	}
	changes := make([]manifests.Changes, len(pairs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(4, c.options.Workers))
	for i := range pairs {
		g.Go(func() error {
			return c.file(gctx, pairs[i][0], pairs[i][1], reuse.part(pairs[i][1].Source), &changes[i])
		})
	}
	err = g.Wait()
	for i := range changes {
		sum.NowExcluded.Add(&changes[i].NowExcluded)
		sum.NowKept.Add(&changes[i].NowKept)
		sum.OtherReason += changes[i].OtherReason
	}
	return sum, err
}

func count(n *manifests.FileCounts, f *manifests.File) {
	n.Files++
	n.Kept += f.RowsKept
	n.Excluded += f.ExcludedByReason.Total()
}

// inputFile is a file of a run, with the input that it was made of.
type inputFile struct {
	*manifests.File
	input *manifests.Input // nil where the run does not tell
}

// filesOf returns a data set's files in a run, by source. Inputs come in the order of files there.
func filesOf(run *manifests.Run, dataset string) map[string]inputFile {
	files, inputs := run.Datasets[dataset].Files, inputsOf(run.Inputs, dataset)
	all := map[string]inputFile{}
	for i := range files {
		f := inputFile{File: &files[i]}
		if len(inputs) == len(files) && strings.HasSuffix(inputs[i].Path, f.Source) {
			f.input = inputs[i]
		}
		all[f.Source] = f
	}
	return all
}

// file compares a file that both runs read, by its exclusions. Errors in those of the earlier run are refusals. Of the part that is taken
// over they are the same.
func (c *change) file(ctx context.Context, was, now *manifests.File, same *TakenPart, n *manifests.Changes) error {
	room, ok := c.room.Get().(*publish.Room)
	if !ok {
		room = new(publish.Room)
	}
	defer c.room.Put(room)
	before, err := c.before.OpenIn(ctx, was.ExclusionManifest(), publish.DigestSmall, room)
	if err != nil {
		return err
	}
	defer before.Close()
	after, err := c.out.Store.Open(ctx, c.tree[now.Exclusions])
	if err != nil {
		return err
	}
	defer after.Close()
	a, b := pullFates(before, was, same), pullFates(after, now, same)
	defer a.stop()
	defer b.stop()
	x, moreA, err := a.next()
	y, moreB, err2 := b.next()
	for (moreA || moreB) && err == nil && err2 == nil {
		inA, inB := moreA && (!moreB || x.Row <= y.Row), moreB && (!moreA || y.Row <= x.Row)
		switch {
		case inA && inB && x.Reason != y.Reason:
			n.OtherReason++
		case inA && !inB:
			n.NowKept[x.Reason]++
		case inB && !inA:
			n.NowExcluded[y.Reason]++
		}
		if inA {
			x, moreA, err = a.next()
		}
		if inB {
			y, moreB, err2 = b.next()
		}
	}
	if err2 != nil {
		return fmt.Errorf("%s: %w", now.Exclusions, err2)
	}
	return c.before.Fault(was.Exclusions, err)
}

// fateReader reads the exclusions of a file one by one. They come in batches, as to go from one reader to another costs more than they do.
type fateReader struct {
	pull  func() ([]manifests.Fate, error, bool)
	stop  func()
	batch []manifests.Fate // what is left of it
}

func pullFates(r objstore.Reader, f *manifests.File, same *TakenPart) *fateReader {
	const size = 512
	pull, stop := iter.Pull2(func(yield func([]manifests.Fate, error) bool) {
		batch := make([]manifests.Fate, 0, size)
		for fate, err := range fates(r, f, same) {
			if err != nil {
				yield(nil, err)
				return
			}
			if batch = append(batch, fate); len(batch) == size {
				if !yield(batch, nil) {
					return
				}
				batch = batch[:0]
			}
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	})
	return &fateReader{pull: pull, stop: stop}
}

// next returns the next exclusion, if there is one.
func (r *fateReader) next() (f manifests.Fate, ok bool, err error) {
	if len(r.batch) == 0 {
		if r.batch, err, ok = r.pull(); !ok || err != nil {
			return f, false, err
		}
	}
	f, r.batch = r.batch[0], r.batch[1:]
	return f, true, nil
}

// fates yields the exclusions of a file, of which there must be as many as the run manifest says, but for those of blocks that are the same.
func fates(r objstore.Reader, f *manifests.File, same *TakenPart) iter.Seq2[manifests.Fate, error] {
	return func(yield func(manifests.Fate, error) bool) {
		x, err := manifests.OpenExclusions(r, r.Size())
		if err != nil {
			yield(manifests.Fate{}, err)
			return
		}
		if rows, want := x.Rows(), f.ExcludedByReason.Total(); rows != want {
			yield(manifests.Fate{}, fmt.Errorf("%w: %d exclusions, the run manifest says %d", manifests.ErrManifest, rows, want))
			return
		}
		for fate, err := range x.Fates(same.holds) {
			if !yield(fate, err) || err != nil {
				return
			}
		}
	}
}
