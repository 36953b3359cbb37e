package source

import (
	"errors"
	"fmt"

	"assent/job/parquet/rewrite"
	"assent/schema"
)

// idForm says how the values of a column become canonical ids (semantics.md,
// "Consent timelines").
type IDForm uint8

const (
	idText IDForm = iota // strings and byte arrays, as they are
	idInt                // decimal
	idUint32
	idUint64
	idUUID // 16 bytes, as lower-case hyphenated text
)

// keyColumn is a column that a decision needs, found in one file.
type KeyColumn struct {
	Leaf int // index of rewrite.File.Columns; -1 where the file lacks an optional one
	ID   IDForm
	Time timeForm
}

// timeForm says how the values of a column become instants.
type timeForm uint8

const (
	timeNanos timeForm = iota
	timeMicros
	timeMillis
	timeInt96
)

// columnError says that a file's column cannot serve, and for which key.
type ColumnError struct {
	key  string // of the configuration, below its section
	path string // of the column
	err  error
	hint string
}

func (e *ColumnError) Error() string { return fmt.Sprintf("%s: column %q: %v", e.key, e.path, e.err) }

func (e *ColumnError) Unwrap() error { return e.err }

// finder looks up a file's columns and keeps the first failure.
type Finder struct {
	File      *rewrite.File
	assumeUTC bool
	Err       error
}

func (f *Finder) fail(key, path, hint, format string, args ...any) KeyColumn {
	if f.Err == nil {
		f.Err = &ColumnError{key, path, fmt.Errorf(format, args...), hint}
	}
	return KeyColumn{Leaf: -1}
}

func (f *Finder) leaf(key, path string, list bool) (*rewrite.Column, int) {
	i, err := f.File.Lookup(path)
	if err != nil {
		f.fail(key, path, "name the column under its key, or remove the key if there is none", "%w", err)
		return nil, -1
	}
	c := &f.File.Columns()[i]
	if c.MaxRep > 0 && !list {
		f.fail(key, path, "only parties and subjects may be lists", "is a list")
		return nil, -1
	}
	return c, i
}

// has reports whether the file has the column.
func (f *Finder) Has(path string) bool {
	_, err := f.File.Lookup(path)
	return !errors.Is(err, rewrite.ErrNoColumn)
}

// id finds a column of ids; list says whether it may be one of lists.
func (f *Finder) ID(key, path string, list bool) KeyColumn {
	c, i := f.leaf(key, path, list)
	if c == nil {
		return KeyColumn{Leaf: -1}
	}
	form, ok := idFormOf(c)
	if !ok {
		return f.fail(key, path, "ids are strings, byte arrays, integers or 16-byte UUIDs", "%s cannot be an id", typeName(c))
	}
	return KeyColumn{Leaf: i, ID: form}
}

func idFormOf(c *rewrite.Column) (IDForm, bool) {
	switch c.Physical {
	case rewrite.ByteArray:
		switch c.Logical.Kind {
		case rewrite.None, rewrite.String, rewrite.Enum, rewrite.Other:
			return idText, true
		}
	case rewrite.FixedLenByteArray:
		switch {
		case c.Logical.Kind == rewrite.UUID && c.TypeLength == 16:
			return idUUID, true
		case c.Logical.Kind == rewrite.None, c.Logical.Kind == rewrite.Other:
			return idText, true
		}
	case rewrite.Int32, rewrite.Int64:
		switch c.Logical.Kind {
		case rewrite.None:
			return idInt, true
		case rewrite.Int:
			switch {
			case c.Logical.Signed:
				return idInt, true
			case c.Physical == rewrite.Int32:
				return idUint32, true
			default:
				return idUint64, true
			}
		}
	}
	return 0, false
}

// text finds a column of strings.
func (f *Finder) text(key, path string) KeyColumn {
	c, i := f.leaf(key, path, false)
	if c == nil {
		return KeyColumn{Leaf: -1}
	}
	if form, ok := idFormOf(c); !ok || form != idText {
		return f.fail(key, path, "", "%s is no string", typeName(c))
	}
	return KeyColumn{Leaf: i, ID: idText}
}

