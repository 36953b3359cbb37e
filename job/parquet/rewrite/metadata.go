package rewrite

import (
	"encoding/json"
	"slices"

	"assent/job/parquet"
)

// A metadataRule says what becomes of an entry of the file's key-value metadata. An entry is kept if it is known to describe
// the schema or the writer, and not the rows: a list of class names or of an enum's symbols, or a summary, may name what
// stood in dropped rows alone. Parts of a known entry that are not known to do so are cut out. The rule is the same for a
// file that lost no row: such lists speak of rows of other files, too.
type metadataRule struct {
	keep []string // further keys, by the user's word; their values are not looked into
	lost bool     // rows were lost
	rows int64    // that are kept

	layout *layout // of the output; nil: columns are as in the input
}

// value returns the value that is published under a key; ok is false if the entry is left out.
func (r *metadataRule) value(key string, value []byte) (_ []byte, ok bool) {
	if !slices.Contains(r.keep, key) {
		if value, ok = r.describing(key, value); !ok {
			return nil, false
		}
	}
	if r.layout != nil {
		if value, ok = r.relaid(key, value); !ok {
			return nil, false
		}
	}
	if r.lost && key == "pandas" {
		value = patched(value, patchPandas(value, r.rows))
	}
	if r.lost && key == "geo" {
		value = patched(value, patchGeo(value))
	}
	return value, true
}

func patched(value, patch []byte) []byte {
	if patch == nil {
		return value
	}
	return patch
}

// describing returns the part of a value that describes the schema or the writer. It is the value itself, not a copy, if
// that is all of it.
func (r *metadataRule) describing(key string, value []byte) (_ []byte, ok bool) {
	switch key {
	case originalCreatedBy, "writer.model.name", "org.apache.spark.version", "org.apache.spark.timeZone",
		"org.apache.spark.legacyDateTime", "org.apache.spark.legacyINT96", "duckdb.interval_bloom_filter":
		return value, true
	case "geo": // what is to be removed from it is patched
		return value, json.Valid(value)
	case "pandas":
		return cutUnlisted(value, pandasShape())
	case "org.apache.spark.sql.parquet.row.metadata":
		return cutUnlisted(value, sparkShape())
	case "iceberg.schema":
		return cutUnlisted(value, icebergShape())
	case "parquet.avro.schema", "avro.schema":
		if !json.Valid(value) || hasEnum(value) { // no part of an enum could go and leave a schema
			return nil, false
		}
		return cutUnlisted(value, avroShape())
	case "ARROW:schema":
		return cleanArrowSchema(value, r)
	}
	return nil, false
}

// LeftOut returns the keys of the file's key-value metadata whose entries a Writer leaves out, in whole or in part, because
// they may hold values of rows: each once, in their order. keep are keys to keep in any case, as in [Options].
func (f *File) LeftOut(keep []string) (keys []string) {
	rule := metadataRule{keep: keep}
	for _, kv := range f.KeyValues() {
		if !rule.whole(&kv) && !slices.Contains(keys, kv.Key) {
			keys = append(keys, kv.Key)
		}
	}
	return keys
}

// whole reports whether an entry is kept as it is, apart from what follows from lost rows.
func (r *metadataRule) whole(kv *parquet.KeyValue) bool {
	if kv.Value == nil {
		return r.known(kv.Key)
	}
	out, ok := r.value(kv.Key, []byte(*kv.Value))
	return ok && string(out) == *kv.Value
}

// known reports whether an entry without a value is kept: by its key alone.
func (r *metadataRule) known(key string) bool {
	switch key {
	case "pandas", "org.apache.spark.sql.parquet.row.metadata", "iceberg.schema", "parquet.avro.schema", "avro.schema", "ARROW:schema", "geo":
		return true
	}
	_, ok := r.value(key, nil)
	return ok
}

// A shape lists the members that an object may have. The value of a member has the shape that stands there, and if it is an
// array, so has each element; a nil shape takes any value.
type shape map[string]shape

