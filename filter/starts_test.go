package filter

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPackedStarts packs where ranges of many lengths begin, and compares each.
func TestPackedStarts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	shifts := map[uint8]int{}
	for round := range 600 {
		longest := []int{0, 3, 900, 8000, 20_000, 40_000, 70_000, 5_000_000}[round%8]
		s := newPackedStarts(0)
		want := []uint32{0}
		s.append(0)
		for range r.IntN(300) {
			n := 0
			if r.IntN(3) == 0 {
				n = r.IntN(longest + 1)
			}
			want = append(want, want[len(want)-1]+uint32(n))
			s.append(want[len(want)-1])
		}
		for k, at := range want {
			if s.at(k) != at {
				t.Fatalf("range %d of %d begins at %d, not at %d (shift %d)", k, len(want)-1, s.at(k), at, s.shift)
			}
		}
		n, end := len(want)-1, int(want[len(want)-1])
		if !s.hold(n, end) {
			t.Fatalf("%d ranges up to %d do not hold (shift %d)", n, end, s.shift)
		}
		if s.hold(n, end+1) || s.hold(n+1, end) {
			t.Fatal("another number or end of ranges holds")
		}
		shifts[s.shift]++
		bad := packedStarts{slices.Clone(s.base), slices.Clone(s.near), s.shift}
		if bad.near[0]++; bad.hold(n, end) {
			t.Fatal("the first range does not begin at 0")
		}
		bad.near[0]--
		if bad.base[len(bad.base)-1] = 1<<32 - 1; bad.hold(n, end) {
			t.Fatal("the last one ends elsewhere")
		}
	}
	if len(shifts) != mostShift+1 {
		t.Errorf("not each shift came: %v", shifts)
	}
}
