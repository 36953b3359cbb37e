package filter

import "assent/schema"

// Excluded records of the same accounts come in runs, too. Within such a run a finding depends on the moments alone, and these
// only on which side of some instants they lie: start and horizon, and the flips of the accounts.

// Alike returns how many of the records from i on, and before hi, are excluded as record i is, that one among them: for the same
// reasons, with the same findings but for their slots, and with the same MomentOf. It may say fewer. The caller knows that all of
// these records have the accounts of record i, role by role. reasons are those that Decide gave.
func (d *Decider) Alike(rows *Rows, i, hi int, reasons []schema.Reasons) int {
	why := reasons[i]
	if hi == i+1 || reasons[i+1] != why {
		return 1
	}
	var spans [alikeMoments][2]schema.Instant // first and last of each moment
	if why.Primary() == schema.ContractRestricted || len(rows.Moments) > len(spans) {
		return 1 // of which moment it is, depends on the contract
	}
	for m, moments := range rows.Moments {
		spans[m][0], spans[m][1] = d.around(rows, i, moments[i])
	}
	end := i + 1
	for end < hi && reasons[end] == why && inside(rows, end, &spans) {
		end++
	}
	return end - i
}

// alikeMoments is how many moments Alike can look at.
const alikeMoments = 8

// inside reports whether each moment of a record lies in its span.
func inside(rows *Rows, i int, spans *[alikeMoments][2]schema.Instant) bool {
	for m, moments := range rows.Moments {
		if t, s := moments[i], &spans[m]; t < s[0] || t > s[1] {
			return false
		}
	}
	return true
}

// around returns the first and the last instant around one within which a moment of record i could lie, for all that start, horizon
// and the accounts of its parties have to say.
func (d *Decider) around(rows *Rows, i int, t schema.Instant) (first, last schema.Instant) {
	if t == schema.Unknown {
		return t, t
	}
	first, last = schema.Earliest, schema.Forever
	cut := func(at schema.Instant) {
		if at <= t {
			first = max(first, at)
		} else {
			last = min(last, at-1)
		}
	}
	cut(d.x.policy.Start)
	cut(d.x.policy.Horizon)
	for r := range rows.Parties {
		for _, a := range rows.Parties[r].of(i) {
			switch {
			case a < 0:
			case d.x.flags[a]&flagMember != 0:
				return t, t // its organisations are not looked at here
			case d.x.flags[a]&(flagTimeline<<d.category) != 0:
				flips := d.x.timeline(a, d.category)
				n := flipsUntil(flips, t)
				if n > 0 {
					cut(flips[n-1])
				}
				if n < len(flips) {
					cut(flips[n])
				}
			}
		}
	}
	return first, last
}
