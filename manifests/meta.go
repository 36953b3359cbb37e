package manifests

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"assent/job/parquet"
	"assent/job/parquet/table"
	"assent/schema"
)

// Meta says of which input file a manifest speaks.
type Meta struct {
	Dataset string
	Source  string   // path of the input file below the data set's root
	Roles   []string // the data set's roles, parties first; at most MaxRoles
}

// MaxRoles is how many roles a data set may have.
const MaxRoles = 15

// Keys of the metadata of manifests' files, and the values of keySchema.
const (
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
func (m *Meta) keyValues(schema string) []parquet.KeyValue {
	roles := strings.Join(m.Roles, ",")
	return []parquet.KeyValue{
		{Key: keyDataset, Value: &m.Dataset},
		{Key: keySource, Value: &m.Source},
		{Key: keyRoles, Value: &roles},
		{Key: keySchema, Value: &schema},
	}
}

// metaOf returns what a file says that it speaks of.
func metaOf(f *table.File) Meta {
	value := func(key string) string {
		v, _ := f.KeyValue(key)
		return v
	}
	m := Meta{Dataset: value(keyDataset), Source: value(keySource)}
	if roles := value(keyRoles); roles != "" {
		m.Roles = strings.Split(roles, ",")
	}
	return m
}

// createdBy follows the pattern that readers parse: name, version, build.
const createdBy = "assent version 1.0.0 (build manifests)"

// ErrManifest is wrapped by errors that come of a manifest's bytes: it is damaged, or
// not of this program.
var ErrManifest = errors.New("damaged or foreign manifest")

// openTable opens a manifest of a schema, whose name and version is version.
func openTable(r io.ReaderAt, size int64, name string, schema *table.Schema, version string) (*table.File, error) {
	f, err := table.Open(r, size, name, schema)
	if err != nil {
		return nil, damaged(err)
	}
	if got, _ := f.KeyValue(keySchema); got != version {
		return nil, fmt.Errorf("%s: %w: %s is %q, want %q", name, ErrManifest, keySchema, got, version)
	}
	return f, nil
}

// damaged makes errors of a Parquet file's bytes those of a manifest's. Those of its
// reader stay as they are.
func damaged(err error) error {
	if errors.Is(err, parquet.ErrCorrupt) || errors.Is(err, parquet.ErrUnsupported) {
		return fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return err
}
