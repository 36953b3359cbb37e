package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"assent/job/access"
	"assent/job/access/pick"
	"assent/manifests"
	"assent/schema"
)

// writeRecords writes the lists of records and the tables of content, in the order of
// data sets, files and rows.
func (a *accessing) writeRecords(ctx context.Context, dir *access.Dir, page *access.Page) (map[string]access.DatasetCounts, error) {
	lists, err := dir.NewLists(a.format)
	if err != nil {
		return nil, err
	}
	labels := access.NewLabels(string(a.subject))
	counts := map[string]access.DatasetCounts{}
	for _, d := range a.datasets {
		w := &accessWriter{accessing: a, d: d, out: dir, lists: lists, labels: labels, page: page, set: access.NewPageSet(d.Name, d.Category)}
		for _, f := range d.files {
			if err := w.file(ctx, f); err != nil {
				return nil, a.located(err)
			}
		}
		if err := w.closeTables(); err != nil {
			return nil, err
		}
		page.Sets = append(page.Sets, w.set)
		counts[d.Name] = w.set.DatasetCounts
	}
	return counts, lists.Close()
}

// accessWriter writes the records of one data set.
type accessWriter struct {
	*accessing
	d      *accessDataset
	out    *access.Dir
	lists  *access.Lists
	labels *access.Labels
	page   *access.Page
	set    *access.PageSet
	tables []*contentTable
}

// contentTable is a table of content: one for each schema that the files have.
type contentTable struct {
	*access.Table
	schema *arrow.Schema
	info   access.PageTable
}

func (w *accessWriter) file(ctx context.Context, f *accessFile) error {
	var exclusions *pick.File
	if f.ExcludedByReason.Total() > 0 {
		r, err := w.open(ctx, f.Exclusions, f.ExclusionsBytes, f.ExclusionsSHA256)
		if err != nil {
			return err
		}
		defer r.Close()
		if exclusions, err = pick.Open(ctx, r, f.ExclusionsBytes, w.uri(f.Exclusions)); err != nil {
			return err
		}
	}
	kept, excluded, err := w.places(ctx, f, exclusions)
	if err != nil {
		return err
	}
	if len(kept) > 0 {
		if err := w.used(ctx, f, kept); err != nil {
			return err
		}
	}
	if len(excluded) == 0 {
		return nil
	}
	return w.of(f.Exclusions, w.notUsed(ctx, w.d, f, exclusions, excluded, func(r access.NotUsed) error {
		w.set.AddNotUsed(r)
		w.page.NotUsedBy[r.Reason]++
		return w.lists.NotUsed(r)
	}))
}

