package source

import (
	"bytes"
	"cmp"
	"iter"
	"math/bits"
	"slices"
	"sync"

	"assent/manifests"
)

// Near misses are ids of a control input that no record
// names as they stand, and that some record names after folding.
//
// The data is read once. While it is, each new id that the index lacks is folded and
// looked up in a NearFilter, which knows the folded form of every id of the control
// inputs; the few that it lets through are kept as NearIDs. Afterwards NearMisses
// holds those, and the ids of the index that were seen, against the ids that were not.
// All of this is done by keyed hashes, so that what goes from step to step holds no id.

// NearID is an id by its folded form. It is plain data and holds no id. The zero one
// stands for an id of which folding leaves nothing.
type NearID struct {
	Form   uint64 // hash of the folded form
	Folds  Folds  // what folding changed
	Prefix uint32 // hash of the prefix that was stripped, below 1<<prefixBits; 0 for none
}

const (
	foldBits   = 5
	prefixBits = 32 - foldBits
)

// NearIDOf folds an id and hashes what is left.
func NearIDOf(h manifests.Hasher, id []byte) NearID {
	form, folds, prefix := fold(id)
	if len(form) == 0 {
		return NearID{}
	}
	n := NearID{Form: max(h.Sum64(form), 1), Folds: folds}
	if len(prefix) > 0 {
		n.Prefix = max(uint32(h.Sum64(prefix)>>(64-prefixBits)), 1)
	}
	return n
}

// Mark is folds and prefix in one number.
func (n NearID) Mark() uint32 { return n.Prefix<<foldBits | uint32(n.Folds) }

// Marked is the NearID of a form and a Mark.
func Marked(form uint64, mark uint32) NearID {
	return NearID{form, Folds(mark & (1<<foldBits - 1)), mark >> foldBits}
}

// Prefixes says whether ids share one prefix. The zero value has seen no id. It is
// plain data.
type Prefixes struct {
	Seen, Mixed bool
	Prefix      uint32 // of all, where not Mixed
}

func (p *Prefixes) add(prefix uint32) {
	if p.Seen && p.Prefix != prefix {
		p.Mixed = true
	}
	p.Seen, p.Prefix = true, prefix
}

// Add adds what another has seen.
func (p *Prefixes) Add(other Prefixes) {
	if other.Seen {
		p.add(other.Prefix)
		p.Mixed = p.Mixed || other.Mixed
	}
}

// NearFilter is a Bloom filter over the folded forms of a list of ids: 16 bits an id and
// six probes let through about 0.1 % of the others. All probes of an id are in one block, which is
// a cache line (Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters"). It is frozen.
type NearFilter struct{ bits []uint64 }

const (
	nearWords  = 8  // of a block: 512 bits
	nearIDs    = 32 // in a block, about
	nearProbes = 6
)

// NewNearFilter returns a filter that knows the ids, which are about n.
func NewNearFilter(h manifests.Hasher, n int, ids iter.Seq[[]byte]) *NearFilter {
	return newNearFilter(n, func(yield func(NearID) bool) {
		for id := range ids {
			if !yield(NearIDOf(h, id)) {
				return
			}
		}
	})
}

func newNearFilter(n int, ids iter.Seq[NearID]) *NearFilter {
	f := &NearFilter{bits: make([]uint64, nearWords*(n/nearIDs+1))}
	// A large filter lies outside of the caches. The misses of one form after the other overlap, where nothing is between them.
	var batch [64]uint64
	forms := batch[:0]
	for id := range ids {
		if id == (NearID{}) {
			continue
		}
		if forms = append(forms, id.Form); len(forms) == len(batch) {
			f.add(forms)
			forms = forms[:0]
		}
	}
	f.add(forms)
	return f
}

func (f *NearFilter) add(forms []uint64) {
	for _, form := range forms {
		block, probe := f.block(form)
		for range nearProbes {
			probe = bits.RotateLeft64(probe, 9)
			block[probe>>6%nearWords] |= 1 << (probe % 64)
		}
	}
}

// OpenNearFilter returns the filter that has bits for its [NearFilter.Bits], nil where no
// filter has. It keeps them and does not write to them.
func OpenNearFilter(bits []uint64) *NearFilter {
	if len(bits) == 0 || len(bits)%nearWords != 0 {
		return nil
	}
	return &NearFilter{bits}
}

// Bits is all that the filter knows. It holds no id.
func (f *NearFilter) Bits() []uint64 { return f.bits }

func (f *NearFilter) has(form uint64) bool {
	block, probe := f.block(form)
	for range nearProbes {
		probe = bits.RotateLeft64(probe, 9)
		if block[probe>>6%nearWords]&(1<<(probe%64)) == 0 {
			return false
		}
	}
	return true
}

// block returns the block of a form, and a number of which every nine bits from the top say where in it a probe is.
func (f *NearFilter) block(form uint64) (*[nearWords]uint64, uint64) {
	b, _ := bits.Mul64(form, uint64(len(f.bits)/nearWords))
	return (*[nearWords]uint64)(f.bits[nearWords*b:]), form * 0x9E3779B97F4A7C15 // 2^64 over the golden ratio (Knuth, TAOCP 6.4)
}

// NearSeen gathers the ids of one data set that may be near misses. Safe for concurrent use.
type NearSeen struct {
	filter *NearFilter
	mu     sync.Mutex
	ids    map[NearID]bool
	prefix Prefixes
}

// NewNearSeen returns a NearSeen that has seen nothing.
func NewNearSeen(f *NearFilter) *NearSeen { return &NearSeen{filter: f, ids: map[NearID]bool{}} }

