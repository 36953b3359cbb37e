package parquet

import (
	"bytes"
	"io"
	"slices"
	"unicode/utf8"

	"assent/job/parquet/thrift"
)

// A ChunkWriter writes the pages of a column chunk and gathers what the footer and the page index will say of them. Until the
// end it counts offsets from the chunk's start, because chunks before it may still be being written.
type ChunkWriter struct {
	// Terse says that bounds stand whole, or not at all where one is empty or longer than 128 bytes. Nothing says whether they
	// are exact, and page bounds ascend or are unordered. Package table writes so.
	Terse bool

	col     *Column
	w       io.Writer
	Size    int64
	RawSize int64 // the same, with uncompressed page bodies
	dict    bool  // it begins with a dictionary page
	data    int64 // offset of the first data page, if there is a page
	values  int64 // slots
	rows    int64
	nulls   int64 // -1: not known
	bounds  Bounds
	pages   []pageOut
	kinds   []pageCount
	legacy  bool // some levels are BIT_PACKED
}

// A pageOut is what the page index says of a data page.
type pageOut struct {
	offset   int64
	size     int32 // with its header
	firstRow int64
	lo, hi   []byte // bounds, shortened
	any      bool   // they are set
	null     bool   // it has no value
	nulls    int64  // -1: not known
}

// NewChunkWriter returns a writer of a chunk of column col, whose pages go to w.
func NewChunkWriter(col *Column, w io.Writer) *ChunkWriter { return &ChunkWriter{col: col, w: w} }

// End ends the writing of pages: c lets go of its writer. What is left is small.
func (c *ChunkWriter) End() { c.w = nil }

// pageCount counts the pages of a type and encoding.
type pageCount struct {
	kind     int
	encoding Encoding
	n        int32
}

func (c *ChunkWriter) count(kind int, enc Encoding) {
	for i := range c.kinds {
		if c.kinds[i].kind == kind && c.kinds[i].encoding == enc {
			c.kinds[i].n++
			return
		}
	}
	c.kinds = append(c.kinds, pageCount{kind, enc, 1})
}

func (c *ChunkWriter) write(parts ...[]byte) error {
	for _, p := range parts {
		if _, err := c.w.Write(p); err != nil {
			return err
		}
		c.Size += int64(len(p))
	}
	return nil
}

// DictionaryPage writes the dictionary page, which comes first.
func (c *ChunkWriter) DictionaryPage(e *EncodedPage) error {
	c.dict = true
	c.RawSize += int64(len(e.Head) + e.Header.RawSize)
	c.count(DictionaryPage, e.Header.Encoding)
	return c.write(e.Head, e.Body)
}

// DataPage writes a data page, given by its header and its encoded header and body. rows is the number of rows that begin on
// it, nulls the number of slots without a value (-1: not known), b the bounds of its values, which are copied.
func (c *ChunkWriter) DataPage(h *PageHeader, head, body []byte, rows int, nulls int64, b *Bounds) error {
	if len(c.pages) == 0 {
		c.data = c.Size
	}
	p := pageOut{offset: c.Size, size: int32(len(head) + len(body)), firstRow: c.rows, nulls: nulls}
	p.null = nulls == int64(h.Values)
	if b.Any && !b.Incomplete && !c.leavesOut(b) {
		p.any = true
		lo, hi := b.Plain(c.col)
		p.lo, _ = c.shortMin(lo)
		if p.hi, _ = c.shortMax(hi); p.hi == nil {
			p.hi = append([]byte{}, hi...)
		}
	}
	c.pages = append(c.pages, p)
	c.bounds.Merge(c.col, b)
	if p.nulls < 0 || c.nulls < 0 {
		c.nulls = -1
	} else {
		c.nulls += p.nulls
	}
	c.values += int64(h.Values)
	c.rows += int64(rows)
	c.RawSize += int64(len(head) + h.RawSize)
	c.count(h.Kind, h.Encoding)
	if h.Kind == DataPage && (c.col.MaxDef > 0 && h.DefEncoding == BitPacked || c.col.MaxRep > 0 && h.RepEncoding == BitPacked) {
		c.legacy = true
	}
	return c.write(head, body)
}

// encodings returns the distinct encodings of pages and levels.
func (c *ChunkWriter) encodings() []Encoding {
	var all []Encoding
	add := func(e Encoding) {
		for _, have := range all {
			if have == e {
				return
			}
		}
		all = append(all, e)
	}
	for _, k := range c.kinds {
		add(k.encoding)
	}
	if c.Terse {
		slices.Reverse(all) // the data pages' first
	}
	if c.col.MaxDef > 0 || c.col.MaxRep > 0 {
		add(RLE)
	}
	if c.legacy {
		add(BitPacked)
	}
	return all
}

