// Package runpage makes the page that tells people what a run did: what went in, what
// was kept, and why all else was not. It is told all of it by the run manifest and the
// counts by day, so that it can be made again from these and be the same, byte for
// byte. It opens nothing.
//
// Words:
//
//   - step: the records that one reason takes away, in the order of reasons, and what
//     remains after it.
//   - unit: the stretch of days that one bar of a chart stands for.
//   - layer: what is of one kind (kept, or one reason) in all bars of a chart.
package runpage

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"slices"

	"assent/job/internal/pages"
	"assent/manifests"
	"assent/schema"
)

//go:embed page.html
var pageHTML string

var page = pages.New("report", pageHTML, template.FuncMap{
	"share":  share,
	"size":   size,
	"label":  schema.Reason.Label,
	"reason": schema.Reason.Sentence,
	"code":   schema.Reason.String,
})

// Page returns the report of a run. digest is the SHA-256 of the run manifest's bytes.
// Counts by day that are not the run's are an error.
func Page(run *manifests.Run, digest string, daily []manifests.DayCounts) ([]byte, error) {
	if err := manifests.CheckDaily(run, daily); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	v := &view{Run: run, Digest: digest, Inputs: inputsOf(run), Gates: gatesOf(run.Gates), Rules: rules(run)}
	for _, name := range slices.Sorted(maps.Keys(run.Datasets)) {
		v.add(name, run.Datasets[name])
	}
	v.Since = sinceOf(run)
	v.Reused, v.Files, v.ReusedFrom = reusedOf(run)
	v.steps()
	v.causes()
	v.charts(daily)
	return page.HTML(v)
}

// Of long lists the page has the first ones, and says how many there are.
const (
	maxCauses = 12
	maxFiles  = 200
)

// view is what the page says.
type view struct {
	Run      *manifests.Run
	Digest   string
	Total    set
	Sets     []*set
	Uses     []use
	Reasons  []schema.Reason // those that documents list
	Steps    []step
	Causes   []cause // the most frequent
	More     int     // causes that are not told
	Gates    []gates
	Rules    []string
	Inputs   inputs
	Outputs  []*manifests.File
	Left     int    // outputs that are not told
	Unit     *unit  // of the charts' bars
	Lines    *unit  // of the tables of figures
	From, To string // of the charts
	Cut      bool   // they leave out days without records
	Layers   []layer
	Since    *sinceView // nil where there was no run to compare with
	Handed   []handedOver

	Reused, Files int64    // files that were taken over, of all
	ReusedFrom    []string // the runs that they are from
}

// set is a data set, or all of them.
type set struct {
	Name     string
	Category schema.Category
	In, Kept int64
	Excluded manifests.ReasonCounts
	Chart    *chart
}

// Out returns how many records are excluded.
func (s *set) Out() int64 { return s.Excluded.Total() }

// Percent returns the share of records kept as the width of a bar.
func (s *set) Percent() float64 { return percent(s.Kept, s.In) }

// use is what data sets of one category may train.
type use struct {
	Category schema.Category
	Third    bool
	Names    []string
}

// step is what one reason takes away.
type step struct {
	Reason       schema.Reason
	Rows, Remain int64
	After, Taken float64 // widths of bars, in percent of all records
}

// cause is one line of the most frequent causes.
type cause struct {
	Dataset, Text, Code string
	Rows                int64
}

// Later reports whether a reason beyond the first ones occurs. Only then does the page
// have its colours.
func (v *view) Later() bool { return len(v.Reasons) > schema.FirstReasons }

func (v *view) add(name string, d manifests.Dataset) {
	category, _ := schema.ParseCategory(d.Category) // the run is valid
	v.Sets = append(v.Sets, &set{Name: name, Category: category, In: d.RowsIn, Kept: d.RowsKept, Excluded: d.ExcludedByReason})
	v.use(name, category)
	v.Total.In += d.RowsIn
	v.Total.Kept += d.RowsKept
	v.Total.Excluded.Add(&d.ExcludedByReason)
	for i := range d.Files {
		if len(v.Outputs) < maxFiles {
			v.Outputs = append(v.Outputs, &d.Files[i])
		} else {
			v.Left++
		}
	}
	v.Handed = append(v.Handed, handedOverOf(name, &d)...)
	for _, c := range d.Causes {
		v.Causes = append(v.Causes, cause{Dataset: name, Text: causeText(c), Code: c.Reason, Rows: c.Rows})
	}
}

// use adds a data set to those of its category.
func (v *view) use(name string, c schema.Category) {
	third := v.Run.Use[name].ThirdPartyTraining
	i := slices.IndexFunc(v.Uses, func(u use) bool { return u.Category == c && u.Third == third })
	if i < 0 {
		i, v.Uses = len(v.Uses), append(v.Uses, use{Category: c, Third: third})
	}
	v.Uses[i].Names = append(v.Uses[i].Names, name)
}

func (v *view) steps() {
	remain := v.Total.In
	v.Reasons = v.Total.Excluded.Listed()
	for _, r := range v.Reasons {
		s := step{Reason: r, Rows: v.Total.Excluded[r], Remain: remain - v.Total.Excluded[r]}
		s.After, s.Taken = percent(s.Remain, v.Total.In), percent(s.Rows, v.Total.In)
		v.Steps = append(v.Steps, s)
		remain = s.Remain
	}
}

// causes leaves the most frequent ones.
func (v *view) causes() {
	slices.SortStableFunc(v.Causes, func(a, b cause) int { return cmp.Compare(b.Rows, a.Rows) })
	if len(v.Causes) > maxCauses {
		v.More = len(v.Causes) - maxCauses
		v.Causes = v.Causes[:maxCauses]
	}
}

// percent returns a share in percent, to two digits; nothing of nothing is 0.
func percent(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(int64(1e4*float64(n)/float64(of)+0.5)) / 100
}

// inputs are the files that were read.
type inputs struct {
	Groups []inputGroup
	Files  []*manifests.Input // the first
	Left   int
}

// inputGroup are the files of one role or data set.
type inputGroup struct {
	Name               string
	Files, Rows, Bytes int64
}

func inputsOf(run *manifests.Run) (in inputs) {
	at := map[string]int{}
	for i := range run.Inputs {
		f := &run.Inputs[i]
		name := inputNames[f.Role]
		if f.Dataset != "" {
			name = "Data set " + f.Dataset
		} else if name == "" {
			name = f.Role
		}
		if _, ok := at[name]; !ok {
			at[name] = len(in.Groups)
			in.Groups = append(in.Groups, inputGroup{Name: name})
		}
		g := &in.Groups[at[name]]
		g.Files++
		g.Rows += f.Rows
		g.Bytes += f.Bytes
		if len(in.Files) < maxFiles {
			in.Files = append(in.Files, f)
		} else {
			in.Left++
		}
	}
	return in
}

// has reports whether the run read a file of a role.
func has(run *manifests.Run, role string) bool {
	return slices.ContainsFunc(run.Inputs, func(in manifests.Input) bool { return in.Role == role })
}
