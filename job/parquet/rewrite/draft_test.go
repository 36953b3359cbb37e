package rewrite

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"assent/job/parquet"
	"assent/job/parquet/codec"
)

// TestEncodeInPlace encodes a draft whose values lie in the memory of the page that they come from, with bytes of dropped values
// behind them and room of all sizes for the levels before them: the page is what it would be elsewhere, and none of these bytes is in it.
func TestEncodeInPlace(t *testing.T) {
	col := &parquet.Column{Physical: parquet.ByteArray, MaxDef: 1}
	values := []byte("\x04\x00\x00\x00kept\x05\x00\x00\x00still")
	for _, v2 := range []bool{false, true} {
		make := func(room int, taken bool) []byte {
			memory := bytes.Repeat([]byte("dropped!"), 20)
			d := &draft{form: form{v2: v2, encoding: parquet.Plain}, rows: 3, slots: 3, count: 2}
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
}

// poison fills memory that may hold bytes of dropped rows. No value of TestPoisonedMemory has it.
const poison = 0xee

// TestPoisonedMemory gathers the kept slots of some pages in memory that is full of poison behind and before what was written there:
// the page that comes of it has their levels and values, and nothing else.
func TestPoisonedMemory(t *testing.T) {
	for _, col := range []*parquet.Column{
		{Physical: parquet.ByteArray}, {Physical: parquet.ByteArray, MaxDef: 1}, {Physical: parquet.ByteArray, MaxDef: 3, MaxRep: 1},
		{Physical: parquet.Int32}, {Physical: parquet.Int64, MaxDef: 1}, {Physical: parquet.Double, MaxDef: 2, MaxRep: 1},
		{Physical: parquet.FixedLenByteArray, TypeLength: 5, MaxDef: 1}, {Physical: parquet.Int96, MaxDef: 2},
	} {
		for _, v2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s rep %d def %d v2 %v", col.Physical, col.MaxRep, col.MaxDef, v2), func(t *testing.T) {
				for seed := range uint64(40) {
					g := gathering{col: col, v2: v2, r: rand.New(rand.NewPCG(seed, 1))}
					g.run(t)
				}
			})
		}
	}
}

// A gathering is one draft of TestPoisonedMemory: what it should hold is gathered beside it, slot by slot.
type gathering struct {
	col  *parquet.Column
	v2   bool
	r    *rand.Rand
	want draft
}

func (g *gathering) run(t *testing.T) {
	encoded := form{v2: g.v2, encoding: parquet.Plain}
	d, f, in := &draft{form: encoded}, filter{col: g.col}, parquet.Page{}
	g.want.form = encoded
	var page parquet.EncodedPage
	err := withWorker(func(w *worker) error {
		for range 2 { // the second time in the memory of the first
			g.poison(t, w, &in, d)
			for range 1 + g.r.IntN(4) {
				h, body, words := g.page(g.r.IntN(300))
				if err := in.Load(&w.codec, g.col, codec.Uncompressed, &h, body); err != nil {
					return err
				}
				if err := f.append(d, &in, words, 0, false); err != nil {
					return err
				}
			}
			if err := w.encode(&page, d, g.col, codec.Uncompressed, 0); err != nil {
				return err
			}
			wantLevels := g.want.AppendV1(nil, g.col)
			if g.v2 {
				wantLevels = g.want.AppendDefs(g.want.AppendReps(nil, g.col), g.col)
			}
			if want := append(wantLevels, g.want.plain...); !bytes.Equal(page.Body, want) {
				t.Fatalf("%d bytes, want %d:\n%x\n%x", len(page.Body), len(want), page.Body, want)
			}
			d.reset()
			d.form = encoded
			g.want.reset()
			g.want.form = encoded
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// poison fills the memory of the page and of the draft, and gives the page some if it has none.
func (g *gathering) poison(t *testing.T, w *worker, p *parquet.Page, d *draft) {
	n := g.r.IntN(8000)
	fill := bytes.Repeat([]byte{poison}, n)
	h := parquet.PageHeader{Kind: parquet.DataPage, RawSize: n, Size: n, Encoding: parquet.Plain}
	if err := p.Load(&w.codec, &parquet.Column{}, codec.Uncompressed, &h, fill); err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{p.Values, d.plain, w.raw} {
		for i := range b[:cap(b)] {
			b[:cap(b)][i] = poison
		}
	}
}

// page returns a page of n slots, and which of its rows are kept; what is kept is added to what is wanted.
func (g *gathering) page(n int) (h parquet.PageHeader, body []byte, words []uint64) {
	col, w := g.col, &g.want
	one := draft{}
	words = make([]uint64, n/64+1)
	share, nulls := g.r.IntN(101), g.r.IntN(101)
	keep := false
	for i := range n {
		starts := col.MaxRep == 0 || i == 0 || g.r.IntN(2) == 0
		if starts {
			if keep = g.r.IntN(100) < share; keep {
				words[one.rows/64] |= 1 << (one.rows % 64)
				w.rows++
			}
			one.rows++
		}
		def := uint8(col.MaxDef)
		if col.MaxDef > 0 && g.r.IntN(100) < nulls {
			def = uint8(g.r.IntN(col.MaxDef))
		}
		var v []byte
		if def == uint8(col.MaxDef) {
			v = g.value()
			one.plain = append(one.plain, v...)
			one.count++
		}
		one.addSlot(col, starts, def)
		if keep {
			w.addSlot(col, starts, def)
			w.plain = append(w.plain, v...)
		}
	}
	h = parquet.PageHeader{Kind: parquet.DataPage, Values: n, Encoding: parquet.Plain, RepEncoding: parquet.RLE, DefEncoding: parquet.RLE}
	if body = one.AppendV1(nil, col); g.v2 {
		body = one.AppendReps(nil, col)
		h.Kind, h.Rows, h.Nulls, h.RepLen = parquet.DataPageV2, one.rows, n-one.count, len(body)
		body = one.AppendDefs(body, col)
		h.DefLen = len(body) - h.RepLen
	}
	body = append(body, one.plain...)
	h.Size, h.RawSize = len(body), len(body)
	return h, body, words
}

// addSlot adds the levels of a slot.
func (d *draft) addSlot(col *parquet.Column, starts bool, def uint8) {
	if col.MaxRep > 0 {
		rep := uint8(1)
		if starts {
			rep = 0
		}
		d.Reps = append(d.Reps, rep)
	}
	if col.MaxDef > 1 {
		d.Defs = append(d.Defs, def)
	} else if col.MaxDef == 1 {
		d.Present.AppendRun(def == 1, 1)
	}
}

// value returns a PLAIN value.
func (g *gathering) value() []byte {
	n := g.col.Width()
	var v []byte
	if g.col.Physical == parquet.ByteArray {
		n = g.r.IntN(20)
		v = binary.LittleEndian.AppendUint32(v, uint32(n))
	}
	for range n {
		v = append(v, byte('a'+g.r.IntN(26)))
	}
	return v
}
