package manifests

import (
	"errors"
	"io"
	"iter"
)

// SubjectIndexWriter writes the subject index of one input file.
type SubjectIndexWriter struct{}

// NewSubjectIndexWriter returns a writer to w, which it does not close. Accounts are
// those of the pairs that are to come.
func NewSubjectIndexWriter(w io.Writer, accounts *Accounts, meta Meta) *SubjectIndexWriter {
	return nil
}

// Reset makes the writer ready for another file, keeping its memory.
func (s *SubjectIndexWriter) Reset(w io.Writer, accounts *Accounts, meta Meta) {}

// Add says that a row of the input file names an account under a role (index in
// Meta.Roles), and whether the row is kept. Rows do not descend; roles of one row
// come in any order, repeats are merged. NoAccount is skipped.
func (s *SubjectIndexWriter) Add(account Account, row int64, role uint8, kept bool) error {
	return errors.ErrUnsupported
}

// Close writes what is left and the footer. Without it there is no index.
func (s *SubjectIndexWriter) Close() (Written, error) { return Written{}, errors.ErrUnsupported }

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
