package filter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"assent/schema"
)

// World is all that the rules look at, as plain maps. It is the slow and obvious
// formulation: no numbering, no sorting ahead, no folding of events into flips.
type World struct {
	Policy       Policy
	Events       map[schema.AccountID][]Event
	Deletions    map[schema.AccountID][]Deletion
	Registry     map[schema.AccountID]bool // nil: no registry was given
	Restrictions map[string][]schema.Span  // by contract
	Memberships  map[schema.AccountID][]Membership
	// Aliases says which ids are one account; nil: none. The facts above stand under the
	// ids that Account returns.
	Aliases *Aliases
}

// NewWorld returns a world of which nothing is known yet.
func NewWorld() *World {
	return &World{Events: map[schema.AccountID][]Event{}, Deletions: map[schema.AccountID][]Deletion{}, Restrictions: map[string][]schema.Span{}, Memberships: map[schema.AccountID][]Membership{}}
}

// Account returns the id under which facts about an account stand.
func (w *World) Account(id schema.AccountID) schema.AccountID { return w.Aliases.Account(id) }

// Event is one entry of the consent history.
type Event struct {
	Category schema.Category
	State    schema.State
	At       schema.Instant
	Sequence Sequence
}

// Record is one record with its keys spelt out.
type Record struct {
	Category schema.Category
	Parties  []Subject // an entry for each element of a list; one with an empty ID for a role that names nobody
	Subjects []Subject
	Moments  []Moment // in the order configured; the first is the required one
	Contract string   // empty: none
	// What the source states of the record.
	Private       bool
	SourceDeleted bool
}

// Subject is an account under its role.
type Subject struct {
	Role string
	ID   schema.AccountID // empty: null
}

// Moment is an instant of a record by its name.
type Moment struct {
	Name string
	At   schema.Instant // schema.Unknown: null
}

// Rule is the outcome of one rule for one record.
type Rule struct {
	Reason schema.Reason
	Holds  bool
	Why    string // one line for people: roles, names of moments and instants, never an account id
}

// Explanation is the decision on one record, rule by rule.
type Explanation struct {
	Reasons schema.Reasons
	Rules   []Rule // one for each reason, in their order
}

// Explain evaluates every rule for the record.
func (w *World) Explain(r *Record) Explanation {
	var e Explanation
	for i, evaluate := range rules {
		reason := schema.Reason(i)
		why, otherwise := evaluate(w, r)
		rule := Rule{Reason: reason, Holds: len(why) > 0, Why: otherwise}
		if rule.Holds {
			e.Reasons |= reason.Set()
			rule.Why = strings.Join(why, "; ")
		}
		e.Rules = append(e.Rules, rule)
	}
	return e
}

// evaluation evaluates one rule for a record. It returns why the rule's reason holds, a
// line for each cause, and nothing if it does not hold; and what to say if it does not.
type evaluation func(*World, *Record) (why []string, otherwise string)

// rules are the rules by their reason. The list is as long as that of the reasons, or
// the compiler refuses it.
var rules [schema.NumReasons]evaluation = [...]evaluation{
	schema.DeletionRequested:  (*World).deletionRequested,
	schema.PartyUnknown:       (*World).partyUnknown,
	schema.MomentUnknown:      (*World).momentUnknown,
	schema.BeforeProgram:      (*World).beforeProgram,
	schema.AfterHorizon:       (*World).afterHorizon,
	schema.ContractRestricted: (*World).contractRestricted,
	schema.PartyOptedOut:      (*World).partyOptedOut,
	schema.PrivateRecord: func(_ *World, r *Record) ([]string, string) {
		return stated(r.Private, "the source says that the record is private"), "the source does not say that the record is private"
	},
	schema.SourceDeleted: func(_ *World, r *Record) ([]string, string) {
		return stated(r.SourceDeleted, "the source marks the row as deleted"), "the source does not mark the row as deleted"
	},
}

// When returns the first moment of the record, in the order configured, at which the
// reason holds; the required moment where the reason is not about time.
func (w *World) When(r *Record, reason schema.Reason) schema.Instant {
	if reason.Timed() {
		for m := range known(r.Moments) {
			alone := *r
			alone.Moments = []Moment{m}
			if why, _ := rules[reason](w, &alone); len(why) > 0 {
				return m.At
			}
		}
	}
	return r.Moments[0].At
}

func (w *World) deletionRequested(r *Record) (why []string, otherwise string) {
	for _, s := range slices.Concat(r.Parties, r.Subjects) {
		for _, d := range w.Deletions[w.Account(s.ID)] {
			why = append(why, fmt.Sprintf("the %s asked for deletion (request %q, %s)", s.Role, d.Request, d.RequestedAt))
		}
	}
	return why, "no subject asked for deletion"
}

func (w *World) partyUnknown(r *Record) (why []string, otherwise string) {
	for _, p := range r.Parties {
		if p.ID == "" {
			why = append(why, fmt.Sprintf("the %s is null or empty", p.Role))
		} else if w.Registry != nil && !w.Registry[w.Account(p.ID)] {
			why = append(why, fmt.Sprintf("the %s is not in the registry", p.Role))
		}
	}
	if w.Registry == nil {
		return why, "every party is named; no registry is given"
	}
	return why, "every party is in the registry"
}

func (w *World) momentUnknown(r *Record) (why []string, otherwise string) {
	if m := r.Moments[0]; m.At == schema.Unknown {
		why = append(why, m.Name+" is null")
	}
	return why, "the required moment is known"
}

