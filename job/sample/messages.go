package sample

import (
	"fmt"
	"strings"
)

// messageRow is a row of messages. A null is nil; an empty text or list is not.
type messageRow struct {
	ID           []byte `parquet:"message_id,string,plain"`
	Contract     []byte `parquet:"contract_id,string,dict,optional"`
	Room         []byte `parquet:"room_id,string,dict"`
	Freelancer   []byte `parquet:"freelancer_id,string,dict,optional"`
	Client       []byte `parquet:"client_id,string,dict,optional"`
	Sender       []byte `parquet:"sender_id,string,dict,optional"`
	Sent         *int64 `parquet:"sent_at,timestamp(microsecond),plain"`
	Edited       *int64 `parquet:"edited_at,timestamp(microsecond),plain"`
	Body         []byte `parquet:"body,string,plain,optional"`
	Attachments  int32  `parquet:"attachments,plain"`
	Participants *texts `parquet:"participants"`
}

// talk is what goes on in a room: what the messages of a contract have in common.
type talk struct {
	contract, room, freelancer, client []byte

	participants *texts
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
	t.participants = &texts{[]text{{t.freelancer}, {t.client}}}
	for _, guest := range m.guests(c) {
		t.participants.List = append(t.participants.List, text{m.appendAccount(nil, guest)})
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
func (m *market) messages(f file, t *table) error {
	next := f.first
	if f.planted {
		for i, g := range goldenRows("messages") {
			if err := t.add(g.message(i)); err != nil {
				return err
			}
			next++
		}
	}
	d := newDice(hash(m.seed, domainFile, f.number))
	p := m.prose(d)
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
			ID: fmt.Appendf(r.ID[:0], "m-%012d", next), Contract: now.contract, Room: now.room,
			Freelancer: now.freelancer, Client: now.client, Participants: now.participants,
		}
		sent, edited := f.moments(d, next, 10)
		r.Sent, r.Edited = nullable(sent), nullable(edited)
		r.blur(d, now)
		if !d.oneIn(50) {
			if r.Body = p.message(); d.oneIn(200) {
				r.Body = r.Body[:0]
			}
			m.addContact(&r, next)
		}
		if d.oneIn(9) {
			r.Attachments = 1 + int32(d.skewed(6))
		}
		if err := t.add(&r); err != nil {
			return err
		}
	}
	return nil
}

// addContact lets some messages end in what lets a person be reached. It has dice of its own, by the number of the row.
func (m *market) addContact(r *messageRow, number int64) {
	d := newDice(hash(m.seed, domainContact, uint64(number)))
	if len(r.Body) == 0 || !d.oneIn(40) {
		return
	}
	p := m.prose(d)
	p.buf = append(r.Body, ' ')
	p.expand(pick(d, p.Contacts))
	r.Body = p.buf
}

// blur says who sends, and leaves out what real exports lack now and then.
func (r *messageRow) blur(d *dice, t *talk) {
	switch k := d.below(1000); {
	case k < 3: // a bot, or an account that is gone
	case k < 480:
		r.Sender = t.freelancer
	default:
		r.Sender = pick(d, t.participants.List).Element
	}
	switch d.below(1000) {
	case 0, 1:
		r.Freelancer = nil
	case 2, 3:
		r.Client = nil
	case 4:
		r.Client = []byte{}
	case 5, 6:
		r.Sent = nil
	case 7, 8, 9:
		r.Participants = nil
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
		ID:         []byte(g.Record),
		Contract:   goldenText(g.contractID()),
		Room:       []byte("golden-room"),
		Freelancer: goldenText(g.freelancer()),
		Client:     goldenText(g.client()),
		Sent:       goldenInstant(g.first, micros),
		Edited:     goldenInstant(g.second, micros),
		Body:       []byte("golden: " + g.Why),
	}
	r.Sender = goldenText(or(g.other, g.freelancer()))
	switch g.room {
	case null:
	case empty:
		r.Participants = new(texts)
	case "":
		r.Participants = &texts{[]text{{r.Freelancer}, {r.Client}}}
	default:
		r.Participants = new(texts)
		for p := range strings.SplitSeq(g.room, ",") {
			r.Participants.List = append(r.Participants.List, text{goldenText(p)})
		}
	}
	// Content has edges too.
	switch i % 8 {
	case 1:
		r.Body = nil
	case 3:
		r.Body = []byte{}
	case 5:
		r.Body = append(r.Body, " 🙂\nand a second line\n"...)
	case 7:
		r.Body = append(r.Body, strings.Repeat(" как дела? 好的。", 400)...)
	}
	return r
}
