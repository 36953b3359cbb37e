package source

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// Join is what a column of the data names: which ids of a numbered list (the accounts of
// an index, its restricted contracts), and the hashes of other ids. It is plain data, and
// small where the column names few of the list: see packBits. [Joined] adds joins up.
type Join struct {
	Seen   []byte   // a set of numbers, packed
	Others []uint64 // the smallest hashes, sorted; see distinct
}

// Joined is the sum of joins with one list: that of parts of the data is that of the whole.
type Joined struct {
	seen   []uint64 // bitmap over the list
	others []uint64
}

// NewJoined returns the sum of no joins with a list of n ids.
func NewJoined(n int) *Joined { return &Joined{seen: make([]uint64, (n+63)/64)} }

// Has reports whether the data names the id that is i-th in the list.
func (j *Joined) Has(i int) bool { return j.seen[i/64]&(1<<(i%64)) != 0 }

// Count returns how many ids of the list the data names, of those that are wanted.
func (j *Joined) Count(wanted func(i int) bool) (n int64) {
	for at, word := range j.seen {
		for ; word != 0; word &= word - 1 {
			if wanted(at*64 + bits.TrailingZeros64(word)) {
				n++
			}
		}
	}
	return n
}

// Named returns how many distinct ids the data names, in the list or not.
func (j *Joined) Named() (n int64) {
	for _, word := range j.seen {
		n += int64(bits.OnesCount64(word))
	}
	return n + countLeast(j.others)
}

// Add adds a join. Its numbers have to be the list's.
func (j *Joined) Add(k *Join) error {
	j.addOthers(k.Others)
	return unpackBits(j.seen, k.Seen)
}

// Merge adds what another sum has, of joins with the same list.
func (j *Joined) Merge(k *Joined) {
	for i, word := range k.seen {
		j.seen[i] |= word
	}
	j.addOthers(k.others)
}

func (j *Joined) addOthers(others []uint64) {
	j.others = slices.Concat(j.others, others)
	slices.Sort(j.others)
	j.others = slices.Compact(j.others)
	j.others = j.others[:min(len(j.others), DistinctExact)]
}

// JoinCounter makes a Join, id by id. The result does not depend on the order of rows.
// Safe for concurrent use.
type JoinCounter struct {
	seen   []atomic.Uint64
	others *distinct
}

// NewJoinCounter returns a counter for a list of n ids that has seen nothing.
func NewJoinCounter(n int) *JoinCounter {
	return &JoinCounter{seen: make([]atomic.Uint64, (n+63)/64), others: newDistinct()}
}

// Mark says that the data names the id that is i-th in the list.
func (j *JoinCounter) Mark(i int) {
	word, bit := &j.seen[i/64], uint64(1)<<(i%64)
	if word.Load()&bit == 0 {
		word.Or(bit)
	}
}

// Other says that the data names an id, by its hash, that is to be counted as another.
func (j *JoinCounter) Other(hash uint64) { j.others.add(hash) }

// Join returns what was seen.
func (j *JoinCounter) Join() Join {
	seen := make([]uint64, len(j.seen))
	for i := range j.seen {
		seen[i] = j.seen[i].Load()
	}
	return Join{Seen: packBits(seen), Others: j.others.hashes()}
}

// distinct counts distinct hashes: exactly up to DistinctExact, beyond that by the
// k-minimum-values estimate, which is off by less than 2 % nearly always and is a
// function of the set alone (Bar-Yossef et al., "Counting distinct elements in a
// data stream", 2002).
type distinct struct {
	mu    sync.Mutex
	least []uint64 // the smallest hashes, sorted
	limit atomic.Uint64
}

// DistinctExact is how many distinct hashes are counted exactly, and kept.
const DistinctExact = 4096

func newDistinct() *distinct {
	d := new(distinct)
	d.limit.Store(^uint64(0))
	return d
}

func (d *distinct) add(h uint64) {
	if h >= d.limit.Load() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	i, found := slices.BinarySearch(d.least, h)
	if found || i >= DistinctExact {
		return
	}
	if len(d.least) == DistinctExact {
		d.least = d.least[:DistinctExact-1]
	}
	d.least = slices.Insert(d.least, i, h)
	if len(d.least) == DistinctExact {
		d.limit.Store(d.least[DistinctExact-1])
	}
}

func (d *distinct) hashes() []uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.least)
}

// countLeast estimates how many distinct hashes there were, by the smallest of them.
func countLeast(least []uint64) int64 {
	if len(least) < DistinctExact {
		return int64(len(least))
	}
	share := float64(least[DistinctExact-1]) / (1 << 64)
	return int64((DistinctExact - 1) / share)
}
