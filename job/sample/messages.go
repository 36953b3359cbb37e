package sample

import (
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v17/arrow/array"
)

// messageRow is a row of messages; nil and none are null.
type messageRow struct {
	id, contract, room, freelancer, client, sender []byte

	sent, edited int64
	body         []byte
	attachments  int32
	participants [][]byte // an element may be null too
}

type messageTable struct {
	*table
	id, contract, room, freelancer, client, sender, body textColumn

	sent, edited timeColumn
	attachments  *array.Int32Builder
	participants *array.ListBuilder
	participant  textColumn
}

func newMessageTable(t *table) *messageTable {
	list := field[*array.ListBuilder](t, 10)
	return &messageTable{
		table: t,
		id:    text(t, 0), contract: text(t, 1), room: text(t, 2), freelancer: text(t, 3), client: text(t, 4), sender: text(t, 5),
		sent: instants(t, 6), edited: instants(t, 7), body: text(t, 8), attachments: field[*array.Int32Builder](t, 9),
		participants: list, participant: textColumn{list.ValueBuilder().(*array.StringBuilder)},
	}
}

func (t *messageTable) add(r *messageRow) error {
	t.id.put(r.id)
	t.contract.put(r.contract)
	t.room.put(r.room)
	t.freelancer.put(r.freelancer)
	t.client.put(r.client)
	t.sender.put(r.sender)
	t.sent.put(r.sent)
	t.edited.put(r.edited)
	t.body.put(r.body)
	t.attachments.Append(r.attachments)
	t.participants.Append(r.participants != nil)
	for _, p := range r.participants {
		t.participant.put(p)
	}
	return t.row()
}

// talk is what goes on in a room: what the messages of a contract have in common.
type talk struct {
	contract, room, freelancer, client []byte

	participants [][]byte
}

func (m *market) talk(c contract) talk {
	f, cl := m.parties(c)
	t := talk{
		room:       m.appendRoom(nil, c),
		freelancer: m.appendAccount(nil, f),
		client:     m.appendAccount(nil, cl),
	}
	if m.signed(c) {
		t.contract = m.appendContract(nil, c)
	}
	t.participants = [][]byte{t.freelancer, t.client}
	for _, guest := range m.guests(c) {
		t.participants = append(t.participants, m.appendAccount(nil, guest))
	}
	return t
}

// talks is how many rooms are busy at a time; talkLength how many messages one has
// before another takes its place.
const (
	talks      = 64
	talkLength = 14
)

// messages writes the rows of one file. Rows are about in the order in which they
// were sent: they are in that of their load.
func (m *market) messages(f file, base *table) error {
	t := newMessageTable(base)
	next := f.first
	if f.planted {
		for i := range goldenMessages {
			if err := t.add(goldenMessages[i].message(i)); err != nil {
				return err
			}
		}
		next += int64(len(goldenMessages))
	}
	d := newDice(hash(m.seed, domainFile, f.number))
	p := &prose{dice: d}
	busy := make([]talk, talks)
	for i := range busy {
		busy[i] = m.talk(contract(d.skewed(m.contracts)))
	}
	var r messageRow
	for ; next < f.first+f.rows; next++ {
		now := &busy[d.below(talks)]
		if d.oneIn(talkLength) {
			*now = m.talk(contract(d.skewed(m.contracts)))
		}
		r = messageRow{
			id: fmt.Appendf(r.id[:0], "m-%012d", next), contract: now.contract, room: now.room,
			freelancer: now.freelancer, client: now.client, participants: now.participants,
		}
		r.sent, r.edited = f.moments(d, next, 10)
		r.blur(d, now)
		if !d.oneIn(50) {
			if r.body = p.message(); d.oneIn(200) {
				r.body = r.body[:0]
			}
		}
		if d.oneIn(9) {
			r.attachments = 1 + int32(d.skewed(6))
		}
		if err := t.add(&r); err != nil {
			return err
		}
	}
	return nil
}

// blur says who sends, and leaves out what real exports lack now and then.
func (r *messageRow) blur(d *dice, t *talk) {
	switch k := d.below(1000); {
	case k < 3: // a bot, or an account that is gone
	case k < 480:
		r.sender = t.freelancer
	default:
		r.sender = pick(d, t.participants)
	}
	switch d.below(1000) {
	case 0, 1:
		r.freelancer = nil
	case 2, 3:
		r.client = nil
	case 4:
		r.client = []byte{}
	case 5, 6:
		r.sent = none
	case 7, 8, 9:
		r.participants = nil
	}
}

// moments returns when row number i of a file came to be, and when it was changed
// later, which happens to one row in so many. Rows are spread evenly over the file's
// loads; most are loaded within minutes, some days late.
func (f *file) moments(d *dice, i int64, changed uint64) (first, second int64) {
	// In two steps, as span times rows may exceed an int64.
	slot := (f.until - f.from) / max(f.rows, 1)
	first = f.from + slot*(i-f.first) + d.between(0, slot+1)
	switch k := d.below(100); {
	case k < 80:
		first -= d.between(0, 2*minute)
	case k < 95:
		first -= d.between(0, 6*hour)
	default:
		first -= d.between(0, 3*day)
	}
	if !d.oneIn(changed) {
		return first, none
	}
	if d.oneIn(4) {
		return first, first + d.between(hour, 21*day)
	}
	return first, first + d.between(second, hour)
}

// message is golden row number i as a row of messages.
func (g *goldenRow) message(i int) *messageRow {
	r := &messageRow{
		id:         []byte(g.Record),
		contract:   goldenText(g.contractID()),
		room:       []byte("golden-room"),
		freelancer: goldenText(g.freelancer()),
		client:     goldenText(g.client()),
		sent:       goldenInstant(g.first, micros),
		edited:     goldenInstant(g.second, micros),
		body:       []byte("golden: " + g.Why),
	}
	r.sender = goldenText(or(g.other, g.freelancer()))
	switch g.room {
	case null:
	case empty:
		r.participants = [][]byte{}
	case "":
		r.participants = [][]byte{r.freelancer, r.client}
	default:
		for p := range strings.SplitSeq(g.room, ",") {
			r.participants = append(r.participants, goldenText(p))
		}
	}
	// Content has edges too.
	switch i % 8 {
	case 1:
		r.body = nil
	case 3:
		r.body = []byte{}
	case 5:
		r.body = append(r.body, " 🙂\nand a second line\n"...)
	case 7:
		r.body = append(r.body, strings.Repeat(" как дела? 好的。", 400)...)
	}
	return r
}
