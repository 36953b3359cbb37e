package manifests

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// ErrManifest is wrapped by errors that come of a manifest's bytes: it is damaged, or
// not of this program.
var ErrManifest = errors.New("damaged or foreign manifest")

// Bounds of what a reader believes; parquetWriter stays far below them.
const (
	tailSize      = 128 << 10 // read at once at a file's end
	maxFooter     = 16 << 20  // bytes
	maxPage       = 128 << 20 // bytes, decompressed
	maxHeader     = 4 << 10   // bytes of a page header
	maxPageValues = 1 << 22
)

// parquetFile is an open file of parquetWriter: it has one of our schemas, and only
// what that writer uses is understood.
type parquetFile struct {
	r      io.ReaderAt
	size   int64
	tail   []byte // the file's last bytes
	meta   format.FileMetaData
	leaves []leaf
	values map[string]string // of the metadata
	zstd   *zstd.Decoder
}

// openParquet reads and checks the footer.
func openParquet(r io.ReaderAt, size int64, schema []format.SchemaElement, version string) (*parquetFile, error) {
	f := &parquetFile{r: r, size: size, leaves: leavesOf(schema), values: make(map[string]string)}
	footer, err := f.footer()
	if err != nil {
		return nil, err
	}
	if err := decodeThrift(footer, &f.meta); err != nil {
		return nil, fmt.Errorf("%w: footer %w", ErrManifest, err)
	}
	for _, kv := range f.meta.KeyValueMetadata {
		f.values[kv.Key] = kv.Value
	}
	if got := f.values[keySchema]; got != version {
		return nil, fmt.Errorf("%w: %s is %q, want %q", ErrManifest, keySchema, got, version)
	}
	if err := f.checkSchema(schema); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if err := f.checkGroups(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	f.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(maxPage))
	return f, err
}

func (f *parquetFile) footer() ([]byte, error) {
	const trailer = 8 // length, magic
	if f.size < int64(len(parquetMagic))+trailer {
		return nil, fmt.Errorf("%w: %d bytes are no Parquet file", ErrManifest, f.size)
	}
	f.tail = make([]byte, min(f.size, tailSize))
	if err := readFull(f.r, f.tail, f.size-int64(len(f.tail))); err != nil {
		return nil, err
	}
	end := f.tail[len(f.tail)-trailer:]
	length := int64(binary.LittleEndian.Uint32(end))
	if string(end[4:]) != parquetMagic || length > f.size-trailer-int64(len(parquetMagic)) || length > maxFooter {
		return nil, fmt.Errorf("%w: no footer at its end", ErrManifest)
	}
	return f.bytes(f.size-trailer-length, length)
}

// bytes returns some bytes of the file, no more than a page. They may be a part of tail.
func (f *parquetFile) bytes(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || n > maxPage || at > f.size-n {
		return nil, fmt.Errorf("%w: no %d bytes at offset %d", ErrManifest, n, at)
	}
	if in := at - (f.size - int64(len(f.tail))); in >= 0 {
		return f.tail[in : in+n], nil
	}
	b := make([]byte, n)
	return b, readFull(f.r, b, at)
}

// readFull fills b. An error that is not of r's making says that r is shorter than its
// size.
func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// decodeThrift decodes a whole struct that nobody has looked at yet.
func decodeThrift(b []byte, v any) (err error) {
	if _, err := checkThrift(b); err != nil {
		return err
	}
	defer func() {
		if recover() != nil {
			err = errBroken
		}
	}()
	return thrift.Unmarshal(new(thrift.CompactProtocol), b, v)
}

func (f *parquetFile) checkSchema(schema []format.SchemaElement) error {
	if len(f.meta.Schema) != len(schema) {
		return errors.New("not its columns")
	}
	for i := range schema {
		got, want := &f.meta.Schema[i], &schema[i]
		if got.Name != want.Name || got.Type != want.Type || got.RepetitionType != want.RepetitionType || got.NumChildren != want.NumChildren {
			return fmt.Errorf("column %d is not %s", i, want.Name)
		}
	}
	return nil
}

