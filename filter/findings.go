package filter

import "assent/schema"

// Finding is what a decision found of one subject of a record.
type Finding struct {
	Role    int // index into the data set's roles: parties first, then other subjects
	Slot    int // index into the role's IDs, -1 for an empty list; which id that was is the caller's knowledge
	Account Account
	Cause   schema.Reasons // DeletionRequested, PartyUnknown, PartyOptedOut or none: the first that this subject is a cause of
	Since   schema.Instant // the instant of the event that made it so; schema.Unknown where there is none
}

// Findings appends a finding for each subject of record i to dst, in the order of
// roles and of the elements of a list. A subject role that names nobody gives none.
func (d *Decider) Findings(rows *Rows, i int, dst []Finding) []Finding {
	for r := range rows.Parties {
		dst = d.findings(rows, &rows.Parties[r], i, r, true, dst)
	}
	for r := range rows.Subjects {
		dst = d.findings(rows, &rows.Subjects[r], i, len(rows.Parties)+r, false, dst)
	}
	return dst
}

func (d *Decider) findings(rows *Rows, role *Accounts, i, r int, party bool, dst []Finding) []Finding {
	slot := i
	if role.Offsets != nil {
		slot = int(role.Offsets[i])
	}
	for n, a := range role.of(i) {
		f := Finding{Role: r, Slot: slot + n, Account: a, Since: schema.Unknown}
		if a == Null {
			if !party {
				continue
			}
			if role.Offsets != nil && role.Offsets[i] == role.Offsets[i+1] {
				f.Slot = -1
			}
		}
		f.Cause, f.Since = d.cause(rows, i, party, a)
		dst = append(dst, f)
	}
	return dst
}

// cause returns what account a of record i is a cause of, and since when.
func (d *Decider) cause(rows *Rows, i int, party bool, a Account) (schema.Reasons, schema.Instant) {
	var flags accountFlags
	if a >= 0 {
		flags = d.x.flags[a]
	}
	switch {
	case flags&flagDeleted != 0:
		n, _ := d.x.deletion(a)
		return schema.DeletionRequested.Set(), d.x.deletions.at[n]
	case !party:
	case a == Null || d.x.registry && flags&flagRegistered == 0:
		return schema.PartyUnknown.Set(), schema.Unknown
	case d.neverTouched(flags):
	default:
		if out, since := d.partyOut(rows, i, a); out {
			return schema.PartyOptedOut.Set(), since
		}
	}
	return 0, schema.Unknown
}

// When returns the first moment of record i, in the order configured, at which
// the reason holds; the required moment where the reason is not about time.
func (d *Decider) When(rows *Rows, i int, why schema.Reason) schema.Instant {
	return rows.Moments[d.MomentOf(rows, i, why)][i]
}

// MomentOf returns which of the moments When is.
func (d *Decider) MomentOf(rows *Rows, i int, why schema.Reason) int {
	known := len(rows.Moments) - 1
	for known > 0 && rows.Moments[known][i] == schema.Unknown {
		known--
	}
	if known <= 0 {
		return 0 // whether or not it holds
	}
	for m, moments := range rows.Moments {
		t := moments[i]
		if t == schema.Unknown {
			continue
		}
		holds := false
		switch why {
		case schema.BeforeProgram:
			holds = t < d.x.policy.Start
		case schema.AfterHorizon:
			holds = t >= d.x.policy.Horizon
		case schema.ContractRestricted:
			holds = d.x.restricted(rows.Contract[i], t)
		case schema.PartyOptedOut:
			holds = t < d.x.policy.Horizon && d.anyOut(rows, i, t)
		case schema.DeletionRequested, schema.PartyUnknown, schema.MomentUnknown, schema.PrivateRecord, schema.SourceDeleted:
			return 0 // not about time
		}
		if holds {
			return m
		}
	}
	return 0
}

func (d *Decider) anyOut(rows *Rows, i int, t schema.Instant) bool {
	for r := range rows.Parties {
		for _, a := range rows.Parties[r].of(i) {
			if a == Null {
				continue
			}
			if out, _ := d.x.partyOut(a, d.category, t); out {
				return true
			}
		}
	}
	return false
}
