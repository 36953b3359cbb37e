package table

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"

	"assent/job/parquet"
	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
	"assent/job/parquet/thrift"
)

// A Chunk is a column chunk that is being written.
type Chunk struct {
	w        *Writer
	leaf     int
	out      *parquet.ChunkWriter
	held     *bytes.Buffer // its pages; nil where they go straight to the file
	start    int64         // offset in the file of the first page, once it is known
	codec    codec.ID
	encoding parquet.Encoding // of data pages
	dictLen  int
	bounds   parquet.Bounds // of the page, or of the dictionary
	hashes   []uint64       // of the values of a column that is filtered, equal neighbours once
}

// A Page is what a data page holds: the levels of its slots and its values, in the form that the column's encoding takes.
type Page struct {
	Rows  int
	Reps  []uint8         // repetition levels of a list's slots
	Defs  []uint8         // definition levels; nil: every slot has a value
	Codes []int32         // RLEDictionary: indexes into the dictionary
	Ints  []int64         // DeltaBinaryPacked
	Data  []byte          // DeltaLengthByteArray, DeltaByteArray:
	Ends  []uint32        // value i is Data[Ends[i]:Ends[i+1]]
	Bools encoding.Bitmap // Plain
}

// Reset empties p for a page of so many rows, keeping its memory.
func (p *Page) Reset(rows int) {
	p.Rows = rows
	p.Reps, p.Defs, p.Codes, p.Ints = p.Reps[:0], p.Defs[:0], p.Codes[:0], p.Ints[:0]
	p.Data, p.Ends = p.Data[:0], append(p.Ends[:0], 0)
	p.Bools.Reset()
}

// Null adds a slot without a value, at a definition level below the highest.
func (p *Page) Null(level uint8) { p.Defs = append(p.Defs, level) }

// Code adds a slot, at the highest definition level, with an index into the dictionary.
func (p *Page) Code(level uint8, code int32) {
	p.Defs, p.Codes = append(p.Defs, level), append(p.Codes, code)
}

// Int adds a slot, at the highest definition level, with an integer.
func (p *Page) Int(level uint8, v int64) {
	p.Defs, p.Ints = append(p.Defs, level), append(p.Ints, v)
}

// Chunk begins the chunk of a leaf. Chunks are begun and ended one after the other, unless all but one are held.
func (w *Writer) Chunk(leaf int) *Chunk { return w.chunk(leaf, &w.out, nil) }

// HeldChunk begins a chunk whose pages stay in memory until it ends.
func (w *Writer) HeldChunk(leaf int) *Chunk {
	held := w.chunks[leaf].held
	if held == nil {
		held = new(bytes.Buffer)
	}
	held.Reset()
	return w.chunk(leaf, held, held)
}

func (w *Writer) chunk(leaf int, to io.Writer, held *bytes.Buffer) *Chunk {
	c, f := &w.chunks[leaf], &w.schema.fields[leaf]
	*c = Chunk{w: w, leaf: leaf, held: held, start: w.out.Size, codec: codec.Zstd, encoding: f.Encoding, hashes: c.hashes[:0]}
	c.out = parquet.NewChunkWriter(&w.schema.columns[leaf], to)
	c.out.Terse = true
	if f.Uncompressed {
		c.codec = codec.Uncompressed
	}
	return c
}

// TextDictionary writes the dictionary of a column of Text. A chunk whose dictionary is empty has no values.
func (c *Chunk) TextDictionary(entries ...string) {
	raw := c.w.raw[:0]
	for _, e := range entries {
		raw = append(binary.LittleEndian.AppendUint32(raw, uint32(len(e))), e...)
		if c.w.schema.fields[c.leaf].Bounded {
			c.bounds.Add(&c.w.schema.columns[c.leaf], []byte(e))
		}
	}
	c.dictionary(raw, len(entries))
}

