package manifests

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"assent/job/parquet"
	"assent/job/parquet/table"
	"assent/schema"
)

// Since says what changed against the run that was current when this one was made. Records are compared row by row where
// both runs read the same input file. Those of a file that only one of them read, or that was replaced in between, are counted
// as new or gone with their file: whether such a record is in another file, too, only a comparison by ids can tell.
type Since struct {
	RunID          string             `json:"run_id"`
	ManifestSHA256 string             `json:"manifest_sha256"`
	ConsentAsOf    time.Time          `json:"consent_as_of"`
	Datasets       map[string]Changes `json:"datasets"` // of either run
	// Earlier are the runs up to that one, the oldest first, each current when the next one was made. At most MaxEarlier.
	Earlier []EarlierRun `json:"earlier"`
}

// MaxEarlier is how many earlier runs a run remembers.
const MaxEarlier = 29

// Changes says what changed in a data set.
type Changes struct {
	KeptBefore     int64        `json:"kept_before"` // records that the earlier run kept
	ExcludedBefore int64        `json:"excluded_before"`
	NowExcluded    ReasonCounts `json:"now_excluded"` // kept before; by the primary reason now
	NowKept        ReasonCounts `json:"now_kept"`     // excluded before; by the primary reason then
	OtherReason    int64        `json:"other_reason"` // excluded by both, for another primary reason
	New            FileCounts   `json:"new"`          // of files that the earlier run did not read as they are
	Gone           FileCounts   `json:"gone"`         // of files of the earlier run that this one did not read as they were
}

// FileCounts counts files and their records.
type FileCounts struct {
	Files    int64 `json:"files"`
	Kept     int64 `json:"kept"`
	Excluded int64 `json:"excluded"`
}

// EarlierRun is what is remembered of a run, over all data sets, with what changed since the run before it.
type EarlierRun struct {
	RunID       string    `json:"run_id"`
	ConsentAsOf time.Time `json:"consent_as_of"`
	Kept        int64     `json:"kept"`
	Excluded    int64     `json:"excluded"`
	Change      Change    `json:"change"`
}

// Change counts records over all data sets: what a training set lost and gained.
type Change struct {
	NowExcluded int64 `json:"now_excluded"`
	GoneKept    int64 `json:"gone_kept"` // kept before, of files that are gone
	NowKept     int64 `json:"now_kept"`
	NewKept     int64 `json:"new_kept"` // kept now, of files that are new
}

// Change returns the sums over all data sets. Of no Since they are 0.
func (s *Since) Change() (c Change) {
	if s == nil {
		return c
	}
	for _, d := range s.Datasets {
		c.NowExcluded += d.NowExcluded.Total()
		c.GoneKept += d.Gone.Kept
		c.NowKept += d.NowKept.Total()
		c.NewKept += d.New.Kept
	}
	return c
}

// Remember returns the runs up to r, for the Since of the next run.
func (r *Run) Remember() []EarlierRun {
	this := EarlierRun{RunID: r.RunID, ConsentAsOf: r.ConsentAsOf.UTC(), Change: r.Invocation.Since.Change()}
	for _, d := range r.Datasets {
		this.Kept += d.RowsKept
		this.Excluded += d.RowsExcluded
	}
	var all []EarlierRun
	if s := r.Invocation.Since; s != nil {
		all = s.Earlier[max(0, len(s.Earlier)-MaxEarlier+1):]
	}
	return append(all[:len(all):len(all)], this)
}

// validate holds what changed against the run's own counts.
func (s *Since) validate(r *Run) error {
	if checkRunID(s.RunID) != nil || checkDigest("manifest_sha256", s.ManifestSHA256) != nil || s.RunID == r.RunID || s.ConsentAsOf.After(r.ConsentAsOf) {
		return errors.New("it names no run before this one")
	}
	if n := len(s.Earlier); n == 0 || n > MaxEarlier || s.Earlier[n-1].RunID != s.RunID {
		return errors.New("earlier: it does not end with the run that is compared")
	}
	for i := range s.Earlier {
		e := &s.Earlier[i]
		if checkRunID(e.RunID) != nil || !counts(e.Kept, e.Excluded, e.Change.NowExcluded, e.Change.GoneKept, e.Change.NowKept, e.Change.NewKept) {
			return fmt.Errorf("earlier: %q is not complete", e.RunID)
		}
	}
	for name := range r.Datasets {
		if _, ok := s.Datasets[name]; !ok {
			return fmt.Errorf("data set %s: missing", name)
		}
	}
	var kept, excluded int64
	for name, c := range s.Datasets {
		d := r.Datasets[name] // none of a data set that is gone
		if err := c.validate(&d); err != nil {
			return fmt.Errorf("data set %s: %w", name, err)
		}
		kept += c.KeptBefore
		excluded += c.ExcludedBefore
	}
	if last := s.Earlier[len(s.Earlier)-1]; last.Kept != kept || last.Excluded != excluded {
		return fmt.Errorf("earlier: %s kept %d and excluded %d, its data sets %d and %d", last.RunID, last.Kept, last.Excluded, kept, excluded)
	}
	return nil
}

func (c *Changes) validate(d *Dataset) error {
	if !counts(c.KeptBefore, c.ExcludedBefore, c.OtherReason, c.New.Files, c.New.Kept, c.New.Excluded, c.Gone.Files, c.Gone.Kept, c.Gone.Excluded) ||
		!counts(c.NowExcluded[:]...) || !counts(c.NowKept[:]...) {
		return errors.New("a count is negative or too large")
	}
	out, in := c.NowExcluded.Total(), c.NowKept.Total()
	if c.KeptBefore-out-c.Gone.Kept+in+c.New.Kept != d.RowsKept || c.ExcludedBefore+out-c.Gone.Excluded-in+c.New.Excluded != d.RowsExcluded {
		return errors.New("the changes do not lead from what was kept and excluded before to what is now")
	}
	return nil
}

// Fates yields the source row and the primary reason of all exclusions, whose rows ascend, and ends after the first error. It
// reads no other column, and no row group of which pass says that its source rows, from one to another, are of no interest.
func (x *Exclusions) Fates(pass func(from, to int64) bool) iter.Seq2[Fate, error] {
	return func(yield func(Fate, error) bool) {
		var row *table.Column
		var reason table.Parsed[schema.Reason]
		last := int64(-1)
		passes := func(group int) bool {
			from, to, ok := x.file.Ints(group, leafSourceRow)
			return ok && pass(from, to)
		}
		open := func(g *table.Group) { row, reason = g.Column(leafSourceRow), reasonColumn(g, leafReason) }
		err := x.file.ScanSome(passes, open, func() (more bool, err error) {
			f := Fate{}
			f.Row, _ = row.Int()
			if f.Row <= last {
				return false, row.Fault(parquet.Corruptf("row %d follows row %d", f.Row, last))
			}
			last = f.Row
			if f.Reason, err = reason.Value(); err != nil {
				return false, err
			}
			return yield(f, nil), nil
		})
		if err != nil {
			yield(Fate{}, damaged(err))
		}
	}
}

// Rows returns how many exclusions there are.
func (x *Exclusions) Rows() int64 { return x.file.NumRows() }

// Fate says why a row of an input file was excluded.
type Fate struct {
	Row    int64
	Reason schema.Reason // the primary one
}
