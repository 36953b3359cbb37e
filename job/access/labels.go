package access

import "fmt"

// You is what stands for the account itself.
const You = "you"

// Labels gives every other account a name that says its part and nothing else. Numbers
// count in order of first appearance; an account keeps its label.
type Labels struct {
	you    map[string]bool
	labels map[string]string
	counts map[string]int
}

// Named is an account under a role of a record.
type Named struct {
	Role string
	ID   string // canonical
}

// NewLabels returns the labels for a copy to the account that has the ids.
func NewLabels(you map[string]bool) *Labels {
	return &Labels{you: you, labels: map[string]string{}, counts: map[string]int{}}
}

// Meet gives labels to those accounts of a record that have none. An account's part is
// client or freelancer where the record says so under any role.
func (l *Labels) Meet(record []Named) {
	for _, n := range record {
		if n.ID == "" || l.you[n.ID] || l.labels[n.ID] != "" {
			continue
		}
		part := "other"
		for _, m := range record {
			if m.ID == n.ID && (m.Role == "client" || m.Role == "freelancer") {
				part = m.Role
				break
			}
		}
		l.counts[part]++
		l.labels[n.ID] = fmt.Sprintf("%s %d", part, l.counts[part])
	}
}

// Label returns the label of an account that Meet has seen; "" for no account.
func (l *Labels) Label(id string) string {
	switch {
	case id == "":
		return ""
	case l.you[id]:
		return You
	case l.labels[id] == "":
		return "other"
	}
	return l.labels[id]
}
