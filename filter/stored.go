package filter

import (
	"fmt"
	"io"
	"iter"
	"math"
	"slices"

	"assent/filter/sections"
	"assent/schema"
)

// Stored is an index that was written by [Order.Write] and is used as it lies in memory,
// mapped or read, by any number of processes. It knows accounts and contracts by their
// references and holds no id. They are numbered in the order of references, so the bytes
// depend on what the index was told alone, not on the order.
type Stored struct {
	Facts
	accounts  refTable
	contracts refTable
	sum       uint64
}

// storedKind changes with the columns, or what they mean.
const storedKind sections.Kind = "assent index 2"

// The columns of a stored index. Those of accounts are beside each other in the order of
// references, those of contracts too.
const (
	columnPolicy    = iota // start, horizon, default, 1 where a registry is given
	columnRefs             // of accounts
	columnFlags            // accountFlags
	columnShift            // Facts.first.shift
	columnFirst            // Facts.first.base
	columnNear             // Facts.first.near, as the others of their names
	columnFlips            //
	columnSame             //
	columnTold             //
	columnDeleted          // deletionList, in four columns
	columnRequested        //
	columnRequestEnds
	columnRequests
	columnMemberFirst
	columnMemberSpans
	columnMemberOf
	columnContracts // references of contracts
	columnSpanFirst
	columnSpans
	numColumns
)

// Order is an index in the order in which its stored form numbers accounts and contracts.
type Order struct {
	x                     *Index
	accounts, contracts   []Ref // by the index's numbers
	byRef, contractsByRef []uint32
}

// Order sorts an index by the references of its accounts and contracts, which are given
// by its numbers. Beside the references it takes 4 bytes an account.
func (x *Index) Order(accounts, contracts []Ref) (o *Order, err error) {
	if len(accounts) != x.Accounts() || len(contracts) != x.Restricted() {
		return nil, fmt.Errorf("%d and %d references for %d accounts and %d contracts", len(accounts), len(contracts), x.Accounts(), x.Restricted())
	}
	o = &Order{x: x, accounts: accounts, contracts: contracts}
	if o.byRef, err = sortedRefs(accounts); err != nil {
		return nil, err
	}
	if o.contractsByRef, err = sortedRefs(contracts); err != nil {
		return nil, err
	}
	return o, nil
}

// Accounts yields the index's accounts.
func (o *Order) Accounts() iter.Seq[Account] { return inOrder[Account](o.byRef) }

// Contracts yields the index's contracts.
func (o *Order) Contracts() iter.Seq[Contract] { return inOrder[Contract](o.contractsByRef) }

func inOrder[T ~int32](order []uint32) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, n := range order {
			if !yield(T(n)) {
				return
			}
		}
	}
}

// Write writes the index in its stored form, once, and returns what [Stored.Sum] will be.
// It lets go of the references of accounts, and then takes 6 bytes an account, and 4 more
// where there are aliases or memberships.
func (o *Order) Write(w io.Writer) (sum uint64, err error) {
	f := sections.NewWriter(w, storedKind)
	x, order := o.x, o.byRef
	registry := int64(0)
	if x.registry {
		registry = 1
	}
	sections.Put(f, slices.Values([]int64{int64(x.policy.Start), int64(x.policy.Horizon), int64(x.policy.Default), registry}))
	sections.Put(f, gather(o.accounts, order))
	o.accounts = nil // of no use from here on
	collect(int64(len(order)) * int64(len(Ref{})))
	sections.Put(f, gather(x.flags, order))
	first := x.startsIn(order)
	sections.Put(f, slices.Values([]uint8{first.shift}))
	sections.Put(f, slices.Values(first.base))
	sections.Put(f, slices.Values(first.near))
	sections.Put(f, ranges(x.flips, func(account int) uint32 { return x.first.at(account * schema.NumCategories) }, order, 1))
	number := x.renumbered(order)
	sections.Put(f, mapped(gather(x.same, order), number))
	sections.Put(f, gather(x.told, order))
	x.writeDeletions(f, order)
	x.writeMembers(f, order, number)
	sections.Put(f, gather(o.contracts, o.contractsByRef))
	sections.Put(f, starts(x.spanFirst, o.contractsByRef))
	sections.Put(f, ranges([]schema.Instant(x.spans), func(contract int) uint32 { return x.spanFirst[contract] }, o.contractsByRef, 2))
	return f.Close()
}

// renumbered returns the new number of each account. It is nil where nothing but the
// order needs it.
func (x *Index) renumbered(order []uint32) []Account {
	if x.same == nil && x.memberOf == nil {
		return nil
	}
	number := make([]Account, len(order))
	for to, from := range order {
		number[from] = Account(to)
	}
	return number
}

func (x *Index) writeDeletions(f *sections.Writer, order []uint32) {
	var accounts []Account
	var l deletionList
	for to, from := range order {
		i, ok := x.deletion(Account(from))
		if !ok {
			continue
		}
		accounts = append(accounts, Account(to))
		l.at = append(l.at, x.deletions.at[i])
		l.requests = append(l.requests, x.deletions.request(i)...)
		l.requestEnds = append(l.requestEnds, uint64(len(l.requests)))
	}
	sections.Put(f, slices.Values(accounts))
	sections.Put(f, slices.Values(l.at))
	sections.Put(f, slices.Values(l.requestEnds))
	sections.Put(f, slices.Values(l.requests))
}

