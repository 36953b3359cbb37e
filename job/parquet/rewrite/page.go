package rewrite

import (
	"errors"
	"hash/crc32"

	"assent/job/parquet/codec"
	"assent/job/parquet/thrift"
)

// Page types.
const (
	pageData       = 0
	pageIndex      = 1
	pageDictionary = 2
	pageDataV2     = 3
)

// An encodingID is a value encoding by its number in parquet.thrift (Encoding).
type encodingID int32

// Encodings.
const (
	encPlain           encodingID = 0
	encPlainDictionary encodingID = 2 // deprecated name of encRLEDictionary, and of encPlain in dictionary pages
	encRLE             encodingID = 3
	encBitPacked       encodingID = 4
	encDeltaBinary     encodingID = 5
	encDeltaLength     encodingID = 6
	encDeltaBytes      encodingID = 7
	encRLEDictionary   encodingID = 8
	encSplit           encodingID = 9
)

// A pageHeader is a decoded page header. All counts and sizes are claims, checked by check against what the chunk can
// hold, but not against the page's body.
type pageHeader struct {
	kind     int
	length   int // bytes of the header itself
	rawSize  int // uncompressed body
	size     int // body as it stands
	crc      uint32
	hasCRC   bool
	values   int // slots of a data page, entries of a dictionary page
	encoding encodingID
	stats    []byte // the encoded Statistics, nil: none
	// V1
	repEncoding, defEncoding encodingID
	// V2
	nulls, rows    int
	repLen, defLen int
	compressed     bool
	sorted         thrift.Type // dictionary pages: is_sorted (Stop: absent)
}

// dictCoded reports whether the values section holds dictionary indices.
func (h *pageHeader) dictCoded() bool {
	return h.encoding == encRLEDictionary || h.encoding == encPlainDictionary
}

func (h *pageHeader) data() bool { return h.kind == pageData || h.kind == pageDataV2 }

// checksum returns the CRC-32 of a page body as it stands in the file.
func checksum(body []byte) uint32 { return crc32.ChecksumIEEE(body) }

// maxPageBytes is the most that a header's size fields can say.
const maxPageBytes = 1<<31 - 1

// maxHeader bounds a page header. Some writers put long minima and maxima there.
const maxHeader = 16 << 20

// maxPageValues bounds the slots of a page, which may be many in few bytes (one run): writers have put a row group of 64Mi
// rows into one page.
const maxPageValues = 1 << 26

var errHeaderMember = errors.New("page header does not describe its type")

// parse decodes the header at the start of b.
func (h *pageHeader) parse(b []byte) error {
	*h = pageHeader{kind: -1, rawSize: -1, size: -1, compressed: true}
	r := thrift.NewReader(b)
	var last int16
	member := -1
	for {
		id, t := r.Field(last)
		if t == thrift.Stop {
			break
		}
		last = id
		switch {
		case id == 1 && t == thrift.I32:
			h.kind = int(r.Int32())
		case id == 2 && t == thrift.I32:
			h.rawSize = int(r.Int32())
		case id == 3 && t == thrift.I32:
			h.size = int(r.Int32())
		case id == 4 && t == thrift.I32:
			h.crc, h.hasCRC = uint32(r.Int32()), true
		case id == 5 && t == thrift.StrucT:
			member = pageData
			h.parseData(&r)
		case id == 7 && t == thrift.StrucT:
			member = pageDictionary
			h.parseDictionary(&r)
		case id == 8 && t == thrift.StrucT:
			member = pageDataV2
			h.parseDataV2(&r)
		default:
			r.Skip(t)
		}
	}
	h.length = r.Pos()
	if err := r.Err(); err != nil {
		return err
	}
	if h.rawSize < 0 || h.size < 0 {
		return corruptf("page header: sizes %d and %d", h.rawSize, h.size)
	}
	if h.kind != pageIndex && h.kind != member {
		return corruptf("%w", errHeaderMember)
	}
	return nil
}

func (h *pageHeader) parseData(r *thrift.Reader) {
	var last int16
	for {
		id, t := r.Field(last)
		if t == thrift.Stop {
			return
		}
		last = id
		switch {
		case id == 1 && t == thrift.I32:
			h.values = int(r.Int32())
		case id == 2 && t == thrift.I32:
			h.encoding = encodingID(r.Int32())
		case id == 3 && t == thrift.I32:
			h.defEncoding = encodingID(r.Int32())
		case id == 4 && t == thrift.I32:
			h.repEncoding = encodingID(r.Int32())
		case id == 5 && t == thrift.StrucT:
			h.stats = r.Raw(t)
		default:
			r.Skip(t)
		}
	}
}

