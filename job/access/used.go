package access

import (
	"context"
	"errors"
	"slices"

	"assent/job"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/job/parquet"
	"assent/job/parquet/pick"
	"assent/job/parquet/rewrite"
	"assent/schema"
)

// outputFile is an open data file of the run, with its key columns.
type outputFile struct {
	objstore.Reader
	*source.Binding
	file   *pick.File
	roles  []roleColumn // all that are configured, also those that the run left out
	unseen []string     // roles whose columns the run left out of its files
}

// roleColumn is a column of account ids.
type roleColumn struct {
	name  string
	inRun bool
	source.KeyColumn
}

// openOutput opens what the run published of an input file.
func (a *copier) openOutput(ctx context.Context, d *dataset, f *file) (*outputFile, error) {
	r, err := a.run.Open(ctx, f.Data(), publish.DigestSmall)
	if err != nil {
		return nil, err
	}
	out := &outputFile{Reader: r}
	if out.file, err = pick.Open(ctx, r, f.Bytes, a.run.URI(f.Output)); err == nil {
		err = out.bind(d, f)
	}
	if err == nil && out.file.NumRows() != f.RowsKept {
		err = contradiction("%d rows, the run manifest says %d", out.file.NumRows(), f.RowsKept)
	}
	if err != nil {
		r.Close()
		return nil, a.run.Fault(f.Output, err)
	}
	return out, nil
}

// bind finds the columns of the data set that a copy needs. The contract is not one of
// them: a run leaves it out where its files have none. The directories in the object's name
// are the input's. What the run left out of its files by its configuration is not there to see.
func (o *outputFile) bind(d *dataset, f *file) (err error) {
	file := &rewrite.File{File: o.file.File}
	find := source.Finder{File: file, Rel: f.Output}
	needed := d.Dataset
	needed.Contract, needed.Moments, needed.Deleted, needed.Private = "", slices.Clone(d.Moments[:1]), nil, nil
	gone := func(r schema.Role) bool { return f.File.LeftOut(r.Column) }
	needed.Parties = slices.DeleteFunc(slices.Clone(d.Parties), gone)
	needed.Subjects = slices.DeleteFunc(slices.Clone(d.Subjects), gone)
	needed.Moments[0].Optional = f.File.LeftOut(d.Moments[0].Column)
	for _, r := range d.Roles() {
		if gone(r) {
			o.unseen = append(o.unseen, r.Name)
		}
	}
	if o.Binding, err = source.Bind(file, f.Output, &needed); err == nil {
		inRun := d.Roles()
		for _, r := range d.allRoles {
			if find.Has(r.Column) { // else the role is optional, and null
				o.roles = append(o.roles, roleColumn{r.Name, slices.Contains(inRun, r), find.ID("role "+r.Name, r.Column, true)})
			}
		}
		err = find.Err
	}
	var c *source.ColumnError
	if errors.As(err, &c) {
		return job.UsageError(hintThatConfig, "%w", err)
	}
	return err
}

// ids appends the accounts under a role in row i of a batch to dst.
func (r *roleColumn) ids(dst []Named, b *pick.Batch, i int) []Named {
	v, from, until := slotsOf(&r.KeyColumn, b, i)
	for slot := from; slot < until; slot++ {
		if id := r.ID.Append(nil, v, slot); len(id) > 0 {
			dst = append(dst, Named{Role: r.name, ID: string(id)})
		}
	}
	return dst
}

// slotsOf returns where a column has its values of row i of a batch. A column that the
// file lacks has one slot.
func slotsOf(c *source.KeyColumn, b *pick.Batch, i int) (v *parquet.Vector, from, until int) {
	if c.Leaf < 0 {
		return c.Constant(), 0, 1
	}
	s := b.Slots(c.Leaf)
	return &s.Vector, int(s.Rows[i]), int(s.Rows[i+1])
}

// keyLeaves returns the leaves that reader.used needs.
func (o *outputFile) keyLeaves() []int {
	leaves := []int{o.Record.Leaf, o.Moments[0].Leaf}
	for _, r := range o.roles {
		leaves = append(leaves, r.Leaf)
	}
	leaves = slices.DeleteFunc(leaves, func(leaf int) bool { return leaf < 0 }) // in the path
	slices.Sort(leaves)
	return slices.Compact(leaves)
}

// used returns what the asker whom row i of a batch names is told of it. The row has to name the asker under the very roles
// that the subject index has: so nothing of another's is given away where files do not fit together.
func (r *reader) used(b *pick.Batch, i int, row placedRow) (Used, error) {
	var mine []string
	for _, role := range r.out.roles {
		r.named = role.ids(r.named[:0], b, i)
		if role.inRun && slices.ContainsFunc(r.named, func(n Named) bool { return row.who.own[n.ID] }) {
			mine = append(mine, role.name)
		}
	}
	seen := slices.DeleteFunc(slices.Clone(row.Roles), func(role string) bool { return slices.Contains(r.out.unseen, role) })
	if !sameRoles(mine, seen) {
		if !r.same {
			return Used{}, job.UsageError(hintThatConfig, "%s: its columns do not name accounts as in the run", r.d.Name)
		}
		return Used{}, contradiction("row %d does not name the account as the subject index says", row.place)
	}
	return Used{
		Record: row.who.tellID(r.d, r.out.recordID(b, i)), Dataset: r.d.Name, Time: momentOf(&r.out.Moments[0], b, i),
		Content: r.givesContent(r.d, row.namedRow),
	}, nil
}

// givesContent reports whether the content of a kept row is given to the asker.
func (a *copier) givesContent(d *dataset, row namedRow) bool {
	return row.Kept && (a.o.IncludeReceived || d.Author != "" && slices.Contains(row.Roles, d.Author))
}

func (o *outputFile) recordID(b *pick.Batch, i int) []byte {
	v, slot, _ := slotsOf(&o.Record.KeyColumn, b, i)
	return o.Record.ID.Append(nil, v, slot)
}

// tellID returns a record's id as the account gets it. Where a data set takes an
// account's id for that of the record, only the account's own is told.
func (who *asker) tellID(d *dataset, id []byte) string {
	switch {
	case !slices.ContainsFunc(d.allRoles, func(r schema.Role) bool { return r.Column == d.Record }):
		return string(id)
	case who.own[string(id)]:
		return You
	}
	return ""
}

func momentOf(c *source.BoundColumn, b *pick.Batch, i int) schema.Instant {
	var instants [1]schema.Instant
	v, slot, _ := slotsOf(&c.KeyColumn, b, i)
	one := source.OneSlot(v, slot)
	c.Instants(&one, instants[:])
	return instants[0]
}
