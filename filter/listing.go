package filter

import "assent/schema"

// What an index was told about, for those who count which of it the data names.
//
// An index numbers ids. Where aliases are given, several may be one account, which goes
// by the number of one of them: only that is what looking up any of the ids returns.

// Fact is a kind of fact that an index was told of an id. Facts add up to sets.
type Fact uint8

// The kinds of facts. Their order is that of the flags.
const (
	OfRegistry  = Fact(flagRegistered >> schema.NumCategories) // that it is in the registry
	OfDeletions = Fact(flagDeleted >> schema.NumCategories)    // a deletion request
	OfHistory   = Fact(flagHistory >> schema.NumCategories)    // a consent event
	OfMembers   = Fact(flagMember >> schema.NumCategories)     // that it belongs to an organisation
	OfAliases   = OfMembers << 1                               // that it is an alias, or has one
)

func factsOf(f accountFlags) Fact { return Fact(f >> schema.NumCategories) }

// Told reports whether the index was told a fact of this very id.
func (x *Facts) Told(id Account, f Fact) bool {
	if x.told == nil {
		return factsOf(x.flags[id])&f != 0
	}
	return x.told[id]&f != 0
}

// Same returns the number by which the account of an id goes; a mark as it is.
func (x *Facts) Same(id Account) Account {
	if x.same == nil || id < 0 {
		return id
	}
	return x.same[id]
}

// Registered reports whether an account is in the registry.
func (x *Facts) Registered(a Account) bool { return x.flags[a]&flagRegistered != 0 }

// HasRegistry reports whether a registry was given.
func (x *Facts) HasRegistry() bool { return x.registry }

// ContractID returns the canonical id of a contract that has a restriction. The bytes
// are the index's own.
func (x *Index) ContractID(c Contract) []byte { return x.contracts.id(uint32(c)) }
