package manifests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"assent/schema"
)

// SchemaVersion is the version of run.json that this package writes. A reader takes
// no other; added fields do not raise it.
const SchemaVersion = 1

// Run is a run manifest. All times are UTC.
type Run struct {
	SchemaVersion int                `json:"schema_version"`
	RunID         string             `json:"run_id"` // <horizon as 20060102T150405Z>-<12 hex>
	Tool          Tool               `json:"tool"`
	Program       Program            `json:"program"`
	ConsentAsOf   time.Time          `json:"consent_as_of"`           // the horizon
	RequestsAsOf  *time.Time         `json:"requests_as_of"`          // null where there is no ledger of deletions
	PolicyDigest  string             `json:"policy_digest"`           // 64 hex digits
	PseudonymKey  string             `json:"pseudonym_key,omitempty"` // Key.Reference of the key of pseudonyms, where there are any
	Inputs        []Input            `json:"inputs"`
	Datasets      map[string]Dataset `json:"datasets"`
	Daily         Object             `json:"daily"` // the counts by day, see DayCounts
	// Documents tell programs of others what the run is: croissant.json, README.md. Runs of programs that wrote none have none.
	Documents []Object `json:"documents,omitempty"`
	// Index is what was known of accounts and contracts, without ids. Runs of older programs have none.
	Index      Object         `json:"index,omitzero"`
	Gates      []Gate         `json:"gates"`
	Joins      []Join         `json:"joins,omitempty"` // of the control inputs, in the order of Inputs
	Use        map[string]Use `json:"use"`             // by data set
	Invocation Invocation     `json:"invocation"`
}

// Objects lists the objects that the manifest names: all of the run's but itself, the
// report and the marker.
func (r *Run) Objects() []Object {
	all := append([]Object{r.Daily}, r.Documents...)
	if r.Index.Path != "" {
		all = append(all, r.Index)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Datasets)) {
		if f := r.Datasets[name].Footprints; f.Path != "" {
			all = append(all, f)
		}
		for i := range r.Datasets[name].Files {
			f := &r.Datasets[name].Files[i]
			all = append(all, f.Data(), f.ExclusionManifest(), f.SubjectIndex())
		}
	}
	return all
}

// File returns what became of a file of a data set; nil where there is none.
func (r *Run) File(dataset, source string) *File {
	files := r.Datasets[dataset].Files
	for i := range files {
		if files[i].Source == source {
			return &files[i]
		}
	}
	return nil
}

