package verify

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/format"
)

// TestDeltaTexts takes pages apart that parquet-go has encoded.
func TestDeltaTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		by   encoding.Encoding
		name format.Encoding
	}{{new(delta.LengthByteArrayEncoding), format.DeltaLengthByteArray}, {new(delta.ByteArrayEncoding), format.DeltaByteArray}} {
		for round := range 300 {
			var all []byte
			var texts [][]byte
			ends := []uint32{0}
			for i := range r.IntN(700) {
				text := make([]byte, r.IntN([]int{1, 5, 90, 40_000}[round%4]))
				for k := range text {
					text[k] = byte(r.Uint32())
				}
				if i > 0 && r.IntN(2) == 0 {
					copy(text, texts[i-1])
				}
				texts, all = append(texts, text), append(all, text...)
				ends = append(ends, uint32(len(all)))
			}
			page, err := c.by.EncodeByteArray(nil, all, ends)
			if err != nil {
				t.Fatal(err)
			}
			d, err := newDeltaTexts(page, c.name, len(texts))
			if err != nil {
				t.Fatal(c.name, err)
			}
			v := &largeValues{slots: len(texts), delta: d}
			buf, n := make([]parquet.Value, 100), 0
			for err == nil {
				var got int
				got, err = v.ReadValues(buf)
				for _, value := range buf[:got] {
					if !bytes.Equal(value.ByteArray(), texts[n]) {
						t.Fatalf("%s: value %d of %d differs", c.name, n, len(texts))
					}
					n++
				}
			}
			if !errors.Is(err, io.EOF) || n != len(texts) {
				t.Fatalf("%s: %d of %d values: %v", c.name, n, len(texts), err)
			}
			for range 20 {
				bad := bytes.Clone(page[:r.IntN(len(page)+1)])
				if len(bad) > 0 {
					bad[r.IntN(min(len(bad), 200))] ^= byte(1 + r.IntN(255))
				}
				if d, err := newDeltaTexts(bad, c.name, len(texts)); err == nil {
					for range texts {
						d.next()
					}
				}
			}
		}
	}
}
