package schema

import (
	"fmt"
	"iter"
	"math/bits"
)

// Reason says why a record is excluded. Values and codes are stable and
// append-only: manifests outlive the program that wrote them. Their order is the
// order of precedence: the primary reason of a record is the lowest.
//
// A new reason is a constant at the end of the list and a row at the end of the
// table below it. The compiler and the tests then name every place that must follow.
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
	PrivateRecord                    // the source says that the record is private
	SourceDeleted                    // the source marks the row as deleted

	NumReasons = iota
)

// FirstReasons is how many reasons the first version of the documents had. Documents
// list these with a count of zero, too. A later reason is listed only where it occurs:
// so a run without it has the same bytes as before the reason was added.
const FirstReasons = 7

// origin says where a reason comes from. The zero value is none.
type origin uint8

const (
	// fromAccounts: what accounts did or are. Manifests name them as the cause, and an
	// account is told of the reason only if it is a cause itself.
	fromAccounts origin = iota + 1
	// fromRecord: a fact of the record, such as its time. Every account that the record
	// names may know it.
	fromRecord
	// fromSource: a fact of the record that a column of the source states.
	fromSource
)

// reasonRow is all that the program says of a reason. How a reason is decided stands
// in package filter.
type reasonRow struct {
	code   string // in manifests
	origin origin
	timed  bool // it holds at a moment of the record, and the exclusion manifest says at which

	label    string // for tables and legends: a word or two
	sentence string // for the report: why a record was left out, with no account named
	// accounts are the report's sentences where one, two or more accounts are the
	// cause; %s stands for their list. Only for reasons that come from accounts.
	accounts [3]string
	// toAccount is said to the account that asked for its copy. It must not tell of
	// anybody else (rule 6 of the programme).
	toAccount string
}

// reasonRows is as long as the list of reasons, or the compiler refuses it.
var reasonRows [NumReasons]reasonRow = [...]reasonRow{
	DeletionRequested: {
		code: "deletion_requested", origin: fromAccounts,
		label: "Deletion requested", sentence: "An account has asked for deletion",
		accounts:  [3]string{"Deletion was asked for by %s", "Deletion was asked for by %s", "Deletion was asked for by %s"},
		toAccount: "You asked for your data to be deleted.",
	},
	PartyUnknown: {
		code: "party_unknown", origin: fromAccounts,
		label: "Party unknown", sentence: "A party is missing or not known",
		accounts:  [3]string{"%s is missing or not known", "%s are missing or not known", "%s are missing or not known"},
		toAccount: "Your account was not in the register of accounts.",
	},
	MomentUnknown: {
		code: "moment_unknown", origin: fromRecord,
		label: "Time unknown", sentence: "Its time is not known",
		toAccount: "The time of the record is not known.",
	},
	BeforeProgram: {
		code: "before_program", origin: fromRecord, timed: true,
		label: "Before the programme", sentence: "From before the programme began",
		toAccount: "It is from before the programme began, in whole or in part.",
	},
	AfterHorizon: {
		code: "after_horizon", origin: fromRecord, timed: true,
		label: "After the horizon", sentence: "From after the consent horizon",
		toAccount: "It is newer than the records that were looked at.",
	},
	ContractRestricted: {
		code: "contract_restricted", origin: fromRecord, timed: true,
		label: "Contract forbids it", sentence: "The contract forbids AI training",
		toAccount: "The contract rules out the use for AI training.",
	},
	PartyOptedOut: {
		code: "opted_out", origin: fromAccounts, timed: true,
		label: "Opted out", sentence: "A party had opted out",
		accounts:  [3]string{"%s had opted out", "%s had both opted out", "%s had all opted out"},
		toAccount: "You had opted out of this category at the time.",
	},
	PrivateRecord: {
		code: "private_record", origin: fromSource,
		label: "Private", sentence: "The record is private",
		toAccount: "It is private.",
	},
	SourceDeleted: {
		code: "source_deleted", origin: fromSource,
		label: "Deleted at its source", sentence: "The record had been deleted where it comes from",
		toAccount: "It had been deleted before the records were looked at.",
	},
}

// Label returns the reason in a word or two, for tables and legends.
func (r Reason) Label() string { return reasonRows[r].label }

// Sentence says why a record was left out, with no account named.
func (r Reason) Sentence() string { return reasonRows[r].sentence }

// SentenceOf says why a record was left out where n accounts, at least one, are the
// cause. who lists them, such as "the freelancer and the client".
func (r Reason) SentenceOf(who string, n int) string {
	return fmt.Sprintf(reasonRows[r].accounts[min(n, 3)-1], who)
}

// ToAccount says the reason to the account that asked for its copy.
func (r Reason) ToAccount() string { return reasonRows[r].toAccount }

// Timed reports whether the reason holds at a moment of the record. If not, it holds
// of the record as a whole.
func (r Reason) Timed() bool { return reasonRows[r].timed }

// Listed reports whether documents list the reason where its count is n.
func (r Reason) Listed(n int64) bool { return r < FirstReasons || n > 0 }

// Sets of reasons by where they come from.
var (
	accountReasons = reasonsFrom(fromAccounts)
	sourceReasons  = reasonsFrom(fromSource)
)

func reasonsFrom(o origin) (set Reasons) {
	for r := range reasonRows {
		if reasonRows[r].origin == o {
			set |= Reason(r).Set()
		}
	}
	return set
}

// AccountReasons returns the reasons that accounts are the cause of. All others are
// facts of the record.
func AccountReasons() Reasons { return accountReasons }

// SourceReasons returns the reasons that a column of the source states.
func SourceReasons() Reasons { return sourceReasons }

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
	if int(r) < len(reasonRows) {
		return reasonRows[r].code
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// ParseReason is the inverse of String.
func ParseReason(s string) (Reason, error) {
	for i := range reasonRows {
		if s == reasonRows[i].code {
			return Reason(i), nil
		}
	}
	return 0, fmt.Errorf("unknown reason %q", s)
}

// Reasons is a set of reasons. The empty set means that the record is kept.
type Reasons uint16

const _ = Reasons(1) << (NumReasons - 1) // does not compile where the set is too narrow

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
func (s Reasons) Primary() Reason { return Reason(bits.TrailingZeros16(uint16(s))) }

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
	out := make([]string, 0, bits.OnesCount16(uint16(s)))
	for r := range s.All() {
		out = append(out, r.String())
	}
	return out
}
