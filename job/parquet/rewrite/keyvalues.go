package rewrite

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/big"
	"slices"

	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// originalCreatedBy is the key under which the name of the application that wrote the input is kept.
const originalCreatedBy = "original.created_by"

// keyValues returns the key-value metadata: the file's own as far as the metadataRule keeps it, then those of the options. An own
// entry is left out if the options have its key: this package has written the file before. originalCreatedBy stays as it is then.
func (w *Writer) keyValues() (thrift.Field, bool) {
	var entries []byte
	n := 0
	superseded := func(key string) bool {
		return slices.ContainsFunc(w.opts.KeyValues, func(kv parquet.KeyValue) bool { return kv.Key == key })
	}
	rule := metadataRule{keep: w.opts.KeepMetadata, lost: w.result.RowsKept < w.result.RowsIn, rows: w.result.RowsKept}
	if w.changes() {
		rule.layout = w.layout
	}
	if own, err := w.f.Metadata().List(parquet.FileKeyValues); err == nil {
		for i, raw := range own.Elements() {
			kv := &w.f.KeyValues()[i]
			if superseded(kv.Key) {
				continue
			}
			if raw, keep := rule.entry(kv, raw); keep {
				entries = append(entries, raw...)
				n++
			}
		}
	}
	add, by := w.opts.KeyValues, w.f.CreatedBy()
	if _, known := w.f.KeyValue(originalCreatedBy); by != "" && w.opts.CreatedBy != "" && !known {
		add = append(add[:len(add):len(add)], parquet.KeyValue{Key: originalCreatedBy, Value: &by})
	}
	for _, kv := range add {
		s := thrift.Struct{thrift.BytesField(1, []byte(kv.Key))}
		if kv.Value != nil {
			s = append(s, thrift.BytesField(2, []byte(*kv.Value)))
		}
		entries = s.Append(entries)
		n++
	}
	return thrift.ListField(parquet.FileKeyValues, thrift.StrucT, n, entries), n > 0
}

// entry returns an entry, whose encoded form is raw, as it is published; keep is false if it is not.
func (r *metadataRule) entry(kv *parquet.KeyValue, raw []byte) (_ []byte, keep bool) {
	if kv.Value == nil {
		return raw, r.known(kv.Key)
	}
	value, keep := r.value(kv.Key, []byte(*kv.Value))
	if !keep || string(value) == *kv.Value {
		return raw, keep
	}
	s, _, err := thrift.Parse(raw)
	if err != nil {
		return nil, false
	}
	s.Set(thrift.BytesField(2, value))
	return s.Append(nil), true
}

// patchPandas sets "stop" in the index_columns of kind "range" so that they have the given number of rows; nil if there is
// nothing to change.
func patchPandas(doc []byte, rows int64) []byte {
	var out []byte
	from := 0
	for _, m := range members(doc, 0) {
		if m.key != "index_columns" {
			continue
		}
		for _, e := range elements(doc, m.lo) {
			var index struct {
				Kind  string
				Start int64
				Step  int64
			}
			if json.Unmarshal(doc[e.lo:e.hi], &index) != nil || index.Kind != "range" {
				continue
			}
			stop := new(big.Int).Mul(big.NewInt(rows), big.NewInt(index.Step))
			stop.Add(stop, big.NewInt(index.Start))
			for _, f := range members(doc, e.lo) {
				if f.key == "stop" {
					out = append(append(out, doc[from:f.lo]...), stop.String()...)
					from = f.hi
				}
			}
		}
	}
	if from == 0 {
		return nil
	}
	return append(out, doc[from:]...)
}

// patchGeo removes "bbox" from each of the "columns"; nil if there is none.
func patchGeo(doc []byte) []byte {
	var cuts []span
	for _, m := range members(doc, 0) {
		if m.key != "columns" {
			continue
		}
		for _, column := range members(doc, m.lo) {
			all := members(doc, column.lo)
			cuts = appendCuts(cuts, all, func(i int) bool { return all[i].key != "bbox" })
		}
	}
	if cuts == nil {
		return nil
	}
	return cut(doc, cuts)
}

// A span is a range of a document.
type span struct{ lo, hi int }

// appendCuts appends the ranges to cut so that an object, or an array, is left with the members that keep holds for, and its commas.
func appendCuts(cuts []span, all []member, keep func(i int) bool) []span {
	for lo := 0; lo < len(all); lo++ {
		if keep(lo) {
			continue
		}
		hi := lo + 1
		for hi < len(all) && !keep(hi) {
			hi++
		}
		switch {
		case hi < len(all):
			cuts = append(cuts, span{all[lo].start, all[hi].start})
		case lo > 0:
			cuts = append(cuts, span{all[lo-1].hi, all[hi-1].hi})
		default:
			cuts = append(cuts, span{all[lo].start, all[hi-1].hi})
		}
		lo = hi
	}
	return cuts
}

// cut returns doc without some ranges, which do not overlap. It is doc itself if there are none.
func cut(doc []byte, spans []span) []byte {
	var edits []edit
	for _, s := range spans {
		edits = append(edits, edit{s, ""})
	}
	return edited(doc, edits)
}

// An edit puts a text in the place of a range.
type edit struct {
	span
	text string
}

// edited returns doc after some edits, whose ranges do not overlap. It is doc itself if there are none.
func edited(doc []byte, edits []edit) []byte {
	if len(edits) == 0 {
		return doc
	}
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(a.lo, b.lo) })
	var out []byte
	from := 0
	for _, e := range edits {
		out = append(append(out, doc[from:e.lo]...), e.text...)
		from = e.hi
	}
	return append(out, doc[from:]...)
}

// A member is a member of a JSON object, or an element of an array (without key): its value is doc[lo:hi], its key begins at
// start.
type member struct {
	key           string
	start, lo, hi int
}

// members returns the members of the object at doc[at:], none where there is no object.
func members(doc []byte, at int) []member { return parts(doc, at, '{') }

// elements returns the elements of the array at doc[at:].
func elements(doc []byte, at int) []member { return parts(doc, at, '[') }

func parts(doc []byte, at int, open json.Delim) []member {
	d := json.NewDecoder(bytes.NewReader(doc[at:]))
	if t, err := d.Token(); err != nil || t != open {
		return nil
	}
	var all []member
	for d.More() {
		var m member
		if open == '{' {
			before := at + int(d.InputOffset())
			t, err := d.Token()
			if err != nil {
				return nil
			}
			key, ok := t.(string)
			if !ok {
				return nil
			}
			m.key = key
			m.start = before + bytes.IndexByte(doc[before:], '"') // nothing but spaces and a comma stand before it
		}
		var v json.RawMessage
		if d.Decode(&v) != nil {
			return nil
		}
		m.hi = at + int(d.InputOffset())
		m.lo = m.hi - len(v)
		if open == '[' {
			m.start = m.lo
		}
		all = append(all, m)
	}
	return all
}
