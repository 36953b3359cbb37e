package filter

import (
	"bytes"
	"encoding/binary"
	"slices"

	"assent/schema"
)

// The state of an account is all that an index knows of it and that a decision may
// depend on. Where two indexes give an account the same state before an instant, they
// decide alike on what it exchanged before that instant.

// AppendState appends the account's state before an instant to dst: in a form that is
// the same for the same state, whatever the numbers of the index are. It appends nothing
// for an account of which a decision knows as little as of one that is [Absent]. The
// instant is not before any moment that is to be decided.
func (x *Facts) AppendState(dst []byte, a Account, before schema.Instant) []byte {
	if a < 0 {
		return dst
	}
	a = x.Same(a)
	const (
		registered = 'r'
		deleted    = 'd'
		timeline   = 't' // and the category
		member     = 'm'
	)
	if x.registry && x.flags[a]&flagRegistered != 0 {
		dst = append(dst, registered)
	}
	if d, ok := x.Deletion(a); ok {
		dst = binary.BigEndian.AppendUint64(append(dst, deleted), uint64(d.RequestedAt))
		dst = append(binary.AppendUvarint(dst, uint64(len(d.Request))), d.Request...)
	}
	for c := range schema.Category(schema.NumCategories) {
		dst = x.appendFlips(dst, []byte{timeline, byte(c)}, a, c, before)
	}
	if x.flags[a]&flagMember == 0 {
		return dst
	}
	var parts [][]byte // sorted, as organisations have other numbers in another index
	for i := x.memberFirst[a]; i < x.memberFirst[a+1]; i++ {
		part := appendSpan([]byte{member}, x.memberSpans.at(i), before)
		if len(part) == 1 {
			continue
		}
		for c := range schema.Category(schema.NumCategories) {
			part = x.appendFlips(part, []byte{timeline, byte(c)}, x.memberOf[i], c, before)
		}
		parts = append(parts, part)
	}
	slices.SortFunc(parts, bytes.Compare)
	for _, p := range slices.CompactFunc(parts, bytes.Equal) {
		dst = append(binary.AppendUvarint(dst, uint64(len(p))), p...)
	}
	return dst
}

// appendFlips appends a head and the flips of a timeline before an instant, if there are any.
func (x *Facts) appendFlips(dst, head []byte, a Account, c schema.Category, before schema.Instant) []byte {
	if x.flags[a]&(flagTimeline<<c) == 0 {
		return dst
	}
	flips := x.timeline(a, c)
	flips = flips[:flipsUntil(flips, before-1)]
	if len(flips) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(append(dst, head...), uint64(len(flips)))
	for _, f := range flips {
		dst = binary.BigEndian.AppendUint64(dst, uint64(f))
	}
	return dst
}

// appendSpan appends a span that begins before an instant. When it ends after it makes no difference.
func appendSpan(dst []byte, s schema.Span, before schema.Instant) []byte {
	if s.From >= before {
		return dst
	}
	if s.Until >= before {
		s.Until = schema.Forever
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.From))
	return binary.BigEndian.AppendUint64(dst, uint64(s.Until))
}

// AppendRestrictions is AppendState of a contract. It appends nothing where no
// restriction begins before the instant.
func (x *Facts) AppendRestrictions(dst []byte, c Contract, before schema.Instant) []byte {
	for i := x.spanFirst[c]; i < x.spanFirst[c+1]; i++ {
		dst = appendSpan(dst, x.spans.at(i), before)
	}
	return dst
}

// Change says of whose state two indexes do not say the same.
type Change struct {
	Ref Ref
	// From is an instant before which the states are the same; [schema.Unknown] where they differ at all times.
	From schema.Instant
}

// Changed returns the accounts and contracts of whose state before an instant two indexes do not say the same.
func Changed(x, y *Stored, before schema.Instant) (accounts, contracts []Change) {
	var a, b []byte
	start := min(x.policy.Start, y.policy.Start)
	compare := func(all *[]Change, r *Ref, i, j int, state func(dst []byte, of *Stored, i int, before schema.Instant) []byte) {
		differ := func(before schema.Instant) bool {
			a, b = state(a[:0], x, i, before), state(b[:0], y, j, before)
			return !bytes.Equal(a, b)
		}
		if differ(before) {
			*all = append(*all, Change{*r, sameUntil(start, before, differ)})
		}
	}
	plain := func(f accountFlags) bool { return f&^(flagRegistered|flagHistory) == 0 }
	eachRef(x.accounts.refs, y.accounts.refs, func(r *Ref, i, j int) {
		if i >= 0 && j >= 0 && x.same == nil && y.same == nil && x.flags[i]&^flagHistory == y.flags[j]&^flagHistory && plain(x.flags[i]) {
			return // the common account
		}
		compare(&accounts, r, i, j, func(dst []byte, of *Stored, i int, before schema.Instant) []byte {
			return of.AppendState(dst, Account(i), before)
		})
	})
	eachRef(x.contracts.refs, y.contracts.refs, func(r *Ref, i, j int) {
		compare(&contracts, r, i, j, func(dst []byte, of *Stored, i int, before schema.Instant) []byte {
			if i < 0 {
				return dst
			}
			return of.AppendRestrictions(dst, Contract(i), before)
		})
	})
	return accounts, contracts
}

// sameUntil returns an instant before which two states do not differ, of which they do before another one. It need not be the last such
// instant. States that differ before an instant differ before any later one: what an account was before the former follows from
// what it was before the latter.
func sameUntil(start, before schema.Instant, differ func(before schema.Instant) bool) schema.Instant {
	const steps = 12 // to some hours of a year
	if start >= before || differ(start) {
		return schema.Unknown
	}
	same := start
	for range steps {
		middle := same + (before-same)/2
		if middle <= same {
			break
		}
		if differ(middle) {
			before = middle
		} else {
			same = middle
		}
	}
	return same
}

// eachRef calls do for each reference of two sorted lists with its places there, -1 where it is not in one.
func eachRef(x, y []Ref, do func(r *Ref, i, j int)) {
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		order := -1
		switch {
		case i == len(x):
			order = 1
		case j < len(y):
			order = compareRefs(&x[i], &y[j])
		}
		switch {
		case order < 0:
			do(&x[i], i, -1)
			i++
		case order > 0:
			do(&y[j], -1, j)
			j++
		default:
			do(&x[i], i, j)
			i++
			j++
		}
	}
}

// WithKey returns the accounts whose references begin with a key, [lo,hi): one, as a rule, or none.
func (s *Stored) WithKey(key uint64) (lo, hi Account) {
	a, b := s.accounts.withKey(key)
	return Account(a), Account(b)
}

// ContractsWithKey is WithKey of contracts.
func (s *Stored) ContractsWithKey(key uint64) (lo, hi Contract) {
	a, b := s.contracts.withKey(key)
	return Contract(a), Contract(b)
}

// Key returns the first eight bytes of a reference, as a number that orders as references do.
func (r *Ref) Key() uint64 { return binary.BigEndian.Uint64(r[:]) }

func (t *refTable) withKey(key uint64) (lo, hi uint32) {
	bucket := key >> 32 >> t.shift
	lo, end := t.start[bucket], t.start[bucket+1]
	for lo < end && t.refs[lo].Key() < key {
		lo++
	}
	for hi = lo; hi < end && t.refs[hi].Key() == key; hi++ {
	}
	return lo, hi
}
