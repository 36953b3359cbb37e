package verify

import (
	"cmp"
	"slices"

	"assent/filter"
	"assent/schema"
)

// judge works out what follows from the decisions on the records of a data set: the
// exclusion manifest's rows, and the counts by day and cause.
type judge struct {
	d *dataset
	w *facts
}

// count counts a record with its reasons.
func (j *judge) count(again *recount, r *record, reasons schema.Reasons) {
	policy := j.w.world.Policy
	day := again.day(dayText(r.Moments[0].At, policy.Start, policy.Horizon))
	if reasons.Kept() {
		day.Kept++
		return
	}
	reason := reasons.Primary()
	day.Excluded[reason]++
	var roles []string
	for _, x := range r.named {
		role := j.d.Roles()[x.role].Name
		if cause, _, _ := j.causeOf(r, x); cause == reason.String() && !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	again.causes[causeText(reason.String(), roles)]++
}

// exclusionOf works out what the exclusion manifest has to say of a record.
func (j *judge) exclusionOf(source string, row int64, r *record, reasons schema.Reasons) *exclusion {
	moment := j.w.world.When(&r.Record, reasons.Primary())
	e := &exclusion{
		Record: string(r.id), File: source, Row: row,
		Reason: reasons.Primary().String(), Reasons: reasons.Strings(), Moment: &moment,
	}
	for _, x := range r.named {
		s := exclusionSubject{Role: j.d.Roles()[x.role].Name}
		if x.account != nil {
			s.Ref = x.account.ref.String()
		}
		cause, since, request := j.causeOf(r, x)
		if cause != "" {
			s.Cause, s.Since = cause, &since
		}
		if cause == schema.DeletionRequested.String() && e.Request == "" {
			e.Request = request
		}
		e.Subjects = append(e.Subjects, s)
	}
	return e
}

// causeOf says whether an account is a cause of the exclusion, the first of those that
// it is, and the instant of the event that made it so.
func (j *judge) causeOf(r *record, x namedAccount) (cause string, since schema.Instant, request string) {
	world := j.w.world
	if x.account == nil { // only parties come without
		return schema.PartyUnknown.String(), schema.Unknown, ""
	}
	id := world.Account(x.account.id)
	if requests := world.Deletions[id]; len(requests) > 0 {
		d := earliest(requests)
		return schema.DeletionRequested.String(), d.RequestedAt, d.Request
	}
	if !x.party {
		return "", schema.Unknown, ""
	}
	if world.Registry != nil && !world.Registry[id] {
		return schema.PartyUnknown.String(), schema.Unknown, ""
	}
	for _, m := range r.Moments {
		if m.At == schema.Unknown || m.At >= world.Policy.Horizon {
			continue // nothing is known of it
		}
		if out, since := world.OutAt(id, j.d.Category, m.At); out {
			return schema.PartyOptedOut.String(), since, ""
		}
	}
	return "", schema.Unknown, ""
}

// earliest is the request that counts of several by one account: the earliest, at one
// instant that with the smallest id; one without an instant only if there is no other.
func earliest(requests []filter.Deletion) filter.Deletion {
	return slices.MinFunc(requests, func(x, y filter.Deletion) int {
		if (x.RequestedAt == schema.Unknown) != (y.RequestedAt == schema.Unknown) {
			return -cmp.Compare(x.RequestedAt, y.RequestedAt) // Unknown is the least instant
		}
		return cmp.Or(cmp.Compare(x.RequestedAt, y.RequestedAt), cmp.Compare(x.Request, y.Request))
	})
}
