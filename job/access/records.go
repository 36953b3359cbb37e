package access

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"golang.org/x/sync/errgroup"

	"assent/job/parquet/pick"
)

// accessFiles is how many input files' records are looked for at a time: with an object
// store, most of that is waiting.
const accessFiles = 4

// writeRecords writes the lists of records and the tables of content, in the order of
// data sets, files and rows.
func (a *copier) writeRecords(ctx context.Context, dir *Dir, page *Page) (map[string]DatasetCounts, error) {
	lists, err := dir.NewLists(a.format)
	if err != nil {
		return nil, err
	}
	labels := NewLabels(a.own)
	counts := map[string]DatasetCounts{}
	for _, d := range a.datasets {
		records, err := a.findRecords(ctx, d)
		if err != nil {
			return nil, err
		}
		w := &recordWriter{copier: a, d: d, out: dir, lists: lists, labels: labels, page: page, set: NewPageSet(d.Name, d.Category)}
		for i, f := range d.files {
			if err := w.file(ctx, f, records[i]); err != nil {
				return nil, err
			}
			records[i] = nil
		}
		if err := w.closeTables(); err != nil {
			return nil, err
		}
		page.Sets = append(page.Sets, w.set)
		counts[d.Name] = w.set.DatasetCounts
	}
	return counts, lists.Close()
}

// findRecords finds the records of a data set, file by file.
func (a *copier) findRecords(ctx context.Context, d *dataset) ([]*fileRecords, error) {
	found := make([]*fileRecords, len(d.files))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(accessFiles)
	for i, f := range d.files {
		g.Go(func() (err error) {
			found[i], err = a.records(ctx, d, f)
			return err
		})
	}
	return found, g.Wait()
}

// recordWriter writes the records of one data set.
type recordWriter struct {
	*copier
	d      *dataset
	out    *Dir
	lists  *Lists
	labels *Labels
	page   *Page
	set    *PageSet
	tables []*contentTable
}

// contentTable is a table of content: one for each schema that the files have.
type contentTable struct {
	*Table
	schema *arrow.Schema
	info   PageTable
}

// file writes the records of one file.
func (w *recordWriter) file(ctx context.Context, f *file, records *fileRecords) error {
	for _, r := range records.used {
		w.set.AddUsed(r)
		if err := w.lists.Used(r); err != nil {
			return err
		}
	}
	for _, r := range records.notUsed {
		w.set.AddNotUsed(r)
		w.page.NotUsedBy[r.Reason]++
		if err := w.lists.NotUsed(r); err != nil {
			return err
		}
	}
	if len(records.content) == 0 {
		return nil
	}
	out, err := w.openOutput(ctx, w.d, f)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := w.content(ctx, out, records.content); err != nil {
		return w.run.Fault(f.Output, err)
	}
	return out.Unchanged(ctx)
}

// content writes whole records, with every account id of a mapped column replaced.
func (w *recordWriter) content(ctx context.Context, f *outputFile, places []int64) error {
	text := map[int]func(*pick.Slots, int) string{}
	for _, role := range f.roles {
		text[role.Leaf] = func(s *pick.Slots, slot int) string {
			return w.labels.Label(string(role.ID.Append(nil, &s.Vector, slot)))
		}
	}
	rows := f.file.Assembler(pick.Options{Text: text, Finite: w.format != Parquet})
	defer rows.Release()
	table, err := w.table(rows.Schema())
	if err != nil {
		return err
	}
	leaves := make([]int, len(f.file.Columns()))
	for leaf := range leaves {
		leaves[leaf] = leaf
	}
	var named []Named
	for b, err := range f.file.Batches(ctx, leaves, places) {
		if err != nil {
			return err
		}
		for i := range b.Rows {
			named = named[:0]
			for _, role := range f.roles {
				named = role.ids(named, b, i)
			}
			w.labels.Meet(named)
			if err := rows.Append(b, i); err != nil {
				return err
			}
		}
		if err := table.write(rows.Record()); err != nil {
			return err
		}
	}
	return nil
}

func (t *contentTable) write(r arrow.Record) error {
	defer r.Release()
	t.info.Rows += r.NumRows()
	return t.Write(r)
}

// table returns the table of content for a schema.
func (w *recordWriter) table(s *arrow.Schema) (*contentTable, error) {
	for _, t := range w.tables {
		if t.schema.Equal(s) {
			return t, nil
		}
	}
	name := "content/" + w.d.Name
	if n := len(w.tables); n > 0 {
		name = fmt.Sprintf("%s-%d", name, n+1)
	}
	table, err := w.out.NewTable(name, w.format, s)
	if err != nil {
		return nil, err
	}
	t := &contentTable{Table: table, schema: s, info: PageTable{Path: name + "." + string(w.format)}}
	for _, field := range s.Fields() {
		t.info.Columns = append(t.info.Columns, field.Name)
	}
	w.tables = append(w.tables, t)
	return t, nil
}

func (w *recordWriter) closeTables() error {
	for _, t := range w.tables {
		if err := t.Close(); err != nil {
			return err
		}
		w.set.Tables = append(w.set.Tables, t.info)
	}
	return nil
}
