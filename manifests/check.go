package manifests

import (
	"errors"
	"iter"
)

// CheckExclusions reads all exclusions of one input file and compares them with its
// entry in the run manifest: counts by primary reason, rows ascending and in range,
// reasons in order with the primary one first, subjects well-formed.
func CheckExclusions(f *File, exclusions iter.Seq2[Exclusion, error]) error {
	return errors.ErrUnsupported
}

// CheckSubjects reads a whole subject index and compares it with the input file's
// entry in the run manifest: rows ascending and in range, none both kept and
// excluded, no more of either than there are.
func CheckSubjects(f *File, subjects iter.Seq2[SubjectRows, error]) error {
	return errors.ErrUnsupported
}
