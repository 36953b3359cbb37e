package table

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"sync"

	"assent/job/parquet"
)

// A File is an opened document. It is safe for concurrent use, its groups are not.
type File struct {
	*parquet.File
	schema *Schema
	tail   *tailReader // nil: the document is in memory
}

// tailOf returns how many bytes are read at once at the end of a file of a size: footers, indexes and filters lie there. They take less than
// a tenth of it, where it is not small.
func tailOf(size int64) int64 {
	const least, most = 64 << 10, 128 << 10 // parquet.OpenFooter looks at the least
	return min(max(0, size), most, max(least, size/8))
}

const scanRead = 256 << 10 // bytes read at once of a chunk that is read through

// limits are far above what a Writer's pages need.
var limits = parquet.Limits{Bytes: 128 << 20, Slots: 1 << 22, Checksum: true}

// Open reads and checks the footer of a document of size bytes, which must have the schema's columns. Errors are as those of
// parquet.Open, and name is used in them alone.
func Open(r io.ReaderAt, size int64, name string, schema *Schema) (*File, error) {
	var tail *tailReader
	if _, held := r.(parquet.Held); !held {
		tail = tails.Get().(*tailReader)
		tail.bytes = slices.Grow(tail.bytes[:0], int(tailOf(size)))[:tailOf(size)]
		tail.r, tail.begin = r, size-tailOf(size)
		if n, err := r.ReadAt(tail.bytes, tail.begin); n < len(tail.bytes) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		r = tail
	}
	f, err := parquet.OpenFooter(context.Background(), r, size, name)
	if err != nil {
		return nil, err
	}
	if err := schema.check(f.Columns()); err != nil {
		return nil, f.Fault(err, -1, -1, -1)
	}
	f.FiltersLast = true
	return &File{f, schema, tail}, nil
}

// Release gives memory back that the next document can use. Nothing that was read of the document, nor the document, is used afterwards.
func (f *File) Release() {
	if f.tail != nil {
		f.tail.r = nil
		tails.Put(f.tail)
	}
}

// check refuses columns that are not those of the schema.
func (s *Schema) check(columns []parquet.Column) error {
	if len(columns) != len(s.columns) {
		return parquet.Corruptf("%d columns, not the document's %d", len(columns), len(s.columns))
	}
	for i := range columns {
		got, want := &columns[i], &s.columns[i]
		if !slices.Equal(got.Path, want.Path) || got.Physical != want.Physical || got.MaxRep != want.MaxRep || got.MaxDef != want.MaxDef {
			return parquet.Corruptf("column %d is not %s", i, want.Name())
		}
	}
	return nil
}

// A tailReader reads a file whose last bytes are in memory.
type tailReader struct {
	r     io.ReaderAt
	begin int64
	bytes []byte
}

// tails holds those that were released.
var tails = sync.Pool{New: func() any { return new(tailReader) }}

// Held makes it a parquet.Held.
func (t *tailReader) Held() (bytes []byte, from int64) { return t.bytes, t.begin }

func (t *tailReader) ReadAt(p []byte, off int64) (int, error) {
	if off < t.begin || off-t.begin > int64(len(t.bytes)-len(p)) {
		return t.r.ReadAt(p, off)
	}
	return copy(p, t.bytes[off-t.begin:]), nil
}

// A Group reads columns of a row group side by side: those that Column or Parse was called for.
type Group struct {
	Rows int64

	file    *File
	number  int
	chunks  []parquet.Chunk
	indexes []*parquet.PageIndex // nil: not read yet
	columns []*Column
}

// Group returns a reader of row group i.
func (f *File) Group(i int) (*Group, error) {
	chunks, err := f.Chunks(i)
	if err != nil {
		return nil, err
	}
	for leaf := range chunks {
		if err := f.checkPath(&chunks[leaf]); err != nil {
			return nil, f.Fault(err, i, leaf, -1)
		}
	}
	return &Group{Rows: f.RowGroupRows(i), file: f, number: i, chunks: chunks}, nil
}

