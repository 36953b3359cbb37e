package access

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// largeText is the size in bytes from which on a text is written part by part: JSON of all of it may take several times its size.
const largeText = 1 << 20

// writeJSON writes records as lines of JSON, the columns in the order of their names.
func writeJSON(w io.Writer, r arrow.Record) error {
	from := int64(0)
	rows := func(until int64) error {
		rows := r.NewSlice(from, until)
		defer rows.Release()
		return array.RecordToJSON(rows, w)
	}
	for row := range r.NumRows() {
		if !slices.ContainsFunc(r.Columns(), func(c arrow.Array) bool { return textAt(c, int(row)) > largeText }) {
			continue
		}
		if err := rows(row); err != nil {
			return err
		}
		if err := writeLargeRow(w, r, int(row)); err != nil {
			return err
		}
		from = row + 1
	}
	return rows(r.NumRows())
}

// textAt returns the length of a text; 0 where the column has others.
func textAt(c arrow.Array, row int) int {
	if c, ok := c.(*array.String); ok && c.IsValid(row) {
		return c.ValueLen(row)
	}
	return 0
}

// writeLargeRow writes a row as [array.RecordToJSON] does.
func writeLargeRow(w io.Writer, r arrow.Record, row int) error {
	columns := map[string]arrow.Array{}
	for i, c := range r.Columns() {
		columns[r.ColumnName(i)] = c
	}
	before := "{"
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		c := columns[name]
		key, err := json.Marshal(name)
		if err == nil {
			_, err = io.WriteString(w, before+string(key)+":")
		}
		if err == nil && textAt(c, row) > largeText {
			err = writeText(w, c.(*array.String).Value(row))
		} else if err == nil {
			var value []byte
			if value, err = json.Marshal(c.GetOneForMarshal(row)); err == nil {
				_, err = w.Write(value)
			}
		}
		if err != nil {
			return err
		}
		before = ","
	}
	_, err := io.WriteString(w, "}\n")
	return err
}

// writeText writes a text as a string of JSON.
func writeText(w io.Writer, text string) error {
	_, err := io.WriteString(w, `"`)
	for len(text) > 0 && err == nil {
		n := min(len(text), largeText)
		for back := 0; n < len(text) && back < utf8.UTFMax; back++ { // between two characters, where it has characters
			if utf8.RuneStart(text[n-back]) {
				n -= back
				break
			}
		}
		var part []byte
		if part, err = json.Marshal(text[:n]); err == nil {
			_, err = w.Write(part[1 : len(part)-1])
		}
		text = text[n:]
	}
	if err == nil {
		_, err = io.WriteString(w, `"`)
	}
	return err
}
