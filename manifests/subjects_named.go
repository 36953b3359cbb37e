package manifests

import (
	"bytes"
	"encoding/binary"

	"assent/job/parquet"
	"assent/job/parquet/table"
)

// NamedBy says of each row group of the index whether it has rows that name one of some accounts. It reads only pages that can hold
// one of the references where these are few, else all references.
func (x *SubjectIndex) NamedBy(refs []Ref) ([]bool, error) {
	const few = 64
	named := make([]bool, x.file.NumRowGroups())
	if len(refs) > few {
		wanted := make(map[uint64]bool, len(refs)) // by key: two accounts that share one are taken for one
		for _, ref := range refs {
			wanted[ref.Key()] = true
		}
		group := -1
		var column *table.Column
		err := x.file.Scan(func(g *table.Group) { group, column = group+1, g.Column(leafSubjectRef) }, func() (bool, error) {
			text, _ := column.Text()
			ref, err := parseRef(text)
			if err != nil {
				return false, column.Fault(parquet.Corruptf("%w", err))
			}
			named[group] = named[group] || wanted[ref.Key()]
			return true, nil
		})
		return named, damaged(err)
	}
	for group := range named {
		for _, ref := range refs {
			var err error
			if named[group], err = x.namedIn(group, ref); err != nil {
				return nil, damaged(err)
			}
			if named[group] {
				break
			}
		}
	}
	return named, nil
}

// namedIn reports whether a row group names an account.
func (x *SubjectIndex) namedIn(group int, ref Ref) (found bool, err error) {
	g, err := x.group(group)
	if err != nil {
		return false, err
	}
	text := ref.appendText(nil)
	for page, err := range g.Pages(leafSubjectRef, text) {
		if err == nil && !found {
			found, err = namedOnPage(g, page, text)
		}
		if err != nil {
			return false, err
		}
	}
	return found, nil
}

func namedOnPage(g *table.Group, page table.Range, text []byte) (bool, error) {
	defer g.Close()
	refs := g.Column(leafSubjectRef)
	for row := page.From; row < page.To; row++ {
		if err := refs.SeekRow(row); err != nil {
			return false, err
		}
		if t, _ := refs.Text(); bytes.Compare(t, text) >= 0 { // they are sorted
			return bytes.Equal(t, text), nil
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