// state finds a column of booleans or strings.
func (f *Finder) state(key, path string) (col KeyColumn, boolean bool) {
	c, i := f.leaf(key, path, false)
	if c == nil {
		return KeyColumn{Leaf: -1}, false
	}
	if c.Physical == rewrite.Boolean {
		return KeyColumn{Leaf: i}, true
	}
	if form, ok := idFormOf(c); !ok || form != idText {
		return f.fail(key, path, "", "%s is neither a boolean nor a string", typeName(c)), false
	}
	return KeyColumn{Leaf: i, ID: idText}, false
}

// integer finds a column of signed integers, or of unsigned ones that fit.
func (f *Finder) integer(key, path string) KeyColumn {
	c, i := f.leaf(key, path, false)
	if c == nil {
		return KeyColumn{Leaf: -1}
	}
	form, ok := idFormOf(c)
	if !ok || form == idText || form == idUUID {
		return f.fail(key, path, "", "%s is no integer", typeName(c))
	}
	return KeyColumn{Leaf: i, ID: form}
}

// instant finds a column of timestamps.
func (f *Finder) instant(key, path string) KeyColumn {
	c, i := f.leaf(key, path, false)
	if c == nil {
		return KeyColumn{Leaf: -1}
	}
	if c.Physical == rewrite.Int96 {
		return KeyColumn{Leaf: i, Time: timeInt96}
	}
	if c.Physical != rewrite.Int64 || c.Logical.Kind != rewrite.Timestamp {
		return f.fail(key, path, "moments are Parquet timestamps in UTC: milliseconds, microseconds, nanoseconds or INT96", "%s is no timestamp", typeName(c))
	}
	if !c.Logical.UTC && !f.assumeUTC {
		return f.fail(key, path, "write it with a zone, or say `timezone: UTC` if it is meant to be in UTC",
			"the timestamp has no zone (isAdjustedToUTC=false), so its instants are not known")
	}
	switch c.Logical.Unit {
	case rewrite.Millis:
		return KeyColumn{Leaf: i, Time: timeMillis}
	case rewrite.Micros:
		return KeyColumn{Leaf: i, Time: timeMicros}
	default:
		return KeyColumn{Leaf: i, Time: timeNanos}
	}
}

func typeName(c *rewrite.Column) string {
	if c.Logical.Kind == rewrite.None {
		return c.Physical.String()
	}
	return fmt.Sprintf("%s (%s)", c.Physical, c.Logical.Kind)
}

// ids returns the values of a vector that is not dictionary-coded as canonical
// ids, nulls as empty ones. scratch holds them where they are not the vector's own.
func (form IDForm) IDs(v *rewrite.Vector, scratch *rewrite.Bytes) rewrite.Bytes {
	if form == idText {
		return v.Bytes
	}
	scratch.Data, scratch.Ends = scratch.Data[:0], scratch.Ends[:0]
	for i := range max(len(v.Ints), v.Bytes.Len()) {
		if v.Null == nil || !v.Null[i] {
			if form == idUUID {
				scratch.Data = schema.AppendUUID(scratch.Data, v.Bytes.At(i))
			} else {
				scratch.Data = form.appendInt(scratch.Data, v.Ints[i])
			}
		}
		scratch.Ends = append(scratch.Ends, uint32(len(scratch.Data)))
	}
	return *scratch
}

// entries is ids for the entries of a dictionary.
func (form IDForm) Entries(d *rewrite.Dictionary, scratch *rewrite.Bytes) rewrite.Bytes {
	scratch.Data, scratch.Ends = scratch.Data[:0], scratch.Ends[:0]
	for i := range d.Len() {
		scratch.Data = form.appendEntry(scratch.Data, d, i)
		scratch.Ends = append(scratch.Ends, uint32(len(scratch.Data)))
	}
	return *scratch
}

func (form IDForm) appendEntry(dst []byte, d *rewrite.Dictionary, i int) []byte {
	switch form {
	case idText:
		return append(dst, d.Bytes(i)...)
	case idUUID:
		return schema.AppendUUID(dst, d.Bytes(i))
	default:
		return form.appendInt(dst, d.Int(i))
	}
}

func (form IDForm) appendInt(dst []byte, v int64) []byte {
	switch form {
	case idUint32:
		return schema.AppendUintID(dst, uint64(uint32(v)))
	case idUint64:
		return schema.AppendUintID(dst, uint64(v))
	default:
		return schema.AppendIntID(dst, v)
	}
}

