package run

import (
	"errors"
	"slices"
	"strings"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/source"
	"assent/job/internal/transform"
	"assent/job/parquet/rewrite"
	"assent/manifests"
	"assent/schema"
)

// handovers checks what is handed over of each data set against its files, before anything is decided.
type handovers struct {
	cfg *config.Config
	key *manifests.Key // of pseudonyms
}

// check looks at one file, and returns what it lacks.
func (h *handovers) check(d *source.DatasetInput, f *rewrite.File, rel string) ([]schema.Change, error) {
	rules := transform.Rules{Dataset: &d.Dataset, Key: h.key}
	bound, err := rules.Bind(f, rel)
	var c *transform.ColumnError
	if errors.As(err, &c) {
		return nil, d.Errorf(h.cfg, c.Key, c.Hint, "%v", c)
	}
	if err != nil {
		return nil, err
	}
	return bound.Lacking, nil
}

// rawRoles returns the columns of parties and subjects that are handed over as they are, where others are pseudonymised.
func rawRoles(datasets []*source.DatasetInput) (raw []string) {
	some := false
	for _, d := range datasets {
		h := &d.Handover
		some = some || len(h.Pseudonymise) > 0
		for _, role := range slices.Concat(d.Parties, d.Subjects) {
			dropped := within(role.Column, h.Drop) || len(h.Keep) > 0 && !within(role.Column, h.Keep)
			if column := d.Name + "." + role.Column; !dropped && !within(role.Column, h.Pseudonymise) && !slices.Contains(raw, column) {
				raw = append(raw, column)
			}
		}
	}
	if !some {
		return nil
	}
	return raw
}

// within reports whether a column is one of those with some names, or lies below one, as parties.client_id does below parties. Of a
// list both "ids" and "ids.list.element" are names.
func within(column string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return column == name || strings.HasPrefix(column, name+".") || strings.HasPrefix(name, column+".")
	})
}

// missing is an error where a column that is named is in no file, and warns where some files lack it: old ones may, but so does
// a file in which it has another name.
func (r *runner) missing(datasets []*source.DatasetInput) error {
	if raw := rawRoles(datasets); len(raw) > 0 {
		r.Log.Warn("some columns of parties and subjects are pseudonymised and these are not: they say who is who, and data sets do not join", "columns", raw)
	}
	for _, d := range datasets {
		lacking := map[string]int{}
		for _, f := range d.Files {
			for _, c := range f.Lacks {
				if c.Key == source.KeyOptional {
					continue
				}
				if lacking[c.Column]++; lacking[c.Column] == len(d.Files) {
					return d.Errorf(r.cfg, c.Key, "name a column as the files have it; of one within others, its dotted path", "column %q: no file has it", c.Column)
				}
			}
		}
		for column, files := range lacking {
			r.Log.Warn("some files lack a column that is left out or changed: has it another name there?", "dataset", d.Name, "column", job.Quote(column), "files", files, "of", len(d.Files))
		}
	}
	return nil
}
