package rewrite

import (
	"io"
	"slices"
	"sync"

	"assent/job/parquet"
	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
)

// A keyColumn holds the decoded slots of the rows of one page, or of several if a row of a V1 page goes on in the next.
type keyColumn struct {
	f        *parquet.File
	rowGroup int
	col      *parquet.Column
	walk     *walk
	dict     *parquet.Dictionary
	page     parquet.Page // the last page loaded
	ahead    bool         // page is loaded, but its values are not decoded yet
	late     bool         // pages are loaded when a batch is, not before
	waiting  bool         // the walk stands before the body of a page that is not loaded yet
	last     []byte       // last value of the page before, where Application.CarriesDelta
	reserve  func(bytes int64) error

	rows, next int     // number of decoded rows, and of those handed out
	n          int     // slots
	offsets    []int32 // number of slots before each row, then of all; empty where the column is not repeated
	null       []bool  // empty where no slot is null
	coded      bool    // the slots are in index, else in vals
	index      []int32
	vals       parquet.Values
	room       []byte // of a page, in which the bytes of vals lie; see decodeValues

	cutOffsets []int32 // of the batch handed out
	defs       []uint8
	present    encoding.Bitmap
}

// keyColumns holds key columns for reuse, with their memory.
var keyColumns = sync.Pool{New: func() any { return new(keyColumn) }}

// maxPooledKeys bounds the bytes of a key column that is kept for reuse.
const maxPooledKeys = 16 << 20

// recycle gives c back for reuse.
func (c *keyColumn) recycle() {
	memory := c.memory()
	c.f, c.col, c.walk, c.dict, c.reserve = nil, nil, nil, nil, nil
	c.ahead, c.late, c.waiting, c.last, c.rows, c.next = false, false, false, c.last[:0], 0, 0
	if memory <= maxPooledKeys {
		keyColumns.Put(c)
		return
	}
	*c = keyColumn{}
	letGo(int(memory))
}

// memory returns the bytes that c holds.
func (c *keyColumn) memory() int64 {
	n := c.page.Memory() + c.vals.Memory() + 4*cap(c.offsets) + cap(c.null) + 4*cap(c.index)
	if c.dict != nil {
		n += c.dict.Memory()
	}
	return int64(n)
}

// fill decodes the next page, and the pages after it as long as its last row goes on.
func (c *keyColumn) fill(dec *codec.Codec) error {
	c.rows, c.next, c.n, c.coded = 0, 0, 0, false
	c.offsets, c.null, c.index = c.offsets[:0], c.null[:0], c.index[:0]
	c.vals.Ints = c.vals.Ints[:0]
	c.vals.Bytes.Reset()
	if c.late {
		if err := c.find(dec); err != nil {
			return err
		}
		c.rows, c.waiting = c.walk.Header.Values, true
		return nil
	}
	if !c.ahead {
		if err := c.load(dec); err != nil {
			return err
		}
	}
	c.ahead = false
	if c.col.MaxRep == 0 {
		return c.decode()
	}
	if c.page.Reps[0] != 0 {
		return parquet.Corruptf("the first row does not begin with the page")
	}
	for {
		if err := c.decode(); err != nil {
			return err
		}
		// A V1 page may end within a row, which shows at the beginning of the next.
		err := c.load(dec)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if c.ahead = c.page.Reps[0] == 0; c.ahead {
			break
		}
		if c.page.Header.Kind == parquet.DataPageV2 {
			return parquet.Corruptf("a row that begins on an earlier page")
		}
	}
	c.offsets = append(c.offsets, int32(c.n))
	return nil
}

// arrive loads and decodes the page that the walk stands before.
func (c *keyColumn) arrive(dec *codec.Codec) error {
	c.rows, c.waiting = 0, false
	if err := c.take(dec); err != nil {
		return err
	}
	return c.decode()
}

