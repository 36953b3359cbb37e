package verify

import (
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"assent/job/internal/config"
)

// binder finds the columns of one file that the configuration names. It shares nothing
// with what the run finds them by. The first failure stays.
type binder struct {
	file      *parquetFile
	assumeUTC bool // of timestamps without a zone
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
	return n > 0
}

// column opens a column whose leaf serves.
func (b *binder) column(key, path string, list bool, serves func(l *leaf) string) *keyReader {
	index, n := b.file.find(path)
	switch {
	case n == 0:
		return b.fail(key, path, "there is none")
	case n > 1:
		return b.fail(key, path, "%d columns go by this name", n)
	}
	l := &b.file.leaves[index]
	if l.maxRep > 0 && !list {
		return b.fail(key, path, "is a list")
	}
	if what := serves(l); what != "" {
		return b.fail(key, path, "%s", what)
	}
	k := &keyReader{b.file.cursor(index), l}
	b.opened = append(b.opened, k)
	return k
}

// id opens a column of ids.
func (b *binder) id(key, path string) *keyReader { return b.column(key, path, false, (*leaf).notID) }

// ids opens a column of ids or of lists of them.
func (b *binder) ids(key, path string) *keyReader { return b.column(key, path, true, (*leaf).notID) }

func (b *binder) text(key, path string) *keyReader {
	return b.column(key, path, false, (*leaf).notText)
}

func (b *binder) state(key, path string) *keyReader {
	return b.column(key, path, false, (*leaf).notState)
}

func (b *binder) integer(key, path string) *keyReader {
	return b.column(key, path, false, (*leaf).notInteger)
}

// instant opens a column of timestamps.
func (b *binder) instant(key, path string) *keyReader {
	return b.column(key, path, false, func(l *leaf) string {
		utc, ok := l.timestamp()
		switch {
		case !ok:
			return "is no timestamp"
		case !utc && !b.assumeUTC:
			return "is a timestamp without a zone"
		}
		return ""
	})
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

func (l *leaf) isInteger() bool {
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
	if l.isText() || l.isUUID() || l.isInteger() {
		return ""
	}
	return "cannot be an id"
}

func (l *leaf) notText() string {
	if l.isText() {
		return ""
	}
	return "is no string"
}

func (l *leaf) notState() string {
	if l.isText() || l.kind() == parquet.Boolean {
		return ""
	}
	return "is neither a boolean nor a string"
}

func (l *leaf) notInteger() string {
	if l.isInteger() {
		return ""
	}
	return "is no integer"
}
