package manifests

import (
	"bytes"
	"encoding/binary"
	"slices"

	"assent/job/parquet"
	"assent/job/parquet/table"
)

// NamedBy says of each row group of the index whether it has rows that name one of some accounts. It reads only pages that can hold
// one of the references, of row groups whose filters admit one.
func (x *SubjectIndex) NamedBy(refs []Ref) ([]bool, error) {
	wanted := newWanted(refs)
	named := make([]bool, x.file.NumRowGroups())
	for group := range named {
		admitted, err := x.admitted(group, wanted)
		if err == nil {
			named[group], err = x.namesOne(group, admitted)
		}
		if err != nil {
			return nil, damaged(err)
		}
	}
	return named, nil
}

// Admitted returns those of some references that the index may name. The others it does not.
func (x *SubjectIndex) Admitted(refs []Ref) ([]Ref, error) {
	wanted := newWanted(refs)
	some := make([]bool, len(wanted))
	for group := range x.groups {
		admitted, err := x.admitted(group, wanted)
		if err != nil {
			return nil, damaged(err)
		}
		at := 0
		for _, w := range admitted {
			for wanted[at].ref != w.ref {
				at++
			}
			some[at] = true
		}
	}
	var all []Ref
	for i, w := range wanted {
		if some[i] {
			all = append(all, w.ref)
		}
	}
	return all, nil
}

// wanted is a reference that is looked for.
type wanted struct {
	ref  Ref
	text []byte
	hash uint64 // of text, in filters
}

// allWanted are in the order of references.
type allWanted []wanted

func newWanted(refs []Ref) allWanted {
	all := make(allWanted, len(refs))
	for i, ref := range refs {
		text := ref.appendText(nil)
		all[i] = wanted{ref, text, parquet.BloomHash(text)}
	}
	slices.SortFunc(all, func(a, b wanted) int { return bytes.Compare(a.text, b.text) })
	return all
}

// admitted returns those that the filter of a row group admits; all where it has none.
func (x *SubjectIndex) admitted(group int, all allWanted) (admitted allWanted, err error) {
	filter, read := x.filters[group]
	if !read {
		if filter, err = x.file.Filter(group, leafSubjectRef); err != nil {
			return nil, err
		}
		x.filters[group] = filter
	}
	if filter == nil {
		return all, nil
	}
	for _, w := range all {
		if filter.May(w.hash) {
			admitted = append(admitted, w)
		}
	}
	return admitted, nil
}

// namesOne reports whether a row group names one of some references.
func (x *SubjectIndex) namesOne(group int, all allWanted) (bool, error) {
	if len(all) == 0 {
		return false, nil
	}
	g, err := x.group(group)
	if err != nil {
		return false, err
	}
	defer g.Close()
	refs, row := g.Column(leafSubjectRef), int64(0) // both are sorted
	for _, w := range all {
		for page, err := range g.Pages(leafSubjectRef, w.text) {
			if err != nil {
				return false, err
			}
			order := -1
			for row = max(row, page.From); row < page.To && order < 0; row++ {
				if err := refs.SeekRow(row); err != nil {
					return false, err
				}
				text, _ := refs.Text()
				order = bytes.Compare(text, w.text)
			}
			if order == 0 {
				return true, nil
			}
			if order > 0 {
				row-- // it may be the next one's
				break
			}
		}
	}
	return false, nil
}

// Names returns the accounts that the index names, sorted, with their roles. It reads references and roles alone.
func (x *SubjectIndex) Names() ([]Named, error) {
	var all []Named
	var refs *table.Column
	var roles table.Parsed[uint16]
	err := x.file.Scan(func(g *table.Group) {
		refs, roles = g.Column(leafSubjectRef), table.Parse(g, leafSubjectRoles, x.roleSet)
	}, func() (bool, error) {
		text, _ := refs.Text()
		ref, err := parseRef(text)
		if err != nil {
			return false, refs.Fault(parquet.Corruptf("%w", err))
		}
		n := Named{Key: ref.Key()}
		for more := true; more; more = roles.More() {
			set, err := roles.Value()
			if err != nil {
				return false, err
			}
			n.Roles |= set
		}
		if last := len(all) - 1; last >= 0 && all[last].Key == n.Key {
			all[last].Roles |= n.Roles
			return true, nil
		}
		all = append(all, n)
		return true, nil
	})
	return SortNamed(all), damaged(err)
}

// Key is the first eight bytes of a reference: the key of the account's Named.
func (r Ref) Key() uint64 { return binary.BigEndian.Uint64(r[:]) }
