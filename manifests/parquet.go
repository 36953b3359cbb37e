package manifests

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// parquetWriter writes a Parquet file of a fixed schema page by page, from encoded
// values: the hot loops of a run know their columns, so nothing needs boxing, hashing
// or shredding, which is where a general writer spends its time. Encodings, header and
// footer types are parquet-go's. Pages are version 1, zstd unless said otherwise, with
// CRC; every chunk has an offset index, and a column index where its pages have bounds.
//
// Calls come in this order: for each row group beginGroup, then for each leaf
// beginChunk, at most one dictionaryPage, dataPages, end; then endGroup; at last
// finish. Chunks are begun one after the other, unless all but one are held. Errors
// stick and come back from endGroup and finish.
type parquetWriter struct {
	dst  io.Writer
	off  int64
	err  error
	zstd *zstd.Encoder

	leaves []leaf
	footer format.FileMetaData
	group  format.RowGroup
	index  []pageIndex   // of all chunks so far, by row group and leaf
	chunks []chunkWriter // by leaf

	packed []byte // a page, compressed
	head   bytes.Buffer
	tmp    []byte // an encoder's output
}

// leaf is a column that holds values.
type leaf struct {
	path           []string
	typ            format.Type
	maxRep, maxDef uint8
}

// chunkWriter writes the chunk of one leaf.
type chunkWriter struct {
	file      *parquetWriter
	leaf      int
	encoding  format.Encoding
	meta      format.ColumnMetaData
	index     pageIndex
	firstRow  int64
	dataPages int32
	body      []byte // of the page being built: levels and values
	held      bool   // pages stay in pages until the chunk ends
	pages     []byte
}

// pageIndex is a chunk's page index, kept until the footer is written.
type pageIndex struct {
	offsets format.OffsetIndex
	columns format.ColumnIndex
	bounded bool
}

// bounds are a page's or a chunk's smallest and largest value in PLAIN encoding; the
// zero value says that they are not known.
type bounds struct{ min, max []byte }

// maxBound is the length of the longest text that is a bound.
const maxBound = 128

// text returns b where neither of its texts is too long, nor empty, which thrift types
// do not tell from absent.
func (b bounds) text() bounds {
	if len(b.min) == 0 || len(b.min) > maxBound || len(b.max) > maxBound {
		return bounds{}
	}
	return b
}

func int64Bounds(low, high int64) bounds {
	return bounds{binary.LittleEndian.AppendUint64(nil, uint64(low)), binary.LittleEndian.AppendUint64(nil, uint64(high))}
}

// withInt64s returns the bounds of both.
func (b bounds) withInt64s(c bounds) bounds {
	if b.min == nil || comparePlain(format.Int64, c.min, b.min) < 0 {
		b.min = c.min
	}
	if b.max == nil || comparePlain(format.Int64, c.max, b.max) > 0 {
		b.max = c.max
	}
	return b
}

func newParquetWriter(schema []format.SchemaElement) *parquetWriter {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true), zstd.WithAllLitEntropyCompression(true),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	p := &parquetWriter{zstd: enc, leaves: leavesOf(schema)}
	p.footer.Version = 2
	p.footer.Schema = schema
	p.footer.CreatedBy = createdBy
	for range p.leaves {
		p.footer.ColumnOrders = append(p.footer.ColumnOrders, format.ColumnOrder{Value: new(format.TypeDefinedOrder)})
	}
	p.chunks = make([]chunkWriter, len(p.leaves))
	return p
}

// createdBy follows the pattern that readers parse: name, version, build.
const createdBy = "assent version 1.0.0 (build manifests)"

const parquetMagic = "PAR1"

// reset begins a new file.
func (p *parquetWriter) reset(dst io.Writer) {
	p.dst, p.off, p.err = dst, 0, nil
	p.footer.NumRows = 0
	p.footer.RowGroups = p.footer.RowGroups[:0]
	p.footer.KeyValueMetadata = p.footer.KeyValueMetadata[:0]
	p.index = p.index[:0]
	p.write([]byte(parquetMagic))
}

