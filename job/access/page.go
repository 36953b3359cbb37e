package access

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"assent/job/internal/pages"
	"assent/schema"
)

// Page is what index.html says.
type Page struct {
	Program         string
	Starts, AsOf    time.Time
	OptedInAtFirst  bool // the programme's default
	Format          Format
	RawCSV          bool
	IncludeReceived bool
	Choices         Choices
	Sets            []*PageSet
	NotUsedBy       map[Reason]int64
}

// PageSet is a data set on the page.
type PageSet struct {
	Name     string
	Category schema.Category
	DatasetCounts
	First, Last schema.Instant // of the used records; Unknown where none has a time
	Tables      []PageTable    // of content
	Used        []Used         // the first few
	NotUsed     []NotUsed      // the first few
}

// PageTable is a table of content.
type PageTable struct {
	Path    string
	Rows    int64
	Columns []string
}

// pageRecords is how many records of a data set the page lists on each side.
const pageRecords = 100

// NewPageSet returns a data set without records.
func NewPageSet(name string, c schema.Category) *PageSet {
	return &PageSet{Name: name, Category: c, First: schema.Unknown, Last: schema.Unknown}
}

// AddUsed counts a record, and lists it if it is one of the first.
func (s *PageSet) AddUsed(r Used) {
	s.DatasetCounts.Used++
	if r.Content {
		s.Content++
	}
	if r.Time != schema.Unknown {
		if s.First == schema.Unknown || r.Time < s.First {
			s.First = r.Time
		}
		s.Last = max(s.Last, r.Time)
	}
	if len(s.Used) < pageRecords {
		s.Used = append(s.Used, r)
	}
}

// AddNotUsed counts a record, and lists it if it is one of the first.
func (s *PageSet) AddNotUsed(r NotUsed) {
	s.DatasetCounts.NotUsed++
	if len(s.NotUsed) < pageRecords {
		s.NotUsed = append(s.NotUsed, r)
	}
}

// Total returns the sums over all data sets.
func (p *Page) Total() (t DatasetCounts) {
	for _, s := range p.Sets {
		t.Used += s.DatasetCounts.Used
		t.Content += s.Content
		t.NotUsed += s.DatasetCounts.NotUsed
	}
	return t
}

// Found reports whether any record names the account.
func (p *Page) Found() bool { t := p.Total(); return t.Used+t.NotUsed > 0 }

// Reasons lists the reasons that occur, with their counts.
func (p *Page) Reasons() []ReasonCount {
	var out []ReasonCount
	for _, r := range Reasons() {
		if n := p.NotUsedBy[r]; n > 0 {
			out = append(out, ReasonCount{r.Because(), n})
		}
	}
	return out
}

// ReasonCount is how often a reason occurs.
type ReasonCount struct {
	Because string
	Count   int64
}

// Bar returns a choice's timeline as parts of a bar that reaches from the programme's
// start to the horizon; none where that is no time at all.
func (p *Page) Bar(c Choice) []BarPart {
	whole := p.AsOf.Sub(p.Starts)
	var parts []BarPart
	for _, s := range c.Timeline {
		from, until := p.Starts, s.Until
		if s.From != nil && s.From.After(from) {
			from = *s.From
		}
		if until.After(from) && whole > 0 {
			parts = append(parts, BarPart{fmt.Sprintf("%.3f", 100*float64(until.Sub(from))/float64(whole)), s.State})
		}
	}
	return parts
}

// BarPart is a part of a bar.
type BarPart struct{ Percent, State string }

// More returns how many of count records are beyond those listed.
func More(count int64, listed int) int64 { return count - int64(listed) }

//go:embed page.html
var pageHTML string

var pageTemplate = pages.New("access", pageHTML, template.FuncMap{
	"when":     when,
	"words":    schema.Category.ToAccount,
	"category": schema.ParseCategory,
	"state":    func(s string) string { return strings.ReplaceAll(s, "_", " ") },
	"more":     More,
	"because":  func(r Reason) string { return r.Because() },
	"width":    func(percent string) template.CSS { return template.CSS("width:" + percent + "%") },
})

// when writes an instant for people.
func when(i schema.Instant) string {
	if i == schema.Unknown {
		return "–"
	}
	return i.Time().Format("2 January 2006, 15:04")
}

// HTML returns the page.
func (p *Page) HTML() ([]byte, error) { return pageTemplate.HTML(p) }
