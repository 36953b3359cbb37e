package manifests

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"assent/schema"
)

// A run id is the horizon to the second and 12 hexadecimal digits of a digest.
var runID = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}$`)

func checkRunID(id string) error {
	if !runID.MatchString(id) {
		return errors.New("run_id is not of the form <horizon>-<12 hexadecimal digits>")
	}
	return nil
}

func checkDigest(name, digest string) error {
	if len(digest) != 64 || strings.Trim(digest, "0123456789abcdef") != "" {
		return fmt.Errorf("%s is not 64 hexadecimal digits", name)
	}
	return nil
}

// Validate checks the manifest against itself: conservation of rows for each file,
// each data set and in total, well-formed names, paths and digests.
func (r *Run) Validate() error {
	if r.SchemaVersion != SchemaVersion {
		return fmt.Errorf("run manifest: schema_version %d is not known; this program reads %d", r.SchemaVersion, SchemaVersion)
	}
	if err := errors.Join(checkRunID(r.RunID), checkDigest("policy_digest", r.PolicyDigest)); err != nil {
		return fmt.Errorf("run manifest: %w", err)
	}
	rows := map[string]int64{}
	for _, in := range r.Inputs {
		if (in.Role == "") == (in.Dataset == "") || in.Path == "" || in.Identity == "" || in.Bytes < 0 || in.Rows < 0 {
			return fmt.Errorf("run manifest: input %q is not complete", in.Path)
		}
		rows[in.Dataset] += in.Rows
	}
	for name, d := range r.Datasets {
		if err := d.validate(name); err != nil {
			return fmt.Errorf("run manifest: data set %s: %w", name, err)
		}
		if d.RowsIn != rows[name] {
			return fmt.Errorf("run manifest: data set %s: %d rows in, its inputs have %d", name, d.RowsIn, rows[name])
		}
		if _, ok := r.Use[name]; !ok {
			return fmt.Errorf("run manifest: data set %s: use is missing", name)
		}
	}
	return nil
}

func (d *Dataset) validate(name string) error {
	if _, err := schema.ParseCategory(d.Category); err != nil {
		return err
	}
	var in, kept int64
	var excluded ReasonCounts
	for i := range d.Files {
		f := &d.Files[i]
		if err := f.validate(name); err != nil {
			return fmt.Errorf("file %s: %w", f.Source, err)
		}
		in += f.RowsIn
		kept += f.RowsKept
		for r, n := range f.ExcludedByReason {
			excluded[r] += n
		}
	}
	if d.RowsIn != in || d.RowsKept != kept || d.ExcludedByReason != excluded || d.RowsExcluded != excluded.Total() {
		return errors.New("the counts are not the sums over its files")
	}
	return conserved(d.RowsIn, d.RowsKept, &d.ExcludedByReason)
}

func (f *File) validate(dataset string) error {
	for _, p := range []string{f.Output, f.Exclusions, f.Subjects} {
		if !fs.ValidPath(p) {
			return fmt.Errorf("%q is not a path below the run", p)
		}
	}
	if f.Output != path.Join(dataset, f.Source) {
		return fmt.Errorf("its output is %q", f.Output)
	}
	if f.Bytes < 0 || f.ExclusionsBytes < 0 || f.SubjectsBytes < 0 || f.Pages.Copied < 0 || f.Pages.Filtered < 0 || f.Pages.Dropped < 0 {
		return errors.New("a size or count is negative")
	}
	if err := errors.Join(checkDigest("sha256", f.SHA256), checkDigest("exclusions_sha256", f.ExclusionsSHA256), checkDigest("subjects_sha256", f.SubjectsSHA256)); err != nil {
		return err
	}
	return conserved(f.RowsIn, f.RowsKept, &f.ExcludedByReason)
}

// conserved is the first thing that must hold of every run (semantics.md): rows in =
// rows kept + rows excluded, and the primary reasons add up to the latter.
func conserved(in, kept int64, excluded *ReasonCounts) error {
	for r, n := range excluded {
		if n < 0 {
			return fmt.Errorf("the count of %s is negative", schema.Reason(r))
		}
	}
	if in < 0 || kept < 0 || in != kept+excluded.Total() {
		return fmt.Errorf("rows do not add up: %d in, %d kept, %d excluded", in, kept, excluded.Total())
	}
	return nil
}
