package run

import (
	"sync"

	"assent/filter"
	"assent/manifests"
	"assent/schema"
)

// Tally counts records by the day of their required moment, and excluded ones by what
// caused it. Each file has its own while it is worked on; a data set's is their sum,
// so that it is the same in whatever order they end.
type Tally struct {
	First schema.Day // of slot 1
	Days  []DaySlot  // slot 0: before; then the days; then after, unknown
	// Causes counts by primary reason and then by the set of roles, as bits, of the
	// accounts that are its cause. Sets are few: manifests.MaxRoles bounds the bits.
	Causes [schema.NumReasons][]int64
}

// DaySlot counts records by primary reason, kept ones at keptSlot.
type DaySlot [schema.NumReasons + 1]int64

const keptSlot = schema.NumReasons

// slotOf returns the place in a DaySlot.
func slotOf(why schema.Reasons) int { return min(int(why.Primary()), keptSlot) }

// newTally counts the days from that of the programme's start to that of the horizon,
// for a data set with so many roles.
func newTally(p filter.Policy, roles int) *Tally {
	first, last := p.Start.Day(), p.Horizon.Day()
	t := &Tally{First: first, Days: make([]DaySlot, 3+max(0, int(last)-int(first)+1))}
	for r := range t.Causes {
		t.Causes[r] = make([]int64, 1)
		if schema.AccountReasons().Has(schema.Reason(r)) {
			t.Causes[r] = make([]int64, 1<<roles)
		}
	}
	return t
}

// slot is the place of an instant in t.Days.
func (t *Tally) slot(at schema.Instant) int {
	if at == schema.Unknown {
		return len(t.Days) - 1
	}
	return min(max(int(at.Day())-int(t.First)+1, 0), len(t.Days)-2)
}

// decided counts records by their required moments.
func (t *Tally) decided(moments []schema.Instant, reasons []schema.Reasons) {
	for i, why := range reasons {
		t.Days[t.slot(moments[i])][slotOf(why)]++
	}
}

// excluded counts records that are excluded alike, by the roles of the accounts that are
// the cause of the primary reason.
func (t *Tally) excluded(reason schema.Reason, findings []filter.Finding, records int) {
	roles := 0
	if schema.AccountReasons().Has(reason) {
		for i := range findings {
			if findings[i].Cause == reason.Set() {
				roles |= 1 << findings[i].Role
			}
		}
	}
	t.Causes[reason][roles] += int64(records)
}

// empty returns a tally for the same days and roles that has counted nothing.
func (t *Tally) empty() *Tally {
	e := &Tally{First: t.First, Days: make([]DaySlot, len(t.Days))}
	for r := range t.Causes {
		e.Causes[r] = make([]int64, len(t.Causes[r]))
	}
	return e
}

// add adds another tally for the same days and roles.
func (t *Tally) add(other *Tally) {
	for i := range other.Days {
		for n, count := range other.Days[i] {
			t.Days[i][n] += count
		}
	}
	for reason := range other.Causes {
		for roles, count := range other.Causes[reason] {
			t.Causes[reason][roles] += count
		}
	}
}

// sharedTally is a data set's, to which files add theirs.
type sharedTally struct {
	mu sync.Mutex
	*Tally
}

func (s *sharedTally) add(t *Tally) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Tally.add(t)
}

// daily returns the counts of the days that have any.
func (t *Tally) daily(dataset string) []manifests.DayCounts {
	var daily []manifests.DayCounts
	for i := range t.Days {
		c := manifests.DayCounts{Dataset: dataset, Day: t.First + schema.Day(i-1), Kept: t.Days[i][keptSlot]}
		switch i {
		case 0:
			c.Day = manifests.DaysBefore
		case len(t.Days) - 2:
			c.Day = manifests.DaysAfter
		case len(t.Days) - 1:
			c.Day = manifests.DayUnknown
		}
		copy(c.Excluded[:], t.Days[i][:])
		if c.Records() > 0 {
			daily = append(daily, c)
		}
	}
	return daily
}

// causeCounts returns the causes by reason and roles.
func (t *Tally) causeCounts(roles []string) []manifests.CauseCount {
	causes := []manifests.CauseCount{}
	for reason := range t.Causes {
		for set, count := range t.Causes[reason] {
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

// tallies adds up the tallies of shards' results as they come, so that no more than one is
// kept for each data set: a year of days is some 50 KB.
type tallies struct {
	mu  sync.Mutex
	sum []*Tally // beside the plan's data sets
}

// take takes a result's tallies away from it.
func (t *tallies) take(r *ShardResult) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range r.Datasets {
		if len(t.sum) == i {
			t.sum = append(t.sum, nil)
		}
		switch d := &r.Datasets[i]; {
		case d.Tally == nil:
		case t.sum[i] == nil:
			t.sum[i], d.Tally = d.Tally, nil
		default:
			t.sum[i].add(d.Tally)
			d.Tally = nil
		}
	}
}

// give puts the sums into one of the results.
func (t *tallies) give(r *ShardResult) {
	for i := range r.Datasets {
		r.Datasets[i].Tally = t.sum[i]
	}
}
