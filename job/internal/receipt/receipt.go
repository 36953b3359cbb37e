// Package receipt makes the page that stands beside a receipt in JSON, so that a person
// can read what was done about a request: receipt.html.
//
//   - request: what a person asked for, with its id and its time as far as they are known.
//   - fact: a line of the page, a name and a value.
//   - time limit: one month after the request, as Article 12(3) of Regulation (EU) 2016/679
//     (GDPR) has it. It may be extended by two months; a page does not know of that.
package receipt

import (
	_ "embed"
	"fmt"
	"time"

	"assent/job/internal/pages"
)

// Names of the files of a receipt.
const (
	JSON = "receipt.json"
	HTML = "receipt.html"
)

// Page is what receipt.html says.
type Page struct {
	Title    string
	Lead     string // one sentence: what was done
	Requests []Request
	Done     time.Time // when the requests were answered
	Facts    []Fact
	Tables   []Table
	Lists    []List
	SHA256   string // of receipt.json
}

// Request is a person's request. Either may be missing.
type Request struct {
	ID string     `json:"request_id,omitempty"`
	At *time.Time `json:"requested_at,omitempty"`
}

// Fact is a name and a value. ID says that the value is for machines: a digest, a
// reference.
type Fact struct {
	Name, Value string
	ID          bool
}

// Table has a heading, a header and rows. Columns from Numbers on are numbers.
type Table struct {
	Heading string
	Header  []string
	Rows    [][]string
	Numbers int // the first column of numbers; there are none from len(Header) on
}

// List is a list of sentences.
type List struct {
	Heading string
	Items   []string
}

//go:embed receipt.html
var text string

var page = pages.New("receipt", text, map[string]any{
	"due":    Due,
	"number": func(t Table, column int) bool { return column >= t.Numbers },
})

// HTML returns the page.
func (p *Page) HTML() ([]byte, error) { return page.HTML(p) }

// Took says how long after a request made at an instant it was answered.
func (p *Page) Took(at time.Time) string { return Age(at, p.Done) }

// Late reports whether that was after the time limit.
func (p *Page) Late(at time.Time) bool { return !p.Done.Before(Due(at).AddDate(0, 0, 1)) }

// Due returns the last day of the time limit of a request: the same day of the next month,
// or that month's last where there is none (Regulation (EEC, Euratom) No 1182/71, Article 3).
func Due(at time.Time) time.Time {
	at = at.UTC()
	first := time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(at.Day(), last)-1)
}

// Age says in days how long before now something was.
func Age(at, now time.Time) string {
	switch days := Days(at, now); days {
	case 0:
		return "less than a day"
	case 1:
		return "1 day"
	default:
		return fmt.Sprintf("%s days", pages.Count(int64(days)))
	}
}

// Days returns the whole days from one instant to another, 0 where there are none.
func Days(at, now time.Time) int { return max(0, int(now.Sub(at)/(24*time.Hour))) }
