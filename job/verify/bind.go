package verify

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"assent/job/internal/config"
	"assent/schema"
)

// binder finds the columns of one file that the configuration names, in the file or in
// its path. It shares nothing with what the run finds them by. The first failure stays.
type binder struct {
	file      *parquetFile
	rel       string // path of the file below its input's directory; directories key=value are columns
	assumeUTC bool   // of timestamps without a zone
	opened    []*keyReader
	err       error
}

// unboundError says that a file has no column that can serve under a key of the
// configuration.
type unboundError struct{ key, path, what string }

func (e *unboundError) Error() string {
	return fmt.Sprintf("%s: column %q: %s", e.key, e.path, e.what)
}

func (b *binder) fail(key, path, format string, args ...any) *keyReader {
	if b.err == nil {
		b.err = &unboundError{key, path, fmt.Sprintf(format, args...)}
	}
	return nil
}

// find returns the index of the leaf that a dotted path stands for, and how many there
// are. A path gives all field names, or leaves out the groups that only make up a LIST;
// one that ends at a LIST stands for the list's only leaf. The first way that finds
// something counts.
func (f *parquetFile) find(path string) (index, number int) {
	ways := []func(l *leaf) bool{
		func(l *leaf) bool { return l.path == path },
		func(l *leaf) bool { return l.short == path },
		func(l *leaf) bool { return slices.Contains(l.lists, path) },
	}
	for _, matches := range ways {
		index, number = -1, 0
		for i := range f.leaves {
			if matches(&f.leaves[i]) {
				index = i
				number++
			}
		}
		if number > 0 {
			break
		}
	}
	return index, number
}

// pathKey is what a directory key=value says of the files below it.
type pathKey struct {
	name, value string
	null        bool
}

// pathKeysOf returns the keys of the directories in a file's path, decoded as Spark,
// Hive, pyarrow and DuckDB encode them.
func pathKeysOf(rel string) (keys []pathKey) {
	dirs := strings.Split(rel, "/")
	for _, dir := range dirs[:len(dirs)-1] {
		name, value, ok := strings.Cut(dir, "=")
		if ok && name != "" {
			keys = append(keys, pathKey{percentDecoded(name), percentDecoded(value), value == "__HIVE_DEFAULT_PARTITION__"})
		}
	}
	return keys
}

var percentCode = regexp.MustCompile("%[0-9A-Fa-f]{2}")

// percentDecoded leaves a percent sign alone that no two hexadecimal digits follow.
func percentDecoded(s string) string {
	return percentCode.ReplaceAllStringFunc(s, func(code string) string {
		n, _ := strconv.ParseUint(code[1:], 16, 8) // two hexadecimal digits
		return string([]byte{byte(n)})
	})
}

// inPath returns what the path says of a column; nil where it says nothing.
func (b *binder) inPath(key, column string) (found *pathKey) {
	for _, k := range pathKeysOf(b.rel) {
		if k.name != column {
			continue
		}
		if found != nil && *found != k {
			b.fail(key, column, "the path has two values for it")
		}
		found = &k
	}
	return found
}

func (b *binder) has(path string) bool {
	_, n := b.file.find(path)
	return n > 0 || b.inPath("", path) != nil
}

// column opens a column whose leaf serves. A column of the null type always does.
func (b *binder) column(key, path string, list bool, serves func(l *leaf) string) *keyReader {
	index, n := b.file.find(path)
	k := &keyReader{inPath: b.inPath(key, path)}
	switch {
	case n > 1:
		return b.fail(key, path, "%d columns go by this name", n)
	case n == 0 && k.inPath == nil:
		return b.fail(key, path, "there is none")
	case n == 0:
		k.leaf = textLeaf
		return k
	}
	k.leaf = &b.file.leaves[index]
	if k.leaf.maxRep > 0 && (!list || k.inPath != nil) {
		return b.fail(key, path, "is a list")
	}
	if what := serves(k.leaf); what != "" && !k.leaf.isNull() {
		return b.fail(key, path, "%s", what)
	}
	k.cursor = b.file.cursor(index)
	b.opened = append(b.opened, k)
	return k
}

// id opens a column of ids.
func (b *binder) id(key, path string) *keyReader { return b.column(key, path, false, (*leaf).notID) }

// ids opens a column of ids or of lists of them.
func (b *binder) ids(key, path string) *keyReader { return b.column(key, path, true, (*leaf).notID) }

// code opens a column of categories, states or marks.
func (b *binder) code(key, path string) *keyReader {
	return b.column(key, path, false, (*leaf).notCode)
}

