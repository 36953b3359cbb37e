package manifests

import (
	"encoding/binary"
	"math/bits"
)

// postings holds pairs in memory, account by account, in a few bytes each: the row as
// its distance from the account's last, with the number of the label, as a varint. Pairs
// of neighbouring rows with one label are a run, which takes hardly more than a pair.
// An account's newest bytes lie beside its state; older ones in chunks that are linked
// and grow (as in Lucene's byte pool). So what is not yet sorted by reference
// is at least not to be sorted by account any more, and most pairs touch memory in one
// place.
//
//	chunk  [bytes ... | next: 4 bytes]    sizes 32, 3 × 64, 3 × 128, 3 × 256, then 512
//	pair   varint(distance << 3 | label), where the label is below 7
//	run    varint(distance << 3 | 7), varint(label), varint(rows)
type postings struct {
	blocks  [][]byte
	used    uint32 // bytes of blocks; the first chunk's worth is not used, so that 0 is none
	lists   []postingList
	waiting []posting // to be put into the lists
	held    int       // lists that have pairs
	touched uint32    // keeps loads that only warm a cache
	joined  []byte    // scratch
}

// postingList is an account's list. Positions are offsets into the blocks, one after
// the other.
type postingList struct {
	row   uint32 // of the last pair
	first uint32 // chunk; 0 where there is none
	at    uint32 // where the next bytes go
	end   uint32 // of the room for bytes in the last chunk, and that chunk's level above
	n     uint8  // bytes in newest
	// newest holds whole runs that are not yet in a chunk. A list takes half a cache line.
	newest [listSize - 17]byte
}

// posting is a run that waits.
type posting struct {
	account Account
	row     uint32 // the first
	rows    uint32
	label   uint8
}

const (
	listSize   = 32
	blockBits  = 18
	blockSize  = 1 << blockBits
	linkSize   = 4
	firstChunk = 32
	maxLevel   = 10
	levelShift = 28 // above positions
	endMask    = 1<<levelShift - 1

	inlineLabels = 7
)

// chunkSize returns the size of a list's chunk number level, or of the last one where
// that has grown as far as it does.
func chunkSize(level uint32) uint32 { return firstChunk << ((level + 2) / 3) }

// maxPostings bounds the memory of postings, in bytes, and with it a segment.
const maxPostings = 48 << 20

// full depends on the pairs alone, and not on the numbers of their accounts.
func (p *postings) full() bool { return int(p.used)+listSize*p.held >= maxPostings }

func (p *postings) clear() {
	p.used, p.held = firstChunk, 0
	if len(p.blocks) == 0 {
		p.blocks = append(p.blocks, make([]byte, blockSize))
	}
	p.waiting = p.waiting[:0]
	clear(p.lists)
	p.lists = p.lists[:0]
}

// memory returns the bytes that p holds.
func (p *postings) memory() int {
	return len(p.blocks)*blockSize + listSize*cap(p.lists) + cap(p.joined)
}

// add appends rows from one on to an account's list, whose rows do not descend.
func (p *postings) add(account Account, row, rows uint32, label uint8) {
	p.waiting = append(p.waiting, posting{account, row, rows, label})
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
			p.lists = append(p.lists, make([]postingList, int(w.account)+1-len(p.lists))...)
		}
	}
	for _, w := range p.waiting {
		p.touched += p.lists[w.account].row
	}
	for _, w := range p.waiting {
		if l := &p.lists[w.account]; l.n > uint8(len(l.newest))/2 {
			p.touched += uint32(p.blocks[l.at>>blockBits][l.at&(blockSize-1)])
		}
	}
	for i := range p.waiting {
		w := &p.waiting[i]
		p.put(&p.lists[w.account], w)
	}
	p.waiting = p.waiting[:0]
}

// put appends a run to a list.
func (p *postings) put(l *postingList, w *posting) {
	if l.n == 0 && l.first == 0 {
		p.held++
	}
	distance := uint64(w.row-l.row) << 3
	l.row = w.row + w.rows - 1
	if w.rows == 1 && w.label < inlineLabels {
		v := distance | uint64(w.label)
		if int(l.n)+(bits.Len64(v|1)+6)/7 > len(l.newest) {
			p.spill(l)
		}
		l.n += uint8(binary.PutUvarint(l.newest[l.n:], v))
		return
	}
	var run [3 * binary.MaxVarintLen32]byte
	n := binary.PutUvarint(run[:], distance|inlineLabels)
	n += binary.PutUvarint(run[n:], uint64(w.label))
	n += binary.PutUvarint(run[n:], uint64(w.rows))
	if int(l.n)+n > len(l.newest) {
		p.spill(l)
	}
	l.n += uint8(copy(l.newest[l.n:], run[:n]))
}

// spill moves a list's newest bytes to its chunks.
func (p *postings) spill(l *postingList) {
	from := l.newest[:l.n]
	l.n = 0
	if l.first == 0 {
		l.first = p.chunk(0)
		l.at = l.first
		l.end = l.first + chunkSize(0) - linkSize
	}
	for {
		n := uint32(copy(p.at(l.at)[:l.end&endMask-l.at], from))
		l.at += n
		if from = from[n:]; len(from) == 0 {
			return
		}
		level := min(l.end>>levelShift+1, maxLevel)
		next := p.chunk(level)
		binary.LittleEndian.PutUint32(p.at(l.at), next)
		l.at = next
		l.end = (next + chunkSize(level) - linkSize) | level<<levelShift
	}
}

// at returns the block from a position on.
func (p *postings) at(position uint32) []byte {
	return p.blocks[position>>blockBits][position&(blockSize-1):]
}

// chunk returns a new chunk of a level. Chunks do not cross blocks.
func (p *postings) chunk(level uint32) uint32 {
	size := chunkSize(level)
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

// has reports whether an account has pairs.
func (p *postings) has(account int) bool {
	l := &p.lists[account]
	return l.n > 0 || l.first != 0
}

// warm brings the lists of some accounts, at most 32, into the caches: their chunks
// side by side, as the chunks of one list are found only one after the other.
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
			end := at[i] + chunkSize(level) - linkSize
			if end == p.lists[r.account].end&endMask {
				p.touched += uint32(p.at(at[i])[0])
				at[i] = 0
				continue
			}
			at[i] = binary.LittleEndian.Uint32(p.at(end))
			more = true
		}
	}
}

// run is neighbouring rows of an account, with the number of their label.
type run struct {
	row, rows uint32
	label     uint8
}

// appendRuns appends an account's runs to dst, in the order they were added.
func (p *postings) appendRuns(dst []run, account uint32) []run {
	l := &p.lists[account]
	b := p.joined[:0]
	if l.first != 0 {
		at, level := l.first, uint32(0)
		for {
			end := at + chunkSize(level) - linkSize
			if end == l.end&endMask {
				break
			}
			b = append(b, p.at(at)[:end-at]...)
			at = binary.LittleEndian.Uint32(p.at(end))
			level = min(level+1, maxLevel)
		}
		b = append(b, p.at(at)[:l.at-at]...)
	}
	b = append(b, l.newest[:l.n]...)
	p.joined = b

	last := uint32(0)
	for len(b) > 0 {
		v, n := binary.Uvarint(b)
		b = b[n:]
		r := run{last + uint32(v>>3), 1, uint8(v & inlineLabels)}
		if r.label == inlineLabels {
			label, n := binary.Uvarint(b)
			rows, m := binary.Uvarint(b[n:])
			b = b[n+m:]
			r.rows, r.label = uint32(rows), uint8(label)
		}
		last = r.row + r.rows - 1
		dst = append(dst, r)
	}
	return dst
}
