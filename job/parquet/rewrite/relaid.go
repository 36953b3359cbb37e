package rewrite

import (
	"encoding/json"
	"slices"
	"strings"

	"assent/job/parquet"
)

// What the file's key-value metadata says of columns must fit the output: of dropped columns nothing is left, and columns that
// become text are text there, too. The documents that readers take the schema from are edited; of all others an entry that names a
// column that is dropped or changed is left out.

// relaid returns the value of an entry as it fits the layout; ok is false if the entry is left out.
func (r *metadataRule) relaid(key string, value []byte) (_ []byte, ok bool) {
	switch key {
	case "ARROW:schema":
		if !r.layout.edited {
			return value, true
		}
		return relayArrowSchema(value, r)
	case "pandas":
		if value, ok = cutUnlisted(value, pandasShape()); ok {
			value = relayPandas(value, r.layout)
		}
		return value, ok
	case "org.apache.spark.sql.parquet.row.metadata":
		if value, ok = cutUnlisted(value, sparkShape()); ok {
			value, ok = relaySpark(value, r.layout)
		}
		return value, ok
	case "huggingface":
		value, ok = relayHuggingFace(value, r.layout)
	case "iceberg.schema", "parquet.avro.schema", "avro.schema":
		return value, !r.layout.edited
	case "geo":
		return value, !r.layout.namesTop(value)
	default:
		ok = true
	}
	return value, ok && !r.layout.namesDropped(value)
}

// state is what becomes of a child of the root.
type fieldState int

const (
	fieldStays   fieldState = iota
	fieldDropped            // all of its leaves are dropped
	fieldText               // a leaf that becomes text
	fieldPartly             // some of its leaves are dropped, or become text
)

func (l *layout) state(f topField) fieldState {
	dropped, text := 0, 0
	for leaf := f.lo; leaf < f.hi; leaf++ {
		switch {
		case l.columns[leaf] == nil:
			dropped++
		case l.text[leaf]:
			text++
		}
	}
	switch n := f.hi - f.lo; {
	case dropped == n && n > 0:
		return fieldDropped
	case text == 1 && n == 1:
		return fieldText
	case dropped+text > 0:
		return fieldPartly
	}
	return fieldStays
}

// stateOf returns the state of the child of the root with a name; one that is not there stays.
func (l *layout) stateOf(name string) fieldState {
	for _, f := range l.names {
		if f.name == name {
			return l.state(f)
		}
	}
	return fieldStays
}

// droppedNames are the names in paths of dropped columns that no other column has.
func (l *layout) droppedNames() []string {
	var names []string
	for leaf, c := range l.columns {
		if c == nil {
			names = append(names, l.paths[leaf]...)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return slices.ContainsFunc(l.columns, func(c *parquet.Column) bool { return c != nil && slices.Contains(c.Path, name) })
	})
}

// namesDropped reports whether a document has the name of a dropped column as a word.
func (l *layout) namesDropped(doc []byte) bool {
	return slices.ContainsFunc(l.droppedNames(), func(name string) bool { return hasWord(string(doc), name) })
}

// namesTop reports whether a document has the name of a child of the root that does not stay as it is.
func (l *layout) namesTop(doc []byte) bool {
	return slices.ContainsFunc(l.names, func(f topField) bool {
		for leaf := f.lo; leaf < f.hi; leaf++ {
			if (l.columns[leaf] == nil || l.changed[leaf]) && hasWord(string(doc), f.name) {
				return true
			}
		}
		return false
	})
}

// hasWord reports whether a text has a word that stands by itself, or parts of which do.
func hasWord(text, word string) bool {
	inWord := func(b byte) bool {
		return b == '_' || b >= 0x80 || '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z'
	}
	for at := 0; word != ""; at++ {
		i := strings.Index(text[at:], word)
		if i < 0 {
			return false
		}
		at += i
		end := at + len(word)
		if (at == 0 || !inWord(text[at-1])) && (end == len(text) || !inWord(text[end])) {
			return true
		}
	}
	return false
}

// relayPandas leaves out what pandas' document says of dropped columns, and says of those that become text that they are.
func relayPandas(doc []byte, l *layout) []byte {
	var edits []edit
	for _, m := range members(doc, 0) {
		all := elements(doc, m.lo)
		keep := make([]bool, len(all))
		for i, e := range all {
			keep[i] = true
			switch m.key {
			case "index_columns": // names, or ranges
				var name string
				keep[i] = json.Unmarshal(doc[e.lo:e.hi], &name) != nil || l.stateOf(name) != fieldDropped
			case "columns":
				state := l.stateOf(pandasField(doc[e.lo:e.hi]))
				if keep[i] = state != fieldDropped; keep[i] {
					edits = append(edits, pandasText(doc, e, state)...)
				}
			}
		}
		edits = append(edits, cutsOf(all, keep)...)
	}
	return edited(doc, edits)
}

