package pick

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"sort"
	"sync"

	"assent/job/parquet/codec"
	"assent/job/parquet/rewrite"
	"assent/job/parquet/thrift"
)

// chunk says where a column chunk is and how it is stored.
type chunk struct {
	codec             codec.ID
	values            int64 // slots
	start, end        int64
	dict              int64 // offset of the dictionary page; 0: none named
	data              int64 // offset of the first data page
	indexAt, indexLen int64
}

// location is where a data page is, and its first row within the row group.
type location struct {
	at, size, row int64
}

// leafReader reads the pages of one chunk from front to back.
type leafReader struct {
	f     *File
	col   *rewrite.Column
	chunk chunk
	rows  int64      // of the row group
	pages []location // by the offset index; nil where there is none
	at    int        // of pages: the one loaded; -1: none
	next  int64      // without index: offset of the next page
	seen  int64      // without index: slots of the pages before next
	dict  *values
	page  page
}

func (f *File) leafReaders(group int, leaves []int) ([]*leafReader, error) {
	columns, err := structs(f.groups[group], groupColumns)
	if err != nil {
		return nil, f.fault(group, -1, err)
	}
	var readers []*leafReader
	for _, leaf := range leaves {
		c, err := parseChunk(columns[leaf])
		if err != nil {
			return nil, f.fault(group, leaf, err)
		}
		readers = append(readers, &leafReader{f: f, col: &f.Columns()[leaf], chunk: c, rows: f.RowGroupRows(group), at: -1, next: c.start})
	}
	return readers, f.readIndexes(group, leaves, readers)
}

func parseChunk(s thrift.Struct) (c chunk, err error) {
	meta, err := s.Struct(chunkMeta)
	integer := func(s thrift.Struct, id int16) int64 {
		v, e := s.Int(id, 0)
		err = errors.Join(err, e)
		return v
	}
	c.codec = codec.ID(integer(meta, metaCodec))
	c.values = integer(meta, metaValues)
	c.data, c.dict = integer(meta, metaData), integer(meta, metaDict)
	c.start = c.data
	if 0 < c.dict && c.dict < c.data {
		c.start = c.dict
	}
	c.end = c.start + integer(meta, metaCompressed)
	c.indexAt, c.indexLen = integer(s, chunkIndexAt), integer(s, chunkIndexLn)
	return c, err
}

// readIndexes reads the offset indexes of a row group's leaves, which lie together, by
// one read.
func (f *File) readIndexes(group int, leaves []int, readers []*leafReader) error {
	const limit = 64 << 20
	var lo, hi int64
	for i, r := range readers {
		c := &r.chunk
		if c.indexLen <= 0 || c.indexAt < c.end || c.indexAt > f.footerAt-c.indexLen {
			c.indexLen = 0
			continue
		}
		if hi == 0 || c.indexAt < lo {
			lo = c.indexAt
		}
		hi = max(hi, c.indexAt+c.indexLen)
		if hi-lo > limit {
			return f.fault(group, leaves[i], corruptf("indexes spread over %d bytes", hi-lo))
		}
	}
	b := make([]byte, hi-lo)
	if err := readFull(f.r, b, lo); err != nil {
		return f.fault(group, -1, err)
	}
	for i, r := range readers {
		if c := &r.chunk; c.indexLen > 0 {
			var err error
			if r.pages, err = parseIndex(b[c.indexAt-lo:][:c.indexLen], c, f.RowGroupRows(group)); err != nil {
				return f.fault(group, leaves[i], err)
			}
		}
	}
	return nil
}

func parseIndex(b []byte, c *chunk, rows int64) ([]location, error) {
	s, _, err := thrift.Parse(b)
	if err != nil {
		return nil, err
	}
	list, err := structs(s, 1)
	if err != nil {
		return nil, err
	}
	var pages []location
	last := location{row: -1}
	for _, s := range list {
		var l location
		for id, v := range map[int16]*int64{locationAt: &l.at, locationSize: &l.size, locationRow: &l.row} {
			n, err := s.Int(id, -1)
			if err != nil {
				return nil, err
			}
			*v = n
		}
		if l.at < last.at+last.size || l.at < c.start || l.size <= 0 || l.size > c.end-l.at || l.row <= last.row || l.row >= rows {
			return nil, corruptf("offset index: page %d is not of this chunk", len(pages))
		}
		pages, last = append(pages, l), l
	}
	if len(pages) == 0 || pages[0].row != 0 {
		return nil, corruptf("offset index: it does not begin at row 0")
	}
	return pages, nil
}

// read appends the slots of some rows of the file, ascending; the row group's first
// row is base.
func (l *leafReader) read(ctx context.Context, rows []int64, base int64, out *Slots) error {
	for _, row := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.find(row - base); err != nil {
			return err
		}
		if err := l.take(out); err != nil {
			return err
		}
		out.Rows = append(out.Rows, out.count)
	}
	return nil
}

// find loads the page on which a row begins, and moves to its first slot.
func (l *leafReader) find(row int64) error {
	if l.pages != nil {
		i := sort.Search(len(l.pages), func(i int) bool { return l.pages[i].row > row }) - 1
		if i != l.at {
			if err := l.jump(i); err != nil {
				return err
			}
		}
	}
	for row >= l.page.first+l.page.rows {
		if l.pages != nil {
			return corruptf("row %d is not on the page that the offset index names", row)
		}
		if err := l.nextPage(row); err != nil {
			return err
		}
	}
	return l.page.seek(row)
}