func (h *pageHeader) parseDictionary(r *thrift.Reader) {
	var last int16
	for {
		id, t := r.Field(last)
		if t == thrift.Stop {
			return
		}
		last = id
		switch {
		case id == 1 && t == thrift.I32:
			h.values = int(r.Int32())
		case id == 2 && t == thrift.I32:
			h.encoding = encodingID(r.Int32())
		case id == 3 && (t == thrift.True || t == thrift.False):
			h.sorted = t
		default:
			r.Skip(t)
		}
	}
}

func (h *pageHeader) parseDataV2(r *thrift.Reader) {
	var last int16
	for {
		id, t := r.Field(last)
		if t == thrift.Stop {
			return
		}
		last = id
		switch {
		case id == 1 && t == thrift.I32:
			h.values = int(r.Int32())
		case id == 2 && t == thrift.I32:
			h.nulls = int(r.Int32())
		case id == 3 && t == thrift.I32:
			h.rows = int(r.Int32())
		case id == 4 && t == thrift.I32:
			h.encoding = encodingID(r.Int32())
		case id == 5 && t == thrift.I32:
			h.defLen = int(r.Int32())
		case id == 6 && t == thrift.I32:
			h.repLen = int(r.Int32())
		case id == 7 && (t == thrift.True || t == thrift.False):
			h.compressed = t == thrift.True
		case id == 8 && t == thrift.StrucT:
			h.stats = r.Raw(t)
		default:
			r.Skip(t)
		}
	}
}

// check holds the header's claims against the codec and the values left in the chunk.
func (h *pageHeader) check(id codec.ID, left int64) error {
	if h.values < 0 || h.data() && int64(h.values) > left {
		return corruptf("a page of %d values where %d are left", h.values, left)
	}
	if h.values > maxPageValues {
		return unsupportedf("a page of %d values, more than %d", h.values, maxPageValues)
	}
	body, raw := h.size, h.rawSize
	if h.kind == pageDataV2 {
		levels := h.repLen + h.defLen
		if h.repLen < 0 || h.defLen < 0 || levels > body || levels > raw {
			return corruptf("levels of %d and %d bytes in a page of %d, %d uncompressed", h.repLen, h.defLen, body, raw)
		}
		if h.nulls < 0 || h.nulls > h.values || h.rows < 0 || h.rows > h.values {
			return corruptf("%d nulls, %d rows in a page of %d values", h.nulls, h.rows, h.values)
		}
		body, raw = body-levels, raw-levels
		if !h.compressed {
			id = codec.Uncompressed
		}
	}
	if h.kind != pageIndex && int64(raw) > maxExpansion(id, int64(body)) {
		return corruptf("a page of %d bytes cannot expand to %d (%s)", body, raw, id)
	}
	return nil
}

// maxExpansion returns a bound of what n compressed bytes can stand for: of an element of the format, the most bytes that it
// yields over the fewest that it takes. It keeps a header's claim from costing more memory than the body could fill.
func maxExpansion(id codec.ID, n int64) int64 {
	switch id {
	case codec.Uncompressed:
		return n
	case codec.Snappy:
		return n * 22 // a copy of 64 bytes in 3
	case codec.LZ4, codec.LZ4Raw:
		return n * 256 // a length byte stands for 255
	case codec.Gzip:
		return n * 1040 // deflate's 1032
	case codec.Zstd:
		return n * (128 << 10) / 3 // a run-length block of 128 KiB in 4
	}
	return n << 24
}

// append appends the encoded header, without statistics.
func (h *pageHeader) append(dst []byte) []byte {
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
	i32(1, int32(h.kind))
	i32(2, int32(h.rawSize))
	i32(3, int32(h.size))
	i32(4, int32(h.crc))
	member := map[int]int16{pageData: 5, pageDictionary: 7, pageDataV2: 8}[h.kind]
	dst = append(dst, byte(member-last)<<4|byte(thrift.StrucT))
	last = 0
	i32(1, int32(h.values))
	switch h.kind {
	case pageData:
		i32(2, int32(h.encoding))
		i32(3, int32(h.defEncoding))
		i32(4, int32(h.repEncoding))
	case pageDictionary:
		i32(2, int32(h.encoding))
		if h.sorted != thrift.Stop {
			boolean(3, h.sorted)
		}
	case pageDataV2:
		i32(2, int32(h.nulls))
		i32(3, int32(h.rows))
		i32(4, int32(h.encoding))
		i32(5, int32(h.defLen))
		i32(6, int32(h.repLen))
		if h.compressed {
			boolean(7, thrift.True)
		} else {
			boolean(7, thrift.False)
		}
	}
	return append(dst, 0, 0)
}