// pandasField is the column that an entry of pandas' "columns" speaks of.
func pandasField(entry []byte) string {
	var c struct {
		Name  any
		Field *string `json:"field_name"`
	}
	if json.Unmarshal(entry, &c) != nil {
		return ""
	}
	if c.Field != nil {
		return *c.Field
	}
	name, _ := c.Name.(string)
	return name
}

// pandasText returns the edits by which an entry says that its column is text, or a list of texts.
func pandasText(doc []byte, entry member, state fieldState) (edits []edit) {
	if state != fieldText && state != fieldPartly {
		return nil
	}
	for _, m := range members(doc, entry.lo) {
		text, was := "", strings.Trim(string(doc[m.lo:m.hi]), `"`)
		switch {
		case m.key == "pandas_type" && strings.HasPrefix(was, "list["):
			text = `"list[unicode]"`
		case m.key == "pandas_type" && state == fieldText:
			text = `"unicode"`
		case m.key == "numpy_type" && state == fieldText:
			text = `"object"`
		case m.key == "metadata" && state == fieldText:
			text = "null"
		default:
			continue
		}
		edits = append(edits, edit{span{m.lo, m.hi}, text})
	}
	return edits
}

// cutsOf returns the edits that leave the members that keep says.
func cutsOf(all []member, keep []bool) (edits []edit) {
	for _, s := range appendCuts(nil, all, func(i int) bool { return keep[i] }) {
		edits = append(edits, edit{s, ""})
	}
	return edits
}

// relayHuggingFace leaves out the features of dropped columns, and says of those that become text that they are. ok is false where a
// part of a feature would have to change.
func relayHuggingFace(doc []byte, l *layout) (_ []byte, ok bool) {
	var edits []edit
	for _, info := range members(doc, 0) {
		for _, features := range members(doc, info.lo) {
			if info.key != "info" || features.key != "features" {
				continue
			}
			all := members(doc, features.lo)
			keep := make([]bool, len(all))
			for i, m := range all {
				state := l.stateOf(m.key)
				keep[i] = state != fieldDropped
				switch state {
				case fieldPartly:
					return nil, false
				case fieldText:
					edits = append(edits, edit{span{m.lo, m.hi}, `{"dtype": "string", "_type": "Value"}`})
				}
			}
			edits = append(edits, cutsOf(all, keep)...)
		}
	}
	return edited(doc, edits), json.Valid(doc)
}

// A sparkWalk goes through Spark's StructType, whose fields are in the order of the columns.
type sparkWalk struct {
	doc   []byte
	l     *layout
	leaf  int
	edits []edit
}

// relaySpark leaves out the fields of dropped columns, and makes those text that become text. What says more of the type of a column
// that is changed goes. ok is false where the document has not the file's columns.
func relaySpark(doc []byte, l *layout) (_ []byte, ok bool) {
	w := sparkWalk{doc: doc, l: l}
	if !json.Valid(doc) || !w.typ(span{0, len(doc)}, 0) || w.leaf != len(l.columns) {
		return nil, false
	}
	return edited(doc, w.edits), true
}

// typ goes through a type: the name of one, or an object.
func (w *sparkWalk) typ(at span, depth int) (ok bool) {
	if depth > maxShapeDepth {
		return false
	}
	all := members(w.doc, at.lo)
	if all == nil { // the name of a type
		if w.leaf++; w.leaf > len(w.l.columns) {
			return false
		}
		if w.l.columns[w.leaf-1] != nil && w.l.text[w.leaf-1] {
			w.edits = append(w.edits, edit{at, `"string"`})
		}
		return true
	}
	for _, m := range all {
		switch m.key {
		case "fields":
			ok = w.fields(m, depth)
		case "elementType", "keyType", "valueType", "sqlType":
			ok = w.typ(span{m.lo, m.hi}, depth+1)
		default:
			continue
		}
		if !ok {
			return false
		}
	}
	return ok
}

// fields goes through the fields of a struct.
func (w *sparkWalk) fields(list member, depth int) (ok bool) {
	all := elements(w.doc, list.lo)
	keep := make([]bool, len(all))
	for i, field := range all {
		lo, had := w.leaf, len(w.edits)
		var metadata span
		for _, m := range members(w.doc, field.lo) {
			switch m.key {
			case "type":
				if !w.typ(span{m.lo, m.hi}, depth+1) {
					return false
				}
			case "metadata":
				metadata = span{m.lo, m.hi}
			}
		}
		keep[i] = slices.ContainsFunc(w.l.columns[lo:w.leaf], func(c *parquet.Column) bool { return c != nil })
		switch {
		case !keep[i]:
			w.edits = w.edits[:had]
		case w.leaf == lo+1 && w.l.changed[lo] && metadata.hi > 0:
			w.edits = append(w.edits, edit{metadata, "{}"})
		}
	}
	w.edits = append(w.edits, cutsOf(all, keep)...)
	return true
}
