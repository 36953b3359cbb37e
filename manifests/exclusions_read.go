package manifests

import (
	"errors"
	"io"
	"iter"

	"assent/schema"
)

// Exclusion is one row of an exclusion manifest, as read.
type Exclusion struct {
	RecordID   string
	SourceFile string
	SourceRow  int64
	Reason     schema.Reason
	Reasons    []schema.Reason // as stored
	Moment     schema.Instant  // Unknown where null
	Subjects   []ExcludedSubject
	RequestID  string // "" where null
}

// ExcludedSubject is a subject of an Exclusion.
type ExcludedSubject struct {
	Ref   Ref // zero where the record has null or an empty id
	Role  string
	Cause Cause
	Since schema.Instant // Unknown where null
}

// Exclusions is an open exclusion manifest.
type Exclusions struct{}

// OpenExclusions reads the footer of an exclusion manifest of size bytes.
func OpenExclusions(r io.ReaderAt, size int64) (*Exclusions, error) {
	return nil, errors.ErrUnsupported
}

// Meta returns what the file says of itself.
func (x *Exclusions) Meta() Meta { return Meta{} }

// NumRows returns the number of exclusions that the footer claims.
func (x *Exclusions) NumRows() int64 { return 0 }

// All yields the exclusions in order and ends after the first error. The slices of
// an Exclusion are valid until the next one.
func (x *Exclusions) All() iter.Seq2[Exclusion, error] { return nil }
