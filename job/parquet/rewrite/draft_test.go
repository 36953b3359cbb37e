package rewrite

import (
	"bytes"
	"testing"

	"assent/job/parquet"
	"assent/job/parquet/codec"
)

// TestEncodeInPlace encodes a draft whose values lie in the memory of the page that they come from, with bytes of dropped values
// behind them and room of all sizes for the levels before them: the page is what it would be elsewhere, and none of these bytes is in it.
func TestEncodeInPlace(t *testing.T) {
	col := &parquet.Column{Physical: parquet.ByteArray, MaxDef: 1}
	values := []byte("\x04\x00\x00\x00kept\x05\x00\x00\x00still")
	make := func(room int, taken bool) []byte {
		memory := bytes.Repeat([]byte("dropped!"), 20)
		d := &draft{form: form{encoding: parquet.Plain}, rows: 3, slots: 3, count: 2}
		d.Present.AppendRun(true, 2)
		d.Present.AppendRun(false, 1)
		if taken {
			d.room = memory
			copy(memory[room:], values)
			d.plain = memory[room:][:len(values)]
		} else {
			d.plain = append(d.plain, values...)
		}
		var page parquet.EncodedPage
		if err := withWorker(func(w *worker) error { return w.encode(&page, d, col, codec.Uncompressed, 0) }); err != nil {
			t.Fatal(err)
		}
		return append(bytes.Clone(page.Head), page.Body...)
	}
	want := make(0, false)
	for room := range 20 {
		if got := make(room, true); !bytes.Equal(got, want) {
			t.Errorf("with %d bytes before the values: %q, want %q", room, got, want)
		}
	}
	if bytes.Contains(want, []byte("drop")) {
		t.Error("bytes of dropped values are in the page")
	}
}
