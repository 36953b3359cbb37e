package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Handover says what is handed over of a kept record: which columns, and what is changed of their values. Columns are named by
// their dotted path. Decisions take all columns as they were. The zero value hands over everything as it is.
type Handover struct {
	Drop         []string         `json:",omitempty"` // left out, with all that is below them
	Keep         []string         `json:",omitempty"` // if any: all others are left out
	Pseudonymise []string         `json:",omitempty"` // ids, to be replaced by pseudonyms
	Coarsen      map[string]Grain `json:",omitempty"` // instants, to be cut
}

// Everything reports whether everything is handed over as it is.
func (h *Handover) Everything() bool {
	return len(h.Drop)+len(h.Keep)+len(h.Pseudonymise)+len(h.Coarsen) == 0
}

// Changes lists the columns whose values are changed, each with the key of the configuration that says so, in the order of the keys
// and of their names.
func (h *Handover) Changes() (all []Change) {
	for _, name := range h.Pseudonymise {
		all = append(all, Change{"pseudonymise", name})
	}
	for name := range h.Coarsen {
		all = append(all, Change{"coarsen", name})
	}
	slices.SortFunc(all, func(a, b Change) int { return strings.Compare(a.Key+a.Column, b.Key+b.Column) })
	return all
}

// Change is a column whose values are changed.
type Change struct {
	Key    string // pseudonymise, coarsen
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
