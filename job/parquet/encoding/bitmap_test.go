package encoding

import (
	"slices"
	"testing"
)

func TestBitmapAppend(t *testing.T) {
	r := random(t)
	for range 200 {
		var b Bitmap
		var want []bool
		words := make([]uint64, 6)
		for i := range words {
			words[i] = r.Uint64()
		}
		for range 20 {
			switch r.IntN(4) {
			case 0:
				v, n := r.IntN(2) == 0, r.IntN(200)
				b.AppendRun(v, n)
				for range n {
					want = append(want, v)
				}
			case 1:
				w, n := r.Uint64(), r.IntN(65)
				b.AppendWord(w, n)
				for i := range n {
					want = append(want, w>>i&1 != 0)
				}
			case 2:
				lo := r.IntN(64 * 6)
				hi := lo + r.IntN(64*6-lo+1)
				b.AppendRange(words, lo, hi)
				for i := lo; i < hi; i++ {
					want = append(want, words[i/64]>>(i%64)&1 != 0)
				}
			case 3:
				src := make([]byte, 40)
				for i := range src {
					src[i] = byte(r.Uint32())
				}
				n := r.IntN(8*40 + 1)
				b.appendBytes(src, n)
				for i := range n {
					want = append(want, src[i/8]>>(i%8)&1 != 0)
				}
			}
			checkBitmap(t, &b, want)
		}
		count := len(compactRef(want, want))
		if b.Count() != count {
			t.Fatalf("count %d, want %d", b.Count(), count)
		}
		lo := r.IntN(len(want) + 1)
		hi := lo + r.IntN(len(want)-lo+1)
		if got, w := b.CountRange(lo, hi), len(compactRef(want[lo:hi], want[lo:hi])); got != w {
			t.Fatalf("count of %d to %d: %d, want %d", lo, hi, got, w)
		}
	}
}

func TestBitmapRun(t *testing.T) {
	r := random(t)
	for _, n := range sizes {
		for name, v := range selections(r, n) {
			var got []bool
			b := bitmapOf(v)
			at := 0
			for lo, hi := b.Run(0); lo < hi; lo, hi = b.Run(hi) {
				if lo < at || hi > n {
					t.Fatalf("%s %d: run %d to %d after %d", name, n, lo, hi, at)
				}
				for ; at < lo; at++ {
					got = append(got, false)
				}
				for ; at < hi; at++ {
					got = append(got, true)
				}
			}
			for ; at < n; at++ {
				got = append(got, false)
			}
			if !slices.Equal(got, v) {
				t.Fatalf("%s %d: runs differ", name, n)
			}
			if lo, hi := b.Run(n); lo != n || hi != n {
				t.Fatalf("%s %d: run at the end is %d to %d", name, n, lo, hi)
			}
		}
	}
}
