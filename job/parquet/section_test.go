package parquet

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// A Section yields the bytes of its range, however they are asked for.
func TestSection(t *testing.T) {
	data := make([]byte, 5000)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	f := &File{r: bytes.NewReader(data), size: int64(len(data))}
	r := rand.New(rand.NewPCG(1, 80))
	for range 300 {
		start := r.Int64N(5000)
		end := start + r.Int64N(5001-start)
		s := f.Section(start, end, 1+r.Int64N(700))
		for at := start; ; {
			if s.Offset() != at || s.Rest() != end-at {
				t.Fatalf("at %d, %d are left; want %d and %d", s.Offset(), s.Rest(), at, end-at)
			}
			n := r.IntN(900)
			got, err := s.Peek(n)
			if err != nil {
				t.Fatal(err)
			}
			if want := data[at:min(at+int64(n), end)]; !bytes.Equal(got, want) {
				t.Fatalf("%d bytes at %d of %d..%d: %d other ones", n, at, start, end, len(got))
			}
			if at == end {
				break
			}
			skip := 1 + r.Int64N(s.Rest())
			if r.IntN(3) > 0 {
				skip = min(skip, 50)
			}
			s.Skip(skip)
			at += skip
		}
	}
	short := &File{r: bytes.NewReader(data[:100]), size: 200}
	if _, err := short.Section(0, 200, 10).Peek(150); err == nil {
		t.Error("a file that is shorter than it says is read")
	}
}