// Object is an object of the run, by name and digest.
type Object struct {
	Path   string `json:"path"` // relative to the run's root
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Tool names the program that made the run.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Program is the training programme under whose terms the run was made.
type Program struct {
	Name     string    `json:"name"`
	StartsAt time.Time `json:"starts_at"`
	Default  string    `json:"default"` // schema.State
}

// Input is a file that the run read. Either Role (consent, deletions, restrictions,
// accounts) or Dataset is set.
type Input struct {
	Role     string `json:"role,omitempty"`
	Dataset  string `json:"dataset,omitempty"`
	Path     string `json:"path"` // as configured, completed by the path below it
	Bytes    int64  `json:"bytes"`
	Identity string `json:"identity"` // generation or checksum
	Rows     int64  `json:"rows"`
}

// Dataset is the outcome of a data set: sums over its files.
type Dataset struct {
	Category         string       `json:"category"`
	RowsIn           int64        `json:"rows_in"`
	RowsKept         int64        `json:"rows_kept"`
	RowsExcluded     int64        `json:"rows_excluded"`
	ExcludedByReason ReasonCounts `json:"excluded_by_reason"`
	Causes           []CauseCount `json:"causes"` // by reason; they add up to ExcludedByReason
	Transforms       []Transform  `json:"transforms,omitempty"`
	Files            []File       `json:"files"`               // by source
	Footprints       Object       `json:"footprints,omitzero"` // of its files; none where the program was older
}

// ReasonCounts counts records by primary reason. Its JSON is an object that has the
// reasons of Listed, in their order.
type ReasonCounts [schema.NumReasons]int64

// Total returns the sum.
func (c *ReasonCounts) Total() int64 {
	total := int64(0)
	for _, n := range c {
		total += n
	}
	return total
}

// Add adds other's counts.
func (c *ReasonCounts) Add(other *ReasonCounts) {
	for r, n := range other {
		c[r] += n
	}
}

// Listed returns the reasons that a document with these counts lists, in their order.
func (c *ReasonCounts) Listed() []schema.Reason {
	return slices.DeleteFunc(schema.AllReasons(), func(r schema.Reason) bool { return !r.Listed(c[r]) })
}

// MarshalJSON writes the object.
func (c ReasonCounts) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, r := range c.Listed() {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, r.String())
		b = append(b, ':')
		b = strconv.AppendInt(b, c[r], 10)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads the object. A reason that this program does not know is an
// error: its records would be missing from every sum.
func (c *ReasonCounts) UnmarshalJSON(data []byte) error {
	if c.parsePlain(data) {
		return nil
	}
	var counts map[string]int64
	if err := json.Unmarshal(data, &counts); err != nil {
		return err
	}
	*c = ReasonCounts{}
	for code, n := range counts {
		reason, err := schema.ParseReason(code)
		if err != nil {
			return err
		}
		c[reason] = n
	}
	return nil
}

// parsePlain reads an object as MarshalJSON writes it, but for white space: there is one for each file of a run. It reports whether
// data is one; what is not may be right all the same.
func (c *ReasonCounts) parsePlain(data []byte) bool {
	inner, ok := bytes.CutPrefix(bytes.TrimSuffix(data, []byte("}")), []byte("{"))
	*c = ReasonCounts{}
	for pair := range bytes.SplitSeq(inner, []byte(",")) {
		name, number, _ := bytes.Cut(pair, []byte(":"))
		name = bytes.TrimSpace(name)
		n, err := strconv.ParseInt(string(bytes.TrimSpace(number)), 10, 64)
		if !ok || err != nil || len(name) < 2 || name[0] != '"' || name[len(name)-1] != '"' {
			return false
		}
		reason, err := schema.ParseReason(string(name[1 : len(name)-1]))
		if err != nil {
			return false
		}
		c[reason] = n
	}
	return true
}

// File is the outcome of an input file. Paths but Source are relative to the run's
// root, slash-separated.
type File struct {
	Source           string       `json:"source"` // below the data set's root
	Output           string       `json:"output"`
	RowsIn           int64        `json:"rows_in"`
	RowsKept         int64        `json:"rows_kept"`
	ExcludedByReason ReasonCounts `json:"excluded_by_reason"`
	Bytes            int64        `json:"bytes"` // of Output, as is SHA256
	SHA256           string       `json:"sha256"`
	Pages            Pages        `json:"pages"`
	Schema           string       `json:"schema,omitempty"`     // 16 hex digits of a digest: files of equal columns have the same
	Transforms       []Transform  `json:"transforms,omitempty"` // of Output's columns
	Exclusions       string       `json:"exclusions"`
	ExclusionsBytes  int64        `json:"exclusions_bytes"`
	ExclusionsSHA256 string       `json:"exclusions_sha256"`
	Subjects         string       `json:"subjects"`
	SubjectsBytes    int64        `json:"subjects_bytes"`
	SubjectsSHA256   string       `json:"subjects_sha256"`
}

// Data is the published data file.
func (f *File) Data() Object { return Object{f.Output, f.Bytes, f.SHA256} }

// ExclusionManifest is the list of the file's excluded records.
func (f *File) ExclusionManifest() Object {
	return Object{f.Exclusions, f.ExclusionsBytes, f.ExclusionsSHA256}
}

// SubjectIndex is the index of the accounts that the file's records name.
func (f *File) SubjectIndex() Object { return Object{f.Subjects, f.SubjectsBytes, f.SubjectsSHA256} }

// Pages counts data pages by what became of them.
type Pages struct {
	Copied   int64 `json:"copied"`
	Filtered int64 `json:"filtered"`
	Dropped  int64 `json:"dropped"`
}

// Join says how many ids of a control input the data names.
type Join struct {
	Role       string `json:"role"`        // of the input
	IDs        int64  `json:"ids"`         // distinct; those of one account count once
	Matched    int64  `json:"matched"`     // named by some record as they stand
	NearMisses int64  `json:"near_misses"` // named only after folding case, blanks, leading zeros, hyphens or a prefix
	// Unregistered are those that no record names and the registry lacks; 0 without one.
	Unregistered int64 `json:"unregistered"`
}

// Unmatched returns how many ids no record names as they stand.
func (j Join) Unmatched() int64 { return j.IDs - j.Matched }

// Names of the gates, as in the configuration.
const (
	GateAccountMatch = "min_account_match"
	GateMaxExcluded  = "max_excluded"
	GateHorizonAge   = "max_horizon_age"

	GateDeletionMatch    = "min_deletion_match"
	GateRestrictionMatch = "min_restriction_match"
	GateRegistryMatch    = "min_registry_match"
	GateNearMisses       = "max_near_misses"

	GateAliasMatch        = "min_alias_match"
	GateOrganisationMatch = "min_organisation_match"
)

// Gate is a check that a run passed before it was published.
type Gate struct {
	Name    string   `json:"name"` // key under gates in the configuration
	Dataset string   `json:"dataset,omitempty"`
	Role    string   `json:"role,omitempty"`
	Limit   float64  `json:"limit"` // a share, or seconds
	Value   *float64 `json:"value"` // null where the gate is off
	Passed  bool     `json:"passed"`
}

// Use says what a data set may train.
type Use struct {
	Audience           string `json:"audience"` // schema.Category.Audience
	ThirdPartyTraining bool   `json:"third_party_training"`
}

// Invocation is what differs between repeats of a run, and nothing else.
type Invocation struct {
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	SignedBy   string    `json:"signed_by,omitempty"` // the fingerprint of the key; the run has a signature then
	Workers    int       `json:"workers"`
	// KeptAtOnce counts records that were kept without a look at each, as nothing could exclude any of those around them.
	KeptAtOnce int64 `json:"kept_at_once,omitempty"`
	// ExcludedAtOnce counts records that were excluded so, as one party was out at all of the moments around.
	ExcludedAtOnce int64 `json:"excluded_at_once,omitempty"`
	// ReusedFrom names, by output, the run that a file was taken over from as it stands there. It lists no file that was worked on.
	ReusedFrom map[string]string `json:"reused_from,omitempty"`
	// ReusedRowGroups counts, by output, the row groups of the input whose outcome was taken over. It lists no file of ReusedFrom.
	ReusedRowGroups map[string]int `json:"reused_row_groups,omitempty"`
	// Reused sums both up; nil where nothing was taken over.
	Reused *Reused `json:"reused,omitempty"`
	// InputStamps are what the system said of local input files, by path, which were left alone for a while: by them the next run sees
	// which need not be read for their identity.
	InputStamps map[string]string `json:"input_stamps,omitempty"`
	// InputLacks are the columns that the configuration names and files of data sets lack, by data set and path, each as its key and the
	// column, with a space between. By them the next run need not open a file to see whether it serves. nil: they were not noted.
	InputLacks map[string]map[string][]string `json:"input_lacks,omitzero"`
	// Since says what changed against the run before, which differs where the same run is made in another output. None where
	// none was before, or none at an earlier horizon.
	Since *Since `json:"since,omitempty"`
}

// Reused counts what was taken over from an earlier run.
type Reused struct {
	RunID     string `json:"run_id"`
	Files     int    `json:"files"`
	RowGroups int    `json:"row_groups"` // of the input, in other files
}

// Marshal returns the manifest's bytes: indented JSON in a fixed order, with a final
// newline. It fails where Validate does.
func (r *Run) Marshal() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(r.canonical(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("run manifest: %w", err)
	}
	return append(data, '\n'), nil
}

// canonical returns r in the form that is written: times in UTC, and empty lists where
// there are none, which JSON tells apart.
func (r *Run) canonical() *Run {
	c := *r
	c.Program.StartsAt, c.ConsentAsOf = r.Program.StartsAt.UTC(), r.ConsentAsOf.UTC()
	if r.RequestsAsOf != nil {
		utc := r.RequestsAsOf.UTC()
		c.RequestsAsOf = &utc
	}
	c.Invocation.StartedAt, c.Invocation.FinishedAt = r.Invocation.StartedAt.UTC(), r.Invocation.FinishedAt.UTC()
	c.Inputs, c.Gates = emptyNotNil(r.Inputs), emptyNotNil(r.Gates)
	c.Datasets = make(map[string]Dataset, len(r.Datasets))
	for name, d := range r.Datasets {
		d.Files, d.Causes = emptyNotNil(d.Files), emptyNotNil(d.Causes)
		c.Datasets[name] = d
	}
	c.Use = make(map[string]Use, len(r.Use))
	maps.Copy(c.Use, r.Use)
	return &c
}

func emptyNotNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// ParseRun reads a run manifest. Fields it does not know are ignored, another schema
// version is an error, and so is what Validate refuses; errors are ErrManifest.
func ParseRun(data []byte) (*Run, error) {
	var r Run
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%w: run manifest: %w", ErrManifest, err)
	}
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return &r, nil
}

