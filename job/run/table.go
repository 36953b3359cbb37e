package run

import (
	"fmt"
	"io"

	"assent/job"
	"assent/job/internal/pages"
	"assent/schema"
)

// Answers as people read them on a terminal. Elsewhere they are one line of JSON.

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
	_, err := fmt.Fprintf(w, "\n%s\n", r.sentence())
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