func (f *parquetFile) checkGroups() error {
	rows := int64(0)
	for i := range f.meta.RowGroups {
		g := &f.meta.RowGroups[i]
		if len(g.Columns) != len(f.leaves) || g.NumRows <= 0 || g.NumRows > math.MaxInt64-rows {
			return fmt.Errorf("row group %d is not complete", i)
		}
		rows += g.NumRows
		for j := range g.Columns {
			m := &g.Columns[j].MetaData
			if strings.Join(m.PathInSchema, ".") != strings.Join(f.leaves[j].path, ".") || m.Type != f.leaves[j].typ ||
				(m.Codec != format.Zstd && m.Codec != format.Uncompressed) ||
				m.NumValues < g.NumRows || m.TotalCompressedSize <= 0 || m.TotalCompressedSize > f.size || chunkStart(m) < 0 || chunkStart(m) > f.size-m.TotalCompressedSize {
				return fmt.Errorf("row group %d: %s: not a chunk of this file", i, strings.Join(f.leaves[j].path, "."))
			}
		}
	}
	if rows != f.meta.NumRows {
		return fmt.Errorf("%d rows in its row groups, %d in all", rows, f.meta.NumRows)
	}
	return nil
}

func chunkStart(m *format.ColumnMetaData) int64 {
	if m.DictionaryPageOffset > 0 {
		return min(m.DictionaryPageOffset, m.DataPageOffset)
	}
	return m.DataPageOffset
}

// meta returns what the file says that it speaks of.
func (f *parquetFile) about() Meta {
	m := Meta{RunID: f.values[keyRunID], Dataset: f.values[keyDataset], Source: f.values[keySource]}
	if roles := f.values[keyRoles]; roles != "" {
		m.Roles = strings.Split(roles, ",")
	}
	return m
}

// page is a decoded data page. Its slices are valid until the next page of the chunk.
type page struct {
	n       int // values, nulls included
	repeats []uint8
	levels  []uint8
	codes   []int32 // in the chunk's dictionary
	numbers []int64
	texts   texts
	bits    []byte // booleans
}

// chunkReader reads the pages of a chunk one after the other.
type chunkReader struct {
	file    *parquetFile
	leaf    *leaf
	codec   format.CompressionCodec
	in      *bufio.Reader
	left    int64 // bytes
	values  int64 // left to come
	dict    texts // strings, or 8 bytes for each number
	dictLen int
	page    page
	packed  []byte
	raw     []byte
	scratch []int64
}

// chunk returns a reader of a whole chunk.
func (f *parquetFile) chunk(group, leaf int) *chunkReader {
	m := &f.meta.RowGroups[group].Columns[leaf].MetaData
	return f.pages(group, leaf, io.NewSectionReader(f.r, chunkStart(m), m.TotalCompressedSize), m.TotalCompressedSize)
}

// pages returns a reader of those pages of a chunk that in holds, in size bytes.
func (f *parquetFile) pages(group, leaf int, in io.Reader, size int64) *chunkReader {
	const readSize = 256 << 10
	m := &f.meta.RowGroups[group].Columns[leaf].MetaData
	return &chunkReader{
		file: f, leaf: &f.leaves[leaf], codec: m.Codec, left: size, values: m.NumValues,
		in: bufio.NewReaderSize(in, int(min(readSize, size))),
	}
}

// next reads the next data page. At the end of the chunk it returns io.EOF.
func (c *chunkReader) next() (*page, error) {
	for c.values > 0 {
		h, body, err := c.read()
		if err != nil {
			return nil, c.wrap(err)
		}
		switch {
		case h.DictionaryPageHeader.Valid && c.dictLen == 0 && c.page.n == 0:
			err = c.readDictionary(&h.DictionaryPageHeader.V, body)
		case h.DataPageHeader.Valid:
			if err = c.readData(&h.DataPageHeader.V, body); err == nil {
				return &c.page, nil
			}
		default:
			err = errBroken
		}
		if err != nil {
			return nil, c.wrap(fmt.Errorf("%w: page %w", ErrManifest, err))
		}
	}
	return nil, io.EOF
}

