package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Handover says what is handed over of a kept record: which columns, and what is changed of their values. Columns are named by
// their dotted path. Decisions take all columns as they were. The zero value hands over everything as it is.
type Handover struct {
	Drop         []string `json:",omitempty"` // left out, with all that is below them
	Keep         []string `json:",omitempty"` // if any: all others are left out
	Pseudonymise []string `json:",omitempty"` // ids, to be replaced by pseudonyms
	// Redact says which kinds of contact detail are replaced in texts, by column.
	Redact  map[string][]Detail `json:",omitempty"`
	Details int                 `json:",omitempty"` // DetailRules, where texts are redacted: what is found is a part of what is asked for
	Coarsen map[string]Grain    `json:",omitempty"` // instants, to be cut
}

// Everything reports whether everything is handed over as it is.
func (h *Handover) Everything() bool {
	return len(h.Drop)+len(h.Keep)+len(h.Pseudonymise)+len(h.Redact)+len(h.Coarsen) == 0
}

// Changes lists the columns whose values are changed, each with the key of the configuration that says so, in the order of the keys
// and of their names.
func (h *Handover) Changes() (all []Change) {
	for _, name := range h.Pseudonymise {
		all = append(all, Change{"pseudonymise", name})
	}
	for name := range h.Redact {
		all = append(all, Change{"redact", name})
	}
	for name := range h.Coarsen {
		all = append(all, Change{"coarsen", name})
	}
	slices.SortFunc(all, func(a, b Change) int { return strings.Compare(a.Key+a.Column, b.Key+b.Column) })
	return all
}

// Change is a column whose values are changed.
type Change struct {
	Key    string // pseudonymise, redact, coarsen
	Column string
}

// Grain is what an instant is cut to, in UTC.
type Grain string

// The grains.
const (
	Hour  Grain = "hour"
	DayOf Grain = "day"
	Month Grain = "month"
)

// ParseGrain reads a grain as configurations name it.
func ParseGrain(s string) (Grain, error) {
	switch g := Grain(s); g {
	case Hour, DayOf, Month:
		return g, nil
	}
	return "", fmt.Errorf("unknown grain %q (hour, day or month)", s)
}

// Detail is a kind of contact detail, as configurations and manifests name it. In a text its name in brackets stands for one.
type Detail string

// DetailRules counts changes to which details are found.
const DetailRules = 5

// Details are the kinds of contact detail.
func Details() []Detail { return []Detail{"email", "phone", "link", "handle"} }

// ParseDetail reads a kind of contact detail as configurations name it.
func ParseDetail(s string) (Detail, error) {
	if !slices.Contains(Details(), Detail(s)) {
		return "", fmt.Errorf("unknown kind of contact detail %q (email, phone, link or handle)", s)
	}
	return Detail(s), nil
}
