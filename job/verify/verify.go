package verify

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"assent/job"
	"assent/job/internal/pages"
	"assent/job/internal/publish"
	"assent/job/plain"
)

// Options configure an audit.
type Options struct {
	Config string // with Quick it may be empty: then no ledger is asked
	Set    []string
	Run    string // URI of the run's directory
	Quick  bool   // the published run alone, without its inputs
	// Use is what the run is to be used for: "marketplace", models for everyone, or "account:" and an id, models of that account.
	// A use that the run does not permit is a difference. Empty: none is asked about.
	Use      string
	Datasets []string // that are to be used; none: all
	Workers  int      // files at a time; 0: one a core
	// PublicKey is a file with the ed25519 key (PEM) that must have signed the run. Without
	// it, it is the public half of the configured signing key, where there is one.
	PublicKey string
	// Accounts bounds how many accounts' facts are in memory at a time. The consent
	// history is read once for so many. 0: 2^20.
	Accounts int
}

// Validate sets defaults and refuses options that make no sense.
func (o *Options) Validate() error {
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Accounts == 0 {
		o.Accounts = 1 << 20
	}
	switch {
	case o.Run == "":
		return job.UsageError("`assent runs -c job.yaml` lists them", "no run: name its directory with --run")
	case o.Config == "" && !o.Quick:
		return job.UsageError("--quick checks a published run without its inputs", "no configuration: name it with -c")
	case o.Workers < 1 || o.Workers > 1024:
		return job.UsageError("", "--workers %d is not between 1 and 1024", o.Workers)
	}
	return o.validateUse()
}

// Verdict says how an audit ended.
type Verdict string

// The verdicts.
const (
	Verified   Verdict = "verified"
	Differs    Verdict = "differs"
	NotChecked Verdict = "not_checked" // no difference was found, but not everything could be read
)

// Result is the answer of an audit.
type Result struct {
	Status      Verdict      `json:"status"`
	RunID       string       `json:"run_id"`
	URI         string       `json:"uri"`
	Quick       bool         `json:"quick"`
	Use         string       `json:"use,omitempty"` // what was asked about, without an account's id
	Current     bool         `json:"current"`
	Horizon     *time.Time   `json:"consent_as_of"` // null where run.json cannot be read
	Checked     Checked      `json:"checked"`
	Differences []Difference `json:"differences"` // the first ones
	Count       int64        `json:"difference_count"`
	Unread      []Unread     `json:"not_checked"`
}

// Checked counts what was looked at.
type Checked struct {
	Objects    int64 `json:"objects"` // of the run, digests compared
	Bytes      int64 `json:"bytes"`   // of these
	Inputs     int64 `json:"inputs"`  // input files, identities compared
	Files      int64 `json:"files"`   // data files compared with their inputs
	Decisions  int64 `json:"decisions"`
	Rows       int64 `json:"rows"`   // kept rows compared
	Values     int64 `json:"values"` // of these
	Exclusions int64 `json:"exclusions"`
	Pairs      int64 `json:"index_pairs"` // of account, row and role
	Probes     int64 `json:"residue_probes"`
	Deleted    int64 `json:"deleted_accounts"` // looked for among the kept rows, with Quick
	Reports    int64 `json:"reports_rebuilt"`  // 1 where this is the version that made the report
	Since      int64 `json:"since"`            // 1 where the run before is there and the changes since were counted again
	Signatures int64 `json:"signatures"`       // 1 where a key was given and the run's signature is of it
}

func (c *Checked) add(d *Checked) {
	c.Objects += d.Objects
	c.Bytes += d.Bytes
	c.Inputs += d.Inputs
	c.Files += d.Files
	c.Decisions += d.Decisions
	c.Rows += d.Rows
	c.Values += d.Values
	c.Exclusions += d.Exclusions
	c.Pairs += d.Pairs
	c.Probes += d.Probes
	c.Deleted += d.Deleted
	c.Reports += d.Reports
	c.Since += d.Since
	c.Signatures += d.Signatures
}

// Difference is something that is not as the inputs and the rules have it. It never
// tells an account id or content.
type Difference struct {
	File   string `json:"file"`          // below the run's directory; or an input
	Row    *int64 `json:"row,omitempty"` // of the input file, from 0
	Column string `json:"column,omitempty"`
	What   string `json:"what"`
}

func (d Difference) String() string {
	s := d.File
	if d.Row != nil {
		s += fmt.Sprintf(": row %d", *d.Row)
	}
	if d.Column != "" {
		s += fmt.Sprintf(": column %s", d.Column)
	}
	return plain.Line(strings.TrimPrefix(s+": "+d.What, ": "))
}

// Unread is something that the audit could not read, so that it says nothing of it. A run
// is not unfit for that: it may well have read what this package's libraries cannot.
type Unread struct {
	File   string `json:"file"`
	Column string `json:"column,omitempty"` // empty: everything about the file
	Why    string `json:"why"`
}

func (u Unread) String() string {
	return Difference{File: u.File, Column: u.Column, What: u.Why}.String()
}