// checkPath refuses a chunk that is another column's.
func (f *File) checkPath(c *parquet.Chunk) error {
	if path, _ := c.Metadata.Get(parquet.MetaPath); !bytes.Equal(path.Raw, f.schema.paths[c.Column].Raw) {
		return parquet.Corruptf("not a chunk of this column")
	}
	return nil
}

// Scan calls open for each row group and then read for each of its rows, once the columns that open opened have gone to it. It
// ends where read returns false.
func (f *File) Scan(open func(*Group), read func() (bool, error)) error {
	return f.ScanSome(func(int) bool { return false }, open, read)
}

// ScanSome is Scan that passes over the row groups of which pass says so by their numbers, before it parses their chunks.
func (f *File) ScanSome(pass func(group int) bool, open func(*Group), read func() (bool, error)) error {
	for i := range f.NumRowGroups() {
		if pass(i) {
			continue
		}
		g, err := f.Group(i)
		if err != nil {
			return err
		}
		open(g)
		for range g.Rows {
			if err := g.Next(); err != nil {
				return err
			}
			if more, err := read(); err != nil || !more {
				return err
			}
		}
		if err := g.End(); err != nil {
			return err
		}
	}
	return nil
}

// ScanInts calls read for the rows of a document all of whose columns are integers, none of them optional or a list: for as many at a
// time as lie on one page of each column. columns are valid until read returns.
func (f *File) ScanInts(read func(columns [][]int64) error) error {
	columns := make([][]int64, len(f.schema.columns))
	for i := range f.NumRowGroups() {
		g, err := f.Group(i)
		if err != nil {
			return err
		}
		for leaf := range columns {
			g.Column(leaf)
		}
		for left := g.Rows; left > 0; left -= int64(len(columns[0])) {
			if err := g.nextInts(columns, left); err != nil {
				return err
			}
			if err := read(columns); err != nil {
				return err
			}
		}
		if err := g.End(); err != nil {
			return err
		}
	}
	return nil
}

// nextInts takes the slots of at most so many rows of all columns.
func (g *Group) nextInts(columns [][]int64, most int64) error {
	if err := g.Next(); err != nil {
		return err
	}
	n := int(min(most, math.MaxInt32))
	for _, c := range g.columns {
		if c.r.Dict != nil {
			return c.Fault(parquet.Corruptf("a dictionary, where integers are written without one"))
		}
		if n = min(n, c.slots-c.slot); n < 1 {
			return c.Fault(parquet.Corruptf("a page without values"))
		}
	}
	for i, c := range g.columns {
		columns[i] = c.r.Values.Ints[c.value : c.value+n]
		c.slot, c.value = c.slot+n, c.value+n
	}
	return nil
}

// Pick is Scan for some rows, given by their numbers in the file, which ascend. It reads only the pages on which they are.
func (f *File) Pick(rows []int64, open func(*Group), read func() (bool, error)) error {
	first, end := int64(0), int64(0) // of the row group
	for i := 0; i < f.NumRowGroups() && len(rows) > 0; i++ {
		first, end = end, end+f.RowGroupRows(i)
		if rows[0] >= end {
			continue
		}
		g, err := f.Group(i)
		if err != nil {
			return err
		}
		for open(g); len(rows) > 0 && rows[0] < end; rows = rows[1:] {
			if err := g.SeekRow(rows[0] - first); err != nil {
				return err
			}
			if more, err := read(); err != nil || !more {
				return err
			}
		}
	}
	if len(rows) > 0 {
		return f.Fault(parquet.Corruptf("no row %d", rows[0]), -1, -1, -1)
	}
	return nil
}

// Close forgets the columns that are open. What was read of the page index stays.
func (g *Group) Close() { g.columns = nil }

// Next goes to the next row in each column, which must all have been read up to it.
func (g *Group) Next() error {
	for _, c := range g.columns {
		if err := c.next(); err != nil {
			return err
		}
	}
	return nil
}

