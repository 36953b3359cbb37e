package filter

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"assent/schema"
)

// Faults of what a builder is told. Each is bad input for the run.
var (
	ErrNoID       = errors.New("the id is null or empty")
	ErrLongID     = fmt.Errorf("the id is longer than %d bytes", MaxIDLen)
	ErrNoInstant  = errors.New("the instant is null")
	ErrNoCategory = errors.New("there is no such category")
	ErrInverted   = errors.New("the span ends before it begins")
	ErrTooMany    = errors.New("too many accounts or events for one index")
)

// Sequence orders events of one instant. The zero value is "none".
type Sequence struct {
	N     int64
	Valid bool
}

// Builder gathers what an [Index] is frozen from. Calls may come in any order;
// the index does not depend on it. Not safe for concurrent use.
//
// Memory while building: some 8 to 14 bytes an event, by how far apart instants and
// sequences lie, beside the ids. Freeze frees events as it goes and holds no more than
// the builder did, or one and a half times the index.
type Builder struct {
	accounts  *idTable
	flags     []accountFlags
	registry  bool
	events    eventLog
	deletions map[Account]Deletion
	contracts *idTable
	clauses   []clause
	members   []member

	aliases map[Account]Account // each to the id that its row names
	nearer  map[Account]Account // each to one further on in its chain
}

type clause struct {
	contract int32
	span     schema.Span
}

// eventKind packs the new state (bit 0), whether the event has a sequence (bit 1) and
// the category (from bit 2 on).
type eventKind uint8

const (
	kindState     eventKind = 1
	kindSequenced eventKind = 1 << 1
	kindCategory            = 2 // by how many bits the category is shifted

	_ = eventKind(schema.NumCategories-1) << kindCategory // does not compile where a category does not fit
)

func (k eventKind) category() schema.Category { return schema.Category(k >> kindCategory) }
func (k eventKind) state() schema.State       { return schema.State(k & kindState) }
func (k eventKind) sequenced() bool           { return k&kindSequenced != 0 }

// NewBuilder returns an empty builder.
func NewBuilder() *Builder {
	return &Builder{accounts: newIDTable(), deletions: map[Account]Deletion{}, contracts: newIDTable()}
}

// Event adds an event of the consent history. The account is one that b.Account returned.
func (b *Builder) Event(a Account, c schema.Category, s schema.State, at schema.Instant, seq Sequence) error {
	switch {
	case at == schema.Unknown:
		return ErrNoInstant
	case c >= schema.NumCategories:
		return ErrNoCategory
	}
	if b.events.n == math.MaxUint32-1 {
		return ErrTooMany
	}
	kind := eventKind(c)<<kindCategory | eventKind(s)
	if seq.Valid {
		kind |= kindSequenced
	}
	b.events.add(a, at, kind, seq.N)
	return nil
}

// Delete adds a deletion request in force. Of several requests of one account the
// earliest counts as the cause, at one instant that with the smallest id; requests
// without an instant come last.
func (b *Builder) Delete(a Account, d Deletion) {
	b.flags[a] |= flagDeleted
	if old, ok := b.deletions[a]; !ok || compareDeletions(d, old) < 0 {
		b.deletions[a] = d
	}
}

// UseRegistry says that a registry of accounts is given: an account that Register
// is not called for is unknown, also if the registry is empty.
func (b *Builder) UseRegistry() { b.registry = true }

// Register adds an account of the registry.
func (b *Builder) Register(a Account) { b.flags[a] |= flagRegistered }

// Restrict adds a contract's no-AI clause over a span. An open span ends at schema.Forever.
func (b *Builder) Restrict(contract []byte, s schema.Span) error {
	if err := CheckRestriction(contract, s); err != nil {
		return err
	}
	if b.contracts.len() == math.MaxInt32 || len(b.clauses) == math.MaxUint32-1 {
		return ErrTooMany
	}
	b.clauses = append(b.clauses, clause{b.contracts.insert(contract, b.contracts.tag(contract)), s})
	return nil
}