func (p *parquetWriter) write(b []byte) {
	if p.err != nil {
		return
	}
	n, err := p.dst.Write(b)
	p.off += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	p.err = err
}

func (p *parquetWriter) beginGroup() {
	p.group = format.RowGroup{
		FileOffset: p.off,
		Ordinal:    int16(len(p.footer.RowGroups)),
		Columns:    make([]format.ColumnChunk, len(p.leaves)),
	}
	p.index = append(p.index, make([]pageIndex, len(p.leaves))...)
}

// maxRowGroups is what a row group's 16-bit ordinal can number.
const maxRowGroups = 1<<15 - 1

// endGroup ends the row group; sorted is the leaf that it is sorted by.
func (p *parquetWriter) endGroup(rows int, sorted int32) error {
	p.group.NumRows = int64(rows)
	p.group.SortingColumns = []format.SortingColumn{{ColumnIdx: sorted}}
	p.footer.NumRows += p.group.NumRows
	p.footer.RowGroups = append(p.footer.RowGroups, p.group)
	if len(p.footer.RowGroups) > maxRowGroups && p.err == nil {
		p.err = fmt.Errorf("more than %d row groups", maxRowGroups)
	}
	return p.err
}

// beginChunk begins the chunk of a leaf. Where it is held, its pages stay in memory
// until it ends, so that other chunks can be written meanwhile.
func (p *parquetWriter) beginChunk(leaf int, encoding format.Encoding, held bool) *chunkWriter {
	c := &p.chunks[leaf]
	*c = chunkWriter{file: p, leaf: leaf, encoding: encoding, held: held, body: c.body[:0], pages: c.pages[:0]}
	c.index.bounded = true
	c.meta = format.ColumnMetaData{
		Type:         p.leaves[leaf].typ,
		PathInSchema: p.leaves[leaf].path,
		Codec:        format.Zstd,
	}
	return c
}

// end ends the chunk, with the bounds of all its values.
func (c *chunkWriter) end(all bounds) {
	p, m := c.file, &c.meta
	if c.held {
		if m.DictionaryPageOffset > 0 {
			m.DictionaryPageOffset += p.off - heldOffset
		}
		m.DataPageOffset += p.off - heldOffset
		for i := range c.index.offsets.PageLocations {
			c.index.offsets.PageLocations[i].Offset += p.off - heldOffset
		}
		p.write(c.pages)
	}
	m.Encoding = append(m.Encoding, c.encoding)
	if m.DictionaryPageOffset > 0 {
		m.Encoding = append(m.Encoding, format.Plain)
		m.EncodingStats = append(m.EncodingStats, format.PageEncodingStats{PageType: format.DictionaryPage, Encoding: format.Plain, Count: 1})
	}
	m.EncodingStats = append(m.EncodingStats, format.PageEncodingStats{PageType: format.DataPage, Encoding: c.encoding, Count: c.dataPages})
	if l := &p.leaves[c.leaf]; l.maxRep+l.maxDef > 0 {
		m.Encoding = append(m.Encoding, format.RLE)
	}
	m.Statistics.MinValue, m.Statistics.MaxValue = bytes.Clone(all.min), bytes.Clone(all.max)
	p.group.TotalByteSize += m.TotalUncompressedSize
	p.group.TotalCompressedSize += m.TotalCompressedSize
	p.group.Columns[c.leaf] = format.ColumnChunk{MetaData: *m}
	p.index[len(p.index)-len(p.leaves)+c.leaf] = c.index
}

// heldOffset stands for the chunk's start in a held one: not 0, which says that there
// is no page.
const heldOffset = 1

func (c *chunkWriter) offset() int64 {
	if c.held {
		return heldOffset + int64(len(c.pages))
	}
	return c.file.off
}

