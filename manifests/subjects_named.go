package manifests

import (
	"encoding/binary"
	"slices"

	"assent/job/parquet"
	"assent/job/parquet/table"
)

// NamesAny reports whether the index has rows that name one of some accounts. It reads only pages that can hold one of
// the references where these are few, else all references.
func (x *SubjectIndex) NamesAny(refs []Ref) (bool, error) {
	const few = 64
	if len(refs) <= few {
		for _, ref := range refs {
			if rows, err := x.Lookup(ref); err != nil || len(rows) > 0 {
				return err == nil, err
			}
		}
		return false, nil
	}
	wanted := make(map[uint64]bool, len(refs)) // by key: two accounts that share one are taken for one
	for _, ref := range refs {
		wanted[ref.Key()] = true
	}
	named, err := x.Names()
	return slices.ContainsFunc(named, func(n Named) bool { return wanted[n.Key] }), err
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
