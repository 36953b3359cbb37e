package verify

import (
	"encoding/base64"
	"encoding/json"
	"path"
	"reflect"
	"slices"
	"strings"

	"assent/job"
)

// A file's key-value metadata may name values of rows: labels of classes, symbols of
// enums, summaries. Of a file that lost rows, only what is known to name none may be
// carried over, or what the data set says to keep.

// fate is what has to become of an entry of an input's metadata.
type fate int

const (
	mayGo    fate = iota // it names no value of a row, but nothing needs it
	mustStay             // readers need it, or the data set keeps it
	mustGo               // where rows were lost: it may name their values
	ours                 // of an earlier run over the file, for which this run's entries stand
)

// fates are those of known keys. All others must go.
var fates = map[string]fate{
	"ARROW:schema": mustStay, "pandas": mustStay, "geo": mustStay, "original.created_by": mustStay,
	"parquet.avro.schema": mustStay, "avro.schema": mustStay, "iceberg.schema": mustStay,
	"org.apache.spark.sql.parquet.row.metadata": mustStay,

	"org.apache.spark.version": mayGo, "org.apache.spark.timeZone": mayGo, "org.apache.spark.legacyDateTime": mayGo, "org.apache.spark.legacyINT96": mayGo,
	"writer.model.name": mayGo, "writer.time.zone": mayGo, "writer.date.proleptic": mayGo, "is.date.correct": mayGo,
	"parquet.proto.class": mayGo, "parquet.proto.descriptor": mayGo, "parquet.thrift.descriptor": mayGo, "thrift.class": mayGo, "thrift.descriptor": mayGo,
	"iceberg.file.format.version": mayGo, "delete-type": mayGo, "dremio.version": mayGo, "dremio.arrow.schema.2.1": mayGo,
	"original.created.by": mayGo, "assent.as_of": mayGo, "duckdb.interval_bloom_filter": mayGo,

	sourceKey: ours, runKey: ours,
}

// Entries that a run adds.
const (
	runKey     = "assent.run_id"
	sourceKey  = "assent.source"
	creatorKey = "original.created_by"
)

func (c *comparison) fateOf(kv keyValue) fate {
	if slices.Contains(c.d.KeepMetadata, kv.key) {
		return mustStay
	}
	if f, known := fates[kv.key]; known {
		return f
	}
	return mustGo
}

// compareMetadata compares the entries of the data file with those of its input, in their
// order, and then with those that a run adds.
func (c *comparison) compareMetadata() error {
	in, err := keyValuesOf(c.in.footer)
	if err != nil {
		return err
	}
	left, err := keyValuesOf(c.out.footer)
	if err != nil {
		return err
	}
	tell := func(kv keyValue, what string) {
		c.found.of(c.m.Output, "metadata: key %s %s", job.Quote(kv.key), what)
	}
	for _, kv := range left {
		if c.namesLeftOut(kv) {
			tell(kv, "names a column that is left out")
		}
	}
	lossless := c.in.total == c.in.rows()
	for _, kv := range in {
		there := len(left) > 0 && left[0].key == kv.key
		same := there && left[0].absent == kv.absent && c.sameMetadata(kv.key, kv.value, left[0].value)
		switch f := c.fateOf(kv); {
		case f == mustStay && !same && c.handed.any() && c.fitted(kv, there, left):
		case f == mustStay && !same && !slices.Contains(c.d.KeepMetadata, kv.key) && reduced(kv, there, left):
		case f == mustStay && !same:
			tell(kv, "is not as in the input")
		case f == ours && (same || !there), !same:
			continue // it is gone, or what stands there is judged as an entry of the run
		case f == mustGo && !lossless:
			tell(kv, "may name values of rows that are dropped, and is still there")
		}
		if there {
			left = left[1:]
		}
	}
	for _, kv := range c.added() {
		at := slices.IndexFunc(left, func(x keyValue) bool { return x.key == kv.key })
		if at < 0 && kv.key == runKey {
			continue // a file need not name its run
		}
		if at < 0 || left[at] != kv {
			tell(kv, "is not as a run writes it")
		}
		if at >= 0 {
			left = slices.Delete(left, at, at+1)
		}
	}
	for _, kv := range left {
		tell(kv, "is neither the input's nor the run's")
	}
	return nil
}

// reduced reports whether a run took nothing but parts out of an entry that stays: members of a JSON document, bytes of
// an Arrow schema (zeros stand there, and the words around them refer to what is left), or all of an Avro schema with an enum.
func reduced(in keyValue, there bool, left []keyValue) bool {
	if !there {
		return strings.HasSuffix(in.key, "avro.schema") && strings.Contains(in.value, `"symbols"`)
	}
	out := left[0].value
	if in.key == "pandas" || in.key == "geo" {
		return false // sameMetadata says how they change
	}
	if in.key == "ARROW:schema" {
		was, err1 := base64.StdEncoding.DecodeString(in.value)
		is, err2 := base64.StdEncoding.DecodeString(out)
		return err1 == nil && err2 == nil && len(was) == len(is) && reducedArrow(is, was)
	}
	var x, y any
	return json.Unmarshal([]byte(in.value), &x) == nil && json.Unmarshal([]byte(out), &y) == nil && within(y, x)
}

