package schema

import "fmt"

// Category is the kind of data that a consent switch governs.
type Category uint8

// The programme's categories. Their order is part of the consent index's layout.
const (
	Communications Category = iota // messages
	WorkProduct                    // deliverables: documents, designs, code, files
	Platform                       // job posts, proposals, searches, interactions

	NumCategories = 3
)

var categoryNames = [NumCategories]string{"communications", "work_product", "platform"}

// Categories returns all categories in their order.
func Categories() []Category { return []Category{Communications, WorkProduct, Platform} }

// String returns the category's name in configurations and manifests.
func (c Category) String() string {
	if int(c) < len(categoryNames) {
		return categoryNames[c]
	}
	return fmt.Sprintf("category(%d)", uint8(c))
}

// Bilateral reports whether a record of this category needs the consent of both
// sides of a contract, and so at least two party roles.
func (c Category) Bilateral() bool { return c == Communications || c == WorkProduct }

// Audience says for whom models trained on the category may be: "exclusive" to
// the accounts concerned, or the whole "marketplace".
func (c Category) Audience() string {
	if c.Bilateral() {
		return "exclusive"
	}
	return "marketplace"
}

// ParseCategory is the inverse of String.
func ParseCategory(s string) (Category, error) {
	for i, name := range categoryNames {
		if s == name {
			return Category(i), nil
		}
	}
	return 0, fmt.Errorf("unknown category %q (one of communications, work_product, platform)", s)
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
