package rewrite

import (
	"sync"

	"assent/job/parquet"
	"assent/job/parquet/encoding"
)

// A form is the encoding and the version of a page. Only pages of one form can be merged.
type form struct {
	v2       bool
	encoding parquet.Encoding
}

// A draft is a page of the output before it is encoded: the kept slots of one or more pages of the input. Which of its fields holds
// the values follows from the encoding: plain for PLAIN and BYTE_STREAM_SPLIT, indices for dictionary-coded ones, ints and bytes for
// DELTA_*, bools for booleans.
type draft struct {
	form
	parquet.Levels
	rows, slots int
	size        int // raw bytes, estimated
	packed      int // the same, compressed
	count       int // values
	plain       []byte
	room        []byte // the memory in which plain lies, with what is before it; of no use if plain has moved since, see inplace.go
	bools       encoding.Bitmap
	indices     []int32 // of the input's dictionary
	ints        []int64
	bytes       encoding.Bytes
	bounds      parquet.Bounds
	uncounted   bool // count is not known

	// A page that lost no row (whole) is kept as it stands. Its slots may be there, too (decoded).
	whole   bool
	decoded bool
	h       parquet.PageHeader
	body    []byte
	first   int64 // its first row

	from mark // where in the input the draft begins
}

// maxPooled bounds the bytes of an object that is kept for reuse. Buffers of very large pages are left to the garbage collector.
const maxPooled = 4 << 20

// drafts holds drafts for reuse, with their memory, and textDrafts those with so much that only merged pages of long texts need it.
var (
	drafts     = sync.Pool{New: func() any { return new(draft) }}
	textDrafts = sync.Pool{New: func() any { return new(draft) }}
)

func (d *draft) reset() {
	d.form = form{}
	d.rows, d.slots, d.size, d.packed, d.count = 0, 0, 0, 0, 0
	d.Reps, d.Defs, d.plain, d.room = d.Reps[:0], d.Defs[:0], d.memoryOfPlain()[:0], nil
	d.indices, d.ints = d.indices[:0], d.ints[:0]
	d.Present.Reset()
	d.bools.Reset()
	d.bytes.Reset()
	d.bounds.Reset()
	d.uncounted, d.whole, d.decoded, d.first = false, false, false, 0
	d.body = d.body[:0]
}

// memory returns the bytes that the draft holds.
func (d *draft) memory() int64 {
	return int64(cap(d.Reps)+cap(d.Defs)+cap(d.plain)+4*cap(d.indices)+8*cap(d.ints)+cap(d.bytes.Data)+4*cap(d.bytes.Ends)+
		8*len(d.Present.Words())+8*len(d.bools.Words())+cap(d.body)) + 512
}

// forget lets go of the slots of a page that lost no row. It reports whether they were there.
func (d *draft) forget() bool {
	if !d.decoded {
		return false
	}
	d.Levels, d.indices, d.decoded = parquet.Levels{}, nil, false
	return true
}

// values returns the bytes of the draft's values. They may be far more than size, where a few of a page's values are very large.
func (d *draft) values() int { return len(d.plain) + len(d.bytes.Data) }

// A filter appends the kept slots of pages to drafts. It holds scratch memory for that.
type filter struct {
	col      *parquet.Column
	rows     encoding.Bitmap // kept rows of the page
	slots    encoding.Bitmap
	vals     encoding.Bitmap
	scratch  parquet.Values
	split    []byte // decoded BYTE_STREAM_SPLIT
	bits     encoding.Bitmap
	dict     *pruned
	mapper   Mapper          // nil: values stay as they are
	to       *parquet.Column // of mapped values
	carries  bool            // see parquet.Application.CarriesDelta
	last     []byte          // last value of the page before
	pageUsed []byte
}