// CheckRestriction returns what is wrong with a clause, nil if nothing is.
func CheckRestriction(contract []byte, s schema.Span) error {
	switch {
	case len(contract) == 0:
		return ErrNoID
	case len(contract) > MaxIDLen:
		return ErrLongID
	case s.From == schema.Unknown || s.Until == schema.Unknown:
		return ErrNoInstant
	case s.Until < s.From:
		return ErrInverted
	}
	return nil
}

// Events returns how many events were added.
func (b *Builder) Events() int { return b.events.n }

// BuilderSize says what a builder holds, and what freezing takes beside. All are bytes, about.
type BuilderSize struct {
	IDs    int64 // held, as the index will
	Events int64 // held until they are frozen
	Starts int64 // that freezing takes, as the index will
}

// Held is what the builder holds.
func (s BuilderSize) Held() int64 { return s.IDs + s.Events }

// Freezing is what freezing holds at most, where there are few events an account.
func (s BuilderSize) Freezing() int64 { return s.IDs + s.Events + s.Starts }

// Index is what the index will hold at least.
func (s BuilderSize) Index() int64 { return s.IDs + s.Starts }

// Size returns what the builder holds; deletion requests, aliases and memberships apart.
func (b *Builder) Size() BuilderSize {
	return BuilderSize{
		IDs:    b.accounts.size() + int64(cap(b.flags)) + b.contracts.size() + 24*int64(cap(b.clauses)),
		Events: b.events.size(),
		Starts: 2 * schema.NumCategories * int64(b.accounts.len()),
	}
}

// Account returns the account with the canonical id, a new one if need be. An id
// that is repeated, such as an entry of a dictionary, needs to be asked for once.
func (b *Builder) Account(id []byte) (Account, error) {
	if len(id) == 0 {
		return Null, ErrNoID
	}
	return b.account(id, b.accounts.tag(id))
}

// AppendAccounts appends the accounts of many ids to dst, new ones if need be,
// several times faster than one by one; Null for an empty id. The ids are given as
// to [Index.AppendAccounts].
func (b *Builder) AppendAccounts(dst []Account, data []byte, first uint32, ends []uint32) (_ []Account, err error) {
	var sum uint32
	forBatches(data, first, ends, func(ids [][]byte) {
		var tags [warm]uint64
		sum += b.accounts.tags(ids, &tags)
		for i, id := range ids {
			a := Null
			if len(id) > 0 && err == nil {
				a, err = b.account(id, tags[i])
			}
			dst = append(dst, a)
		}
	})
	keep(sum)
	return dst, err
}

func (b *Builder) account(id []byte, tag uint64) (Account, error) {
	switch {
	case len(id) > MaxIDLen:
		return 0, ErrLongID
	case b.accounts.len() == math.MaxInt32:
		return 0, ErrTooMany
	}
	n := b.accounts.insert(id, tag)
	if int(n) == len(b.flags) {
		b.flags = append(b.flags, 0)
	}
	return Account(n), nil
}

// Freeze returns the index for a policy and ends the builder's life.
func (b *Builder) Freeze(p Policy) *Index {
	x := &Index{Facts: Facts{policy: p, registry: b.registry, flags: b.flags}, accounts: b.accounts, contracts: b.contracts}
	b.events.flag(x.flags, flagHistory)
	b.freezeAliases(x)
	x.deletions = newDeletionList(b.deletions)
	b.deletions = nil
	b.freezeTimelines(x)
	b.freezeMembers(x)
	b.freezeRestrictions(x)
	x.countHistory()
	*b = Builder{}
	return x
}

// countHistory counts the accounts that have an event in the consent history.
func (x *Facts) countHistory() {
	for id, f := range x.flags {
		if f&flagHistory != 0 && x.Same(Account(id)) == Account(id) {
			x.inHistory++
		}
	}
}

// collect collects garbage after so many bytes were let go, and reports whether they are so many that it did. Left to itself the collector
// comes when the next large slice is there already.
func collect(bytes int64) bool {
	const many = 32 << 20
	if bytes < many {
		return false
	}
	runtime.GC()
	return true
}

