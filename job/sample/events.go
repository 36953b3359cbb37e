package sample

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/array"
)

// eventRow is a row of events; nil and none are null.
type eventRow struct {
	id, actor, target []byte
	occurred          int64
	kind              string
	properties        bool // not null
}

type eventTable struct {
	*table
	id, actor, target textColumn
	occurred          timeColumn
	kind              textColumn
	properties        *array.MapBuilder
	key, value        textColumn
}

func newEventTable(t *table) *eventTable {
	properties := field[*array.MapBuilder](t, 5)
	return &eventTable{
		table: t,
		id:    text(t, 0), actor: text(t, 1), target: text(t, 2), occurred: instants(t, 3), kind: text(t, 4), properties: properties,
		key:   textColumn{properties.KeyBuilder().(*array.StringBuilder)},
		value: textColumn{properties.ItemBuilder().(*array.StringBuilder)},
	}
}

// begin appends all of a row but its properties, which follow with property, and
// then row.
func (t *eventTable) begin(r *eventRow) {
	t.id.put(r.id)
	t.actor.put(r.actor)
	t.target.put(r.target)
	t.occurred.put(r.occurred)
	t.kind.Append(r.kind)
	t.properties.Append(r.properties)
}

func (t *eventTable) property(key string, value []byte) {
	t.key.Append(key)
	t.value.put(value)
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
	{"post_job", false, [][2]string{{"title", "%a %n for %F"}, {"budget", "%m"}, {"skills", "%n, %n, %n"}, {"visibility", "public"}}},
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
func (m *market) events(f file, base *table) error {
	t := newEventTable(base)
	next := f.first
	if f.planted {
		for i := range goldenEvents {
			if err := t.golden(&goldenEvents[i], i); err != nil {
				return err
			}
		}
		next += int64(len(goldenEvents))
	}
	d := newDice(hash(m.seed, domainFile, f.number))
	p := &prose{dice: d}
	var r eventRow
	var actor, target []byte
	for ; next < f.first+f.rows; next++ {
		act := &acts[d.skewed(uint64(len(acts)))]
		actor = m.appendAccount(actor[:0], m.anyone(d))
		r = eventRow{id: fmt.Appendf(r.id[:0], "e-%012d", next), actor: actor, kind: act.kind, properties: !d.oneIn(30)}
		if act.targeted {
			target = m.appendAccount(target[:0], m.anyone(d))
			r.target = target
		}
		r.occurred, _ = f.moments(d, next, 2)
		switch d.below(500) {
		case 0, 1:
			r.actor = nil
		case 2:
			r.occurred = none
		}
		t.begin(&r)
		if r.properties {
			for _, property := range act.properties {
				t.describe(d, p, property[0], property[1])
			}
		}
		if err := t.row(); err != nil {
			return err
		}
	}
	return nil
}

// describe adds a property, unless it is one of the few that are missing.
func (t *eventTable) describe(d *dice, p *prose, key, template string) {
	switch k := d.below(20); {
	case k == 0:
	case k == 1:
		t.property(key, nil)
	case template == "":
		t.property(key, p.line(searches))
	default:
		p.buf = p.buf[:0]
		p.expand(template)
		t.property(key, p.buf)
	}
}

// anyone draws an account, of either side, the active ones likelier.
func (m *market) anyone(d *dice) account {
	if d.oneIn(2) {
		return account(d.skewed(m.freelancers))
	}
	return account(m.freelancers + d.skewed(m.accounts-m.freelancers))
}

func (t *eventTable) golden(g *goldenRow, i int) error {
	t.begin(&eventRow{
		id:         []byte(g.Record),
		actor:      goldenText(g.freelancer()),
		target:     goldenText(or(g.other, null)),
		occurred:   goldenInstant(g.first, micros),
		kind:       "golden",
		properties: i%4 != 0,
	})
	switch i % 4 {
	case 1:
		t.property("why", []byte(g.Why))
		t.property("nothing", nil)
	case 2:
		t.property("", []byte{})
	}
	return t.row()
}
