package verify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/parquet-go/parquet-go/format"
)

// plainRun is a run of RLE booleans; packed one of bit-packed ones.
func plainRun(n int, v byte) []byte { return append(binary.AppendUvarint(nil, uint64(n)<<1), v) }

func packed(b ...byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(b))<<1|1), b...)
}

func page(levels string, runs ...[]byte) []byte {
	values := bytes.Join(runs, nil)
	return append(binary.LittleEndian.AppendUint32([]byte(levels), uint32(len(values))), values...)
}

func TestPlainBooleans(t *testing.T) {
	for _, c := range []struct {
		name   string
		page   []byte
		levels int
		most   int
		want   string // of levels and bits
	}{
		{"a run", page("", plainRun(10, 1)), 0, 10, "\xff\x03"},
		{"runs", page("ab", plainRun(3, 1), plainRun(3, 0), plainRun(4, 1)), 2, 10, "ab\xc7\x03"},
		{"packed after a run", page("", plainRun(3, 1), packed(0x05, 0x80)), 0, 19, "\x2f\x00\x04"},
		{"padding of the last group", page("", packed(0xff)), 0, 5, "\x1f"},
		{"none", page(""), 0, 0, ""},
		{"no bytes", []byte("ab"), 2, 0, "ab"},
	} {
		got, err := plainBooleans(c.page, c.levels, c.most)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %x, %v, want %x", c.name, got, err, c.want)
		}
	}
	for _, bad := range [][]byte{{1}, {9, 0, 0, 0, 1}, page("", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), page("", []byte{6})} {
		if got, err := plainBooleans(bad, 0, 100); err == nil {
			t.Errorf("%x: %x", bad, got)
		}
	}
}

func FuzzPlainBooleans(f *testing.F) {
	f.Add(page("ab", plainRun(3, 1), packed(0x05)), 2, 11)
	f.Fuzz(func(t *testing.T, data []byte, levels, most int) {
		if levels < 0 || levels > len(data) || most < 0 || most > 1<<16 {
			return
		}
		got, err := plainBooleans(data, levels, most)
		if err == nil && len(data) > levels && len(got) != levels+(most+7)/8 {
			t.Errorf("%d bytes for %d values after %d of levels", len(got), most, levels)
		}
	})
}

func FuzzPageStream(f *testing.F) {
	f.Add([]byte("\x15\x04\x15\x08\x15\x08\x2c\x15\x04\x15\x06\x15\x06\x15\x06\x00\x00\x00\x00\x00\x00"), int64(2), int32(0), true)
	f.Fuzz(func(t *testing.T, data []byte, values int64, id int32, boolean bool) {
		w := newPageWalk(bytes.NewReader(data), int64(len(data)), values, format.CompressionCodec(id))
		w.boolean = boolean
		s := &pageStream{pageWalk: w}
		buf := make([]byte, 100)
		for at := int64(0); at < 1<<20; {
			n, err := s.ReadAt(buf, at)
			at += int64(n)
			if err != nil {
				if n == 0 && errors.Is(err, io.EOF) && w.values > 0 {
					t.Log("ended early")
				}
				return
			}
		}
	})
}

func TestProbes(t *testing.T) {
	p := &probeSet{at: map[uint64][]*probe{}}
	p.add([]byte("the dropped message, and more of it than a piece"), 0, 1, "body")
	p.add([]byte("another dropped message"), 0, 2, "body")
	p.add([]byte("short"), 0, 3, "body")
	p.add([]byte("aaaaaaaaaaaaaaaaaaaa"), 0, 4, "body")
	if len(p.all) != 2 {
		t.Fatalf("%d pieces", len(p.all))
	}
	var at []int
	p.search([]byte("xx the dropped message, am"), func(_ *probe, i int) { at = append(at, i) })
	if len(at) != 0 {
		t.Errorf("part of a piece was found at %v", at)
	}
	p.search([]byte("xx the dropped message, and more of"), func(x *probe, i int) { at = append(at, i) })
	if len(at) != 1 || at[0] != 3 {
		t.Errorf("found at %v", at)
	}
	for _, v := range []string{"it is another drop", "ped message"} { // side by side in a page
		p.strike([]byte(v))
	}
	p.endColumn()
	if p.all[0].struck || !p.all[1].struck {
		t.Errorf("%+v", p.all)
	}
}
