package verify

import (
	"errors"

	"assent/filter"
	"assent/schema"
)

// record is a record with its keys spelt out, and the accounts that it names.
type record struct {
	filter.Record
	id    []byte // of the record
	named []namedAccount
}

// namedAccount is an account under a role. A party role that names nobody, or null, has
// an entry without one.
type namedAccount struct {
	role    int // of the data set's roles, parties first
	party   bool
	account *account
}

// recordReader reads the keys of a file's records one after the other.
type recordReader struct {
	*binder
	d        *dataset
	account  func(id []byte) *account // by canonical id; nil for one that is not known
	record   *keyReader
	roles    []*keyReader
	moments  []*keyReader
	contract *keyReader // nil where the data set names none
	deleted  *keyReader // nil as well, as is the next
	private  *keyReader

	id []byte
}

var errOtherAccounts = errors.New("the file names other accounts than a moment ago")

// records opens the key columns of a data set's file.
func (in *inputFile) records(d *dataset, account func(id []byte) *account) (*recordReader, error) {
	k := &recordReader{d: d, account: account}
	b, err := in.bind(d.AssumeUTC, func(b *binder) {
		k.record = b.id("record", d.Record)
		for _, r := range d.Parties {
			k.roles = append(k.roles, b.ids("parties."+r.Name, r.Column))
		}
		for _, r := range d.Subjects {
			k.roles = append(k.roles, b.ifThere("subjects."+r.Name, r.Column, r.Optional, b.ids))
		}
		for _, m := range d.Moments {
			k.moments = append(k.moments, b.ifThere("moments."+m.Name, m.Column, m.Optional, b.instant(m.Unit)))
		}
		if d.Contract != "" {
			k.contract = b.id("contract", d.Contract)
		}
		if d.Deleted != nil {
			k.deleted = b.code("deleted.column", d.Deleted.Column)
		}
		if d.Private != nil {
			k.private = b.code("private.column", d.Private.Column)
		}
	})
	k.binder = b
	return k, err
}

// next reads the keys of the next record into r, of which the memory is used again.
func (k *recordReader) next(r *record) error {
	r.Category = k.d.Category
	r.Parties, r.Subjects, r.Moments, r.named = r.Parties[:0], r.Subjects[:0], r.Moments[:0], r.named[:0]
	for n := range k.roles {
		if err := k.nextRole(r, n); err != nil {
			return err
		}
	}
	for n, m := range k.d.Moments {
		v, err := k.moments[n].one()
		if err != nil {
			return err
		}
		r.Moments = append(r.Moments, filter.Moment{Name: m.Name, At: v.instant()})
	}
	contract, err := k.contract.one()
	if err != nil {
		return err
	}
	k.id = contract.appendID(k.id[:0])
	r.Contract = string(k.id)
	for _, mark := range []struct {
		column *keyReader
		match  *schema.Match
		holds  *bool
	}{{k.deleted, k.d.Deleted, &r.SourceDeleted}, {k.private, k.d.Private, &r.Private}} {
		v, err := mark.column.one()
		if err != nil {
			return err
		}
		*mark.holds = mark.match != nil && v.matches(mark.match)
	}
	id, err := k.record.one()
	if err != nil {
		return err
	}
	r.id = id.appendID(r.id[:0])
	return nil
}

// nextRole reads the accounts under a role.
func (k *recordReader) nextRole(r *record, n int) error {
	elements, err := k.roles[n].elements()
	if err != nil {
		return err
	}
	role, party := k.d.Roles()[n], n < len(k.d.Parties)
	for _, v := range elements {
		x := namedAccount{n, party, nil}
		s := filter.Subject{Role: role.Name}
		if k.id = (key{v, k.roles[n].leaf, ""}).appendID(k.id[:0]); len(k.id) > 0 {
			if x.account = k.account(k.id); x.account == nil {
				return errOtherAccounts
			}
			s.ID = x.account.id
		}
		if party {
			r.Parties = append(r.Parties, s)
		} else if r.Subjects = append(r.Subjects, s); x.account == nil {
			continue
		}
		r.named = append(r.named, x)
	}
	if party && len(elements) == 0 {
		r.Parties = append(r.Parties, filter.Subject{Role: role.Name})
		r.named = append(r.named, namedAccount{n, true, nil})
	}
	return nil
}
