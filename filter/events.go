package filter

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"unsafe"

	"assent/schema"
)

// eventLog holds the events that a builder is told until they are frozen, as small as
// can be: an index of millions of accounts is built in little more than it takes.
//
// Events are kept apart by blocks of consecutive accounts. So an event names its
// account in two bytes, and freezing sorts one block at a time, in the cache, and frees
// it before the next. Within a block, full chunks are packed: instants and sequences as
// the distance from the chunk's smallest, in as many bytes as the largest distance takes.
type eventLog struct {
	blocks []eventBlock
	n      int
}

const (
	accountBits   = 15 // of an account's number within its block, at most 16
	blockAccounts = 1 << accountBits

	// chunkEvents is such that a packed chunk just fits into what the allocator gives for it, at nearly every number of bytes an event.
	// With 2 more, chunks of 8 bytes an event would take an eighth more memory.
	chunkEvents = 1<<11 - 2
)

type eventBlock struct {
	packed []packedChunk
	open   []event // a chunk that is not full
}

func (b *eventBlock) len() int { return len(b.packed)*chunkEvents + len(b.open) }

// event is an event of a block. All of it lies in one place: blocks get theirs in turn, and each place is a miss of the caches.
type event struct {
	at      schema.Instant
	seq     int64
	account uint16 // within the block
	kind    eventKind
}

// packedChunk is a full chunk: accounts, kinds, instants and sequences one after the
// other, then 8 bytes that reading may run into.
type packedChunk struct {
	data    []byte
	at, seq packing
}

// packing is a column of integers: width bytes each, to be added to base.
type packing struct {
	base  int64
	width int
}

func (l *eventLog) add(a Account, at schema.Instant, kind eventKind, seq int64) {
	i := int(a >> accountBits)
	if i >= len(l.blocks) {
		l.blocks = append(l.blocks, make([]eventBlock, i+1-len(l.blocks))...)
	}
	b := &l.blocks[i]
	if len(b.open) == chunkEvents {
		b.packed = append(b.packed, pack(b.open))
		b.open = b.open[:0]
	}
	if n := len(b.open); n == cap(b.open) {
		b.open = append(make([]event, 0, min(max(2*n, 16), chunkEvents)), b.open...)
	}
	b.open = append(b.open, event{at, seq, uint16(a & (blockAccounts - 1)), kind})
	l.n++
}

// flag sets a flag of the accounts that have an event.
func (l *eventLog) flag(flags []accountFlags, flag accountFlags) {
	for i := range l.blocks {
		here := flags[i<<accountBits:]
		b := &l.blocks[i]
		for j := range b.packed {
			for accounts := b.packed[j].accounts(); len(accounts) > 0; accounts = accounts[2:] {
				here[binary.LittleEndian.Uint16(accounts)] |= flag
			}
		}
		for j := range b.open {
			here[b.open[j].account] |= flag
		}
	}
}

// move gives the events of a block of accounts to the accounts that to names for them.
func (l *eventLog) move(block int, to []Account) {
	if block >= len(l.blocks) {
		return
	}
	b := l.blocks[block]
	l.blocks[block] = eventBlock{}
	l.n -= b.len()
	again := func(events []event) {
		for _, e := range events {
			l.add(to[block<<accountBits|int(e.account)], e.at, e.kind, e.seq)
		}
	}
	chunk := make([]event, chunkEvents)
	for i := range b.packed {
		b.packed[i].unpack(chunk)
		again(chunk)
	}
	again(b.open)
}

// accounts returns the accounts of the events, two bytes each.
func (p *packedChunk) accounts() []byte { return p.data[:2*chunkEvents] }

// kinds returns the kinds of the events.
func (p *packedChunk) kinds() []byte { return p.data[2*chunkEvents : 3*chunkEvents] }

// packingOf returns how a column of values from least to most is packed.
func packingOf(least, most int64) packing {
	// The distance is right as an unsigned number, also where the difference overflows.
	return packing{base: least, width: (bits.Len64(uint64(most)-uint64(least)) + 7) / 8}
}