// End returns an error where a column has more rows than were gone to by Next.
func (g *Group) End() error {
	for _, c := range g.columns {
		if c.slot < c.slots || c.left() > 0 {
			return c.Fault(parquet.Corruptf("more values than rows"))
		}
	}
	return nil
}

// SeekRow goes to a row, counted from 0 in the row group, in each column. It reads one page of a column at most, and nothing where
// the row lies on the page that is read already.
func (g *Group) SeekRow(row int64) error {
	for _, c := range g.columns {
		if err := c.SeekRow(row); err != nil {
			return err
		}
	}
	return nil
}

func (g *Group) readIndexes() (err error) {
	if g.indexes == nil {
		if g.indexes, err = g.file.PageIndexes(g.chunks); err != nil {
			return g.file.Fault(err, g.number, -1, -1)
		}
	}
	return nil
}

// bounds returns those of a leaf; not ok where it has none.
func (g *Group) bounds(leaf int) (lo, hi []byte, ok bool) { return g.file.bounds(&g.chunks[leaf]) }

func (f *File) bounds(c *parquet.Chunk) (lo, hi []byte, ok bool) {
	stats, err := c.Metadata.Struct(parquet.MetaStatistics)
	if err != nil {
		return nil, nil, false
	}
	col := &f.Columns()[c.Column]
	lo, _, err1 := stats.Bytes(parquet.StatsMinValue)
	hi, _, err2 := stats.Bytes(parquet.StatsMaxValue)
	return lo, hi, err1 == nil && err2 == nil && len(lo) > 0 && len(hi) > 0 && parquet.SoundBound(col, lo) && parquet.SoundBound(col, hi)
}

// Ints returns the least and the greatest value of a bounded leaf of integers in a row group; not ok where the chunk does not say, or is
// damaged. It parses that chunk alone.
func (f *File) Ints(group, leaf int) (least, greatest int64, ok bool) {
	c, err := f.Chunk(group, leaf)
	if err != nil || f.checkPath(&c) != nil {
		return 0, 0, false
	}
	lo, hi, ok := f.bounds(&c)
	if !ok || len(lo) != 8 || len(hi) != 8 {
		return 0, 0, false
	}
	return int64(binary.LittleEndian.Uint64(lo)), int64(binary.LittleEndian.Uint64(hi)), true
}

// A Range is the rows From up to To of a row group.
type Range struct{ From, To int64 }

// Pages yields the rows of each page of a bounded leaf on which a value, PLAIN without a length, may stand.
// It reads the page index only where the chunk's bounds admit the value.
func (g *Group) Pages(leaf int, value []byte) iter.Seq2[Range, error] {
	return func(yield func(Range, error) bool) {
		fail := func(err error) { yield(Range{}, g.file.Fault(err, g.number, leaf, -1)) }
		col := &g.file.Columns()[leaf]
		lo, hi, ok := g.bounds(leaf)
		if !ok {
			fail(parquet.Corruptf("no bounds"))
			return
		}
		if parquet.Compare(col, value, lo) < 0 || parquet.Compare(col, value, hi) > 0 {
			return
		}
		if err := g.readIndexes(); err != nil {
			fail(err)
			return
		}
		index := g.indexes[leaf]
		if index == nil {
			fail(parquet.Corruptf("no page index"))
			return
		}
		bounds, ok := index.Columns()
		if !ok {
			fail(parquet.Corruptf("no bounds of pages"))
			return
		}
		for i, at := range index.Locations {
			if lo, hi := bounds.Min[i], bounds.Max[i]; bounds.Null[i] || !parquet.SoundBound(col, lo) || !parquet.SoundBound(col, hi) ||
				parquet.Compare(col, value, lo) < 0 || parquet.Compare(col, value, hi) > 0 {
				continue
			}
			end := g.Rows
			if i+1 < len(index.Locations) {
				end = index.Locations[i+1].FirstRow
			}
			if !yield(Range{at.FirstRow, end}, nil) {
				return
			}
		}
	}
}
