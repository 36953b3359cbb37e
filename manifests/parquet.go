package manifests

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// parquetWriter writes a Parquet file of a fixed schema page by page, from encoded
// values: the hot loops of a run know their columns, so nothing needs boxing, hashing
// or shredding, which is where a general writer spends its time (BenchmarkExclusions
// against a parquet.ColumnWriter: about a tenth). Encodings, header and footer types
// are parquet-go's. Pages are version 1, zstd, with CRC; every chunk has an offset
// index, and a column index where its pages have bounds.
//
// Calls come in this order: for each row group beginGroup, then for each leaf in
// schema order beginChunk, at most one dictionaryPage, dataPages, endChunk; then
// endGroup; at last finish. Errors stick and come back from endGroup and finish.
type parquetWriter struct {
	dst  io.Writer
	off  int64
	err  error
	zstd *zstd.Encoder

	leaves []leaf
	footer format.FileMetaData
	group  format.RowGroup
	chunk  chunkState
	index  []pageIndex // of all chunks so far

	body   []byte // of the page being built
	packed []byte // compressed
	head   bytes.Buffer
	tmp    []byte // an encoder's output
}

// leaf is a column that holds values.
type leaf struct {
	path           []string
	typ            format.Type
	maxRep, maxDef uint8
}

type chunkState struct {
	leaf      *leaf
	encoding  format.Encoding
	meta      format.ColumnMetaData
	index     pageIndex
	firstRow  int64
	dataPages int32
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

func (p *parquetWriter) beginGroup(rows int) {
	p.group = format.RowGroup{
		NumRows:    int64(rows),
		FileOffset: p.off,
		Ordinal:    int16(len(p.footer.RowGroups)),
		Columns:    make([]format.ColumnChunk, 0, len(p.leaves)),
	}
}

// endGroup ends the row group; sorted are the leaves that it is sorted by.
func (p *parquetWriter) endGroup(sorted ...int32) error {
	for _, leaf := range sorted {
		p.group.SortingColumns = append(p.group.SortingColumns, format.SortingColumn{ColumnIdx: leaf})
	}
	p.footer.NumRows += p.group.NumRows
	p.footer.RowGroups = append(p.footer.RowGroups, p.group)
	if len(p.footer.RowGroups) > maxRowGroups && p.err == nil {
		p.err = fmt.Errorf("more than %d row groups", maxRowGroups)
	}
	return p.err
}

// maxRowGroups is what a row group's 16-bit ordinal can number.
const maxRowGroups = 1<<15 - 1

func (p *parquetWriter) beginChunk(encoding format.Encoding) {
	leaf := &p.leaves[len(p.group.Columns)]
	p.chunk = chunkState{leaf: leaf, encoding: encoding}
	p.chunk.index.bounded = true
	p.chunk.meta = format.ColumnMetaData{
		Type:         leaf.typ,
		PathInSchema: leaf.path,
		Codec:        format.Zstd,
	}
	p.body = p.body[:0]
}

// endChunk ends the chunk, with the bounds of all its values.
func (p *parquetWriter) endChunk(all bounds) {
	c := &p.chunk
	m := &c.meta
	m.Encoding = append(m.Encoding, c.encoding)
	if m.DictionaryPageOffset != 0 {
		m.Encoding = append(m.Encoding, format.Plain)
		m.EncodingStats = append(m.EncodingStats, format.PageEncodingStats{PageType: format.DictionaryPage, Encoding: format.Plain, Count: 1})
	}
	m.EncodingStats = append(m.EncodingStats, format.PageEncodingStats{PageType: format.DataPage, Encoding: c.encoding, Count: c.dataPages})
	if c.leaf.maxRep+c.leaf.maxDef > 0 {
		m.Encoding = append(m.Encoding, format.RLE)
	}
	m.Statistics.MinValue, m.Statistics.MaxValue = bytes.Clone(all.min), bytes.Clone(all.max)
	p.group.TotalByteSize += m.TotalUncompressedSize
	p.group.TotalCompressedSize += m.TotalCompressedSize
	p.group.Columns = append(p.group.Columns, format.ColumnChunk{MetaData: *m})
	p.index = append(p.index, c.index)
}

// dictionaryPage writes p.body as the dictionary of n values. Without values there is
// none, and the chunk is an empty plain one.
func (p *parquetWriter) dictionaryPage(n int) {
	if n == 0 {
		p.chunk.encoding = format.Plain
		return
	}
	p.compress(dictionaryHeader(n))
}

// refDictionary writes a dictionary of the empty text and the references in raw.
func (p *parquetWriter) refDictionary(raw []byte) {
	n := len(raw) / len(Ref{})
	p.packed = appendRefPage(p.packed[:0], raw)
	p.page(dictionaryHeader(n+1), refPageSize(n))
}

func dictionaryHeader(n int) *format.PageHeader {
	return &format.PageHeader{
		Type:                 format.DictionaryPage,
		DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: int32(n), Encoding: format.Plain}),
	}
}