func (c *chunkReader) wrap(err error) error {
	return fmt.Errorf("%s: %w", strings.Join(c.leaf.path, "."), err)
}

// read returns the next page's header and its body, decompressed.
func (c *chunkReader) read() (*format.PageHeader, []byte, error) {
	head, err := c.in.Peek(int(min(c.left, maxHeader, int64(c.in.Size()))))
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, nil, err
	}
	n, err := checkThrift(head)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: page header %w", ErrManifest, err)
	}
	var h format.PageHeader
	if err := decodeThrift(head[:n], &h); err != nil {
		return nil, nil, fmt.Errorf("%w: page header %w", ErrManifest, err)
	}
	c.in.Discard(n)
	c.left -= int64(n)
	size, raw := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
	if size < 0 || size > c.left || raw < 0 || raw > maxPage {
		return nil, nil, fmt.Errorf("%w: page of %d bytes, %d decompressed", ErrManifest, size, raw)
	}
	c.packed = append(c.packed[:0], make([]byte, size)...)
	if _, err := io.ReadFull(c.in, c.packed); err != nil {
		return nil, nil, err
	}
	c.left -= size
	body, err := c.decompress(&h, c.packed)
	return &h, body, err
}

func (c *chunkReader) decompress(h *format.PageHeader, packed []byte) ([]byte, error) {
	if crc32.ChecksumIEEE(packed) != uint32(h.CRC) {
		return nil, fmt.Errorf("%w: page does not match its checksum", ErrManifest)
	}
	body := packed
	if c.codec == format.Zstd {
		if cap(c.raw) < int(h.UncompressedPageSize) {
			c.raw = make([]byte, 0, h.UncompressedPageSize)
		}
		var err error
		// What a page claims beyond its room is an error: nothing grows.
		body, err = c.file.zstd.DecodeAll(packed, c.raw[:0:h.UncompressedPageSize])
		if err != nil {
			return nil, fmt.Errorf("%w: page: %w", ErrManifest, err)
		}
	}
	if len(body) != int(h.UncompressedPageSize) {
		return nil, fmt.Errorf("%w: page has %d bytes, should have %d", ErrManifest, len(body), h.UncompressedPageSize)
	}
	return body, nil
}

func (c *chunkReader) readDictionary(h *format.DictionaryPageHeader, body []byte) error {
	n := int(h.NumValues)
	if h.Encoding != format.Plain || n <= 0 || n > len(body) {
		return errBroken
	}
	c.dictLen = n
	if c.leaf.typ == format.ByteArray {
		return c.dict.decodePlain(body, n)
	}
	if len(body) != 8*n {
		return errBroken
	}
	c.dict.reset()
	c.dict.data = append(c.dict.data, body...)
	return nil
}

// dictionaryNumber returns a number of the dictionary.
func (c *chunkReader) dictionaryNumber(code int32) int64 {
	return int64(binary.LittleEndian.Uint64(c.dict.data[8*code:]))
}

func (c *chunkReader) readData(h *format.DataPageHeader, body []byte) error {
	p := &c.page
	n := int(h.NumValues)
	if n <= 0 || n > maxPageValues || int64(n) > c.values {
		return errBroken
	}
	p.n = n
	c.values -= int64(n)
	p.repeats, p.levels, p.codes, p.numbers = p.repeats[:0], p.levels[:0], p.codes[:0], p.numbers[:0]
	p.texts.reset()
	p.bits = nil
	var err error
	if limit := c.leaf.maxRep; limit > 0 {
		if p.repeats, body, err = takeLevels(p.repeats, body, limit, n); err != nil {
			return err
		}
		if p.repeats[0] != 0 {
			return errBroken // pages begin with a row
		}
	}
	present := n
	if limit := c.leaf.maxDef; limit > 0 {
		if p.levels, body, err = takeLevels(p.levels, body, limit, n); err != nil {
			return err
		}
		present = 0
		for _, level := range p.levels {
			if level == limit {
				present++
			}
		}
	}
	return c.readValues(h.Encoding, body, present)
}

