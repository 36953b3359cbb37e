package manifests

import (
	"fmt"
	"strings"

	"github.com/parquet-go/parquet-go/format"

	"assent/schema"
)

// Meta says of which input file a manifest speaks.
type Meta struct {
	RunID   string
	Dataset string
	Source  string   // path of the input file below the data set's root
	Roles   []string // the data set's roles, parties first; at most MaxRoles
}

// MaxRoles is how many roles a data set may have.
const MaxRoles = 15

// Keys of the metadata of manifests' files, and the values of keySchema.
const (
	keyRunID   = "assent.run_id"
	keyDataset = "assent.dataset"
	keySource  = "assent.source"
	keySchema  = "assent.schema"
	keyRoles   = "assent.roles"

	exclusionsSchema = "exclusions/1"
	subjectsSchema   = "subjects/1"
)

// Written says what a manifest's writer wrote.
type Written struct {
	Rows  int64 // exclusions, or distinct pairs of account and record
	Bytes int64
}

// Cause says why a subject is a reason for a record's exclusion.
type Cause uint8

// The causes. The zero value says that the subject is none.
const (
	NoCause Cause = iota
	CauseOptedOut
	CauseDeletionRequested
	CausePartyUnknown
)

// causeReasons are the reasons that the causes after NoCause bring about: each of
// schema.AccountReasons, in the order of the file's dictionary.
var causeReasons = [...]schema.Reason{schema.PartyOptedOut, schema.DeletionRequested, schema.PartyUnknown}

// CauseOf returns the cause that brings about the one reason of a set. It is NoCause for
// the empty set, and for a reason that no account is the cause of.
func CauseOf(reason schema.Reasons) Cause {
	for i, r := range causeReasons {
		if reason == r.Set() {
			return Cause(i + 1)
		}
	}
	return NoCause
}

// reason returns the reason that a cause other than NoCause brings about.
func (c Cause) reason() schema.Reason { return causeReasons[c-1] }

// String returns the cause's code in manifests, "" for NoCause.
func (c Cause) String() string {
	switch {
	case c == NoCause:
		return ""
	case int(c) <= len(causeReasons):
		return c.reason().String()
	}
	return fmt.Sprintf("cause(%d)", uint8(c))
}

// check refuses what a manifest's file cannot hold.
func (m *Meta) check() error {
	if len(m.Roles) > MaxRoles {
		return fmt.Errorf("data set %s: %d roles, at most %d can be", m.Dataset, len(m.Roles), MaxRoles)
	}
	for _, role := range m.Roles {
		if role == "" || strings.Contains(role, ",") {
			return fmt.Errorf("data set %s: %q cannot be the name of a role", m.Dataset, role)
		}
	}
	return nil
}

// keyValues returns the metadata of a file that speaks of m.
func (m *Meta) keyValues(schema string) []format.KeyValue {
	return []format.KeyValue{
		{Key: keyRunID, Value: m.RunID},
		{Key: keyDataset, Value: m.Dataset},
		{Key: keySource, Value: m.Source},
		{Key: keyRoles, Value: strings.Join(m.Roles, ",")},
		{Key: keySchema, Value: schema},
	}
}
