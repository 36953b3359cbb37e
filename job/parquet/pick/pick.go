// Package pick reads chosen rows of a Parquet file as Arrow records. Where the file says where its pages are (offset index), it
// reads no page that holds none of the rows.
//
//   - leaf: a primitive column, by its index in parquet.File.Columns.
//   - slot: one entry of a leaf: a value, a null, or an empty list, with its levels.
//   - batch: some of the chosen rows of one row group, as slots.
//   - assembler: puts slots of all leaves together again, as Arrow records.
//
// Faults of the bytes are *parquet.Error.
package pick

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"golang.org/x/sync/errgroup"

	"assent/job/parquet"
)

// File is an open Parquet file.
type File struct {
	*parquet.File
	firsts []int64 // the first row of each row group, then the number of all rows

	batch, kept, large int // batchBytes and so on, but in tests
}

// Open reads and checks the footer of the size bytes of r. name is used in errors.
func Open(ctx context.Context, r io.ReaderAt, size int64, name string) (*File, error) {
	r, err := newTail(r, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f := &File{firsts: []int64{0}, batch: batchBytes, kept: keptBytes, large: largeBytes}
	if f.File, err = parquet.Open(ctx, r, size, name); err != nil {
		return nil, err
	}
	for g := range f.NumRowGroups() {
		f.firsts = append(f.firsts, f.firsts[g]+f.RowGroupRows(g))
	}
	return f, nil
}

// tail is a reader that holds the end of a file, where footer and indexes are.
type tail struct {
	io.ReaderAt
	at    int64
	bytes []byte
}

const tailSize = 128 << 10

func newTail(r io.ReaderAt, size int64) (io.ReaderAt, error) {
	t := &tail{ReaderAt: r, bytes: make([]byte, min(max(size, 0), tailSize))}
	t.at = size - int64(len(t.bytes))
	n, err := r.ReadAt(t.bytes, t.at)
	if n == len(t.bytes) {
		return t, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}

func (t *tail) ReadAt(p []byte, off int64) (int, error) {
	if off >= t.at && off-t.at <= int64(len(t.bytes)-len(p)) {
		return copy(p, t.bytes[off-t.at:]), nil
	}
	return t.ReaderAt.ReadAt(p, off)
}

// Slots are a leaf's slots in the rows of a batch. In Vector, which has neither
// Offsets nor Dict, values stand at the places of their slots; Null is set where the
// leaf may be null at all. Float and Double values are in Bytes, as 4 and 8 bytes.
type Slots struct {
	parquet.Vector
	Column *parquet.Column
	Rows   []int32 // row i of the batch has the slots Rows[i] up to Rows[i+1]
	Reps   []uint8 // nil where MaxRep is 0
	Defs   []uint8 // nil where MaxDef is 0
	count  int32
}

func (s *Slots) rows() int { return len(s.Rows) - 1 }

// bytes returns what the slots take in memory, about.
func (s *Slots) bytes() int64 { return 8*int64(s.count) + int64(len(s.Bytes.Data)) }

// Batch holds some rows of a row group.
type Batch struct {
	First int     // place of its first row among the rows asked for
	Rows  []int64 // their numbers in the file
	slots map[int]*Slots
}

// Slots returns the slots of a leaf that was asked for.
func (b *Batch) Slots(leaf int) *Slots { return b.slots[leaf] }

// Done gives the batch's values back before the next one is asked for: nothing reads them any more.
func (b *Batch) Done() {
	n := 0
	for _, s := range b.slots {
		n += cap(s.Bytes.Data)
	}
	b.slots = nil
	parquet.GiveBack(n)
}

// Limits of a batch and of its reading.
const (
	batchRows   = 1024
	batchBytes  = 32 << 20 // of all leaves together, and a row beyond
	concurrency = 8        // leaves read at a time: an object store answers after tens of milliseconds
	// keptBytes are what all leaves together keep of their pages from one batch to the next. A leaf that has more than its part of that
	// keeps nothing.
	keptBytes = 64 << 20
	// largeBytes is the size of a page from which on one leaf at a time has such pages.
	largeBytes = 4 << 20
)

// Batches yields rows, given in ascending order, with the given leaves. A batch is
// valid until the next. It ends after the first error.
func (f *File) Batches(ctx context.Context, leaves []int, rows []int64) iter.Seq2[*Batch, error] {
	return f.Wholes(ctx, leaves, nil, rows, nil)
}

// Wholes is Batches with more leaves that are read of some rows alone: of the n-th of those given if whole(n). The others have no
// slots there.
func (f *File) Wholes(ctx context.Context, leaves, more []int, rows []int64, whole func(n int) bool) iter.Seq2[*Batch, error] {
	w := &wanted{leaves: slices.Concat(leaves, more), always: len(leaves), whole: whole}
	return func(yield func(*Batch, error) bool) {
		done := 0
		for group := range f.NumRowGroups() {
			n := 0
			for done+n < len(rows) && rows[done+n] < f.firsts[group+1] {
				n++
			}
			if n == 0 {
				continue
			}
			if !f.group(ctx, group, w, rows[done:done+n], done, yield) {
				return
			}
			done += n
		}
		if done < len(rows) {
			yield(nil, f.Fault(parquet.Corruptf("no row %d: there are %d", rows[done], f.NumRows()), -1, -1, -1))
		}
	}
}

// wanted says which leaves are read: the first ones always, those behind them of some rows.
type wanted struct {
	leaves []int
	always int
	whole  func(n int) bool
}

// of returns of which rows the i-th leaf is read; nil: of all.
func (w *wanted) of(i, first int) func(n int) bool {
	if i < w.always {
		return nil
	}
	return func(n int) bool { return w.whole(first + n) }
}

// group yields the batches of a row group and reports whether to go on.
func (f *File) group(ctx context.Context, group int, w *wanted, rows []int64, first int, yield func(*Batch, error) bool) bool {
	readers, err := f.leafReaders(group, w.leaves)
	if err != nil {
		yield(nil, err)
		return false
	}
	for len(rows) > 0 {
		b := &Batch{First: first, Rows: rows[:min(batchRows, len(rows))], slots: map[int]*Slots{}}
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(concurrency)
		for i, leaf := range w.leaves {
			r, of := readers[i], w.of(i, b.First)
			g.Go(func() error { return f.Fault(r.read(gctx, b.Rows, of, f.firsts[group]), group, leaf, r.Number) })
		}
		if err := g.Wait(); err != nil {
			yield(nil, err)
			return false
		}
		for _, r := range readers {
			b.Rows = b.Rows[:min(len(b.Rows), r.out.rows())]
		}
		for i, leaf := range w.leaves {
			b.slots[leaf] = readers[i].cut(len(b.Rows))
		}
		first, rows = first+len(b.Rows), rows[len(b.Rows):]
		if !yield(b, nil) {
			return false
		}
	}
	return true
}