// load reads the next data page that is not empty into c.page, and the dictionary on the way.
func (c *keyColumn) load(dec *codec.Codec) error {
	if err := c.find(dec); err != nil {
		return err
	}
	return c.take(dec)
}

// take reads the page that the walk stands before into c.page.
func (c *keyColumn) take(dec *codec.Codec) error {
	if c.n == 0 && c.room != nil { // its values are not needed any more
		c.vals.Bytes = encoding.Bytes{Ends: c.vals.Bytes.Ends[:0]}
		c.page.Give(c.room)
		c.room = nil
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	return c.page.Load(dec, c.col, c.walk.Chunk.Codec, &c.walk.Header, body)
}

// body returns the body of the page that the walk stands before. What it takes beside what c has already is reserved.
func (c *keyColumn) body() ([]byte, error) {
	h := &c.walk.Header
	more := int64(h.RawSize) + 8*int64(h.Values)
	if c.col.Physical == parquet.ByteArray && h.IsData() && !h.DictCoded() && h.Encoding != parquet.Plain {
		more += int64(h.RawSize) // the values are decoded beside it
	}
	if h.Kind != parquet.DictionaryPage { // a dictionary has memory of its own
		more -= c.memory()
	}
	if err := c.reserve(more + max(0, int64(h.Size)-3*c.walk.src.block)); err != nil {
		return nil, err
	}
	return c.walk.Body()
}

// find goes to the next data page that is not empty, and reads the dictionary on the way.
func (c *keyColumn) find(dec *codec.Codec) error {
	for {
		if err := c.walk.next(); err != nil {
			return err
		}
		h := &c.walk.Header
		if h.IsData() && h.Values > 0 {
			return nil
		}
		if h.Kind != parquet.DictionaryPage {
			continue
		}
		body, err := c.body()
		if err != nil {
			return err
		}
		plain, err := parquet.LoadDictionary(dec, c.walk.Chunk.Codec, h, body)
		if err != nil {
			return err
		}
		if c.dict, err = parquet.ParseDictionary(c.col, plain, h.Values); err != nil {
			return err
		}
	}
}

// decode appends the slots of c.page.
func (c *keyColumn) decode() error {
	p := &c.page
	first := c.n
	present := c.place()
	if present != nil {
		c.null = append(c.null, make([]bool, first-len(c.null))...)
		for i := range c.n - first {
			c.null = append(c.null, !present.Get(i))
		}
	} else if len(c.null) > 0 {
		c.null = append(c.null, make([]bool, c.n-first)...)
	}
	if p.Header.DictCoded() {
		return c.decodeIndices(first, present)
	}
	if c.coded && first > 0 {
		// A row goes on from a dictionary-coded page to one that is not.
		c.expand(0, c.index)
		c.index = c.index[:0]
	}
	c.coded = false
	if err := c.decodeValues(); err != nil {
		return err
	}
	if n := c.vals.Bytes.Len(); p.Header.Encoding == parquet.DeltaByteArray && p.Count > 0 && c.f.Application().CarriesDelta() {
		c.last = append(c.last[:0], c.vals.Bytes.At(n-1)...)
	}
	if present != nil {
		if c.col.Integer() {
			c.vals.Ints = encoding.Spread(c.vals.Ints, present)
		} else {
			c.vals.Bytes.Ends = encoding.SpreadEnds(c.vals.Bytes.Ends, present)
		}
	}
	return nil
}

// decodeValues appends the values of c.page. Byte strings that are the first ones stay in the memory of the page, where they move down,
// each by the lengths before it: to copy them would take as much memory again.
func (c *keyColumn) decodeValues() error {
	p := &c.page
	src := p.Values
	if p.Header.Encoding == parquet.Plain && c.col.Physical == parquet.ByteArray && c.vals.Bytes.Len() == 0 {
		c.vals.Bytes.Data, c.room = p.Take(c.room)
	}
	return c.vals.Decode(c.col, p.Header.Encoding, src, p.Count, c.last)
}

func (c *keyColumn) decodeIndices(first int, present *encoding.Bitmap) error {
	p := &c.page
	if c.dict == nil {
		if p.Count > 0 {
			return parquet.Corruptf("dictionary-coded without a dictionary")
		}
		c.dict = &parquet.Dictionary{}
	}
	c.coded = c.coded || first == 0
	var err error
	if c.index, err = encoding.DecodeIndices(c.index, p.Values, p.Count, c.dict.Len()); err != nil {
		return err
	}
	if present != nil {
		c.index = encoding.Spread(c.index, present)
	}
	if !c.coded {
		c.expand(first, c.index)
		c.index = c.index[:0]
	}
	return nil
}

// expand appends to vals the dictionary's values for the slots from first on.
func (c *keyColumn) expand(first int, index []int32) {
	for i, at := range index {
		null := first+i < len(c.null) && c.null[first+i]
		switch {
		case c.col.Integer() && null:
			c.vals.Ints = append(c.vals.Ints, 0)
		case c.col.Integer():
			c.vals.Ints = append(c.vals.Ints, c.dict.Int(int(at)))
		case null:
			c.vals.AppendBytes(nil)
		default:
			c.vals.AppendBytes(c.dict.Bytes(int(at)))
		}
	}
}

// place counts the rows and slots of c.page and appends the rows' offsets. It returns which of the slots have a value, nil if all
// have one.
func (c *keyColumn) place() *encoding.Bitmap {
	p := &c.page
	if c.col.MaxRep == 0 {
		c.rows += p.Header.Values
		c.n += p.Header.Values
		if p.All {
			return nil
		}
		return &p.Present
	}
	defs := p.Defs
	if len(defs) == 0 { // a MaxDef of 1
		c.defs = slices.Grow(c.defs[:0], p.Header.Values)[:p.Header.Values]
		for i := range c.defs {
			c.defs[i] = 0
			if p.Present.Get(i) {
				c.defs[i] = 1
			}
		}
		defs = c.defs
	}
	c.present.Reset()
	n := c.n
	for i, rep := range p.Reps {
		if rep == 0 {
			c.offsets = append(c.offsets, int32(c.n))
		}
		if int(defs[i]) >= c.col.ElementDef {
			c.n++
			c.present.AppendRun(int(defs[i]) == c.col.MaxDef, 1)
		}
	}
	c.rows += p.Rows
	if c.n-n == p.Count {
		return nil
	}
	return &c.present
}

// cut hands out the next n rows, in v. It is empty where they are not loaded.
func (c *keyColumn) cut(v *parquet.Vector, n int) {
	c.next += n
	*v = parquet.Vector{}
	if !c.waiting {
		c.handed(v, n)
	}
}

// handed sets v to the last n of the rows that were handed out.
func (c *keyColumn) handed(v *parquet.Vector, n int) {
	lo, hi := c.next-n, c.next
	if c.col.MaxRep > 0 {
		first := c.offsets[lo]
		c.cutOffsets = slices.Grow(c.cutOffsets[:0], n+1)[:n+1]
		for i := range c.cutOffsets {
			c.cutOffsets[i] = c.offsets[lo+i] - first
		}
		v.Offsets = c.cutOffsets
		lo, hi = int(first), int(c.offsets[hi])
	}
	if len(c.null) > 0 && slices.Contains(c.null[lo:hi], true) {
		v.Null = c.null[lo:hi]
	}
	switch {
	case c.coded:
		v.Dict, v.Index = c.dict, c.index[lo:hi]
	case c.col.Integer():
		v.Ints = c.vals.Ints[lo:hi]
	default:
		b := &c.vals.Bytes
		v.Bytes = parquet.Bytes{Data: b.Data, Ends: b.Ends[lo:hi]}
		if lo > 0 {
			v.Bytes.First = b.Ends[lo-1]
		}
	}
}
