package source

import (
	"slices"

	"assent/job/parquet"
	"assent/job/parquet/rewrite"
	"assent/schema"
)

// Binding is where a data set's keys are in one file.
type Binding struct {
	Columns  []KeyColumn // to read by ScanRowGroup or Scan, each once
	Record   BoundColumn
	Roles    []BoundColumn // parties, then the other subjects
	Parties  int           // how many of roles are parties
	Moments  []BoundColumn
	Contract BoundColumn // at < 0: none
	Marks    []BoundMark // what the source states of records
}

// BoundColumn is a key column by its place among the columns of a batch.
type BoundColumn struct {
	At int
	KeyColumn
}

func (b *Binding) add(c KeyColumn) BoundColumn {
	for at := range b.Columns {
		if leaf := b.Columns[at].Leaf; leaf >= 0 && leaf == c.Leaf {
			return BoundColumn{at, c}
		}
	}
	b.Columns = append(b.Columns, c)
	return BoundColumn{len(b.Columns) - 1, c}
}

// LateRecord makes the records' ids late: whoever excludes few records needs few of them. It
// does nothing where their column has another part to play as well.
func (b *Binding) LateRecord() {
	at := b.Record.At
	alone := b.Contract.At != at
	for _, c := range slices.Concat(b.Roles, b.Moments) {
		alone = alone && c.At != at
	}
	for _, m := range b.Marks {
		alone = alone && m.At != at
	}
	c := &b.Columns[at]
	c.Late = alone && !c.null && c.key == nil // of these, all values are checked
}

// Bind finds the data set's columns in a file, of which rel is the path below the data
// set's root.
func Bind(f *rewrite.File, rel string, d *schema.Dataset) (*Binding, error) {
	find := Finder{File: f, Rel: rel, assumeUTC: d.AssumeUTC}
	b := &Binding{Parties: len(d.Parties), Contract: BoundColumn{At: -1}}
	record := find.ID("record", d.Record, false)
	b.Record = b.add(record)
	for _, r := range d.Parties {
		b.Roles = append(b.Roles, b.add(find.ID("parties."+r.Name, r.Column, true)))
	}
	for _, r := range d.Subjects {
		b.Roles = append(b.Roles, b.add(find.id("subjects."+r.Name, r.Column, presence{list: true, optional: r.Optional, hint: mayBeOptional(r.Name)})))
	}
	for i, m := range d.Moments {
		may := presence{optional: m.Optional}
		if i > 0 {
			may.hint = mayBeOptional(m.Name)
		}
		b.Moments = append(b.Moments, b.add(find.instant("moments."+m.Name, m.Column, m.Unit, may)))
	}
	if d.Contract != "" {
		b.Contract = b.add(find.id("contract", d.Contract, presence{hint: "restrictions are looked up by the contract: map its column, or say `contract: \"\"` if the data set has none"}))
	}
	b.marks(&find, d)
	return b, find.Err
}

// absent returns the names of the roles and moments that the file has no column for.
func (b *Binding) absent(d *schema.Dataset) (names []string) {
	for i, r := range d.Roles() {
		if b.Roles[i].Leaf < 0 && b.Roles[i].key == nil {
			names = append(names, r.Name)
		}
	}
	for i, m := range d.Moments {
		if b.Moments[i].Leaf < 0 {
			names = append(names, m.Name)
		}
	}
	return names
}

func mayBeOptional(name string) string {
	return "if older files lack the column, say `optional: [" + name + "]` in the data set; if none has it, remove the key"
}

// OneSlot is a vector that has slot i of v alone. v is not repeated.
func OneSlot(v *parquet.Vector, i int) parquet.Vector {
	one := parquet.Vector{Dict: v.Dict}
	if v.Null != nil {
		one.Null = v.Null[i : i+1]
	}
	if v.Index != nil {
		one.Index = v.Index[i : i+1]
	}
	if v.Ints != nil {
		one.Ints = v.Ints[i : i+1]
	}
	if v.Dict == nil && v.Ints == nil {
		value := v.Bytes.At(i)
		one.Bytes = parquet.Bytes{Data: value, Ends: []uint32{uint32(len(value))}}
	}
	return one
}
