package source

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"assent/filter"
)

// Join is how the accounts of one party role join the consent history: which accounts
// of the index the data names and the history too, and the hashes of the others. It is
// plain data: joins of parts of the data add up to that of the whole.
type Join struct {
	Matched []uint64 // bitmap over the index's accounts
	Others  []uint64 // the smallest hashes, sorted; see distinct
}

// Counts returns how many accounts of the data are in the history, and how many not.
func (j *Join) Counts() (matched, others int64) {
	for _, word := range j.Matched {
		matched += int64(bits.OnesCount64(word))
	}
	return matched, countLeast(j.Others)
}

// Add adds what another join over the same index has.
func (j *Join) Add(k *Join) {
	if len(j.Matched) < len(k.Matched) {
		j.Matched = append(j.Matched, make([]uint64, len(k.Matched)-len(j.Matched))...)
	}
	for i, word := range k.Matched {
		j.Matched[i] |= word
	}
	j.Others = slices.Concat(j.Others, k.Others)
	slices.Sort(j.Others)
	j.Others = slices.Compact(j.Others)
	j.Others = j.Others[:min(len(j.Others), DistinctExact)]
}

// JoinCounter makes a Join, account by account. The result does not depend on the
// order of rows. Safe for concurrent use.
type JoinCounter struct {
	index   *filter.Index
	matched []atomic.Uint64
	others  *distinct
}

// NewJoinCounter returns a counter that has seen nothing.
func NewJoinCounter(x *filter.Index) *JoinCounter {
	return &JoinCounter{index: x, matched: make([]atomic.Uint64, (x.Accounts()+63)/64), others: newDistinct()}
}

// Add takes an account of the data and its canonical id, which is not kept.
func (j *JoinCounter) Add(a filter.Account, id []byte) {
	if !j.index.InHistory(a) {
		j.others.add(xxhash.Sum64(id))
		return
	}
	word, bit := &j.matched[a/64], uint64(1)<<(a%64)
	if word.Load()&bit == 0 {
		word.Or(bit)
	}
}

// Join returns what was seen.
func (j *JoinCounter) Join() Join {
	out := Join{Matched: make([]uint64, len(j.matched)), Others: j.others.hashes()}
	for i := range j.matched {
		out.Matched[i] = j.matched[i].Load()
	}
	return out
}

// distinct counts distinct hashes: exactly up to distinctExact, beyond that by the
// k-minimum-values estimate, which is off by less than 2 % nearly always and is a
// function of the set alone (Bar-Yossef et al., "Counting distinct elements in a
// data stream", 2002).
type distinct struct {
	mu    sync.Mutex
	least []uint64 // the smallest hashes, sorted
	limit atomic.Uint64
}

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