// pack packs a full chunk. A column of one value takes nothing.
func pack(events []event) (p packedChunk) {
	at, seq := [2]int64{math.MaxInt64, math.MinInt64}, [2]int64{math.MaxInt64, math.MinInt64}
	for i := range events {
		e := &events[i]
		at = [2]int64{min(at[0], int64(e.at)), max(at[1], int64(e.at))}
		seq = [2]int64{min(seq[0], e.seq), max(seq[1], e.seq)}
	}
	p = packedChunk{at: packingOf(at[0], at[1]), seq: packingOf(seq[0], seq[1])}
	p.data = make([]byte, chunkEvents*(2+1+p.at.width+p.seq.width)+8)
	accounts, kinds := p.accounts(), p.kinds()
	instants := p.data[3*chunkEvents:]
	seqs := instants[chunkEvents*p.at.width:]
	// Each value is written with the bytes behind it, which the next one then takes: instants before sequences.
	for i := range events {
		e := &events[i]
		binary.LittleEndian.PutUint16(accounts[2*i:], e.account)
		kinds[i] = byte(e.kind)
		binary.LittleEndian.PutUint64(instants[i*p.at.width:], uint64(e.at)-uint64(p.at.base))
	}
	for i := range events {
		binary.LittleEndian.PutUint64(seqs[i*p.seq.width:], uint64(events[i].seq)-uint64(p.seq.base))
	}
	return p
}

// unpack sets events to those of a packed chunk.
func (p *packedChunk) unpack(events []event) {
	accounts, kinds := p.accounts(), p.kinds()
	instants := p.data[3*chunkEvents:]
	seqs := instants[chunkEvents*p.at.width:]
	for i := range events[:chunkEvents] {
		events[i] = event{
			schema.Instant(p.at.value(instants, i)), p.seq.value(seqs, i),
			binary.LittleEndian.Uint16(accounts[2*i:]), eventKind(kinds[i]),
		}
	}
}

// value returns value i of a packed column.
func (p packing) value(column []byte, i int) int64 {
	unused := 64 - 8*uint(p.width)
	return int64(binary.LittleEndian.Uint64(column[i*p.width:])<<unused>>unused + uint64(p.base))
}

// size returns the bytes that the log holds, about.
func (l *eventLog) size() (n int64) {
	for i := range l.blocks {
		n += l.blocks[i].size()
	}
	return n
}

func (b *eventBlock) size() (n int64) {
	for j := range b.packed {
		n += int64(cap(b.packed[j].data))
	}
	return n + int64(unsafe.Sizeof(event{}))*int64(cap(b.open))
}

// timelines sorts the events of a block by account and category. It uses the same memory for block after block.
type timelines struct {
	chunk  []event
	first  []uint32 // timeline k of the block is events[first[k]:first[k+1]]
	events []event
}

// sort takes the events of a block of so many accounts, and empties it.
func (t *timelines) sort(b *eventBlock, accounts int) {
	t.first = slices.Grow(t.first[:0], accounts*schema.NumCategories+1)[:accounts*schema.NumCategories+1]
	clear(t.first)
	for i := range b.packed {
		accounts, kinds := b.packed[i].accounts(), b.packed[i].kinds()
		for j, kind := range kinds {
			t.first[timelineKey(binary.LittleEndian.Uint16(accounts[2*j:]), eventKind(kind))+1]++
		}
	}
	for i := range b.open {
		t.first[timelineKey(b.open[i].account, b.open[i].kind)+1]++
	}
	for k := 1; k < len(t.first); k++ {
		t.first[k] += t.first[k-1]
	}
	t.events = slices.Grow(t.events[:0], b.len())[:b.len()]
	t.chunk = slices.Grow(t.chunk[:0], chunkEvents)[:chunkEvents]
	for i := range b.packed {
		b.packed[i].unpack(t.chunk)
		t.scatter(t.chunk)
	}
	t.scatter(b.open)
	*b = eventBlock{}
	// Scattering has moved first[k] to where k+1 starts.
	copy(t.first[1:], t.first)
	t.first[0] = 0
}

// scatter puts events at the ends of their timelines.
func (t *timelines) scatter(events []event) {
	for i := range events {
		e := &events[i]
		k := timelineKey(e.account, e.kind)
		t.events[t.first[k]] = *e
		t.first[k]++
	}
}

// of returns timeline k of the block.
func (t *timelines) of(k int) timeline { return t.events[t.first[k]:t.first[k+1]] }

func timelineKey(account uint16, k eventKind) int {
	return int(account)*schema.NumCategories + int(k.category())
}
