package manifests

import (
	"errors"
	"io"
	"iter"

	"assent/schema"
)

// Meta says of which input file a manifest speaks.
type Meta struct {
	RunID   string
	Dataset string
	Source  string   // path of the input file below the data set's root
	Roles   []string // the data set's roles, parties first; at most MaxRoles
}

// MaxRoles is how many roles a data set may have.
const MaxRoles = 16

// Written says what a manifest's writer wrote.
type Written struct {
	Rows  int64 // exclusions, or distinct pairs of account and record
	Bytes int64
}

// Cause says why a subject is a reason for a record's exclusion.
type Cause uint8

// The causes. The zero value says that the subject is none.
const (
	NoCause Cause = iota
	CauseOptedOut
	CauseDeletionRequested
	CausePartyUnknown
)

// String returns the cause's code in manifests, "" for NoCause.
func (c Cause) String() string { return "" }

// Subject is an account that an excluded record names, as written.
type Subject struct {
	Account Account // NoAccount where the record has null or an empty id
	Role    uint8   // index in Meta.Roles
	Cause   Cause
	Since   schema.Instant // of the event that made it a cause; Unknown for null
}

// ExclusionWriter writes the exclusion manifest of one input file.
type ExclusionWriter struct{}

// NewExclusionWriter returns a writer to w, which it does not close. Accounts are
// those of the subjects that are to come.
func NewExclusionWriter(w io.Writer, accounts *Accounts, meta Meta) *ExclusionWriter { return nil }

// Reset makes the writer ready for another file, keeping its memory.
func (w *ExclusionWriter) Reset(dst io.Writer, accounts *Accounts, meta Meta) {}

// Append writes one excluded record: its id as text, its row in the input file
// (ascending), the reasons (not empty), the moment of the primary one (or Unknown),
// its subjects (role by role, list elements in their order) and the deletion request's
// id, or "". Nothing given is kept. It does not allocate once buffers have grown.
func (w *ExclusionWriter) Append(recordID []byte, row int64, reasons schema.Reasons, moment schema.Instant, subjects []Subject, requestID string) error {
	return errors.ErrUnsupported
}

// Close writes what is left and the footer. Without it there is no manifest.
func (w *ExclusionWriter) Close() (Written, error) { return Written{}, errors.ErrUnsupported }

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

// Meta returns what the file says of itself, without Roles.
func (x *Exclusions) Meta() Meta { return Meta{} }

// NumRows returns the number of exclusions that the footer claims.
func (x *Exclusions) NumRows() int64 { return 0 }

// All yields the exclusions in order and ends after the first error. The slices of
// an Exclusion are valid until the next one.
func (x *Exclusions) All() iter.Seq2[Exclusion, error] { return nil }
