package filter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
)

// Ref is the reference by which a [Stored] index knows an account or a contract: a keyed
// hash of the canonical id, so its bits are as good as random. The zero Ref stands for an
// id that is null or empty.
type Ref [16]byte

// ErrTwoOfOneRef means that two ids have one reference, as no keyed hash gives them.
var ErrTwoOfOneRef = errors.New("two ids have one reference")

// top returns the first four bytes of a reference. Numbers order as references do.
func (r *Ref) top() uint32 { return binary.BigEndian.Uint32(r[:]) }

func compareRefs(a, b *Ref) int { return bytes.Compare(a[:], b[:]) }

// sortedRefs returns the places of references in their order. It takes 4 bytes a
// reference, and half a byte more while it works.
func sortedRefs(refs []Ref) ([]uint32, error) {
	const parts = 16 // by the first 4 bits
	order := make([]uint32, 0, len(refs))
	var keys []uint64 // the top of a reference, then its place
	for part := range uint32(parts) {
		keys = keys[:0]
		for i := range refs {
			if t := refs[i].top(); t>>28 == part {
				keys = append(keys, uint64(t)<<32|uint64(i))
			}
		}
		slices.Sort(keys) // by the tops, which are rarely the same: half the time that comparing whole references takes
		for len(keys) > 0 {
			same := 1
			for same < len(keys) && keys[same]>>32 == keys[0]>>32 {
				same++
			}
			slices.SortFunc(keys[:same], func(a, b uint64) int { return compareRefs(&refs[uint32(a)], &refs[uint32(b)]) })
			for i, k := range keys[:same] {
				if i > 0 && refs[uint32(k)] == refs[uint32(keys[i-1])] {
					return nil, ErrTwoOfOneRef
				}
				order = append(order, uint32(k))
			}
			keys = keys[same:]
		}
	}
	return order, nil
}

// refTable finds references in a sorted list. Beside the list it takes at most a
// byte a reference. A look-up touches two cache lines as a rule: where the references begin that
// have the same first bits, and those.
type refTable struct {
	refs  []Ref
	start []uint32 // references whose top, shifted, is b are refs[start[b]:start[b+1]]
	shift uint
}

// newRefTable returns false where the references are not in ascending order, each once.
func newRefTable(refs []Ref) (t refTable, ok bool) {
	buckets := bits.Len(uint(len(refs) / 8)) // their number's logarithm: 4 to 8 references each
	t = refTable{refs: refs, start: make([]uint32, 1<<buckets+1), shift: uint(32 - buckets)}
	next := 0 // bucket whose start is not known yet
	for i := range refs {
		if i > 0 && compareRefs(&refs[i-1], &refs[i]) >= 0 {
			return t, false
		}
		for b := t.bucket(&refs[i]); next <= b; next++ {
			t.start[next] = uint32(i)
		}
	}
	for ; next < len(t.start); next++ {
		t.start[next] = uint32(len(refs))
	}
	return t, true
}

func (t *refTable) bucket(r *Ref) int { return int(uint64(r.top()) >> t.shift) }

// find returns the number of a reference, or -1.
func (t *refTable) find(r *Ref) int32 {
	b := t.bucket(r)
	for i := t.start[b]; i < t.start[b+1]; i++ {
		if t.refs[i] == *r {
			return int32(i)
		}
	}
	return -1
}

// appendFound appends the numbers of references to dst, several times faster than one by
// one; Null for the zero Ref. As in idTable, the waits for memory of some look-ups overlap.
func (t *refTable) appendFound(dst []Account, refs []Ref) []Account {
	var sum uint32
	for len(refs) > 0 {
		batch := refs[:min(warm, len(refs))]
		refs = refs[len(batch):]
		var at [warm]uint32
		for i := range batch {
			at[i] = t.start[t.bucket(&batch[i])]
		}
		for i := range batch {
			if int(at[i]) < len(t.refs) {
				sum += uint32(t.refs[at[i]][0])
			}
		}
		for i := range batch {
			if batch[i] == (Ref{}) {
				dst = append(dst, Null)
				continue
			}
			dst = append(dst, Account(t.find(&batch[i])))
		}
	}
	keep(sum)
	return dst
}