// takeLevels decodes n levels and returns what follows them.
func takeLevels(dst []uint8, body []byte, limit uint8, n int) (levels []uint8, rest []byte, err error) {
	if len(body) < 4 || uint64(binary.LittleEndian.Uint32(body)) > uint64(len(body)-4) {
		return dst, nil, errShort
	}
	size := binary.LittleEndian.Uint32(body)
	levels, err = decodeHybrid(dst, body[4:4+size], levelWidth(limit), n)
	if err != nil {
		return dst, nil, err
	}
	for _, level := range levels {
		if level > limit {
			return dst, nil, errBroken
		}
	}
	return levels, body[4+size:], nil
}

func (c *chunkReader) readValues(encoding format.Encoding, body []byte, n int) (err error) {
	p := &c.page
	bytes := c.leaf.typ == format.ByteArray
	switch {
	case n == 0:
	case encoding == format.RLEDictionary && len(body) > 0:
		p.codes, err = decodeHybrid(p.codes, body[1:], int(body[0]), n)
		for _, code := range p.codes {
			if int(code) >= c.dictLen {
				return errBroken
			}
		}
	case encoding == format.DeltaBinaryPacked && !bytes:
		p.numbers, _, err = decodeDelta(p.numbers, body, n)
	case encoding == format.DeltaLengthByteArray && bytes:
		err = p.texts.decodeLengths(body, n, &c.scratch)
	case encoding == format.DeltaByteArray && bytes:
		err = p.texts.decodePrefixes(body, n, refTextSize, &c.scratch)
	case encoding == format.Plain && c.leaf.typ == format.Boolean && len(body) >= (n+7)/8:
		p.bits = body
	default:
		err = fmt.Errorf("has an unexpected encoding: %s", encoding)
	}
	return err
}

// cursor steps through the slots of a chunk: its values, nulls and empty lists.
type cursor struct {
	*chunkReader
	slot, value int
}

// open makes sure that there is a slot, which begins a row.
func (c *cursor) open() error {
	if c.slot < c.page.n {
		if c.leaf.maxRep > 0 && c.page.repeats[c.slot] != 0 {
			return c.wrap(fmt.Errorf("%w: page %w", ErrManifest, errBroken))
		}
		return nil
	}
	c.slot, c.value = 0, 0
	if _, err := c.next(); err != nil {
		c.page.n = 0
		if err == io.EOF {
			return c.wrap(fmt.Errorf("%w: %w", ErrManifest, errShort))
		}
		return err
	}
	return nil
}

// take steps over a slot. It returns the index of the slot's value in the page, or -1
// where the level is below the highest.
func (c *cursor) take() (level uint8, value int) {
	level = c.leaf.maxDef
	if level > 0 {
		level = c.page.levels[c.slot]
	}
	c.slot++
	if level < c.leaf.maxDef {
		return level, -1
	}
	c.value++
	return level, c.value - 1
}

// more reports whether the next slot continues the list.
func (c *cursor) more() bool { return c.slot < c.page.n && c.page.repeats[c.slot] != 0 }

// ended returns an error where values are left.
func (c *cursor) ended() error {
	if c.slot < c.page.n || c.values > 0 {
		return c.wrap(fmt.Errorf("%w: more values than rows", ErrManifest))
	}
	return nil
}

// dictionary parses each string of a chunk's dictionary.
func dictionary[T any](c *cursor, parse func([]byte) (T, error)) ([]T, error) {
	out := make([]T, c.dict.len())
	for i := range out {
		v, err := parse(c.dict.at(i))
		if err != nil {
			return nil, c.wrap(fmt.Errorf("%w: %w", ErrManifest, err))
		}
		out[i] = v
	}
	return out, nil
}
