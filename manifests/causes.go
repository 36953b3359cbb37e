package manifests

import (
	"errors"
	"fmt"
	"slices"

	"assent/schema"
)

// CauseCount counts the records that are excluded for one primary reason because of
// accounts under the same set of roles.
type CauseCount struct {
	Reason string   `json:"reason"`
	Roles  []string `json:"roles"` // of the accounts that are its cause, in the data set's order; none where the reason is not about an account
	Rows   int64    `json:"rows"`
}

// checkCauses checks that causes add up to the data set's counts.
func checkCauses(causes []CauseCount, excluded *ReasonCounts) error {
	var sums ReasonCounts
	last := schema.Reason(0)
	seen := map[string]bool{}
	for _, c := range causes {
		reason, err := schema.ParseReason(c.Reason)
		if err != nil {
			return err
		}
		key := fmt.Sprintf("%q", c.Roles)
		if reason != last {
			clear(seen)
		}
		switch {
		case reason < last || seen[key]:
			return fmt.Errorf("causes of %s are out of order, or come twice", reason)
		case c.Rows < 1 || !counts(c.Rows):
			return fmt.Errorf("causes of %s: %d rows", reason, c.Rows)
		case c.Roles == nil || len(c.Roles) > MaxRoles || (len(c.Roles) > 0) != schema.AccountReasons().Has(reason) || slices.Contains(c.Roles, "") || twice(c.Roles):
			return fmt.Errorf("causes of %s: the roles cannot be", reason)
		}
		seen[key], last = true, reason
		if sums[reason] += c.Rows; !counts(sums[reason]) {
			return errors.New("the causes add up to too much")
		}
	}
	if sums != *excluded {
		return errors.New("the causes do not add up to the records excluded")
	}
	return nil
}

func twice(names []string) bool {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return true
		}
	}
	return false
}
