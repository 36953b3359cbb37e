// Package report writes again the page that says what a published run did, from the run's
// manifests alone.
package report

import (
	"context"
	"fmt"
	"io"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/pages"
	"assent/job/internal/publish"
	"assent/job/internal/runpage"
	"assent/job/plain"
	"assent/manifests"
)

// Options configure report.
// The tags are those of the command line.
type Options struct {
	Run string `required:"" placeholder:"URI" help:"The run's directory, <output>/run=<id>."`
	To  string `required:"" placeholder:"FILE" help:"The HTML file to write."` // a URI; replaced where there is one
}

// Validate complains of what cannot be.
func (o *Options) Validate() error {
	switch {
	case o.Run == "":
		return job.UsageError("`assent runs -c job.yaml` lists them", "no run: name its directory with --run")
	case o.To == "":
		return job.UsageError("", "no file: name it with --to")
	}
	return nil
}

// Result is the answer.
type Result struct {
	Report string `json:"report"`
	RunID  string `json:"run_id"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Run writes the report of a published run to a file. It reads run.json and the
// counts by day alone, against their digests.
func Run(ctx context.Context, e *job.Env, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	run, err := publish.OpenRun(ctx, e, o.Run)
	if err != nil {
		return nil, err
	}
	daily, err := run.Read(ctx, run.Daily)
	if err != nil {
		return nil, err
	}
	page, err := runpage.Again(run.Run, run.Digest, daily)
	if err != nil {
		return nil, run.Fault(run.Daily.Path, err)
	}
	target, name, err := publish.OpenTarget(ctx, e, o.To)
	if err != nil {
		return nil, err
	}
	if _, err := target.Put(ctx, name, page, objstore.Any); err != nil {
		return nil, fmt.Errorf("--to: %w", err)
	}
	return &Result{Report: o.To, RunID: run.RunID, Bytes: int64(len(page)), SHA256: manifests.SHA256(page)}, nil
}

// WriteText writes the answer for people.
func (r *Result) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "the report of %s is in %s (%s bytes): open it in any browser\n", r.RunID, plain.Line(r.Report), pages.Count(r.Bytes))
	return err
}
