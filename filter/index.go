package filter

import (
	"sort"

	"assent/schema"
)

// Account is the number of an account in an [Index], or one of two marks.
type Account int32

const (
	// Absent is an account that the index was told nothing about: no consent
	// event, no deletion request, not in the registry.
	Absent Account = -1
	// Null stands for no account at all: a null, or an empty id.
	Null Account = -2
)

// Contract is the number of a restricted contract in an [Index]; -1 where the
// contract has no restriction or the record names no contract.
type Contract int32

// Unrestricted is the contract without a restriction.
const Unrestricted Contract = -1

// Policy holds the programme's rules that are not data.
type Policy struct {
	Start   schema.Instant // content from before is never used
	Horizon schema.Instant // at and after it nothing is known
	Default schema.State   // of an account before its first event
}

// Facts is what a decision needs to know of accounts and contracts, by their numbers. It
// is frozen: safe for any number of concurrent readers. An [Index] has it with the ids
// that were numbered, a [Stored] with references to them.
type Facts struct {
	policy    Policy
	registry  bool // a registry was given: accounts not in it are unknown
	flags     []accountFlags
	first     packedStarts     // timeline of (account, category) k is flips[first.at(k):first.at(k+1)]
	flips     []schema.Instant // instants at which the state turns over, from the default on
	deletions deletionList
	spanFirst []uint32 // restrictions of contract c are spans spanFirst[c] to spanFirst[c+1]
	spans     spanList
	inHistory int

	// Where no alias or no membership is given, these are nil.
	same        []Account // the account of each id
	told        []Fact    // of each id by itself
	memberFirst []uint32  // memberships of account a are from memberFirst[a] to memberFirst[a+1]
	memberSpans spanList
	memberOf    []Account // the organisation of each membership
}

// spanList holds the bounds of spans: From and Until of each.
type spanList []schema.Instant

func (l spanList) at(i uint32) schema.Span {
	return schema.Span{From: l[2*int(i)], Until: l[2*int(i)+1]}
}

// Index is the facts with the canonical ids of accounts and contracts, which it numbers
// in the order in which it was told of them.
type Index struct {
	Facts
	accounts  *idTable
	contracts *idTable
}

// accountFlags sums up an account in a byte, so that the common account, which
// never touched a switch, costs a decision one look into a small array. The lowest
// bits are the categories', one each. With too many of them the compiler refuses
// flagMember: it would not fit into the byte.
type accountFlags uint8

const (
	flagTimeline   accountFlags = 1                               // shifted by the category: it has flips there
	flagRegistered accountFlags = 1 << (schema.NumCategories + 0) // in the registry
	flagDeleted    accountFlags = 1 << (schema.NumCategories + 1) // has a deletion request
	flagHistory    accountFlags = 1 << (schema.NumCategories + 2) // has a consent event of any category
	flagMember     accountFlags = 1 << (schema.NumCategories + 3) // belonged to an organisation
)

// Policy returns the policy that the index was built for.
func (x *Facts) Policy() Policy { return x.policy }

// Account returns the account with the canonical id. An empty id is Null.
func (x *Index) Account(id []byte) Account {
	if len(id) == 0 {
		return Null
	}
	return x.Same(Account(x.accounts.find(id, x.accounts.tag(id))))
}

// AppendAccounts appends the accounts of many ids to dst, several times faster than
// one by one: id i ends at data[ends[i]] and begins where the one before it ends,
// the first at data[first].
func (x *Index) AppendAccounts(dst []Account, data []byte, first uint32, ends []uint32) []Account {
	known := len(dst)
	var sum uint32
	forBatches(data, first, ends, func(ids [][]byte) {
		var tags [warm]uint64
		sum += x.accounts.tags(ids, &tags)
		for i, id := range ids {
			if len(id) == 0 {
				dst = append(dst, Null)
				continue
			}
			dst = append(dst, Account(x.accounts.find(id, tags[i])))
		}
	})
	keep(sum)
	if x.same != nil {
		for i, id := range dst[known:] {
			dst[known+i] = x.Same(id)
		}
	}
	return dst
}