// Metadata returns the ColumnMetaData of the chunk, which begins at start in the file. meta holds its first fields: type, path
// and codec.
func (c *ChunkWriter) Metadata(meta thrift.Struct, start int64) thrift.Struct {
	var encodings, stats []byte
	all := c.encodings()
	for _, e := range all {
		encodings = thrift.AppendInt(encodings, int64(e))
	}
	for _, k := range c.kinds {
		s := thrift.Struct{thrift.Int32Field(1, int32(k.kind)), thrift.Int32Field(2, int32(k.encoding)), thrift.Int32Field(3, k.n)}
		stats = s.Append(stats)
	}
	meta.Set(thrift.ListField(MetaEncodings, thrift.I32, len(all), encodings))
	meta.Set(thrift.Int64Field(MetaNumValues, c.values))
	meta.Set(thrift.Int64Field(MetaTotalUncompressedSize, c.RawSize))
	meta.Set(thrift.Int64Field(MetaTotalCompressedSize, c.Size))
	meta.Set(thrift.Int64Field(MetaDataPageOffset, start+c.data))
	if c.dict {
		meta.Set(thrift.Int64Field(MetaDictionaryPageOffset, start))
	}
	if st := c.statistics(); len(st) > 0 {
		meta.Set(thrift.StructField(MetaStatistics, st))
	}
	meta.Set(thrift.ListField(MetaEncodingStats, thrift.StrucT, len(c.kinds), stats))
	return meta
}

// statistics returns the chunk's Statistics, nil where nothing is known.
func (c *ChunkWriter) statistics() thrift.Struct {
	var s thrift.Struct
	if c.nulls >= 0 {
		s = append(s, thrift.Int64Field(StatsNullCount, c.nulls))
	}
	if !c.bounds.Any || c.bounds.Incomplete || c.col.Order == OrderNone || c.leavesOut(&c.bounds) {
		return s
	}
	lo, hi := c.bounds.Plain(c.col)
	lo, shortMin := c.shortMin(lo)
	hi, shortMax := c.shortMax(hi)
	if hi != nil {
		s = append(s, thrift.BytesField(StatsMaxValue, hi))
	}
	s = append(s, thrift.BytesField(StatsMinValue, lo))
	if c.Terse {
		return s
	}
	if hi != nil {
		s = append(s, thrift.BoolField(StatsMaxExact, !shortMax && !c.bounds.LooseMax))
	}
	return append(s, thrift.BoolField(StatsMinExact, !shortMin && !c.bounds.LooseMin))
}

// maxTerseBound is the length of the longest bounds of a terse chunk.
const maxTerseBound = 128

// leavesOut reports whether a terse chunk has no use for bounds.
func (c *ChunkWriter) leavesOut(b *Bounds) bool {
	if !c.Terse {
		return false
	}
	lo, hi := b.Plain(c.col)
	return len(lo) == 0 || len(lo) > maxTerseBound || len(hi) > maxTerseBound
}

func (c *ChunkWriter) shortMin(lo []byte) ([]byte, bool) {
	if c.Terse {
		return bytes.Clone(lo), false
	}
	return shortenMin(c.col, lo)
}

func (c *ChunkWriter) shortMax(hi []byte) ([]byte, bool) {
	if c.Terse {
		return bytes.Clone(hi), false
	}
	return shortenMax(c.col, hi)
}

// MaxBound is the length in bytes to which bounds of byte arrays are shortened.
const MaxBound = 64

// shortenMin returns a copy of lo, the least value, or of a prefix of it.
func shortenMin(c *Column, lo []byte) (short []byte, shortened bool) {
	if len(lo) <= MaxBound || c.Physical != ByteArray || c.Order != OrderBytes {
		return append([]byte{}, lo...), false
	}
	return append([]byte{}, lo[:cut(c, lo)]...), true
}

// shortenMax returns a copy of hi, the greatest value, or a short value that is greater; nil where there is none.
func shortenMax(c *Column, hi []byte) (short []byte, shortened bool) {
	if len(hi) <= MaxBound || c.Physical != ByteArray || c.Order != OrderBytes {
		return append([]byte{}, hi...), false
	}
	short = append([]byte{}, hi[:cut(c, hi)]...)
	if c.Text() && utf8.Valid(short) {
		for len(short) > 0 {
			r, n := utf8.DecodeLastRune(short)
			short = short[:len(short)-n]
			if r++; r == 0xd800 {
				r = 0xe000
			}
			if r <= utf8.MaxRune {
				return utf8.AppendRune(short, r), true
			}
		}
		return nil, true
	}
	for len(short) > 0 {
		last := len(short) - 1
		if short[last] < 0xff {
			short[last]++
			return short, true
		}
		short = short[:last]
	}
	return nil, true
}

// cut returns the length of the prefix to which v, which is longer than MaxBound, is shortened. Text is cut between two
// characters.
func cut(c *Column, v []byte) int {
	n := MaxBound
	if c.Text() {
		for n > MaxBound-utf8.UTFMax && !utf8.RuneStart(v[n]) {
			n--
		}
		if !utf8.RuneStart(v[n]) {
			n = MaxBound
		}
	}
	return n
}
