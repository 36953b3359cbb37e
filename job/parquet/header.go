package parquet

import (
	"errors"
	"hash/crc32"

	"assent/job/parquet/codec"
	"assent/job/parquet/thrift"
)

// Page types, by their numbers in parquet.thrift (PageType).
const (
	DataPage       = 0
	IndexPage      = 1
	DictionaryPage = 2
	DataPageV2     = 3
)

// An Encoding is a value encoding by its number in parquet.thrift (Encoding).
type Encoding int32

// Encodings.
const (
	Plain                Encoding = 0
	PlainDictionary      Encoding = 2 // old name of RLEDictionary in data pages and of Plain in dictionary pages
	RLE                  Encoding = 3
	BitPacked            Encoding = 4
	DeltaBinaryPacked    Encoding = 5
	DeltaLengthByteArray Encoding = 6
	DeltaByteArray       Encoding = 7
	RLEDictionary        Encoding = 8
	ByteStreamSplit      Encoding = 9
)

// A PageHeader is a page header. In a parsed one all counts and sizes are claims: Check holds them against what the chunk and the
// codec can hold, Page.Load against the body.
type PageHeader struct {
	Kind       int // DataPage, DataPageV2, DictionaryPage or IndexPage
	Length     int // bytes of the header itself
	RawSize    int // bytes of the uncompressed body
	Size       int // bytes of the body as it stands in the file
	CRC        uint32
	HasCRC     bool
	Values     int // slots of a data page, entries of a dictionary page
	Encoding   Encoding
	Statistics []byte // the encoded Statistics, nil: none
	// V1
	RepEncoding, DefEncoding Encoding
	// V2
	Nulls, Rows    int // Rows is -1 where the number is not known, see Chunk.MiscountedRows
	RepLen, DefLen int
	Compressed     bool
	Sorted         thrift.Type // dictionary pages: is_sorted (Stop: absent)
}

// DictCoded reports whether the values section holds dictionary indices.
func (h *PageHeader) DictCoded() bool {
	return h.Encoding == RLEDictionary || h.Encoding == PlainDictionary
}

// IsData reports whether the page is a data page of either version.
func (h *PageHeader) IsData() bool { return h.Kind == DataPage || h.Kind == DataPageV2 }

// Checksum returns the CRC-32 of a page body as it stands in the file.
func Checksum(body []byte) uint32 { return crc32.ChecksumIEEE(body) }

// MaxPageBytes is the largest size that a page header can state.
const MaxPageBytes = 1<<31 - 1

// maxHeader bounds a page header. Some writers put long minima and maxima there.
const maxHeader = 16 << 20

// maxPageValues bounds the slots of a page. A page of few bytes can have very many, since a run of equal levels is short. Writers
// have put 64Mi rows into one page.
const maxPageValues = 1 << 26

var errHeaderMember = errors.New("page header does not describe its type")

// Parse decodes the header at the start of b.
func (h *PageHeader) Parse(b []byte) error {
	*h = PageHeader{Kind: -1, RawSize: -1, Size: -1, Compressed: true}
	r := thrift.NewReader(b)
	member := -1
	for id, t := range r.Fields() {
		switch {
		case id == 1 && t == thrift.I32:
			h.Kind = int(r.Int32())
		case id == 2 && t == thrift.I32:
			h.RawSize = int(r.Int32())
		case id == 3 && t == thrift.I32:
			h.Size = int(r.Int32())
		case id == 4 && t == thrift.I32:
			h.CRC, h.HasCRC = uint32(r.Int32()), true
		case id == 5 && t == thrift.StrucT:
			member = DataPage
			h.parseData(&r)
		case id == 7 && t == thrift.StrucT:
			member = DictionaryPage
			h.parseDictionary(&r)
		case id == 8 && t == thrift.StrucT:
			member = DataPageV2
			h.parseDataV2(&r)
		default:
			r.Skip(t)
		}
	}
	h.Length = r.Pos()
	if err := r.Err(); err != nil {
		return err
	}
	if h.RawSize < 0 || h.Size < 0 {
		return Corruptf("page header: sizes %d and %d", h.RawSize, h.Size)
	}
	if h.Kind != IndexPage && h.Kind != member {
		return Corruptf("%w", errHeaderMember)
	}
	return nil
}

func (h *PageHeader) parseData(r *thrift.Reader) {
	for id, t := range r.Fields() {
		switch {
		case id == 1 && t == thrift.I32:
			h.Values = int(r.Int32())
		case id == 2 && t == thrift.I32:
			h.Encoding = Encoding(r.Int32())
		case id == 3 && t == thrift.I32:
			h.DefEncoding = Encoding(r.Int32())
		case id == 4 && t == thrift.I32:
			h.RepEncoding = Encoding(r.Int32())
		case id == 5 && t == thrift.StrucT:
			h.Statistics = r.Raw(t)
		default:
			r.Skip(t)
		}
	}
}