// maxDifferences is how many differences are told. All are counted.
const maxDifferences = 20

// differences gathers differences in the order in which they are found, and what could
// not be read.
type differences struct {
	first  []Difference
	count  int64
	unread []Unread
}

func (d *differences) add(x Difference) {
	if d.count++; len(d.first) < maxDifferences {
		d.first = append(d.first, x)
	}
}

// of adds a difference of a whole file.
func (d *differences) of(file, format string, args ...any) {
	d.add(Difference{File: file, What: fmt.Sprintf(format, args...)})
}

// at adds a difference in a row of an input file.
func (d *differences) at(file string, row int64, format string, args ...any) {
	d.add(Difference{File: file, Row: &row, What: fmt.Sprintf(format, args...)})
}

func (d *differences) none() bool { return d.count == 0 && len(d.unread) == 0 }

func (d *differences) merge(e *differences) {
	d.count += e.count
	d.unread = append(d.unread, e.unread...)
	d.first = append(d.first, e.first[:min(len(e.first), maxDifferences-len(d.first))]...)
}

// Run audits a published run. Where it finds differences, it returns both the result and
// an error with exit code 3; where there is none but it could not read everything, both
// the result and an error with exit code 4.
func Run(ctx context.Context, e *job.Env, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	a, err := openAudit(ctx, e, o)
	if err != nil {
		return nil, err
	}
	a.limitMemory()
	if err := a.do(ctx); err != nil {
		return nil, err
	}
	r := a.result()
	switch r.Status {
	case Differs:
		return r, job.Refused(a.hint, "audit of %s: %s%s", r.RunID, numbered(r.Count, "difference"), r.Differences[0])
	case NotChecked:
		return r, job.BadInput(hintUnread, "audit of %s: no difference was found, but not everything could be read: %s%s", r.RunID, numbered(int64(len(r.Unread)), "failure"), r.Unread[0])
	}
	return r, nil
}

// numbered introduces the first of n things.
func numbered(n int64, what string) string {
	if n == 1 {
		return "1 " + what + ": "
	}
	return fmt.Sprintf("%d %ss, the first: ", n, what)
}

func (a *audit) result() *Result {
	r := &Result{
		Status: Verified, RunID: strings.TrimPrefix(a.dir, publish.RunPrefix), URI: a.store.URI(a.dir), Quick: a.o.Quick, Current: a.current,
		Checked: a.checked, Differences: []Difference{}, Count: a.found.count, Unread: []Unread{},
	}
	r.Use, _, _ = strings.Cut(a.o.Use, ":")
	if a.run != nil {
		r.Horizon = &a.run.ConsentAsOf
	}
	if len(a.found.unread) > 0 {
		r.Status, r.Unread = NotChecked, a.found.unread
	}
	if a.found.count > 0 {
		r.Status, r.Differences = Differs, a.found.first
	}
	return r
}

// WriteText writes the audit's outcome as a page.
func (r *Result) WriteText(w io.Writer) error {
	t := job.NewTable(w)
	row := func(what string, n int64) { t.Row(what, pages.Count(n)) }
	c := &r.Checked
	t.Row("checked", "number")
	row("objects of the run, by digest", c.Objects)
	row("bytes of these", c.Bytes)
	row("reports made again", c.Reports)
	row("signatures", c.Signatures)
	if r.Quick {
		row("accounts to be erased", c.Deleted)
	} else {
		row("comparisons with the run before", c.Since)
		row("inputs, by identity", c.Inputs)
		row("files, against their inputs", c.Files)
		row("decisions", c.Decisions)
		row("kept rows", c.Rows)
		row("values of these", c.Values)
		row("exclusions", c.Exclusions)
		row("pairs of the subject index", c.Pairs)
		row("values looked for as residue", c.Probes)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	b := new(strings.Builder)
	if len(r.Differences) > 0 {
		b.WriteString("\ndifferences\n")
	}
	for _, d := range r.Differences {
		fmt.Fprintf(b, "  %s\n", d)
	}
	if more := r.Count - int64(len(r.Differences)); more > 0 {
		fmt.Fprintf(b, "  and %s more\n", pages.Count(more))
	}
	if len(r.Unread) > 0 {
		b.WriteString("\nnot checked\n")
	}
	for _, u := range r.Unread {
		fmt.Fprintf(b, "  %s\n", u)
	}
	fmt.Fprintf(b, "\n%s\n", r.sentence())
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Result) sentence() string {
	switch {
	case r.Status == Differs:
		return fmt.Sprintf("DO NOT USE: %s", r.URI)
	case r.Status == NotChecked:
		return fmt.Sprintf("no difference found, but not everything could be checked: %s", r.URI)
	case r.Quick && r.Use != "":
		return fmt.Sprintf("complete and unchanged since it was published, and may be used for %s: %s", r.Use, r.URI)
	case r.Quick:
		return fmt.Sprintf("complete and unchanged since it was published: %s", r.URI)
	}
	return fmt.Sprintf("verified: %s", r.URI)
}
