package runpage

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"assent/job/internal/pages"
	"assent/manifests"
	"assent/schema"
)

// sinceView is what changed since the run before, in all and by data set and reason.
type sinceView struct {
	*manifests.Since
	Sets    []sinceSet
	Total   sinceSet
	Reasons []sinceReason // by which some record changed sides
	Nights  *nights       // nil where there are too few for a chart
}

type sinceSet struct {
	Name string
	manifests.Changes
	Kept int64 // now
}

// Out and In are the records that changed sides.
func (s *sinceSet) Out() int64 { return s.NowExcluded.Total() }

// In returns the records that are kept again.
func (s *sinceSet) In() int64 { return s.NowKept.Total() }

type sinceReason struct {
	Reason  schema.Reason
	Out, In int64
}

func sinceOf(run *manifests.Run) *sinceView {
	since := run.Invocation.Since
	if since == nil {
		return nil
	}
	v := &sinceView{Since: since, Nights: nightsOf(run)}
	for _, name := range slices.Sorted(maps.Keys(since.Datasets)) {
		s := sinceSet{Name: name, Changes: since.Datasets[name], Kept: run.Datasets[name].RowsKept}
		v.Sets = append(v.Sets, s)
		v.Total.KeptBefore += s.KeptBefore
		v.Total.Gone.Kept += s.Gone.Kept
		v.Total.New.Kept += s.New.Kept
		v.Total.Kept += s.Kept
		v.Total.NowExcluded.Add(&s.NowExcluded)
		v.Total.NowKept.Add(&s.NowKept)
	}
	for _, r := range schema.AllReasons() {
		if out, in := v.Total.NowExcluded[r], v.Total.NowKept[r]; out+in > 0 {
			v.Reasons = append(v.Reasons, sinceReason{r, out, in})
		}
	}
	return v
}

// nights is the chart of the last runs: a bar upwards for the records that a run keeps and the run before did not, and one
// downwards for those that it does not keep any more. Lengths are in thousandths, but for ticks, which are in percent.
type nights struct {
	Bars      []night
	Y         []tick
	Zero      float64 // where the line of no change is, in percent
	Came      string  // paths
	Left      string
	Most      *night // that lost most
	From, To  string
	FromShort string
	ToShort   string
}

type night struct {
	Run        string
	Horizon    string
	Kept       int64
	Came, Left int64
	X, Width   string
	First      bool // nothing is known of the run before it
}

func nightsOf(run *manifests.Run) *nights {
	all := run.Remember()
	if s := run.Invocation.Since; s != nil {
		all = append(slices.Clone(s.Earlier), all[len(all)-1])
	}
	n := &nights{From: pages.Day(all[0].ConsentAsOf), To: pages.Day(run.ConsentAsOf)}
	n.FromShort, n.ToShort = all[0].ConsentAsOf.UTC().Format("2 Jan 2006"), run.ConsentAsOf.UTC().Format("2 Jan 2006")
	var up, down int64
	for i, r := range all {
		c := r.Change
		n.Bars = append(n.Bars, night{Run: r.RunID, Horizon: pages.Day(r.ConsentAsOf), Kept: r.Kept, Came: c.NowKept + c.NewKept, Left: c.NowExcluded + c.GoneKept, First: i == 0})
		b := &n.Bars[i]
		up, down = max(up, b.Came), max(down, b.Left)
		if n.Most == nil || b.Left >= n.Most.Left {
			n.Most = b
		}
	}
	if up+down == 0 {
		return nil
	}
	n.draw(up, down)
	return n
}

func (n *nights) draw(up, down int64) {
	step := niceStep(max(up, down))
	ceil := func(x int64) int64 { return (x + step - 1) / step * step }
	top, bottom := ceil(up), ceil(down)
	whole := top + bottom
	for y := -bottom; y <= top; y += step {
		label := short(max(y, -y))
		if y < 0 {
			label = "−" + label
		}
		n.Y = append(n.Y, tick{At: 100 - percent(y+bottom, whole), Label: label})
	}
	n.Zero = percent(top, whole)
	height := func(x int64) int64 { return (1000*x + whole/2) / whole }
	zero, slot := height(top), 1000/float64(len(n.Bars))
	width := min(0.84*slot, 60)
	var came, left strings.Builder
	for i := range n.Bars {
		b := &n.Bars[i]
		x := slot*float64(i) + (slot-width)/2
		b.X, b.Width = length(x), length(width)
		if h := height(b.Came); h > 0 {
			fmt.Fprintf(&came, "M%s %dh%sv%dh-%sz", b.X, zero-h, b.Width, h, b.Width)
		}
		if h := height(b.Left); h > 0 {
			fmt.Fprintf(&left, "M%s %dh%sv%dh-%sz", b.X, zero, b.Width, h, b.Width)
		}
	}
	n.Came, n.Left = came.String(), left.String()
}

// handedOver is what became of a column of kept records before they were handed over.
type handedOver struct {
	Dataset, Column, What string
	Values                int64
	Kinds                 []kindCount
}

type kindCount struct {
	Kind string
	N    int64
}

func handedOverOf(name string, d *manifests.Dataset) (all []handedOver) {
	for _, t := range d.Transforms {
		h := handedOver{Dataset: name, Column: t.Column, What: string(t.Action), Values: t.Values}
		if t.To != "" {
			h.What += " to the " + t.To
		}
		for _, kind := range slices.Sorted(maps.Keys(t.Redactions)) {
			h.Kinds = append(h.Kinds, kindCount{kind, t.Redactions[kind]})
		}
		all = append(all, h)
	}
	return all
}

// Replaced lists what was replaced, by kind.
func (h *handedOver) Replaced() string {
	var words []string
	for _, k := range h.Kinds {
		words = append(words, pages.Count(k.N)+" ["+k.Kind+"]")
	}
	return strings.Join(words, ", ")
}

// reusedOf counts the files that were taken over, by the run that they come from.
func reusedOf(run *manifests.Run) (files, of int64, from []string) {
	runs := map[string]bool{}
	for _, r := range run.Invocation.ReusedFrom {
		files++
		runs[r] = true
	}
	for _, d := range run.Datasets {
		of += int64(len(d.Files))
	}
	return files, of, slices.Sorted(maps.Keys(runs))
}