// dictionaryPage writes the body as the dictionary of n values. Without values there
// is none, and the chunk is an empty plain one.
func (c *chunkWriter) dictionaryPage(n int) {
	if n == 0 {
		c.encoding = format.Plain
		return
	}
	c.compress(dictionaryHeader(n))
}

// refDictionary writes a dictionary of the empty text and the references in raw.
func (c *chunkWriter) refDictionary(raw []byte) {
	n := len(raw) / len(Ref{})
	c.file.packed = appendRefPage(c.file.packed[:0], raw)
	c.page(dictionaryHeader(n+1), c.file.packed, refPageSize(n))
}

func dictionaryHeader(n int) *format.PageHeader {
	return &format.PageHeader{
		Type:                 format.DictionaryPage,
		DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: int32(n), Encoding: format.Plain}),
	}
}

// dataPage writes the body, levels and values, as a page of some rows with n values,
// of which some are null.
func (c *chunkWriter) dataPage(rows, n, nulls int, b bounds) {
	at := c.offset()
	if c.dataPages == 0 {
		c.meta.DataPageOffset = at
	}
	header := format.DataPageHeader{
		NumValues:               int32(n),
		Encoding:                c.encoding,
		DefinitionLevelEncoding: format.RLE,
		RepetitionLevelEncoding: format.RLE,
	}
	header.Statistics.NullCount = int64(nulls)
	c.compress(&format.PageHeader{Type: format.DataPage, DataPageHeader: thrift.New(header)})

	x := &c.index
	x.offsets.PageLocations = append(x.offsets.PageLocations, format.PageLocation{
		Offset: at, CompressedPageSize: int32(c.offset() - at), FirstRowIndex: c.firstRow,
	})
	x.bounded = x.bounded && (b.min != nil || nulls == n)
	if x.bounded {
		x.columns.NullPages = append(x.columns.NullPages, nulls == n)
		x.columns.NullCounts = append(x.columns.NullCounts, int64(nulls))
		x.columns.MinValues = append(x.columns.MinValues, bytes.Clone(b.min))
		x.columns.MaxValues = append(x.columns.MaxValues, bytes.Clone(b.max))
	}
	c.meta.Statistics.NullCount += int64(nulls)
	c.meta.NumValues += int64(n)
	c.firstRow += int64(rows)
	c.dataPages++
}

// compress writes the body as a page.
func (c *chunkWriter) compress(h *format.PageHeader) {
	packed := c.body
	if c.meta.Codec == format.Zstd {
		c.file.packed = c.file.zstd.EncodeAll(c.body, c.file.packed[:0])
		packed = c.file.packed
	}
	c.page(h, packed, len(c.body))
	c.body = c.body[:0]
}

// page completes the header of a packed page, whose size was raw, and writes both.
func (c *chunkWriter) page(h *format.PageHeader, packed []byte, raw int) {
	p, m := c.file, &c.meta
	if h.Type == format.DictionaryPage {
		m.DictionaryPageOffset = c.offset()
	}
	h.UncompressedPageSize = int32(raw)
	h.CompressedPageSize = int32(len(packed))
	h.CRC = int32(crc32.ChecksumIEEE(packed))
	head := p.thrift(h)
	m.TotalUncompressedSize += int64(len(head) + raw)
	m.TotalCompressedSize += int64(len(head) + len(packed))
	if c.held {
		c.pages = append(append(c.pages, head...), packed...)
		return
	}
	p.write(head)
	p.write(packed)
}

// thrift encodes v; the bytes are valid until the next call.
func (p *parquetWriter) thrift(v any) []byte {
	p.head.Reset()
	if err := thrift.NewEncoder(new(thrift.CompactProtocol).NewWriter(&p.head)).Encode(v); err != nil && p.err == nil {
		p.err = err
	}
	return p.head.Bytes()
}

