package rewrite

import (
	"encoding/binary"

	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
)

// A dataPage is a data page taken apart: levels decoded, values decompressed and still encoded. Its memory is reused from
// one load to the next.
type dataPage struct {
	levels
	h      pageHeader
	all    bool   // every slot has a value: present is not filled
	count  int    // values
	starts int    // rows that begin on this page
	values []byte // encoded values section
	raw    []byte // decompressed body
}

// Memory returns the bytes that p keeps for the next page body.
func (p *dataPage) Memory() int { return cap(p.raw) }

// load decompresses body and decodes the levels of a page of column col. Nothing of p lies in body afterwards.
func (p *dataPage) load(c *codec.Codec, col *Column, id codec.ID, h *pageHeader, body []byte) error {
	if h.kind == pageDataV2 {
		if err := p.levelsV2(col, h, body); err != nil {
			return err
		}
		return p.valuesV2(c, id, body)
	}
	p.h = *h
	var err error
	if p.raw, err = decompress(c, p.raw, id, body, h.rawSize); err != nil {
		return err
	}
	reps, raw, err := sectionV1(p.raw, col.MaxRep, h.repEncoding)
	if err != nil {
		return err
	}
	if err := p.decodeReps(reps, col, h.repEncoding); err != nil {
		return err
	}
	if h.repEncoding == encBitPacked && col.MaxRep > 0 {
		raw = raw[legacyLength(h.values, col.MaxRep):]
	}
	defs, raw, err := sectionV1(raw, col.MaxDef, h.defEncoding)
	if err != nil {
		return err
	}
	if err := p.decodeDefs(defs, col, h.defEncoding); err != nil {
		return err
	}
	if h.defEncoding == encBitPacked && col.MaxDef > 0 {
		raw = raw[legacyLength(h.values, col.MaxDef):]
	}
	p.values = raw
	return nil
}

// sectionV1 cuts the levels from the front of a V1 body. Where they are in the legacy encoding, which has no length,
// section is all of the rest, and so is after.
func sectionV1(b []byte, maxLevel int, enc encodingID) (section, after []byte, err error) {
	if maxLevel == 0 {
		return nil, b, nil
	}
	switch enc {
	case encBitPacked:
		return b, b, nil
	case encRLE:
	default:
		return nil, nil, corruptf("levels of encoding %d", enc)
	}
	if len(b) < 4 {
		return nil, nil, corruptf("levels end too early")
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, corruptf("levels of %d bytes in a page of %d", n, len(b))
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

// levelsV2 decodes the levels of a V2 page, which are not compressed, and holds the header's counts against them.
func (p *dataPage) levelsV2(col *Column, h *pageHeader, body []byte) error {
	p.h = *h
	if err := p.decodeReps(body[:h.repLen], col, encRLE); err != nil {
		return err
	}
	if err := p.decodeDefs(body[h.repLen:h.repLen+h.defLen], col, encRLE); err != nil {
		return err
	}
	if p.starts != h.rows {
		return corruptf("%d rows in a page that says %d", p.starts, h.rows)
	}
	if h.values-p.count != h.nulls {
		return corruptf("%d nulls in a page that says %d", h.values-p.count, h.nulls)
	}
	if len(p.reps) > 0 && p.reps[0] != 0 {
		return corruptf("a V2 page that begins within a row")
	}
	return nil
}

// valuesV2 decompresses the values of a V2 page, after levelsV2.
func (p *dataPage) valuesV2(c *codec.Codec, id codec.ID, body []byte) (err error) {
	h := &p.h
	values, rawSize := body[h.repLen+h.defLen:], h.rawSize-h.repLen-h.defLen
	if !h.compressed || len(values) == 0 {
		id = codec.Uncompressed // a section of no bytes is an empty one, whatever the codec would make of it
	}
	if p.raw, err = decompress(c, p.raw, id, values, rawSize); err != nil {
		return err
	}
	p.values = p.raw
	return nil
}

// decodeReps decodes the repetition levels and counts the rows that begin.
func (p *dataPage) decodeReps(b []byte, col *Column, enc encodingID) error {
	p.starts = p.h.values
	p.reps = p.reps[:0]
	if col.MaxRep == 0 {
		return nil
	}
	var err error
	if p.reps, err = decodeLevels(p.reps, b, col.MaxRep, p.h.values, enc); err != nil {
		return err
	}
	p.starts = 0
	for _, r := range p.reps {
		if r == 0 {
			p.starts++
		}
	}
	return nil
}

// decodeDefs decodes the definition levels and counts the values.
func (p *dataPage) decodeDefs(b []byte, col *Column, enc encodingID) error {
	n := p.h.values
	p.count, p.all = n, true
	p.defs = p.defs[:0]
	p.present.Reset()
	if col.MaxDef == 0 {
		return nil
	}
	var err error
	if col.MaxDef == 1 && enc == encRLE {
		_, err = encoding.DecodeLevelBits(&p.present, b, n)
	} else {
		p.defs, err = decodeLevels(p.defs, b, col.MaxDef, n, enc)
		if err == nil {
			encoding.Present(&p.present, p.defs, uint8(col.MaxDef))
		}
	}
	if err != nil {
		return err
	}
	p.count = p.present.Count()
	p.all = p.count == n
	return nil
}

func decodeLevels(dst []uint8, b []byte, maxLevel, n int, enc encodingID) ([]uint8, error) {
	var err error
	if enc == encBitPacked {
		dst, _, err = encoding.DecodeLegacyLevels(dst, b, uint8(maxLevel), n)
	} else {
		dst, _, err = encoding.DecodeLevels(dst, b, uint8(maxLevel), n)
	}
	return dst, err
}
