package run

import (
	"assent/filter"
	"assent/job/internal/source"
	"assent/job/parquet"
	"assent/manifests"
)

// roleAccounts turns a role's column into the accounts of the index and those of
// the manifests, batch by batch. What a dictionary names is looked up once.
type roleAccounts struct {
	form    source.IDForm
	index   *filter.Index
	table   *manifests.Accounts
	join    *source.JoinCounter
	near    *source.NearSeen
	scratch parquet.Bytes

	dict         *parquet.Dictionary
	dictAccounts []filter.Account
	dictHandles  []manifests.Account // nil: not looked up since the table was trimmed

	// Of the last batch:
	accounts filter.Accounts
	handles  []manifests.Account // beside accounts.IDs
}

// forget drops the manifests' numbers, which a trimmed table has voided.
func (r *roleAccounts) forget() { r.dictHandles = r.dictHandles[:0] }

// read takes the role's vector of a batch.
func (r *roleAccounts) read(v *parquet.Vector) {
	r.accounts.Offsets = v.Offsets
	r.accounts.IDs = r.accounts.IDs[:0]
	r.handles = r.handles[:0]
	if v.Dict == nil {
		ids := r.form.IDs(v, &r.scratch)
		r.accounts.IDs = r.lookup(r.accounts.IDs, ids)
		known := r.table.Len()
		r.handles = r.appendHandles(r.handles, ids)
		r.checkNear(ids, r.accounts.IDs, r.handles, known)
		return
	}
	r.readDictionary(v.Dict)
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

func (r *roleAccounts) readDictionary(d *parquet.Dictionary) {
	fresh := r.dict != d
	if !fresh && (len(r.dictHandles) > 0 || d.Len() == 0) {
		return
	}
	ids := r.form.Entries(d, &r.scratch)
	if fresh {
		r.dict = d
		r.dictAccounts = r.lookup(r.dictAccounts[:0], ids)
	}
	known := r.table.Len()
	r.dictHandles = r.appendHandles(r.dictHandles[:0], ids)
	r.checkNear(ids, r.dictAccounts, r.dictHandles, known)
}

// checkNear looks at the ids that the index lacks for near misses, each once a file:
// where its handle is a new one.
func (r *roleAccounts) checkNear(ids parquet.Bytes, accounts []filter.Account, handles []manifests.Account, known int) {
	fresh := func(i int) bool {
		return accounts[i] == filter.Absent && handles[i] != manifests.NoAccount && int(handles[i]) >= known
	}
	for i := range accounts {
		if !fresh(i) {
			continue
		}
		r.near.Add(func(yield func([]byte) bool) {
			for ; i < len(accounts); i++ {
				if fresh(i) && !yield(ids.At(i)) {
					return
				}
			}
		})
		return
	}
}

func (r *roleAccounts) lookup(dst []filter.Account, ids parquet.Bytes) []filter.Account {
	n := len(dst)
	dst = r.index.AppendAccounts(dst, ids.Data, ids.First, ids.Ends)
	for i, a := range dst[n:] {
		if a >= 0 {
			r.join.Mark(int(a))
		}
		switch {
		case a == filter.Null, r.index.InHistory(a):
		case a >= 0:
			r.join.Other(r.index.ID(a)) // of an account that has several, always the same
		default:
			r.join.Other(ids.At(i))
		}
	}
	return dst
}

func (r *roleAccounts) appendHandles(dst []manifests.Account, ids parquet.Bytes) []manifests.Account {
	if ids.First == 0 {
		return r.table.AppendAccounts(dst, ids.Data, ids.Ends)
	}
	for i := range ids.Len() {
		dst = append(dst, r.table.Account(ids.At(i)))
	}
	return dst
}
