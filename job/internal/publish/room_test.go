package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"math/rand/v2"
	"testing"
)

// TestRoom: the digest of any beginning of an object, and of what follows on it, is that of the bytes; also once another object is there.
func TestRoom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var r Room
	for _, size := range []int{0, 1, 5 * sumEvery / 2, sumEvery, 3 * sumEvery, 3*sumEvery + 1, 7} {
		r.Clear()
		for range size {
			r.data = append(r.data, byte(random.Uint32()))
		}
		of := func(data []byte) string {
			sum := sha256.Sum256(data)
			return hex.EncodeToString(sum[:])
		}
		if got := r.sum(); got != of(r.data) || len(r.sums) != size/sumEvery {
			t.Errorf("%d bytes: %s, want %s; %d sums are kept", size, got, of(r.data), len(r.sums))
		}
		for range 100 {
			n := random.IntN(size + 1)
			var h hash.Hash = r.Digest(int64(n))
			h.Write([]byte("more"))
			if got, want := hex.EncodeToString(h.Sum(nil)), of(append(r.data[:n:n], "more"...)); got != want {
				t.Fatalf("%d of %d bytes and more: %s, want %s", n, size, got, want)
			}
			if p := r.data[n:]; !r.Has(int64(n), p) || r.Has(int64(n), append(p[:len(p):len(p)], 1)) || r.Has(int64(size+1), nil) {
				t.Fatalf("%d bytes: what stands at %d is not told", size, n)
			}
		}
	}
}