func (x *Index) writeMembers(f *sections.Writer, order []uint32, number []Account) {
	var members []member
	for to, from := range order {
		if x.memberFirst == nil {
			break
		}
		for i := x.memberFirst[from]; i < x.memberFirst[from+1]; i++ {
			members = append(members, member{Account(to), x.memberSpans.at(i), number[x.memberOf[i]]})
		}
	}
	slices.SortFunc(members, compareMembers) // organisations have new numbers
	if x.memberFirst == nil {
		order = nil
	}
	sections.Put(f, starts(x.memberFirst, order))
	sections.Put(f, func(yield func(schema.Instant) bool) {
		for _, m := range members {
			if !yield(m.span.From) || !yield(m.span.Until) {
				return
			}
		}
	})
	sections.Put(f, func(yield func(Account) bool) {
		for _, m := range members {
			if !yield(m.organisation) {
				return
			}
		}
	})
}

// gather yields a column's values in another order; none of a column that is nil.
func gather[T any](column []T, order []uint32) iter.Seq[T] {
	return func(yield func(T) bool) {
		if column == nil {
			return
		}
		for _, from := range order {
			if !yield(column[from]) {
				return
			}
		}
	}
}

func mapped(accounts iter.Seq[Account], to []Account) iter.Seq[Account] {
	return func(yield func(Account) bool) {
		for a := range accounts {
			if !yield(to[a]) {
				return
			}
		}
	}
}

// starts yields where the range of each owner begins, once the owners are in another
// order; and where the last one ends. None of a column that is nil.
func starts(first []uint32, order []uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if first == nil {
			return
		}
		at := uint32(0)
		if !yield(at) {
			return
		}
		for _, from := range order {
			if at += first[from+1] - first[from]; !yield(at) {
				return
			}
		}
	}
}

// ranges yields the ranges of owners in another order, whose ranges begin at first and end where the next one's do. Each unit of a
// range is several values.
func ranges(values []schema.Instant, first func(owner int) uint32, order []uint32, unit int) iter.Seq[schema.Instant] {
	return func(yield func(schema.Instant) bool) {
		for _, from := range order {
			lo, hi := int(first(int(from))), int(first(int(from)+1))
			for _, v := range values[lo*unit : hi*unit] {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// Open opens a stored index. It keeps data, which must not change, and takes at most a
// byte an account beside it. It reads all of data once and checks it: what it opens can be
// used without a look outside of its bounds, whatever the bytes say.
func Open(data []byte) (*Stored, error) {
	f, err := sections.Open(data, storedKind, numColumns)
	if err != nil {
		return nil, fmt.Errorf("consent index: %w", err)
	}
	s := &Stored{sum: f.Sum()}
	var policy []int64
	var shift []uint8
	var refs, contracts []Ref
	read(f, columnPolicy, &policy, &err)
	read(f, columnRefs, &refs, &err)
	read(f, columnFlags, &s.flags, &err)
	read(f, columnShift, &shift, &err)
	read(f, columnFirst, &s.first.base, &err)
	read(f, columnNear, &s.first.near, &err)
	read(f, columnFlips, &s.flips, &err)
	read(f, columnSame, &s.same, &err)
	read(f, columnTold, &s.told, &err)
	read(f, columnDeleted, &s.deletions.accounts, &err)
	read(f, columnRequested, &s.deletions.at, &err)
	read(f, columnRequestEnds, &s.deletions.requestEnds, &err)
	read(f, columnRequests, &s.deletions.requests, &err)
	read(f, columnMemberFirst, &s.memberFirst, &err)
	read(f, columnMemberSpans, (*[]schema.Instant)(&s.memberSpans), &err)
	read(f, columnMemberOf, &s.memberOf, &err)
	read(f, columnContracts, &contracts, &err)
	read(f, columnSpanFirst, &s.spanFirst, &err)
	read(f, columnSpans, (*[]schema.Instant)(&s.spans), &err)
	var ok [2]bool
	if len(shift) == 1 {
		s.first.shift = shift[0] // which holds looks at
	}
	if err == nil && len(refs) <= math.MaxInt32 && len(contracts) <= math.MaxInt32 {
		s.accounts, ok[0] = newRefTable(refs)
		s.contracts, ok[1] = newRefTable(contracts)
	}
	if len(shift) != 1 || !ok[0] || !ok[1] || !s.setPolicy(policy) || !s.holds(len(refs), len(contracts)) {
		return nil, fmt.Errorf("consent index: %w: its columns do not belong together", sections.ErrDamaged)
	}
	s.countHistory()
	return s, nil
}

func read[T sections.Value](f *sections.File, section int, to *[]T, err *error) {
	if *err == nil {
		*to, *err = sections.Column[T](f, section)
	}
}

func (s *Stored) setPolicy(p []int64) bool {
	if len(p) != 4 || p[2] != int64(schema.OptedIn) && p[2] != int64(schema.OptedOut) || p[3]>>1 != 0 {
		return false
	}
	s.policy = Policy{schema.Instant(p[0]), schema.Instant(p[1]), schema.State(p[2])}
	s.registry = p[3] == 1
	return true
}

// Sum is a hash of the whole index, which says whether two are the same.
func (s *Stored) Sum() uint64 { return s.sum }

// Account returns the account with a reference. The zero Ref is Null.
func (s *Stored) Account(r Ref) Account { return s.AppendAccounts(nil, []Ref{r})[0] }

// AppendAccounts appends the accounts of many references to dst, several times faster
// than one by one.
func (s *Stored) AppendAccounts(dst []Account, refs []Ref) []Account {
	known := len(dst)
	dst = s.accounts.appendFound(dst, refs)
	if s.same != nil {
		for i, a := range dst[known:] {
			dst[known+i] = s.Same(a)
		}
	}
	return dst
}

// Contract returns the contract with a reference.
func (s *Stored) Contract(r Ref) Contract { return Contract(s.contracts.find(&r)) }

// Ref returns the reference of a numbered account.
func (s *Stored) Ref(a Account) Ref { return s.accounts.refs[a] }
