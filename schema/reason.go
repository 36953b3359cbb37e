package schema

import (
	"fmt"
	"iter"
	"math/bits"
)

// Reason says why a record is excluded. Values and names are stable and
// append-only: manifests outlive the program that wrote them. Their order is the
// order of precedence: the primary reason of a record is the lowest.
type Reason uint8

// The reasons, most important first.
const (
	DeletionRequested  Reason = iota // a subject has a deletion request in force
	PartyUnknown                     // a party is null, empty or not in the registry
	MomentUnknown                    // the required moment is null
	BeforeProgram                    // a moment is before the programme's start
	AfterHorizon                     // a moment is at or after the horizon
	ContractRestricted               // the contract's no-AI clause is in force at a moment
	PartyOptedOut                    // a party is opted out at a moment

	NumReasons = 7
)

var reasonNames = [NumReasons]string{
	"deletion_requested", "party_unknown", "moment_unknown", "before_program",
	"after_horizon", "contract_restricted", "opted_out",
}

// AllReasons returns the reasons in their order.
func AllReasons() []Reason {
	all := make([]Reason, NumReasons)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// String returns the reason's code in manifests.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// ParseReason is the inverse of String.
func ParseReason(s string) (Reason, error) {
	for i, name := range reasonNames {
		if s == name {
			return Reason(i), nil
		}
	}
	return 0, fmt.Errorf("unknown reason %q", s)
}

// Reasons is a set of reasons. The empty set means that the record is kept.
type Reasons uint8

// ReasonsOf returns the set of rs.
func ReasonsOf(rs ...Reason) Reasons {
	var set Reasons
	for _, r := range rs {
		set |= r.Set()
	}
	return set
}

// Set returns the set that holds r alone.
func (r Reason) Set() Reasons { return 1 << r }

// Has reports whether the set holds r.
func (s Reasons) Has(r Reason) bool { return s&r.Set() != 0 }

// Kept reports whether no reason holds.
func (s Reasons) Kept() bool { return s == 0 }

// Primary returns the first reason of a set that is not empty.
func (s Reasons) Primary() Reason { return Reason(bits.TrailingZeros8(uint8(s))) }

// All yields the reasons of the set in their order.
func (s Reasons) All() iter.Seq[Reason] {
	return func(yield func(Reason) bool) {
		for rest := s; rest != 0; rest &= rest - 1 {
			if !yield(rest.Primary()) {
				return
			}
		}
	}
}

// Strings returns the codes of the set in their order.
func (s Reasons) Strings() []string {
	out := make([]string, 0, bits.OnesCount8(uint8(s)))
	for r := range s.All() {
		out = append(out, r.String())
	}
	return out
}
