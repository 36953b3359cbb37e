package run

import (
	"cmp"
	"context"
	"log/slog"
	"path"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"assent/filter"
	"assent/job"
	"assent/job/internal/consent"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/job/parquet/rewrite"
	"assent/manifests"
)

// ShardResult is what became of a shard's files. It is plain data: commit may add it up
// on another machine.
type ShardResult struct {
	Version  int             `json:"schema_version"`
	Plan     string          `json:"plan_sha256"` // of the plan's document
	Shard    int             `json:"shard"`
	Stage    string          `json:"stage"`    // directory of what was staged, below the output; empty in a dry run
	Datasets []DatasetResult `json:"datasets"` // beside the plan's
}

// DatasetResult is what became of a shard's files of one data set.
type DatasetResult struct {
	Files []manifests.File
	Tally *Tally
	// What the data names of the control inputs' ids.
	Joins          []source.Join // of the index's accounts, one a role
	Contracts      source.Join   // of the index's restricted contracts
	Near           source.Near
	NearContracts  source.Near
	LeftOut        []LeftOut // of the files' metadata, by key
	KeptAtOnce     int64     // records, see manifests.Invocation
	ExcludedAtOnce int64
}

// LeftOut is a key of the files' metadata that is left out, in whole or in part, since it may hold values of rows.
type LeftOut struct {
	Key   string
	Files []string // as in File.Rel
}

// leaveOut notes that a key is left out of some files.
func (d *DatasetResult) leaveOut(key string, files ...string) {
	i, ok := slices.BinarySearchFunc(d.LeftOut, key, func(l LeftOut, key string) int { return cmp.Compare(l.Key, key) })
	if !ok {
		d.LeftOut = slices.Insert(d.LeftOut, i, LeftOut{Key: key})
	}
	d.LeftOut[i].Files = append(d.LeftOut[i].Files, files...)
}

// sharder does shards of a plan. All that it does share its index, CPU slots and memory
// budget.
type sharder struct {
	*job.Env
	plan       *Plan
	digest     string // of the plan's document
	index      *consent.Lookup
	key        *manifests.Key
	pseudonyms *manifests.Key // the key that they are made by; nil where none are
	stage      objstore.Store // the output; nil: a dry run
	fresh      bool           // no shard of the plan has a result yet
	workers    int            // files at a time, see weightOf and lateFiles
	inTurn     bool           // one file after the other, whatever its size
	files      *semaphore.Weighted
	overlap    int64 // see lateFiles
	buffers    int64 // bytes of memory that storage may take for what it reads ahead and writes behind
	cpu        *semaphore.Weighted
	memory     *rewrite.Budget
	room       *semaphore.Weighted // bytes, of the same budget: what files hold beside pages, see takeRoom
	progress   func(rows int64)
	earlierRun func() (*publish.Run, error) // from which blocks are taken over
	reused     reuseCounts

	// What is made once for all shards:
	stores []objstore.Store // beside the plan's data sets
	desks  sync.Pool        // of *desk, that no file uses
}

// reuseCounts count what was spared within files that are not taken over whole.
type reuseCounts struct {
	sameData atomic.Int64 // blocks that were decided anew, and whose data was taken over
	linked   atomic.Int64 // files of which all data was taken over so: it was not read
	digested atomic.Int64 // bytes of outputs that begin as earlier ones do, and were not digested again
}

// tell logs the counts.
func (c *reuseCounts) tell(log *slog.Logger) {
	if n := c.sameData.Load(); n > 0 {
		log.Info("blocks that were decided anew keep the rows that they kept, so their data is taken over", "blocks", n, "files_linked", c.linked.Load())
	}
	if n := c.digested.Load(); n > 0 {
		log.Info("outputs begin as earlier ones do, whose digests go on from there", "bytes", n)
	}
}

// shard is one shard under way.
type shard struct {
	*sharder
	prefix string // of all that is staged, below the output
}

// dataset is a data set while a shard works on it.
type dataset struct {
	*Dataset
	store      objstore.Store
	decider    *filter.Decider
	tally      sharedTally // not of a dry run
	footprints footprints  // not of a dry run

	joins               []*source.JoinCounter // one a role
	contracts           *source.JoinCounter
	near, nearContracts *source.NearSeen
	keptAtOnce          atomic.Int64
	excludedAtOnce      atomic.Int64
}

