package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"assent/job/internal/source/listing"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/schema"
)

// KeyColumn is a column that a decision needs, as it is found for one file.
//
// It may stand in the file, or in the file's path (a Hive key), or in both. Where it
// stands in neither, it is null in all rows.
type KeyColumn struct {
	Leaf int // index of parquet.File.Columns; -1 where the file lacks it
	ID   IDForm
	Time TimeForm
	Late bool // its values are there once Batch.Load was called for them

	null  bool                // the column's type says that all of its values are null
	key   *listing.Key        // nil: none
	value *parquet.Dictionary // of the key: its one value; nil where it is null
}

// absent is a column that is null in all rows.
var absent = KeyColumn{Leaf: -1}

// ColumnError says that a file's column cannot serve, and for which key.
type ColumnError struct {
	key  string // of the configuration, below its section
	path string // of the column
	err  error
	hint string
}

func (e *ColumnError) Error() string { return fmt.Sprintf("%s: column %q: %v", e.key, e.path, e.err) }

func (e *ColumnError) Unwrap() error { return e.err }

// Hint says what to do, if there is a next step.
func (e *ColumnError) Hint() string { return e.hint }

// Finder looks up the columns of a file and keeps the first failure.
type Finder struct {
	File      *rewrite.File
	Rel       string // path of the file below its input's root: its directories may be Hive keys
	assumeUTC bool
	Err       error
}

// presence says how a column may be there.
type presence struct {
	list     bool   // it may be one of lists
	optional bool   // it may be absent
	hint     string // what to do where it is absent and may not be
}

func (f *Finder) fail(key, path, hint, format string, args ...any) KeyColumn {
	if f.Err == nil {
		f.Err = &ColumnError{key, path, fmt.Errorf(format, args...), hint}
	}
	return absent
}

// column finds a column. The first result is nil where there is no type to look at:
// the file lacks the column, its type is the null type, or it cannot serve.
func (f *Finder) column(key, name string, may presence) (*parquet.Column, KeyColumn) {
	found := KeyColumn{Leaf: -1}
	for _, k := range listing.Keys(path.Dir(f.Rel)) {
		if k.Name != name {
			continue
		}
		if found.key != nil && *found.key != k {
			return nil, f.fail(key, name, "mend the layout of the directories", "the path has two values for it")
		}
		found.key = &k
	}
	i, err := f.File.Lookup(name)
	switch {
	case errors.Is(err, parquet.ErrNoColumn) && found.key != nil:
		return nil, f.keyColumn(key, name, found)
	case errors.Is(err, parquet.ErrNoColumn) && may.optional:
		return nil, absent
	case err != nil:
		hint := may.hint
		if hint == "" {
			hint = "name the column under its key, or remove the key if there is none"
		}
		return nil, f.fail(key, name, hint, "%w", err)
	}
	c := &f.File.Columns()[i]
	if c.MaxRep > 0 && (!may.list || found.key != nil) {
		return nil, f.fail(key, name, "only parties and subjects may be lists", "is a list")
	}
	found.Leaf = i
	if c.Logical.Kind == parquet.Unknown {
		found.null = true
		return nil, found
	}
	return c, found
}

// keyColumn is a column that stands in the file's path alone.
func (f *Finder) keyColumn(key, name string, found KeyColumn) KeyColumn {
	if found.key.Null {
		return found
	}
	// A dictionary of one entry, so that the value is taken apart once.
	plain := append(binary.LittleEndian.AppendUint32(nil, uint32(len(found.key.Value))), found.key.Value...)
	var err error
	if found.value, err = parquet.ParseDictionary(&parquet.Column{Physical: parquet.ByteArray}, plain, 1); err != nil {
		return f.fail(key, name, "", "%w", err)
	}
	return found
}

