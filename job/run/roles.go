package run

import (
	"encoding/binary"

	"assent/filter"
	"assent/job/internal/consent"
	"assent/job/internal/source"
	"assent/job/parquet"
	"assent/manifests"
)

// fileAccounts are the accounts of one input file. Each is looked up in the index once:
// where the manifests number it.
type fileAccounts struct {
	index *consent.Lookup
	near  *source.NearSeen
	table *manifests.Accounts
	found []filter.Account // beside the table's
}

// trim bounds the table's memory. Where it returns true, all handles are void.
func (f *fileAccounts) trim() bool {
	if !f.table.Trim() {
		return false
	}
	f.found = f.found[:0]
	return true
}

// appendHandles appends the manifests' numbers of ids to dst. Those that the index lacks
// are looked at for near misses.
func (f *fileAccounts) appendHandles(dst []manifests.Account, ids parquet.Bytes) []manifests.Account {
	known := f.table.Len()
	if ids.First == 0 {
		dst = f.table.AppendAccounts(dst, ids.Data, ids.Ends)
	} else {
		for i := range ids.Len() {
			dst = append(dst, f.table.Account(ids.At(i)))
		}
	}
	if f.table.Len() == known {
		return dst
	}
	f.found = f.index.AppendAccounts(f.found, f.table, known)
	data, start, ends, _ := f.table.From(known)
	f.near.Add(func(yield func([]byte) bool) {
		for i, end := range ends {
			if f.found[known+i] == filter.Absent && !yield(data[start:end]) {
				return
			}
			start = end
		}
	})
	return dst
}

// account returns the index's account of a handle.
func (f *fileAccounts) account(handle manifests.Account) filter.Account {
	if handle == manifests.NoAccount {
		return filter.Null
	}
	return f.found[handle]
}

// roleAccounts turns a role's column into the accounts of the index and those of
// the manifests, batch by batch. What a dictionary names is looked up once.
type roleAccounts struct {
	*fileAccounts
	form    source.IDForm
	join    *source.JoinCounter
	scratch parquet.Bytes

	dict         *parquet.Dictionary
	dictAccounts []filter.Account
	dictHandles  []manifests.Account

	// Of the last batch:
	accounts filter.Accounts
	handles  []manifests.Account // beside accounts.IDs
}

// forget drops the manifests' numbers, which a trimmed table has voided.
func (r *roleAccounts) forget() { r.dict = nil }

// read takes the role's vector of a batch.
func (r *roleAccounts) read(v *parquet.Vector) {
	r.accounts.Offsets = v.Offsets
	r.accounts.IDs = r.accounts.IDs[:0]
	r.handles = r.handles[:0]
	if v.Dict == nil {
		r.accounts.IDs, r.handles = r.lookup(r.accounts.IDs, r.handles, r.form.IDs(v, &r.scratch))
		return
	}
	if r.dict != v.Dict {
		r.dict = v.Dict
		r.dictAccounts, r.dictHandles = r.lookup(r.dictAccounts[:0], r.dictHandles[:0], r.form.Entries(v.Dict, &r.scratch))
	}
	for i, entry := range v.Index {
		if v.Null != nil && v.Null[i] {
			r.accounts.IDs = append(r.accounts.IDs, filter.Null)
			r.handles = append(r.handles, manifests.NoAccount)
			continue
		}
		r.accounts.IDs = append(r.accounts.IDs, r.dictAccounts[entry])
		r.handles = append(r.handles, r.dictHandles[entry])
	}
}

// lookup appends ids as both kinds of accounts, and counts what the role names.
func (r *roleAccounts) lookup(accounts []filter.Account, handles []manifests.Account, ids parquet.Bytes) ([]filter.Account, []manifests.Account) {
	from := len(handles)
	handles = r.appendHandles(handles, ids)
	for _, h := range handles[from:] {
		a := r.account(h)
		accounts = append(accounts, a)
		switch {
		case a >= 0:
			r.join.Mark(int(a))
		case a == filter.Absent:
			ref := r.table.Ref(h)
			r.join.Other(binary.LittleEndian.Uint64(ref[:]))
		}
	}
	return accounts, handles
}
