package table

import (
	"cmp"
	"io"
	"slices"

	"assent/job/parquet"
)

// A Column steps through the slots of a chunk. Once its group has gone to a row, Int, Text or Value takes a slot of it. More
// reports whether the row has another one.
type Column struct {
	g    *Group
	leaf int
	col  *parquet.Column
	r    *parquet.ChunkReader // nil before the first page

	slots, slot, value int   // slots of the page; the next one; its value, if it has one
	row                int64 // the row gone to by seek
	rowSlot, rowValue  int   // where it begins
	page               int   // by the page index; -1 where seek has not been called
}

// Column opens a leaf.
func (g *Group) Column(leaf int) *Column {
	c := &Column{g: g, leaf: leaf, col: &g.file.Columns()[leaf], page: -1}
	g.columns = append(g.columns, c)
	return c
}

// Fault gives an error of the column's values its place. It wraps parquet.ErrCorrupt where it is none of the reader's.
func (c *Column) Fault(err error) error {
	page := -1
	if c.r != nil {
		page = c.r.Number
	}
	return c.g.file.Fault(err, c.g.number, c.leaf, page)
}

// open makes the reader of the chunk, which reads so many bytes at a time.
func (c *Column) open(block int64) {
	if c.r == nil {
		c.r = parquet.NewChunkReader(c.g.file.File, &c.g.chunks[c.leaf], block)
		c.r.Limits = &limits
	}
}

// left returns how many slots of the chunk have not been loaded.
func (c *Column) left() int64 {
	if c.r == nil {
		return c.g.chunks[c.leaf].Values
	}
	return c.r.Chunk.Values - c.r.Seen
}

// load decodes the reader's next page.
func (c *Column) load() error {
	c.slots, c.slot, c.value = 0, 0, 0
	err := c.r.Next()
	if err == nil {
		err = c.r.Load()
	}
	switch {
	case err == io.EOF:
		return parquet.Corruptf("fewer values than rows")
	case err != nil:
		return err
	case c.col.MaxRep > 0 && c.r.Page.Reps[0] != 0:
		return parquet.Corruptf("a page that begins within a row")
	}
	c.slots = c.r.Header.Values
	return nil
}

// next goes to the slot with which the next row begins.
func (c *Column) next() error {
	if c.slot == c.slots {
		c.open(scanRead)
		if err := c.load(); err != nil {
			return c.Fault(err)
		}
	}
	if c.More() {
		return c.Fault(parquet.Corruptf("a list that is longer than those beside it"))
	}
	return nil
}

// SeekRow is Group.SeekRow for this column alone.
func (c *Column) SeekRow(row int64) error {
	if err := c.g.readIndexes(); err != nil {
		return err
	}
	if err := c.seek(row); err != nil {
		return c.Fault(err)
	}
	return nil
}

// seek goes to the slot with which a row begins.
func (c *Column) seek(row int64) error {
	chunk, index := &c.g.chunks[c.leaf], c.g.indexes[c.leaf]
	if index == nil {
		return parquet.Corruptf("no page index")
	}
	page, found := slices.BinarySearchFunc(index.Locations, row, func(l parquet.PageLocation, row int64) int { return cmp.Compare(l.FirstRow, row) })
	if !found {
		page--
	}
	if page < 0 {
		return parquet.Corruptf("no page with row %d", row)
	}
	if page != c.page || row < c.row {
		at := index.Locations[page]
		if at.Offset < chunk.Start || at.Offset+int64(at.Size) > chunk.End {
			return parquet.Corruptf("page index: %d bytes at %d are outside of the chunk", at.Size, at.Offset)
		}
		c.open(max(256, chunk.DataOffset-chunk.Start)) // the dictionary, if it has one
		c.r.SeekPage(at.Offset, at.Offset+int64(at.Size), page, 0)
		c.page = -1
		if err := c.load(); err != nil {
			return err
		}
		c.page, c.row, c.rowSlot, c.rowValue = page, at.FirstRow, 0, 0
	}
	c.slot, c.value = c.rowSlot, c.rowValue
	for ; c.row < row && c.slot < c.slots; c.row++ {
		for more := true; more; more = c.More() {
			c.take()
		}
	}
	if c.slot == c.slots {
		return parquet.Corruptf("a page with fewer rows than its index says")
	}
	c.rowSlot, c.rowValue = c.slot, c.value
	return nil
}

// Level returns the definition level of the next slot, which there must be.
func (c *Column) Level() int {
	switch p := &c.r.Page; {
	case c.col.MaxDef == 0 || p.All:
		return c.col.MaxDef
	case c.col.MaxDef > 1:
		return int(p.Defs[c.slot])
	case p.Present.Get(c.slot):
		return 1
	}
	return 0
}

// take steps over a slot and returns which value of the page stands in it, if one does.
func (c *Column) take() (value int, ok bool) {
	ok = c.Level() == c.col.MaxDef
	c.slot++
	if !ok {
		return 0, false
	}
	c.value++
	return c.value - 1, true
}

// More reports whether the next slot continues the row.
func (c *Column) More() bool {
	return c.col.MaxRep > 0 && c.slot < c.slots && c.r.Page.Reps[c.slot] != 0
}

// Int takes a slot of a column of integers or booleans (0, 1). It is not ok where the slot has no value.
func (c *Column) Int() (v int64, ok bool) {
	i, ok := c.take()
	switch {
	case !ok:
		return 0, false
	case c.r.Dict != nil:
		return c.r.Dict.Int(int(c.r.Index[i])), true
	}
	return c.r.Values.Ints[i], true
}

// Text takes a slot of a column of Text. It is not ok where the slot has no value. The text is valid until the group goes on.
func (c *Column) Text() (v []byte, ok bool) {
	i, ok := c.take()
	switch {
	case !ok:
		return nil, false
	case c.r.Dict != nil:
		return c.r.Dict.Bytes(int(c.r.Index[i])), true
	}
	return c.r.Values.Bytes.At(i), true
}

// A Parsed is a column of Text whose values are parsed, those of a dictionary once.
type Parsed[T any] struct {
	*Column
	parse  func([]byte) (T, error)
	dict   *parquet.Dictionary // that values belong to
	values []T
}

// Parse opens a leaf of Text.
func Parse[T any](g *Group, leaf int, parse func([]byte) (T, error)) Parsed[T] {
	return Parsed[T]{Column: g.Column(leaf), parse: parse}
}

// Value takes a slot. Where it has no value it returns the zero one.
func (p *Parsed[T]) Value() (v T, err error) {
	i, ok := p.take()
	if !ok {
		return v, nil
	}
	if p.r.Dict == nil {
		v, err = p.parse(p.r.Values.Bytes.At(i))
		return v, p.fault(err)
	}
	if p.dict != p.r.Dict {
		p.values = make([]T, p.r.Dict.Len())
		for j := range p.values {
			if p.values[j], err = p.parse(p.r.Dict.Bytes(j)); err != nil {
				return v, p.fault(err)
			}
		}
		p.dict = p.r.Dict
	}
	return p.values[p.r.Index[i]], nil
}

// fault makes an error of parse one of the file's bytes.
func (p *Parsed[T]) fault(err error) error {
	if err == nil {
		return nil
	}
	return p.Fault(parquet.Corruptf("%w", err))
}
