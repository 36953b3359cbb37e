package manifests

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Transform is what became of a column of kept records before they were handed over.
type Transform struct {
	Column string `json:"column"` // dotted path, as the configuration names it; of one that is not kept, that of the file
	Action Action `json:"action"`
	To     string `json:"to,omitempty"` // schema.Grain, of coarsened ones
	// Values counts the values of kept records that were there to change; nulls are none.
	Values int64 `json:"values"`
	// Redactions counts what was replaced, by its kind.
	Redactions map[string]int64 `json:"redactions,omitempty"`
}

// Action says what became of a column.
type Action string

// The actions.
const (
	Dropped       Action = "dropped"
	Pseudonymised Action = "pseudonymised"
	Redacted      Action = "redacted"
	Coarsened     Action = "coarsened"
)

// LeftOut reports whether the published file lacks a column of its input by the configuration's word, or all that is below it.
func (f *File) LeftOut(column string) bool {
	return slices.ContainsFunc(f.Transforms, func(t Transform) bool {
		return t.Action == Dropped && (t.Column == column || strings.HasPrefix(column, t.Column+".") || strings.HasPrefix(t.Column, column+"."))
	})
}

// AddTransforms adds a file's transforms to those of other files. Columns come in the order in which they are met.
func AddTransforms(sum, of []Transform) []Transform {
	for _, t := range of {
		i := slices.IndexFunc(sum, func(s Transform) bool { return s.Column == t.Column && s.Action == t.Action && s.To == t.To })
		if i < 0 {
			t.Redactions = maps.Clone(t.Redactions)
			sum = append(sum, t)
			continue
		}
		sum[i].Values += t.Values
		for kind, n := range t.Redactions {
			if sum[i].Redactions == nil {
				sum[i].Redactions = map[string]int64{}
			}
			sum[i].Redactions[kind] += n
		}
	}
	return sum
}

// checkTransforms checks that the transforms of a data set are the sum of its files'.
func (d *Dataset) checkTransforms() error {
	var sum []Transform
	for i := range d.Files {
		for _, t := range d.Files[i].Transforms {
			switch t.Action {
			case Dropped, Pseudonymised, Redacted, Coarsened:
			default:
				return fmt.Errorf("file %q: transform %q is not known", d.Files[i].Source, t.Action)
			}
			if t.Column == "" || !counts(t.Values) || !counts(slices.Collect(maps.Values(t.Redactions))...) {
				return fmt.Errorf("file %q: a transform is not complete", d.Files[i].Source)
			}
		}
		sum = AddTransforms(sum, d.Files[i].Transforms)
	}
	if !slices.EqualFunc(sum, d.Transforms, func(a, b Transform) bool {
		return a.Column == b.Column && a.Action == b.Action && a.To == b.To && a.Values == b.Values && maps.Equal(a.Redactions, b.Redactions)
	}) {
		return errors.New("the transforms are not the sum of its files'")
	}
	return nil
}