// append appends the slots of p whose rows are kept to d. The bits lo up to lo+p.Rows of words say which of the rows that begin on
// the page are kept. If the page begins within a row, carry says whether that one is kept.
func (t *filter) append(d *draft, p *parquet.Page, words []uint64, lo int64, carry bool) error {
	t.rows.Reset()
	t.rows.AppendRange(words, int(lo), int(lo)+p.Rows)
	slots := &t.rows
	if t.col.MaxRep > 0 {
		t.slots.Reset()
		if len(p.Reps) > 0 && t.rows.Count() == p.Rows && (carry || p.Reps[0] == 0) {
			t.slots.AppendRun(true, len(p.Reps))
		} else if err := encoding.SlotsOfRows(&t.slots, p.Reps, &t.rows, carry); err != nil {
			return err
		}
		slots = &t.slots
		d.Reps = encoding.CompactLevels(d.Reps, p.Reps, slots)
	}
	kept := slots.Count()
	vals := slots
	switch {
	case t.col.MaxDef == 0:
	case t.col.MaxDef == 1 && p.All:
		d.Present.AppendRun(true, kept)
	case t.col.MaxDef == 1:
		encoding.CompactBits(&d.Present, &p.Present, slots)
	default:
		d.Defs = encoding.CompactLevels(d.Defs, p.Defs, slots)
	}
	if !p.All {
		t.vals.Reset()
		encoding.CompactBits(&t.vals, slots, &p.Present)
		vals = &t.vals
	}
	d.rows += t.rows.Count()
	d.slots += kept
	if n := p.Header.Values; n > 0 {
		d.size += int(int64(p.Header.RawSize) * int64(kept) / int64(n))
		d.packed += int(int64(p.Header.Size) * int64(kept) / int64(n))
	}
	count := vals.Count()
	d.count += count
	switch {
	case t.mapper != nil && d.encoding == parquet.Plain:
		return t.transform(d, p, vals)
	case t.mapper == nil && p.Header.Encoding != d.encoding:
		return t.transcode(d, p, vals)
	}
	return t.values(d, p, vals)
}

// values appends the values of p that vals keeps to d, which is of the same encoding.
func (t *filter) values(d *draft, p *parquet.Page, vals *encoding.Bitmap) error {
	var err error
	col := t.col
	switch enc := d.encoding; {
	case enc == parquet.RLEDictionary || enc == parquet.PlainDictionary:
		from := len(d.indices)
		if d.indices, err = encoding.FilterIndices(d.indices, p.Values, vals, t.dict.len()); err == nil {
			t.dict.note(&d.bounds, &t.pageUsed, d.indices[from:])
		}
	case col.Physical == parquet.Boolean && (enc == parquet.Plain || enc == parquet.RLE):
		t.bits.Reset()
		if err = parquet.DecodeBooleans(&t.bits, enc, p.Values, p.Count); err == nil {
			from := d.bools.Len()
			encoding.CompactBits(&d.bools, &t.bits, vals)
			t.noteBools(d, from)
		}
	case enc == parquet.Plain:
		from := len(d.plain)
		d.makeRoom(p, col, vals.Count())
		if d.plain, err = filterPlain(d.plain, p.Values, col, vals); err == nil {
			addPlain(&d.bounds, col, d.plain[from:])
		}
	case enc == parquet.ByteStreamSplit && col.Width() > 0 && col.Physical != parquet.Int96:
		from := len(d.plain)
		if t.split, err = encoding.DecodeSplit(t.split[:0], p.Values, col.Width(), p.Count); err == nil {
			dropLarge(p)
			if from == 0 { // in place
				d.plain, t.split = t.split, d.plain
				d.plain, err = encoding.FilterFixed(d.plain[:0], d.plain, col.Width(), vals)
			} else {
				d.plain, err = encoding.FilterFixed(d.plain, t.split, col.Width(), vals)
			}
		}
		if err == nil {
			d.bounds.AddFixed(col, d.plain[from:])
		}
	default:
		err = t.decoded(d, p, vals)
	}
	return err
}

func (t *filter) noteBools(d *draft, from int) {
	if from == 0 {
		d.bounds.AddBools(&d.bools)
		return
	}
	for i := from; i < d.bools.Len(); i++ {
		if d.bools.Get(i) {
			d.bounds.AddInt(1)
		} else {
			d.bounds.AddInt(0)
		}
	}
}

