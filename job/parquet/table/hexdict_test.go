package table

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestHexPage(t *testing.T) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 3, 4, 5, 127, 128, 129, 130, hexPerBlock - 1, hexPerBlock, hexPerBlock + 1, 3*hexPerBlock + 7} {
		want := []byte{0, 0, 0, 0}
		var raw []byte
		for range n {
			var r [hexSize]byte
			binary.LittleEndian.PutUint64(r[:], rng.Uint64())
			binary.LittleEndian.PutUint64(r[8:], rng.Uint64())
			raw = append(raw, r[:]...)
			want = hex.AppendEncode(append(want, 32, 0, 0, 0), r[:])
		}
		page := appendHexPage(nil, raw)
		got, err := decoder.DecodeAll(page, nil)
		if err != nil || !bytes.Equal(got, want) || len(got) != hexPageSize(n) {
			t.Errorf("%d texts: %d bytes of %d, %v", n, len(got), len(want), err)
		}
		if n > 1000 && len(page) > n*17+n/10 {
			t.Errorf("%d texts in %d bytes", n, len(page))
		}
	}
}
