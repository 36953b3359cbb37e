package rewrite

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// A groupJob writes one row group. Each column chunk that is not left out is a task; tasks run side by side, and their output is put into order.
type groupJob struct {
	w      *Writer
	number int
	sel    *Selection
	lost   bool
	chunks []parquet.Chunk
	out    []chunkDone

	indexes func() ([]*parquet.PageIndex, error) // read when first asked for
}

// A chunkDone is what became of a chunk: one of copied and out is set.
type chunkDone struct {
	copied *copied
	out    *parquet.ChunkWriter
	bloom  *bloomFilter // of out
	size   int64
	pages  Pages
}

// maxTasks bounds the number of chunks that are worked on at a time. It is larger than the number of processors, because some tasks
// wait for input.
func maxTasks() int { return min(max(4*runtime.GOMAXPROCS(0), 8), 32) }

// run runs the tasks. Each is started when the budget has its working memory. The head is started in any case.
func (j *groupJob) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	ended := make(chan struct{}, len(j.chunks))
	running := 0
	turn := closedChan()
	for i := range j.chunks {
		t := &task{gate: gate{ctx: ctx, cpu: j.w.opts.CPU}, budget: j.w.opts.Memory, file: &j.w.out, turn: turn, encoding: j.w.opts.encoding}
		base := workingMemory(&j.chunks[i])
		for running >= maxTasks() || !t.budget.tryAhead(base) {
			if running == 0 {
				// All before it have ended, so it is the head.
				beyond, err := t.budget.acquire(ctx, base, false)
				if err != nil {
					return waitFor(group, err)
				}
				t.beyond = beyond
				break
			}
			select {
			case <-ended:
				running--
			case <-ctx.Done():
				return waitFor(group, context.Cause(ctx))
			}
		}
		running++
		t.base, t.used = base, base
		next := make(chan struct{})
		group.Go(func() error {
			defer func() { ended <- struct{}{} }()
			err := t.enter()
			if err != nil {
				return t.end(err)
			}
			defer t.leave()
			if err = t.end(j.chunk(t, i)); err == nil {
				close(next)
			}
			return err
		})
		turn = next
	}
	return group.Wait()
}

// waitFor waits for the tasks and returns their error, or else err.
func waitFor(g *errgroup.Group, err error) error {
	if first := g.Wait(); first != nil {
		return first
	}
	return err
}

func closedChan() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// workingMemory estimates the memory with which work on a chunk begins: blocks of input and a few pages of common size.
func workingMemory(c *parquet.Chunk) int64 {
	n := c.End - c.Start
	raw, err := c.Metadata.Int(parquet.MetaTotalUncompressedSize, n)
	if err != nil {
		raw = n
	}
	return min(3*blockSize(n), 3*n) + 4*min(max(raw, 0), 1<<20) + 4096
}

// chunk works on chunk i.
func (j *groupJob) chunk(t *task, i int) error {
	w, c, done := j.w, &j.chunks[i], &j.out[i]
	walk := newWalk(w.f, &t.gate, c)
	defer walk.close()
	var err error
	col := &w.f.Columns()[c.Column]
	transform, changed := w.opts.Transforms[c.Column]
	if !changed && !j.lost && !w.f.Application().BadBounds(col) && !w.f.Application().CarriesDelta() && !c.MiscountedRows {
		done.copied, err = copyChunk(walk, t, j.sel.rows, &done.pages)
		if err == nil {
			done.size = done.copied.size
		}
	} else {
		to := w.layout.columns[c.Column]
		s := &splice{f: w.f, col: col, to: to, chunk: c, at: i, sel: j.sel, walk: walk, task: t, out: parquet.NewChunkWriter(to, t)}
		if changed {
			s.mapper = transform.New()
		}
		if s.bloom, err = newBloom(w.f, c); err == nil {
			w.opts.Memory.Charge(s.bloom.size()) // until the row group's are written
			s.indexes = j.indexes
			err = s.run()
		}
		done.out, done.size, done.pages, done.bloom = s.out, s.out.Size, s.pages, s.bloom
		done.out.End()
	}
	return w.f.Fault(err, j.number, c.Column, walk.Number)
}

