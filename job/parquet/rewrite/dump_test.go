package rewrite

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/cespare/xxhash/v2"

	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
)

// dump returns the rows of a file, each a rendering of all levels and values, read with this package's own decoders: for the
// files that the second implementation cannot read, and for what it does not show.
func dump(t testing.TB, data []byte) ([]string, error) {
	t.Helper()
	f, err := Open(t.Context(), bytes.NewReader(data), int64(len(data)), "dump.parquet")
	if err != nil {
		return nil, err
	}
	var all []string
	for g := range f.NumRowGroups() {
		chunks, err := f.chunks(g)
		if err != nil {
			return nil, err
		}
		rows := make([]string, f.RowGroupRows(g))
		for c := range chunks {
			if err := dumpChunk(f, &chunks[c], rows); err != nil {
				return nil, f.located(err, g, c, -1)
			}
		}
		all = append(all, rows...)
	}
	return all, nil
}

func dumpChunk(f *File, c *chunk, rows []string) error {
	var dec codec.Codec
	var dict *Dictionary
	var last []byte
	col := &f.Columns()[c.column]
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
		body, err := w.body()
		if err != nil {
			return err
		}
		if w.h.kind == pageDictionary {
			plain, err := loadDictionary(&dec, c.codec, &w.h, body)
			if err != nil {
				return err
			}
			if dict, err = parseDictionary(col, plain, w.h.values); err != nil {
				return err
			}
		}
		if !w.h.data() {
			continue
		}
		var p dataPage
		if err := p.load(&dec, col, c.codec, &w.h, body); err != nil {
			return err
		}
		vals, err := renderValues(f, col, &p, dict, &last)
		if err != nil {
			return err
		}
		for i := range w.h.values {
			rep, def := 0, col.MaxDef
			if col.MaxRep > 0 {
				rep = int(p.reps[i])
			}
			if len(p.defs) > 0 {
				def = int(p.defs[i])
			} else if col.MaxDef == 1 && !p.present.Get(i) {
				def = 0
			}
			if rep == 0 {
				row++
			}
			v := ""
			if def == col.MaxDef {
				v, vals = vals[0], vals[1:]
			}
			if row < 0 || row >= len(rows) {
				return corruptf("row %d", row)
			}
			rows[row] += fmt.Sprintf("%d:%d/%d=%s;", c.column, rep, def, v)
		}
	}
	if row+1 != len(rows) {
		return corruptf("%d rows for %d", row+1, len(rows))
	}
	return nil
}

func renderValues(f *File, col *Column, p *dataPage, dict *Dictionary, last *[]byte) ([]string, error) {
	var out []string
	if p.h.dictCoded() {
		n := 0
		if dict != nil {
			n = dict.Len()
		}
		index, err := encoding.DecodeIndices(nil, p.values, p.count, n)
		for _, i := range index {
			if col.integer() {
				out = append(out, fmt.Sprint(dict.Int(int(i))))
			} else {
				out = append(out, render(dict.Bytes(int(i))))
			}
		}
		return out, err
	}
	var v values
	if !f.Application().carriesDelta() {
		*last = nil
	}
	if err := v.decode(col, p.h.encoding, p.values, p.count, *last); err != nil {
		return nil, err
	}
	for _, i := range v.ints {
		out = append(out, fmt.Sprint(i))
	}
	for i := range v.bytes.Len() {
		out = append(out, render(v.bytes.At(i)))
		if p.h.encoding == encDeltaBytes {
			*last = append((*last)[:0], v.bytes.At(i)...)
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
