package run

import (
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/job/internal/transform"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"path"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// fileWork is the work on one input file. Two goroutines share it: one decides row
// group after row group, one rewrites those that are decided.
type fileWork struct {
	*shard
	d       *dataset
	in      *File
	piece   source.Piece // of the file
	staged  [3]string    // names of data, exclusions and subject index on the stage
	file    *rewrite.File
	bound   *source.Binding
	result  manifests.File
	leftOut []string // keys of the file's metadata
	handed  *transform.File
	ahead   objstore.Ahead // nil: of a place that need not be told what is read next

	*desk
	blocks  []block
	earlier *earlierOutput        // what some blocks are taken over from; nil: none are
	held    []decided             // blocks whose data is taken over, while there is nothing else; see allSame
	allSame bool                  // the data of all blocks so far is taken over; in the end: the data file is the earlier one
	last    schema.Instant        // of all moments of the block so far
	tally   *Tally                // of the block
	groups  [3]int                // row groups so far of the outputs, in the order of objectsOf
	pages   rewrite.Pages         // so far
	counts  []manifests.Transform // so far
	pairs   [][]manifests.Named   // contracts that blocks name, beside the blocks that are decided
}

func (w *fileWork) do(ctx context.Context) (err error) {
	r, file, err := openPinned(ctx, w.d.store, w.in)
	if err != nil {
		return err
	}
	defer r.Close()
	w.file, file.Memory, file.CPU = file, w.memory, w.cpu
	w.ahead, _ = r.(objstore.Ahead)
	if w.piece.To == 0 {
		w.piece.To = file.NumRowGroups()
	}
	w.desk = w.takeDesk()
	if err := w.findBlocks(ctx); err != nil {
		return err
	}
	defer w.earlier.close()
	if w.bound, err = source.Bind(file, w.in.Rel, &w.d.Dataset.Dataset); err != nil {
		return err
	}
	rules := transform.Rules{Dataset: &w.d.Dataset.Dataset, Key: w.pseudonyms}
	if w.handed, err = rules.Bind(file, w.in.Rel); err != nil {
		return fmt.Errorf("%s: %w", w.uri(), err)
	}
	w.bound.LateRecord()
	room, err := w.takeRoom(ctx)
	if err != nil {
		return err
	}
	defer w.room.Release(room)
	w.prepare(w.shard, w.d, w.bound)
	w.leftOut = file.LeftOut(w.d.KeepMetadata)
	if w.stage == nil {
		err = w.decideAll(ctx, func(decided) error { return nil })
	} else {
		err = w.writeAll(ctx)
	}
	w.memory.Charge(-w.charged)
	w.charged = 0
	if err != nil {
		return err
	}
	w.forgetLarge()
	w.desks.Put(w.desk)
	return objstore.OneContent(ctx, r, w.in.Object) // whether the name has it still, commit looks at
}

// uri names the input file in errors.
func (w *fileWork) uri() string { return w.d.store.URI(w.in.Object.Name) }

// staged is an object on its way to the stage, with the digest of its bytes. Once a
// write has failed it cannot be finished, whatever became of the error.
type staged struct {
	objstore.Writer
	like     *publish.Room // an earlier object that has begun as this one does, so far; nil: there is none
	hash     hash.Hash     // nil: like's
	hashed   int64         // bytes
	shared   int64         // of these with like
	bytes    int64
	gathered []byte // small writes that are to be one
	err      error
}

// gather is how many bytes small writes are gathered to: of pages and what is said of them there are many.
const gather = 64 << 10

// create begins the object at a place of staged.
func (w *fileWork) create(ctx context.Context, place int) (*staged, error) {
	o, err := w.stage.Create(ctx, w.staged[place])
	if err != nil {
		return nil, err
	}
	if w.gathered[place] == nil {
		w.gathered[place] = make([]byte, 0, gather)
	}
	s := &staged{Writer: o, gathered: w.gathered[place]}
	if w.earlier != nil {
		s.like = &w.desk.earlier[place]
	} else {
		s.hash = sha256.New()
	}
	return s, nil
}

func (s *staged) Write(p []byte) (int, error) {
	if len(s.gathered)+len(p) > gather {
		s.flush()
	}
	if len(p) >= gather {
		s.write(p)
	} else {
		s.gathered = append(s.gathered, p...)
	}
	if s.err != nil {
		return 0, s.err
	}
	s.bytes += int64(len(p))
	return len(p), nil
}

// flush writes what was gathered.
func (s *staged) flush() {
	if len(s.gathered) > 0 {
		s.write(s.gathered)
		s.gathered = s.gathered[:0]
	}
}

// write writes and digests p side by side: both take their time where p is long.
func (s *staged) write(p []byte) {
	if s.err != nil {
		return
	}
	var side sync.WaitGroup
	if len(p) >= 1<<20 {
		side.Go(func() { s.add(p) })
	} else {
		s.add(p)
	}
	_, s.err = s.Writer.Write(p)
	side.Wait()
}

// Finish ends the object. Its digest is known then.
func (s *staged) Finish(ctx context.Context) error {
	if s.flush(); s.err != nil {
		return s.err
	}
	return s.Writer.Finish(ctx)
}

// add adds p to the digest. As long as the object is like the earlier one there is nothing to do for it: that one's bytes were digested.
func (s *staged) add(p []byte) {
	if s.like == nil || !s.like.Has(s.hashed, p) {
		s.sum().Write(p)
	}
	s.hashed += int64(len(p))
}

// sum returns the digest under way. From here on it goes its own way.
func (s *staged) sum() hash.Hash {
	if s.like != nil {
		s.hash, s.like, s.shared = s.like.Digest(s.hashed), nil, s.hashed
	}
	return s.hash
}

func (s *staged) digest() string { return hex.EncodeToString(s.sum().Sum(nil)) }

// writeAll decides and rewrites all row groups and stages the three objects.
func (w *fileWork) writeAll(ctx context.Context) error {
	var objects [3]*staged
	for i := range w.staged {
		o, err := w.create(ctx, i)
		if err != nil {
			return err
		}
		defer o.Abort()
		objects[i] = o
	}
	data, exclusions, subjects := objects[0], objects[1], objects[2]
	meta := manifests.Meta{Dataset: w.d.Name, Source: w.in.Rel, Roles: w.d.RoleNames()}
	w.writeTo(exclusions, subjects, meta)

	source := path.Join(w.d.Name, w.in.Rel)
	out := w.file.NewWriter(data, rewrite.Options{
		CreatedBy: "assent version " + w.Version, KeepMetadata: w.d.KeepMetadata,
		KeyValues: []parquet.KeyValue{{Key: "assent.source", Value: &source}},
		CPU:       w.cpu, Memory: w.memory,
		From: w.piece.From, To: w.piece.To,
		Drop: w.handed.Drop, Transforms: w.handed.Transforms,
	})
	if err := w.pipeline(ctx, out); err != nil {
		return err
	}
	w.d.footprints.add(w.footprint())
	var written rewrite.Result
	g, gctx := errgroup.WithContext(ctx) // each may wait for storage
	g.Go(func() error { return exclusions.Finish(gctx) })
	g.Go(func() error { return subjects.Finish(gctx) })
	g.Go(func() (err error) {
		written, err = w.endData(gctx, out, data)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	w.result.ExclusionsBytes, w.result.ExclusionsSHA256 = exclusions.bytes, exclusions.digest()
	w.result.SubjectsBytes, w.result.SubjectsSHA256 = subjects.bytes, subjects.digest()
	for _, o := range objects {
		w.reused.digested.Add(o.shared)
	}
	w.result.Transforms = w.handed.Counts()
	for i := range w.blocks {
		if was := w.blocks[i].earlier(); w.earlier != nil && was != nil && !w.blocks[i].redone {
			w.result.Transforms = manifests.AddTransforms(w.result.Transforms, was.Facts.Transforms)
		}
	}
	return w.conserve(written)
}

// closeManifests ends the manifests, once all rows are decided.
func (w *fileWork) closeManifests() error {
	excluded, err := w.exclusions.Close()
	if err != nil {
		return err
	}
	if excluded.Rows != w.result.ExcludedByReason.Total() {
		return fmt.Errorf("%s: %d exclusions written for %d records excluded", w.uri(), excluded.Rows, w.result.ExcludedByReason.Total())
	}
	_, err = w.subjects.Close()
	return err
}

// conserve checks the file's counts from three sides: the footer that was planned
// by, the decisions, and what the rewriter says that it wrote.
func (w *fileWork) conserve(written rewrite.Result) error {
	r := &w.result
	excluded := r.ExcludedByReason.Total()
	if r.RowsIn != w.piece.Rows || r.RowsIn != r.RowsKept+excluded || written.RowsIn != r.RowsIn || written.RowsKept != r.RowsKept {
		return fmt.Errorf("%s: rows do not add up: planned %d, decided %d, kept %d, excluded %d, written %d of %d",
			w.uri(), w.piece.Rows, r.RowsIn, r.RowsKept, excluded, written.RowsKept, written.RowsIn)
	}
	return nil
}

// pipeline rewrites one row group while the next is decided, and the last one while the manifests are closed.
func (w *fileWork) pipeline(ctx context.Context, out *rewrite.Writer) error {
	g, ctx := errgroup.WithContext(ctx)
	ready := make(chan decided)
	g.Go(func() error {
		err := w.decideAll(ctx, func(d decided) error {
			select {
			case ready <- d:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		close(ready)
		if err != nil {
			return err
		}
		return w.closeManifests()
	})
	g.Go(func() error {
		w.allSame = w.earlier != nil && w.in.pieces() == 1
		for d := range ready {
			if err := w.holdOrWrite(ctx, out, d); err != nil {
				return err
			}
		}
		if w.allSame {
			var err error
			if w.allSame, err = w.dataStands(ctx); err != nil {
				return err
			}
		}
		return w.writeHeld(ctx, out)
	})
	return g.Wait()
}

func (w *fileWork) decideGroup(ctx context.Context, group int, base int64, sel *rewrite.Selection) error {
	if err := w.cpu.Acquire(ctx, 1); err != nil {
		return err
	}
	defer w.cpu.Release(1)
	return source.ScanRowGroup(ctx, w.file, group, w.bound.Columns, func(b *source.Batch) error {
		w.trim(w.accounts.manyInBlock())
		w.readKeys(b)
		kept, excluded := w.d.decider.Decide(&w.rows, w.reasons)
		w.d.keptAtOnce.Add(int64(kept))
		w.d.excludedAtOnce.Add(int64(excluded))
		w.sel(b, sel)
		if w.stage == nil {
			return nil
		}
		w.tally.decided(w.rows.Moments[0], w.reasons)
		w.findRuns(b.Rows)
		if err := w.exclude(b, base+b.FirstRow); err != nil {
			return err
		}
		err := w.indexSubjects(base + b.FirstRow)
		w.settle(w.memory)
		return err
	})
}

// readKeys turns the batch's columns into what the decider takes.
func (w *fileWork) readKeys(b *source.Batch) {
	w.rows.Len = b.Rows
	w.reasons = source.Grow(w.reasons, b.Rows)
	for i, c := range w.bound.Roles {
		w.roles[i].read(&b.Columns[c.At])
		if i < w.bound.Parties {
			w.rows.Parties[i] = w.roles[i].accounts
		} else {
			w.rows.Subjects[i-w.bound.Parties] = w.roles[i].accounts
		}
	}
	for i, c := range w.bound.Moments {
		w.rows.Moments[i] = source.Grow(w.rows.Moments[i], b.Rows)
		c.Instants(&b.Columns[c.At], w.rows.Moments[i])
		w.last = max(w.last, slices.Max(w.rows.Moments[i])) // schema.Unknown is before any
	}
	if c := w.bound.Contract; c.At >= 0 && w.index.Restricted() > 0 {
		w.rows.Contract = source.Grow(w.rows.Contract, b.Rows)
		w.contract.read(&b.Columns[c.At], w.rows.Contract)
	}
	if len(w.bound.Marks) > 0 {
		w.rows.Stated = source.Grow(w.rows.Stated, b.Rows)
		column := func(at int) *parquet.Vector { return &b.Columns[at] }
		for i := range w.rows.Stated {
			w.rows.Stated[i] = w.bound.Stated(column, i)
		}
	}
}

// sel records the batch's decisions in the selection and counts them.
func (w *fileWork) sel(b *source.Batch, sel *rewrite.Selection) {
	r := &w.result
	r.RowsIn += int64(b.Rows)
	var counts DaySlot // counted without a branch, as rows may come in any order
	for i := 0; i < b.Rows; i += 64 {
		n := min(64, b.Rows-i)
		word := uint64(0)
		for j, reasons := range w.reasons[i : i+n] {
			kept := uint64(0)
			if reasons.Kept() {
				kept = 1
			}
			word |= kept << j
			counts[slotOf(reasons)]++
		}
		sel.SetBits(b.FirstRow+int64(i), word, n)
	}
	r.RowsKept += counts[keptSlot]
	for reason := range r.ExcludedByReason {
		r.ExcludedByReason[reason] += counts[reason]
	}
}
