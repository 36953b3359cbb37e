package manifests

import "math"

// Account numbers an account while one input file is worked on; see Accounts.
type Account uint32

// NoAccount stands for an account that is null or empty. It has no reference.
const NoAccount Account = math.MaxUint32

// Accounts numbers the accounts of one input file in order of appearance, and knows
// their references: each is hashed once, then found again by its id. The writers of
// one file share one Accounts, and many files can use it one after the other.
//
// Numbers are valid until Reset, or until Trim returns true. Not safe for concurrent
// use.
type Accounts struct{}

// NewAccounts returns an empty table that makes its references by r.
func NewAccounts(r *Referrer) *Accounts { return nil }

// Account returns the number of the account with this canonical id, NoAccount for an
// empty id. It copies id where it keeps it.
func (a *Accounts) Account(id []byte) Account { return 0 }

// AppendAccounts appends the numbers of many ids to dst, faster than one by one: id
// i ends at data[ends[i]] and begins where the one before it ends.
func (a *Accounts) AppendAccounts(dst []Account, data []byte, ends []uint32) []Account { return nil }

// Ref returns the reference of an account, the zero Ref for NoAccount.
func (a *Accounts) Ref(account Account) Ref { return Ref{} }

// Len returns how many accounts the table holds.
func (a *Accounts) Len() int { return 0 }

// Trim bounds the table's memory: where it has grown past a fixed number of accounts
// it forgets them all and returns true, and all numbers given out before are void.
// Call it wherever no number is in flight, at least once every 64 k rows, and at the
// same rows in every run over the file: manifests depend on it.
func (a *Accounts) Trim() bool { return false }

// Reset empties the table for the next input file.
func (a *Accounts) Reset() {}
