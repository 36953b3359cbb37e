package manifests

import (
	"errors"
	"io"
	"iter"
)

// SubjectIndex is an open subject index.
type SubjectIndex struct{}

// OpenSubjectIndex reads the footer of a subject index of size bytes.
func OpenSubjectIndex(r io.ReaderAt, size int64) (*SubjectIndex, error) {
	return nil, errors.ErrUnsupported
}

// Meta returns what the file says of itself.
func (x *SubjectIndex) Meta() Meta { return Meta{} }

// SubjectRow is a row of an input file that names an account.
type SubjectRow struct {
	Row   int64
	Kept  bool
	Roles []string // in the data set's order; not to be changed
}

// Lookup returns the rows that name an account, ascending; none is not an error. It
// reads only pages that can hold the reference.
func (x *SubjectIndex) Lookup(ref Ref) ([]SubjectRow, error) { return nil, errors.ErrUnsupported }

// SubjectRows is one entry of the index: rows that name one account under the same
// roles with the same outcome. An account may have several, also in several segments.
type SubjectRows struct {
	Ref   Ref
	Roles []string
	Kept  bool
	Rows  []int64 // ascending
}

// All yields all entries, by segment and then by reference, and ends after the first
// error. The slices are valid until the next one.
func (x *SubjectIndex) All() iter.Seq2[SubjectRows, error] { return nil }
