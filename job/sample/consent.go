package sample

// consentEvent is one turn of an account's switch for one category.
type consentEvent struct {
	category string
	in       bool
	at       int64
	sequence int64
}

// Which switches an account turns at once.
var switches = [...][]string{
	{"communications", "work_product", "platform"},
	{"communications", "work_product"},
	{"communications"},
	{"platform"},
	{"work_product"},
}

// turn is a consentEvent before it is known of which switches.
type turn struct {
	in       bool
	at       int64
	sequence int64
}

// behaviours, in fortieths: of every 40 accounts in a row this many do so. Shares
// that are exact keep the share of excluded records about the same for every seed,
// though a few accounts are far more active than the others.
const (
	leaves      = 9 // opts out for good
	pauses      = 2 // opts out, and in again
	refuses     = 2 // opted out before the programme started
	reconsiders = 1 // the same, and in later
	wavers      = 1 // turns the switch often, also to where it is
	races       = 1 // two events at one instant
	confirms    = 2 // opts in explicitly, or out in a future that never comes

	behaviourBlock = 40
)

// history appends an account's consent events, in no particular order.
func (m *market) history(dst []consentEvent, a account) []consentEvent {
	block := uint64(a) / behaviourBlock
	place := (uint64(a) + hash(m.seed, domainConsentBlock, block)) % behaviourBlock
	var turns func(*dice) []turn
	for _, b := range [...]struct {
		share uint64
		turns func(*dice) []turn
	}{
		{leaves, leave}, {pauses, pause}, {refuses, refuse}, {reconsiders, reconsider},
		{wavers, waver}, {races, race}, {confirms, confirm},
	} {
		if place < b.share {
			turns = b.turns
			break
		}
		place -= b.share
	}
	if turns == nil {
		return dst
	}
	d := newDice(hash(m.seed, domainConsent, uint64(a)))
	var which []string
	switch k := d.below(100); {
	case k < 55:
		which = switches[0]
	case k < 80:
		which = switches[1]
	case k < 90:
		which = switches[2]
	case k < 96:
		which = switches[3]
	default:
		which = switches[4]
	}
	for _, t := range turns(d) {
		for _, category := range which {
			dst = append(dst, consentEvent{category, t.in, t.at, t.sequence})
		}
	}
	return dst
}

func during(d *dice) int64 { return d.between(programStart, horizon) }

func leave(d *dice) []turn { return []turn{{false, during(d), 1}} }

func pause(d *dice) []turn {
	out := during(d)
	return []turn{{false, out, 1}, {true, out + d.between(day, 90*day), 2}}
}

func refuse(d *dice) []turn {
	return []turn{{false, d.between(programStart-60*day, programStart), 1}}
}

func reconsider(d *dice) []turn {
	return append(refuse(d), turn{true, during(d), 2})
}

func waver(d *dice) []turn {
	var turns []turn
	at, in := programStart+d.between(0, 60*day), false
	for i := range 4 + int64(d.below(9)) {
		turns = append(turns, turn{in, at, i + 1})
		at += d.between(minute, 40*day)
		if !d.oneIn(4) { // else says the same again
			in = !in
		}
	}
	return turns
}

// race has two events at one instant. The sequence decides, either way, or it does
// not, and then out wins; and a while later the account may be in again.
func race(d *dice) []turn {
	at := during(d)
	var turns []turn
	switch d.below(3) {
	case 0:
		turns = []turn{{true, at, 2}, {false, at, 1}}
	case 1:
		turns = []turn{{true, at, 1}, {false, at, 2}}
	default:
		turns = []turn{{true, at, 1}, {false, at, 1}}
	}
	if d.oneIn(2) {
		turns = append(turns, turn{true, at + d.between(hour, 30*day), 3})
	}
	return turns
}

func confirm(d *dice) []turn {
	if d.oneIn(4) {
		return []turn{{true, programStart, 1}, {false, never, 2}}
	}
	return []turn{{true, d.between(programStart-30*day, horizon), 1}}
}
