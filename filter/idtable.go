package filter

import (
	"bytes"
	"hash/maphash"
)

// idTable numbers distinct ids from 0 in the order of their first appearance. It
// costs the bytes of each id plus 4, and 8 bytes a slot at a load between 3/8
// and 3/4. Lookups do not allocate and touch at most three cache lines as a rule.
//
// The hash is seeded anew in every process. Nothing depends on it: numbers follow
// the order of insertion alone.
type idTable struct {
	seed  maphash.Seed
	slots []uint64 // upper 32 bits of the hash, then number+1; 0 is a free slot
	shift uint8    // 32 - log2(len(slots)): slots are indexed by the hash's top bits
	n     uint32
	block []idBlock
}

// idBlock holds blockIDs consecutive ids end to end. Blocks keep growth from
// copying all ids, and let 4-byte ends serve for any total size.
type idBlock struct {
	data []byte
	ends []uint32
}

const (
	blockBits = 16
	blockIDs  = 1 << blockBits

	// MaxIDLen is the longest id that an index takes, in bytes. With it, the ids of
	// a block fit into 4-byte offsets.
	MaxIDLen = 1<<16 - 1
)

func newIDTable() *idTable {
	const bits = 10
	return &idTable{seed: maphash.MakeSeed(), slots: make([]uint64, 1<<bits), shift: 32 - bits}
}

func (t *idTable) len() int { return int(t.n) }

func (t *idTable) tag(id []byte) uint64 { return maphash.Bytes(t.seed, id) >> 32 }

// find returns the number of id, or -1. tag is t.tag(id).
func (t *idTable) find(id []byte, tag uint64) int32 {
	mask := uint64(len(t.slots) - 1)
	for i := tag >> t.shift; ; i = (i + 1) & mask {
		s := t.slots[i&mask]
		if s == 0 {
			return -1
		}
		if s>>32 == tag {
			if n := uint32(s) - 1; bytes.Equal(t.id(n), id) {
				return int32(n)
			}
		}
	}
}

// insert returns the number of id, a new one if the table lacks it. tag is t.tag(id).
func (t *idTable) insert(id []byte, tag uint64) int32 {
	if uint64(t.n)+1 > uint64(len(t.slots))/4*3 {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	i := tag >> t.shift
	for ; t.slots[i&mask] != 0; i++ {
		if s := t.slots[i&mask]; s>>32 == tag {
			if n := uint32(s) - 1; bytes.Equal(t.id(n), id) {
				return int32(n)
			}
		}
	}
	t.slots[i&mask] = tag<<32 | uint64(t.n+1)
	t.append(id)
	t.n++
	return int32(t.n - 1)
}

// warm is how many look-ups in a large table are under way at a time. Each misses
// the caches three times in a row (slot, end, bytes); done side by side the misses
// overlap.
const warm = 32

// tags hashes some ids, at most warm of them, and touches what looking them up will
// read. The sum it returns only keeps the loads from being optimised away.
func (t *idTable) tags(ids [][]byte, tags *[warm]uint64) (sum uint32) {
	for i, id := range ids {
		tags[i] = t.tag(id)
	}
	for i := range ids {
		sum += uint32(t.slots[tags[i]>>t.shift])
	}
	// Where the id is not in its first slot, it is in one of the next, as a rule of the same cache line.
	var found, starts [warm]uint32
	mask := uint64(len(t.slots) - 1)
	for i := range ids {
		at := tags[i] >> t.shift
		for t.slots[at&mask] != 0 && t.slots[at&mask]>>32 != tags[i] {
			at++
		}
		if found[i] = uint32(t.slots[at&mask]); found[i] != 0 {
			n := found[i] - 1
			starts[i] = t.block[n>>blockBits].ends[n&(blockIDs-1)]
		}
	}
	for i := range ids {
		if found[i] != 0 {
			sum += uint32(t.block[(found[i]-1)>>blockBits].data[starts[i]-1])
		}
	}
	return sum
}

func (t *idTable) append(id []byte) {
	if t.n%blockIDs == 0 {
		next := idBlock{ends: make([]uint32, 0, min(blockIDs, max(1024, len(t.block)*blockIDs)))}
		if last := len(t.block) - 1; last >= 0 {
			data := &t.block[last].data
			if n := len(*data); cap(*data)-n > n/32 {
				*data = bytes.Clone(*data) // to its exact size
			}
			next.data = make([]byte, 0, len(*data)+len(*data)/64) // ids are about as long as those before
		}
		t.block = append(t.block, next)
	}
	b := &t.block[len(t.block)-1]
	b.data = append(b.data, id...)
	b.ends = append(b.ends, uint32(len(b.data)))
}

// grow doubles the slots. The tags order the entries already, so no id is hashed again.
func (t *idTable) grow() {
	old := t.slots
	t.slots = make([]uint64, 2*len(old))
	t.shift--
	mask := uint64(len(t.slots) - 1)
	for _, s := range old {
		if s == 0 {
			continue
		}
		i := s >> 32 >> t.shift
		for t.slots[i&mask] != 0 {
			i++
		}
		t.slots[i&mask] = s
	}
}

// id returns the bytes of the id numbered n; they are the table's own.
func (t *idTable) id(n uint32) []byte {
	b := &t.block[n>>blockBits]
	i := n & (blockIDs - 1)
	start := uint32(0)
	if i > 0 {
		start = b.ends[i-1]
	}
	return b.data[start:b.ends[i]:b.ends[i]]
}

// size returns the bytes held.
func (t *idTable) size() int64 {
	total := int64(cap(t.slots)) * 8
	for i := range t.block {
		total += int64(cap(t.block[i].data)) + 4*int64(cap(t.block[i].ends))
	}
	return total
}
