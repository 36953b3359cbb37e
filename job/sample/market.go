package sample

import (
	"encoding/hex"
	"math"
	"time"
)

// Instants here are microseconds since the epoch, UTC, as most files have them.

var (
	programStart = micros("2026-01-05T00:00:00Z")
	horizon      = micros("2026-11-20T00:00:00Z")
	// never is what many systems store for "no end". In nanoseconds it is beyond int64.
	never = micros("9999-12-31T23:59:59.999999Z")
)

const (
	second = int64(1_000_000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

func micros(rfc3339 string) int64 { return instant(rfc3339).UnixMicro() }

// nanos saturates, as years before 1678 and after 2262 are out of reach.
func nanos(rfc3339 string) int64 {
	switch t := instant(rfc3339); {
	case t.Year() < 1678:
		return -math.MaxInt64
	case t.Year() > 2261:
		return math.MaxInt64
	default:
		return t.UnixNano()
	}
}

func instant(rfc3339 string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, rfc3339)
	if err != nil {
		panic(err) // the argument is one of this package's own constants
	}
	return t.UTC()
}

// account and contract number the accounts and contracts of a market from 0.
type (
	account  uint64
	contract uint64
)

// market is the marketplace of a seed. It is read-only and holds nothing that grows.
type market struct {
	seed                 uint64
	accounts             uint64 // those below freelancers are freelancers, the rest clients
	freelancers          uint64
	contracts            uint64
	accountIDs, ctrctIDs permutation
	vocabulary           *vocabulary
}

const idBits = 40

func newMarket(seed uint64, messages int64) *market {
	m := &market{
		seed:       seed,
		accounts:   uint64(messages) / 20,
		contracts:  uint64(messages) / 25,
		accountIDs: newPermutation(hash(seed, domainAccountID, 0), 1<<idBits),
		ctrctIDs:   newPermutation(hash(seed, domainContractID, 0), 1<<idBits),
		vocabulary: readVocabulary(),
	}
	m.freelancers = m.accounts * 3 / 5
	return m
}

func (m *market) prose(d *dice) *prose { return &prose{dice: d, vocabulary: m.vocabulary} }

func (m *market) appendAccount(dst []byte, a account) []byte {
	return appendID(append(dst, "ac"...), m.accountIDs.at(uint64(a)))
}

func (m *market) appendContract(dst []byte, c contract) []byte {
	return appendID(append(dst, "ct"...), m.ctrctIDs.at(uint64(c)))
}

func (m *market) appendRoom(dst []byte, c contract) []byte {
	return appendID(append(dst, "rm"...), mix(m.ctrctIDs.at(uint64(c)))>>(64-idBits))
}

func appendID(dst []byte, id uint64) []byte {
	return hex.AppendEncode(dst, []byte{byte(id >> 32), byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})
}

// parties returns the two sides of a contract. They follow a sequence that fills
// the plane evenly (Roberts' R2, from the powers of the plastic number), not dice:
// a few contracts have most of the messages, and must not happen upon accounts that
// are all in, or all out.
func (m *market) parties(c contract) (freelancer, client account) {
	const r2x, r2y = 0xc13fa9a902a6328f, 0x91e10da5c79e7b1d
	start := hash(m.seed, domainParties, 0)
	freelancer = account(skew(start+uint64(c)*r2x, m.freelancers))
	client = account(m.freelancers + skew(mix(start)+uint64(c)*r2y, m.accounts-m.freelancers))
	return freelancer, client
}

// guests returns who else is in the room of a contract: nobody in most, else one
// or two more of the clients.
func (m *market) guests(c contract) []account {
	h := hash(m.seed, domainContract, ^uint64(c))
	n := [...]int{0, 0, 0, 0, 0, 0, 0, 1, 1, 2}[h%10]
	guests := make([]account, n)
	for i := range guests {
		h = mix(h + uint64(i))
		guests[i] = account(m.freelancers + h%(m.accounts-m.freelancers))
	}
	return guests
}

// signed reports whether a contract was ever signed; else its room was for talks
// only, and its records have no contract.
func (m *market) signed(c contract) bool { return hash(m.seed, domainContract, uint64(c))%33 != 0 }

// registered reports whether the registry has an account. It lacks a few that the
// data names: closed long ago, or lost in a migration.
func (m *market) registered(a account) bool {
	return hash(m.seed, domainRegistry, uint64(a))%200 != 0
}

// deletionRequests returns how many deletion requests of an account are in force:
// one account in a hundred has one or two, and of those beyond the market, which no
// record names, one in ten.
func (m *market) deletionRequests(a account) int {
	oneIn := uint64(100)
	if uint64(a) >= m.accounts {
		oneIn = 10
	}
	switch h := hash(m.seed, domainDeletion, uint64(a)); {
	case h%oneIn != 0:
		return 0
	case h/oneIn%8 == 0:
		return 2
	}
	return 1
}

// restrictionSpan is one span of a contract's no-AI clause.
type restrictionSpan struct {
	from, until int64 // until none: without end
}

// restrictions returns the spans of a contract: none for most.
func (m *market) restrictions(c contract) []restrictionSpan {
	h := hash(m.seed, domainRestriction, uint64(c))
	if h%16 != 0 {
		return nil
	}
	d := newDice(h)
	from := midnight(d.between(programStart-200*day, horizon))
	middle := from + (7+int64(d.below(60)))*day
	until := middle + (7+int64(d.below(90)))*day
	switch k := d.below(100); {
	case k < 30:
		return []restrictionSpan{{from: from, until: none}}
	case k < 65:
		return []restrictionSpan{{from: from, until: until}}
	case k < 80: // extended, day to day
		return []restrictionSpan{{from: from, until: middle}, {from: middle, until: until}}
	case k < 90:
		return []restrictionSpan{{from: from, until: never}}
	default: // renewed after a pause
		return []restrictionSpan{{from: from, until: middle}, {from: until, until: none}}
	}
}

func midnight(at int64) int64 { return at - at%day }
