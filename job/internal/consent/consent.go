// Package consent hands the consent index from the step of a run that builds it to those
// that use it: in memory within one process, or as three objects that many processes open.
//
//	index  the index in its stored form (package filter). Shards and commit decide and count by it
//	near   filters by which a shard finds the ids of the data that may be near misses
//	forms  the folded form of every id, by which commit finds the near misses
//
// None of them holds an id of an account or a contract, only keyed hashes: for accounts
// the references that manifests have, for all else those of [manifests.Hasher].
//
// Words: a [Lookup] is the index as a shard asks it, by the ids of the data. A [Listing] is
// the index as commit asks it, by the numbers that shards name.
package consent

import (
	"iter"
	"runtime"

	"golang.org/x/sync/errgroup"

	"assent/filter"
	"assent/job/internal/source"
	"assent/manifests"
)

// Lookup finds accounts and contracts in an index. Safe for concurrent use.
type Lookup struct {
	*filter.Facts
	Hash          manifests.Hasher
	NearAccounts  *source.NearFilter
	NearContracts *source.NearFilter
	Heap          int64 // bytes that it takes of the process's memory

	// Stored is the index in its stored form; nil where it was built in this process.
	Stored *filter.Stored

	ids   ids
	close func() error
}

// ids is how an index knows accounts and contracts.
type ids interface {
	appendAccounts(dst []filter.Account, t *manifests.Accounts, from int) []filter.Account
	contract(id []byte) filter.Contract
}

// AppendAccounts appends the index's accounts to dst for those that t has numbered since
// it held so many.
func (l *Lookup) AppendAccounts(dst []filter.Account, t *manifests.Accounts, from int) []filter.Account {
	return l.ids.appendAccounts(dst, t, from)
}

// Contract returns the contract with a canonical id.
func (l *Lookup) Contract(id []byte) filter.Contract { return l.ids.contract(id) }

// Close ends the use of the lookup and of all that was made from it.
func (l *Lookup) Close() error { return l.close() }

// Listing lists what an index numbers.
type Listing struct {
	*filter.Facts
	AccountList  source.NearList // by numbers of accounts
	ContractList source.NearList // by numbers of contracts

	close func() error
}

// Close ends the use of the listing and of all that was made from it.
func (l *Listing) Close() error { return l.close() }

// Built is an index that was built in this process, with the near misses' filters beside.
type Built struct {
	x    *filter.Index
	key  *manifests.Key
	look *Lookup
}

// New takes an index.
func New(x *filter.Index, key *manifests.Key) *Built {
	hash := key.NewHasher()
	b := &Built{x: x, key: key, look: &Lookup{
		Facts: &x.Facts, Hash: hash, ids: builtIDs{x}, close: noClose,
		NearAccounts:  source.NewNearFilter(hash, x.Accounts(), numbered(x.Accounts(), x.ID)),
		NearContracts: source.NewNearFilter(hash, x.Restricted(), numbered(x.Restricted(), x.ContractID)),
	}}
	b.look.Heap = x.Size() + 8*int64(len(b.look.NearAccounts.Bits())+len(b.look.NearContracts.Bits()))
	return b
}

func noClose() error { return nil }

func numbered[T ~int32](n int, id func(T) []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := T(0); int(i) < n && yield(id(i)); i++ {
		}
	}
}

// Lookup returns the index for a shard in this process.
func (b *Built) Lookup() *Lookup { return b.look }

// Listing returns the index for a commit in this process.
func (b *Built) Listing() *Listing {
	list := func(n int, id func(i int) []byte) builtList {
		return builtList{n, id, b.look.Hash, b.key.NewReferrer()}
	}
	return &Listing{
		Facts: &b.x.Facts, close: noClose,
		AccountList:  list(b.x.Accounts(), func(i int) []byte { return b.x.ID(filter.Account(i)) }),
		ContractList: list(b.x.Restricted(), func(i int) []byte { return b.x.ContractID(filter.Contract(i)) }),
	}
}

// builtIDs knows ids as they are.
type builtIDs struct{ x *filter.Index }

func (b builtIDs) appendAccounts(dst []filter.Account, t *manifests.Accounts, from int) []filter.Account {
	data, first, ends, _ := t.From(from)
	return b.x.AppendAccounts(dst, data, first, ends)
}

func (b builtIDs) contract(id []byte) filter.Contract { return b.x.Contract(id) }

// builtList folds ids whenever it is asked: their forms would take more memory than they.
type builtList struct {
	n    int
	id   func(i int) []byte
	hash manifests.Hasher
	refs *manifests.Referrer
}

func (l builtList) Len() int                 { return l.n }
func (l builtList) Near(i int) source.NearID { return source.NearIDOf(l.hash, l.id(i)) }
func (l builtList) Ref(i int) manifests.Ref  { return l.refs.Ref(l.id(i)) }

// references returns the references of all accounts of the index, and the keyed hashes of
// all restricted contracts.
func (b *Built) references() (accounts, contracts []filter.Ref) {
	accounts = make([]filter.Ref, b.x.Accounts())
	inParts(len(accounts), func(from, to int) {
		refs := b.key.NewReferrer()
		for i := from; i < to; i++ {
			accounts[i] = filter.Ref(refs.Ref(b.x.ID(filter.Account(i))))
		}
	})
	for i := range b.x.Restricted() {
		contracts = append(contracts, b.look.Hash.Sum128(b.x.ContractID(filter.Contract(i))))
	}
	return accounts, contracts
}

// inParts calls do for all parts of n numbers, several at a time.
func inParts(n int, do func(from, to int)) {
	const part = 1 << 16
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for from := 0; from < n; from += part {
		g.Go(func() error {
			do(from, min(from+part, n))
			return nil
		})
	}
	g.Wait()
}
