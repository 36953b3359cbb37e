package rewrite

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	parquetgo "github.com/parquet-go/parquet-go"

	"assent/job/jobtest/liveheap"
	"assent/job/parquet"
)

// TestLargeValue: a page with one very large value takes no more than twice its size, and some more for blocks of input and encoders,
// whatever its encoding and codec. ASSENT_LONG=1 tries some more.
func TestLargeValue(t *testing.T) {
	if testing.Short() {
		t.Skip("collects garbage all the time, which takes minutes with the race detector")
	}
	if !liveheap.Alone(t) {
		return
	}
	text := parquetgo.Encoded(parquetgo.String(), &parquetgo.Plain)
	for _, test := range []struct {
		name string
		body parquetgo.Node
		most float64
		long bool
	}{
		{"plain zstd", parquetgo.Compressed(text, &parquetgo.Zstd), 2, false},
		{"plain snappy", parquetgo.Compressed(text, &parquetgo.Snappy), 2, true},
		{"plain gzip", parquetgo.Compressed(text, &parquetgo.Gzip), 2, true},
		{"plain uncompressed", text, 2, true},
		// The dictionary lost an entry: it moves to the front of its memory, and is compressed from there.
		{"dictionary zstd", parquetgo.Compressed(parquetgo.Encoded(text, &parquetgo.RLEDictionary), &parquetgo.Zstd), 2.3, false},
		{"lengths zstd", parquetgo.Compressed(parquetgo.Encoded(text, &parquetgo.DeltaLengthByteArray), &parquetgo.Zstd), 2, false},
		{"strings zstd", parquetgo.Compressed(parquetgo.Encoded(text, &parquetgo.DeltaByteArray), &parquetgo.Zstd), 2, true},
	} {
		if test.long && os.Getenv("ASSENT_LONG") == "" {
			continue
		}
		t.Run(test.name, func(t *testing.T) { testLargeValue(t, parquetgo.Optional(test.body), test.most) })
	}
}

func testLargeValue(t *testing.T, body parquetgo.Node, most float64) {
	// The writer puts two of the values into the header, too, which may have 16 MiB.
	const value, values = 7 << 20, 5
	const size = value * values
	var file bytes.Buffer
	large := make([]byte, value)
	r := rand.New(rand.NewPCG(1, 2))
	schema := parquetgo.NewSchema("row", parquetgo.Group{"body": body, "id": parquetgo.Int(64)})
	w := parquetgo.NewGenericWriter[any](&file, schema, parquetgo.PageBufferSize(2*size), parquetgo.SkipPageBounds("body"))
	for i := range values + 3 {
		v := []byte("kept")
		if i == 0 || i == values+2 {
			v = []byte("gone")
		} else if i <= values {
			for k := 0; k < len(large); k += 8 {
				bits := r.Uint64()
				for x := range 8 {
					large[k+x] = 'a' + byte(bits>>(4*x))&15
				}
			}
			v = large
		}
		row := parquetgo.Row{parquetgo.ByteArrayValue(v).Level(0, 1, 0), parquetgo.Int64Value(int64(i)).Level(0, 0, 1)}
		if _, err := w.WriteRows([]parquetgo.Row{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	large = nil
	// Once without the first row, so that what is measured has no values in its page headers.
	once, _, err := rewriteFile(t, file.Bytes(), func(i, _ int64) bool { return i > 0 }, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.Open(t.Context(), bytes.NewReader(once), int64(len(once)), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	const beside = 16 << 20 // beside the pages there are blocks of input, the encoder, and pieces too small to be collected at once
	for range 2 {
		ratio := (liveheap.Peak(func() {
			sel := NewSelection(values + 2)
			sel.KeepRange(0, values+1)
			out := NewWriter(f, io.Discard, Options{Memory: NewBudget(16 << 20)})
			err = out.RowGroup(t.Context(), 0, sel)
		}) - beside) / size
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%.2f times the page; the file has %.2f", ratio, float64(len(once))/size)
		if ratio <= most {
			return
		}
	}
	t.Errorf("it took more than %.1f times the page", most)
}