// run works on files of the plan, several at a time. What it returns does not depend
// on how many.
func (s *shard) run(ctx context.Context, files []Part) (*ShardResult, error) {
	datasets := s.datasets()
	done := make([]manifests.File, len(files))
	leftOut := make([][]string, len(files)) // keys of each file's metadata
	g, gctx := errgroup.WithContext(ctx)
	for i, f := range files {
		d := datasets[f.Dataset]
		weight := s.weightOf(&d.Files[f.File])
		if err := s.files.Acquire(gctx, weight); err != nil {
			break
		}
		g.Go(func() (err error) {
			defer s.files.Release(weight)
			done[i], leftOut[i], err = s.file(gctx, d, f)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.stage != nil {
		if err := s.stageFootprints(ctx, datasets); err != nil {
			return nil, err
		}
	}
	result := &ShardResult{Datasets: make([]DatasetResult, len(datasets))}
	for i, d := range datasets {
		r := &result.Datasets[i]
		r.Tally = d.tally.Tally
		for _, j := range d.joins {
			r.Joins = append(r.Joins, j.Join())
		}
		r.KeptAtOnce, r.ExcludedAtOnce = d.keptAtOnce.Load(), d.excludedAtOnce.Load()
		r.Contracts, r.Near, r.NearContracts = d.contracts.Join(), d.near.Near(), d.nearContracts.Near()
	}
	for i, f := range files {
		r := &result.Datasets[f.Dataset]
		r.Files = append(r.Files, done[i])
		for _, key := range leftOut[i] {
			r.leaveOut(key, done[i].Source)
		}
	}
	return result, nil
}

// A small file waits for storage rather than it computes: it takes some requests of tens
// of milliseconds each. So a number of small files are worked on in place of one.
const (
	smallFile   = 16 << 10 // bytes, for each of which a file takes a part of a place
	wholeFile   = 32       // parts that a place has
	lateFiles   = 2        // places for each worker where inputs lie in a place that answers late: one file computes while another one waits
	shardsAhead = 16       // shards at a time, at least, as a shard has few files; lateFiles times as many where inputs lie in such a place
	manyIDs     = 1 << 20  // with more accounts no shards more, as each counts them all
	atATime     = 128      // requests that only look
)

// weightOf is how many parts of a place a file takes.
func (s *sharder) weightOf(f *File) int64 {
	if s.inTurn {
		return wholeFile
	}
	return min(wholeFile, 1+s.overlap*f.Object.Size/smallFile)
}

func (s *sharder) shardsAtATime() int {
	if s.inTurn || s.index.Accounts() > manyIDs {
		return s.workers
	}
	return max(s.workers, shardsAhead*int(s.overlap))
}

// open makes what all shards share.
func (s *sharder) open(ctx context.Context) error {
	late := false
	for i := range s.plan.Datasets {
		root := s.plan.Datasets[i].Root
		if loc, err := objstore.Parse(root); err == nil && !loc.IsLocal() {
			late = true
		}
		store, err := s.Opener.Open(ctx, root)
		if err != nil {
			return err
		}
		s.stores = append(s.stores, store)
	}
	s.overlap = 1
	if late && !s.inTurn {
		s.overlap = lateFiles
	}
	if late {
		s.buffers = objstore.AheadMemory + int64(s.workers)*s.overlap*objstore.WriterMemory // of a file's three objects one is large
	}
	s.room = semaphore.NewWeighted(s.roomSize())
	s.files = semaphore.NewWeighted(int64(s.workers) * wholeFile * s.overlap)
	return nil
}

// datasets is what the shard's files share of each data set.
func (s *shard) datasets() []*dataset {
	var all []*dataset
	x := s.index
	for i := range s.plan.Datasets {
		p := &s.plan.Datasets[i]
		d := &dataset{
			Dataset: p, store: s.stores[i], decider: x.Decider(p.Category), contracts: source.NewJoinCounter(x.Restricted()),
			near: source.NewNearSeen(x.NearAccounts), nearContracts: source.NewNearSeen(x.NearContracts),
		}
		d.tally.Tally = newTally(x.Policy(), len(p.Roles()))
		for range p.Roles() {
			d.joins = append(d.joins, source.NewJoinCounter(x.Accounts()))
		}
		all = append(all, d)
	}
	return all
}

// file filters one input file. leftOut are the keys of its metadata that are left out.
func (s *shard) file(ctx context.Context, d *dataset, part Part) (_ manifests.File, leftOut []string, err error) {
	in := &d.Files[part.File]
	w := &fileWork{shard: s, d: d, in: in, piece: in.piece(part.Piece), staged: stagedNames(s.prefix, part), result: manifests.File{
		Source:     in.Rel,
		Output:     path.Join(d.Name, in.Rel),
		Exclusions: path.Join("_manifest/exclusions", d.Name, in.Rel),
		Subjects:   path.Join("_manifest/subjects", d.Name, in.Rel),
	}}
	err = w.do(ctx)
	return w.result, w.leftOut, err
}
