package sample

import (
	"context"
	"errors"
	"fmt"
	"io"

	"assent/job"
	"assent/job/internal/pages"
)

// Result is the answer of sample.
type Result struct {
	Summary
}

// Run writes a small marketplace to try the program on.
func Run(ctx context.Context, e *job.Env, o Options) (*Result, error) {
	if o.Dir == "" {
		return nil, job.UsageError("", "sample needs --to DIR")
	}
	if err := o.Validate(); err != nil {
		return nil, job.UsageError("", "%w", err)
	}
	bar := e.Progress.Start(o.DatasetRows())
	defer bar.Stop()
	done := int64(0)
	o.Progress = func(rows int64) { bar.Add(rows - done); done = rows }
	s, err := Generate(ctx, o)
	if errors.Is(err, ErrNotEmpty) {
		return nil, job.UsageError("name a directory that is new or empty", "%w", err)
	}
	if err != nil {
		return nil, err
	}
	return &Result{s}, nil
}

// WriteText says what was written and what to do with it.
func (r *Result) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "a marketplace of %s messages in %s\ntry: assent run -c %s/job.yaml\n", pages.Count(r.Messages), r.Dir, r.Dir)
	return err
}
