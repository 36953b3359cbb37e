// Package pages makes the HTML pages of this program: their head, their look, and how they
// write numbers, times and categories.
//
// A page is one file that needs no other: it carries its style, has no script, and loads
// nothing. Its content security policy holds browsers to that. What records and files
// bring into it is escaped, and what is not printable there is quoted (see package plain).
package pages

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"sync"
	"time"

	"assent/job/plain"
	"assent/schema"
)

//go:embed head.html
var head string

//go:embed style.css
var style string

// Page makes pages of one kind. Its text is parsed when the first one is made: most commands make none.
type Page struct{ text func() *template.Template }

// New returns a page. Its text begins with {{template "head" .}}, goes on with the body,
// and defines two templates: "title" and "style", which adds to the style that all pages
// have. It has the functions of this package by their names in lower case.
func New(name, text string, more template.FuncMap) *Page {
	return &Page{sync.OnceValue(func() *template.Template {
		t := template.New(name).Funcs(template.FuncMap{
			"style":    func() template.CSS { return template.CSS(style) },
			"day":      Day,
			"time":     Time,
			"count":    Count,
			"records":  Records,
			"title":    schema.Category.Title,
			"audience": schema.Category.AudienceSentence,
			"join":     func(s []string) string { return plain.Line(strings.Join(s, ", ")) },
			"line":     plain.Line,
			"list":     List,
		}).Funcs(more)
		template.Must(t.New("head").Parse(head))
		return template.Must(t.Parse(text))
	})}
}

// HTML returns the page of some data.
func (p *Page) HTML(data any) ([]byte, error) {
	var b bytes.Buffer
	if err := p.text().Execute(&b, data); err != nil {
		return nil, err
	}
	return []byte(plain.Lines(b.String())), nil
}

// Day writes the day of an instant.
func Day(t time.Time) string { return t.UTC().Format("2 January 2006") }

// Time writes an instant to the second, in UTC.
func Time(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05") }

// Count writes 1234567 as 1,234,567.
func Count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Records is the word for so many of them.
func Records(n int64) string {
	if n == 1 {
		return "record"
	}
	return "records"
}

// List writes a, b and c.
func List(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}
