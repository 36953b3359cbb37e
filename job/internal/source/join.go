package source

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"assent/filter"
)

// joinCounter counts, for one party role of one data set, how many distinct
// accounts of the data the consent history names and how many it does not: the
// figures behind the gate min_account_match. The result does not depend on the
// order of rows. Safe for concurrent use.
type JoinCounter struct {
	Index   *filter.Index
	matched []atomic.Uint64 // bitmap over the index's accounts: seen, and in the history
	others  *distinct
}

func NewJoinCounter(x *filter.Index) *JoinCounter {
	return &JoinCounter{Index: x, matched: make([]atomic.Uint64, (x.Accounts()+63)/64), others: newDistinct()}
}

func (j *JoinCounter) Add(a filter.Account, id []byte) {
	if !j.Index.InHistory(a) {
		j.others.add(xxhash.Sum64(id))
		return
	}
	word, bit := &j.matched[a/64], uint64(1)<<(a%64)
	if word.Load()&bit == 0 {
		word.Or(bit)
	}
}

// counts returns the accounts of the data that are in the history, and the others.
func (j *JoinCounter) Counts() (matched, others int64) {
	for i := range j.matched {
		matched += int64(bits.OnesCount64(j.matched[i].Load()))
	}
	return matched, j.others.count()
}

// merge adds what another counter over the same index has seen.
func (j *JoinCounter) Merge(k *JoinCounter) {
	for i := range k.matched {
		j.matched[i].Or(k.matched[i].Load())
	}
	for _, h := range k.others.least {
		j.others.add(h)
	}
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

func (d *distinct) count() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.least) < DistinctExact {
		return int64(len(d.least))
	}
	share := float64(d.least[DistinctExact-1]) / (1 << 64)
	return int64((DistinctExact - 1) / share)
}
