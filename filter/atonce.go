package filter

import "assent/schema"

// Records lie beside others of the same contract, or the same day, so that most come in
// blocks of which none is excluded, and few accounts are looked at to see it.

// keepsAll reports whether no reason holds of any of the records [lo,hi). It may say no
// where none does. What it goes by are the records' own moments and accounts, each of
// which was read: never what a file says of them.
func (d *Decider) keepsAll(rows *Rows, lo, hi int) bool {
	if d.x.policy.Default != schema.OptedIn || len(rows.Moments) == 0 {
		return false
	}
	first, last, ok := d.within(rows, lo, hi)
	if !ok {
		return false
	}
	for r := range rows.Parties {
		if !d.neverOut(&rows.Parties[r], lo, hi, first, last) {
			return false
		}
	}
	if rows.Contract != nil {
		for _, c := range rows.Contract[lo:hi] {
			if c != Unrestricted {
				return false
			}
		}
	}
	for r := range rows.Subjects {
		if !d.noneDeleted(&rows.Subjects[r], lo, hi) {
			return false
		}
	}
	if rows.Stated != nil {
		for _, stated := range rows.Stated[lo:hi] {
			if !stated.Kept() {
				return false
			}
		}
	}
	return true
}

// within returns the first and last of all moments of the records [lo,hi). It is not ok
// where a required one is missing, or one is not from the start on and before the horizon.
func (d *Decider) within(rows *Rows, lo, hi int) (first, last schema.Instant, ok bool) {
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

// neverOut reports whether all parties under a role of the records [lo,hi) are known,
// have no deletion request, belong to no organisation, and are in from one moment to
// another. The programme's default is in.
func (d *Decider) neverOut(role *Accounts, lo, hi int, first, last schema.Instant) bool {
	ids, all := role.between(lo, hi)
	if !all {
		return false
	}
	registered := accountFlags(0)
	if d.x.registry {
		registered = flagRegistered
	}
	before := Null // the account just looked at: equal ones come in runs
	for _, a := range ids {
		if a == Null {
			return false
		}
		if a == before {
			continue
		}
		before = a
		flags := accountFlags(0)
		if a >= 0 {
			flags = d.x.flags[a]
		}
		if flags&(flagDeleted|flagMember) != 0 || registered&^flags != 0 {
			return false
		}
		if flags&(flagTimeline<<d.category) != 0 {
			flips := d.x.timeline(a, d.category)
			if n := flipsUntil(flips, last); n%2 != 0 || n != flipsUntil(flips, first) {
				return false
			}
		}
	}
	return true
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
