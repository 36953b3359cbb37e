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
		b.keys.charge()
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

	budget  *Budget
	charged int64
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
	k.charge()
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

// charge counts what the columns hold now against the budget.
func (k *KeyReader) charge() {
	n := int64(0)
	for _, c := range k.cols {
		n += c.memory() + 3*c.walk.src.block
	}
	k.budget.charge(n - k.charged)
	k.charged = n
}

// Close ends the reading. The last batch is not valid any more.
func (k *KeyReader) Close() error {
	for _, c := range k.cols {
		c.walk.close()
		c.recycle()
	}
	k.budget.release(k.charged)
	k.cols, k.err, k.charged = nil, errClosed, 0
	return nil
}
