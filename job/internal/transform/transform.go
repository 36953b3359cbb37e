// Package transform changes what is handed over of a kept record: it leaves columns out, replaces ids by pseudonyms and what lets a
// person be reached by its kind, and cuts instants. It never touches what decisions are made by, which are the columns of the input.
//
// Words:
//
//   - handover: what a data set's configuration says of all this (schema.Handover).
//   - transform: what becomes of one column. It is one file here for each kind, and a [rewrite.Transform] for each column of a file.
//   - pseudonym: hex(HMAC-SHA-256(key, "pseudonym:" + canonical id))[:32]. The same id has the same one in all data sets and runs that
//     share a key, so that published data sets still join.
//
// To add a kind: a field of schema.Handover with its key in config, a file here that makes a rewrite.Mapper, a case in file.change,
// and its check in package verify, which shares no code with this one.
package transform

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"sync/atomic"

	"assent/job/internal/source/listing"
	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// Rules are what is to become of a data set's columns.
type Rules struct {
	Dataset *schema.Dataset
	Key     *manifests.Key // of pseudonyms; nil where none are made
}

// A ColumnError says that a file's column cannot be left out or changed.
type ColumnError struct {
	Key    string // of the data set's configuration
	Column string
	Hint   string
	Err    error
}

// Error returns "column: cause".
func (e *ColumnError) Error() string {
	if e.Column == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("column %q: %v", e.Column, e.Err)
}

// Unwrap returns the cause.
func (e *ColumnError) Unwrap() error { return e.Err }

