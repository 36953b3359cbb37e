package rewrite

import (
	"slices"
	"sync"

	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
)

// A worker holds what computing needs for a moment: encoders and decoders, which are large, and scratch. It comes from a pool,
// so that there are about as many as processors.
type worker struct {
	codec codec.Codec
	raw   []byte
}

var workers = sync.Pool{New: func() any { return new(worker) }}

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

// encode encodes the draft, whose indices are those of the output's dictionary of dictLen entries.
func (w *worker) encode(e *encodedPage, d *draft, col *Column, id codec.ID, dictLen int) error {
	h := pageHeader{kind: pageData, values: d.slots, encoding: d.encoding, repEncoding: encRLE, defEncoding: encRLE}
	raw := w.raw[:0]
	if d.v2 {
		h.kind, h.rows, h.nulls = pageDataV2, d.rows, d.slots-d.count
		raw = d.appendReps(raw, col)
		h.repLen = len(raw)
		raw = d.appendDefs(raw, col)
		h.defLen = len(raw) - h.repLen
	} else {
		raw = d.appendV1(raw, col)
	}
	raw = d.appendValues(raw, col, dictLen)
	w.raw = raw
	e.body = slices.Grow(e.body[:0], d.packed+d.packed/8+512)
	return e.encode(&w.codec, id, &h, raw)
}

// appendValues appends the encoded values section.
func (d *draft) appendValues(b []byte, col *Column, dictLen int) []byte {
	switch d.encoding {
	case encRLEDictionary, encPlainDictionary:
		return encoding.AppendIndices(b, d.indices, dictLen)
	case encRLE:
		return prefixed(b, func(b []byte) []byte { return encoding.AppendLevelBits(b, &d.bools) })
	case encDeltaBinary:
		return encoding.AppendDelta(b, d.ints, 8*col.width())
	case encDeltaLength:
		return encoding.AppendDeltaLengths(b, &d.bytes)
	case encDeltaBytes:
		return encoding.AppendDeltaStrings(b, &d.bytes)
	case encSplit:
		return encoding.AppendSplit(b, d.plain, col.width())
	}
	if col.Physical == Boolean {
		return encoding.AppendBools(b, &d.bools)
	}
	return append(slices.Grow(b, len(d.plain)), d.plain...)
}
