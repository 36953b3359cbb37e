// Package diff says which records changed sides between two published runs: kept before
// and excluded after, or the other way round.
//
//   - fate: what became of a record in one run: kept, or excluded for a primary reason.
//   - by row: where both runs read the same input file (same path below the data set's
//     root, same identity, size and rows), its records are compared row by row, from the
//     two exclusion manifests alone.
//   - by id: the records of all other files of a data set are compared by their ids.
//     Records that share an id, or have none, count as one there, which is kept if one
//     of them is.
package diff

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/publish"
	"assent/manifests"
	"assent/schema"
)

// Options configure a comparison.
// The tags are those of the command line.
type Options struct {
	Config string   `short:"c" required:"" placeholder:"FILE" help:"${config}"`
	Set    []string `placeholder:"KEY=VALUE" sep:"none" help:"${set}"`
	Before string   `arg:"" help:"A published run: its id, or the URI of its directory."`
	After  string   `arg:"" help:"The run to compare it with."`
	To     string   `placeholder:"FILE" help:"Write all records that changed to a .parquet or .csv file."`
	RawCSV bool     `name:"raw-csv" help:"Leave cells of a .csv file as they are that a spreadsheet would calculate. ${rawcsv}"`
	Show   int      `default:"10" help:"Records of each kind of change in the table."`                          // 0 is 10
	Memory job.Size `default:"256MiB" help:"Memory for record ids, where files are not the same in both runs."` // 0 is job.DefaultMemory
}

// Validate completes the options and complains of what cannot be.
func (o *Options) Validate() error {
	if o.Show == 0 {
		o.Show = 10
	}
	if o.Memory == 0 {
		o.Memory = job.DefaultMemory
	}
	switch ext := path.Ext(o.To); {
	case o.Before == "" || o.After == "":
		return job.UsageError("`assent runs -c job.yaml` lists them", "diff needs two runs: BEFORE and AFTER")
	case o.To != "" && ext != ".parquet" && ext != ".csv":
		return job.UsageError("", "--to %s: the list is written as .parquet or .csv", o.To)
	case o.RawCSV && ext != ".csv":
		return job.UsageError("name a .csv file with --to", "--raw-csv is about a list in CSV")
	case o.Show < 0:
		return job.UsageError("", "--show %d is negative", o.Show)
	case o.Memory < 64<<10:
		return job.UsageError("", "--memory must be at least 64KiB")
	}
	return nil
}

// Result is the answer.
type Result struct {
	Before   RunInfo                 `json:"before"`
	After    RunInfo                 `json:"after"`
	Differs  []string                `json:"differs"`   // what the runs were made by: tool, program, horizon, policy, key, inputs.<role>, datasets.<name>
	NotKnown []string                `json:"not_known"` // of these
	Datasets map[string]*DatasetDiff `json:"datasets"`
	List     string                  `json:"list,omitempty"` // URI of the full list
	Listed   int64                   `json:"listed"`         // records that changed sides or are in one run only
	Shown    []Change                `json:"-"`              // the first of each kind
}

// RunInfo says which run was compared.
type RunInfo struct {
	RunID   string    `json:"run_id"`
	URI     string    `json:"uri"`
	Horizon time.Time `json:"consent_as_of"`
	Policy  string    `json:"policy_digest"`
}

// DatasetDiff counts a data set's records by what became of them.
type DatasetDiff struct {
	InBoth      int64                  `json:"in_both"`
	NowExcluded manifests.ReasonCounts `json:"now_excluded"` // kept before; by the primary reason after
	NowKept     manifests.ReasonCounts `json:"now_kept"`     // excluded before; by the primary reason before
	OtherReason int64                  `json:"other_reason"` // excluded in both, for another primary reason
	OnlyBefore  SideCounts             `json:"only_before"`
	OnlyAfter   SideCounts             `json:"only_after"`
	ByRow       int                    `json:"files_by_row"` // pairs of files that were compared row by row
	ByID        int                    `json:"files_by_id"`  // files, of both runs, that were compared by record ids
}

// SideCounts counts records that are in one run only.
type SideCounts struct {
	Kept     int64 `json:"kept"`
	Excluded int64 `json:"excluded"`
}

// ChangeKind says what became of a record.
type ChangeKind string

// The kinds of change, the most worrying first.
const (
	NowKept     ChangeKind = "now_kept"
	NowExcluded ChangeKind = "now_excluded"
	OnlyBefore  ChangeKind = "only_before"
	OnlyAfter   ChangeKind = "only_after"
)

// Change is a record that changed sides, or is in one run only.
type Change struct {
	Dataset    string
	Record     string
	Kind       ChangeKind
	Before     string // kept, or the primary reason; empty where it is not in that run
	After      string
	BeforeFile string // input file below the data set's root; empty where it is not in that run
	AfterFile  string
}

