package filter

// What an index was told about, for those who count which of it the data names.

// Deleted reports whether an account has a deletion request.
func (x *Index) Deleted(a Account) bool { return x.flags[a]&flagDeleted != 0 }

// Registered reports whether an account is in the registry.
func (x *Index) Registered(a Account) bool { return x.flags[a]&flagRegistered != 0 }

// HasRegistry reports whether a registry was given.
func (x *Index) HasRegistry() bool { return x.registry }

// ContractID returns the canonical id of a contract that has a restriction. The bytes
// are the index's own.
func (x *Index) ContractID(c Contract) []byte { return x.contracts.id(uint32(c)) }