// forBatches cuts ids into batches of at most warm.
func forBatches(data []byte, first uint32, ends []uint32, do func(ids [][]byte)) {
	var ids [warm][]byte
	start := first
	for len(ends) > 0 {
		n := min(warm, len(ends))
		for i, end := range ends[:n] {
			ids[i] = data[start:end]
			start = end
		}
		do(ids[:n])
		ends = ends[n:]
	}
}

// keep makes the compiler keep what v was computed from.
//
//go:noinline
func keep(uint32) {}

// Contract returns the contract with the canonical id.
func (x *Index) Contract(id []byte) Contract {
	return Contract(x.contracts.find(id, x.contracts.tag(id)))
}

// Restricted returns how many contracts have a restriction. Where none has, [Rows]
// need not say which contract is whose.
func (x *Facts) Restricted() int { return len(x.spanFirst) - 1 }

// Accounts returns how many ids are numbered: Account values are below it.
func (x *Facts) Accounts() int { return len(x.flags) }

// HistoryAccounts returns how many accounts have an event in the consent history. Ids
// of one account count once.
func (x *Facts) HistoryAccounts() int { return x.inHistory }

// InHistory reports whether the account has an event in the consent history.
func (x *Facts) InHistory(a Account) bool { return a >= 0 && x.flags[a]&flagHistory != 0 }

// ID returns the canonical id with a number of the index; the bytes are the index's own.
func (x *Index) ID(a Account) []byte { return x.accounts.id(uint32(a)) }

// DropLookup frees what finds accounts by their ids, a third of the index where an account has few events. Account and AppendAccounts must
// not be called any more.
func (x *Index) DropLookup() { x.accounts.slots = nil }

// Size returns the bytes that the index holds.
func (x *Index) Size() int64 { return x.accounts.size() + x.contracts.size() + x.Facts.size() }

func (x *Facts) size() int64 {
	return int64(cap(x.flags)) + x.first.size() + 8*int64(cap(x.flips)) + x.deletions.size() +
		4*int64(cap(x.spanFirst)) + 8*int64(cap(x.spans)) +
		4*int64(cap(x.same)) + int64(cap(x.told)) + 4*int64(cap(x.memberFirst)) + 8*int64(cap(x.memberSpans)) + 4*int64(cap(x.memberOf))
}

// timeline returns the flips of a numbered account.
func (x *Facts) timeline(a Account, c schema.Category) []schema.Instant {
	k := int(a)*schema.NumCategories + int(c)
	return x.flips[x.first.at(k):x.first.at(k+1)]
}

// out reports whether the account is opted out of c at t, and since when:
// schema.Unknown where that is the programme's default.
func (x *Facts) out(a Account, c schema.Category, t schema.Instant) (bool, schema.Instant) {
	if a < 0 || x.flags[a]&(flagTimeline<<c) == 0 {
		return x.policy.Default == schema.OptedOut, schema.Unknown
	}
	flips := x.timeline(a, c)
	n := flipsUntil(flips, t)
	// An even number of flips leaves the default in force.
	if (n%2 == 0) != (x.policy.Default == schema.OptedOut) {
		return false, schema.Unknown
	}
	if n == 0 {
		return true, schema.Unknown
	}
	return true, flips[n-1]
}

// flipsUntil counts the flips at or before t.
func flipsUntil(flips []schema.Instant, t schema.Instant) int {
	if len(flips) <= 16 { // nearly all: a straight loop has no unpredictable branch
		n := 0
		for _, f := range flips {
			if f <= t {
				n++
			}
		}
		return n
	}
	return sort.Search(len(flips), func(i int) bool { return flips[i] > t })
}

// restricted reports whether the contract has a restriction in force at t.
func (x *Facts) restricted(c Contract, t schema.Instant) bool {
	for i := x.spanFirst[c]; i < x.spanFirst[c+1]; i++ {
		if x.spans.at(i).Contains(t) {
			return true
		}
	}
	return false
}
