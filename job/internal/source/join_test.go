package source

import (
	"math/rand/v2"
	"testing"
)

func TestDistinct(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 100, DistinctExact - 1, DistinctExact, 50_000, 1_000_000} {
		hashes := make([]uint64, n)
		for i := range hashes {
			hashes[i] = r.Uint64()
		}
		a, b := newDistinct(), newDistinct()
		for _, h := range hashes {
			a.add(h)
		}
		r.Shuffle(n, func(i, j int) { hashes[i], hashes[j] = hashes[j], hashes[i] })
		for _, h := range hashes {
			b.add(h)
			b.add(h)
		}
		got := countLeast(a.hashes())
		if got != countLeast(b.hashes()) {
			t.Errorf("%d: the order matters: %d, %d", n, got, countLeast(b.hashes()))
		}
		off := float64(got-int64(n)) / float64(max(n, 1))
		if n < DistinctExact && off != 0 || off > 0.05 || off < -0.05 {
			t.Errorf("%d counted as %d", n, got)
		}
	}
}
