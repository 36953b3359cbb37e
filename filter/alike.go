package filter

import "assent/schema"

// Excluded records of the same accounts come in runs, too. Within such a run a finding depends on the moments alone, and these
// only on which side of some instants they lie: start and horizon, and the flips of the accounts. A moment on the same side as the
// required one of all of them adds nothing to it, as if it were null.

// Alike returns how many of the records from i on, and before hi, are excluded as record i is, that one among them: for the same
// reasons, with the same findings but for their slots, and with the same MomentOf. It may say fewer. The caller knows that all of
// these records have the accounts of record i, role by role. reasons are those that Decide gave.
func (d *Decider) Alike(rows *Rows, i, hi int, reasons []schema.Reasons) int {
	why := reasons[i]
	if hi == i+1 || reasons[i+1] != why {
		return 1
	}
	var spans [alikeMoments]alikeSpan
	if why.Primary() == schema.ContractRestricted || len(rows.Moments) > len(spans) {
		return 1 // of which moment it is, depends on the contract
	}
	for m, moments := range rows.Moments {
		if t := moments[i]; m > 0 && (t == schema.Unknown || spans[0].has(t)) {
			spans[m] = spans[0]
			spans[m].orNull = true
		} else {
			spans[m].first, spans[m].last = d.around(rows, i, t)
		}
	}
	end := i + 1
	for end < hi && reasons[end] == why && inside(rows, end, &spans) {
		end++
	}
	return end - i
}

// alikeMoments is how many moments Alike can look at.
const alikeMoments = 8

// alikeSpan is where a moment of records that are alike may lie.
type alikeSpan struct {
	first, last schema.Instant
	orNull      bool
}

func (s *alikeSpan) has(t schema.Instant) bool {
	return s.first <= t && t <= s.last || s.orNull && t == schema.Unknown
}

// inside reports whether each moment of a record lies in its span.
func inside(rows *Rows, i int, spans *[alikeMoments]alikeSpan) bool {
	for m, moments := range rows.Moments {
		if !spans[m].has(moments[i]) {
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
