package run

import (
	"sync"

	"assent/filter"
	"assent/manifests"
	"assent/schema"
)

// tally counts records by the day of their required moment, and excluded ones by what
// caused it. Each file has its own while it is worked on; a data set's is their sum,
// so that it is the same in whatever order they end.
type tally struct {
	first schema.Day // of slot 1
	days  []daySlot  // slot 0: before; then the days; then after, unknown
	// causes counts by primary reason and then by the set of roles, as bits, of the
	// accounts that are its cause. Sets are few: manifests.MaxRoles bounds the bits.
	causes [schema.NumReasons][]int64
}

// daySlot counts records by primary reason, kept ones at keptSlot.
type daySlot [schema.NumReasons + 1]int64

const keptSlot = schema.NumReasons

// newTally counts the days from that of the programme's start to that of the horizon,
// for a data set with so many roles.
func newTally(p filter.Policy, roles int) *tally {
	first, last := p.Start.Day(), p.Horizon.Day()
	t := &tally{first: first, days: make([]daySlot, 3+max(0, int(last)-int(first)+1))}
	for r := range t.causes {
		t.causes[r] = make([]int64, 1)
		if manifests.CausedByAccounts(schema.Reason(r)) {
			t.causes[r] = make([]int64, 1<<roles)
		}
	}
	return t
}

// slot is the place of an instant in t.days.
func (t *tally) slot(at schema.Instant) int {
	if at == schema.Unknown {
		return len(t.days) - 1
	}
	return min(max(int(at.Day())-int(t.first)+1, 0), len(t.days)-2)
}

// decided counts records by their required moments.
func (t *tally) decided(moments []schema.Instant, reasons []schema.Reasons) {
	for i, why := range reasons {
		n := keptSlot
		if !why.Kept() {
			n = int(why.Primary())
		}
		t.days[t.slot(moments[i])][n]++
	}
}

// excluded counts a record that is excluded, by the roles of the accounts that are the
// cause of the primary reason.
func (t *tally) excluded(reason schema.Reason, findings []filter.Finding) {
	roles := 0
	if manifests.CausedByAccounts(reason) {
		for i := range findings {
			if findings[i].Cause == reason.Set() {
				roles |= 1 << findings[i].Role
			}
		}
	}
	t.causes[reason][roles]++
}

// sharedTally is a data set's, to which files add theirs.
type sharedTally struct {
	mu sync.Mutex
	*tally
}

func (s *sharedTally) add(t *tally) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range t.days {
		for n, count := range t.days[i] {
			s.days[i][n] += count
		}
	}
	for reason := range t.causes {
		for roles, count := range t.causes[reason] {
			s.causes[reason][roles] += count
		}
	}
}

// daily returns the counts of the days that have any.
func (t *tally) daily(dataset string) []manifests.DayCounts {
	var daily []manifests.DayCounts
	for i := range t.days {
		c := manifests.DayCounts{Dataset: dataset, Day: t.first + schema.Day(i-1), Kept: t.days[i][keptSlot]}
		switch i {
		case 0:
			c.Day = manifests.DaysBefore
		case len(t.days) - 2:
			c.Day = manifests.DaysAfter
		case len(t.days) - 1:
			c.Day = manifests.DayUnknown
		}
		copy(c.Excluded[:], t.days[i][:])
		if c.Records() > 0 {
			daily = append(daily, c)
		}
	}
	return daily
}

// causeCounts returns the causes by reason and roles.
func (t *tally) causeCounts(roles []string) []manifests.CauseCount {
	causes := []manifests.CauseCount{}
	for reason := range t.causes {
		for set, count := range t.causes[reason] {
			if count == 0 {
				continue
			}
			c := manifests.CauseCount{Reason: schema.Reason(reason).String(), Roles: []string{}, Rows: count}
			for i, role := range roles {
				if set&(1<<i) != 0 {
					c.Roles = append(c.Roles, role)
				}
			}
			causes = append(causes, c)
		}
	}
	return causes
}