// leaves returns a shape of members that take any value.
func leaves(names ...string) shape {
	s := shape{}
	for _, name := range names {
		s[name] = nil
	}
	return s
}

// sparkShape is that of Spark's StructType. A column's "metadata" may hold anything, such as the values that an ML
// attribute has ("ml_attr"); what is listed are notes of the schema.
func sparkShape() shape {
	s := leaves("name", "nullable", "containsNull", "valueContainsNull", "class", "pyClass")
	for _, name := range []string{"type", "fields", "elementType", "keyType", "valueType", "sqlType"} {
		s[name] = s
	}
	s["metadata"] = leaves("comment", "scale", "HIVE_TYPE_STRING", "__CHAR_VARCHAR_TYPE_STRING", "parquet.field.id",
		"delta.columnMapping.id", "delta.columnMapping.physicalName")
	return s
}

// avroShape is that of an Avro schema. Other attributes may hold anything, such as the values that a connector found allowed.
func avroShape() shape {
	s := leaves("name", "namespace", "doc", "aliases", "default", "order", "size", "logicalType", "precision", "scale",
		"field-id", "element-id", "key-id", "value-id", "adjust-to-utc", "avro.java.string", "java-class")
	for _, name := range []string{"type", "fields", "items", "values"} {
		s[name] = s
	}
	return s
}

func icebergShape() shape {
	s := leaves("id", "name", "required", "doc", "initial-default", "write-default", "schema-id", "identifier-field-ids",
		"element-id", "element-required", "key-id", "value-id", "value-required")
	for _, name := range []string{"type", "fields", "element", "key", "value"} {
		s[name] = s
	}
	return s
}

// pandasShape is that of the metadata of pandas. The attributes of a frame may hold anything.
func pandasShape() shape {
	column := leaves("name", "field_name", "pandas_type", "numpy_type")
	column["metadata"] = leaves("encoding", "timezone", "unit", "num_categories", "ordered", "precision", "scale")
	s := leaves("index_columns", "creator", "pandas_version", "partition_columns")
	s["columns"], s["column_indexes"], s["attributes"] = column, column, shape{}
	return s
}

// hasEnum reports whether an Avro schema has an enum, anywhere.
func hasEnum(doc []byte) bool {
	var schema any
	if json.Unmarshal(doc, &schema) != nil {
		return true
	}
	var find func(v any) bool
	find = func(v any) bool {
		switch v := v.(type) {
		case map[string]any:
			if _, ok := v["symbols"]; ok || v["type"] == "enum" {
				return true
			}
			for _, member := range v {
				if find(member) {
					return true
				}
			}
		case []any:
			return slices.ContainsFunc(v, find)
		}
		return false
	}
	return find(schema)
}

// maxShapeDepth bounds how deep a schema nests.
const maxShapeDepth = 64

// cutUnlisted removes the members of a JSON document's objects that its shape does not list. ok is false where the document
// is none or nests too deep.
func cutUnlisted(doc []byte, s shape) (_ []byte, ok bool) {
	if !json.Valid(doc) {
		return nil, false
	}
	var cuts []span
	if cuts, ok = unlisted(nil, doc, 0, s, 0); !ok {
		return nil, false
	}
	return cut(doc, cuts), true
}

// unlisted appends the ranges to be cut from the value that begins at doc[at:].
func unlisted(cuts []span, doc []byte, at int, s shape, depth int) (_ []span, ok bool) {
	if depth > maxShapeDepth {
		return nil, false
	}
	ok = true
	for _, e := range elements(doc, at) {
		if cuts, ok = unlisted(cuts, doc, e.lo, s, depth+1); !ok {
			return nil, false
		}
	}
	all := members(doc, at)
	listed := func(i int) bool { _, ok := s[all[i].key]; return ok }
	cuts = appendCuts(cuts, all, listed)
	for _, m := range all {
		if inner := s[m.key]; inner != nil {
			if cuts, ok = unlisted(cuts, doc, m.lo, inner, depth+1); !ok {
				return nil, false
			}
		}
	}
	return cuts, true
}
