package verify

import (
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"assent/job/internal/config"
	"assent/job/internal/source/listing"
	"assent/schema"
)

// binder finds the columns of one file that the configuration names. It shares nothing
// with what the run finds them by. The first failure stays.
type binder struct {
	file      *parquetFile
	keys      []listing.Key // of the directories of the file's path
	assumeUTC bool          // of timestamps without a zone
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

func (b *binder) has(path string) bool {
	_, n := b.file.find(path)
	return n > 0 || b.said(path) != nil
}

// said returns what the file's path says of a column, nil if nothing.
func (b *binder) said(column string) *listing.Key {
	for i := range b.keys {
		if b.keys[i].Name == column {
			return &b.keys[i]
		}
	}
	return nil
}

// column opens a column whose leaf serves.
func (b *binder) column(key, path string, list bool, serves func(l *leaf) string) *keyReader {
	index, n := b.file.find(path)
	switch said := b.said(path); {
	case n == 0 && said != nil:
		return &keyReader{said: said}
	case n == 0:
		return b.fail(key, path, "there is none")
	case n > 1:
		return b.fail(key, path, "%d columns go by this name", n)
	}
	l := &b.file.leaves[index]
	if l.maxRep > 0 && !list {
		return b.fail(key, path, "is a list")
	}
	if what := serves(l); what != "" && !l.isNull() {
		return b.fail(key, path, "%s", what)
	}
	k := &keyReader{cursor: b.file.cursor(index), leaf: l}
	b.opened = append(b.opened, k)
	return k
}

// id opens a column of ids.
func (b *binder) id(key, path string) *keyReader { return b.column(key, path, false, (*leaf).notID) }

// ids opens a column of ids or of lists of them.
func (b *binder) ids(key, path string) *keyReader { return b.column(key, path, true, (*leaf).notID) }

// code opens a column of codes.
func (b *binder) code(key, path string) *keyReader {
	return b.column(key, path, false, (*leaf).notCode)
}

func (b *binder) integer(key, path string) *keyReader {
	return b.column(key, path, false, (*leaf).notInteger)
}

// instant opens a column of timestamps, or of integers that count the unit.
func (b *binder) instant(key, path string, unit schema.Unit) *keyReader {
	if b.said(path) != nil {
		return b.fail(key, path, "a directory's name is no instant")
	}
	k := b.column(key, path, false, func(l *leaf) string {
		utc, ok := l.timestamp()
		switch {
		case !ok && unit != "" && l.isInteger():
			return ""
		case !ok:
			return "is no timestamp"
		case !utc && !b.assumeUTC:
			return "is a timestamp without a zone"
		}
		return ""
	})
	if k != nil {
		k.unit = unit
	}
	return k
}

func (b *binder) instantIn(unit schema.Unit) func(key, path string) *keyReader {
	return func(key, path string) *keyReader { return b.instant(key, path, unit) }
}

// optional opens a column that a file may lack unless it was mapped by hand. Without it
// every row reads as null.
func (b *binder) optional(key string, c config.Column, open func(key, path string) *keyReader) *keyReader {
	if c.Path == "" || !c.Explicit && !b.has(c.Path) {
		return nil
	}
	return open(key, c.Path)
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

// isNull reports whether all values are null by their type.
func (l *leaf) isNull() bool {
	_, null := l.element.LogicalType.Value.(*format.NullType)
	return null
}

// isDecimal reports whether the leaf is an integer by its decimal type.
func (l *leaf) isDecimal() bool {
	if d, ok := l.element.LogicalType.Value.(*format.DecimalType); ok {
		return d.Scale == 0
	}
	c := l.element.ConvertedType
	return l.element.LogicalType.Value == nil && c.Valid && c.V == deprecated.Decimal && l.element.Scale.V == 0
}

func (l *leaf) isInteger() bool {
	if l.isDecimal() {
		return true
	}
	if k := l.kind(); k != parquet.Int32 && k != parquet.Int64 {
		return false
	}
	switch l.element.LogicalType.Value.(type) {
	case *format.IntType:
		return true
	case nil:
		c := l.element.ConvertedType
		return !c.Valid || c.V >= deprecated.Uint8 && c.V <= deprecated.Int64
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
	if l.kind() == parquet.FixedLenByteArray && l.element.TypeLength.V == 16 && l.isText() {
		return "16 bytes that may be a UUID or not"
	}
	if l.isText() || l.isUUID() || l.isInteger() {
		return ""
	}
	return "cannot be an id"
}

func (l *leaf) notCode() string {
	if l.isText() || l.isInteger() || l.kind() == parquet.Boolean {
		return ""
	}
	return "cannot be a code"
}

func (l *leaf) notInteger() string {
	if l.isInteger() {
		return ""
	}
	return "is no integer"
}
