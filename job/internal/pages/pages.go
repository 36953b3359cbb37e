// Package pages is what the HTML pages of this program share: how they look, and how
// they write numbers, times and categories. A page is one file that needs no other:
// it carries its style, has no script, and loads nothing.
package pages

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"assent/schema"
)

//go:embed style.css
var style string

// New returns the template of a page. It has {{style}} for what all pages share, and
// the functions of this package by their names in lower case.
func New(name, text string, more template.FuncMap) *template.Template {
	return template.Must(template.New(name).Funcs(template.FuncMap{
		"style":    func() template.CSS { return template.CSS(style) },
		"day":      Day,
		"time":     Time,
		"count":    Count,
		"records":  Records,
		"title":    schema.Category.Title,
		"audience": schema.Category.AudienceSentence,
		"join":     func(s []string) string { return strings.Join(s, ", ") },
		"list":     List,
	}).Funcs(more).Parse(text))
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
