// Package scope is the verb scope: it exports, for one account or many, what models that
// are for this account alone may be trained on.
//
//   - scope: of an account, the kept records of a run to which it is a party, or which it
//     authored, in the categories that are exclusive to the accounts concerned. Platform
//     data, which may serve everyone, is added where that is asked for.
//   - left out: an account, or an account in a category, that no scope is made of.
//   - part: a Parquet file of a scope. It has the columns of the published data, in Arrow's
//     types (see package pick).
//   - registry: an entry below the run's output for each export, so that `assent erase` can
//     say what was exported from a run that it removes.
//
// What is where:
//
//	<to>/
//	  _SUCCESS                    digest of the manifest; there once all else is
//	  _manifest/scope.json        accounts, files with digests, counts, permitted use
//	  _manifest/scope.intoto.jsonl  where a signing key is configured: a signed statement over the manifest and all parts
//	  account=<reference>/<data set>/part-000.parquet
//	  account=<reference>/_manifest/croissant.json
//
// Where it comes from:
//
//	subject index → kept rows that name the account under a role
//	→ their place is their row less the excluded rows before it → those rows of the data file
package scope

import "time"

// Names of the objects of an export.
const (
	manifestObject = "_manifest/scope.json"
	successObject  = "_SUCCESS"

	signatureObject = "_manifest/scope.intoto.jsonl"
)

// Manifest is the content of scope.json.
type Manifest struct {
	SchemaVersion  int       `json:"schema_version"`
	Program        string    `json:"program"`
	RunID          string    `json:"run_id"`
	ManifestSHA256 string    `json:"manifest_sha256"` // of the run's
	AsOf           time.Time `json:"consent_as_of"`
	MadeAt         time.Time `json:"made_at"`
	Tool           string    `json:"tool"`
	Marketplace    bool      `json:"with_marketplace"`
	AtHorizon      string    `json:"at_horizon"` // "in": accounts that are out there are left out; "any"
	Accounts       []Account `json:"accounts"`
	LeftOut        []LeftOut `json:"left_out"`
}

// Account is the scope of an account.
type Account struct {
	Line       int                `json:"line,omitempty"` // of the list, from 1
	Account    string             `json:"account"`        // its reference
	Dir        string             `json:"dir"`
	Audience   string             `json:"audience"` // account:<reference>
	ThirdParty bool               `json:"third_party_training"`
	Rows       int64              `json:"rows"`
	Datasets   map[string]Dataset `json:"datasets"`
	Croissant  File               `json:"croissant"` // what is in the scope and what it may train, for programs
}

// Dataset is what a scope has of a data set.
type Dataset struct {
	Category string `json:"category"`
	Records  string `json:"records"` // of which the account is "party" or "author"
	Rows     int64  `json:"rows"`
	Files    []File `json:"files"`
}

// File is a part, or a document without rows.
type File struct {
	Path   string `json:"path"` // below the export
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// LeftOut says of which account, or in which category, there is no scope.
type LeftOut struct {
	Line     int    `json:"line,omitempty"` // of the list, from 1
	Account  string `json:"account"`        // its reference
	Category string `json:"category,omitempty"`
	Reason   string `json:"reason"` // deletion_requested, or opted_out at the horizon
}
