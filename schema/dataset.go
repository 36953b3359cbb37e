package schema

import (
	"fmt"
	"slices"
)

// Dataset says how the records of one data set map onto the programme's terms.
// Columns are named by their dotted path in the Parquet schema.
type Dataset struct {
	Name     string
	Category Category
	Record   string   // column of the record's id
	Parties  []Role   // accounts whose consent a record needs, in the order configured
	Subjects []Role   // further accounts that a record names
	Author   string   // the role whose own content a record is; may be empty
	Moments  []Moment // the first is required, the others may be null
	Contract string   // column of the contract's id; may be empty
	// Scope says of which accounts a record is in the scope: the training set of an account's exclusive models.
	Scope ScopeOf `json:",omitempty"`
	// AssumeUTC takes timestamps without a zone (isAdjustedToUTC=false) for UTC.
	AssumeUTC bool
	Deleted   *Match // the rows that the source marks as deleted; nil: none
	Private   *Match // the records that are private; nil: none
	// Handover is what is handed over of a kept record.
	Handover Handover `json:",omitzero"`
}

// ScopeOf says in whose scopes a record is. The zero value is that of all its parties.
type ScopeOf string

// In whose scopes a record is, as configurations name it.
const (
	ScopeParty  ScopeOf = "party"
	ScopeAuthor ScopeOf = "author"
)

// ParseScopeOf reads in whose scopes a record is. The result of "party" is the zero value, which means the same.
func ParseScopeOf(s string) (ScopeOf, error) {
	switch ScopeOf(s) {
	case ScopeParty:
		return "", nil
	case ScopeAuthor:
		return ScopeAuthor, nil
	}
	return "", fmt.Errorf("unknown scope %q (party or author)", s)
}

// Role is the part that an account plays in a record, and the column that names it. In
// a file that lacks the column of an optional role, the role is null.
type Role struct {
	Name, Column string
	Optional     bool
}

// Moment is an instant of a record, by name, and the column that holds it. In a file
// that lacks the column of an optional moment, the moment is null.
type Moment struct {
	Name, Column string
	Optional     bool
	Unit         Unit // of a column of plain integers
}

// Match says which rows of an input are meant: those whose column has one of the
// values. Integers are compared in decimal, booleans as "true" and "false". A null is
// none of them.
type Match struct {
	Column string
	Values []string
}

// Roles returns the parties, then the other subjects.
func (d *Dataset) Roles() []Role { return slices.Concat(d.Parties, d.Subjects) }

// RoleNames returns the data set's roles, parties first.
func (d *Dataset) RoleNames() []string {
	var names []string
	for _, r := range d.Roles() {
		names = append(names, r.Name)
	}
	return names
}
