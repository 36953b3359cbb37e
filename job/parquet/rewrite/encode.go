package rewrite

import (
	"encoding/binary"
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

// An encodedPage is a page as it will stand in the file.
type encodedPage struct {
	head, body []byte
	rawSize    int // of the body
}

// encode encodes the draft, whose indices are those of the output's dictionary of dictLen entries.
func (e *encodedPage) encode(w *worker, d *draft, col *Column, id codec.ID, dictLen int) (err error) {
	out := headerOut{kind: pageData, values: d.slots, encoding: d.encoding, repEncoding: encRLE, defEncoding: encRLE}
	raw := w.raw[:0]
	if d.v2 {
		out.kind, out.rows, out.nulls = pageDataV2, d.rows, d.slots-d.count
		raw = appendReps(raw, d, col)
		out.repLen = len(raw)
		raw = appendDefs(raw, d, col)
		out.defLen = len(raw) - out.repLen
	} else {
		if col.MaxRep > 0 {
			raw = prefixed(raw, func(b []byte) []byte { return appendReps(b, d, col) })
		}
		if col.MaxDef > 0 {
			raw = prefixed(raw, func(b []byte) []byte { return appendDefs(b, d, col) })
		}
	}
	levels := out.repLen + out.defLen
	raw = d.appendValues(raw, col, dictLen)
	w.raw = raw
	out.rawSize = len(raw)
	e.body = append(slices.Grow(e.body[:0], d.packed+d.packed/8+512), raw[:levels]...)
	if d.v2 && len(raw) == levels {
		out.uncompressed = true
	} else if e.body, err = w.codec.Compress(e.body, id, raw[levels:]); err != nil {
		return err
	}
	return e.finish(&out)
}

// finish makes the header of the page in e.body.
func (e *encodedPage) finish(out *headerOut) error {
	if out.rawSize > maxPageBytes || len(e.body) > maxPageBytes {
		return unsupportedf("a page of %d bytes", max(out.rawSize, len(e.body)))
	}
	e.rawSize = out.rawSize
	out.size, out.crc = len(e.body), checksum(e.body)
	e.head = out.append(e.head[:0])
	return nil
}

func appendReps(b []byte, d *draft, col *Column) []byte {
	if col.MaxRep == 0 {
		return b
	}
	return encoding.AppendLevels(b, d.reps, uint8(col.MaxRep))
}

func appendDefs(b []byte, d *draft, col *Column) []byte {
	switch {
	case col.MaxDef == 0:
		return b
	case col.MaxDef == 1:
		return encoding.AppendLevelBits(b, &d.present)
	}
	return encoding.AppendLevels(b, d.defs, uint8(col.MaxDef))
}

// prefixed appends what fill appends, after its length in 4 bytes.
func prefixed(b []byte, fill func([]byte) []byte) []byte {
	at := len(b)
	b = fill(append(b, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
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