// freezeTimelines keeps of each timeline the flips.
func (b *Builder) freezeTimelines(x *Index) {
	accounts := b.accounts.len()
	x.first = newPackedStarts(accounts * schema.NumCategories)
	flips := make([][]schema.Instant, 0, len(b.events.blocks)) // a block's each
	var sorted timelines
	var at []schema.Instant // flips of a block
	out, key := uint32(0), 0
	freed := int64(0) // bytes of events since garbage was collected
	for i := range b.events.blocks {
		freed += b.events.blocks[i].size()
		here := min(blockAccounts, accounts-i*blockAccounts)
		sorted.sort(&b.events.blocks[i], here)
		at = at[:0]
		for k := range here * schema.NumCategories {
			x.first.append(out + uint32(len(at)))
			if t := sorted.of(k); len(t) > 0 {
				before := len(at)
				if at = t.appendFlips(at, x.policy.Default); len(at) > before {
					x.flags[key/schema.NumCategories] |= flagTimeline << (key % schema.NumCategories)
				}
			}
			key++
		}
		out += uint32(len(at))
		flips = append(flips, slices.Clone(at))
		if collect(freed) { // the starts and flips of the index take their place
			freed = 0
		}
	}
	for ; key <= accounts*schema.NumCategories; key++ {
		x.first.append(out)
	}
	sorted, at = timelines{}, nil
	collect(freed + 8*int64(out)) // as much is asked for now
	x.flips = make([]schema.Instant, 0, out)
	for i, f := range flips {
		x.flips = append(x.flips, f...)
		flips[i] = nil
	}
}

func (b *Builder) freezeRestrictions(x *Index) {
	slices.SortFunc(b.clauses, func(p, q clause) int {
		return cmp.Or(cmp.Compare(p.contract, q.contract), cmp.Compare(p.span.From, q.span.From), cmp.Compare(p.span.Until, q.span.Until))
	})
	x.spanFirst = make([]uint32, b.contracts.len()+1)
	for _, c := range b.clauses {
		x.spanFirst[c.contract+1]++
		x.spans = append(x.spans, c.span.From, c.span.Until)
	}
	for c := 1; c < len(x.spanFirst); c++ {
		x.spanFirst[c] += x.spanFirst[c-1]
	}
}

// timeline is the events of one account and category.
type timeline []event

// appendFlips sorts the events by instant and appends the instants at which the state turns over to dst.
func (t timeline) appendFlips(dst []schema.Instant, state schema.State) []schema.Instant {
	t.sort()
	for len(t) > 0 {
		at := t[0].at
		n := 1
		for n < len(t) && t[n].at == at {
			n++
		}
		if s := t[:n].settle(); s != state {
			state = s
			dst = append(dst, at)
		}
		t = t[n:]
	}
	return dst
}

// sort sorts by instant. Nearly every timeline has a handful of events, for which insertion needs neither a call nor a pivot.
func (t timeline) sort() {
	if len(t) > 12 {
		slices.SortFunc(t, func(a, b event) int { return cmp.Compare(a.at, b.at) })
		return
	}
	for i := 1; i < len(t); i++ {
		for j := i; j > 0 && t[j].at < t[j-1].at; j-- {
			t[j], t[j-1] = t[j-1], t[j]
		}
	}
}

// settle returns the state that events of one instant leave: that of the highest sequence; opted out at equal sequences, and where
// an event among them has no sequence and so cannot be ordered.
func (t timeline) settle() schema.State {
	if len(t) == 1 {
		return t[0].kind.state()
	}
	ordered, top := true, int64(math.MinInt64)
	for i := range t {
		ordered = ordered && t[i].kind.sequenced()
		top = max(top, t[i].seq)
	}
	for i := range t {
		if (!ordered || t[i].seq == top) && t[i].kind.state() == schema.OptedOut {
			return schema.OptedOut
		}
	}
	return schema.OptedIn
}
