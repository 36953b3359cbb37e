// Package pick reads chosen rows of a Parquet file, and no page that holds none of
// them, where the file says where its pages are (offset index).
//
//   - leaf: a primitive column, by its index in rewrite.File.Columns.
//   - slot: one entry of a leaf: a value, a null, or an empty list, with its levels.
//   - batch: some of the chosen rows of one row group, as slots.
//   - assembler: puts slots of all leaves together again, as Arrow records.
//
// Package rewrite has checked the footer before anything here relies on it; pages are
// decoded by the same decoders. Faults of the bytes are *rewrite.Error.
package pick

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"golang.org/x/sync/errgroup"

	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
	"assent/job/parquet/rewrite"
	"assent/job/parquet/thrift"
)

// File is an open Parquet file.
type File struct {
	*rewrite.File
	r        io.ReaderAt
	name     string
	root     *node
	groups   []thrift.Struct
	footerAt int64   // offset
	firsts   []int64 // the first row of each row group, then the number of all rows
}

// Open reads and checks the footer of the size bytes of r. name is used in errors.
func Open(ctx context.Context, r io.ReaderAt, size int64, name string) (*File, error) {
	r, err := newTail(r, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	checked, err := rewrite.Open(ctx, r, size, name)
	if err != nil {
		return nil, err
	}
	f := &File{File: checked, r: r, name: name, firsts: []int64{0}}
	for g := range f.NumRowGroups() {
		f.firsts = append(f.firsts, f.firsts[g]+f.RowGroupRows(g))
	}
	if err := f.readFooter(size); err != nil {
		return nil, f.fault(-1, -1, err)
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
	return t, readFull(r, t.bytes, t.at)
}

func (t *tail) ReadAt(p []byte, off int64) (int, error) {
	if off >= t.at && off-t.at <= int64(len(t.bytes)-len(p)) {
		return copy(p, t.bytes[off-t.at:]), nil
	}
	return t.ReaderAt.ReadAt(p, off)
}

func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Field ids in parquet.thrift.
const (
	fileSchema, fileGroups                = 2, 4
	groupColumns                          = 1
	chunkMeta, chunkIndexAt, chunkIndexLn = 3, 4, 5
	metaCodec, metaValues, metaCompressed = 4, 5, 7
	metaData, metaDict                    = 9, 11
	locationAt, locationSize, locationRow = 1, 2, 3
)

// readFooter takes from the footer what package rewrite keeps to itself: the tree of
// the schema, and where chunks and their indexes are.
func (f *File) readFooter(size int64) error {
	var end [8]byte
	if err := readFull(f.r, end[:], size-8); err != nil {
		return err
	}
	b := make([]byte, binary.LittleEndian.Uint32(end[:]))
	if err := readFull(f.r, b, size-8-int64(len(b))); err != nil {
		return err
	}
	f.footerAt = size - 8 - int64(len(b))
	meta, _, err := thrift.Parse(b)
	if err != nil {
		return err
	}
	elements, err := structs(meta, fileSchema)
	if err != nil {
		return err
	}
	if f.root, err = f.tree(elements); err != nil {
		return err
	}
	f.groups, err = structs(meta, fileGroups)
	return err
}

// structs parses a list of structs.
func structs(s thrift.Struct, id int16) ([]thrift.Struct, error) {
	l, err := s.List(id)
	if err != nil {
		return nil, err
	}
	if err := l.Of(thrift.StrucT); err != nil {
		return nil, err
	}
	out := make([]thrift.Struct, 0, min(l.Len, 4096))
	for _, raw := range l.Elements() {
		e, _, err := thrift.Parse(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// fault gives an error of the file its place; leaf and group may be -1.
func (f *File) fault(group, leaf int, err error) error {
	var placed *rewrite.Error
	switch {
	case err == nil || errors.As(err, &placed):
		return err
	case errors.Is(err, rewrite.ErrCorrupt), errors.Is(err, rewrite.ErrUnsupported):
	case errors.Is(err, codec.ErrUnsupported):
		err = fmt.Errorf("%w: %w", rewrite.ErrUnsupported, err)
	case errors.Is(err, thrift.ErrMalformed), errors.Is(err, codec.ErrCorrupt),
		errors.Is(err, encoding.ErrCorrupt), errors.Is(err, encoding.ErrTooLarge):
		err = fmt.Errorf("%w: %w", rewrite.ErrCorrupt, err)
	default:
		return fmt.Errorf("%s: %w", f.name, err)
	}
	e := &rewrite.Error{File: f.name, RowGroup: group, Page: -1, Err: err}
	if leaf >= 0 {
		e.Column = f.Columns()[leaf].Name()
	}
	return e
}

func corruptf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", rewrite.ErrCorrupt, fmt.Errorf(format, args...))
}

// Slots are a leaf's slots in the rows of a batch. In Vector, which has neither
// Offsets nor Dict, values stand at the places of their slots; Null is set where the
// leaf may be null at all. Float and Double values are in Bytes, as 4 and 8 bytes.
type Slots struct {
	rewrite.Vector
	Column *rewrite.Column
	Rows   []int32 // row i of the batch has the slots Rows[i] up to Rows[i+1]
	Reps   []uint8 // nil where MaxRep is 0
	Defs   []uint8 // nil where MaxDef is 0
	count  int32
}

// Batch holds some rows of a row group.
type Batch struct {
	First int     // place of its first row among the rows asked for
	Rows  []int64 // their numbers in the file
	slots map[int]*Slots
}

// Slots returns the slots of a leaf that was asked for.
func (b *Batch) Slots(leaf int) *Slots { return b.slots[leaf] }

// Limits of a batch and of its reading.
const (
	batchRows   = 1024
	concurrency = 8 // leaves read at a time: an object store answers after tens of milliseconds
)

// Batches yields rows, given in ascending order, with the given leaves. A batch is
// valid until the next. It ends after the first error.
func (f *File) Batches(ctx context.Context, leaves []int, rows []int64) iter.Seq2[*Batch, error] {
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
			if !f.group(ctx, group, leaves, rows[done:done+n], done, yield) {
				return
			}
			done += n
		}
		if done < len(rows) {
			yield(nil, f.fault(-1, -1, corruptf("no row %d: there are %d", rows[done], f.NumRows())))
		}
	}
}

// group yields the batches of a row group and reports whether to go on.
func (f *File) group(ctx context.Context, group int, leaves []int, rows []int64, first int, yield func(*Batch, error) bool) bool {
	readers, err := f.leafReaders(group, leaves)
	if err != nil {
		yield(nil, err)
		return false
	}
	for from := 0; from < len(rows); from += batchRows {
		b := &Batch{First: first + from, Rows: rows[from:min(from+batchRows, len(rows))], slots: map[int]*Slots{}}
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(concurrency)
		for i, leaf := range leaves {
			r := readers[i]
			s := &Slots{Column: r.col, Rows: []int32{0}}
			b.slots[leaf] = s
			g.Go(func() error { return f.fault(group, leaf, r.read(gctx, b.Rows, f.firsts[group], s)) })
		}
		if err := g.Wait(); err != nil {
			yield(nil, err)
			return false
		}
		if !yield(b, nil) {
			return false
		}
	}
	return true
}
