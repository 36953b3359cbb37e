package filter

import (
	"encoding/binary"
	"math/bits"
	"slices"

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
	blocks    []eventBlock
	n         int
	sequenced bool // some event has a sequence
}

const (
	accountBits   = 15 // of an account's number within its block, at most 16
	blockAccounts = 1 << accountBits

	// chunkEvents is such that a packed chunk just fits into what the allocator gives for it, at nearly every number of bytes an event.
	// With 2 more, chunks of 8 bytes an event would take an eighth more memory.
	chunkEvents = 1<<11 - 2
)

type eventBlock struct {
	n      int
	packed []packedChunk
	open   eventChunk
}

// eventChunk is a run of events in columns.
type eventChunk struct {
	account []uint16 // within the block
	kind    []eventKind
	at      []schema.Instant
	seq     []int64 // nil where no event of the chunk has a sequence
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
	c := &b.open
	if len(c.at) == chunkEvents {
		b.packed = append(b.packed, c.pack())
		c.reset()
	}
	if kind.sequenced() && c.seq == nil {
		c.seq = make([]int64, len(c.at), cap(c.at))
	}
	l.sequenced = l.sequenced || kind.sequenced()
	c.account, c.kind, c.at = append(c.account, uint16(a&(blockAccounts-1))), append(c.kind, kind), append(c.at, at)
	if c.seq != nil {
		c.seq = append(c.seq, seq)
	}
	b.n++
	l.n++
}

// move gives the events of a block of accounts to the accounts that to names for them.
func (l *eventLog) move(block int, to []Account) {
	if block >= len(l.blocks) {
		return
	}
	b := l.blocks[block]
	l.blocks[block] = eventBlock{}
	l.n -= b.n
	again := func(c *eventChunk) {
		for i, a := range c.account {
			seq := int64(0)
			if len(c.seq) > 0 {
				seq = c.seq[i]
			}
			l.add(to[block<<accountBits|int(a)], c.at[i], c.kind[i], seq)
		}
	}
	var c eventChunk
	for i := range b.packed {
		c.unpack(&b.packed[i])
		again(&c)
	}
	again(&b.open)
}

func (c *eventChunk) reset() {
	c.account, c.kind, c.at, c.seq = c.account[:0], c.kind[:0], c.at[:0], c.seq[:0]
}

// packingOf returns how a column is packed.
func packingOf[T ~int64](column []T) packing {
	if len(column) == 0 {
		return packing{}
	}
	least, most := slices.Min(column), slices.Max(column)
	// The distance is right as an unsigned number, also where the difference overflows.
	return packing{base: int64(least), width: (bits.Len64(uint64(most)-uint64(least)) + 7) / 8}
}

func (c *eventChunk) pack() packedChunk {
	p := packedChunk{at: packingOf(c.at), seq: packingOf(c.seq)}
	n := len(c.at)
	p.data = make([]byte, n*(2+1+p.at.width+p.seq.width)+8)
	to := p.data
	for _, a := range c.account {
		binary.LittleEndian.PutUint16(to, a)
		to = to[2:]
	}
	for i, k := range c.kind {
		to[i] = byte(k)
	}
	to = to[n:]
	to = packColumn(to, c.at, p.at)
	packColumn(to, c.seq, p.seq)
	return p
}

// packColumn writes a column to dst and returns what is behind it.
func packColumn[T ~int64](dst []byte, column []T, p packing) []byte {
	for _, v := range column {
		binary.LittleEndian.PutUint64(dst, uint64(v)-uint64(p.base))
		dst = dst[p.width:]
	}
	return dst
}

func unpackColumn[T ~int64](dst []T, data []byte, n int, p packing) ([]T, []byte) {
	mask := ^uint64(0)
	if p.width < 8 {
		mask = 1<<(8*p.width) - 1
	}
	for range n {
		dst = append(dst, T(binary.LittleEndian.Uint64(data)&mask+uint64(p.base)))
		data = data[p.width:]
	}
	return dst, data
}

// unpack sets c to the events of a packed chunk.
func (c *eventChunk) unpack(p *packedChunk) {
	c.reset()
	data := p.data
	for range chunkEvents {
		c.account = append(c.account, binary.LittleEndian.Uint16(data))
		data = data[2:]
	}
	for _, k := range data[:chunkEvents] {
		c.kind = append(c.kind, eventKind(k))
	}
	data = data[chunkEvents:]
	c.at, data = unpackColumn(c.at, data, chunkEvents, p.at)
	c.seq, _ = unpackColumn(c.seq, data, chunkEvents, p.seq)
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
	return n + int64(2*cap(b.open.account)+cap(b.open.kind)+8*cap(b.open.at)+8*cap(b.open.seq))
}

// timelines sorts the events of a block by account and category, and each timeline's
// by instant. It uses the same memory for block after block.
type timelines struct {
	chunk eventChunk
	first []uint32 // timeline k of the block is [first[k], first[k+1]) of the columns
	timeline
}

// sort takes the events of a block of so many accounts, and empties it.
func (t *timelines) sort(b *eventBlock, accounts int, sequenced bool) {
	t.first = slices.Grow(t.first[:0], accounts*schema.NumCategories+1)[:accounts*schema.NumCategories+1]
	clear(t.first)
	for i := range b.packed {
		t.count(b.packed[i].data[:2*chunkEvents], b.packed[i].data[2*chunkEvents:])
	}
	for i, a := range b.open.account {
		t.first[timelineKey(a, b.open.kind[i])+1]++
	}
	for k := 1; k < len(t.first); k++ {
		t.first[k] += t.first[k-1]
	}
	t.at = slices.Grow(t.at[:0], b.n)[:b.n]
	t.kind = slices.Grow(t.kind[:0], b.n)[:b.n]
	if sequenced {
		t.seq = slices.Grow(t.seq[:0], b.n)[:b.n]
	}
	for i := range b.packed {
		t.chunk.unpack(&b.packed[i])
		t.scatter(&t.chunk)
	}
	t.scatter(&b.open)
	*b = eventBlock{}
	// Scattering has moved first[k] to where k+1 starts.
	copy(t.first[1:], t.first)
	t.first[0] = 0
}

// count counts the timelines' events in a packed chunk.
func (t *timelines) count(accounts, kinds []byte) {
	for i := range chunkEvents {
		t.first[timelineKey(binary.LittleEndian.Uint16(accounts[2*i:]), eventKind(kinds[i]))+1]++
	}
}

// scatter puts events at the ends of their timelines.
func (t *timelines) scatter(c *eventChunk) {
	for i, a := range c.account {
		k := timelineKey(a, c.kind[i])
		to := t.first[k]
		t.first[k]++
		t.at[to], t.kind[to] = c.at[i], c.kind[i]
		if t.seq != nil {
			t.seq[to] = 0
			if len(c.seq) > 0 {
				t.seq[to] = c.seq[i]
			}
		}
	}
}

// of returns timeline k of the block.
func (t *timelines) of(k int) timeline {
	lo, hi := t.first[k], t.first[k+1]
	one := timeline{at: t.at[lo:hi], kind: t.kind[lo:hi]}
	if t.seq != nil {
		one.seq = t.seq[lo:hi]
	}
	return one
}

func timelineKey(account uint16, k eventKind) int {
	return int(account)*schema.NumCategories + int(k.category())
}
