package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/pages"
	"assent/job/internal/publish"
	"assent/job/internal/runpage"
	"assent/manifests"
)

// The verb report: what a run did as a page, made again from what the run left.

// ReportOptions configure the verb report.
type Options struct {
	Run string // URI of the run's directory
	To  string // URI of a file, replaced where there is one
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

// ReportResult is the answer of report.
type Result struct {
	Report string `json:"report"`
	RunID  string `json:"run_id"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Report writes the report of a published run to a file. It reads run.json and the
// counts by day alone, against their digests.
func Run(ctx context.Context, e *job.Env, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	output, dir, err := publish.SplitRun(o.Run)
	if err != nil {
		return nil, err
	}
	store, err := e.Opener.OpenLocation(ctx, output)
	if err != nil {
		return nil, err
	}
	out := &publish.Output{Store: store, Log: e.Log}
	run, page, err := rebuild(ctx, out, dir)
	if err != nil {
		return nil, changed(err)
	}
	if run == nil {
		return nil, out.NoRun(ctx, dir)
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

// rebuild makes the report of a published run; the run is nil where there is none.
func rebuild(ctx context.Context, p *publish.Output, dir string) (*manifests.Run, []byte, error) {
	run, digest, err := p.Published(ctx, dir)
	if err != nil || run == nil {
		return nil, nil, err
	}
	data, _, err := p.Store.Read(ctx, path.Join(dir, manifests.DailyPath))
	if err != nil {
		return nil, nil, err
	}
	uri := p.Store.URI(path.Join(dir, manifests.DailyPath))
	if manifests.SHA256(data) != run.Daily.SHA256 {
		return nil, nil, fmt.Errorf("%s: %w", uri, publish.ErrSeal)
	}
	page, err := runpage.Again(run, digest, data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", uri, err)
	}
	return run, page, nil
}

// changed makes errors that say that a run is not as it was published refusals.
func changed(err error) error {
	var e *job.Error
	if errors.As(err, &e) || !publish.Damaged(err) {
		return err
	}
	return job.Refused("the run is not as it was published: see `assent verify`, and publish again", "%w", err)
}

// WriteText writes the answer for people.
func (r *Result) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "the report of %s is in %s (%s bytes): open it in any browser\n", r.RunID, r.Report, pages.Count(r.Bytes))
	return err
}
