package source

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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

// TestJoined compares the sum of the joins of parts with the join of all, for columns that
// name few and many ids of the list.
func TestJoined(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 64, 65, 10_000} {
		for _, named := range []int{0, 1, n / 100, n / 2, 3 * n} {
			whole, sum, merged := NewJoinCounter(n), NewJoined(n), NewJoined(n)
			want := map[int]bool{}
			for range 3 {
				part := NewJoinCounter(n)
				for range named {
					if n > 0 {
						i := r.IntN(n)
						part.Mark(i)
						whole.Mark(i)
						want[i] = true
					}
					h := uint64(r.IntN(named)) * 0x9E3779B97F4A7C15
					part.Other(h)
					whole.Other(h)
				}
				join := part.Join()
				one := NewJoined(n)
				if err := errors.Join(sum.Add(&join), one.Add(&join)); err != nil {
					t.Fatal(err)
				}
				merged.Merge(one)
			}
			join, all := whole.Join(), NewJoined(n)
			if err := all.Add(&join); err != nil {
				t.Fatal(err)
			}
			for name, got := range map[string]*Joined{"sum": sum, "merged": merged} {
				if fmt.Sprint(got) != fmt.Sprint(all) {
					t.Fatalf("%d of %d, %s: %v, want %v", named, n, name, got, all)
				}
				if got.Count(func(int) bool { return true }) != int64(len(want)) || len(got.others) < DistinctExact && got.Named() != int64(len(want)+len(got.others)) {
					t.Fatalf("%d of %d, %s: %d named, %d others", named, n, name, got.Named(), len(got.others))
				}
			}
			for i := range n {
				if all.Has(i) != want[i] {
					t.Fatalf("%d of %d: number %d is %v", named, n, i, all.Has(i))
				}
			}
		}
	}
}

// TestPackedSize holds what a shard says of a large list to what it names of it.
func TestPackedSize(t *testing.T) {
	const n = 1 << 20
	for _, c := range []struct{ every, most int }{{1000, 2*n/1000 + 2}, {1, n/8 + 1}, {n + 1, 2}} {
		words := make([]uint64, n/64)
		for i := 0; i < n; i += c.every {
			words[i/64] |= 1 << (i % 64)
		}
		if got := len(packBits(words)); got > c.most+2 {
			t.Errorf("one in %d takes %d bytes, more than %d", c.every, got, c.most)
		}
	}
}

// FuzzUnpackBits unpacks any bytes. What it takes is within the list; and what was packed
// comes back.
func FuzzUnpackBits(f *testing.F) {
	f.Add([]byte{packedGaps, 1, 2, 200, 1}, uint8(7))
	f.Add([]byte{packedWords, 1, 2, 3, 4, 5, 6, 7, 8}, uint8(1))
	f.Fuzz(func(t *testing.T, packed []byte, size uint8) {
		words := make([]uint64, size)
		if unpackBits(words, packed) != nil {
			return
		}
		again := make([]uint64, size)
		if err := unpackBits(again, packBits(words)); err != nil || !slices.Equal(words, again) {
			t.Fatalf("%x: %v, %v", packed, err, again)
		}
	})
}
