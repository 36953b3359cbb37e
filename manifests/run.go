package manifests

import (
	"errors"
	"io"
	"time"

	"assent/schema"
)

// SchemaVersion is the version of run.json that this package writes. A reader takes
// no other; added fields do not raise it.
const SchemaVersion = 1

// Run is a run manifest. All times are UTC.
type Run struct {
	SchemaVersion int                `json:"schema_version"`
	RunID         string             `json:"run_id"` // <horizon as 20060102T150405Z>-<12 hex>
	Tool          Tool               `json:"tool"`
	Program       Program            `json:"program"`
	ConsentAsOf   time.Time          `json:"consent_as_of"`  // the horizon
	RequestsAsOf  *time.Time         `json:"requests_as_of"` // null where there is no ledger of deletions
	PolicyDigest  string             `json:"policy_digest"`  // 64 hex digits
	Inputs        []Input            `json:"inputs"`
	Datasets      map[string]Dataset `json:"datasets"`
	Gates         []Gate             `json:"gates"`
	Use           map[string]Use     `json:"use"` // by data set
	Invocation    Invocation         `json:"invocation"`
}

// Tool names the program that made the run.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Program is the training programme under whose terms the run was made.
type Program struct {
	Name     string    `json:"name"`
	StartsAt time.Time `json:"starts_at"`
	Default  string    `json:"default"` // schema.State
}

// Input is a file that the run read. Either Role (consent, deletions, restrictions,
// accounts) or Dataset is set.
type Input struct {
	Role     string `json:"role,omitempty"`
	Dataset  string `json:"dataset,omitempty"`
	Path     string `json:"path"` // as configured, completed by the path below it
	Bytes    int64  `json:"bytes"`
	Identity string `json:"identity"` // generation or checksum
	Rows     int64  `json:"rows"`
}

// Dataset is the outcome of a data set: sums over its files.
type Dataset struct {
	Category         string       `json:"category"`
	RowsIn           int64        `json:"rows_in"`
	RowsKept         int64        `json:"rows_kept"`
	RowsExcluded     int64        `json:"rows_excluded"`
	ExcludedByReason ReasonCounts `json:"excluded_by_reason"`
	Files            []File       `json:"files"` // by source
}

// ReasonCounts counts records by primary reason. Its JSON is an object that has all
// reasons, in their order.
type ReasonCounts [schema.NumReasons]int64

// Total returns the sum.
func (c *ReasonCounts) Total() int64 { return 0 }

// File is the outcome of an input file. Paths but Source are relative to the run's
// root, slash-separated.
type File struct {
	Source           string       `json:"source"` // below the data set's root
	Output           string       `json:"output"`
	RowsIn           int64        `json:"rows_in"`
	RowsKept         int64        `json:"rows_kept"`
	ExcludedByReason ReasonCounts `json:"excluded_by_reason"`
	Bytes            int64        `json:"bytes"` // of Output, as is SHA256
	SHA256           string       `json:"sha256"`
	Pages            Pages        `json:"pages"`
	Exclusions       string       `json:"exclusions"`
	ExclusionsBytes  int64        `json:"exclusions_bytes"`
	ExclusionsSHA256 string       `json:"exclusions_sha256"`
	Subjects         string       `json:"subjects"`
	SubjectsBytes    int64        `json:"subjects_bytes"`
	SubjectsSHA256   string       `json:"subjects_sha256"`
}

// Pages counts data pages by what became of them.
type Pages struct {
	Copied   int64 `json:"copied"`
	Filtered int64 `json:"filtered"`
	Dropped  int64 `json:"dropped"`
}

// Gate is a check that a run passed before it was published.
type Gate struct {
	Name    string   `json:"name"` // key under gates in the configuration
	Dataset string   `json:"dataset,omitempty"`
	Role    string   `json:"role,omitempty"`
	Limit   float64  `json:"limit"` // a share, or seconds
	Value   *float64 `json:"value"` // null where the gate is off
	Passed  bool     `json:"passed"`
}

// Use says what a data set may train.
type Use struct {
	Audience           string `json:"audience"` // schema.Category.Audience
	ThirdPartyTraining bool   `json:"third_party_training"`
}

// Invocation is what differs between repeats of a run, and nothing else.
type Invocation struct {
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	Workers    int       `json:"workers"`
}

// Marshal returns the manifest's bytes: indented JSON in a fixed order, with a final
// newline. It fails where Validate does.
func (r *Run) Marshal() ([]byte, error) { return nil, errors.ErrUnsupported }

// Validate checks the manifest against itself: conservation of rows for each file,
// each data set and in total, well-formed names, paths and digests.
func (r *Run) Validate() error { return errors.ErrUnsupported }

// ParseRun reads a run manifest. Fields it does not know are ignored, another schema
// version is an error, and so is what Validate refuses.
func ParseRun(data []byte) (*Run, error) { return nil, errors.ErrUnsupported }

// ReadRun is ParseRun of all of r, which it bounds.
func ReadRun(r io.Reader) (*Run, error) { return nil, errors.ErrUnsupported }

// SameOutcome returns nil where two runs differ in nothing but their invocations,
// else an error that names the first difference.
func SameOutcome(a, b *Run) error { return errors.ErrUnsupported }
