package job

import (
	"context"
	"errors"
	"fmt"
	"io"

	"assent/job/internal/pages"
	"assent/job/internal/sample"
)

// SampleOptions configure the verb sample.
type SampleOptions struct {
	Dir  string // new or empty
	Rows int64  // messages
	Seed uint64
}

// Validate complains of what cannot be.
func (o *SampleOptions) Validate() error {
	if o.Dir == "" {
		return UsageError("", "sample needs --to DIR")
	}
	return nil
}

// SampleResult is the answer of sample.
type SampleResult struct {
	sample.Summary
}

// Sample writes a small marketplace to try the program on.
func (e *Env) Sample(ctx context.Context, o SampleOptions) (*SampleResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	opts := sample.Options{Dir: o.Dir, Rows: o.Rows, Seed: o.Seed}
	if err := opts.Validate(); err != nil {
		return nil, UsageError("", "%w", err)
	}
	bar := e.Progress.Start(opts.DatasetRows())
	defer bar.Stop()
	done := int64(0)
	opts.Progress = func(rows int64) { bar.Add(rows - done); done = rows }
	s, err := sample.Generate(ctx, opts)
	if errors.Is(err, sample.ErrNotEmpty) {
		return nil, UsageError("name a directory that is new or empty", "%w", err)
	}
	if err != nil {
		return nil, err
	}
	return &SampleResult{s}, nil
}

// WriteText says what was written and what to do with it.
func (r *SampleResult) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "a marketplace of %s messages in %s\ntry: assent run -c %s/job.yaml\n", pages.Count(r.Messages), r.Dir, r.Dir)
	return err
}
