package rewrite

import (
	"assent/job/parquet"
	"context"
	"fmt"
	"io"
)

// maxBatch bounds the rows of a Batch.
const maxBatch = 1 << 16

// A Batch is some consecutive rows of a row group. It is valid until the next call of Next or Close.
type Batch struct {
	FirstRow int64 // number of the first row within the row group
	Rows     int
	Columns  []parquet.Vector // as asked for

	keys *KeyReader
}

// Load makes the values of a late column stand in b.Columns[i], as Next does those of others.
func (b *Batch) Load(i int) error {
	c := b.keys.cols[i]
	if c.waiting {
		if err := withWorker(func(w *worker) error { return c.arrive(&w.codec) }); err != nil {
			b.keys.err = c.fault(err)
			return b.keys.err
		}
		b.keys.settle()
	}
	b.Columns[i] = parquet.Vector{}
	c.handed(&b.Columns[i], b.Rows)
	return nil
}

// A KeyReader streams some columns of a row group. It must be closed, and is not safe for concurrent use.
type KeyReader struct {
	ctx   context.Context
	rows  int64
	row   int64
	cols  []*keyColumn
	batch Batch
	err   error

	budget *Budget
	gate   *gate
	held   int64 // bytes of the budget
	beyond bool  // some of held is beyond it
}

// Keys returns a reader of some columns of a row group, given as indexes of f.Columns. It yields batches of at most 65536 whole rows;
// a batch ends where a page of any of the columns ends. Float and Double columns are refused.
func Keys(ctx context.Context, f *parquet.File, rowGroup int, columns []int) (*KeyReader, error) {
	chunks, err := f.Chunks(rowGroup)
	if err != nil {
		return nil, err
	}
	k := &KeyReader{ctx: ctx, rows: f.RowGroupRows(rowGroup)}
	for _, c := range columns {
		if p := f.Columns()[c].Physical; p == parquet.Float || p == parquet.Double {
			_ = k.Close()
			return nil, fmt.Errorf("%s: column %s: %s values cannot be keys", f.Name(), f.Columns()[c].Name(), p)
		}
		col := keyColumns.Get().(*keyColumn)
		col.f, col.rowGroup, col.col, col.walk = f, rowGroup, &f.Columns()[c], newWalk(f, nil, &chunks[c])
		col.reserve = k.reserve
		col.walk.src.fetch() // of all columns at once, because an answer may take long
		k.cols = append(k.cols, col)
	}
	k.batch.Columns, k.batch.keys = make([]parquet.Vector, len(columns)), k
	return k, nil
}

// Late says, before the first call of Next, that the values of column i are wanted in some batches alone: Batch.Load makes them stand
// there. A page of which none are asked for is neither decompressed nor decoded, and its checksum is not looked at. A column whose pages
// cannot be read one without another is no later than others; Load may be called all the same.
func (k *KeyReader) Late(i int) {
	c := k.cols[i]
	c.late = c.col.MaxRep == 0 && !c.f.Application().CarriesDelta()
}

// Next returns the next rows, io.EOF after the last. Faults of the bytes are *Error.
func (k *KeyReader) Next() (*Batch, error) {
	if k.err != nil {
		return nil, k.err
	}
	k.err = k.next()
	if k.err != nil {
		return nil, k.err
	}
	return &k.batch, nil
}

func (k *KeyReader) next() error {
	if err := k.ctx.Err(); err != nil {
		return err
	}
	k.row += int64(k.batch.Rows)
	if k.row == k.rows {
		return io.EOF
	}
	n := int(min(k.rows-k.row, maxBatch))
	for _, c := range k.cols {
		for c.next == c.rows {
			if err := withWorker(func(w *worker) error { return c.fill(&w.codec) }); err != nil {
				if err == io.EOF {
					err = parquet.Corruptf("%d rows where the row group has %d", k.row, k.rows)
				}
				return c.fault(err)
			}
		}
		n = min(n, c.rows-c.next)
	}
	k.settle()
	k.batch.FirstRow, k.batch.Rows = k.row, n
	for i, c := range k.cols {
		c.cut(&k.batch.Columns[i], n)
	}
	return nil
}

// fault gives an error of the column's bytes its place.
func (c *keyColumn) fault(err error) error {
	return c.f.Fault(err, c.rowGroup, c.walk.Chunk.Column, c.walk.Number)
}

// reserve takes n bytes of the budget for a page that a column is about to load. Where they are not free it does as the head of an
// output does: it waits until no other is beyond the budget, and goes beyond it.
func (k *KeyReader) reserve(n int64) error {
	switch {
	case n <= 0:
		return nil
	case k.budget == nil || k.budget.take(n, k.budget.size):
		k.held += n
		return nil
	}
	return k.gate.idle(func() error {
		beyond, err := k.budget.acquire(k.ctx, n, k.beyond)
		k.beyond = k.beyond || beyond
		if err == nil {
			k.held += n
		}
		return err
	})
}

// settle makes what is taken of the budget what the columns hold now.
func (k *KeyReader) settle() {
	n := int64(0)
	for _, c := range k.cols {
		n += c.memory() + 3*c.walk.src.block
	}
	k.budget.Charge(n - k.held)
	k.held = n
	if k.beyond && k.budget.kept() {
		k.budget.within()
		k.beyond = false
	}
}

// Close ends the reading. The last batch is not valid any more.
func (k *KeyReader) Close() error {
	for _, c := range k.cols {
		c.walk.close()
		c.recycle()
	}
	k.budget.release(k.held)
	if k.beyond {
		k.budget.within()
	}
	k.cols, k.err, k.held, k.beyond = nil, errClosed, 0, false
	return nil
}
