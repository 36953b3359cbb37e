package filter

import (
	"slices"

	"assent/schema"
)

// Records lie beside others of the same contract, or the same day, so that most come in
// blocks of which none is excluded, or all are by one party who was out, and few accounts
// are looked at to see it.

// block decides the records from lo on. It goes by what they have in common, as far as that
// decides: their own moments and accounts, each of which was read, and never what a file
// says of them. It reports whether it looked at no record by itself: then all have the same
// reasons.
func (d *Decider) block(rows *Rows, lo int, out []schema.Reasons) (atOnce bool) {
	hi := lo + len(out)
	first, last, within := d.within(rows, lo, hi)
	if atOnce = within; !within {
		for m, moments := range rows.Moments {
			d.moments(moments[lo:hi], m == 0, out)
		}
	}
	if rows.Contract != nil && slices.ContainsFunc(rows.Contract[lo:hi], func(c Contract) bool { return c != Unrestricted }) {
		d.contracts(rows, lo, out)
		atOnce = false
	}
	for r := range rows.Parties {
		role := &rows.Parties[r]
		switch {
		case within && d.neverOut(role, lo, hi, first, last):
		case within && d.alwaysOut(role, lo, hi, first, last):
			for i := range out {
				out[i] |= schema.PartyOptedOut.Set()
			}
		default:
			d.parties(rows, role, lo, out)
			atOnce = false
		}
	}
	for r := range rows.Subjects {
		if role := &rows.Subjects[r]; !d.noneDeleted(role, lo, hi) {
			d.subjects(role, lo, out)
			atOnce = false
		}
	}
	if rows.Stated != nil {
		for i, stated := range rows.Stated[lo:hi] {
			out[i] |= stated
			atOnce = atOnce && stated.Kept()
		}
	}
	return atOnce
}

// within returns the first and last of all moments of the records [lo,hi). It is not ok
// where a required one is missing, or one is not from the start on and before the horizon,
// and never where the programme's default is out.
func (d *Decider) within(rows *Rows, lo, hi int) (first, last schema.Instant, ok bool) {
	if d.x.policy.Default != schema.OptedIn || len(rows.Moments) == 0 {
		return 0, 0, false
	}
	start, horizon := d.x.policy.Start, d.x.policy.Horizon
	first, last = schema.Forever, schema.Unknown
	for m, moments := range rows.Moments {
		for _, t := range moments[lo:hi] {
			switch {
			case t == schema.Unknown && m > 0:
			case t == schema.Unknown, t < start, t >= horizon:
				return first, last, false
			default:
				first, last = min(first, t), max(last, t)
			}
		}
	}
	return first, last, true
}

// neverOut reports whether all parties under a role of the records [lo,hi) are settled as in
// from one moment to another.
func (d *Decider) neverOut(role *Accounts, lo, hi int, first, last schema.Instant) bool {
	ids, all := role.between(lo, hi)
	if !all {
		return false
	}
	for i, a := range ids {
		if i > 0 && a == ids[i-1] { // equal ones come in runs
			continue
		}
		if out, ok := d.settled(a, first, last); out || !ok {
			return false
		}
	}
	return true
}

// alwaysOut reports whether one account is the party under a role of all of the records
// [lo,hi), and settled as out from one moment to another.
func (d *Decider) alwaysOut(role *Accounts, lo, hi int, first, last schema.Instant) bool {
	ids, all := role.between(lo, hi)
	if !all {
		return false
	}
	if out, ok := d.settled(ids[0], first, last); !out || !ok {
		return false
	}
	for _, a := range ids {
		if a != ids[0] {
			return false
		}
	}
	return true
}

// settled says whether an account is out from one moment to another. It is not ok where that
// changes between them, and of an account that is unknown, has a deletion request or belongs
// to an organisation. The programme's default is in.
func (d *Decider) settled(a Account, first, last schema.Instant) (out, ok bool) {
	if a == Null {
		return false, false
	}
	flags := accountFlags(0)
	if a >= 0 {
		flags = d.x.flags[a]
	}
	if flags&(flagDeleted|flagMember) != 0 || d.x.registry && flags&flagRegistered == 0 {
		return false, false
	}
	if flags&(flagTimeline<<d.category) == 0 {
		return false, true
	}
	flips := d.x.timeline(a, d.category)
	n := flipsUntil(flips, first)
	return n%2 != 0, n == flipsUntil(flips, last)
}

// noneDeleted reports whether no account under a role of the records [lo,hi) has a
// deletion request.
func (d *Decider) noneDeleted(role *Accounts, lo, hi int) bool {
	if len(d.x.deletions.accounts) == 0 {
		return true
	}
	ids, _ := role.between(lo, hi)
	for _, a := range ids {
		if a >= 0 && d.x.flags[a]&flagDeleted != 0 {
			return false
		}
	}
	return true
}

// between returns the accounts of the records [lo,hi), and whether each has some.
func (a *Accounts) between(lo, hi int) (ids []Account, all bool) {
	if a.Offsets == nil {
		return a.IDs[lo:hi], true
	}
	all = true
	for i := lo; i < hi; i++ {
		all = all && a.Offsets[i] < a.Offsets[i+1]
	}
	return a.IDs[a.Offsets[lo]:a.Offsets[hi]], all
}
