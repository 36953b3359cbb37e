package verify

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go"
	pthrift "github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// pageWalk goes through the pages of a column chunk and decompresses them.
type pageWalk struct {
	in      *bufio.Reader
	decoder *pthrift.Decoder
	left    int64 // bytes of the chunk at most
	values  int64 // of the data pages still to come
	codec   format.CompressionCodec
	number  int // of the next page

	header  format.PageHeader
	body    []byte // compressed
	levels  int    // length of what precedes the values of a V2 page and is not compressed
	plain   []byte // the body decompressed, with its levels
	boolean bool
	def     int // maximum levels
	rep     int
}

// walk begins at a chunk's first page. Some writers left a dictionary page's header
// out of the chunk's length (engine.md, rule 1): a little more is allowed.
func (f *parquetFile) walk(group, column int) (*pageWalk, error) {
	const slack = 128
	meta := &f.groups()[group].Columns[column].MetaData
	start := meta.DataPageOffset
	if d := meta.DictionaryPageOffset; d > 0 && d < start {
		start = d
	}
	length := min(meta.TotalCompressedSize+slack, f.size-start)
	if start < 4 || length <= 0 {
		return nil, errors.New("no such column chunk in the file")
	}
	l := &f.leaves[column]
	w := newPageWalk(io.NewSectionReader(f.r, start, length), length, meta.NumValues, meta.Codec)
	w.boolean, w.def, w.rep = l.kind() == parquet.Boolean, l.maxDef, l.maxRep
	return w, nil
}

// newPageWalk goes through at most length bytes with so many values.
func newPageWalk(r io.Reader, length, values int64, codec format.CompressionCodec) *pageWalk {
	w := &pageWalk{in: bufio.NewReaderSize(r, int(min(readBuffer, length))), left: length, values: values, codec: codec}
	w.decoder = pthrift.NewDecoder(new(pthrift.CompactProtocol).NewReader(w.in))
	return w
}

// next reads and decompresses a page; io.EOF after the last.
func (w *pageWalk) next() (err error) {
	defer recovered(&err)
	if w.values <= 0 {
		return io.EOF
	}
	w.header = format.PageHeader{}
	if err := w.decoder.Decode(&w.header); err != nil {
		return fmt.Errorf("page %d: header: %w", w.number, err)
	}
	size := int64(w.header.CompressedPageSize)
	if size < 0 || size > w.left || w.header.UncompressedPageSize < 0 {
		return fmt.Errorf("page %d: its sizes are out of range", w.number)
	}
	w.left -= size
	w.body = slices.Grow(w.body[:0], int(size))[:size]
	if _, err := io.ReadFull(w.in, w.body); err != nil {
		return fmt.Errorf("page %d: %w", w.number, err)
	}
	if crc := uint32(w.header.CRC); crc != 0 && crc != crc32.ChecksumIEEE(w.body) {
		return fmt.Errorf("page %d: checksum differs", w.number)
	}
	if err := w.decompress(); err != nil {
		return fmt.Errorf("page %d: %w", w.number, err)
	}
	w.number++
	return nil
}

func (w *pageWalk) decompress() (err error) {
	raw, compressed := int(w.header.UncompressedPageSize), w.body
	w.plain, w.levels = w.plain[:0], 0
	switch w.header.Type {
	case format.DataPage:
		w.values -= int64(w.header.DataPageHeader.V.NumValues)
	case format.DataPageV2:
		h := &w.header.DataPageHeaderV2.V
		w.values -= int64(h.NumValues)
		w.levels = int(h.RepetitionLevelsByteLength) + int(h.DefinitionLevelsByteLength)
		if h.RepetitionLevelsByteLength < 0 || h.DefinitionLevelsByteLength < 0 || w.levels > len(w.body) || w.levels > raw {
			return errors.New("levels are longer than the page")
		}
		w.plain = append(w.plain, w.body[:w.levels]...)
		raw, compressed = raw-w.levels, w.body[w.levels:]
		if h.IsCompressed.Valid && !h.IsCompressed.V || len(compressed) == 0 {
			w.plain = append(w.plain, compressed...)
			return nil
		}
	}
	w.plain, err = decompress(w.plain, w.codec, compressed, raw)
	return err
}

// pageStream is a column chunk as it would stand in a file without compression, made
// page by page while it is read in sequence. That is how chunks reach parquet-go
// that it would not read, or would read wrong, in version 0.32: LZ4 and LZ4_RAW, a
// codec other than the first row group's, and RLE booleans, which become PLAIN.
type pageStream struct {
	*pageWalk
	pending []byte
	at      int64
}

func (f *parquetFile) stream(group, column int) (*pageStream, error) {
	w, err := f.walk(group, column)
	return &pageStream{pageWalk: w}, err
}

// ReadAt implements io.ReaderAt for one who reads in sequence.
func (s *pageStream) ReadAt(p []byte, off int64) (int, error) {
	if off != s.at {
		return 0, errors.New("pages are read out of sequence")
	}
	n := 0
	for n < len(p) {
		if len(s.pending) == 0 {
			if err := s.refill(); err != nil {
				s.at += int64(n)
				return n, err
			}
		}
		c := copy(p[n:], s.pending)
		s.pending = s.pending[c:]
		n += c
	}
	s.at += int64(n)
	return n, nil
}

