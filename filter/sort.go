package filter

import "sort"

// sortTimeline sorts by instant. Nearly every timeline has a handful of events,
// for which insertion needs neither an interface call nor a pivot.
func sortTimeline(t timeline) {
	if t.Len() > 12 {
		sort.Sort(t)
		return
	}
	for i := 1; i < t.Len(); i++ {
		for j := i; j > 0 && t.Less(j, j-1); j-- {
			t.Swap(j, j-1)
		}
	}
}
