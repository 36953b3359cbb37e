package verify

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/bits"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/delta"
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

	header format.PageHeader
	body   []byte // compressed
	levels int    // length of what precedes the values of a V2 page and is not compressed
	plain  []byte // the body decompressed, with its levels
	leaf   *leaf
	def    int // maximum levels
	rep    int
	turn   *largeTurn // nil: nobody waits
	held   int        // bytes of pages, as far as the turn knows
}

// walk begins at a chunk's first page. Some writers left a dictionary page's header
// out of the chunk's length: a little more is allowed.
func (f *parquetFile) walk(group, column int) (*pageWalk, error) {
	const slack = 128
	meta := &f.groups()[group].Columns[column].MetaData
	start := meta.DataPageOffset
	if d := meta.DictionaryPageOffset; d > 0 && d < start {
		start = d
	}
	length := min(meta.TotalCompressedSize+slack, f.size-start)
	if meta.NumValues > 0 && (start < 4 || length <= 0) {
		return nil, errors.New("no such column chunk in the file")
	}
	l := &f.leaves[column]
	w := newPageWalk(io.NewSectionReader(f.r, start, length), length, meta.NumValues, meta.Codec)
	w.leaf, w.def, w.rep, w.turn = l, l.maxDef, l.maxRep, f.turn
	return w, nil
}