// decoded appends values of the encodings that must be decoded as a whole.
func (t *filter) decoded(d *draft, p *parquet.Page, vals *encoding.Bitmap) error {
	v := &t.scratch
	v.Ints = v.Ints[:0]
	v.Bytes.Reset()
	if err := v.Decode(t.col, d.encoding, p.Values, p.Count, t.last); err != nil {
		return err
	}
	if n := v.Bytes.Len(); t.carries && d.encoding == parquet.DeltaByteArray && n > 0 {
		t.last = append(t.last[:0], v.Bytes.At(n-1)...)
	}
	dropLarge(p)
	if t.col.Integer() {
		from := len(d.ints)
		d.ints = encoding.CompactInts(d.ints, v.Ints, vals)
		d.bounds.AddInts(t.col, d.ints[from:])
		return nil
	}
	from, all := d.bytes.Len(), &v.Bytes
	if from == 0 { // in place
		decoded := v.Bytes
		v.Bytes, all = d.bytes, &decoded
		d.bytes = encoding.Bytes{Data: decoded.Data[:0], Ends: decoded.Ends[:0]}
	}
	if err := encoding.CompactBytes(&d.bytes, all, vals); err != nil {
		return err
	}
	for i := from; i < d.bytes.Len(); i++ {
		d.bounds.Add(t.col, d.bytes.At(i))
	}
	return nil
}

// transform appends what becomes of the values of p that vals keeps to d, which is PLAIN.
func (t *filter) transform(d *draft, p *parquet.Page, vals *encoding.Bitmap) error {
	part := draft{form: form{encoding: p.Header.Encoding}}
	if err := t.values(&part, p, vals); err != nil {
		return err
	}
	if p.Header.DictCoded() {
		t.dict.appendPlain(&part) // entries of the input: the dictionary was settled without this page
	} else {
		part.toPlain(t.col, nil)
	}
	from := len(d.plain)
	var err error
	d.plain, err = mapPlain(t.mapper, t.col, t.to, d.plain, part.plain)
	d.size += len(d.plain) - from - len(part.plain)
	return err
}

// transcode appends the values of p that vals keeps to d as PLAIN. It is used where a row goes on in a page of another encoding (see
// draft.toPlain).
func (t *filter) transcode(d *draft, p *parquet.Page, vals *encoding.Bitmap) error {
	part := draft{form: form{encoding: p.Header.Encoding}}
	if err := t.values(&part, p, vals); err != nil {
		return err
	}
	part.toPlain(t.col, t.dict)
	d.plain = append(d.plain, part.plain...)
	for i := range part.bools.Len() {
		d.bools.AppendRun(part.bools.Get(i), 1)
	}
	d.bounds.Merge(t.col, &part.bounds)
	return nil
}

// toPlain turns the draft's values into PLAIN ones.
func (d *draft) toPlain(col *parquet.Column, dict *pruned) {
	switch enc := d.encoding; {
	case enc == parquet.Plain, col.Physical == parquet.Boolean && enc == parquet.RLE, enc == parquet.ByteStreamSplit:
	case enc == parquet.RLEDictionary || enc == parquet.PlainDictionary:
		if dict.mapped != nil {
			dict.mapped.appendPlain(d, dict.table)
		} else {
			dict.appendPlain(d)
		}
		d.indices = d.indices[:0]
	case col.Integer():
		for _, v := range d.ints {
			d.plain = append(d.plain, parquet.PlainBytes(uint64(v), col.Width())...)
		}
		d.ints = d.ints[:0]
	case col.Physical == parquet.ByteArray:
		d.plain = encoding.AppendByteArrays(d.plain, &d.bytes)
		d.bytes.Reset()
	default:
		d.plain = append(d.plain, d.bytes.Data...)
		d.bytes.Reset()
	}
	d.encoding = parquet.Plain
}