// Add takes ids of the data that the index lacks.
func (s *NearSeen) Add(ids ...NearID) {
	if len(ids) == 0 {
		return
	}
	var prefix Prefixes
	var found []NearID
	for _, n := range ids {
		if n == (NearID{}) {
			continue
		}
		prefix.add(n.Prefix)
		if s.filter.has(n.Form) {
			found = append(found, n)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prefix.Add(prefix)
	for _, n := range found {
		s.ids[n] = true
	}
}

// Near is what a NearSeen has seen, as plain data.
type Near struct {
	IDs    []NearID // sorted
	Prefix Prefixes
}

// Near returns what was seen.
func (s *NearSeen) Near() Near {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := Near{Prefix: s.prefix}
	for id := range s.ids {
		n.IDs = append(n.IDs, id)
	}
	n.sort()
	return n
}

// Add adds what another part of the data has.
func (n *Near) Add(other *Near) {
	n.Prefix.Add(other.Prefix)
	n.IDs = append(n.IDs, other.IDs...)
	n.sort()
}

func (n *Near) sort() {
	slices.SortFunc(n.IDs, func(a, b NearID) int {
		return cmp.Or(cmp.Compare(a.Form, b.Form), cmp.Compare(a.Folds, b.Folds), cmp.Compare(a.Prefix, b.Prefix))
	})
	n.IDs = slices.Compact(n.IDs)
}

// Misses are the near misses of one control input.
type Misses struct {
	Count int64
	Folds Folds           // all that stand between the ids and those of the data
	First []manifests.Ref // a few, those with the smallest references
}

// shownMisses is how many near misses are named by their references.
const shownMisses = 3

// show keeps the references that are smallest, so that the order of the list has no say.
func (m *Misses) show(r manifests.Ref) {
	at, _ := slices.BinarySearchFunc(m.First, r, func(a, b manifests.Ref) int { return bytes.Compare(a[:], b[:]) })
	if at < shownMisses {
		m.First = slices.Insert(m.First, at, r)
		m.First = m.First[:min(len(m.First), shownMisses)]
	}
}

// NearList is a list of ids of control inputs, folded.
type NearList interface {
	Len() int
	Near(i int) NearID
	Ref(i int) manifests.Ref
}

// NearMisses compares a control input's list of ids with the data. seen says which of
// the list the data names as they stand, wanted which belong to the input: the list may
// be shared by several. near has a Near for each data set.
func NearMisses(list NearList, seen, wanted func(int) bool, near []Near) Misses {
	named := nearForms(list, seen, wanted, near)
	if len(named) == 0 {
		return Misses{}
	}
	var own Prefixes
	for i := range list.Len() {
		if !wanted(i) {
			continue
		}
		if c := list.Near(i); c != (NearID{}) {
			own.add(c.Prefix)
		}
	}
	var m Misses
	for i := range list.Len() {
		if !wanted(i) || seen(i) {
			continue
		}
		c := list.Near(i)
		if c == (NearID{}) {
			continue
		}
		for _, d := range named[c.Form] {
			folds, ok := between(c, own, d.NearID, d.prefix)
			if !ok {
				continue
			}
			m.Count++
			m.Folds |= folds
			m.show(list.Ref(i))
			break
		}
	}
	return m
}

// namedForm is an id that the data names, with the prefixes of the data it stands in.
type namedForm struct {
	NearID
	prefix Prefixes
}

// nearForms returns the ids of the data that may have the folded form of an id that
// the data does not name: those of near, and those that are in the list themselves.
func nearForms(list NearList, seen, wanted func(int) bool, near []Near) map[uint64][]namedForm {
	unseen := func(yield func(NearID) bool) {
		for i := range list.Len() {
			if wanted(i) && !seen(i) && !yield(list.Near(i)) {
				return
			}
		}
	}
	count := 0
	for i := range list.Len() {
		if wanted(i) && !seen(i) {
			count++
		}
	}
	if count == 0 {
		return nil
	}
	missing := newNearFilter(count, unseen)
	var all Prefixes
	for i := range near {
		all.Add(near[i].Prefix)
	}
	named := map[uint64][]namedForm{}
	var listed []NearID
	for i := range list.Len() {
		if !seen(i) {
			continue
		}
		if d := list.Near(i); d != (NearID{}) {
			all.add(d.Prefix)
			if missing.has(d.Form) {
				listed = append(listed, d)
			}
		}
	}
	for _, d := range listed {
		named[d.Form] = append(named[d.Form], namedForm{d, all})
	}
	for _, of := range near {
		for _, d := range of.IDs {
			prefix := all
			if d.Prefix == 0 { // that one data set has no prefixes is enough
				prefix = of.Prefix
			}
			named[d.Form] = append(named[d.Form], namedForm{d, prefix})
		}
	}
	return named
}

// between returns what stands between an id of a control input and one of the data that
// has the same folded form. Prefixes that differ count only where each side has one for
// all its ids: "c17" and "f17" are two accounts, not one that is written in two ways.
func between(control NearID, own Prefixes, data NearID, theirs Prefixes) (Folds, bool) {
	folds := (control.Folds ^ data.Folds) &^ FoldPrefix
	if control.Prefix != data.Prefix {
		if own.Mixed || theirs.Mixed || !theirs.Seen {
			return 0, false
		}
		folds |= FoldPrefix
	}
	if folds == 0 { // both were folded, each in another way
		folds = (control.Folds | data.Folds) &^ FoldPrefix
	}
	return folds, folds != 0
}
