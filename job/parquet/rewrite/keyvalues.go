package rewrite

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"

	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// originalCreatedBy is the key under which the name of the application that wrote the input is kept.
const originalCreatedBy = "original.created_by"

// keyValues returns the key-value metadata: the file's own, byte for byte but for what patch changes, then those of the options. An
// own entry is left out if the options have its key: this package has written the file before. originalCreatedBy stays as it is
// then.
func (w *Writer) keyValues() (thrift.Field, bool) {
	var entries []byte
	n := 0
	superseded := func(key string) bool {
		return slices.ContainsFunc(w.opts.KeyValues, func(kv parquet.KeyValue) bool { return kv.Key == key })
	}
	if own, err := w.f.Metadata().List(parquet.FileKeyValues); err == nil {
		for i, raw := range own.Elements() {
			if superseded(w.f.KeyValues()[i].Key) {
				continue
			}
			entries = append(entries, w.patch(&w.f.KeyValues()[i], raw)...)
			n++
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

// patch returns the encoded form of an entry, which was raw, in a file that lost rows. The range that pandas uses as its index gets
// the new length. The bounding boxes of GeoParquet are removed, because they speak of all rows.
func (w *Writer) patch(kv *parquet.KeyValue, raw []byte) []byte {
	if kv.Value == nil || w.result.RowsKept == w.result.RowsIn {
		return raw
	}
	var value []byte
	switch kv.Key {
	case "pandas":
		value = patchPandas([]byte(*kv.Value), w.result.RowsKept)
	case "geo":
		value = patchGeo([]byte(*kv.Value))
	}
	if value == nil {
		return raw
	}
	s, _, err := thrift.Parse(raw)
	if err != nil {
		return raw
	}
	s.Set(thrift.BytesField(2, value))
	return s.Append(nil)
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
	var out []byte
	from := 0
	for _, m := range members(doc, 0) {
		if m.key != "columns" {
			continue
		}
		for _, column := range members(doc, m.lo) {
			fields := members(doc, column.lo)
			for i, f := range fields {
				if f.key != "bbox" {
					continue
				}
				lo, hi := f.start, f.hi
				if i+1 < len(fields) {
					hi = fields[i+1].start
				} else if i > 0 {
					lo = fields[i-1].hi
				}
				out = append(out, doc[from:max(lo, from)]...)
				from = hi
			}
		}
	}
	if from == 0 {
		return nil
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
			t, err := d.Token()
			if err != nil {
				return nil
			}
			key, ok := t.(string)
			if !ok {
				return nil
			}
			m.key = key
			end := at + int(d.InputOffset())
			// This finds the key's opening quote, unless the key has an escaped quote in it. No such key is looked for.
			m.start = bytes.LastIndexByte(doc[:end-1], '"')
		}
		var v json.RawMessage
		if d.Decode(&v) != nil {
			return nil
		}
		m.hi = at + int(d.InputOffset())
		m.lo = m.hi - len(v)
		all = append(all, m)
	}
	return all
}
