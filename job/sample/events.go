package sample

import (
	"fmt"
	"slices"
)

// eventRow is a row of events. A null is nil, and the instant 0: the library allows a
// pointer no delta encoding.
type eventRow struct {
	ID         []byte `parquet:"event_id,string,delta"`
	Actor      []byte `parquet:"account_id,string,dict,optional"`
	Target     []byte `parquet:"target_account_id,string,dict,optional"`
	Occurred   int64  `parquet:"occurred_at,timestamp(microsecond),delta,optional"`
	Kind       string `parquet:"kind,dict"`
	Visibility []byte `parquet:"visibility,string,dict,optional"` // of postings
	Properties *pairs `parquet:"properties"`
}

// acts are the kinds of event, whether another account is their target, and the
// properties that they have, each by a template of prose.
var acts = []struct {
	kind       string
	targeted   bool
	properties [][2]string
}{
	{"search", false, [][2]string{{"query", ""}, {"results", "%#"}, {"page", "%z"}}},
	{"search_filter", false, [][2]string{{"field", "%n"}, {"value", "%a"}}},
	{"view_job", false, [][2]string{{"job", "%o"}, {"position", "%z"}, {"referrer", "%l"}}},
	{"view_profile", true, [][2]string{{"source", "%n"}, {"seconds", "%#"}}},
	{"save_job", false, [][2]string{{"job", "%o"}, {"folder", "%a %n"}}},
	{"post_job", false, [][2]string{{"title", "%a %n for %F"}, {"budget", "%m"}, {"skills", "%n, %n, %n"}, {"location", "anywhere"}}},
	{"edit_job", false, [][2]string{{"job", "%o"}, {"field", "%n"}}},
	{"close_job", false, [][2]string{{"job", "%o"}, {"reason", "%p"}}},
	{"submit_proposal", true, [][2]string{{"job", "%o"}, {"bid", "%m"}, {"letter", "%S. %S."}, {"boosted", "no"}}},
	{"withdraw_proposal", true, [][2]string{{"job", "%o"}, {"reason", "%S"}}},
	{"invite", true, [][2]string{{"job", "%o"}, {"note", "%S."}}},
	{"accept_invite", true, [][2]string{{"job", "%o"}}},
	{"decline_invite", true, [][2]string{{"job", "%o"}, {"reason", "%S"}}},
	{"offer", true, [][2]string{{"job", "%o"}, {"rate", "%m"}}},
	{"hire", true, [][2]string{{"job", "%o"}, {"rate", "%m"}, {"weekly_limit", "%z"}}},
	{"end_contract", true, [][2]string{{"reason", "%p"}, {"rating", "%z"}}},
	{"review", true, [][2]string{{"rating", "%z"}, {"text", "%S. %S!"}}},
	{"update_profile", false, [][2]string{{"section", "%n"}, {"words", "%#"}}},
	{"add_skill", false, [][2]string{{"skill", "%n %g"}}},
	{"take_test", false, [][2]string{{"test", "%I"}, {"score", "%z"}}},
	{"login", false, [][2]string{{"device", "%I %z"}, {"city", "%N"}, {"session", "%o"}}},
	{"page_view", false, [][2]string{{"path", "/%n/%n"}, {"ms", "%#"}}},
}

// events writes the rows of one file.
func (m *market) events(f file, t *table) error {
	next := f.first
	if f.planted {
		for i, g := range goldenRows("events") {
			if err := t.add(g.event(i)); err != nil {
				return err
			}
			next++
		}
	}
	d := newDice(hash(m.seed, domainFile, f.number))
	p := m.prose(d)
	var r eventRow
	var actor, target []byte
	for ; next < f.first+f.rows; next++ {
		act := &acts[d.skewed(uint64(len(acts)))]
		actor = m.appendAccount(actor[:0], m.anyone(d))
		r = eventRow{ID: fmt.Appendf(r.ID[:0], "e-%012d", next), Actor: actor, Kind: act.kind}
		described := !d.oneIn(30)
		if act.targeted {
			target = m.appendAccount(target[:0], m.anyone(d))
			r.Target = target
		}
		r.Occurred, _ = f.moments(d, next, 2)
		r.Visibility = m.visibility(act.kind, next)
		switch d.below(500) {
		case 0, 1:
			r.Actor = nil
		case 2:
			r.Occurred = 0
		}
		if described {
			r.Properties = propertiesOf(act.properties, d, p)
		}
		if err := t.add(&r); err != nil {
			return err
		}
	}
	return nil
}

// visibility is who may see a posting: all, those who are invited, or nobody but its author. It has dice of its own, by the number
// of the row.
func (m *market) visibility(kind string, number int64) []byte {
	if kind != "post_job" && kind != "edit_job" {
		return nil
	}
	switch hash(m.seed, domainVisibility, uint64(number)) % 12 {
	case 0:
		return []byte("private")
	case 1, 2:
		return []byte("invited")
	}
	return []byte("public")
}

// propertiesOf writes the properties of an act. A few are missing.
func propertiesOf(templates [][2]string, d *dice, p *prose) *pairs {
	all := new(pairs)
	for _, template := range templates {
		property := pair{Key: template[0]}
		switch k := d.below(20); {
		case k == 0:
			continue
		case k == 1:
		case template[1] == "":
			property.Value = slices.Clone(p.line(p.Searches))
		default:
			p.buf = p.buf[:0]
			p.expand(template[1])
			property.Value = slices.Clone(p.buf)
		}
		all.Pairs = append(all.Pairs, property)
	}
	return all
}

// anyone draws an account, of either side, the active ones likelier.
func (m *market) anyone(d *dice) account {
	if d.oneIn(2) {
		return account(d.skewed(m.freelancers))
	}
	return account(m.freelancers + d.skewed(m.accounts-m.freelancers))
}

// event is golden row number i as a row of events.
func (g *goldenRow) event(i int) *eventRow {
	r := &eventRow{
		ID:     []byte(g.Record),
		Actor:  goldenText(g.freelancer()),
		Target: goldenText(or(g.other, null)),
		Kind:   "golden",

		Visibility: goldenText(or(g.room, null)),
	}
	if at := goldenInstant(g.first, micros); at != nil {
		r.Occurred = *at
	}
	switch i % 4 {
	case 1:
		r.Properties = &pairs{[]pair{{"why", []byte(g.Why)}, {"nothing", nil}}}
	case 2:
		r.Properties = &pairs{[]pair{{"", []byte{}}}}
	case 3:
		r.Properties = &pairs{}
	}
	return r
}
