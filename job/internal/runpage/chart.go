package runpage

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"assent/job/internal/pages"
	"assent/manifests"
	"assent/schema"
)

// unit is what one bar, or one line of the figures, stands for.
type unit struct {
	Name, Column string
	start        func(t time.Time) time.Time // of the unit that t is in
	next         [3]int                      // years, months, days
	format       string
}

var units = []unit{
	{"day", "Day", func(t time.Time) time.Time { return t }, [3]int{0, 0, 1}, "2 Jan 2006"},
	{"week", "Week from", func(t time.Time) time.Time { return t.AddDate(0, 0, -(int(t.Weekday())+6)%7) }, [3]int{0, 0, 7}, "2 Jan 2006"},
	{"month", "Month", func(t time.Time) time.Time { return date(t.Year(), t.Month()) }, [3]int{0, 1, 0}, "Jan 2006"},
	{"year", "Year", func(t time.Time) time.Time { return date(t.Year(), 1) }, [3]int{1, 0, 0}, "2006"},
	{"decade", "Decade from", func(t time.Time) time.Time { return date(t.Year()-t.Year()%10, 1) }, [3]int{10, 0, 0}, "2006"},
}

func date(year int, month time.Month) time.Time {
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}

// A chart has a bar for each day of a year; its table is for reading.
const (
	maxBars = 400
	maxRows = 66
)

// span are the days of one bar or line.
type span struct{ from, until schema.Day }

// cut cuts days into the smallest units of which there are at most so many. Both ends
// are whole units.
func cut(first, last schema.Day, most int) (u *unit, spans []span) {
	for i := range units {
		if u, spans = &units[i], units[i].spans(first, last, most); len(spans) <= most {
			break
		}
	}
	return u, spans
}

// spans stops where it has more than so many.
func (u *unit) spans(first, last schema.Day, most int) (out []span) {
	for t := u.start(first.Time()); ; {
		next := t.AddDate(u.next[0], u.next[1], u.next[2])
		out = append(out, span{dayOf(t), dayOf(next)})
		if out[len(out)-1].until > last || len(out) > most {
			return out
		}
		t = next
	}
}

// dayOf is the day that begins at t, also where no Instant reaches.
func dayOf(t time.Time) schema.Day { return schema.Day(t.Unix() / (24 * 60 * 60)) }

func (u *unit) label(s span) string { return s.from.Time().Format(u.format) }

// chart is the chart of one data set. Lengths are in thousandths of its width or
// height, but for ticks, which are in percent.
type chart struct {
	Layers                 []layer // that occur
	Bars, Rows             []bar   // the figures are by larger units than the bars
	X, Y                   []tick
	Dense                  bool // too many bars to point at one
	Most                   *bar
	Before, After, Unknown int64
}

// layer is one kind of records: kept, or excluded for a reason.
type layer struct {
	Class, Label, Path string
	reason             schema.Reason
	kept               bool
}

func (l *layer) of(b *bar) int64 {
	if l.kept {
		return b.Kept
	}
	return b.Excluded[l.reason]
}

// bar is what one unit has, in the chart or in the table of its figures.
type bar struct {
	Label    string
	Records  int64
	Kept     int64
	Excluded manifests.ReasonCounts
	Figures  []int64 // of the chart's layers
	X, Width string
}

type tick struct {
	At     float64
	Label  string
	Anchor string
}

// layers are all kinds from the bottom to the top: what is kept, then reasons with the
// last, which as a rule is the most frequent, beside it.
func layers() []layer {
	out := []layer{{Class: "kept", Label: "Kept", kept: true}}
	for r := schema.Reason(schema.NumReasons); r > 0; r-- {
		out = append(out, layer{Class: "r" + strconv.Itoa(int(r-1)), Label: (r - 1).Label(), reason: r - 1})
	}
	return out
}

// charts makes a chart for each data set that has records on some day. They share one
// axis of time: from the programme's start to the horizon, so that days without data
// show, or where nearly all of these would be without, the days that have some.
func (v *view) charts(daily []manifests.DayCounts) {
	first, last, any := schema.Day(0), schema.Day(0), false
	for i := range daily {
		c := &daily[i]
		if !c.IsDay() {
			continue
		}
		if !any {
			first, last, any = c.Day, c.Day, true
		}
		first, last = min(first, c.Day), max(last, c.Day)
	}
	begin, end := schema.FromTime(v.Run.Program.StartsAt).Day(), schema.FromTime(v.Run.ConsentAsOf).Day()
	if v.Cut = any && 5*(int(last)-int(first)+1) < int(end)-int(begin); !v.Cut {
		first, last = begin, end
	}
	var spans, lines []span
	v.Unit, spans = cut(first, last, maxBars)
	v.Lines, lines = cut(first, last, maxRows)
	v.From, v.To = pages.Day(first.Time()), pages.Day(last.Time())
	occurs := map[string]bool{}
	for _, s := range v.Sets {
		s.Chart = v.chart(s, spans, lines, daily)
		for _, l := range s.Chart.Layers {
			occurs[l.Class] = true
		}
	}
	for _, l := range layers() {
		if occurs[l.Class] {
			v.Layers = append(v.Layers, l)
		}
	}
}