// collect makes the metadata of the row group's chunks. It comes after run, when it is known where each chunk begins.
func (j *groupJob) collect(in thrift.Struct, start int64) (groupOut, error) {
	g := groupOut{in: in, lost: j.lost, rows: j.sel.count, start: start}
	var indexes []*parquet.PageIndex
	for i := range j.chunks {
		c, done := &j.chunks[i], &j.out[i]
		j.w.result.Pages.add(done.pages)
		if out := done.out; out != nil {
			g.rawSize += out.RawSize
			g.chunks = append(g.chunks, parquet.WrittenChunk{Metadata: splicedMetadata(out, j.w.layout.columns[c.Column], c, start), ColumnIndex: out.ColumnIndex(),
				OffsetIndex: out.OffsetIndex(start)})
		} else {
			if indexes == nil {
				var err error
				if indexes, err = j.indexes(); err != nil {
					return g, err
				}
			}
			g.rawSize += done.copied.rawSize
			ref := parquet.WrittenChunk{Metadata: done.copied.metadata(c, start, j.w.f.Ordered())}
			ref.ColumnIndex, ref.OffsetIndex = done.copied.moveIndex(indexes[i], start, j.w.f.Ordered())
			g.chunks = append(g.chunks, ref)
		}
		start += done.size
	}
	g.size = start - g.start
	return g, nil
}

func (p *Pages) add(o Pages) {
	p.Copied += o.Copied
	p.Filtered += o.Filtered
	p.Dropped += o.Dropped
}

// release gives back what the row group's bloom filters took.
func (j *groupJob) release() {
	for i := range j.out {
		j.w.opts.Memory.release(j.out[i].bloom.size())
	}
}

// blooms writes the bloom filters of the row group's chunks and notes their places in the metadata.
func (j *groupJob) blooms(g *groupOut) error {
	for i := range j.chunks {
		if err := j.writeBloom(g, i); err != nil {
			return err
		}
	}
	return nil
}

// writeBloom writes chunk i's bloom filter, if it has one.
func (j *groupJob) writeBloom(g *groupOut, i int) error {
	w := j.w
	var b []byte
	if j.out[i].out != nil {
		if j.out[i].bloom == nil {
			return nil
		}
		b = j.out[i].bloom.Append(nil)
	} else {
		at, n, _, err := w.f.BloomRange(&j.chunks[i])
		if err != nil || n == 0 {
			return err
		}
		w.opts.Memory.Charge(n)
		defer w.opts.Memory.release(n)
		b = make([]byte, n)
		if err := w.f.ReadFull(b, at); err != nil {
			return err
		}
	}
	outer := &g.chunks[i].Metadata
	meta, err := outer.Struct(parquet.ChunkMetaData)
	if err != nil {
		return err
	}
	meta.Set(thrift.Int64Field(parquet.MetaBloomFilterOffset, w.out.Size))
	meta.Set(thrift.Int32Field(parquet.MetaBloomFilterLength, int32(len(b))))
	outer.Set(thrift.StructField(parquet.ChunkMetaData, meta))
	_, err = w.out.Write(b)
	return err
}

// newGroupJob prepares the writing of row group i.
func (w *Writer) newGroupJob(i int, sel *Selection) (*groupJob, error) {
	chunks, err := w.f.Chunks(i)
	if err != nil {
		return nil, err
	}
	chunks = slices.DeleteFunc(chunks, func(c parquet.Chunk) bool { return w.layout.columns[c.Column] == nil })
	j := &groupJob{w: w, number: i, sel: sel, lost: sel.count < sel.rows, chunks: chunks, out: make([]chunkDone, len(chunks))}
	j.indexes = sync.OnceValues(func() ([]*parquet.PageIndex, error) { return w.f.PageIndexes(chunks) })
	return j, nil
}
