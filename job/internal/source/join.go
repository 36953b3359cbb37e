package source

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// Join is what a column of the data names: which ids of a numbered list (the accounts of
// an index, its restricted contracts), and the hashes of other ids. It is plain data:
// joins of parts of the data add up to that of the whole.
type Join struct {
	Seen   []uint64 // bitmap over the list
	Others []uint64 // the smallest hashes, sorted; see distinct
}

// Has reports whether the data names the id that is i-th in the list.
func (j *Join) Has(i int) bool { return i/64 < len(j.Seen) && j.Seen[i/64]&(1<<(i%64)) != 0 }

// Count returns how many ids of the list the data names, of those that are wanted.
func (j *Join) Count(wanted func(i int) bool) (n int64) {
	for at, word := range j.Seen {
		for ; word != 0; word &= word - 1 {
			if wanted(at*64 + bits.TrailingZeros64(word)) {
				n++
			}
		}
	}
	return n
}

// CountOthers returns how many distinct ids were counted by [JoinCounter.Other].
func (j *Join) CountOthers() int64 { return countLeast(j.Others) }

// Add adds what another join with the same list has.
func (j *Join) Add(k *Join) {
	if len(j.Seen) < len(k.Seen) {
		j.Seen = append(j.Seen, make([]uint64, len(k.Seen)-len(j.Seen))...)
	}
	for i, word := range k.Seen {
		j.Seen[i] |= word
	}
	j.Others = slices.Concat(j.Others, k.Others)
	slices.Sort(j.Others)
	j.Others = slices.Compact(j.Others)
	j.Others = j.Others[:min(len(j.Others), DistinctExact)]
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

// Other says that the data names an id that is to be counted as another.
func (j *JoinCounter) Other(id []byte) { j.others.add(xxhash.Sum64(id)) }

// Join returns what was seen.
func (j *JoinCounter) Join() Join {
	out := Join{Seen: make([]uint64, len(j.seen)), Others: j.others.hashes()}
	for i := range j.seen {
		out.Seen[i] = j.seen[i].Load()
	}
	return out
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
