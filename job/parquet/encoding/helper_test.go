package encoding

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// bools is the plain form of a Bitmap.
func (b *Bitmap) bools() []bool {
	out := make([]bool, b.Len())
	for i := range out {
		out[i] = b.Get(i)
	}
	return out
}

func bitmapOf(v []bool) *Bitmap {
	var b Bitmap
	for _, x := range v {
		b.AppendRun(x, 1)
	}
	return &b
}

// checkBitmap fails unless b is v and holds to its own rules.
func checkBitmap(t *testing.T, b *Bitmap, v []bool) {
	t.Helper()
	if got := b.bools(); !slices.Equal(got, v) {
		t.Fatalf("bitmap differs: %d bits, want %d", len(got), len(v))
	}
	if len(b.words) != (b.n+63)/64 {
		t.Fatalf("%d words for %d bits", len(b.words), b.n)
	}
	if tail := b.n & 63; tail != 0 && b.words[len(b.words)-1]>>tail != 0 {
		t.Fatal("bits past the end are set")
	}
}

// randomBools has runs of random length: share is about that of true, mean that of a run's length.
func randomBools(r *rand.Rand, n int, share float64, mean int) []bool {
	out := make([]bool, 0, n)
	for len(out) < n {
		v := r.Float64() < share
		for range min(1+r.IntN(2*mean-1), n-len(out)) {
			out = append(out, v)
		}
	}
	return out
}

// selections are the shapes of selection that the filters treat differently.
func selections(r *rand.Rand, n int) map[string][]bool {
	none, all := make([]bool, n), make([]bool, n)
	first, last := make([]bool, n), make([]bool, n)
	for i := range n {
		all[i] = true
		first[i] = i == 0
		last[i] = i == n-1
	}
	return map[string][]bool{
		"none": none, "all": all, "first": first, "last": last,
		"sparse": randomBools(r, n, 0.1, 1), "half": randomBools(r, n, 0.5, 1), "dense": randomBools(r, n, 0.9, 1),
		"runs": randomBools(r, n, 0.5, 200),
	}
}

// sizes are lengths about the boundaries of words and groups.
var sizes = []int{0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 129, 500, 504, 505, 1000, 5000}

func compactRef[T any](in []T, keep []bool) []T {
	out := []T{}
	for i, v := range in {
		if keep[i] {
			out = append(out, v)
		}
	}
	return out
}

func random(t testing.TB) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(1, 2))
}

// strings are byte strings of up to size bytes.
func randomStrings(r *rand.Rand, n, size int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		v := make([]byte, r.IntN(size+1))
		for j := range v {
			v[j] = byte('a' + r.IntN(3))
		}
		out[i] = v
	}
	return out
}

func bytesOf(values [][]byte) *Bytes {
	var b Bytes
	for _, v := range values {
		b.Data = append(b.Data, v...)
		b.Ends = append(b.Ends, uint32(len(b.Data)))
	}
	return &b
}

func (b *Bytes) values() [][]byte {
	out := make([][]byte, b.Len())
	for i := range out {
		out[i] = b.At(i)
	}
	return out
}

func equalValues(a, b [][]byte) bool {
	return slices.EqualFunc(a, b, func(x, y []byte) bool { return string(x) == string(y) })
}
