package pick

import (
	"encoding/binary"

	"assent/job/parquet/encoding"
	"assent/job/parquet/rewrite"
	"assent/job/parquet/thrift"
)

// Page types.
const (
	pageData       = 0
	pageDictionary = 2
	pageDataV2     = 3
)

// Encodings.
const (
	encPlain           = 0
	encPlainDictionary = 2
	encRLE             = 3
	encBitPacked       = 4
	encDeltaBinary     = 5
	encDeltaLength     = 6
	encDeltaBytes      = 7
	encRLEDictionary   = 8
	encSplit           = 9
)

// maxPageValues bounds the slots of a page, as package rewrite does.
const maxPageValues = 1 << 26

// header is a page header. Its numbers are claims.
type header struct {
	kind, length, raw, size  int // length is that of the header itself
	crc                      uint32
	hasCRC                   bool
	values, encoding         int
	repEncoding, defEncoding int  // V1
	nulls, rows              int  // V2
	repLength, defLength     int  // V2
	compressed               bool // V2: the values
}

func (h *header) data() bool { return h.kind == pageData || h.kind == pageDataV2 }

// fields reads integer fields of a struct; the first fault sticks.
type fields struct {
	thrift.Struct
	err error
}

func (f *fields) int(id int16) int {
	v, err := f.Int(id, -1)
	if err != nil && f.err == nil {
		f.err = err
	}
	return int(v)
}

// parse decodes the header at the start of b.
func (h *header) parse(b []byte) error {
	s, n, err := thrift.Parse(b)
	if err != nil {
		return err
	}
	f := fields{Struct: s}
	*h = header{kind: f.int(1), raw: f.int(2), size: f.int(3), length: n, compressed: true}
	if h.hasCRC = s.Has(4); h.hasCRC {
		h.crc = uint32(f.int(4))
	}
	if f.err != nil {
		return f.err
	}
	member := map[int]int16{pageData: 5, pageDictionary: 7, pageDataV2: 8}[h.kind]
	if f.Struct, err = s.Struct(member); err != nil {
		return err
	}
	switch h.kind {
	case pageData:
		h.values, h.encoding, h.defEncoding, h.repEncoding = f.int(1), f.int(2), f.int(3), f.int(4)
	case pageDictionary:
		h.values, h.encoding = f.int(1), f.int(2)
	case pageDataV2:
		h.values, h.nulls, h.rows, h.encoding, h.defLength, h.repLength = f.int(1), f.int(2), f.int(3), f.int(4), f.int(5), f.int(6)
		if c, ok := f.Get(7); ok {
			h.compressed, f.err = c.Bool()
		}
		if h.repLength < 0 || h.defLength < 0 || h.repLength+h.defLength > min(h.size, h.raw) {
			return corruptf("levels of %d and %d bytes in a page of %d", h.repLength, h.defLength, h.size)
		}
	}
	if h.size < 0 || h.raw < 0 || h.kind == pageData && h.values < 0 || h.values > maxPageValues {
		return corruptf("a page of %d bytes, %d values", h.size, h.values)
	}
	return f.err
}

// page is a decoded data page, and the slot that is next.
type page struct {
	first int64 // row that is the first to begin on it
	rows  int64 // how many begin on it
	slots int
	reps  []uint8 // nil where MaxRep is 0
	defs  []uint8 // nil where MaxDef is 0
	max   uint8   // MaxDef
	values

	slot, value int
	begun       int64 // rows that begin before slot
}

