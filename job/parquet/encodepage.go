package parquet

import (
	"assent/job/parquet/codec"
)

// An EncodedPage is a page as it will stand in the file. Its memory is reused from one page to the next.
type EncodedPage struct {
	Header     PageHeader
	Head, Body []byte // encoded header; body as it stands
}

// Encode makes a page of raw, its levels and values. It compresses them (of a V2 page, the values alone) and encodes the
// header h, in which it fills in the sizes, the checksum and Compressed. raw is not kept.
func (e *EncodedPage) Encode(c *codec.Codec, id codec.ID, h *PageHeader, raw []byte) error {
	levels := h.RepLen + h.DefLen // of a V2 page
	return e.EncodeParts(c, id, h, raw[:levels], raw[levels:])
}

// EncodeParts is Encode for levels and values that stand apart. levels are those of a V2 page, which stay as they are; the levels
// of a V1 page are compressed with its values, and stand before them in values.
func (e *EncodedPage) EncodeParts(c *codec.Codec, id codec.ID, h *PageHeader, levels, values []byte) (err error) {
	h.RawSize = len(levels) + len(values)
	e.Body = append(e.Body[:0], levels...)
	if h.Compressed = h.Kind != DataPageV2 || len(values) > 0; h.Compressed {
		if e.Body, err = c.Compress(e.Body, id, values); err != nil {
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