func (h *PageHeader) parseDictionary(r *thrift.Reader) {
	for id, t := range r.Fields() {
		switch {
		case id == 1 && t == thrift.I32:
			h.Values = int(r.Int32())
		case id == 2 && t == thrift.I32:
			h.Encoding = Encoding(r.Int32())
		case id == 3 && (t == thrift.True || t == thrift.False):
			h.Sorted = t
		default:
			r.Skip(t)
		}
	}
}

func (h *PageHeader) parseDataV2(r *thrift.Reader) {
	for id, t := range r.Fields() {
		switch {
		case id == 1 && t == thrift.I32:
			h.Values = int(r.Int32())
		case id == 2 && t == thrift.I32:
			h.Nulls = int(r.Int32())
		case id == 3 && t == thrift.I32:
			h.Rows = int(r.Int32())
		case id == 4 && t == thrift.I32:
			h.Encoding = Encoding(r.Int32())
		case id == 5 && t == thrift.I32:
			h.DefLen = int(r.Int32())
		case id == 6 && t == thrift.I32:
			h.RepLen = int(r.Int32())
		case id == 7 && (t == thrift.True || t == thrift.False):
			h.Compressed = t == thrift.True
		case id == 8 && t == thrift.StrucT:
			h.Statistics = r.Raw(t)
		default:
			r.Skip(t)
		}
	}
}

// Check holds the header's claims against the codec of its chunk and against left, the number of slots that the chunk still has.
func (h *PageHeader) Check(id codec.ID, left int64) error {
	if h.Values < 0 || h.IsData() && int64(h.Values) > left {
		return Corruptf("a page of %d values where %d are left", h.Values, left)
	}
	if h.Values > maxPageValues {
		return Unsupportedf("a page of %d values, more than %d", h.Values, maxPageValues)
	}
	body, raw := h.Size, h.RawSize
	if h.Kind == DataPageV2 {
		levels := h.RepLen + h.DefLen
		if h.RepLen < 0 || h.DefLen < 0 || levels > body || levels > raw {
			return Corruptf("levels of %d and %d bytes in a page of %d, %d uncompressed", h.RepLen, h.DefLen, body, raw)
		}
		if h.Nulls < 0 || h.Nulls > h.Values || h.Rows < 0 || h.Rows > h.Values {
			return Corruptf("%d nulls, %d rows in a page of %d values", h.Nulls, h.Rows, h.Values)
		}
		body, raw = body-levels, raw-levels
		if !h.Compressed {
			id = codec.Uncompressed
		}
	}
	if h.Kind != IndexPage && !id.Plausible(body, raw) {
		return Corruptf("a page of %d bytes cannot expand to %d (%s)", body, raw, id)
	}
	return nil
}

// Append appends the encoded header. A header that was parsed keeps its statistics, unless they are set to nil.
func (h *PageHeader) Append(dst []byte) []byte {
	last := int16(0)
	i32 := func(id int16, v int32) {
		dst = append(dst, byte(id-last)<<4|byte(thrift.I32))
		dst = thrift.AppendInt(dst, int64(v))
		last = id
	}
	boolean := func(id int16, t thrift.Type) {
		dst = append(dst, byte(id-last)<<4|byte(t))
		last = id
	}
	statistics := func(id int16) {
		if h.Statistics != nil {
			dst = append(dst, byte(id-last)<<4|byte(thrift.StrucT))
			dst = append(dst, h.Statistics...)
			last = id
		}
	}
	i32(1, int32(h.Kind))
	i32(2, int32(h.RawSize))
	i32(3, int32(h.Size))
	i32(4, int32(h.CRC))
	member := map[int]int16{DataPage: 5, DictionaryPage: 7, DataPageV2: 8}[h.Kind]
	dst = append(dst, byte(member-last)<<4|byte(thrift.StrucT))
	last = 0
	i32(1, int32(h.Values))
	switch h.Kind {
	case DataPage:
		i32(2, int32(h.Encoding))
		i32(3, int32(h.DefEncoding))
		i32(4, int32(h.RepEncoding))
		statistics(5)
	case DictionaryPage:
		i32(2, int32(h.Encoding))
		if h.Sorted != thrift.Stop {
			boolean(3, h.Sorted)
		}
	case DataPageV2:
		i32(2, int32(h.Nulls))
		i32(3, int32(h.Rows))
		i32(4, int32(h.Encoding))
		i32(5, int32(h.DefLen))
		i32(6, int32(h.RepLen))
		if h.Compressed {
			boolean(7, thrift.True)
		} else {
			boolean(7, thrift.False)
		}
		statistics(8)
	}
	return append(dst, 0, 0)
}
