package filter

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"assent/schema"
)

// While an account belongs to an organisation, the organisation is a further party of
// its records: its own switch must be in, too. An organisation is an account.

// member is an account's part in an organisation.
type member struct {
	account      Account
	span         schema.Span
	organisation Account
}

func compareMembers(p, q member) int {
	return cmp.Or(cmp.Compare(p.account, q.account), cmp.Compare(p.span.From, q.span.From), cmp.Compare(p.span.Until, q.span.Until), cmp.Compare(p.organisation, q.organisation))
}

// Member says that an account belonged to an organisation over a span. An open span
// ends at schema.Forever.
func (b *Builder) Member(account, organisation Account, s schema.Span) error {
	if err := CheckMembership(s); err != nil {
		return err
	}
	if len(b.members) == math.MaxUint32-1 {
		return ErrTooMany
	}
	b.flags[account] |= flagMember
	b.members = append(b.members, member{account, s, organisation})
	return nil
}

// CheckMembership returns what is wrong with the span of a membership, nil if nothing is.
func CheckMembership(s schema.Span) error {
	switch {
	case s.From == schema.Unknown || s.Until == schema.Unknown:
		return ErrNoInstant
	case s.Until < s.From:
		return ErrInverted
	}
	return nil
}

// freezeMembers sorts the memberships by account. Accounts are final by then.
func (b *Builder) freezeMembers(x *Index) {
	if len(b.members) == 0 {
		return
	}
	slices.SortFunc(b.members, compareMembers)
	b.members = slices.Compact(b.members)
	x.memberFirst = make([]uint32, len(x.flags)+1)
	x.memberSpans = make(spanList, 0, 2*len(b.members))
	x.memberOf = make([]Account, len(b.members))
	for i, m := range b.members {
		x.memberFirst[m.account+1]++
		x.memberSpans = append(x.memberSpans, m.span.From, m.span.Until)
		x.memberOf[i] = m.organisation
	}
	for a := 1; a < len(x.memberFirst); a++ {
		x.memberFirst[a] += x.memberFirst[a-1]
	}
}

// partyOut reports whether a party is out of c at t, or an organisation to which it
// belongs then, and since when. The party's own switch comes first; of several
// organisations the one that has been out for the longest time.
func (x *Facts) partyOut(a Account, c schema.Category, t schema.Instant) (bool, schema.Instant) {
	out, since := x.out(a, c, t)
	if out || a < 0 || x.flags[a]&flagMember == 0 {
		return out, since
	}
	for i := x.memberFirst[a]; i < x.memberFirst[a+1]; i++ {
		if !x.memberSpans.at(i).Contains(t) {
			continue
		}
		if is, from := x.out(x.memberOf[i], c, t); is && (!out || from < since) {
			out, since = true, from
		}
	}
	return out, since
}

// Organisations yields the organisation of each membership, some of them several times.
func (x *Facts) Organisations() iter.Seq[Account] { return slices.Values(x.memberOf) }

// Membership is an account's part in an organisation.
type Membership struct {
	schema.Span
	Organisation schema.AccountID
}

// OutAt is partyOut in the slow formulation.
func (w *World) OutAt(id schema.AccountID, c schema.Category, t schema.Instant) (bool, schema.Instant) {
	if w.StateAt(id, c, t) == schema.OptedOut {
		return true, w.Since(id, c, t)
	}
	var since []schema.Instant
	for _, o := range w.organisationsOut(id, c, t) {
		since = append(since, w.Since(o, c, t))
	}
	if len(since) == 0 {
		return false, schema.Unknown
	}
	return true, slices.Min(since)
}

// organisationsOut returns the organisations of an account that are out at t.
func (w *World) organisationsOut(id schema.AccountID, c schema.Category, t schema.Instant) (out []schema.AccountID) {
	for _, m := range w.Memberships[w.Account(id)] {
		if m.From <= t && (t < m.Until || m.Until == schema.Forever) && w.StateAt(m.Organisation, c, t) == schema.OptedOut {
			out = append(out, m.Organisation)
		}
	}
	return out
}
