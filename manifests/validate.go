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

// Where a run has the manifests of its files, by data set and then as the file.
const (
	exclusionsDir = "_manifest/exclusions"
	subjectsDir   = "_manifest/subjects"
)

// Validate checks the manifest against itself: conservation of rows for each file,
// each data set and in total, well-formed names, paths and digests.
func (r *Run) Validate() error {
	if r.SchemaVersion != SchemaVersion {
		return fmt.Errorf("run manifest: schema_version %d is not known; this program reads %d", r.SchemaVersion, SchemaVersion)
	}
	if err := errors.Join(checkRunID(r.RunID), checkDigest("policy_digest", r.PolicyDigest)); err != nil {
		return fmt.Errorf("run manifest: %w", err)
	}
	if r.Daily.Path != DailyPath || !counts(r.Daily.Bytes) {
		return fmt.Errorf("run manifest: daily: %q should be %q", r.Daily.Path, DailyPath)
	}
	if err := checkDigest("sha256", r.Daily.SHA256); err != nil {
		return fmt.Errorf("run manifest: daily: %w", err)
	}
	for _, o := range r.Documents {
		if !fs.ValidPath(o.Path) || o.Path == "." || !counts(o.Bytes) || checkDigest("sha256", o.SHA256) != nil {
			return fmt.Errorf("run manifest: document %q is not complete", o.Path)
		}
	}
	rows := map[string]int64{}
	for _, in := range r.Inputs {
		if (in.Role == "") == (in.Dataset == "") || in.Path == "" || in.Identity == "" || !counts(in.Bytes, in.Rows) {
			return fmt.Errorf("run manifest: input %q is not complete", in.Path)
		}
		if _, ok := r.Datasets[in.Dataset]; in.Dataset != "" && !ok {
			return fmt.Errorf("run manifest: input %q is of the data set %q, which is missing", in.Path, in.Dataset)
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
		category, _ := schema.ParseCategory(d.Category)
		if want := (Use{Audience: category.Audience()}); r.Use[name] != want {
			return fmt.Errorf("run manifest: data set %s: use is %+v, has to be %+v", name, r.Use[name], want)
		}
	}
	for _, j := range r.Joins {
		if !counts(j.IDs, j.Matched, j.NearMisses, j.Unregistered) || j.Matched+j.NearMisses > j.IDs || j.Matched+j.Unregistered > j.IDs {
			return fmt.Errorf("run manifest: joins of %q: %d ids cannot have %d matched, %d near misses, %d unregistered", j.Role, j.IDs, j.Matched, j.NearMisses, j.Unregistered)
		}
	}
	if s := r.Invocation.Since; s != nil {
		if err := s.validate(r); err != nil {
			return fmt.Errorf("run manifest: since: %w", err)
		}
	}
	if len(r.Use) != len(r.Datasets) {
		return errors.New("run manifest: use of a data set that is missing")
	}
	return nil
}

// maxCount bounds every count, so that no sum overflows.
const maxCount = 1 << 48

// counts reports whether these are counts.
func counts(ns ...int64) bool {
	for _, n := range ns {
		if n < 0 || n > maxCount {
			return false
		}
	}
	return true
}

func (d *Dataset) validate(name string) error {
	if _, err := schema.ParseCategory(d.Category); err != nil {
		return err
	}
	var in, kept int64
	var excluded ReasonCounts
	seen := make(map[string]bool, len(d.Files))
	for i := range d.Files {
		f := &d.Files[i]
		if seen[f.Source] {
			return fmt.Errorf("file %s: comes twice", f.Source)
		}
		seen[f.Source] = true
		if err := f.validate(name); err != nil {
			return fmt.Errorf("file %s: %w", f.Source, err)
		}
		in += f.RowsIn
		kept += f.RowsKept
		excluded.Add(&f.ExcludedByReason)
	}
	if d.RowsIn != in || d.RowsKept != kept || d.ExcludedByReason != excluded || d.RowsExcluded != excluded.Total() {
		return errors.New("the counts are not the sums over its files")
	}
	if err := d.checkTransforms(); err != nil {
		return err
	}
	if err := checkCauses(d.Causes, &d.ExcludedByReason); err != nil {
		return err
	}
	return conserved(d.RowsIn, d.RowsKept, &d.ExcludedByReason)
}

func (f *File) validate(dataset string) error {
	if !fs.ValidPath(f.Source) || !fs.ValidPath(dataset) {
		return errors.New("its path is not one below the data set")
	}
	for _, p := range [...]struct{ got, want string }{
		{f.Output, path.Join(dataset, f.Source)},
		{f.Exclusions, path.Join(exclusionsDir, dataset, f.Source)},
		{f.Subjects, path.Join(subjectsDir, dataset, f.Source)},
	} {
		if p.got != p.want {
			return fmt.Errorf("%q should be %q", p.got, p.want)
		}
	}
	if !counts(f.Bytes, f.ExclusionsBytes, f.SubjectsBytes, f.Pages.Copied, f.Pages.Filtered, f.Pages.Dropped) {
		return errors.New("a size or count is negative or too large")
	}
	if err := errors.Join(checkDigest("sha256", f.SHA256), checkDigest("exclusions_sha256", f.ExclusionsSHA256), checkDigest("subjects_sha256", f.SubjectsSHA256)); err != nil {
		return err
	}
	return conserved(f.RowsIn, f.RowsKept, &f.ExcludedByReason)
}

// conserved is the first thing that must hold of every run: rows in =
// rows kept + rows excluded, and the primary reasons add up to the latter.
func conserved(in, kept int64, excluded *ReasonCounts) error {
	if !counts(in, kept) || !counts(excluded[:]...) {
		return errors.New("a count is negative or too large")
	}
	if in != kept+excluded.Total() {
		return fmt.Errorf("rows do not add up: %d in, %d kept, %d excluded", in, kept, excluded.Total())
	}
	return nil
}