// append appends the canonical form of one slot; nothing where it is null.
func (form IDForm) Append(dst []byte, v *rewrite.Vector, slot int) []byte {
	switch {
	case v.Null != nil && v.Null[slot]:
		return dst
	case v.Dict != nil:
		return form.appendEntry(dst, v.Dict, int(v.Index[slot]))
	case form == idText:
		return append(dst, v.Bytes.At(slot)...)
	case form == idUUID:
		return schema.AppendUUID(dst, v.Bytes.At(slot))
	default:
		return form.appendInt(dst, v.Ints[slot])
	}
}

// instants writes the vector's instants to out, schema.Unknown for nulls.
func (form timeForm) Instants(v *rewrite.Vector, out []schema.Instant) {
	switch {
	case v.Dict != nil:
		for i := range out {
			if entry := int(v.Index[i]); form == timeInt96 {
				if v.Dict.Len() > 0 {
					out[i] = schema.FromInt96(v.Dict.Bytes(entry))
				}
			} else if v.Dict.Len() > 0 {
				out[i] = form.instant(v.Dict.Int(entry))
			}
		}
	case form == timeInt96:
		for i := range out {
			if b := v.Bytes.At(i); len(b) == 12 {
				out[i] = schema.FromInt96(b)
			}
		}
	default:
		for i, t := range v.Ints[:len(out)] {
			out[i] = form.instant(t)
		}
	}
	for i, null := range v.Null {
		if null {
			out[i] = schema.Unknown
		}
	}
}

func (form timeForm) instant(v int64) schema.Instant {
	switch form {
	case timeMillis:
		return schema.FromMillis(v)
	case timeMicros:
		return schema.FromMicros(v)
	default:
		return schema.FromNanos(v)
	}
}

// binding is where a data set's keys are in one file.
type Binding struct {
	Leaves   []int // to ask of rewrite.File.Keys, each once
	Record   BoundColumn
	Roles    []BoundColumn // parties, then the other subjects
	Parties  int           // how many of roles are parties
	Moments  []BoundColumn
	Contract BoundColumn // at < 0: none
}

// boundColumn is a key column by its place among the columns of a batch.
type BoundColumn struct {
	At int
	KeyColumn
}

func (b *Binding) add(c KeyColumn) BoundColumn {
	for at, leaf := range b.Leaves {
		if leaf == c.Leaf {
			return BoundColumn{at, c}
		}
	}
	b.Leaves = append(b.Leaves, c.Leaf)
	return BoundColumn{len(b.Leaves) - 1, c}
}

// bind finds the data set's columns in a file. roles are those in use: see plannedDataset.
func Bind(f *rewrite.File, d *schema.Dataset) (*Binding, error) {
	find := Finder{File: f, assumeUTC: d.AssumeUTC}
	b := &Binding{Parties: len(d.Parties), Contract: BoundColumn{At: -1}}
	record := find.ID("record", d.Record, false)
	b.Record = b.add(record)
	for _, r := range d.Parties {
		b.Roles = append(b.Roles, b.add(find.ID("parties."+r.Name, r.Column, true)))
	}
	for _, r := range d.Subjects {
		b.Roles = append(b.Roles, b.add(find.ID("subjects."+r.Name, r.Column, true)))
	}
	for _, m := range d.Moments {
		b.Moments = append(b.Moments, b.add(find.instant("moments."+m.Name, m.Column)))
	}
	if d.Contract != "" {
		b.Contract = b.add(find.ID("contract", d.Contract, false))
	}
	return b, find.Err
}

// oneSlot is a vector that has slot i of v alone. v is not repeated.
func OneSlot(v *rewrite.Vector, i int) rewrite.Vector {
	one := rewrite.Vector{Dict: v.Dict}
	if v.Null != nil {
		one.Null = v.Null[i : i+1]
	}
	if v.Index != nil {
		one.Index = v.Index[i : i+1]
	}
	if v.Ints != nil {
		one.Ints = v.Ints[i : i+1]
	}
	if v.Dict == nil && v.Ints == nil {
		value := v.Bytes.At(i)
		one.Bytes = rewrite.Bytes{Data: value, Ends: []uint32{uint32(len(value))}}
	}
	return one
}