// reducedArrow is as reduced, of the bytes of an Arrow schema.
func reducedArrow(is, was []byte) bool {
	for i := range is {
		// The upper half of a word that refers or counts is zero in a schema of less than 64 KiB.
		// A byte of 5 says that a field is text now.
		if is[i] != was[i] && is[i] != 0 && is[i] != 5 && i%4 > 1 && len(is) < 1<<16 {
			return false
		}
	}
	return true
}

// within reports whether a JSON value is another one without some members of its objects.
func within(part, whole any) bool {
	switch p := part.(type) {
	case map[string]any:
		w, ok := whole.(map[string]any)
		for k, v := range p {
			of, there := w[k]
			ok = ok && there && within(v, of)
		}
		return ok
	case []any:
		w, ok := whole.([]any)
		ok = ok && len(w) == len(p)
		for i := range p {
			ok = ok && within(p[i], w[i])
		}
		return ok
	}
	return reflect.DeepEqual(part, whole)
}

// added are the entries that a run adds to a file's metadata.
func (c *comparison) added() []keyValue {
	added := []keyValue{{key: runKey, value: c.run.RunID}, {key: sourceKey, value: path.Join(c.d.Name, c.m.Source)}}
	all, _ := keyValuesOf(c.in.footer) // was read before
	known := slices.ContainsFunc(all, func(kv keyValue) bool { return kv.key == creatorKey })
	if by, _ := textOf(c.in.footer, fileCreatedBy); by != "" && !known {
		added = append(added, keyValue{key: creatorKey, value: by})
	}
	return added
}

// metadataText is what stands in the data file by right: names of columns, metadata that
// names no values, and what the run adds to it. A piece of a dropped value may stand there.
func (c *comparison) metadataText() ([]byte, error) {
	all, err := keyValuesOf(c.in.footer)
	texts := []string{c.createdBy()}
	for _, e := range c.in.file.Metadata().Schema {
		texts = append(texts, e.Name)
	}
	for _, kv := range append(all, c.added()...) {
		if texts = append(texts, kv.key); c.fateOf(kv) != mustGo {
			texts = append(texts, kv.value)
		}
	}
	return []byte(strings.Join(texts, "\x00")), err
}

// keyValue is an entry of a file's metadata.
type keyValue struct {
	key, value string
	absent     bool // the entry has no value, which is not an empty one
}

func keyValuesOf(footer []field) (all []keyValue, err error) {
	pairs, err := structsOf(footer, fileKeyValues)
	for _, pair := range pairs {
		key, _ := textOf(pair, pairKey)
		value, there := textOf(pair, pairValue)
		all = append(all, keyValue{key, value, !there})
	}
	return all, err
}

// sameMetadata compares a value of the metadata with the input's. Where rows were
// lost, what pandas says of a range that numbers the rows, and the bounding boxes of
// GeoParquet, must have followed. Of pandas' document parts may be missing, such as
// attributes that anybody may write, but not what its reader needs.
func (c *comparison) sameMetadata(key, in, out string) bool {
	lossless := c.in.total == c.in.rows()
	if in == out && (lossless || key != "pandas" && key != "geo") {
		return true
	}
	var x, y map[string]any
	if json.Unmarshal([]byte(in), &x) != nil || json.Unmarshal([]byte(out), &y) != nil {
		return in == out
	}
	switch key {
	case "geo":
		if columns, ok := x["columns"].(map[string]any); ok && !lossless {
			for _, c := range columns {
				if fields, ok := c.(map[string]any); ok {
					delete(fields, "bbox")
				}
			}
		}
		return reflect.DeepEqual(x, y)
	case "pandas":
		if !lossless {
			c.shortenRange(x)
		}
		for _, needed := range []string{"index_columns", "columns", "pandas_version"} {
			if _, was := x[needed]; was && y[needed] == nil {
				return false
			}
		}
		return within(y, x)
	}
	return false
}

// shortenRange sets the end of a range that is the index in pandas' document to what it
// has to be for the rows that were kept.
func (c *comparison) shortenRange(pandas map[string]any) {
	indexes, _ := pandas["index_columns"].([]any)
	for _, i := range indexes {
		index, _ := i.(map[string]any)
		start, ok1 := index["start"].(float64)
		step, ok2 := index["step"].(float64)
		if index["kind"] == "range" && ok1 && ok2 {
			index["stop"] = start + step*float64(c.in.total)
		}
	}
}
