package parquet

import (
	"encoding/binary"

	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
)

// Levels are the levels of some slots of a column.
type Levels struct {
	Reps    []uint8         // repetition levels; empty where MaxRep is 0
	Defs    []uint8         // definition levels where MaxDef > 1
	Present encoding.Bitmap // which slots have a value; where MaxDef is 1, the definition levels themselves
}

// AppendReps appends the encoded repetition levels, without a length.
func (l *Levels) AppendReps(b []byte, col *Column) []byte {
	if col.MaxRep == 0 {
		return b
	}
	return encoding.AppendLevels(b, l.Reps, uint8(col.MaxRep))
}

// AppendDefs appends the encoded definition levels, without a length.
func (l *Levels) AppendDefs(b []byte, col *Column) []byte {
	switch {
	case col.MaxDef == 0:
		return b
	case col.MaxDef == 1:
		return encoding.AppendLevelBits(b, &l.Present)
	}
	return encoding.AppendLevels(b, l.Defs, uint8(col.MaxDef))
}

// AppendV1 appends the encoded levels as a V1 page has them, each kind after its length.
func (l *Levels) AppendV1(b []byte, col *Column) []byte {
	if col.MaxRep > 0 {
		b = AppendPrefixed(b, func(b []byte) []byte { return l.AppendReps(b, col) })
	}
	if col.MaxDef > 0 {
		b = AppendPrefixed(b, func(b []byte) []byte { return l.AppendDefs(b, col) })
	}
	return b
}

// AppendPrefixed appends what fill appends, after its length in 4 bytes.
func AppendPrefixed(b []byte, fill func([]byte) []byte) []byte {
	at := len(b)
	b = fill(append(b, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// An EncodedPage is a page as it will stand in the file. Its memory is reused from one page to the next.
type EncodedPage struct {
	Header     PageHeader
	Head, Body []byte // encoded header; body as it stands
}

// Encode compresses raw, the levels and values of a page, and makes its header: the sizes, the checksum and, of a V2 page,
// whether the values are compressed are filled in. raw is not kept.
func (e *EncodedPage) Encode(c *codec.Codec, id codec.ID, h *PageHeader, raw []byte) (err error) {
	h.RawSize = len(raw)
	levels := h.RepLen + h.DefLen // of a V2 page; they stay as they are
	e.Body = append(e.Body[:0], raw[:levels]...)
	if h.Compressed = h.Kind != DataPageV2 || len(raw) > levels; h.Compressed {
		if e.Body, err = c.Compress(e.Body, id, raw[levels:]); err != nil {
			return err
		}
	}
	return e.Finish(h)
}

// Finish makes the header of the page whose body stands in e.Body already, of h.RawSize bytes uncompressed.
func (e *EncodedPage) Finish(h *PageHeader) error {
	if h.RawSize > MaxPageBytes || len(e.Body) > MaxPageBytes {
		return Unsupportedf("a page of %d bytes", max(h.RawSize, len(e.Body)))
	}
	e.Header = *h
	e.Header.Size, e.Header.CRC = len(e.Body), Checksum(e.Body)
	e.Head = e.Header.Append(e.Head[:0])
	return nil
}