// fate is what became of a record in one run.
type fate uint8

const (
	absent fate = iota
	kept
	excluded // plus the primary reason
)

const _ = excluded + fate(schema.NumReasons-1) // does not compile where a reason does not fit

func excludedFor(r schema.Reason) fate { return excluded + fate(r) }

func (f fate) reason() schema.Reason { return schema.Reason(f - excluded) }

func (f fate) String() string {
	switch f {
	case absent:
		return ""
	case kept:
		return "kept"
	}
	return f.reason().String()
}

// kindOf is what the change from one fate to another is; "" for none that is listed.
func kindOf(before, after fate) ChangeKind {
	switch {
	case before == absent && after == absent:
		return ""
	case before == absent:
		return OnlyAfter
	case after == absent:
		return OnlyBefore
	case before == kept && after != kept:
		return NowExcluded
	case before != kept && after == kept:
		return NowKept
	}
	return ""
}

// count counts a record. That it is in both runs is counted elsewhere where it is
// known without looking.
func (d *DatasetDiff) count(before, after fate) {
	side := func(c *SideCounts, f fate) {
		if f == kept {
			c.Kept++
		} else {
			c.Excluded++
		}
	}
	switch kindOf(before, after) {
	case OnlyAfter:
		side(&d.OnlyAfter, after)
	case OnlyBefore:
		side(&d.OnlyBefore, before)
	case NowExcluded:
		d.NowExcluded[after.reason()]++
	case NowKept:
		d.NowKept[before.reason()]++
	default:
		if before != after {
			d.OtherReason++
		}
	}
}

func (d *DatasetDiff) add(o *DatasetDiff) {
	d.InBoth += o.InBoth
	d.NowKept.Add(&o.NowKept)
	d.NowExcluded.Add(&o.NowExcluded)
	d.OtherReason += o.OtherReason
	d.OnlyBefore.Kept += o.OnlyBefore.Kept
	d.OnlyBefore.Excluded += o.OnlyBefore.Excluded
	d.OnlyAfter.Kept += o.OnlyAfter.Kept
	d.OnlyAfter.Excluded += o.OnlyAfter.Excluded
	d.ByRow += o.ByRow
	d.ByID += o.ByID
}

// differ is one comparison under way.
type differ struct {
	*job.Env
	o      Options
	cfg    *config.Config
	runs   [2]*publish.Run // before and after
	list   *changeList
	keys   keyEvidence
	bar    job.Bar // counts the records of both runs
	result *Result
}

// Run compares two published runs record by record.
func Run(ctx context.Context, e *job.Env, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	cfg, out, err := publish.Open(ctx, e, o.Config, o.Set)
	if err != nil {
		return nil, err
	}
	d := &differ{Env: e, o: o, cfg: cfg, result: &Result{Differs: []string{}, NotKnown: []string{}, Datasets: map[string]*DatasetDiff{}}}
	for i, name := range []string{o.Before, o.After} {
		if d.runs[i], err = findRun(ctx, e, out, name); err != nil {
			return nil, err
		}
	}
	if d.list, err = newChangeList(ctx, e, o); err != nil {
		return nil, err
	}
	defer d.list.abort()
	d.bar = e.Progress.Start(recordsOf(d.runs[0]) + recordsOf(d.runs[1]))
	defer d.bar.Stop()
	if err := d.compare(ctx); err != nil {
		return nil, err
	}
	if err := d.list.finish(ctx); err != nil {
		return nil, err
	}
	d.finish()
	return d.result, nil
}

// findRun opens a published run by its id, its directory's name or its URI.
func findRun(ctx context.Context, e *job.Env, out *publish.Output, name string) (*publish.Run, error) {
	if id := strings.TrimPrefix(name, publish.RunPrefix); publish.CompleteID.MatchString(id) {
		return out.Run(ctx, publish.RunDir(id))
	}
	if !strings.Contains(name, publish.RunPrefix) {
		return nil, job.UsageError("`assent runs -c job.yaml` lists them", "%s is neither a run's id nor the URI of a run's directory", name)
	}
	return publish.OpenRun(ctx, e, name)
}

// recordsOf returns how many records a run has looked at.
func recordsOf(r *publish.Run) (n int64) {
	for _, d := range r.Datasets {
		n += d.RowsIn
	}
	return n
}