func columnErrorf(key, column, hint, format string, args ...any) error {
	return &ColumnError{Key: key, Column: column, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// File is what is to become of one file's columns, and counts what does.
type File struct {
	Drop       []int                     // leaves, as in rewrite.Options
	Transforms map[int]rewrite.Transform // by leaf
	Lacking    []schema.Change           // what is named and is not in the file

	counts []count
}

// count counts what becomes of a column.
type count struct {
	manifests.Transform
	values *atomic.Int64
	found  []atomic.Int64 // details that were replaced, by redact.Kind
}

// Bind finds the columns of a file, of which rel is the path below the data set's root. Its errors are *ColumnError.
func (r *Rules) Bind(f *rewrite.File, rel string) (*File, error) {
	h := &r.Dataset.Handover
	out := &File{Transforms: map[int]rewrite.Transform{}}
	if h.Everything() {
		return out, nil
	}
	if err := r.notInPath(rel); err != nil {
		return nil, err
	}
	b := binder{Rules: r, f: f, rel: rel, out: out}
	if err := b.drop(); err != nil {
		return nil, err
	}
	for _, c := range h.Changes() {
		if err := b.change(c); err != nil {
			return nil, err
		}
	}
	err := f.CheckLayout(&rewrite.Options{Drop: out.Drop, Transforms: out.Transforms})
	if errors.Is(err, rewrite.ErrPartOfWhole) {
		return nil, columnErrorf(b.dropKey(), "", "name the column above it", "%w", err)
	}
	return out, err
}

// notInPath refuses columns that are keys of the file's directories: published files have the same paths.
func (r *Rules) notInPath(rel string) error {
	const hint = "published files lie under the paths of the inputs, so what a directory says stays: write the inputs without it"
	h := &r.Dataset.Handover
	for _, k := range listing.Keys(path.Dir(rel)) {
		at := slices.IndexFunc(h.Changes(), func(c schema.Change) bool { return c.Column == k.Name })
		switch {
		case slices.Contains(h.Drop, k.Name):
			return columnErrorf("columns.drop", k.Name, hint, "stands in the path of the file")
		case at >= 0:
			return columnErrorf(h.Changes()[at].Key, k.Name, hint, "stands in the path of the file")
		case len(h.Keep) > 0 && !slices.Contains(h.Keep, k.Name):
			return columnErrorf("columns.keep", k.Name, hint+", or keep it", "stands in the path of the file, and is not kept")
		}
	}
	return nil
}

// inPath reports whether a column is a key of the file's directories.
func inPath(rel, column string) bool {
	return slices.ContainsFunc(listing.Keys(path.Dir(rel)), func(k listing.Key) bool { return k.Name == column })
}

// Counts returns what became of the columns, once the file is written.
func (f *File) Counts() (all []manifests.Transform) {
	for i := range f.counts {
		c := &f.counts[i]
		if c.values != nil {
			c.Values = c.values.Load()
		}
		c.Redactions = c.redacted()
		all = append(all, c.Transform)
	}
	return all
}

// A binder finds the columns of one file.
type binder struct {
	*Rules
	f   *rewrite.File
	rel string
	out *File
}

func (b *binder) dropKey() string {
	if len(b.Dataset.Handover.Keep) > 0 {
		return "columns.keep"
	}
	return "columns.drop"
}

// drop finds the columns that are left out.
func (b *binder) drop() error {
	h, key := &b.Dataset.Handover, b.dropKey()
	var named []int
	for _, name := range slices.Concat(h.Drop, h.Keep) {
		leaves := b.f.Select(name)
		if leaves == nil && !inPath(b.rel, name) {
			b.out.Lacking = append(b.out.Lacking, schema.Change{Key: key, Column: name})
		}
		named = append(named, leaves...)
		if len(h.Drop) > 0 && leaves != nil {
			b.count(name, manifests.Dropped, "")
		}
	}
	for leaf := range b.f.Columns() {
		dropped := slices.Contains(named, leaf)
		if len(h.Keep) > 0 {
			if dropped = !dropped; dropped {
				b.count(b.f.Columns()[leaf].Short(), manifests.Dropped, "")
			}
		}
		if dropped {
			b.out.Drop = append(b.out.Drop, leaf)
		}
	}
	if record, err := b.f.Lookup(b.Dataset.Record); err == nil && slices.Contains(b.out.Drop, record) {
		return columnErrorf(key, b.Dataset.Record, "", "is the record's id, by which manifests, explain, access and diff name a record: it stays")
	}
	return nil
}

func (b *binder) count(column string, action manifests.Action, to schema.Grain) *atomic.Int64 {
	c := count{Transform: manifests.Transform{Column: column, Action: action, To: string(to)}}
	if action != manifests.Dropped {
		c.values = new(atomic.Int64)
	}
	b.out.counts = append(b.out.counts, c)
	return c.values
}

// change finds a column whose values are changed.
func (b *binder) change(c schema.Change) error {
	leaf, err := b.f.Lookup(c.Column)
	switch {
	case errors.Is(err, parquet.ErrNoColumn) && b.f.Select(c.Column) != nil:
		return columnErrorf(c.Key, c.Column, "name its fields, as "+c.Column+".FIELD", "has fields of its own")
	case errors.Is(err, parquet.ErrNoColumn):
		b.out.Lacking = append(b.out.Lacking, c)
		return nil
	case err != nil:
		return columnErrorf(c.Key, c.Column, "", "%w", err)
	case slices.Contains(b.out.Drop, leaf):
		return columnErrorf(c.Key, c.Column, "", "is left out by %s: it is one or the other", b.dropKey())
	}
	if record, err := b.f.Lookup(b.Dataset.Record); err == nil && record == leaf {
		return columnErrorf(c.Key, c.Column, "", "is the record's id, by which manifests, explain, access and diff name a record: it stays as it is")
	}
	if _, twice := b.out.Transforms[leaf]; twice {
		return columnErrorf(c.Key, c.Column, "", "is changed by two keys")
	}
	if b.f.Columns()[leaf].Logical.Kind == parquet.Unknown {
		return nil // its type says that all of its values are null
	}
	var t rewrite.Transform
	switch c.Key {
	case "pseudonymise":
		t, err = b.pseudonymise(leaf, c.Column)
	case "redact":
		t, err = b.redact(leaf, c.Column)
	case "coarsen":
		t, err = b.coarsen(leaf, c.Column)
	}
	if err == nil {
		b.out.Transforms[leaf] = t
	}
	return err
}