// take appends the slots of the row that begins at the current one.
func (l *leafReader) take(out *Slots) error {
	for first := true; ; first = false {
		for l.page.slot < l.page.slots && (first || l.page.repeats()) {
			if err := l.page.take(l, out); err != nil {
				return err
			}
			first = false
		}
		if l.page.slot < l.page.slots || l.pages != nil || l.col.MaxRep == 0 || l.next >= l.chunk.end || l.seen >= l.chunk.values {
			return nil
		}
		// A row may go on on the next page where no offset index forbids it.
		if err := l.nextPage(l.page.first + l.page.rows); err != nil {
			return err
		}
	}
}

// jump loads a page that the offset index names.
func (l *leafReader) jump(i int) error {
	at := l.pages[i]
	b := make([]byte, at.size)
	if err := readFull(l.f.r, b, at.at); err != nil {
		return err
	}
	var h header
	if err := h.parse(b); err != nil {
		return err
	}
	if int64(h.length+h.size) != at.size || !h.data() {
		return corruptf("page at %d is not the one that the offset index names", at.at)
	}
	if err := l.load(&h, b[h.length:]); err != nil {
		return err
	}
	if len(l.page.reps) > 0 && l.page.reps[0] != 0 {
		return corruptf("page at %d begins within a row", at.at)
	}
	l.at, l.page.first = i, at.row
	return nil
}

// nextPage goes to the next data page, without an index. It decodes the page unless it is known
// to end before a row.
func (l *leafReader) nextPage(row int64) error {
	first := l.page.first + l.page.rows
	for {
		if l.next >= l.chunk.end || l.seen >= l.chunk.values {
			return corruptf("ends before row %d", row)
		}
		h, err := l.readHeader(l.next)
		if err != nil {
			return err
		}
		body := l.next + int64(h.length)
		if int64(h.size) > l.chunk.end-body {
			return corruptf("page at %d goes beyond its chunk", l.next)
		}
		l.next = body + int64(h.size)
		if !h.data() {
			continue
		}
		l.seen += int64(h.values)
		if l.col.MaxRep == 0 && first+int64(h.values) <= row {
			l.page = page{first: first, rows: int64(h.values)}
			first += int64(h.values)
			continue
		}
		b := make([]byte, h.size)
		if err := readFull(l.f.r, b, body); err != nil {
			return err
		}
		if err := l.load(h, b); err != nil {
			return err
		}
		l.page.first = first
		if first == 0 && len(l.page.reps) > 0 && l.page.reps[0] != 0 && l.seen == int64(h.values) {
			return corruptf("the first page begins within a row")
		}
		return nil
	}
}

// readHeader reads the page header at an offset.
func (l *leafReader) readHeader(at int64) (*header, error) {
	const least, most = 4 << 10, 16 << 20
	h := new(header)
	for n := int64(least); ; n *= 8 {
		b := make([]byte, min(n, l.chunk.end-at))
		if err := readFull(l.f.r, b, at); err != nil {
			return nil, err
		}
		err := h.parse(b)
		if err == nil || !errors.Is(err, thrift.ErrShort) || n >= most || int64(len(b)) < n {
			return h, err
		}
	}
}

// codecs holds idle decoders, which are some megabytes each.
var codecs = sync.Pool{New: func() any { return new(codec.Codec) }}

// body checks and decompresses a part of a page's body.
func (l *leafReader) decompress(packed []byte, rawSize int, compressed bool) ([]byte, error) {
	id := l.chunk.codec
	if !compressed || len(packed) == 0 {
		id = codec.Uncompressed
	}
	c := codecs.Get().(*codec.Codec)
	defer codecs.Put(c)
	return c.Decompress(nil, id, packed, rawSize)
}

func (h *header) check(body []byte) error {
	if h.hasCRC && crc32.ChecksumIEEE(body) != h.crc {
		return corruptf("a page does not match its checksum")
	}
	return nil
}

// dictionary loads the chunk's dictionary, which comes first.
func (l *leafReader) dictionary() (*values, error) {
	if l.dict != nil {
		return l.dict, nil
	}
	h, err := l.readHeader(l.chunk.start)
	if err != nil {
		return nil, err
	}
	if h.kind != pageDictionary || int64(h.length)+int64(h.size) > l.chunk.end-l.chunk.start {
		return nil, corruptf("a dictionary is missing")
	}
	b := make([]byte, h.size)
	if err := readFull(l.f.r, b, l.chunk.start+int64(h.length)); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := h.check(b); err != nil {
		return nil, err
	}
	plain, err := l.decompress(b, h.raw, true)
	if err != nil {
		return nil, err
	}
	if h.encoding != encPlain && h.encoding != encPlainDictionary || h.values < 0 || int64(h.values) > 8*int64(len(plain))+1 {
		return nil, corruptf("a dictionary of %d values, encoding %d", h.values, h.encoding)
	}
	d := new(values)
	if err := d.decode(l.col, encPlain, plain, h.values); err != nil {
		return nil, err
	}
	l.dict = d
	return d, nil
}
