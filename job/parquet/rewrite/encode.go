package rewrite

import (
	"math/bits"
	"slices"
	"sync"

	"assent/job/parquet"
	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
)

// A worker holds encoders and decoders, which are large, and scratch memory. It is taken from a pool while a goroutine computes, so
// that there are about as many as processors.
type worker struct {
	codec   codec.Codec
	numbers codec.Codec // of dictionaries of numbers
	raw     []byte
}

// Dictionaries of numbers become smaller by zstd's quickest level than by the one above: what matches these have is by chance, and an
// entropy code of the bytes says as much.
var workers = sync.Pool{New: func() any { return &worker{numbers: codec.Codec{Fast: true}} }}

// withWorker calls do with a worker from the pool.
func withWorker(do func(*worker) error) error {
	w := workers.Get().(*worker)
	err := do(w)
	if cap(w.raw) > maxPooled {
		w.raw = nil
	}
	workers.Put(w)
	return err
}

// encode encodes the draft as a page. Its indices must be those of the output's dictionary, which has dictLen entries.
func (w *worker) encode(e *parquet.EncodedPage, d *draft, col *parquet.Column, id codec.ID, dictLen int) error {
	h := parquet.PageHeader{Kind: parquet.DataPage, Values: d.slots, Encoding: d.encoding, RepEncoding: parquet.RLE, DefEncoding: parquet.RLE}
	raw := w.raw[:0]
	if d.v2 {
		h.Kind, h.Rows, h.Nulls = parquet.DataPageV2, d.rows, d.slots-d.count
		raw = d.AppendReps(raw, col)
		h.RepLen = len(raw)
		raw = d.AppendDefs(raw, col)
		h.DefLen = len(raw) - h.RepLen
	} else {
		raw = d.AppendV1(raw, col)
	}
	w.raw = raw
	levels, values := raw[:h.RepLen+h.DefLen], []byte(nil)
	if in, ok := d.inPlace(raw[len(levels):]); ok {
		values = in
	} else {
		raw = d.appendValues(raw, col, dictLen)
		w.raw = raw
		levels, values = raw[:len(levels)], raw[len(levels):]
		d.dropLarge() // not needed while raw is compressed
	}
	body := d.packed // about as much smaller as the input was
	if d.size > 0 {
		body = int(min(int64(len(values))*int64(d.packed)/int64(d.size), int64(len(values))))
	}
	body = min(body+body/8, len(values)+len(values)/256) + 512
	e.Body = roomFor(e.Body[:0], len(levels)+max(body, id.Room(len(values))))
	err := e.EncodeParts(&w.codec, id, &h, levels, values)
	d.dropLarge() // not needed while the page waits for its turn
	return err
}

// appendValues appends the encoded values section.
func (d *draft) appendValues(b []byte, col *parquet.Column, dictLen int) []byte {
	switch d.encoding {
	case parquet.RLEDictionary, parquet.PlainDictionary:
		n := len(d.indices)*bits.Len(uint(dictLen))/8 + len(d.indices)/256 + 64 // about the most that they take
		return encoding.AppendIndices(slices.Grow(b, n), d.indices, dictLen)
	case parquet.RLE:
		return parquet.AppendPrefixed(b, func(b []byte) []byte { return encoding.AppendLevelBits(b, &d.bools) })
	case parquet.DeltaBinaryPacked:
		return encoding.AppendDelta(b, d.ints, 8*col.Width())
	case parquet.DeltaLengthByteArray:
		return encoding.AppendDeltaLengths(b, &d.bytes)
	case parquet.DeltaByteArray:
		return encoding.AppendDeltaStrings(b, &d.bytes)
	case parquet.ByteStreamSplit:
		return encoding.AppendSplit(b, d.plain, col.Width())
	}
	if col.Physical == parquet.Boolean {
		return encoding.AppendBools(b, &d.bools)
	}
	return append(slices.Grow(b, len(d.plain)), d.plain...)
}
