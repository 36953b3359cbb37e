package job

import (
	"errors"
	"fmt"

	"assent/filter"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// maxRoles is how many roles a data set may have.
const maxRoles = manifests.MaxRoles

// idForm says how the values of a column become canonical ids (semantics.md,
// "Consent timelines").
type idForm uint8

const (
	idText idForm = iota // strings and byte arrays, as they are
	idInt                // decimal
	idUint32
	idUint64
	idUUID // 16 bytes, as lower-case hyphenated text
)

// keyColumn is a column that a decision needs, found in one file.
type keyColumn struct {
	leaf int // index of rewrite.File.Columns; -1 where the file lacks an optional one
	id   idForm
	time timeForm
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
type columnError struct {
	key  string // of the configuration, below its section
	path string // of the column
	err  error
	hint string
}

func (e *columnError) Error() string { return fmt.Sprintf("%s: column %q: %v", e.key, e.path, e.err) }
func (e *columnError) Unwrap() error { return e.err }

// finder looks up a file's columns and keeps the first failure.
type finder struct {
	file      *rewrite.File
	assumeUTC bool
	err       error
}

func (f *finder) fail(key, path, hint, format string, args ...any) keyColumn {
	if f.err == nil {
		f.err = &columnError{key, path, fmt.Errorf(format, args...), hint}
	}
	return keyColumn{leaf: -1}
}

func (f *finder) leaf(key, path string, list bool) (*rewrite.Column, int) {
	i, err := f.file.Lookup(path)
	if err != nil {
		f.fail(key, path, "name the column under its key, or remove the key if there is none", "%w", err)
		return nil, -1
	}
	c := &f.file.Columns()[i]
	if c.MaxRep > 0 && !list {
		f.fail(key, path, "only parties and subjects may be lists", "is a list")
		return nil, -1
	}
	return c, i
}

// has reports whether the file has the column.
func (f *finder) has(path string) bool {
	_, err := f.file.Lookup(path)
	return !errors.Is(err, rewrite.ErrNoColumn)
}

// id finds a column of ids; list says whether it may be one of lists.
func (f *finder) id(key, path string, list bool) keyColumn {
	c, i := f.leaf(key, path, list)
	if c == nil {
		return keyColumn{leaf: -1}
	}
	form, ok := idFormOf(c)
	if !ok {
		return f.fail(key, path, "ids are strings, byte arrays, integers or 16-byte UUIDs", "%s cannot be an id", typeName(c))
	}
	return keyColumn{leaf: i, id: form}
}

func idFormOf(c *rewrite.Column) (idForm, bool) {
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
func (f *finder) text(key, path string) keyColumn {
	c, i := f.leaf(key, path, false)
	if c == nil {
		return keyColumn{leaf: -1}
	}
	if form, ok := idFormOf(c); !ok || form != idText {
		return f.fail(key, path, "", "%s is no string", typeName(c))
	}
	return keyColumn{leaf: i, id: idText}
}

// state finds a column of booleans or strings.
func (f *finder) state(key, path string) (col keyColumn, boolean bool) {
	c, i := f.leaf(key, path, false)
	if c == nil {
		return keyColumn{leaf: -1}, false
	}
	if c.Physical == rewrite.Boolean {
		return keyColumn{leaf: i}, true
	}
	if form, ok := idFormOf(c); !ok || form != idText {
		return f.fail(key, path, "", "%s is neither a boolean nor a string", typeName(c)), false
	}
	return keyColumn{leaf: i, id: idText}, false
}

// integer finds a column of signed integers, or of unsigned ones that fit.
func (f *finder) integer(key, path string) keyColumn {
	c, i := f.leaf(key, path, false)
	if c == nil {
		return keyColumn{leaf: -1}
	}
	form, ok := idFormOf(c)
	if !ok || form == idText || form == idUUID {
		return f.fail(key, path, "", "%s is no integer", typeName(c))
	}
	return keyColumn{leaf: i, id: form}
}

// instant finds a column of timestamps.
func (f *finder) instant(key, path string) keyColumn {
	c, i := f.leaf(key, path, false)
	if c == nil {
		return keyColumn{leaf: -1}
	}
	if c.Physical == rewrite.Int96 {
		return keyColumn{leaf: i, time: timeInt96}
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
		return keyColumn{leaf: i, time: timeMillis}
	case rewrite.Micros:
		return keyColumn{leaf: i, time: timeMicros}
	default:
		return keyColumn{leaf: i, time: timeNanos}
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
func (form idForm) ids(v *rewrite.Vector, scratch *rewrite.Bytes) rewrite.Bytes {
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
func (form idForm) entries(d *rewrite.Dictionary, scratch *rewrite.Bytes) rewrite.Bytes {
	scratch.Data, scratch.Ends = scratch.Data[:0], scratch.Ends[:0]
	for i := range d.Len() {
		scratch.Data = form.appendEntry(scratch.Data, d, i)
		scratch.Ends = append(scratch.Ends, uint32(len(scratch.Data)))
	}
	return *scratch
}

func (form idForm) appendEntry(dst []byte, d *rewrite.Dictionary, i int) []byte {
	switch form {
	case idText:
		return append(dst, d.Bytes(i)...)
	case idUUID:
		return schema.AppendUUID(dst, d.Bytes(i))
	default:
		return form.appendInt(dst, d.Int(i))
	}
}

func (form idForm) appendInt(dst []byte, v int64) []byte {
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
func (form idForm) append(dst []byte, v *rewrite.Vector, slot int) []byte {
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
func (form timeForm) instants(v *rewrite.Vector, out []schema.Instant) {
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
type binding struct {
	leaves   []int // to ask of rewrite.File.Keys, each once
	record   boundColumn
	roles    []boundColumn // parties, then the other subjects
	parties  int           // how many of roles are parties
	moments  []boundColumn
	contract boundColumn // at < 0: none
}

// boundColumn is a key column by its place among the columns of a batch.
type boundColumn struct {
	at int
	keyColumn
}

func (b *binding) add(c keyColumn) boundColumn {
	for at, leaf := range b.leaves {
		if leaf == c.leaf {
			return boundColumn{at, c}
		}
	}
	b.leaves = append(b.leaves, c.leaf)
	return boundColumn{len(b.leaves) - 1, c}
}

// bind finds the data set's columns in a file. roles are those in use: see plannedDataset.
func bind(f *rewrite.File, d *schema.Dataset) (*binding, error) {
	find := finder{file: f, assumeUTC: d.AssumeUTC}
	b := &binding{parties: len(d.Parties), contract: boundColumn{at: -1}}
	record := find.id("record", d.Record, false)
	b.record = b.add(record)
	for _, r := range d.Parties {
		b.roles = append(b.roles, b.add(find.id("parties."+r.Name, r.Column, true)))
	}
	for _, r := range d.Subjects {
		b.roles = append(b.roles, b.add(find.id("subjects."+r.Name, r.Column, true)))
	}
	for _, m := range d.Moments {
		b.moments = append(b.moments, b.add(find.instant("moments."+m.Name, m.Column)))
	}
	if d.Contract != "" {
		b.contract = b.add(find.id("contract", d.Contract, false))
	}
	return b, find.err
}

// roleAccounts turns a role's column into the accounts of the index and those of
// the manifests, batch by batch. What a dictionary names is looked up once.
type roleAccounts struct {
	form    idForm
	index   *filter.Index
	table   *manifests.Accounts
	join    *joinCounter // nil for a role that is no party
	scratch rewrite.Bytes

	dict         *rewrite.Dictionary
	dictAccounts []filter.Account
	dictHandles  []manifests.Account // nil: not looked up since the table was trimmed

	// Of the last batch:
	accounts filter.Accounts
	handles  []manifests.Account // beside accounts.IDs
}

// forget drops the manifests' numbers, which a trimmed table has voided.
func (r *roleAccounts) forget() { r.dictHandles = r.dictHandles[:0] }

// read takes the role's vector of a batch.
func (r *roleAccounts) read(v *rewrite.Vector) {
	r.accounts.Offsets = v.Offsets
	r.accounts.IDs = r.accounts.IDs[:0]
	r.handles = r.handles[:0]
	if v.Dict == nil {
		ids := r.form.ids(v, &r.scratch)
		r.accounts.IDs = r.lookup(r.accounts.IDs, ids)
		r.handles = r.appendHandles(r.handles, ids)
		return
	}
	r.readDictionary(v.Dict)
	for i, entry := range v.Index {
		if v.Null != nil && v.Null[i] {
			r.accounts.IDs = append(r.accounts.IDs, filter.Null)
			r.handles = append(r.handles, manifests.NoAccount)
			continue
		}
		r.accounts.IDs = append(r.accounts.IDs, r.dictAccounts[entry])
		r.handles = append(r.handles, r.dictHandles[entry])
	}
}

func (r *roleAccounts) readDictionary(d *rewrite.Dictionary) {
	fresh := r.dict != d
	if !fresh && (len(r.dictHandles) > 0 || d.Len() == 0) {
		return
	}
	ids := r.form.entries(d, &r.scratch)
	if fresh {
		r.dict = d
		r.dictAccounts = r.lookup(r.dictAccounts[:0], ids)
	}
	r.dictHandles = r.appendHandles(r.dictHandles[:0], ids)
}

func (r *roleAccounts) lookup(dst []filter.Account, ids rewrite.Bytes) []filter.Account {
	n := len(dst)
	dst = r.index.AppendAccounts(dst, ids.Data, ids.First, ids.Ends)
	if r.join != nil {
		for i, a := range dst[n:] {
			if a != filter.Null {
				r.join.add(a, ids.At(i))
			}
		}
	}
	return dst
}

func (r *roleAccounts) appendHandles(dst []manifests.Account, ids rewrite.Bytes) []manifests.Account {
	if ids.First == 0 {
		return r.table.AppendAccounts(dst, ids.Data, ids.Ends)
	}
	for i := range ids.Len() {
		dst = append(dst, r.table.Account(ids.At(i)))
	}
	return dst
}