// compare goes through the data sets of both runs.
func (d *differ) compare(ctx context.Context) error {
	names := map[string]bool{}
	for _, run := range d.runs {
		for name := range run.Datasets {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		total := &DatasetDiff{}
		d.result.Datasets[name] = total
		pairs, rest := d.pair(name)
		if err := d.compareRows(ctx, name, pairs, total); err != nil {
			return err
		}
		if err := d.compareIDs(ctx, name, rest, total); err != nil {
			return err
		}
	}
	return nil
}

// pair splits a data set's files into those that are the same in both runs, and the
// rest of either.
func (d *differ) pair(dataset string) (pairs [][2]*manifests.File, rest [2][]*manifests.File) {
	var inputs [2]map[string]manifests.Input // by source
	for i, run := range d.runs {
		inputs[i] = sources(run.Run, dataset)
	}
	after := map[string]*manifests.File{}
	for i := range d.runs[1].Datasets[dataset].Files {
		f := &d.runs[1].Datasets[dataset].Files[i]
		after[f.Source] = f
	}
	for i := range d.runs[0].Datasets[dataset].Files {
		f := &d.runs[0].Datasets[dataset].Files[i]
		a, b := inputs[0][f.Source], inputs[1][f.Source]
		if g := after[f.Source]; g != nil && a.Identity != "" && a.Identity == b.Identity && a.Bytes == b.Bytes && f.RowsIn == g.RowsIn {
			pairs = append(pairs, [2]*manifests.File{f, g})
			delete(after, f.Source)
			continue
		}
		rest[0] = append(rest[0], f)
	}
	for i := range d.runs[1].Datasets[dataset].Files {
		if f := &d.runs[1].Datasets[dataset].Files[i]; after[f.Source] != nil {
			rest[1] = append(rest[1], f)
		}
	}
	return pairs, rest
}

// sources returns a data set's inputs by their paths below its root. The manifest
// lists inputs and files in one order.
func sources(r *manifests.Run, dataset string) map[string]manifests.Input {
	var inputs []manifests.Input
	for _, in := range r.Inputs {
		if in.Dataset == dataset {
			inputs = append(inputs, in)
		}
	}
	out := map[string]manifests.Input{}
	files := r.Datasets[dataset].Files
	for i, in := range inputs {
		if i < len(files) && strings.HasSuffix(in.Path, files[i].Source) {
			out[files[i].Source] = in
		}
	}
	return out
}

// finish says by what the runs were made differently, and warns of records that were
// let back in by more than the passing of time.
func (d *differ) finish() {
	r, before, after := d.result, d.runs[0], d.runs[1]
	r.Before, r.After = infoOf(before), infoOf(after)
	r.Listed, r.List, r.Shown = d.list.n, d.list.uri, d.list.shown()
	say := func(name string, differs bool) {
		if differs {
			r.Differs = append(r.Differs, name)
		}
	}
	say("tool", before.Tool != after.Tool)
	say("program", before.Program.Name != after.Program.Name)
	say("horizon", !before.ConsentAsOf.Equal(after.ConsentAsOf))
	say("policy", before.PolicyDigest != after.PolicyDigest)
	if same, known := d.sameKey(); !known {
		r.NotKnown = append(r.NotKnown, "key")
	} else {
		say("key", !same)
	}
	for _, role := range []string{"consent", "deletions", "restrictions", "accounts", "aliases", "organisations"} {
		say("inputs."+role, !slices.Equal(identities(before, role, ""), identities(after, role, "")))
	}
	back := int64(0)
	for _, name := range slices.Sorted(maps.Keys(r.Datasets)) {
		say("datasets."+name, !slices.Equal(identities(before, "", name), identities(after, "", name)))
		for reason, n := range r.Datasets[name].NowKept {
			if schema.Reason(reason) != schema.AfterHorizon {
				back += n
			}
		}
	}
	if back > 0 {
		d.Log.Warn("records that were excluded for other reasons than the horizon are kept now", "records", back, "before", before.RunID, "after", after.RunID)
	}
}

func infoOf(r *publish.Run) RunInfo {
	return RunInfo{RunID: r.RunID, URI: r.URI(""), Horizon: r.ConsentAsOf, Policy: r.PolicyDigest}
}

func identities(r *publish.Run, role, dataset string) (ids []string) {
	for _, in := range r.Inputs {
		if in.Role == role && in.Dataset == dataset {
			ids = append(ids, fmt.Sprintf("%s %d", in.Identity, in.Bytes))
		}
	}
	return ids
}

// keyEvidence is what the references of rows that both runs excluded say of the keys.
type keyEvidence struct{ same, other bool }

// sameKey reports whether both runs' references were made under one key: by the
// configured one, where there is one that fits either, else by the references.
func (d *differ) sameKey() (same, known bool) {
	if key, err := config.SubjectKey(d.cfg); err == nil {
		a, b := d.runs[0].MadeUnder(key), d.runs[1].MadeUnder(key)
		if a || b {
			return a == b, true
		}
	}
	return !d.keys.other, d.keys.same || d.keys.other
}
