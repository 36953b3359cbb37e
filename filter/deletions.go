package filter

import (
	"cmp"
	"maps"
	"slices"

	"assent/schema"
)

// Deletion is a deletion request in force.
type Deletion struct {
	RequestedAt schema.Instant // schema.Unknown where the request does not say
	Request     string         // the request's id; may be empty
}

func compareDeletions(a, b Deletion) int {
	if (a.RequestedAt == schema.Unknown) != (b.RequestedAt == schema.Unknown) {
		if b.RequestedAt == schema.Unknown {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.RequestedAt, b.RequestedAt), cmp.Compare(a.Request, b.Request))
}

// deletionList is the deletion requests of accounts, one each, in columns.
type deletionList struct {
	accounts    []Account // sorted
	at          []schema.Instant
	requestEnds []uint64 // request i ends there in requests, and begins where the one before it ends
	requests    []byte
}

func newDeletionList(of map[Account]Deletion) (l deletionList) {
	l.accounts = slices.AppendSeq(make([]Account, 0, len(of)), maps.Keys(of))
	slices.Sort(l.accounts)
	l.at, l.requestEnds = make([]schema.Instant, 0, len(of)), make([]uint64, 0, len(of))
	for _, a := range l.accounts {
		l.at = append(l.at, of[a].RequestedAt)
		l.requests = append(l.requests, of[a].Request...)
		l.requestEnds = append(l.requestEnds, uint64(len(l.requests)))
	}
	return l
}

// find returns the place of an account's request.
func (l *deletionList) find(a Account) (i int, ok bool) { return slices.BinarySearch(l.accounts, a) }

// request returns the id of request i, as bytes of the list.
func (l *deletionList) request(i int) []byte {
	from := uint64(0)
	if i > 0 {
		from = l.requestEnds[i-1]
	}
	return l.requests[from:l.requestEnds[i]]
}

func (l *deletionList) size() int64 {
	return 4*int64(cap(l.accounts)) + 8*int64(cap(l.at)) + 8*int64(cap(l.requestEnds)) + int64(cap(l.requests))
}

// Deletion returns the account's deletion request. Of several it is the earliest.
func (x *Facts) Deletion(a Account) (Deletion, bool) {
	i, ok := x.deletion(a)
	if !ok {
		return Deletion{}, false
	}
	return Deletion{x.deletions.at[i], string(x.deletions.request(i))}, true
}

func (x *Facts) deletion(a Account) (i int, ok bool) {
	if a < 0 || x.flags[a]&flagDeleted == 0 {
		return 0, false
	}
	return x.deletions.find(a)
}
