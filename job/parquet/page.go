package parquet

import (
	"encoding/binary"

	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
)

// A Page is a decompressed data page: its levels are decoded, its values are still encoded. Its memory is reused from one Load
// to the next.
type Page struct {
	Levels
	Header PageHeader
	All    bool   // every slot has a value: Present need not be asked, and is empty where MaxDef is 0
	Count  int    // values
	Rows   int    // rows that begin on this page
	Values []byte // encoded values section
	raw    []byte // decompressed body
}

// Memory returns the bytes that p keeps for the next page body.
func (p *Page) Memory() int { return cap(p.raw) }

// Take gives away the memory of the page, which is void then, for other memory: values is empty and begins where the page's values
// begin, room is all that lies before and behind.
func (p *Page) Take(other []byte) (values, room []byte) {
	values, room = p.Values[:0], p.raw[:cap(p.raw)]
	p.raw = other[:0]
	return values, room
}

// Give gives memory to a page that holds none of its own, or less: that of Take.
func (p *Page) Give(room []byte) {
	if cap(room) > cap(p.raw) {
		p.Values, p.raw = nil, room[:0]
	}
}

// Drop gives the memory of a page back whose values have been decoded.
func (p *Page) Drop() { p.Values, p.raw = nil, nil }

// Load decompresses body, the body of a page of column col, and decodes its levels. body is not kept.
func (p *Page) Load(c *codec.Codec, col *Column, id codec.ID, h *PageHeader, body []byte) error {
	if h.Kind == DataPageV2 {
		if err := p.LoadLevels(col, h, body); err != nil {
			return err
		}
		return p.LoadValues(c, id, body)
	}
	p.Header = *h
	var err error
	if p.raw, err = decompress(c, p.raw, id, body, h.RawSize); err != nil {
		return err
	}
	reps, raw, err := sectionV1(p.raw, col.MaxRep, h.RepEncoding)
	if err != nil {
		return err
	}
	if err := p.decodeReps(reps, col, h.RepEncoding); err != nil {
		return err
	}
	if h.RepEncoding == BitPacked && col.MaxRep > 0 {
		raw = raw[legacyLength(h.Values, col.MaxRep):]
	}
	defs, raw, err := sectionV1(raw, col.MaxDef, h.DefEncoding)
	if err != nil {
		return err
	}
	if err := p.decodeDefs(defs, col, h.DefEncoding); err != nil {
		return err
	}
	if h.DefEncoding == BitPacked && col.MaxDef > 0 {
		raw = raw[legacyLength(h.Values, col.MaxDef):]
	}
	p.Values = raw
	return nil
}

// sectionV1 cuts the levels from the front of a V1 body. The legacy encoding has no length: section and after are then
// both all of b, and the caller cuts off legacyLength bytes.
func sectionV1(b []byte, maxLevel int, enc Encoding) (section, after []byte, err error) {
	if maxLevel == 0 {
		return nil, b, nil
	}
	switch enc {
	case BitPacked:
		return b, b, nil
	case RLE:
	default:
		return nil, nil, Corruptf("levels of encoding %d", enc)
	}
	if len(b) < 4 {
		return nil, nil, Corruptf("levels end too early")
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, Corruptf("levels of %d bytes in a page of %d", n, len(b))
	}
	return b[4 : 4+n], b[4+n:], nil
}

// legacyLength returns the bytes of n levels in the BIT_PACKED encoding.
func legacyLength(n, maxLevel int) int {
	return (n*bitWidth(maxLevel) + 7) / 8
}

func bitWidth(maxLevel int) int {
	n := 0
	for ; maxLevel > 0; maxLevel >>= 1 {
		n++
	}
	return n
}

// LoadLevels decodes the levels of a V2 page, which are not compressed, and checks the header's counts by them.
func (p *Page) LoadLevels(col *Column, h *PageHeader, body []byte) error {
	p.Header = *h
	if err := p.decodeReps(body[:h.RepLen], col, RLE); err != nil {
		return err
	}
	if err := p.decodeDefs(body[h.RepLen:h.RepLen+h.DefLen], col, RLE); err != nil {
		return err
	}
	if h.Rows < 0 {
		p.Header.Rows = p.Rows
	} else if p.Rows != h.Rows {
		return Corruptf("%d rows in a page that says %d", p.Rows, h.Rows)
	}
	if h.Values-p.Count != h.Nulls {
		return Corruptf("%d nulls in a page that says %d", h.Values-p.Count, h.Nulls)
	}
	if len(p.Reps) > 0 && p.Reps[0] != 0 {
		return Corruptf("a V2 page that begins within a row")
	}
	return nil
}

// LoadValues decompresses the values of a V2 page. LoadLevels comes before it.
func (p *Page) LoadValues(c *codec.Codec, id codec.ID, body []byte) (err error) {
	h := &p.Header
	values, rawSize := body[h.RepLen+h.DefLen:], h.RawSize-h.RepLen-h.DefLen
	if !h.Compressed || len(values) == 0 {
		id = codec.Uncompressed // an empty section stays empty, whatever the codec would make of it
	}
	if p.raw, err = decompress(c, p.raw, id, values, rawSize); err != nil {
		return err
	}
	p.Values = p.raw
	return nil
}

// decodeReps decodes the repetition levels and counts the rows that begin.
func (p *Page) decodeReps(b []byte, col *Column, enc Encoding) error {
	p.Rows = p.Header.Values
	p.Reps = p.Reps[:0]
	if col.MaxRep == 0 {
		return nil
	}
	var err error
	if p.Reps, err = decodeLevels(p.Reps, b, col.MaxRep, p.Header.Values, enc); err != nil {
		return err
	}
	p.Rows = 0
	for _, r := range p.Reps {
		if r == 0 {
			p.Rows++
		}
	}
	return nil
}

// decodeDefs decodes the definition levels and counts the values.
func (p *Page) decodeDefs(b []byte, col *Column, enc Encoding) error {
	n := p.Header.Values
	p.Count, p.All = n, true
	p.Defs = p.Defs[:0]
	p.Present.Reset()
	if col.MaxDef == 0 {
		return nil
	}
	var err error
	if col.MaxDef == 1 && enc == RLE {
		_, err = encoding.DecodeLevelBits(&p.Present, b, n)
	} else {
		p.Defs, err = decodeLevels(p.Defs, b, col.MaxDef, n, enc)
		if err == nil {
			encoding.Present(&p.Present, p.Defs, uint8(col.MaxDef))
		}
	}
	if err != nil {
		return err
	}
	p.Count = p.Present.Count()
	p.All = p.Count == n
	return nil
}

func decodeLevels(dst []uint8, b []byte, maxLevel, n int, enc Encoding) ([]uint8, error) {
	var err error
	if enc == BitPacked {
		dst, _, err = encoding.DecodeLegacyLevels(dst, b, uint8(maxLevel), n)
	} else {
		dst, _, err = encoding.DecodeLevels(dst, b, uint8(maxLevel), n)
	}
	return dst, err
}