// IntDictionary writes the dictionary of a column of Int64 or Nanos.
func (c *Chunk) IntDictionary(entries []int64) {
	raw := c.w.raw[:0]
	for _, v := range entries {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	c.dictionary(raw, len(entries))
}

func (c *Chunk) dictionary(raw []byte, n int) {
	c.w.raw = raw
	if c.dictLen = n; n == 0 {
		c.encoding = parquet.Plain
		return
	}
	h := dictionaryHeader(n)
	if c.w.err == nil {
		c.w.err = withCodec(func(k *codec.Codec) error { return c.w.page.Encode(k, c.codec, &h, raw) })
	}
	c.dictionaryPage()
}

// HexDictionary writes a dictionary of Text: the empty one, then 32 hexadecimal digits for each 16 bytes of raw. It costs no
// more than a copy.
func (c *Chunk) HexDictionary(raw []byte) {
	n := len(raw) / hexSize
	c.dictLen = n + 1
	h := dictionaryHeader(n + 1)
	h.RawSize = hexPageSize(n)
	c.w.page.Body = appendHexPage(c.w.page.Body[:0], raw)
	if c.w.err == nil {
		c.w.err = c.w.page.Finish(&h)
	}
	c.dictionaryPage()
}

func dictionaryHeader(n int) parquet.PageHeader {
	return parquet.PageHeader{Kind: parquet.DictionaryPage, Values: n, Encoding: parquet.Plain}
}

func (c *Chunk) dictionaryPage() {
	if c.w.err == nil {
		c.w.err = c.out.DictionaryPage(&c.w.page)
	}
}

// Page writes a data page.
func (c *Chunk) Page(p *Page) {
	w, col := c.w, &c.w.schema.columns[c.leaf]
	if w.err != nil {
		return
	}
	values := c.count(p)
	slots := max(len(p.Defs), len(p.Reps), values)
	raw := w.raw[:0]
	if col.MaxRep > 0 {
		raw = w.appendLevels(raw, p.Reps, col.MaxRep)
	}
	if col.MaxDef > 0 {
		defs := p.Defs
		if len(defs) == 0 {
			defs = w.sameLevels(slots, uint8(col.MaxDef))
		}
		raw = w.appendLevels(raw, defs, col.MaxDef)
	}
	w.raw = c.appendValues(raw, p)

	nulls := int64(slots - values)
	w.stats = thrift.Struct{thrift.Int64Field(parquet.StatsNullCount, nulls)}.Append(w.stats[:0])
	h := parquet.PageHeader{Kind: parquet.DataPage, Values: slots, Encoding: c.encoding, RepEncoding: parquet.RLE,
		DefEncoding: parquet.RLE, Statistics: w.stats}
	if w.Fail(c.encode(&h)) != nil {
		return
	}
	c.bound(p)
	c.hash(p)
	w.Fail(c.out.DataPage(&w.page.Header, w.page.Head, w.page.Body, p.Rows, nulls, &c.bounds))
}

// count returns the number of the page's values.
func (c *Chunk) count(p *Page) int {
	switch c.encoding {
	case parquet.RLEDictionary:
		return len(p.Codes)
	case parquet.DeltaBinaryPacked:
		return len(p.Ints)
	case parquet.DeltaLengthByteArray, parquet.DeltaByteArray:
		return len(p.Ends) - 1
	}
	return p.Bools.Len()
}

// bound sets the bounds of the page, if it has some.
func (c *Chunk) bound(p *Page) {
	if !c.w.schema.fields[c.leaf].Bounded || c.encoding == parquet.RLEDictionary {
		return
	}
	col := &c.w.schema.columns[c.leaf]
	c.bounds.Reset()
	switch c.encoding {
	case parquet.DeltaBinaryPacked:
		c.bounds.AddInts(col, p.Ints)
	case parquet.DeltaLengthByteArray, parquet.DeltaByteArray:
		if len(p.Ends) == 1 {
			return
		}
		shared := 0
		if c.encoding == parquet.DeltaByteArray {
			shared = c.w.sharedByAll()
		}
		least, most := extremes(p, shared)
		c.bounds.Add(col, least)
		c.bounds.Add(col, most)
	}
}

// appendValues appends the encoded values section. Its encoders are parquet-go's and not those of package encoding: documents must
// keep their bytes from version to version, the two choose other runs and widths, and parquet-go's use vector instructions.
func (c *Chunk) appendValues(raw []byte, p *Page) []byte {
	switch c.encoding {
	case parquet.RLEDictionary:
		width := max(1, bits.Len(uint(c.dictLen-1)))
		return c.w.append(append(raw, byte(width)), func(b []byte) ([]byte, error) {
			return (&rle.Encoding{BitWidth: width}).EncodeInt32(b, p.Codes)
		})
	case parquet.DeltaBinaryPacked:
		return c.w.append(raw, func(b []byte) ([]byte, error) { return new(delta.BinaryPackedEncoding).EncodeInt64(b, p.Ints) })
	case parquet.DeltaLengthByteArray:
		return c.w.append(raw, func(b []byte) ([]byte, error) {
			data, ends := p.Data[p.Ends[0]:p.Ends[len(p.Ends)-1]], p.Ends
			return new(delta.LengthByteArrayEncoding).EncodeByteArray(b, data, ends)
		})
	case parquet.DeltaByteArray:
		return c.w.appendDeltaStrings(raw, p)
	}
	return encoding.AppendBools(raw, &p.Bools)
}

// append appends what encode makes in memory that it is given: in place, where there is room enough for it.
func (w *Writer) append(raw []byte, encode func([]byte) ([]byte, error)) []byte {
	section, err := encode(raw[len(raw):])
	w.Fail(err)
	if n := len(raw) + len(section); n <= cap(raw) && len(section) > 0 && &section[0] == &raw[:n][len(raw)] {
		return raw[:n]
	}
	return append(raw, section...)
}

// appendLevels appends levels up to limit after their length.
func (w *Writer) appendLevels(raw []byte, levels []uint8, limit int) []byte {
	at := len(raw)
	raw = w.append(append(raw, 0, 0, 0, 0), func(b []byte) ([]byte, error) {
		return (&rle.Encoding{BitWidth: bits.Len(uint(limit))}).EncodeLevels(b, levels)
	})
	binary.LittleEndian.PutUint32(raw[at:], uint32(len(raw)-at-4))
	return raw
}

// sameLevels returns n times the same level.
func (w *Writer) sameLevels(n int, level uint8) []uint8 {
	if w.level != level {
		w.levels, w.level = w.levels[:0], level
	}
	for len(w.levels) < n {
		w.levels = append(w.levels, level)
	}
	return w.levels[:n]
}

// End ends the chunk.
func (c *Chunk) End() {
	w := c.w
	if c.held != nil && w.err == nil {
		c.start = w.out.Size
		_, w.err = w.out.Write(c.held.Bytes())
	}
	if w.err != nil {
		return
	}
	col := &w.schema.columns[c.leaf]
	meta := c.out.Metadata(thrift.Struct{
		thrift.Int32Field(parquet.MetaType, int32(col.Physical)),
		w.schema.paths[c.leaf],
		thrift.Int32Field(parquet.MetaCodec, int32(c.codec)),
	}, c.start)
	filter := c.filter(&meta)
	g := &w.groups[len(w.groups)-1]
	g.size += c.out.Size
	g.rawSize += c.out.RawSize
	g.chunks[c.leaf] = parquet.WrittenChunk{
		Metadata:    thrift.Struct{thrift.Int64Field(parquet.ChunkFileOffset, 0), thrift.StructField(parquet.ChunkMetaData, meta)},
		ColumnIndex: c.out.ColumnIndex(), OffsetIndex: c.out.OffsetIndex(c.start), Filter: filter,
	}
}
