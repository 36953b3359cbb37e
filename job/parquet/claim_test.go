package parquet

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"

	"assent/job/parquet/codec"
)

func TestZstdAtMost(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for _, size := range []int{0, 1, 1000, 200_000, 5 << 20} {
		for _, kind := range []string{"zeros", "noise", "text"} {
			raw := make([]byte, size)
			for i := range raw {
				switch kind {
				case "noise":
					raw[i] = byte(r.Uint32())
				case "text":
					raw[i] = "some words, and others"[i%22]
				}
			}
			for _, level := range []zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedBetterCompression} {
				for _, sum := range []bool{false, true} {
					e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(sum), zstd.WithZeroFrames(true))
					if err != nil {
						t.Fatal(err)
					}
					b := e.EncodeAll(raw, nil)
					two := e.EncodeAll(raw, append(bytes.Clone(b), 0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3)) // a skippable frame between
					if got := zstdAtMost(b); got < int64(size) || got > int64(size)+(128<<10)*int64(size/(64<<10)+2) {
						t.Errorf("%s of %d bytes: at most %d", kind, size, got)
					}
					if got := zstdAtMost(two); got < 2*int64(size) {
						t.Errorf("%s, twice %d bytes: at most %d", kind, size, got)
					}
				}
			}
		}
	}
}

// A small page that says it is very large costs neither time nor memory.
func TestFalseClaim(t *testing.T) {
	var k codec.Codec
	for _, id := range []codec.ID{codec.Uncompressed, codec.Snappy, codec.Gzip, codec.Zstd, codec.LZ4Raw} {
		noise := make([]byte, 60_000)
		r := rand.New(rand.NewPCG(2, 9))
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		body, err := k.Compress(nil, id, noise)
		if err != nil {
			t.Fatal(err)
		}
		h := PageHeader{Kind: DataPage, RawSize: 1<<31 - 1, Size: len(body), Values: 10, Encoding: Plain}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err = h.Check(id, 10)
		if err == nil {
			var p Page
			err = p.Load(&k, &Column{Physical: ByteArray}, id, &h, body)
		}
		runtime.ReadMemStats(&after)
		if !errors.Is(Classify(err), ErrCorrupt) {
			t.Errorf("%s: %v", id, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
			t.Errorf("%s: %d bytes allocated", id, n)
		}
	}
}