// Has reports whether the file or its path has the column.
func (f *Finder) Has(name string) bool {
	_, err := f.File.Lookup(name)
	inPath := func(k listing.Key) bool { return k.Name == name }
	return !errors.Is(err, parquet.ErrNoColumn) || slices.ContainsFunc(listing.Keys(path.Dir(f.Rel)), inPath)
}

// ID finds a column of ids; list says whether it may be one of lists.
func (f *Finder) ID(key, name string, list bool) KeyColumn {
	return f.id(key, name, presence{list: list})
}

func (f *Finder) id(key, name string, may presence) KeyColumn {
	c, found := f.column(key, name, may)
	if c == nil {
		return found
	}
	form, ok := idFormOf(c)
	switch {
	case c.Physical == parquet.FixedLenByteArray && c.TypeLength == 16 && (!ok || form == idText):
		return f.fail(key, name, "write the column with the UUID type, or as text",
			"16 bytes without the UUID annotation: whether they are a UUID, and so the same id as its text, is not known")
	case !ok:
		return f.fail(key, name, "ids are strings, byte arrays, integers, decimals without a fraction or 16-byte UUIDs", "%s cannot be an id", TypeName(c))
	}
	found.ID = form
	return found
}

// code finds a column of codes: strings, integers or booleans.
func (f *Finder) code(key, name string) KeyColumn {
	c, found := f.column(key, name, presence{})
	if c == nil {
		return found
	}
	form, ok := idFormOf(c)
	switch {
	case c.Physical == parquet.Boolean:
		found.ID = idBool
	case !ok || form == idUUID:
		return f.fail(key, name, "codes are strings, booleans or integers", "%s cannot be a code", TypeName(c))
	default:
		found.ID = form
	}
	return found
}

// integer finds a column of integers.
func (f *Finder) integer(key, name string) KeyColumn {
	c, found := f.column(key, name, presence{})
	if c == nil {
		return found
	}
	form, ok := idFormOf(c)
	if !ok || form == idText || form == idUUID {
		return f.fail(key, name, "", "%s is no integer", TypeName(c))
	}
	found.ID = form
	return found
}

// instant finds a column of timestamps, or of integers that count the unit.
func (f *Finder) instant(key, name string, unit schema.Unit, may presence) KeyColumn {
	c, found := f.column(key, name, may)
	if found.key != nil {
		return f.fail(key, name, "map a column of timestamps", "a directory's name is no instant")
	}
	if c == nil {
		return found
	}
	form, integer := idFormOf(c)
	switch {
	case c.Physical == parquet.Int96:
		found.Time = timeInt96
	case c.Physical == parquet.Int64 && c.Logical.Kind == parquet.Timestamp:
		if !c.Logical.UTC && !f.assumeUTC {
			return f.fail(key, name, "write it with a zone, or say `timezone: UTC` if it is meant to be in UTC",
				"the timestamp has no zone (isAdjustedToUTC=false), so its instants are not known")
		}
		found.Time = timeFormOf(c.Logical.Unit)
	case !integer || form == idText || form == idUUID:
		return f.fail(key, name, "moments are Parquet timestamps in UTC: milliseconds, microseconds, nanoseconds or INT96; or plain integers with `units`", "%s is no timestamp", TypeName(c))
	case unit == "":
		return f.fail(key, name, "if the integers count from 1970 in UTC, say in what: `units: {"+key[strings.LastIndexByte(key, '.')+1:]+": ms}` (s, ms, us or ns)", "%s has no unit, so its instants are not known", TypeName(c))
	default:
		found.ID, found.Time = form, timeFormIn(unit)
	}
	return found
}

// TypeName is the type of a column, for messages.
func TypeName(c *parquet.Column) string {
	switch c.Logical.Kind {
	case parquet.None:
		return c.Physical.String()
	case parquet.Decimal:
		return fmt.Sprintf("%s (DECIMAL(%d,%d))", c.Physical, c.Logical.Precision, c.Logical.Scale)
	}
	return fmt.Sprintf("%s (%s)", c.Physical, c.Logical.Kind)
}
