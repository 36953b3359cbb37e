package manifests

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"

	"assent/schema"
)

// CheckExclusions reads all exclusions of one input file and compares them with its
// entry in the run manifest: counts by primary reason, rows ascending and in range,
// reasons in order with the primary one first, subjects well-formed.
func CheckExclusions(f *File, exclusions iter.Seq2[Exclusion, error]) error {
	var counts ReasonCounts
	last := int64(-1)
	for e, err := range exclusions {
		if err != nil {
			return err
		}
		if e.SourceFile != f.Source {
			return fmt.Errorf("exclusions of %s: one is of %s", f.Source, e.SourceFile)
		}
		if e.SourceRow <= last || e.SourceRow >= f.RowsIn {
			return fmt.Errorf("exclusions of %s: row %d follows row %d of %d", f.Source, e.SourceRow, last, f.RowsIn)
		}
		last = e.SourceRow
		if err := e.check(); err != nil {
			return fmt.Errorf("exclusions of %s: row %d: %w", f.Source, e.SourceRow, err)
		}
		counts[e.Reason]++
	}
	if counts != f.ExcludedByReason {
		for r, n := range counts {
			if want := f.ExcludedByReason[r]; n != want {
				return fmt.Errorf("exclusions of %s: %d for %s, the run manifest has %d", f.Source, n, schema.Reason(r), want)
			}
		}
	}
	return nil
}

// check says what in an exclusion contradicts itself.
func (e *Exclusion) check() error {
	var set schema.Reasons
	for i, r := range e.Reasons {
		if i > 0 && r <= e.Reasons[i-1] {
			return errors.New("reasons are not in order")
		}
		set |= r.Set()
	}
	if set.Kept() || e.Reason != set.Primary() {
		return errors.New("reason is not the first of reasons")
	}
	if e.Reason.Timed() && e.Moment == schema.Unknown {
		return fmt.Errorf("%s, but no moment", e.Reason)
	}
	if e.RequestID != "" && !set.Has(schema.DeletionRequested) {
		return fmt.Errorf("request_id without %s", schema.DeletionRequested)
	}
	for i, s := range e.Subjects {
		switch {
		case s.Role == "":
			return fmt.Errorf("subject %d has no role", i)
		case s.Cause != NoCause && !set.Has(s.Cause.reason()):
			return fmt.Errorf("subject %d: cause %s is not among the reasons", i, s.Cause)
		case s.Ref == (Ref{}) && s.Cause != NoCause && s.Cause != CausePartyUnknown:
			return fmt.Errorf("subject %d: cause %s without a reference", i, s.Cause)
		case s.Cause == NoCause && s.Since != schema.Unknown:
			return fmt.Errorf("subject %d: since without a cause", i)
		}
	}
	return nil
}

// CheckSubjects reads a whole subject index and compares it with the input file's
// entry in the run manifest: rows in range, none both kept and excluded, no more of
// either than there are. It takes two bits of memory for each row of the input file.
func CheckSubjects(f *File, subjects iter.Seq2[SubjectRows, error]) error {
	var seen [2][]uint64 // excluded rows, kept rows
	for e, err := range subjects {
		if err != nil {
			return err
		}
		if n := len(e.Rows); n == 0 || e.Rows[0] < 0 || e.Rows[n-1] >= f.RowsIn {
			return fmt.Errorf("subject index of %s: rows outside its %d", f.Source, f.RowsIn)
		}
		at := 0
		if e.Kept {
			at = 1
		}
		for _, row := range e.Rows {
			for int(row/64) >= len(seen[at]) {
				seen[at] = append(seen[at], 0)
			}
			seen[at][row/64] |= 1 << (row % 64)
		}
	}
	var counts [2]int64
	for i := range max(len(seen[0]), len(seen[1])) {
		var words [2]uint64
		for at := range seen {
			if i < len(seen[at]) {
				words[at] = seen[at][i]
			}
			counts[at] += int64(bits.OnesCount64(words[at]))
		}
		if both := words[0] & words[1]; both != 0 {
			return fmt.Errorf("subject index of %s: row %d is both kept and excluded", f.Source, i*64+bits.TrailingZeros64(both))
		}
	}
	if counts[0] > f.RowsIn-f.RowsKept || counts[1] > f.RowsKept {
		return fmt.Errorf("subject index of %s: %d rows kept and %d excluded, the run manifest has %d and %d",
			f.Source, counts[1], counts[0], f.RowsKept, f.RowsIn-f.RowsKept)
	}
	return nil
}
