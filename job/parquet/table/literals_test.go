package table

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/delta"

	"assent/job/parquet/codec"
)

// TestLiterals decompresses frames of every kind of block.
func TestLiterals(t *testing.T) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	var l literals
	for name, next := range map[string]func() byte{
		"digits": func() byte { return '0' + byte(rng.IntN(10)) },
		"same":   func() byte { return 'a' },
		"any":    func() byte { return byte(rng.Uint32()) },
		"skewed": func() byte { return byte(min(rng.ExpFloat64()*3, 255)) },
	} {
		for _, n := range []int{0, 1, 2, 11, 12, 13, 31, 1000, 1023, 1024, literalBlock - 1, literalBlock, literalBlock + 1, 3*literalBlock + 7} {
			src := make([]byte, n)
			for i := range src {
				src[i] = next()
			}
			frame := l.appendFrame([]byte("before"), src)
			got, err := decoder.DecodeAll(frame[len("before"):], nil)
			if err != nil || !bytes.Equal(got, src) {
				t.Errorf("%s: %d bytes: %d come back, %v", name, n, len(got), err)
			}
			if name == "digits" && n > 1000 && 2*len(frame) > n+n/5 {
				t.Errorf("%d digits in %d bytes", n, len(frame))
			}
		}
	}
}

// TestLiteralsBetter: numbers are written as literals, what repeats elsewhere than in front is not.
func TestLiteralsBetter(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var l literals
	for name, c := range map[string]struct {
		next func() string
		want bool
	}{
		"numbers": {func() string { return fmt.Sprintf("%06d", rng.IntN(1e6)) }, true},
		"endings": {func() string { return fmt.Sprintf("%02d-of-the-messages-export", rng.IntN(100)) }, false},
	} {
		var raw []byte
		for len(raw) < 4*literalSample {
			raw = append(raw, c.next()...)
		}
		got, err := l.better(&codec.Codec{Fast: true}, slices.Clip(raw))
		if err != nil || got != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestDeltaStrings: the encoder makes the bytes that parquet-go's does.
func TestDeltaStrings(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	w := NewWriter(NewSchema(Field{Name: "a"}), "")
	for _, c := range []struct{ n, longest, letters int }{{0, 1, 1}, {1, 5, 2}, {1, 40, 2}, {3000, 14, 2}, {3000, 18, 10}, {500, 200, 2}, {100, 1, 1}} {
		p := Page{Ends: []uint32{0}}
		for range c.n {
			for range rng.IntN(c.longest + 1) {
				p.Data = append(p.Data, 'a'+byte(rng.IntN(c.letters)))
			}
			p.Ends = append(p.Ends, uint32(len(p.Data)))
		}
		if c.n > 0 {
			holdExtremes(t, w, &p)
		}
		want, err := new(delta.ByteArrayEncoding).EncodeByteArray(nil, p.Data, p.Ends)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.appendDeltaStrings([]byte("before"), &p); string(got) != "before"+string(want) || w.err != nil {
			t.Errorf("%+v: %d bytes, want %d, %v", c, len(got)-len("before"), len(want), w.err)
		}
	}
}

// holdExtremes compares extremes with a look at each text by itself, also of texts that all begin with some of the same bytes.
func holdExtremes(t *testing.T, w *Writer, p *Page) {
	for _, front := range []string{"", "m", "messages-of-2026-"} {
		q := Page{Ends: []uint32{0}}
		var texts [][]byte
		for i, end := range p.Ends[1:] {
			q.Data = append(append(q.Data, front...), p.Data[p.Ends[i]:end]...)
			q.Ends = append(q.Ends, uint32(len(q.Data)))
			texts = append(texts, append([]byte(front), p.Data[p.Ends[i]:end]...))
		}
		w.appendDeltaStrings(nil, &q)
		want := [2][]byte{slices.MinFunc(texts, bytes.Compare), slices.MaxFunc(texts, bytes.Compare)}
		for shared := range len(front) + 1 {
			least, most := extremes(&q, shared)
			if !bytes.Equal(least, want[0]) || !bytes.Equal(most, want[1]) {
				t.Errorf("%d texts, %d bytes shared: %q to %q, want %q", len(texts), shared, least, most, want)
			}
		}
		if got := w.sharedByAll(); got < len(front) && len(texts) > 1 {
			t.Errorf("%d bytes are shared, want %d", got, len(front))
		}
	}
}

// TestAppendInPlace: what is encoded is not copied where there is room for it, and is there where there is none.
func TestAppendInPlace(t *testing.T) {
	w := NewWriter(NewSchema(Field{Name: "a"}), "")
	numbers := func(b []byte) ([]byte, error) {
		return new(delta.BinaryPackedEncoding).EncodeInt64(b, []int64{1, 5, 1 << 40})
	}
	want, _ := numbers(nil)
	for _, room := range []int{0, 1, len(want) - 1, len(want), 4096} {
		raw := append(make([]byte, 0, 6+room), "before"...)
		got := w.append(raw, numbers)
		if string(got) != "before"+string(want) || w.err != nil {
			t.Errorf("room for %d: %q, %v", room, got, w.err)
		}
		if inPlace := &got[0] == &raw[0]; inPlace != (room >= len(want)) {
			t.Errorf("room for %d: in place is %v", room, inPlace)
		}
	}
}