func (b *binder) integer(key, path string) *keyReader {
	return b.column(key, path, false, (*leaf).notInteger)
}

// instant returns what opens a column of timestamps, or of integers that count a unit.
func (b *binder) instant(unit schema.Unit) func(key, path string) *keyReader {
	return func(key, path string) *keyReader {
		k := b.column(key, path, false, func(l *leaf) string {
			utc, stamp := l.timestamp()
			switch {
			case stamp && !utc && !b.assumeUTC:
				return "is a timestamp without a zone"
			case stamp, l.isInteger() && unit != "":
				return ""
			}
			return "is no timestamp"
		})
		switch {
		case k == nil:
			return nil
		case k.inPath != nil:
			return b.fail(key, path, "is in the path, where there are no instants")
		}
		k.unit = unit
		return k
	}
}

// optional opens a column that a file may lack unless it was mapped by hand. Without it
// every row reads as null.
func (b *binder) optional(key string, c config.Column, open func(key, path string) *keyReader) *keyReader {
	return b.ifThere(key, c.Path, c.Path == "" || !c.Explicit, open)
}

// ifThere opens a column. It is nil where the file lacks the column and may.
func (b *binder) ifThere(key, path string, may bool, open func(key, path string) *keyReader) *keyReader {
	if may && !b.has(path) {
		return nil
	}
	return open(key, path)
}

// close ends all columns.
func (b *binder) close() {
	for _, k := range b.opened {
		k.close()
	}
}

// annotated reports whether the leaf has a logical type, in the new form or the old.
func (l *leaf) annotated() bool {
	return l.element.LogicalType.Value != nil || l.element.ConvertedType.Valid
}

func (l *leaf) isText() bool {
	switch l.kind() {
	case parquet.FixedLenByteArray:
		return !l.annotated()
	case parquet.ByteArray:
		switch l.element.LogicalType.Value.(type) {
		case *format.StringType, *format.EnumType:
			return true
		case nil:
			c := l.element.ConvertedType
			return !c.Valid || c.V == deprecated.UTF8 || c.V == deprecated.Enum
		}
	}
	return false
}

func (l *leaf) isUUID() bool {
	_, uuid := l.element.LogicalType.Value.(*format.UUIDType)
	return uuid && l.kind() == parquet.FixedLenByteArray && l.element.TypeLength.V == 16
}

// isNull reports whether the leaf has the null type: all of its values are null.
func (l *leaf) isNull() bool {
	_, null := l.element.LogicalType.Value.(*format.NullType)
	return null
}

// isDecimal reports whether the leaf is a decimal without a fraction.
func (l *leaf) isDecimal() bool {
	if d, ok := l.element.LogicalType.Value.(*format.DecimalType); ok {
		return d.Scale == 0
	}
	c := l.element.ConvertedType
	return l.element.LogicalType.Value == nil && c.Valid && c.V == deprecated.Decimal && l.element.Scale.V == 0
}

func (l *leaf) isInteger() bool {
	switch l.kind() {
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return l.isDecimal()
	case parquet.Int32, parquet.Int64:
		switch l.element.LogicalType.Value.(type) {
		case *format.IntType:
			return true
		case nil:
			c := l.element.ConvertedType
			if !c.Valid || c.V >= deprecated.Uint8 && c.V <= deprecated.Int64 {
				return true
			}
		}
		return l.isDecimal()
	}
	return false
}

// timestamp reports whether the leaf is one, and in UTC.
func (l *leaf) timestamp() (utc, ok bool) {
	switch l.kind() {
	case parquet.Int96:
		return true, true
	case parquet.Int64:
		if t, ok := l.element.LogicalType.Value.(*format.TimestampType); ok {
			return t.IsAdjustedToUTC, true
		}
		c := l.element.ConvertedType
		old := l.element.LogicalType.Value == nil && c.Valid && (c.V == deprecated.TimestampMillis || c.V == deprecated.TimestampMicros)
		return old, old
	}
	return false, false
}

func (l *leaf) notID() string {
	switch {
	case l.isText() && l.kind() == parquet.FixedLenByteArray && l.element.TypeLength.V == 16:
		return "has 16 bytes, and does not say whether they are a UUID"
	case l.isText(), l.isUUID(), l.isInteger():
		return ""
	}
	return "cannot be an id"
}

func (l *leaf) notCode() string {
	if l.isText() || l.isInteger() || l.kind() == parquet.Boolean {
		return ""
	}
	return "is neither a string, an integer nor a boolean"
}

func (l *leaf) notInteger() string {
	if l.isInteger() {
		return ""
	}
	return "is no integer"
}
