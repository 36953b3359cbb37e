package rewrite

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/cespare/xxhash/v2"

	"assent/job/parquet"
	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
)

// dump returns the rows of a file, each a rendering of all levels and values, read with this package's own decoders: for the
// files that the second implementation cannot read, and for what it does not show.
func dump(t testing.TB, data []byte) ([]string, error) {
	t.Helper()
	return dumpChanged(t, data, func(leaf int, v string) (string, bool) { return v, true })
}

// dumpChanged is dump of changed values: without the leaves for which change returns false, and with what it returns for a value.
func dumpChanged(t testing.TB, data []byte, change func(leaf int, v string) (string, bool)) ([]string, error) {
	t.Helper()
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "dump.parquet")
	if err != nil {
		return nil, err
	}
	var all []string
	for g := range f.NumRowGroups() {
		chunks, err := f.Chunks(g)
		if err != nil {
			return nil, err
		}
		rows := make([]string, f.RowGroupRows(g))
		place := 0
		for c := range chunks {
			if _, there := change(c, ""); !there {
				continue
			}
			if err := dumpChunk(f, &chunks[c], len(rows), func(row, rep, def int, v string) {
				if v != "" {
					v, _ = change(c, v)
				}
				rows[row] += fmt.Sprintf("%d:%d/%d=%s;", place, rep, def, v)
			}); err != nil {
				return nil, f.Fault(err, g, c, -1)
			}
			place++
		}
		all = append(all, rows...)
	}
	return all, nil
}

// dumpChunk calls slot for each slot, with the rendering of its value, "" for none.
func dumpChunk(f *parquet.File, c *parquet.Chunk, rows int, slot func(row, rep, def int, v string)) error {
	var dec codec.Codec
	var dict *parquet.Dictionary
	var last []byte
	col := &f.Columns()[c.Column]
	w := newWalk(f, nil, c)
	defer w.close()
	row := -1
	for {
		err := w.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		body, err := w.Body()
		if err != nil {
			return err
		}
		if w.Header.Kind == parquet.DictionaryPage {
			plain, err := parquet.LoadDictionary(&dec, c.Codec, &w.Header, body)
			if err != nil {
				return err
			}
			if dict, err = parquet.ParseDictionary(col, plain, w.Header.Values); err != nil {
				return err
			}
		}
		if !w.Header.IsData() {
			continue
		}
		var p parquet.Page
		if err := p.Load(&dec, col, c.Codec, &w.Header, body); err != nil {
			return err
		}
		vals, err := renderValues(f, col, &p, dict, &last)
		if err != nil {
			return err
		}
		for i := range w.Header.Values {
			rep, def := 0, col.MaxDef
			if col.MaxRep > 0 {
				rep = int(p.Reps[i])
			}
			if len(p.Defs) > 0 {
				def = int(p.Defs[i])
			} else if col.MaxDef == 1 && !p.Present.Get(i) {
				def = 0
			}
			if rep == 0 {
				row++
			}
			v := ""
			if def == col.MaxDef {
				v, vals = vals[0], vals[1:]
			}
			if row < 0 || row >= rows {
				return parquet.Corruptf("row %d", row)
			}
			slot(row, rep, def, v)
		}
	}
	if row+1 != rows {
		return parquet.Corruptf("%d rows for %d", row+1, rows)
	}
	return nil
}

func renderValues(f *parquet.File, col *parquet.Column, p *parquet.Page, dict *parquet.Dictionary, last *[]byte) ([]string, error) {
	var out []string
	if p.Header.DictCoded() {
		n := 0
		if dict != nil {
			n = dict.Len()
		}
		index, err := encoding.DecodeIndices(nil, p.Values, p.Count, n)
		for _, i := range index {
			if col.Integer() {
				out = append(out, fmt.Sprint(dict.Int(int(i))))
			} else {
				out = append(out, render(dict.Bytes(int(i))))
			}
		}
		return out, err
	}
	var v parquet.Values
	if !f.Application().CarriesDelta() {
		*last = nil
	}
	if err := v.Decode(col, p.Header.Encoding, p.Values, p.Count, *last); err != nil {
		return nil, err
	}
	for _, i := range v.Ints {
		out = append(out, fmt.Sprint(i))
	}
	for i := range v.Bytes.Len() {
		out = append(out, render(v.Bytes.At(i)))
		if p.Header.Encoding == parquet.DeltaByteArray {
			*last = append((*last)[:0], v.Bytes.At(i)...)
		}
	}
	return out, nil
}

func render(v []byte) string {
	if len(v) > 1000 {
		return fmt.Sprintf("%d bytes, %x", len(v), xxhash.Sum64(v))
	}
	return fmt.Sprintf("%q", v)
}
