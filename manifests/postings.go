package manifests

import "encoding/binary"

// postings holds pairs in memory, account by account, in a few bytes each: the row as
// its distance from the account's last, with the number of the label, as a varint.
// Bytes lie in chunks that are linked by account and double in size (as in Lucene's
// byte pool), so that what is not yet sorted by reference is at least not to be sorted
// by account any more.
//
//	chunk  [bytes ... | next: 4 bytes]    sizes 8, 16, 32 … 512
//	pair   varint(distance << 3 | min(label, 7)), then the label's byte where that is 7
type postings struct {
	blocks  [][]byte
	used    uint32 // bytes of blocks; the first chunk's worth is not used, so that 0 is none
	lists   []list32
	waiting []posting // to be put into the lists
	touched uint32    // keeps loads that only warm a cache
}

// posting is a pair that waits.
type posting struct {
	account Account
	row     uint32
	label   uint8
}

// list32 is an account's list. Positions are offsets into the blocks, one after the
// other.
type list32 struct {
	row   uint32 // of the last pair
	first uint32 // chunk; 0 where the account has no pairs
	at    uint32 // where the next byte goes
	end   uint32 // of the room for bytes in the last chunk, and that chunk's level above
}

const (
	blockBits  = 18
	blockSize  = 1 << blockBits
	linkSize   = 4
	firstChunk = 8
	maxLevel   = 6
	levelShift = 28 // above positions
	endMask    = 1<<levelShift - 1

	inlineLabels = 7
)

// maxPostings bounds the memory of postings, in bytes, and with it a segment.
const maxPostings = 48 << 20

func (p *postings) clear() {
	p.used = firstChunk
	if len(p.blocks) == 0 {
		p.blocks = append(p.blocks, make([]byte, blockSize))
	}
	p.waiting = p.waiting[:0]
	clear(p.lists)
	p.lists = p.lists[:0]
}

// add appends a pair to an account's list, whose rows do not descend.
func (p *postings) add(account Account, row uint32, label uint8) {
	p.waiting = append(p.waiting, posting{account, row, label})
	if len(p.waiting) == 256 {
		p.drain()
	}
}

// drain puts the pairs that wait into their lists. Lists lie all over memory, and how
// to go on with one is known only when it has come; so all are called for before the
// first is gone on with.
func (p *postings) drain() {
	for _, w := range p.waiting {
		if int(w.account) >= len(p.lists) {
			p.lists = append(p.lists, make([]list32, int(w.account)+1-len(p.lists))...)
		}
	}
	for _, w := range p.waiting {
		p.touched += p.lists[w.account].at
	}
	for _, w := range p.waiting {
		at := p.lists[w.account].at
		p.touched += uint32(p.blocks[at>>blockBits][at&(blockSize-1)])
	}
	for _, w := range p.waiting {
		p.put(&p.lists[w.account], w.row, w.label)
	}
	p.waiting = p.waiting[:0]
}

// put appends a pair to a list.
func (p *postings) put(l *list32, row uint32, label uint8) {
	if l.first == 0 {
		l.first = p.chunk(0)
		l.at = l.first
		l.end = l.first + firstChunk - linkSize
	}
	v := uint64(row-l.row)<<3 | uint64(min(label, inlineLabels))
	l.row = row
	if room := l.end&endMask - l.at; room >= binary.MaxVarintLen64 {
		l.at += uint32(binary.PutUvarint(p.blocks[l.at>>blockBits][l.at&(blockSize-1):], v))
	} else {
		for ; v >= 0x80; v >>= 7 {
			p.putByte(l, byte(v)|0x80)
		}
		p.putByte(l, byte(v))
	}
	if label >= inlineLabels {
		p.putByte(l, label)
	}
}

// putByte appends one byte to a list.
func (p *postings) putByte(l *list32, b byte) {
	if l.at == l.end&endMask {
		level := min(l.end>>levelShift+1, maxLevel)
		next := p.chunk(level)
		binary.LittleEndian.PutUint32(p.blocks[l.at>>blockBits][l.at&(blockSize-1):], next)
		l.at = next
		l.end = (next + firstChunk<<level - linkSize) | level<<levelShift
	}
	p.blocks[l.at>>blockBits][l.at&(blockSize-1)] = b
	l.at++
}

// chunk returns a new chunk of a level.
func (p *postings) chunk(level uint32) uint32 {
	size := uint32(firstChunk) << level
	if p.used&(blockSize-1)+size > blockSize {
		p.used = (p.used | (blockSize - 1)) + 1
	}
	at := p.used
	if int(at>>blockBits) == len(p.blocks) {
		p.blocks = append(p.blocks, make([]byte, blockSize))
	}
	p.used += size
	return at
}

// warm brings the lists of some accounts into the caches: their chunks side by side, as
// the chunks of one list are found only one after the other.
func (p *postings) warm(accounts []ranked) {
	var at [32]uint32 // a chunk of each; 0 where there are no more
	for i, r := range accounts {
		at[i] = p.lists[r.account].first
	}
	more := true
	for level := uint32(0); more; level = min(level+1, maxLevel) {
		more = false
		for i, r := range accounts {
			if at[i] == 0 {
				continue
			}
			end := at[i] + firstChunk<<level - linkSize
			if end == p.lists[r.account].end&endMask {
				p.touched += uint32(p.blocks[at[i]>>blockBits][at[i]&(blockSize-1)])
				at[i] = 0
				continue
			}
			at[i] = binary.LittleEndian.Uint32(p.blocks[end>>blockBits][end&(blockSize-1):])
			more = true
		}
	}
}

// pair is a row of an account, with the number of a label.
type pair struct {
	row   uint32
	label uint8
}

// appendPairs appends an account's pairs to dst, in the order they were added.
func (p *postings) appendPairs(dst []pair, account uint32) []pair {
	l := &p.lists[account]
	if l.first == 0 {
		return dst
	}
	at, level := l.first, uint32(0)
	end := at + firstChunk - linkSize
	next := func() byte {
		if at == end {
			level = min(level+1, maxLevel)
			at = binary.LittleEndian.Uint32(p.blocks[at>>blockBits][at&(blockSize-1):])
			end = at + firstChunk<<level - linkSize
		}
		b := p.blocks[at>>blockBits][at&(blockSize-1)]
		at++
		return b
	}
	row := uint32(0)
	for at != l.at {
		var v uint64
		for shift := 0; ; shift += 7 {
			b := next()
			v |= uint64(b&0x7f) << shift
			if b < 0x80 {
				break
			}
		}
		row += uint32(v >> 3)
		label := uint8(v & 7)
		if label == inlineLabels {
			label = next()
		}
		dst = append(dst, pair{row, label})
	}
	return dst
}
