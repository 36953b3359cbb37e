package sample

import (
	"context"
	"fmt"
	"io"

	"assent/job"
	"assent/job/internal/pages"
)

// The size of a sample, in messages.
const (
	MinRows = 1_000 // below it the planted rows would not leave room for others
	MaxRows = 1_000_000_000_000
)

// Options configure the verb sample.
type Options struct {
	Dir  string // new or empty
	Rows int64  // messages, MinRows to MaxRows; deliverables are a tenth of them, events a half
	Seed uint64 // another seed, another marketplace
}

// Validate complains of what cannot be.
func (o *Options) Validate() error {
	if o.Dir == "" {
		return job.UsageError("", "sample needs --to DIR")
	}
	if o.Rows < MinRows || o.Rows > MaxRows {
		return job.UsageError("", "sample: %d rows: not between %d and %d", o.Rows, int64(MinRows), int64(MaxRows))
	}
	return nil
}

// datasetRows returns the rows of all three data sets together.
func (o *Options) datasetRows() int64 { return o.Rows + o.deliverables() + o.events() }

func (o *Options) deliverables() int64 { return o.Rows / 10 }
func (o *Options) events() int64       { return o.Rows / 2 }

// Result is the answer of sample: what was written.
type Result struct {
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
	Aliases      int64  `json:"aliases"`
	Memberships  int64  `json:"memberships"`
	Files        int    `json:"files"` // of Parquet
	Bytes        int64  `json:"bytes"` // of them
}

// Run writes a small marketplace to try the program on. After an error nothing of it
// is left.
func Run(ctx context.Context, e *job.Env, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	bar := e.Progress.Start(o.datasetRows())
	defer bar.Stop()
	r, err := generate(ctx, o, bar.Add)
	if err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	return r, nil
}

// WriteText says what was written and what to do with it.
func (r *Result) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "a marketplace of %s messages in %s\ntry: assent run -c %s/job.yaml\n", pages.Count(r.Messages), r.Dir, r.Dir)
	return err
}