func (w *World) beforeProgram(r *Record) (why []string, otherwise string) {
	for m := range known(r.Moments) {
		if m.At < w.Policy.Start {
			why = append(why, fmt.Sprintf("%s at %s is before the programme's start, %s", m.Name, m.At, w.Policy.Start))
		}
	}
	return why, "no moment is before the programme's start, " + w.Policy.Start.String()
}

func (w *World) afterHorizon(r *Record) (why []string, otherwise string) {
	for m := range known(r.Moments) {
		if m.At >= w.Policy.Horizon {
			why = append(why, fmt.Sprintf("%s at %s is not before the horizon, %s", m.Name, m.At, w.Policy.Horizon))
		}
	}
	return why, "every moment is before the horizon, " + w.Policy.Horizon.String()
}

func (w *World) contractRestricted(r *Record) (why []string, otherwise string) {
	for m := range known(r.Moments) {
		for _, s := range w.Restrictions[r.Contract] {
			if r.Contract != "" && s.From <= m.At && (m.At < s.Until || s.Until == schema.Forever) {
				why = append(why, fmt.Sprintf("%s at %s is in the contract's no-AI clause from %s until %s", m.Name, m.At, s.From, s.Until))
			}
		}
	}
	return why, "no no-AI clause of the contract is in force at a moment"
}

func (w *World) partyOptedOut(r *Record) (why []string, otherwise string) {
	for m := range known(r.Moments) {
		for _, p := range r.Parties {
			if p.ID == "" || m.At >= w.Policy.Horizon {
				continue
			}
			if w.StateAt(p.ID, r.Category, m.At) == schema.OptedOut {
				why = append(why, fmt.Sprintf("at %s (%s) the %s was out, %s", m.Name, m.At, p.Role, sinceWords(w.Since(p.ID, r.Category, m.At))))
			}
			for _, o := range w.organisationsOut(p.ID, r.Category, m.At) {
				why = append(why, fmt.Sprintf("at %s (%s) an organisation of the %s was out, %s", m.Name, m.At, p.Role, sinceWords(w.Since(o, r.Category, m.At))))
			}
		}
	}
	if len(w.Memberships) > 0 {
		return why, "every party, and every organisation of one, was in at every moment"
	}
	return why, "every party was in at every moment"
}

func stated(holds bool, what string) []string {
	if !holds {
		return nil
	}
	return []string{what}
}

func sinceWords(since schema.Instant) string {
	if since == schema.Unknown {
		return "by the programme's default"
	}
	return "by the event of " + since.String()
}

func known(moments []Moment) func(yield func(Moment) bool) {
	return func(yield func(Moment) bool) {
		for _, m := range moments {
			if m.At != schema.Unknown && !yield(m) {
				return
			}
		}
	}
}

// StateAt returns the account's state for the category at t.
func (w *World) StateAt(id schema.AccountID, c schema.Category, t schema.Instant) schema.State {
	latest := schema.Unknown // the instant of the events that are in force at t
	for _, e := range w.Events[w.Account(id)] {
		if e.Category == c && e.At <= t {
			latest = max(latest, e.At)
		}
	}
	if latest == schema.Unknown {
		return w.Policy.Default
	}
	var tied []Event
	for _, e := range w.Events[w.Account(id)] {
		if e.Category == c && e.At == latest {
			tied = append(tied, e)
		}
	}
	if !slices.ContainsFunc(tied, func(e Event) bool { return !e.Sequence.Valid }) {
		top := slices.MaxFunc(tied, func(a, b Event) int { return cmp.Compare(a.Sequence.N, b.Sequence.N) })
		tied = slices.DeleteFunc(tied, func(e Event) bool { return e.Sequence.N != top.Sequence.N })
	}
	for _, e := range tied {
		if e.State == schema.OptedOut {
			return schema.OptedOut
		}
	}
	return schema.OptedIn
}

// Since returns the instant of the event that brought about the state in which the
// account is at t; schema.Unknown where it has been so from the start by default.
func (w *World) Since(id schema.AccountID, c schema.Category, t schema.Instant) schema.Instant {
	now := w.StateAt(id, c, t)
	var instants []schema.Instant
	for _, e := range w.Events[w.Account(id)] {
		if e.Category == c && e.At <= t {
			instants = append(instants, e.At)
		}
	}
	slices.Sort(instants)
	instants = slices.Compact(instants)
	for i, at := range slices.Backward(instants) {
		before := w.Policy.Default
		if i > 0 {
			before = w.StateAt(id, c, instants[i-1])
		}
		if before != now {
			return at
		}
	}
	return schema.Unknown
}

// Stretch is a span over which an account's state does not change.
type Stretch struct {
	schema.Span
	State schema.State
}

// Timeline returns the account's consent for the category as spans that follow
// each other from schema.Earliest to the horizon.
func (w *World) Timeline(id schema.AccountID, c schema.Category) []Stretch {
	cuts := []schema.Instant{schema.Earliest}
	for _, e := range w.Events[w.Account(id)] {
		if e.Category == c && e.At > schema.Earliest && e.At < w.Policy.Horizon {
			cuts = append(cuts, e.At)
		}
	}
	slices.Sort(cuts)
	var line []Stretch
	for i, from := range cuts {
		until := w.Policy.Horizon
		if i+1 < len(cuts) {
			until = cuts[i+1]
		}
		if from >= until {
			continue
		}
		state := w.StateAt(id, c, from)
		if n := len(line); n > 0 && line[n-1].State == state {
			line[n-1].Until = until
			continue
		}
		line = append(line, Stretch{schema.Span{From: from, Until: until}, state})
	}
	return line
}