// maxRunBytes bounds what ReadRun takes: some 100,000 files.
const maxRunBytes = 64 << 20

// ReadRun is ParseRun of all of r, which it bounds.
func ReadRun(r io.Reader) (*Run, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxRunBytes+1))
	if err != nil {
		return nil, fmt.Errorf("run manifest: %w", err)
	}
	if len(data) > maxRunBytes {
		return nil, fmt.Errorf("%w: run manifest: larger than %d bytes", ErrManifest, maxRunBytes)
	}
	return ParseRun(data)
}

// SameOutcome returns nil where two runs differ in nothing but their invocations,
// else an error that names the first difference.
func SameOutcome(a, b *Run) error {
	var trees [2]map[string]any
	for i, r := range []*Run{a, b} {
		data, err := r.Marshal()
		if err != nil {
			return err
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if err := d.Decode(&trees[i]); err != nil {
			return err
		}
		delete(trees[i], "invocation")
	}
	if at, ok := difference("", trees[0], trees[1]); ok {
		return fmt.Errorf("run manifests differ in %s", at)
	}
	return nil
}

// difference finds where two JSON values differ first.
func difference(at string, a, b any) (where string, differ bool) {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			return at, true
		}
		names := slices.Sorted(maps.Keys(x))
		if !slices.Equal(names, slices.Sorted(maps.Keys(y))) {
			return at, true
		}
		for _, name := range names {
			if where, differ := difference(strings.TrimPrefix(at+"."+name, "."), x[name], y[name]); differ {
				return where, true
			}
		}
		return "", false
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return at, true
		}
		for i := range x {
			if where, differ := difference(fmt.Sprintf("%s[%d]", at, i), x[i], y[i]); differ {
				return where, true
			}
		}
		return "", false
	}
	return at, a != b
}