// load decodes a data page.
func (l *leafReader) load(h *header, body []byte) error {
	if err := h.check(body); err != nil {
		return err
	}
	if int64(h.values) > l.chunk.values || l.col.MaxRep == 0 && int64(h.values) > l.rows {
		return corruptf("a page of %d values in a chunk of %d", h.values, l.chunk.values)
	}
	p := page{slots: h.values, max: uint8(l.col.MaxDef)}
	var raw []byte
	var err error
	if h.kind == pageDataV2 {
		levels := h.repLength + h.defLength
		if p.reps, err = levelsOf(body[:h.repLength], l.col.MaxRep, h.values, encRLE); err != nil {
			return err
		}
		if p.defs, err = levelsOf(body[h.repLength:levels], l.col.MaxDef, h.values, encRLE); err != nil {
			return err
		}
		raw, err = l.decompress(body[levels:], h.raw-levels, h.compressed)
	} else if raw, err = l.decompress(body, h.raw, true); err == nil {
		if p.reps, raw, err = cutLevels(raw, l.col.MaxRep, h.values, h.repEncoding); err != nil {
			return err
		}
		p.defs, raw, err = cutLevels(raw, l.col.MaxDef, h.values, h.defEncoding)
	}
	if err != nil {
		return err
	}
	p.rows = int64(h.values)
	for _, r := range p.reps {
		if r != 0 {
			p.rows--
		}
	}
	present := h.values
	for _, d := range p.defs {
		if d < p.max {
			present--
		}
	}
	if err := l.decode(&p, h.encoding, raw, present); err != nil {
		return err
	}
	l.page = p
	return nil
}

// decode decodes the n values of a page.
func (l *leafReader) decode(p *page, enc int, raw []byte, n int) error {
	if enc != encRLEDictionary && enc != encPlainDictionary {
		return p.values.decode(l.col, enc, raw, n)
	}
	dict, err := l.dictionary()
	if err != nil {
		return err
	}
	p.values.dict = dict
	p.values.index, err = encoding.DecodeIndices(nil, raw, n, dict.len())
	return err
}

// cutLevels decodes the levels at the front of a V1 page and returns what follows.
func cutLevels(b []byte, most, n, enc int) (levels []uint8, rest []byte, err error) {
	if most == 0 {
		return nil, b, nil
	}
	if enc == encBitPacked {
		levels, size, err := encoding.DecodeLegacyLevels(nil, b, uint8(most), n)
		return levels, b[size:], err
	}
	if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
		return nil, nil, corruptf("levels end too early")
	}
	size := binary.LittleEndian.Uint32(b)
	levels, err = levelsOf(b[4:4+size], most, n, enc)
	return levels, b[4+size:], err
}

func levelsOf(b []byte, most, n, enc int) ([]uint8, error) {
	if most == 0 {
		return nil, nil
	}
	if enc != encRLE {
		return nil, corruptf("levels of encoding %d", enc)
	}
	levels, _, err := encoding.DecodeLevels(nil, b, uint8(most), n)
	return levels, err
}

// repeats reports whether the next slot continues a row.
func (p *page) repeats() bool { return p.reps != nil && p.reps[p.slot] != 0 }

func (p *page) present() bool { return p.defs == nil || p.defs[p.slot] == p.max }

// seek moves forward to the first slot of a row that begins on the page.
func (p *page) seek(row int64) error {
	if p.reps == nil && p.defs == nil {
		p.slot = int(row - p.first)
		p.value = p.slot
		return nil
	}
	for ; p.slot < p.slots; p.slot++ {
		if !p.repeats() {
			if p.first+p.begun == row {
				return nil
			}
			p.begun++
		}
		if p.present() {
			p.value++
		}
	}
	return corruptf("row %d is not on its page", row)
}

// take appends the next slot.
func (p *page) take(l *leafReader, out *Slots) error {
	if !p.repeats() {
		p.begun++
	}
	present := p.present()
	if p.reps != nil {
		out.Reps = append(out.Reps, p.reps[p.slot])
	}
	if p.defs != nil {
		out.Defs = append(out.Defs, p.defs[p.slot])
		out.Null = append(out.Null, !present)
	}
	p.slot++
	out.count++
	if !present {
		appendZero(l.col, &out.Vector)
		return nil
	}
	p.value++
	return p.values.append(l.col, p.value-1, &out.Vector)
}

func integers(c *rewrite.Column) bool {
	return c.Physical == rewrite.Boolean || c.Physical == rewrite.Int32 || c.Physical == rewrite.Int64
}

// appendZero appends what stands in a slot without a value.
func appendZero(c *rewrite.Column, v *rewrite.Vector) {
	if integers(c) {
		v.Ints = append(v.Ints, 0)
	} else {
		v.Bytes.Ends = append(v.Bytes.Ends, uint32(len(v.Bytes.Data)))
	}
}
