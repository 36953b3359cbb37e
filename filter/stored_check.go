package filter

import (
	"slices"

	"assent/schema"
)

// holds reports whether the columns of facts fit together: no number, start or end leads
// outside of what it is one of, and timelines are in order. All else may be any value.
func (x *Facts) holds(accounts, contracts int) bool {
	return len(x.flags) == accounts &&
		x.first.hold(accounts*schema.NumCategories, len(x.flips)) && x.timelinesHold() &&
		x.aliasesHold() && x.deletionsHold() && x.membersHold() &&
		chain(x.spanFirst, contracts, len(x.spans)/2) && len(x.spans)%2 == 0
}

// chain reports whether first says where each of n ranges begins, one behind the other,
// and where the last one ends: at end.
func chain(first []uint32, n, end int) bool {
	return len(first) == n+1 && first[0] == 0 && int(first[n]) == end && slices.IsSorted(first)
}

// timelinesHold holds each timeline to its flag: it has flips, which ascend, or none.
func (x *Facts) timelinesHold() bool {
	for a, flags := range x.flags {
		for c := range schema.NumCategories {
			k := a*schema.NumCategories + c
			flips := x.flips[x.first.at(k):x.first.at(k+1)]
			if (len(flips) > 0) != (flags&(flagTimeline<<c) != 0) {
				return false
			}
			for i := 1; i < len(flips); i++ {
				if flips[i-1] >= flips[i] {
					return false
				}
			}
		}
	}
	return true
}

// numbered reports whether every account is one of n.
func numbered(accounts []Account, n int) bool {
	for _, a := range accounts {
		if a < 0 || int(a) >= n {
			return false
		}
	}
	return true
}

func (x *Facts) aliasesHold() bool {
	if len(x.same) != len(x.told) || len(x.same) != 0 && len(x.same) != len(x.flags) || !numbered(x.same, len(x.flags)) {
		return false
	}
	for _, a := range x.same {
		if x.same[a] != a {
			return false
		}
	}
	return true
}

func (x *Facts) deletionsHold() bool {
	l := &x.deletions
	n := len(l.accounts)
	if len(l.at) != n || len(l.requestEnds) != n || !numbered(l.accounts, len(x.flags)) || !slices.IsSorted(l.requestEnds) {
		return false
	}
	for i, a := range l.accounts {
		if x.flags[a]&flagDeleted == 0 || i > 0 && l.accounts[i-1] >= a {
			return false
		}
	}
	requests := 0 // of accounts, by their flags: an alias has the flag and no request
	for a, flags := range x.flags {
		if flags&flagDeleted != 0 && x.Same(Account(a)) == Account(a) {
			requests++
		}
	}
	if requests != n {
		return false
	}
	end := uint64(0)
	if n > 0 {
		end = l.requestEnds[n-1]
	}
	return end == uint64(len(l.requests))
}

func (x *Facts) membersHold() bool {
	if !numbered(x.memberOf, len(x.flags)) || len(x.memberSpans) != 2*len(x.memberOf) {
		return false
	}
	if len(x.memberOf) > 0 {
		return chain(x.memberFirst, len(x.flags), len(x.memberOf))
	}
	for _, flags := range x.flags {
		if flags&flagMember != 0 {
			return false
		}
	}
	return len(x.memberFirst) == 0
}