func (s *pageStream) refill() (err error) {
	if err := s.next(); err != nil {
		return err
	}
	defer recovered(&err)
	h, body := s.header, s.plain
	h.CRC = 0
	switch h.Type {
	case format.DataPage:
		h.DataPageHeader.V.Statistics = format.Statistics{}
		if s.boolean && h.DataPageHeader.V.Encoding == format.RLE {
			h.DataPageHeader.V.Encoding = format.Plain
			if s.levels, err = s.levelsV1(); err == nil {
				body, err = plainBooleans(body, s.levels, int(h.DataPageHeader.V.NumValues))
			}
		}
	case format.DataPageV2:
		h.DataPageHeaderV2.V.Statistics = format.Statistics{}
		h.DataPageHeaderV2.V.IsCompressed = pthrift.New(false)
		if s.boolean && h.DataPageHeaderV2.V.Encoding == format.RLE {
			h.DataPageHeaderV2.V.Encoding = format.Plain
			body, err = plainBooleans(body, s.levels, int(h.DataPageHeaderV2.V.NumValues))
		}
	}
	if err != nil {
		return err
	}
	h.UncompressedPageSize, h.CompressedPageSize = int32(len(body)), int32(len(body))
	head, err := pthrift.Marshal(new(pthrift.CompactProtocol), &h)
	s.pending = append(append(s.pending[:0], head...), body...)
	return err
}

// levelsV1 returns the length of the levels of a V1 page: each kind has 4 bytes of
// length before it.
func (w *pageWalk) levelsV1() (int, error) {
	n := 0
	for _, most := range []int{w.rep, w.def} {
		if most == 0 {
			continue
		}
		if len(w.plain) < n+4 {
			return 0, io.ErrUnexpectedEOF
		}
		n += 4 + int(binary.LittleEndian.Uint32(w.plain[n:]))
		if n > len(w.plain) {
			return 0, io.ErrUnexpectedEOF
		}
	}
	return n, nil
}

// plainBooleans replaces the RLE values of a page, which follow its levels, by PLAIN
// ones: a bit each, from the lowest on. At most so many are wanted.
func plainBooleans(page []byte, levels, most int) ([]byte, error) {
	in := page[levels:]
	if len(in) < 4 {
		if len(in) == 0 {
			return page, nil
		}
		return nil, io.ErrUnexpectedEOF
	}
	n := int(binary.LittleEndian.Uint32(in))
	if in = in[4:]; n > len(in) {
		return nil, io.ErrUnexpectedEOF
	}
	in = in[:n]
	bits := make([]byte, (most+7)/8)
	count := 0
	set := func(bit byte) {
		if count < most {
			bits[count/8] |= bit << (count % 8)
			count++
		}
	}
	for len(in) > 0 && count < most {
		u, n := binary.Uvarint(in)
		if n <= 0 || u > math.MaxInt32 {
			return nil, errors.New("a run of booleans is malformed")
		}
		in = in[n:]
		run := int(u >> 1)
		if u&1 == 0 { // one value, many times
			if len(in) == 0 {
				return nil, io.ErrUnexpectedEOF
			}
			for range min(run, most-count) {
				set(in[0] & 1)
			}
			in = in[1:]
			continue
		}
		for _, b := range in[:min(run, len(in))] { // eight values a byte
			for i := range 8 {
				set(b >> i & 1)
			}
		}
		in = in[min(run, len(in)):]
	}
	return append(slices.Clone(page[:levels]), bits...), nil
}

// openPlain opens a file that claims the same schema and row groups without
// compression. It has no pages: these come of a pageStream.
func (f *parquetFile) openPlain() {
	f.plainErr = func() (err error) {
		defer recovered(&err)
		meta := *f.file.Metadata()
		meta.KeyValueMetadata = nil
		meta.RowGroups = slices.Clone(meta.RowGroups)
		for g := range meta.RowGroups {
			group := &meta.RowGroups[g]
			group.Columns = slices.Clone(group.Columns)
			for c := range group.Columns {
				old := &group.Columns[c].MetaData
				group.Columns[c] = format.ColumnChunk{MetaData: format.ColumnMetaData{
					Type: old.Type, Encoding: old.Encoding, PathInSchema: old.PathInSchema, Codec: format.Uncompressed,
					NumValues: old.NumValues, TotalCompressedSize: math.MaxInt64 / 2,
				}}
			}
		}
		footer, err := pthrift.Marshal(new(pthrift.CompactProtocol), &meta)
		if err != nil {
			return err
		}
		file := withFooter(magicAlone{}, 4, footer)
		f.plain, err = openFile(file, file.size())
		return err
	}()
}

// magicAlone is the beginning of a Parquet file.
type magicAlone struct{}

func (magicAlone) ReadAt(p []byte, off int64) (int, error) {
	if off >= 4 {
		return 0, io.EOF
	}
	return copy(p, "PAR1"[off:]), nil
}
