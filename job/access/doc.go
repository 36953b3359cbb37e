// Package access writes the copy of what a run holds about an account, as the account
// gets it: a directory of tables, a page for people and a receipt. It does so for one
// account, or for many in one pass over the data.
//
//   - asker, you: an account that asked. All others are a label: "client 2",
//     "freelancer 1", "other 3".
//   - used, not used: on which side of the run a record is that names you.
//   - content: a record as a whole. It is given for records that you authored. Of
//     others, where you are the other party, only that, when and in which data set.
//   - place: where a row of an input file is now: a row of the published data file.
//
// Where it comes from:
//
//	subject index → rows that name the account, kept or not, of each input file
//	  kept     → their place is their row less the excluded rows before it (exclusion
//	             manifest) → those rows of the published data file
//	  excluded → their entry in the exclusion manifest; the input may be gone
//	consent inputs → the account's own timeline
//
// What must hold is rule 6 of the programme (see Reason): the copy says nothing about
// the other side's switch, deletion or status.
package access

import (
	"time"

	"assent/schema"
)

// Reason is why a record is not used, as far as the account may know it.
type Reason string

// BothSides stands for everything that is not the account's own doing nor the
// record's own nature.
const BothSides Reason = "no_consent_of_both_sides"

// OptedOutAround is said instead of opted_out where organisations are given: which of the
// account and its organisation was out, the run does not say, and the organisation's
// switch is not the account's to know.
const OptedOutAround Reason = "opted_out_self_or_organisation"

// ReasonOf returns the reason to give. all are the reasons of the decision; own are
// those of which the account itself is a cause.
//
// What no account is the cause of, such as times and clauses, is a fact of the record,
// and what the account did is its own to know. If any of those is enough to exclude the record, the other side is not
// mentioned, whatever it did: else "both were out" and "you were out" would read
// differently, and tell. Only if none is, it is the consent of both sides.
func ReasonOf(all, own schema.Reasons) Reason {
	byAccounts := schema.AccountReasons()
	if seen := all&^byAccounts | own&byAccounts; !seen.Kept() {
		return Reason(seen.Primary().String())
	}
	return BothSides
}

// Because says a reason in a sentence to the account.
func (r Reason) Because() string {
	switch r {
	case BothSides:
		return "The consent of both sides was not in place."
	case OptedOutAround:
		return "You, or an organisation that you belonged to, had opted out of this category at the time."
	}
	reason, err := schema.ParseReason(string(r))
	if err != nil {
		return ""
	}
	return reason.ToAccount()
}

// Reasons lists all reasons, in the order in which they take precedence.
func Reasons() []Reason {
	var all []Reason
	for _, r := range schema.AllReasons() {
		all = append(all, Reason(r.String()))
		if r == schema.PartyOptedOut {
			all = append(all, OptedOutAround)
		}
	}
	return append(all, BothSides)
}

// Used is a record that is used.
type Used struct {
	Record  string
	Dataset string
	Time    schema.Instant // Unknown where null
	Content bool           // its content is in the copy
}

// NotUsed is a record that is not used.
type NotUsed struct {
	Record  string
	Dataset string
	Time    schema.Instant // Unknown where it is not known or not to be told
	Reason  Reason
}

// Stretch is a span over which a switch of the account stood still.
type Stretch struct {
	From  *time.Time `json:"from"` // null: from the start
	Until time.Time  `json:"until"`
	State string     `json:"state"`
}

// Choice is the account's consent for a category over time.
type Choice struct {
	Category string    `json:"category"`
	Timeline []Stretch `json:"timeline"`
}

// Choices is the content of consent.json.
type Choices struct {
	Program          string       `json:"program"`
	AsOf             time.Time    `json:"consent_as_of"`
	Categories       []Choice     `json:"categories"`
	DeletionRequests []*time.Time `json:"deletion_requests"` // null where the request has no time
}

// Receipt is the content of receipt.json. Of all files it is the only one that
// depends on the clock or names the run.
type Receipt struct {
	Program         string                   `json:"program"`
	RunID           string                   `json:"run_id"`
	ManifestSHA256  string                   `json:"manifest_sha256"`
	AsOf            time.Time                `json:"consent_as_of"`
	Subject         string                   `json:"subject_ref"` // keyed hash of the account's id, as in manifests
	Request         string                   `json:"request_id,omitempty"`
	RequestedAt     *time.Time               `json:"requested_at,omitempty"`
	MadeAt          time.Time                `json:"made_at"`
	Tool            string                   `json:"tool"`
	Format          Format                   `json:"format"`
	RawCSV          bool                     `json:"raw_csv,omitempty"`
	IncludeReceived bool                     `json:"include_received"`
	Datasets        map[string]DatasetCounts `json:"datasets"`
	Files           []FileInfo               `json:"files"` // all but the receipt itself
	// Archive has all of these and a receipt of them; nil where they lie as they are. It is
	// in the receipt beside the archive alone.
	Archive *FileInfo `json:"archive,omitempty"`
}

// Receipts is the content of receipts.json, of many copies at once.
type Receipts struct {
	Program        string       `json:"program"`
	RunID          string       `json:"run_id"`
	ManifestSHA256 string       `json:"manifest_sha256"`
	MadeAt         time.Time    `json:"made_at"`
	Tool           string       `json:"tool"`
	Copies         []ReceiptRef `json:"copies"` // in the order of the list
}

// ReceiptRef is where a copy of many is.
type ReceiptRef struct {
	Line    int    `json:"line"` // of the list, from 1
	Request string `json:"request_id,omitempty"`
	Subject string `json:"subject_ref"`
	Dir     string `json:"dir"`
	Found   bool   `json:"found"` // a record names the account
	Receipt string `json:"receipt_sha256"`
}

// DatasetCounts are the records of a data set that name the account.
type DatasetCounts struct {
	Used    int64 `json:"used"`
	Content int64 `json:"content"` // of the used ones, those whose content is in the copy
	NotUsed int64 `json:"not_used"`
}
