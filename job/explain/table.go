package explain

import (
	"fmt"
	"io"
	"strings"

	"assent/job"
	"assent/job/plain"
)

// WriteText writes an explanation as a page.
func (e *Explanation) WriteText(w io.Writer) error {
	b := new(strings.Builder)
	fmt.Fprintf(b, "%s, %s, record %s; horizon %s\n", e.Dataset, e.Category, plain.Line(e.Record), e.Horizon)
	for _, r := range e.Found {
		outcome := "KEPT"
		if !r.Kept {
			outcome = "EXCLUDED: " + strings.Join(r.Reasons, ", ")
		}
		fmt.Fprintf(b, "\n%s, row %d: %s\n", plain.Line(r.File), r.Row, outcome)
		t := job.NewTable(b)
		for _, m := range r.Moments {
			t.Row("  "+m.Name, orNull(m.At))
		}
		for _, role := range r.Roles {
			t.Row("  "+role.Role, orNull(role.Ref))
		}
		for _, rule := range r.Rules {
			mark := "no "
			if rule.Holds {
				mark = "YES"
			}
			t.Row("  "+rule.Rule, mark+"  "+rule.Why)
		}
		for _, d := range r.Redacted {
			t.Row("  "+plain.Line(d.Column), "replaced: "+d.text())
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for _, s := range e.Subjects {
		fmt.Fprintf(b, "\n%s (%s)\n", s.Ref, strings.Join(s.Roles, ", "))
		for _, alias := range s.Aliases {
			fmt.Fprintf(b, "  also known as %s\n", alias)
		}
		for _, m := range s.Organisations {
			until := ""
			if m.Until != "" {
				until = " until " + m.Until
			}
			fmt.Fprintf(b, "  belonged to %s from %s%s\n", m.Organisation, m.From, until)
		}
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
