package job

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"assent/job/internal/pages"
	"assent/schema"
)

// Answers as people read them on a terminal. Elsewhere they are one line of JSON.

// WriteText writes the outcome of a run as a table: a row a data set, a column a reason.
func (r *RunResult) WriteText(w io.Writer) error {
	t := newTable(w)
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
	t.row(header...)
	for _, name := range r.order {
		t.row(countRow(name, r.Datasets[name], used)...)
	}
	t.row(countRow("total", total, used)...)
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.sentence())
	return err
}

func (r *RunResult) sentence() string {
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

// WriteRuns writes a list of runs as a table.
func WriteRuns(w io.Writer, runs []RunInfo) error {
	if len(runs) == 0 {
		_, err := fmt.Fprintln(w, "no runs are published there")
		return err
	}
	t := newTable(w)
	t.row("run", "horizon", "kept", "excluded", "erased accounts", "current", "state")
	for _, r := range runs {
		current, state, erased := "", "ok", "?"
		if r.HoldsErased != nil {
			erased = map[bool]string{true: "held", false: "none"}[*r.HoldsErased]
		}
		if r.Current {
			current = "current"
		}
		if r.Problem != "" {
			state = "DO NOT USE: " + r.Problem
		}
		t.row(r.RunID, r.Horizon.Format("2006-01-02T15:04:05Z"), pages.Count(r.RowsKept), pages.Count(r.RowsExcluded), erased, current, state)
	}
	return t.Flush()
}

// WriteText writes an explanation as a page.
func (e *Explanation) WriteText(w io.Writer) error {
	b := new(strings.Builder)
	fmt.Fprintf(b, "%s, %s, record %s; horizon %s\n", e.Dataset, e.Category, e.Record, e.Horizon)
	for _, r := range e.Found {
		outcome := "KEPT"
		if !r.Kept {
			outcome = "EXCLUDED: " + strings.Join(r.Reasons, ", ")
		}
		fmt.Fprintf(b, "\n%s, row %d: %s\n", r.File, r.Row, outcome)
		t := newTable(b)
		for _, m := range r.Moments {
			t.row("  "+m.Name, orNull(m.At))
		}
		for _, role := range r.Roles {
			t.row("  "+role.Role, orNull(role.Ref))
		}
		for _, rule := range r.Rules {
			mark := "no "
			if rule.Holds {
				mark = "YES"
			}
			t.row("  "+rule.Rule, mark+"  "+rule.Why)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for _, s := range e.Subjects {
		fmt.Fprintf(b, "\n%s (%s)\n", s.Ref, strings.Join(s.Roles, ", "))
		for _, stretch := range s.Timeline {
			from := stretch.From
			if from == "" {
				from = "the start"
			}
			fmt.Fprintf(b, "  %s from %s until %s\n", strings.ReplaceAll(stretch.State, "_", " "), from, stretch.Until)
		}
		for _, at := range s.Deletions {
			fmt.Fprintf(b, "  asked for deletion at %s\n", orNull(at))
		}
		if s.Registered != nil && !*s.Registered {
			fmt.Fprintf(b, "  not in the registry\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orNull(s string) string {
	if s == "" {
		return "(null)"
	}
	return s
}

// table aligns columns: text to the left, numbers to the right.
type table struct {
	w    io.Writer
	rows [][]string
}

func newTable(w io.Writer) *table { return &table{w: w} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// Flush writes the table.
func (t *table) Flush() error {
	var width []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t.rows {
		line := new(strings.Builder)
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if t.numeric(i) {
				line.WriteString(pad + cell + "  ")
			} else {
				line.WriteString(cell + pad + "  ")
			}
		}
		if _, err := fmt.Fprintln(t.w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// numeric reports whether the cells of a column below its header are figures.
func (t *table) numeric(i int) bool {
	for _, row := range t.rows[1:] {
		if i < len(row) && strings.Trim(row[i], "0123456789.,%-") != "" {
			return false
		}
	}
	return len(t.rows) > 1
}