// newPageWalk goes through at most length bytes with so many values.
func newPageWalk(r io.Reader, length, values int64, codec format.CompressionCodec) *pageWalk {
	w := &pageWalk{in: bufio.NewReaderSize(r, int(min(readBuffer, max(length, 0)))), left: length, values: values, codec: codec}
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
	raw := int(w.header.UncompressedPageSize)
	if err := w.turn.hold(&w.held, int(size)+copies*raw); err != nil {
		return err
	}
	if max(int(size), raw) >= largePage {
		w.enlarge(int(size), raw)
	}
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
	w.shrink()
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

// copies is how many of a page's bytes there are at a time where it is not compressed: parquet-go decodes beside it, and large texts are
// looked at while the next page comes.
const copies = 2

// end says that the pages are not needed any more.
func (w *pageWalk) end() { w.turn.letGo(&w.held) }

// pageStream is a column chunk as it would stand in a file without compression, made
// page by page while it is read in sequence. So chunks reach parquet-go, of which version
// 0.32 would fail over some, read some wrong, and print warnings about others: LZ4 and
// LZ4_RAW, a codec other than the first row group's, RLE booleans, bytes or lengths behind
// a page's last value. Of a page, values alone are left to parquet-go to decode.
type pageStream struct {
	*pageWalk
	head, body []byte       // of a page, what is still to be read
	large      *largeValues // the values of a page that parquet-go does not get
	dict       *largeDict   // nil: parquet-go has the dictionary, if there is one
	at         int64
}

func (f *parquetFile) stream(group, column int) (*pageStream, error) {
	w, err := f.walk(group, column)
	return &pageStream{pageWalk: w}, err
}

// ReadAt implements io.ReaderAt for one who reads in sequence. It does not read beyond a page that has begun.
func (s *pageStream) ReadAt(p []byte, off int64) (int, error) {
	if off != s.at {
		return 0, errors.New("pages are read out of sequence")
	}
	if !s.pending() {
		if err := s.refill(false); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.head)
	s.head = s.head[n:]
	m := copy(p[n:], s.body)
	s.body = s.body[m:]
	s.at += int64(n + m)
	return n + m, nil
}

func (s *pageStream) pending() bool { return len(s.head)+len(s.body) > 0 }

// refill goes to the next page. If large pages are taken apart here, the values of such a page are in s.large then.
func (s *pageStream) refill(large bool) (err error) {
	s.large = nil
	if err := s.next(); err != nil {
		return err
	}
	defer recovered(&err)
	h, body := s.header, s.plain
	if h.Type == format.DictionaryPage && large && len(body) >= largePage && s.leaf.kind() == parquet.ByteArray {
		s.plain = nil
		if s.dict, err = newLargeDict(body, int(h.DictionaryPageHeader.V.NumValues)); err != nil {
			return fmt.Errorf("page %d: %w", s.number-1, err)
		}
		return s.refill(large)
	}
	h.CRC = 0
	switch h.Type {
	case format.DataPage:
		d := &h.DataPageHeader.V
		d.Statistics = format.Statistics{}
		if (s.def == 0 || d.DefinitionLevelEncoding == format.RLE) && (s.rep == 0 || d.RepetitionLevelEncoding == format.RLE) {
			body, d.Encoding, err = s.settle(int(d.NumValues), d.Encoding, s.levelsV1, large)
		}
	case format.DataPageV2:
		d := &h.DataPageHeaderV2.V
		d.Statistics, d.IsCompressed = format.Statistics{}, pthrift.New(false)
		body, d.Encoding, err = s.settle(int(d.NumValues), d.Encoding, s.levelsV2, large)
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", s.number-1, err)
	}
	if s.large != nil {
		return nil
	}
	h.UncompressedPageSize, h.CompressedPageSize = int32(len(body)), int32(len(body))
	s.head, err = pthrift.Marshal(new(pthrift.CompactProtocol), &h)
	s.body = body
	return err
}

// levels are the encoded levels of a page, and where its values begin.
type levels struct {
	repetition, definition []byte
	values                 int
}

// levelsV1 finds the levels of a V1 page. Each kind has 4 bytes of length before it.
func (w *pageWalk) levelsV1() (l levels, err error) {
	for _, kind := range []struct {
		most int
		to   *[]byte
	}{{w.rep, &l.repetition}, {w.def, &l.definition}} {
		if kind.most == 0 {
			continue
		}
		if len(w.plain) < l.values+4 {
			return l, io.ErrUnexpectedEOF
		}
		from := l.values + 4
		l.values = from + int(binary.LittleEndian.Uint32(w.plain[l.values:]))
		if l.values > len(w.plain) {
			return l, io.ErrUnexpectedEOF
		}
		*kind.to = w.plain[from:l.values]
	}
	return l, nil
}

// levelsV2 is levelsV1 for a V2 page.
func (w *pageWalk) levelsV2() (levels, error) {
	n := w.header.DataPageHeaderV2.V.RepetitionLevelsByteLength
	return levels{w.plain[:n], w.plain[n:w.levels], w.levels}, nil
}

// settle returns a page's body with just as many values as there are, in an encoding that parquet-go reads right. If the page is a large
// one that is taken apart here, it sets s.large.
func (s *pageStream) settle(slots int, encoding format.Encoding, find func() (levels, error), large bool) ([]byte, format.Encoding, error) {
	l, err := find()
	if err != nil {
		return nil, 0, err
	}
	count := slots // of values that are not null
	if s.def > 0 {
		count = 0
		err = hybrid(l.definition, bits.Len(uint(s.def)), slots, func(level uint64, n int) {
			if level == uint64(s.def) {
				count += n
			}
		})
		if err != nil {
			return nil, 0, err
		}
	}
	values, encoding, err := s.settleValues(s.plain[l.values:], encoding, count)
	byDict := s.dict != nil && (encoding == format.RLEDictionary || encoding == oldDictionary)
	byDelta := encoding == format.DeltaLengthByteArray || encoding == format.DeltaByteArray
	if err == nil && large && (byDict || len(values) >= largePage && (byDelta || encoding == format.Plain) && s.leaf.kind() == parquet.ByteArray) {
		s.large, err = newLargeValues(s.pageWalk, l, values, slots)
		switch {
		case err != nil:
		case byDict:
			err = s.large.setDict(s.dict, count)
		case byDelta:
			s.large.delta, err = newDeltaTexts(values, encoding, count)
		}
		return nil, 0, err
	}
	if err != nil || len(values) == len(s.plain)-l.values && len(values) > 0 && &values[0] == &s.plain[l.values] {
		return s.plain, encoding, err
	}
	return append(s.plain[:l.values:l.values], values...), encoding, nil
}

func (w *pageWalk) settleValues(values []byte, encoding format.Encoding, count int) ([]byte, format.Encoding, error) {
	switch {
	case encoding == format.RLE && w.leaf.kind() == parquet.Boolean:
		values, err := plainBooleans(values, count)
		return values, format.Plain, err
	case encoding == format.DeltaLengthByteArray:
		return plainTexts(values, count)
	case encoding != format.Plain:
		return values, encoding, nil
	}
	size := 0
	switch w.leaf.kind() {
	case parquet.Boolean:
		size = (count + 7) / 8
	case parquet.Int32, parquet.Float:
		size = 4 * count
	case parquet.Int64, parquet.Double:
		size = 8 * count
	case parquet.Int96:
		size = 12 * count
	case parquet.FixedLenByteArray:
		size = int(w.leaf.element.TypeLength.V) * count
	case parquet.ByteArray:
		for range count {
			if len(values)-size < 4 {
				return nil, 0, io.ErrUnexpectedEOF
			}
			size += 4 + int(binary.LittleEndian.Uint32(values[size:]))
		}
	}
	if size > len(values) {
		return nil, 0, io.ErrUnexpectedEOF
	}
	return values[:size], encoding, nil
}

// plainTexts replaces the values of a page of DELTA_LENGTH_BYTE_ARRAY by PLAIN ones where
// there are more of them than count.
func plainTexts(values []byte, count int) ([]byte, format.Encoding, error) {
	encoding := new(delta.LengthByteArrayEncoding)
	var head [3]uint64 // size of a block, of its parts, and number of values
	rest := values
	for i := range head {
		n, size := binary.Uvarint(rest)
		if size <= 0 {
			return nil, 0, io.ErrUnexpectedEOF
		}
		head[i], rest = n, rest[size:]
	}
	if head[2] <= uint64(count) {
		return values, format.DeltaLengthByteArray, nil
	}
	texts, offsets, err := encoding.DecodeByteArray(nil, values, nil)
	if err != nil || len(offsets) <= count {
		return nil, 0, cmp.Or(err, io.ErrUnexpectedEOF)
	}
	var plain []byte
	for i := range count {
		text := texts[offsets[i]:offsets[i+1]]
		plain = append(binary.LittleEndian.AppendUint32(plain, uint32(len(text))), text...)
	}
	return plain, format.Plain, nil
}

// plainBooleans replaces RLE values by PLAIN ones: a bit each, from the lowest on.
func plainBooleans(in []byte, count int) ([]byte, error) {
	if len(in) == 0 {
		return nil, nil
	}
	if len(in) < 4 {
		return nil, io.ErrUnexpectedEOF
	}
	n := int(binary.LittleEndian.Uint32(in))
	if in = in[4:]; n > len(in) {
		return nil, io.ErrUnexpectedEOF
	}
	bits := make([]byte, (count+7)/8)
	at := 0
	err := hybrid(in[:n], 1, count, func(bit uint64, n int) {
		for range n {
			bits[at/8] |= byte(bit) << (at % 8)
			at++
		}
	})
	return bits, err
}

// hybrid goes through at most count values in the hybrid of runs and bit-packed values,
// each of so many bits. It calls each for every run of equal ones.
func hybrid(in []byte, width, count int, each func(value uint64, n int)) error {
	for len(in) > 0 && count > 0 {
		u, head := binary.Uvarint(in)
		if head <= 0 || u > math.MaxInt32 {
			return errors.New("a run of levels or booleans is malformed")
		}
		in = in[head:]
		if run := min(int(u>>1), count); u&1 == 0 { // one value, many times
			size := (width + 7) / 8
			if len(in) < size {
				return io.ErrUnexpectedEOF
			}
			var value [8]byte
			copy(value[:], in[:size])
			each(binary.LittleEndian.Uint64(value[:])&(1<<width-1), run)
			in, count = in[size:], count-run
			continue
		}
		packed := in[:min(int(u>>1)*width, len(in))] // eight values in as many bytes as a value has bits
		values := min(len(packed)*8/width, count)
		for i := range values {
			var eight [8]byte
			at := i * width
			copy(eight[:], packed[at/8:])
			each(binary.LittleEndian.Uint64(eight[:])>>(at%8)&(1<<width-1), 1)
		}
		in, count = in[len(packed):], count-values
	}
	return nil
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
