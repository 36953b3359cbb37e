package explain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"assent/job/internal/source"
	"assent/job/internal/transform"
	"assent/job/internal/transform/redact"
	"assent/job/parquet"
	"assent/job/parquet/pick"
)

// Details says how many contact details of each kind a run replaces in a column of a record. It shows none of them.
type Details struct {
	Column string           `json:"column"`
	Found  map[string]int64 `json:"found"`
}

func (d *Details) text() string {
	var found []string
	for _, kind := range slices.Sorted(maps.Keys(d.Found)) {
		found = append(found, fmt.Sprintf("%d %s", d.Found[kind], kind))
	}
	return cmp.Or(strings.Join(found, ", "), "nothing")
}

// addDetails says of each record that is kept what is replaced in it.
func (e *Explanation) addDetails(ctx context.Context, d *source.DatasetInput) error {
	rules := d.Dataset.Handover.Redact
	if len(rules) == 0 {
		return nil
	}
	for i := range e.Found {
		r := &e.Found[i]
		at := slices.IndexFunc(d.Files, func(f *source.File) bool { return f.Rel == r.File })
		if !r.Kept || at < 0 {
			continue
		}
		for _, column := range slices.Sorted(maps.Keys(rules)) {
			counts, err := countDetails(ctx, d.Files[at], column, r.Row, transform.NewRedactor(rules[column]))
			if err != nil {
				return err
			}
			details := Details{column, map[string]int64{}}
			for k, name := range redact.Names() {
				if counts[k] > 0 {
					details.Found[name] = counts[k]
				}
			}
			r.Redacted = append(r.Redacted, details)
		}
	}
	return nil
}

// countDetails counts the details in a column of one row. A file may lack the column.
func countDetails(ctx context.Context, f *source.File, column string, row int64, r *redact.Redactor) (n redact.Counts, err error) {
	reader, file, err := f.Open(ctx)
	if err != nil {
		return n, err
	}
	defer reader.Close()
	leaf, err := file.Lookup(column)
	if errors.Is(err, parquet.ErrNoColumn) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	rows, err := pick.Open(ctx, reader, reader.Size(), file.Name())
	if err != nil {
		return n, err
	}
	var text []byte
	for b, err := range rows.Batches(ctx, []int{leaf}, []int64{row}) {
		if err != nil {
			return n, err
		}
		slots := b.Slots(leaf)
		for i := range slots.Bytes.Len() {
			if slots.Null == nil || !slots.Null[i] {
				text = r.Append(text[:0], slots.Bytes.At(i), &n)
			}
		}
	}
	return n, reader.Unchanged(ctx)
}