// Beside says what of the data set is not in the chart.
func (c *chart) Beside() string {
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{c.Before, "from before the programme's first day"}, {c.After, "from after the horizon's day"}, {c.Unknown, "without a known day"}} {
		if p.n > 0 {
			parts = append(parts, pages.Count(p.n)+" "+pages.Records(p.n)+" "+p.what)
		}
	}
	if parts == nil {
		return ""
	}
	return "Not in the chart: " + pages.List(parts) + ". None of them can be kept."
}

func (v *view) chart(s *set, spans, lines []span, daily []manifests.DayCounts) *chart {
	c := &chart{Bars: v.Unit.bars(spans), Rows: v.Lines.bars(lines), Dense: len(spans) > maxRows}
	bar, row := 0, 0
	for i := range daily {
		d := &daily[i]
		switch {
		case d.Dataset != s.Name:
		case d.Day == manifests.DaysBefore:
			c.Before = d.Records()
		case d.Day == manifests.DaysAfter:
			c.After = d.Records()
		case d.Day == manifests.DayUnknown:
			c.Unknown = d.Records()
		default:
			for ; d.Day >= spans[bar].until; bar++ {
			}
			for ; d.Day >= lines[row].until; row++ {
			}
			c.Rows[row].add(d)
			b := &c.Bars[bar]
			b.add(d)
			if c.Most == nil || b.Records > c.Most.Records {
				c.Most = b
			}
		}
	}
	if c.Most != nil {
		c.draw(spans)
		c.X = timeTicks(v.Unit, spans)
	}
	return c
}

// bars returns empty bars.
func (u *unit) bars(spans []span) []bar {
	out := make([]bar, len(spans))
	for i := range out {
		out[i].Label = u.label(spans[i])
	}
	return out
}

// add adds a day's counts.
func (b *bar) add(d *manifests.DayCounts) {
	b.Records += d.Records()
	b.Kept += d.Kept
	b.Excluded.Add(&d.Excluded)
}

// draw sets the paths of layers, the places of bars, and the ticks of the axis of counts.
func (c *chart) draw(spans []span) {
	step := niceStep(c.Most.Records)
	top := (c.Most.Records + step - 1) / step * step
	for n := int64(0); n <= top; n += step {
		c.Y = append(c.Y, tick{At: 100 - percent(n, top), Label: short(n)})
	}
	whole := float64(spans[len(spans)-1].until - spans[0].from)
	width := make([]float64, len(spans))
	left := make([]float64, len(spans))
	for i, s := range spans {
		slot := 1000 * float64(s.until-s.from) / whole
		if width[i] = min(0.84*slot, 60); c.Dense {
			width[i] = slot // gaps would be thinner than the screen's dots
		}
		left[i] = 1000*float64(s.from-spans[0].from)/whole + (slot-width[i])/2
		c.Bars[i].X, c.Bars[i].Width = length(left[i]), length(width[i])
	}
	height := func(n int64) int64 { return (1000*n + top/2) / top }
	below := make([]int64, len(c.Bars)) // records in the layers below
	for _, l := range layers() {
		var path strings.Builder
		some := false
		for i := range c.Bars {
			n := l.of(&c.Bars[i])
			some = some || n > 0
			from, to := height(below[i]), height(below[i]+n)
			below[i] += n
			if to > from {
				fmt.Fprintf(&path, "M%s %dh%sv%dh-%sz", length(left[i]), 1000-to, length(width[i]), to-from, length(width[i]))
			}
		}
		if l.Path = path.String(); some {
			c.Layers = append(c.Layers, l)
		}
	}
	for i := range c.Rows {
		for _, l := range c.Layers {
			c.Rows[i].Figures = append(c.Rows[i].Figures, l.of(&c.Rows[i]))
		}
	}
}

func length(x float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0")
}

// niceStep is a step of 1, 2 or 5 times a power of ten that goes some four times into n.
func niceStep(n int64) int64 {
	for step := int64(1); ; step *= 10 {
		for _, f := range []int64{1, 2, 5} {
			if 4*f*step >= n {
				return f * step
			}
		}
	}
}

// short writes the count of a tick.
func short(n int64) string {
	for _, u := range []struct {
		name string
		is   int64
	}{{"T", 1e12}, {"G", 1e9}, {"M", 1e6}, {"k", 1e3}} {
		if n >= 10*u.is || n >= u.is && u.is > 1e3 {
			return strings.TrimSuffix(strconv.FormatFloat(float64(n)/float64(u.is), 'f', 1, 64), ".0") + u.name
		}
	}
	return pages.Count(n)
}

// maxTicks is how many labels fit below a chart on a telephone.
const maxTicks = 5

// timeTicks labels some bars.
func timeTicks(u *unit, spans []span) (ticks []tick) {
	format := map[string]string{"day": "2 Jan", "week": "2 Jan", "month": "Jan 2006"}[u.Name]
	if format == "" {
		format = "2006"
	}
	whole := float64(spans[len(spans)-1].until - spans[0].from)
	every := (len(spans) + maxTicks - 1) / maxTicks
	for i := 0; i < len(spans); i += every {
		s := spans[i]
		t := tick{At: 100 * (float64(s.from-spans[0].from) + float64(s.until-s.from)/2) / whole, Label: s.from.Time().Format(format), Anchor: "middle"}
		t.At = float64(int64(t.At*100+0.5)) / 100
		if t.At > 90 && len(spans) > 1 {
			t.Anchor = "end"
		}
		ticks = append(ticks, t)
	}
	return ticks
}
