package schema

import (
	"fmt"
	"strings"
)

// Category is the kind of data that a consent switch governs.
//
// A new category is a constant at the end of the list and a row at the end of the
// table below it. The compiler and the tests then name every place that must follow.
type Category uint8

// The programme's categories. Their order is part of the consent index's layout.
const (
	Communications Category = iota // messages
	WorkProduct                    // deliverables: documents, designs, code, files
	Platform                       // job posts, proposals, searches, interactions

	NumCategories = iota
)

// audience says for whom models trained on a category may be.
type audience struct {
	code     string // in run.json
	sentence string
}

var (
	exclusive   = audience{"exclusive", "Models trained on it are for the exclusive use of the accounts concerned."}
	marketplace = audience{"marketplace", "Models trained on it may improve the marketplace for everyone."}
)

// categoryRow is all that the program says of a category.
type categoryRow struct {
	code      string // in configurations and manifests
	title     string // for people
	toAccount string // what the category is and when it is used, for the account itself
	audience  audience
	// parties is how many party roles a data set needs at least: 2 where both sides of
	// a contract have to be opted in.
	parties int
	// canonical is what a data set of the category is called, and its columns, unless
	// the configuration says otherwise.
	canonical Dataset
}

// categoryRows is as long as the list of categories, or the compiler refuses it.
var categoryRows [NumCategories]categoryRow = [...]categoryRow{
	Communications: {
		code: "communications", title: "Communications",
		toAccount: "Messages. They are used only if both sides of the contract are opted in.",
		audience:  exclusive, parties: 2,
		canonical: Dataset{
			Name: "messages", Record: "message_id", Author: "sender", Contract: "contract_id",
			Parties:  []Role{{Name: "freelancer", Column: "freelancer_id"}, {Name: "client", Column: "client_id"}},
			Subjects: []Role{{Name: "sender", Column: "sender_id"}},
			Moments:  []Moment{{Name: "sent", Column: "sent_at"}, {Name: "edited", Column: "edited_at"}},
		},
	},
	WorkProduct: {
		code: "work_product", title: "Work product",
		toAccount: "Deliverables: documents, designs, code, files. They are used only if both sides of the contract are opted in.",
		audience:  exclusive, parties: 2,
		canonical: Dataset{
			Name: "deliverables", Record: "deliverable_id", Author: "freelancer", Contract: "contract_id",
			Parties: []Role{{Name: "freelancer", Column: "freelancer_id"}, {Name: "client", Column: "client_id"}},
			Moments: []Moment{{Name: "created", Column: "created_at"}, {Name: "submitted", Column: "submitted_at"}},
		},
	},
	Platform: {
		code: "platform", title: "Other platform data",
		toAccount: "Job posts, proposals, searches, interactions. They follow the choice of the account that acted, so what another account did may be used though it names you.",
		audience:  marketplace, parties: 1,
		canonical: Dataset{
			Name: "events", Record: "event_id", Author: "actor",
			Parties:  []Role{{Name: "actor", Column: "account_id"}},
			Subjects: []Role{{Name: "target", Column: "target_account_id"}},
			Moments:  []Moment{{Name: "occurred", Column: "occurred_at"}},
		},
	},
}

// Categories returns all categories in their order.
func Categories() []Category {
	all := make([]Category, NumCategories)
	for i := range all {
		all[i] = Category(i)
	}
	return all
}

// CategoryCodes returns the codes of all categories in their order.
func CategoryCodes() []string {
	var codes []string
	for i := range categoryRows {
		codes = append(codes, categoryRows[i].code)
	}
	return codes
}

// String returns the category's code in configurations and manifests.
func (c Category) String() string {
	if int(c) < len(categoryRows) {
		return categoryRows[c].code
	}
	return fmt.Sprintf("category(%d)", uint8(c))
}

// What follows panics for a value that is no category: there is no careful answer.

// Title returns the category's name for people.
func (c Category) Title() string { return categoryRows[c].title }

// ToAccount says to an account what the category is and when it is used.
func (c Category) ToAccount() string { return categoryRows[c].toAccount }

// Parties returns how many party roles a data set of the category needs at least. It
// is 2 where both sides of a contract have to be opted in.
func (c Category) Parties() int { return categoryRows[c].parties }

// Audience says for whom models trained on the category may be: "exclusive" to
// the accounts concerned, or the whole "marketplace".
func (c Category) Audience() string { return categoryRows[c].audience.code }

// AudienceSentence says the audience in a sentence.
func (c Category) AudienceSentence() string { return categoryRows[c].audience.sentence }

// Canonical returns a data set of the category as it is unless the configuration says
// otherwise. Its slices are shared: they are not to be changed.
func (c Category) Canonical() Dataset { return categoryRows[c].canonical }

// ParseCategory is the inverse of String.
func ParseCategory(s string) (Category, error) {
	for i := range categoryRows {
		if s == categoryRows[i].code {
			return Category(i), nil
		}
	}
	return 0, fmt.Errorf("unknown category %q (one of %s)", s, strings.Join(CategoryCodes(), ", "))
}

// State is a position of a consent switch.
type State uint8

// The two positions. The zero value is the careful one.
const (
	OptedOut State = iota
	OptedIn
)

// String returns the state's name in configurations and answers.
func (s State) String() string {
	if s == OptedIn {
		return "opted_in"
	}
	return "opted_out"
}

// ParseState is the inverse of String.
func ParseState(s string) (State, error) {
	switch s {
	case "opted_in":
		return OptedIn, nil
	case "opted_out":
		return OptedOut, nil
	}
	return 0, fmt.Errorf("unknown state %q (opted_in or opted_out)", s)
}
