package parquet

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Lookup returns the leaf with the dotted path. Its field names may be given in full ("participants.list.element.id")
// or without the groups that only make up a LIST or a MAP ("participants.id", "rates.key", "rates.value"); a path that ends at a LIST stands for the list's
// only leaf. Full paths win. Errors wrap ErrNoColumn or ErrAmbiguous.
func (f *File) Lookup(dotted string) (int, error) {
	matches := []func(c *Column) bool{
		func(c *Column) bool { return c.Name() == dotted },
		func(c *Column) bool { return c.short == dotted },
		func(c *Column) bool {
			return strings.HasPrefix(c.short, dotted) && slices.Contains(c.lists, len(dotted))
		},
	}
	for _, match := range matches {
		found := -1
		for i := range f.columns {
			if !match(&f.columns[i]) {
				continue
			}
			if found >= 0 {
				return -1, fmt.Errorf("%w: %q stands for %s and %s", ErrAmbiguous, dotted,
					f.columns[found].Name(), f.columns[i].Name())
			}
			found = i
		}
		if found >= 0 {
			return found, nil
		}
	}
	return -1, fmt.Errorf("%w; nearest: %s", ErrNoColumn, strings.Join(f.nearest(dotted, 5), ", "))
}

// Select returns the leaves at or below the dotted path of a node, in the schema's order; none where there is no such node. The path
// may leave out the groups that only make up a LIST or a MAP, as with Lookup. Full paths win.
func (f *File) Select(dotted string) []int {
	for _, path := range []func(c *Column) string{(*Column).Name, func(c *Column) string { return c.short }} {
		var found []int
		for i := range f.columns {
			if p := path(&f.columns[i]); p == dotted || strings.HasPrefix(p, dotted+".") {
				found = append(found, i)
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// Nearest returns the short paths that are most like a name, for a hint.
func (f *File) Nearest(name string) []string { return f.nearest(name, 5) }

// nearest returns the n short paths with the smallest edit distance to name.
func (f *File) nearest(name string, n int) []string {
	type candidate struct {
		name     string
		distance int
	}
	all := make([]candidate, 0, len(f.columns))
	for i := range f.columns {
		short := f.columns[i].short
		if len(short) > 200 || len(f.columns) > 2000 {
			continue // a hint is not worth the time
		}
		all = append(all, candidate{short, editDistance(strings.ToLower(short), strings.ToLower(name))})
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	names := make([]string, min(n, len(all)))
	for i := range names {
		names[i] = all[i].name
	}
	return names
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
