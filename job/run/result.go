package run

import (
	"assent/job"
	"assent/job/internal/pages"
	"assent/job/internal/publish"
	"assent/manifests"
	"assent/schema"
	"fmt"
	"io"
	"slices"
	"time"
)

// Status says how a run ended.
type Status string

// The ways in which run ends without an error.
const (
	Published        Status = "published"
	AlreadyPublished Status = "already_published"
	DryRun           Status = "dry_run"
)

// Result is the answer of run.
type Result struct {
	Status   Status                   `json:"status"`
	RunID    string                   `json:"run_id"`
	URI      string                   `json:"uri"` // of the run's directory
	Current  bool                     `json:"current"`
	Horizon  time.Time                `json:"consent_as_of"`
	Datasets map[string]DatasetCounts `json:"datasets"`
	Joins    []manifests.Join         `json:"joins"` // of the control inputs
	Since    *SinceLast               `json:"since,omitempty"`
	Reused   *manifests.Reused        `json:"reused,omitempty"` // from an earlier run
	order    []string
	files    int // of all data sets
}

// SinceLast sums up what changed since the run that was current before.
type SinceLast struct {
	RunID string `json:"run_id"`
	manifests.Change
}

// DatasetCounts are a data set's figures.
type DatasetCounts struct {
	RowsIn           int64                  `json:"rows_in"`
	RowsKept         int64                  `json:"rows_kept"`
	RowsExcluded     int64                  `json:"rows_excluded"`
	ExcludedByReason manifests.ReasonCounts `json:"excluded_by_reason"`
}

// result is the answer for a run.
func (r *runner) result(run *manifests.Run, status Status, current bool) *Result {
	r.seen.run = run
	out := &Result{
		Status: status, RunID: run.RunID, URI: r.out.Store.URI(publish.RunDir(run.RunID)), Current: current,
		Horizon: run.ConsentAsOf, Datasets: map[string]DatasetCounts{}, Joins: run.Joins, Reused: run.Invocation.Reused,
	}
	if since := run.Invocation.Since; since != nil {
		out.Since = &SinceLast{since.RunID, since.Change()}
	}
	for _, in := range run.Inputs { // in the order of the configuration
		if in.Dataset != "" && !slices.Contains(out.order, in.Dataset) {
			out.order = append(out.order, in.Dataset)
		}
	}
	for name, d := range run.Datasets {
		out.files += len(d.Files)
		out.Datasets[name] = DatasetCounts{d.RowsIn, d.RowsKept, d.RowsExcluded, d.ExcludedByReason}
	}
	return out
}

// WriteText writes the outcome of a run as a table: a row a data set, a column a reason.
func (r *Result) WriteText(w io.Writer) error {
	t := job.NewTable(w)
	var used []schema.Reason // reasons that occur
	var total DatasetCounts
	for _, d := range r.Datasets {
		total.RowsIn += d.RowsIn
		total.RowsKept += d.RowsKept
		total.RowsExcluded += d.RowsExcluded
		total.ExcludedByReason.Add(&d.ExcludedByReason)
	}
	for _, reason := range schema.AllReasons() {
		if total.ExcludedByReason[reason] > 0 {
			used = append(used, reason)
		}
	}
	header := []string{"data set", "records", "kept", "", "excluded"}
	for _, reason := range used {
		header = append(header, reason.String())
	}
	t.Row(header...)
	for _, name := range r.order {
		t.Row(countRow(name, r.Datasets[name], used)...)
	}
	t.Row(countRow("total", total, used)...)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, j := range r.Joins {
		if n := j.Unmatched(); n > 0 {
			fmt.Fprintf(w, "inputs.%s: %s of %s ids are in no record\n", j.Role, pages.Count(n), pages.Count(j.IDs))
		}
	}
	if s := r.Since; s != nil {
		fmt.Fprintf(w, "since %s: kept then, excluded now: %s, of files that are gone: %s; excluded then, kept now: %s, of new files: %s\n",
			s.RunID, pages.Count(s.NowExcluded), pages.Count(s.GoneKept), pages.Count(s.NowKept), pages.Count(s.NewKept))
	}
	if u := r.Reused; u != nil {
		fmt.Fprintf(w, "taken over from %s: %s of %s files, %s row groups of others\n", u.RunID, pages.Count(int64(u.Files)), pages.Count(int64(r.files)), pages.Count(int64(u.RowGroups)))
	}
	_, err := fmt.Fprintf(w, "%s\n", r.sentence())
	return err
}

func (r *Result) sentence() string {
	switch {
	case r.Status == DryRun:
		return fmt.Sprintf("dry run of %s: nothing was written", r.RunID)
	case r.Status == AlreadyPublished:
		return fmt.Sprintf("already published, nothing to do: %s", r.URI)
	case !r.Current:
		return fmt.Sprintf("published, but not current (an output's current run never goes back to an older horizon): %s", r.URI)
	}
	return fmt.Sprintf("published: %s", r.URI)
}

func countRow(name string, d DatasetCounts, used []schema.Reason) []string {
	share := "-"
	if d.RowsIn > 0 {
		share = fmt.Sprintf("%.1f%%", 100*float64(d.RowsKept)/float64(d.RowsIn))
	}
	row := []string{name, pages.Count(d.RowsIn), pages.Count(d.RowsKept), share, pages.Count(d.RowsExcluded)}
	for _, reason := range used {
		row = append(row, pages.Count(d.ExcludedByReason[reason]))
	}
	return row
}
