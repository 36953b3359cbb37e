package manifests

import (
	"bytes"
	"hash/maphash"
	"math"
)

// Account numbers an account while one input file is worked on; see Accounts.
type Account uint32

// NoAccount stands for an account that is null or empty. It has no reference.
const NoAccount Account = math.MaxUint32

// Accounts numbers the accounts of one input file in order of appearance, and knows
// their references: each is hashed once, then found again by its id. The writers of
// one file share one Accounts, and many files can use it one after the other.
//
// Numbers are valid until Reset. Not safe for concurrent use.
type Accounts struct {
	referrer *Referrer
	seed     maphash.Seed
	slots    []uint64 // open addressing: upper half of the id's hash, then number + 1; 0 is free
	ids      []byte   // one after the other
	starts   []uint32 // of each id, and the end of the last
	table    *refTable
	warm     byte // keeps loads that only warm a cache
}

// refTable holds the references of the accounts numbered since Reset. A
// writer holds on to the table by which it was given numbers.
type refTable struct{ refs []Ref }

// A table of more accounts, or of more bytes of their ids, should be Reset where that is possible, so that memory is bounded.
const (
	ManyAccounts     = 1 << 19
	ManyAccountBytes = 1 << 25
)

const leastSlots = 1 << 10

// NewAccounts returns an empty table that makes its references by r.
func NewAccounts(r *Referrer) *Accounts {
	a := &Accounts{referrer: r, seed: maphash.MakeSeed(), slots: make([]uint64, leastSlots)}
	a.Reset()
	return a
}

// Account returns the number of the account with this canonical id, NoAccount for an
// empty id. It copies id where it keeps it.
func (a *Accounts) Account(id []byte) Account {
	if len(id) == 0 {
		return NoAccount
	}
	return a.find(id, maphash.Bytes(a.seed, id))
}

// AppendAccounts appends the numbers of many ids to dst, faster than one by one: id
// i ends at data[ends[i]] and begins where the one before it ends.
func (a *Accounts) AppendAccounts(dst []Account, data []byte, ends []uint32) []Account {
	// A look-up waits for memory three times: slot, start, id. So each step is taken for
	// a batch of ids, whose waits overlap, before find takes them all.
	var hashes [64]uint64
	var likely [64]uint32
	start := uint32(0)
	for len(ends) > 0 {
		batch := ends[:min(len(ends), len(hashes))]
		ends = ends[len(batch):]
		mask := uint64(len(a.slots) - 1)
		from := start
		for i, end := range batch {
			hashes[i] = maphash.Bytes(a.seed, data[from:end])
			from = end
		}
		for i := range batch {
			likely[i] = uint32(a.slots[hashes[i]&mask])
		}
		for i := range batch {
			likely[i] = a.starts[likely[i]]
		}
		for i := range batch {
			if end := likely[i]; end > 0 {
				a.warm ^= a.ids[end-1]
			}
		}
		for i, end := range batch {
			if start == end {
				dst = append(dst, NoAccount)
				continue
			}
			dst = append(dst, a.find(data[start:end], hashes[i]))
			start = end
		}
	}
	return dst
}

func (a *Accounts) find(id []byte, hash uint64) Account {
	const upper = math.MaxUint32 << 32
	mask := uint64(len(a.slots) - 1)
	i := hash & mask
	for ; a.slots[i] != 0; i = (i + 1) & mask {
		if (a.slots[i]^hash)&upper != 0 {
			continue
		}
		n := uint32(a.slots[i]) - 1
		if bytes.Equal(a.ids[a.starts[n]:a.starts[n+1]], id) {
			return Account(n)
		}
	}
	n := len(a.table.refs)
	a.slots[i] = hash&upper | uint64(n+1)
	a.ids = append(a.ids, id...)
	a.starts = append(a.starts, uint32(len(a.ids)))
	a.table.refs = append(a.table.refs, a.referrer.Ref(id))
	if 2*(n+1) > len(a.slots) {
		a.grow()
	}
	return Account(n)
}

// grow doubles the slots. Hashes are computed again, as slots hold only their upper
// halves.
func (a *Accounts) grow() {
	a.slots = make([]uint64, 2*len(a.slots))
	mask := uint64(len(a.slots) - 1)
	for n := range a.table.refs {
		hash := maphash.Bytes(a.seed, a.ids[a.starts[n]:a.starts[n+1]])
		i := hash & mask
		for a.slots[i] != 0 {
			i = (i + 1) & mask
		}
		a.slots[i] = hash&(math.MaxUint32<<32) | uint64(n+1)
	}
}

// Ref returns the reference of an account, the zero Ref for NoAccount.
func (a *Accounts) Ref(account Account) Ref {
	if account == NoAccount {
		return Ref{}
	}
	return a.table.refs[account]
}

// From returns the accounts that were numbered since the table held so many: their ids, of
// which i ends at data[ends[i]] and begins where the one before it ends, the first at
// data[first]; and their references. All are the table's own, valid until it changes.
func (a *Accounts) From(held int) (data []byte, first uint32, ends []uint32, refs []Ref) {
	return a.ids, a.starts[held], a.starts[held+1:], a.table.refs[held:]
}

// Len returns how many accounts the table holds.
func (a *Accounts) Len() int { return len(a.table.refs) }

// Memory returns the bytes that the table holds.
func (a *Accounts) Memory() int {
	return 8*cap(a.slots) + cap(a.ids) + 4*cap(a.starts) + len(Ref{})*cap(a.table.refs)
}

// Full reports whether the table has grown past ManyAccounts or ManyAccountBytes.
func (a *Accounts) Full() bool {
	return len(a.table.refs) > ManyAccounts || len(a.ids) > ManyAccountBytes
}

// Reset empties the table. All numbers given out before are void, so it comes where none is in flight. Writers end a row group
// where they see it.
func (a *Accounts) Reset() {
	if len(a.slots) > leastSlots && 16*len(a.table.refs) < len(a.slots) {
		a.slots = make([]uint64, leastSlots) // clearing many slots after each of many small files takes long
	}
	clear(a.slots)
	a.ids = a.ids[:0]
	a.starts = append(a.starts[:0], 0)
	a.table = new(refTable)
}
