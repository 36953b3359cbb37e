package sample

import (
	"errors"
	"fmt"
)

// The size of a sample, in messages.
const (
	DefaultRows = 200_000
	MinRows     = 1_000 // below it the planted rows would not leave room for others
	MaxRows     = 1_000_000_000_000
)

// ErrNotEmpty means that the directory for the sample holds something already.
var ErrNotEmpty = errors.New("directory is not empty")

// Options say what to write where.
type Options struct {
	Dir  string // new or empty
	Rows int64  // messages, MinRows to MaxRows; deliverables are a tenth of them, events a half
	Seed uint64

	// Progress, where it is set, is told how many rows of data sets have been written,
	// of DatasetRows in all. Calls do not overlap, and the number never falls.
	Progress func(rows int64)
}

// Validate reports what is wrong with the options.
func (o Options) Validate() error {
	if o.Dir == "" {
		return errors.New("sample: no directory named")
	}
	if o.Rows < MinRows || o.Rows > MaxRows {
		return fmt.Errorf("sample: %d rows: not between %d and %d", o.Rows, int64(MinRows), int64(MaxRows))
	}
	return nil
}

// DatasetRows returns the rows of all three data sets together.
func (o Options) DatasetRows() int64 { return o.Rows + o.deliverables() + o.events() }

func (o Options) deliverables() int64 { return o.Rows / 10 }
func (o Options) events() int64       { return o.Rows / 2 }

// Summary says what was written.
type Summary struct {
	Dir          string `json:"dir"`
	Config       string `json:"config"` // path of the job.yaml
	Seed         uint64 `json:"seed"`
	Messages     int64  `json:"messages"`
	Deliverables int64  `json:"deliverables"`
	Events       int64  `json:"events"`
	Accounts     int64  `json:"accounts"` // in the registry
	Consent      int64  `json:"consent_events"`
	Deletions    int64  `json:"deletion_requests"`
	Restrictions int64  `json:"restrictions"`
	Files        int    `json:"files"` // of Parquet
	Bytes        int64  `json:"bytes"` // of them
}