// used writes the kept records of a file.
func (w *accessWriter) used(ctx context.Context, f *accessFile, places []int64) error {
	r, err := w.open(ctx, f.Output, f.Bytes, f.SHA256)
	if err != nil {
		return err
	}
	defer r.Close()
	name := w.uri(f.Output)
	file, err := pick.Open(ctx, r, f.Bytes, name)
	if err != nil {
		return err
	}
	if file.NumRows() != f.RowsKept {
		return w.of(f.Output, contradiction("%d rows, the run manifest says %d", file.NumRows(), f.RowsKept))
	}
	keys, err := w.bind(file)
	if err != nil {
		var c *columnError
		if errors.As(err, &c) {
			return usageError(hintThatConfig, "%s: %w", name, err)
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	rows := slices.DeleteFunc(slices.Clone(f.rows), func(r manifests.SubjectRow) bool { return !r.Kept })
	content, err := w.listUsed(ctx, file, keys, rows, places)
	if err == nil && len(content) > 0 {
		err = w.content(ctx, file, keys, content)
	}
	if err != nil {
		return w.of(f.Output, err)
	}
	return r.Unchanged(ctx)
}

// accessKeys are the key columns of one published file.
type accessKeys struct {
	*binding
	roles []accessRole // all that are configured, also those that the run left out
}

// accessRole is a column of account ids.
type accessRole struct {
	name  string
	inRun bool
	keyColumn
}

func (w *accessWriter) bind(f *pick.File) (*accessKeys, error) {
	b, err := bind(f.File, &w.d.Dataset)
	if err != nil {
		return nil, err
	}
	keys := &accessKeys{binding: b}
	find := finder{file: f.File}
	inRun := w.d.Roles()
	for _, r := range w.d.allRoles {
		used := slices.Contains(inRun, r)
		if used || find.has(r.Column) {
			keys.roles = append(keys.roles, accessRole{r.Name, used, find.id("role "+r.Name, r.Column, true)})
		}
	}
	return keys, find.err
}

// ids appends the accounts under a role in row i of a batch to dst.
func (r *accessRole) ids(dst []access.Named, b *pick.Batch, i int) []access.Named {
	s := b.Slots(r.leaf)
	for slot := s.Rows[i]; slot < s.Rows[i+1]; slot++ {
		if id := r.id.append(nil, &s.Vector, int(slot)); len(id) > 0 {
			dst = append(dst, access.Named{Role: r.name, ID: string(id)})
		}
	}
	return dst
}

// listUsed lists kept records and returns the places of those whose content is given.
// Each row has to name the account under the very roles that the subject index has:
// so nothing of another's is given away where files do not fit together.
func (w *accessWriter) listUsed(ctx context.Context, f *pick.File, keys *accessKeys, rows []manifests.SubjectRow, places []int64) (content []int64, err error) {
	leaves := []int{keys.record.leaf, keys.moments[0].leaf}
	for _, r := range keys.roles {
		leaves = append(leaves, r.leaf)
	}
	slices.Sort(leaves)
	leaves = slices.Compact(leaves)
	var named []access.Named
	for b, err := range f.Batches(ctx, leaves, places) {
		if err != nil {
			return nil, err
		}
		for i, place := range b.Rows {
			row := rows[b.First+i]
			var mine []string
			for _, role := range keys.roles {
				named = role.ids(named[:0], b, i)
				if role.inRun && slices.ContainsFunc(named, func(n access.Named) bool { return n.ID == string(w.subject) }) {
					mine = append(mine, role.name)
				}
			}
			if !sameRoles(mine, row.Roles) {
				if !w.same {
					return nil, usageError(hintThatConfig, "%s: its columns do not name accounts as in the run", w.d.Name)
				}
				return nil, contradiction("row %d does not name the account as the subject index says", place)
			}
			r := access.Used{
				Record: w.recordID(keys, b, i), Dataset: w.d.Name, Time: momentOf(&keys.moments[0], b, i),
				Content: w.o.IncludeReceived || w.d.Author != "" && slices.Contains(row.Roles, w.d.Author),
			}
			if r.Content {
				content = append(content, place)
			}
			w.set.AddUsed(r)
			if err := w.lists.Used(r); err != nil {
				return nil, err
			}
		}
	}
	return content, nil
}

func (w *accessWriter) recordID(keys *accessKeys, b *pick.Batch, i int) string {
	s := b.Slots(keys.record.leaf)
	return w.tellID(w.d, keys.record.id.append(nil, &s.Vector, int(s.Rows[i])))
}

// tellID returns a record's id as the account gets it. Where a data set takes an
// account's id for that of the record, only the account's own is told.
func (a *accessing) tellID(d *accessDataset, id []byte) string {
	switch {
	case !slices.ContainsFunc(d.allRoles, func(r schema.Role) bool { return r.Column == d.Record }):
		return string(id)
	case bytes.Equal(id, a.subject):
		return access.You
	}
	return ""
}

func momentOf(c *boundColumn, b *pick.Batch, i int) schema.Instant {
	var at [1]schema.Instant
	s := b.Slots(c.leaf)
	one := oneSlot(&s.Vector, int(s.Rows[i]))
	c.time.instants(&one, at[:])
	return at[0]
}

// content writes whole records, with every account id of a mapped column replaced.
func (w *accessWriter) content(ctx context.Context, f *pick.File, keys *accessKeys, places []int64) error {
	text := map[int]func(*pick.Slots, int) string{}
	for _, role := range keys.roles {
		text[role.leaf] = func(s *pick.Slots, slot int) string {
			return w.labels.Of(string(role.id.append(nil, &s.Vector, slot)))
		}
	}
	rows := f.Assembler(pick.Options{Text: text, Finite: w.format != access.Parquet})
	defer rows.Release()
	table, err := w.table(rows.Schema())
	if err != nil {
		return err
	}
	leaves := make([]int, len(f.Columns()))
	for leaf := range leaves {
		leaves[leaf] = leaf
	}
	var named []access.Named
	for b, err := range f.Batches(ctx, leaves, places) {
		if err != nil {
			return err
		}
		for i := range b.Rows {
			named = named[:0]
			for _, role := range keys.roles {
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
func (w *accessWriter) table(s *arrow.Schema) (*contentTable, error) {
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
	t := &contentTable{Table: table, schema: s, info: access.PageTable{Path: name + "." + string(w.format)}}
	for _, field := range s.Fields() {
		t.info.Columns = append(t.info.Columns, field.Name)
	}
	w.tables = append(w.tables, t)
	return t, nil
}

func (w *accessWriter) closeTables() error {
	for _, t := range w.tables {
		if err := t.Close(); err != nil {
			return err
		}
		w.set.Tables = append(w.set.Tables, t.info)
	}
	return nil
}
