package rewrite

import (
	"encoding/binary"

	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
)

// levels are the levels of some slots of a column.
type levels struct {
	reps    []uint8         // repetition levels; empty where MaxRep is 0
	defs    []uint8         // definition levels where MaxDef > 1
	present encoding.Bitmap // which slots have a value; where MaxDef is 1, the definition levels themselves
}

// appendReps appends the encoded repetition levels, without a length.
func (l *levels) appendReps(b []byte, col *Column) []byte {
	if col.MaxRep == 0 {
		return b
	}
	return encoding.AppendLevels(b, l.reps, uint8(col.MaxRep))
}

// appendDefs appends the encoded definition levels, without a length.
func (l *levels) appendDefs(b []byte, col *Column) []byte {
	switch {
	case col.MaxDef == 0:
		return b
	case col.MaxDef == 1:
		return encoding.AppendLevelBits(b, &l.present)
	}
	return encoding.AppendLevels(b, l.defs, uint8(col.MaxDef))
}

// appendV1 appends the encoded levels as a V1 page has them, each kind after its length.
func (l *levels) appendV1(b []byte, col *Column) []byte {
	if col.MaxRep > 0 {
		b = prefixed(b, func(b []byte) []byte { return l.appendReps(b, col) })
	}
	if col.MaxDef > 0 {
		b = prefixed(b, func(b []byte) []byte { return l.appendDefs(b, col) })
	}
	return b
}

// prefixed appends what fill appends, after its length in 4 bytes.
func prefixed(b []byte, fill func([]byte) []byte) []byte {
	at := len(b)
	b = fill(append(b, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// An encodedPage is a page as it will stand in the file. Its memory is reused from one page to the next.
type encodedPage struct {
	h          pageHeader
	head, body []byte // encoded header; body as it stands
}

// encode compresses raw, the levels and values of a page, and makes its header: the sizes, the checksum and, of a V2 page,
// whether the values are compressed are filled in. raw is not kept.
func (e *encodedPage) encode(c *codec.Codec, id codec.ID, h *pageHeader, raw []byte) (err error) {
	h.rawSize = len(raw)
	levels := h.repLen + h.defLen // of a V2 page; they stay as they are
	e.body = append(e.body[:0], raw[:levels]...)
	if h.compressed = h.kind != pageDataV2 || len(raw) > levels; h.compressed {
		if e.body, err = c.Compress(e.body, id, raw[levels:]); err != nil {
			return err
		}
	}
	return e.finish(h)
}

// finish makes the header of the page whose body is in e.body.
func (e *encodedPage) finish(h *pageHeader) error {
	if h.rawSize > maxPageBytes || len(e.body) > maxPageBytes {
		return unsupportedf("a page of %d bytes", max(h.rawSize, len(e.body)))
	}
	e.h = *h
	e.h.size, e.h.crc = len(e.body), checksum(e.body)
	e.head = e.h.append(e.head[:0])
	return nil
}
