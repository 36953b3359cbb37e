package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// fitted reports whether an entry of the metadata that stays was made to fit columns that are left out or changed, and no more: it is
// gone, if it may name them; or parts are gone from it, and others say that a column is text.
func (c *comparison) fitted(in keyValue, there bool, left []keyValue) bool {
	if !there {
		return c.namesChanged(in)
	}
	out := left[0]
	if in.key == "ARROW:schema" {
		was, err1 := base64.StdEncoding.DecodeString(in.value)
		is, err2 := base64.StdEncoding.DecodeString(out.value)
		return err1 == nil && err2 == nil && len(was) == len(is) && fittedPandas(is, was) && reducedArrow(is, was)
	}
	var x, y any
	if json.Unmarshal([]byte(in.value), &x) != nil || json.Unmarshal([]byte(out.value), &y) != nil {
		return false
	}
	if doc, ok := x.(map[string]any); ok && in.key == "pandas" && c.in.total != c.in.rows() {
		c.shortenRange(doc)
	}
	return fits(y, x)
}

// fittedPandas reports whether each document of pandas in an Arrow schema is gone, or has become one that fits, with blanks behind it
// up to where it ended. Those that have are copied back, so that the rest can be compared.
func fittedPandas(is, was []byte) bool {
	for _, at := range pandasIn(was) {
		part := is[at[0]:at[1]]
		if len(bytes.Trim(part, "\x00")) == 0 {
			continue
		}
		var x, y map[string]any
		if json.Unmarshal(was[at[0]:at[1]], &x) != nil || json.Unmarshal(part, &y) != nil || !fits(y, x) {
			return false
		}
		for _, needed := range []string{"index_columns", "columns", "pandas_version"} {
			if x[needed] != nil && y[needed] == nil {
				return false
			}
		}
		copy(part, was[at[0]:at[1]])
	}
	return true
}

// pandasIn returns where the documents of pandas begin and end in an Arrow schema: a string is its length, its bytes and a zero.
func pandasIn(data []byte) (all [][2]int) {
	for at := 4; at < len(data); at++ {
		if data[at] != '{' {
			continue
		}
		n := int64(binary.LittleEndian.Uint32(data[at-4:]))
		if n >= int64(len(data)-at) || data[at+int(n)] != 0 {
			continue
		}
		if doc := data[at : at+int(n)]; bytes.Contains(doc, []byte(`"index_columns"`)) && json.Valid(doc) {
			all = append(all, [2]int{at, at + int(n)})
			at += int(n)
		}
	}
	return all
}

// fits reports whether a JSON value is another one without some members and elements, and with texts that say of a column that it is
// text.
func fits(part, whole any) bool {
	switch p := part.(type) {
	case map[string]any:
		if hf := map[string]any{"dtype": "string", "_type": "Value"}; reflect.DeepEqual(p, hf) {
			return true // Hugging Face's word for text
		}
		w, ok := whole.(map[string]any)
		for k, v := range p {
			of, there := w[k]
			ok = ok && there && fits(v, of)
		}
		return ok
	case []any:
		w, ok := whole.([]any)
		at := 0
		for _, v := range p {
			for ok && at < len(w) && !fits(v, w[at]) {
				at++
			}
			ok = ok && at < len(w)
			at++
		}
		return ok
	case nil:
		return true // pandas' metadata of a column that has none
	case string:
		return reflect.DeepEqual(part, whole) || slices.Contains([]string{"string", "unicode", "list[unicode]", "object"}, p)
	}
	return reflect.DeepEqual(part, whole)
}

// namesChanged reports whether an entry has the name of a column that is left out or changed, or is a schema as a whole.
func (c *comparison) namesChanged(kv keyValue) bool {
	switch kv.key {
	case "ARROW:schema", "org.apache.spark.sql.parquet.row.metadata", "iceberg.schema", "parquet.avro.schema", "avro.schema":
		return c.handed.edited
	}
	for i := range c.handed.columns {
		if x := &c.handed.columns[i]; x.action != "" {
			for _, name := range strings.Split(x.leaf.path, ".") {
				if strings.Contains(kv.value, name) {
					return true
				}
			}
		}
	}
	return false
}

// namesLeftOut reports whether an entry names a column that is left out.
func (c *comparison) namesLeftOut(kv keyValue) bool {
	names := c.handed.leftOutNames()
	if len(names) == 0 {
		return false
	}
	if kv.key == "ARROW:schema" { // a name is a string of the flatbuffer: its length, its bytes, a zero
		data, err := base64.StdEncoding.DecodeString(kv.value)
		for _, at := range pandasIn(data) {
			var doc any
			if json.Unmarshal(data[at[0]:at[1]], &doc) == nil && tells(doc, "", names) {
				return true
			}
		}
		return err == nil && slices.ContainsFunc(names, func(name string) bool {
			text := append(binary.LittleEndian.AppendUint32(nil, uint32(len(name))), name...)
			return strings.Contains(string(data), string(append(text, 0)))
		})
	}
	var doc any
	switch err := json.Unmarshal([]byte(kv.value), &doc); {
	case slices.Contains([]string{sourceKey, runKey, creatorKey}, kv.key):
		return false
	case err == nil && tells(doc, "", names):
		return true
	case slices.Contains([]string{"pandas", "geo", "org.apache.spark.sql.parquet.row.metadata"}, kv.key):
		return false // their other words are of the document
	}
	words := strings.FieldsFunc(kv.value, func(r rune) bool { return r != '_' && r < 0x80 && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(names, w) })
}

// tells reports whether a JSON document has one of some names where documents that are known have names of columns.
func tells(doc any, key string, names []string) bool {
	switch d := doc.(type) {
	case map[string]any:
		for k, v := range d {
			if (key == "features" || key == "columns") && slices.Contains(names, k) || tells(v, k, names) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(d, func(v any) bool { return tells(v, key, names) })
	case string:
		return slices.Contains([]string{"name", "field_name", "index_columns", "primary_column"}, key) && slices.Contains(names, d)
	}
	return false
}
