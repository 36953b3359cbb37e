package filter

import (
	"math"

	"assent/schema"
)

// packedStarts says where each of many ranges begins, one behind the other, and where the last one ends. As most are short it takes two
// bytes a range, and four for the first of each 1<<shift. Where so many are too long together, the shift is less.
//
//	range k begins at base[k>>shift] + near[k]
type packedStarts struct {
	base  []uint32
	near  []uint16 // one more than there are ranges
	shift uint8
}

const mostShift = 6

// newPackedStarts has room for n ranges.
func newPackedStarts(n int) packedStarts {
	return packedStarts{make([]uint32, 0, n>>mostShift+1), make([]uint16, 0, n+1), mostShift}
}

// at returns where range k begins, and where the one before it ends.
func (s *packedStarts) at(k int) uint32 { return s.base[k>>(s.shift&31)] + uint32(s.near[k]) }

// append adds where the next range begins, or the last one ends: not before the range before it.
func (s *packedStarts) append(at uint32) {
	k := len(s.near)
	for k>>s.shift < len(s.base) && at-s.base[k>>s.shift] > math.MaxUint16 {
		s.halve()
	}
	if k>>s.shift == len(s.base) {
		s.base = append(s.base, at)
	}
	s.near = append(s.near, uint16(at-s.base[k>>s.shift]))
}

// halve lessens the shift by one.
func (s *packedStarts) halve() {
	half := packedStarts{make([]uint32, 0, cap(s.near)>>(s.shift-1)+1), s.near[:0], s.shift - 1}
	for k := range s.near {
		half.append(s.at(k))
	}
	*s = half
}

// hold reports whether n ranges are one behind the other, from 0 up to end.
func (s *packedStarts) hold(n, end int) bool {
	if len(s.near) != n+1 || s.shift > mostShift || len(s.base) != n>>s.shift+1 {
		return false
	}
	last := uint64(0)
	for k, near := range s.near {
		at := uint64(s.base[k>>s.shift]) + uint64(near)
		if at < last || k == 0 && at != 0 {
			return false
		}
		last = at
	}
	return last == uint64(end)
}

func (s *packedStarts) size() int64 { return 4*int64(cap(s.base)) + 2*int64(cap(s.near)) }

// startsIn returns where timelines begin once the accounts are in another order.
func (x *Index) startsIn(order []uint32) packedStarts {
	s := newPackedStarts(len(order) * schema.NumCategories)
	at := uint32(0)
	s.append(at)
	for _, from := range order {
		for k := int(from) * schema.NumCategories; k < (int(from)+1)*schema.NumCategories; k++ {
			at += x.first.at(k+1) - x.first.at(k)
			s.append(at)
		}
	}
	return s
}