// finish writes page indexes and footer.
func (p *parquetWriter) finish(metadata ...format.KeyValue) error {
	p.footer.KeyValueMetadata = append(p.footer.KeyValueMetadata, metadata...)
	chunks := make([]*format.ColumnChunk, 0, len(p.index))
	for g := range p.footer.RowGroups {
		columns := p.footer.RowGroups[g].Columns
		for c := range columns {
			chunks = append(chunks, &columns[c])
		}
	}
	for i, c := range chunks {
		if x := &p.index[i]; x.bounded {
			x.columns.BoundaryOrder = boundaryOrder(p.leaves[i%len(p.leaves)].typ, &x.columns)
			c.ColumnIndexOffset = p.off
			p.write(p.thrift(&x.columns))
			c.ColumnIndexLength = int32(p.off - c.ColumnIndexOffset)
		}
	}
	for i, c := range chunks {
		c.OffsetIndexOffset = p.off
		p.write(p.thrift(&p.index[i].offsets))
		c.OffsetIndexLength = int32(p.off - c.OffsetIndexOffset)
	}
	footer := p.thrift(&p.footer)
	p.write(footer)
	p.write(binary.LittleEndian.AppendUint32(nil, uint32(len(footer))))
	p.write([]byte(parquetMagic))
	return p.err
}

// boundaryOrder says whether the pages with values ascend by both bounds.
func boundaryOrder(typ format.Type, x *format.ColumnIndex) format.BoundaryOrder {
	last := -1
	for i := range x.NullPages {
		if x.NullPages[i] {
			continue
		}
		if last >= 0 && (comparePlain(typ, x.MinValues[last], x.MinValues[i]) > 0 || comparePlain(typ, x.MaxValues[last], x.MaxValues[i]) > 0) {
			return format.Unordered
		}
		last = i
	}
	return format.Ascending
}

func comparePlain(typ format.Type, a, b []byte) int {
	if typ == format.Int64 {
		x, y := int64(binary.LittleEndian.Uint64(a)), int64(binary.LittleEndian.Uint64(b))
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return bytes.Compare(a, b)
}

// appendLevels appends repetition or definition levels up to limit, with their length
// in four bytes as version 1 pages have them.
func (c *chunkWriter) appendLevels(levels []uint8, limit uint8) {
	c.file.tmp = must(levelEncoding(limit).EncodeLevels(c.file.tmp[:0], levels))
	c.appendEncodedLevels(c.file.tmp)
}

func (c *chunkWriter) appendEncodedLevels(encoded []byte) {
	c.body = binary.LittleEndian.AppendUint32(c.body, uint32(len(encoded)))
	c.body = append(c.body, encoded...)
}

// appendListLevels appends the levels of lists of which none is empty, given their
// repetition levels, which it overwrites.
func (c *chunkWriter) appendListLevels(repeats []uint8) {
	c.appendLevels(repeats, 1)
	for i := range repeats {
		repeats[i] = 1
	}
	c.appendLevels(repeats, 1)
}

func levelEncoding(limit uint8) *rle.Encoding {
	return &rle.Encoding{BitWidth: bits.Len8(limit)}
}

// appendIndexes appends indexes into a dictionary of n values.
func (c *chunkWriter) appendIndexes(indexes []int32, n int) {
	if n == 0 {
		return
	}
	width := max(1, bits.Len(uint(n-1)))
	c.file.tmp = must((&rle.Encoding{BitWidth: width}).EncodeInt32(c.file.tmp[:0], indexes))
	c.body = append(append(c.body, byte(width)), c.file.tmp...)
}

func (c *chunkWriter) appendDelta(values []int64) {
	c.file.tmp = must(new(delta.BinaryPackedEncoding).EncodeInt64(c.file.tmp[:0], values))
	c.body = append(c.body, c.file.tmp...)
}

// appendPlainText appends a string in PLAIN encoding to a dictionary page.
func (c *chunkWriter) appendPlainText(text string) {
	c.body = binary.LittleEndian.AppendUint32(c.body, uint32(len(text)))
	c.body = append(c.body, text...)
}

// must takes the result of an encoder whose only errors are types it does not
// support.
func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
