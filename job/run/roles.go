package run

import (
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
	found []filter.Account  // beside the table's
	seen  []seenAccount     // beside the table's
	forms []source.NearID   // beside the table's: of those that rows name, folded
	fresh []source.NearID   // that rows name for the first time and the index lacks
	named []manifests.Named // of a table that was trimmed

	block                 uint32 // that is decided, counted from 1
	inBlock, bytesInBlock int    // accounts that rows of the block name, since the table was trimmed, and bytes of their ids
}

// reset empties f for a file.
func (f *fileAccounts) reset(index *consent.Lookup, near *source.NearSeen) {
	f.index, f.near = index, near
	f.table.Reset()
	f.found, f.seen, f.forms, f.fresh, f.named = f.found[:0], f.seen[:0], f.forms[:0], f.fresh[:0], nil
	f.block = 0
}

// seenAccount says of an account of the table under which roles rows name it, as bits, and which block named it last.
type seenAccount struct {
	block uint32
	roles uint16
}

func (f *fileAccounts) beginBlock() { f.block, f.inBlock, f.bytesInBlock = f.block+1, 0, 0 }

// manyInBlock reports whether the table should be trimmed amid a block. It depends on the block alone, as manifests depend on it.
func (f *fileAccounts) manyInBlock() bool {
	return f.inBlock > manifests.ManyAccounts || f.bytesInBlock > manifests.ManyAccountBytes
}

// trim empties the table. All handles are void.
func (f *fileAccounts) trim() {
	f.named = manifests.SortNamed(append(f.named, f.names()...))
	f.table.Reset()
	f.found, f.seen, f.forms = f.found[:0], f.seen[:0], f.forms[:0]
	f.inBlock, f.bytesInBlock = 0, 0
}

// appendHandles appends the manifests' numbers of ids to dst.
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
	f.seen = append(f.seen, make([]seenAccount, f.table.Len()-known)...)
	f.forms = append(f.forms, make([]source.NearID, f.table.Len()-known)...)
	return dst
}

// id returns the id of a handle.
func (f *fileAccounts) id(h manifests.Account) []byte {
	data, start, ends, _ := f.table.From(int(h))
	return data[start:ends[0]]
}

// lookForNear looks at the fresh accounts for near misses.
func (f *fileAccounts) lookForNear() {
	f.near.Add(f.fresh...)
	f.fresh = f.fresh[:0]
}

// names returns the accounts of the table that rows name.
func (f *fileAccounts) names() (names []manifests.Named) {
	_, _, _, refs := f.table.From(0)
	for i, s := range f.seen {
		if s.roles != 0 {
			names = append(names, manifests.Named{Key: refs[i].Key(), Roles: s.roles, Form: f.forms[i].Form, Mark: f.forms[i].Mark()})
		}
	}
	return names
}

// account returns the index's account of a handle.
func (f *fileAccounts) account(handle manifests.Account) filter.Account {
	if handle == manifests.NoAccount {
		return filter.Null
	}
	return f.found[handle]
}

// roleAccounts turns a role's column into the accounts of the index and those of
// the manifests, batch by batch. An entry of a dictionary is looked up once.
type roleAccounts struct {
	*fileAccounts
	form    source.IDForm
	role    int
	join    *source.JoinCounter
	scratch parquet.Bytes

	dict         *parquet.Dictionary
	dictAccounts []filter.Account
	dictHandles  []manifests.Account
	dictUsed     []bool  // by a row of a batch so far: then it has been looked up
	newEntries   []int32 // that the batch is the first to use

	// Of the last batch:
	accounts filter.Accounts
	handles  []manifests.Account // beside accounts.IDs
}

// reset makes r ready for a file's column.
func (r *roleAccounts) reset(of *fileAccounts, form source.IDForm, role int, join *source.JoinCounter) {
	r.fileAccounts, r.form, r.role, r.join, r.dict = of, form, role, join, nil
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
		last := manifests.NoAccount
		for _, h := range r.handles {
			if h != last {
				last = h
				r.count(h)
			}
		}
		r.lookForNear()
		return
	}
	r.lookUpEntries(v)
	last, account, handle := int32(-1), filter.Null, manifests.NoAccount // equal entries come in runs
	for i, entry := range v.Index {
		if v.Null != nil && v.Null[i] {
			r.accounts.IDs = append(r.accounts.IDs, filter.Null)
			r.handles = append(r.handles, manifests.NoAccount)
			continue
		}
		if entry != last {
			last, account, handle = entry, r.dictAccounts[entry], r.dictHandles[entry]
		}
		r.accounts.IDs = append(r.accounts.IDs, account)
		r.handles = append(r.handles, handle)
	}
	r.lookForNear()
}

// lookUpEntries looks up, at once, the entries that a batch is the first to use. To look up all of a dictionary takes memory for each,
// and some may be used by no row.
func (r *roleAccounts) lookUpEntries(v *parquet.Vector) {
	if r.dict != v.Dict {
		r.dict = v.Dict
		n := v.Dict.Len()
		r.dictAccounts, r.dictHandles, r.dictUsed = source.Grow(r.dictAccounts, n), source.Grow(r.dictHandles, n), source.Grow(r.dictUsed, n)
		clear(r.dictUsed)
	}
	r.newEntries, r.scratch.Data, r.scratch.Ends = r.newEntries[:0], r.scratch.Data[:0], r.scratch.Ends[:0]
	for i, entry := range v.Index {
		if v.Null != nil && v.Null[i] || r.dictUsed[entry] { // of nulls alone there may be no entry
			continue
		}
		r.dictUsed[entry] = true
		r.newEntries = append(r.newEntries, entry)
		r.scratch.Data = r.form.Append(r.scratch.Data, v, i)
		r.scratch.Ends = append(r.scratch.Ends, uint32(len(r.scratch.Data)))
	}
	accounts, handles := r.lookup(r.accounts.IDs[:0], r.handles[:0], r.scratch)
	for i, entry := range r.newEntries {
		r.dictAccounts[entry], r.dictHandles[entry] = accounts[i], handles[i]
		r.count(handles[i])
	}
	r.accounts.IDs, r.handles = accounts[:0], handles[:0]
}

// lookup appends ids as both kinds of accounts.
func (r *roleAccounts) lookup(accounts []filter.Account, handles []manifests.Account, ids parquet.Bytes) ([]filter.Account, []manifests.Account) {
	from := len(handles)
	handles = r.appendHandles(handles, ids)
	for _, h := range handles[from:] {
		accounts = append(accounts, r.account(h))
	}
	return accounts, handles
}

// count counts an account that a row names, once a role and file.
func (r *roleAccounts) count(h manifests.Account) {
	if h == manifests.NoAccount {
		return
	}
	s, bit := &r.seen[h], uint16(1)<<r.role
	if s.block != r.block {
		s.block = r.block
		r.inBlock++
		r.bytesInBlock += len(r.id(h))
	}
	if s.roles&bit != 0 {
		return
	}
	a := r.found[h]
	if s.roles == 0 {
		r.forms[h] = source.NearIDOf(r.index.Hash, r.id(h))
		if a == filter.Absent {
			r.fresh = append(r.fresh, r.forms[h])
		}
	}
	s.roles |= bit
	if a >= 0 {
		r.join.Mark(int(a))
	} else {
		r.join.Other(r.table.Ref(h).Key())
	}
}