// dataPage writes p.body, levels and values, as a page of some rows with n values, of
// which some are null.
func (p *parquetWriter) dataPage(rows, n, nulls int, b bounds) {
	c := &p.chunk
	if c.dataPages == 0 {
		c.meta.DataPageOffset = p.off
	}
	at := p.off
	header := format.DataPageHeader{
		NumValues:               int32(n),
		Encoding:                c.encoding,
		DefinitionLevelEncoding: format.RLE,
		RepetitionLevelEncoding: format.RLE,
	}
	header.Statistics.NullCount = int64(nulls)
	p.compress(&format.PageHeader{Type: format.DataPage, DataPageHeader: thrift.New(header)})

	x := &c.index
	x.offsets.PageLocations = append(x.offsets.PageLocations, format.PageLocation{
		Offset: at, CompressedPageSize: int32(p.off - at), FirstRowIndex: c.firstRow,
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

// compress writes p.body as a page.
func (p *parquetWriter) compress(h *format.PageHeader) {
	p.packed = p.zstd.EncodeAll(p.body, p.packed[:0])
	p.page(h, len(p.body))
	p.body = p.body[:0]
}

// page completes the header of p.packed, whose size was raw, and writes both.
func (p *parquetWriter) page(h *format.PageHeader, raw int) {
	m := &p.chunk.meta
	if h.Type == format.DictionaryPage {
		m.DictionaryPageOffset = p.off
	}
	h.UncompressedPageSize = int32(raw)
	h.CompressedPageSize = int32(len(p.packed))
	h.CRC = int32(crc32.ChecksumIEEE(p.packed))
	head := p.thrift(h)
	m.TotalUncompressedSize += int64(len(head) + raw)
	m.TotalCompressedSize += int64(len(head) + len(p.packed))
	p.write(head)
	p.write(p.packed)
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
func (p *parquetWriter) appendLevels(levels []uint8, limit uint8) {
	p.tmp = must(levelEncoding(limit).EncodeLevels(p.tmp[:0], levels))
	p.appendEncodedLevels(p.tmp)
}

func (p *parquetWriter) appendEncodedLevels(encoded []byte) {
	p.body = binary.LittleEndian.AppendUint32(p.body, uint32(len(encoded)))
	p.body = append(p.body, encoded...)
}

func levelEncoding(limit uint8) *rle.Encoding {
	return &rle.Encoding{BitWidth: bits.Len8(limit)}
}

// appendIndexes appends indexes into a dictionary of n values.
func (p *parquetWriter) appendIndexes(indexes []int32, n int) {
	if n == 0 {
		return
	}
	width := max(1, bits.Len(uint(n-1)))
	p.tmp = must((&rle.Encoding{BitWidth: width}).EncodeInt32(p.tmp[:0], indexes))
	p.body = append(append(p.body, byte(width)), p.tmp...)
}

func (p *parquetWriter) appendDelta(values []int64) {
	p.tmp = must(new(delta.BinaryPackedEncoding).EncodeInt64(p.tmp[:0], values))
	p.body = append(p.body, p.tmp...)
}

// appendPlainText appends a string in PLAIN encoding to a dictionary page.
func (p *parquetWriter) appendPlainText(text string) {
	p.body = binary.LittleEndian.AppendUint32(p.body, uint32(len(text)))
	p.body = append(p.body, text...)
}

// must takes the result of an encoder whose only errors are types it does not
// support.
func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// The functions below build schemas, depth first, in the forms that the Parquet
// specification's LogicalTypes.md asks for.

func required(n int, name string) format.SchemaElement {
	e := format.SchemaElement{Name: name, RepetitionType: thrift.New(format.Required)}
	if n > 0 {
		e.NumChildren = thrift.New(int32(n))
	}
	return e
}

func root(children int) format.SchemaElement {
	return format.SchemaElement{Name: "schema", NumChildren: thrift.New(int32(children))}
}

func text(name string) format.SchemaElement {
	e := required(0, name)
	e.Type = thrift.New(format.ByteArray)
	e.ConvertedType = thrift.New(deprecated.UTF8)
	e.LogicalType = format.LogicalType{Value: new(format.StringType)}
	return e
}

func int64s(name string) format.SchemaElement {
	e := required(0, name)
	e.Type = thrift.New(format.Int64)
	return e
}

func booleans(name string) format.SchemaElement {
	e := required(0, name)
	e.Type = thrift.New(format.Boolean)
	return e
}

func nanos(name string) format.SchemaElement {
	e := int64s(name)
	e.LogicalType = format.LogicalType{Value: &format.TimestampType{
		IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: new(format.NanoSeconds)},
	}}
	return e
}

func optional(e format.SchemaElement) format.SchemaElement {
	e.RepetitionType = thrift.New(format.Optional)
	return e
}

// list returns a required list of the elements that follow: a leaf named element, or a
// group of that name and its children.
func list(name string, element ...format.SchemaElement) []format.SchemaElement {
	outer := required(1, name)
	outer.ConvertedType = thrift.New(deprecated.List)
	outer.LogicalType = format.LogicalType{Value: new(format.ListType)}
	inner := required(1, "list")
	inner.RepetitionType = thrift.New(format.Repeated)
	return append([]format.SchemaElement{outer, inner}, element...)
}

func leavesOf(schema []format.SchemaElement) []leaf {
	var leaves []leaf
	var walk func(i int, path []string, rep, def uint8) int
	walk = func(i int, path []string, rep, def uint8) int {
		e := &schema[i]
		if i > 0 {
			path = append(path[:len(path):len(path)], e.Name)
			switch e.RepetitionType.V {
			case format.Repeated:
				rep, def = rep+1, def+1
			case format.Optional:
				def++
			}
		}
		i++
		if !e.NumChildren.Valid {
			leaves = append(leaves, leaf{path: path, typ: e.Type.V, maxRep: rep, maxDef: def})
			return i
		}
		for range e.NumChildren.V {
			i = walk(i, path, rep, def)
		}
		return i
	}
	walk(0, nil, 0, 0)
	return leaves
}
