package verify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/delta"
	pthrift "github.com/parquet-go/parquet-go/encoding/thrift"
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
		got, err := plainBooleans(c.page[c.levels:], c.most)
		got = append([]byte(c.page[:c.levels:c.levels]), got...)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %x, %v, want %x", c.name, got, err, c.want)
		}
	}
	for _, bad := range [][]byte{{1}, {9, 0, 0, 0, 1}, page("", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), page("", []byte{6})} {
		if got, err := plainBooleans(bad, 100); err == nil {
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
		got, err := plainBooleans(data[levels:], most)
		if err == nil && len(data) > levels && len(got) != (most+7)/8 {
			t.Errorf("%d bytes for %d values after %d of levels", len(got), most, levels)
		}
	})
}

// TestSettle cuts off what writers left behind a page's values (fastparquet pads its pages,
// DuckDB 2 leaves lengths of values that are null), so that parquet-go neither fails nor
// warns of it.
func TestSettle(t *testing.T) {
	le32, le64 := binary.LittleEndian.AppendUint32, binary.LittleEndian.AppendUint64
	text := func(s string) string { return string(le32(nil, uint32(len(s)))) + s }
	const pad = "\x00\x00\x00\x00\x00\x00\x00\x00"
	nulls := string(packed(0x05)) // of three slots the second is null
	lengths := new(delta.LengthByteArrayEncoding)
	surplus, err := lengths.EncodeByteArray(nil, []byte("abcdef"), []uint32{0, 1, 1, 3, 6})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		kind     format.Type
		encoding format.Encoding
		levels   string // of three slots; empty: none is null
		values   string
		want     string
	}{
		{"INT96", format.Int96, format.Plain, nulls, strings.Repeat("x", 24) + pad, strings.Repeat("x", 24)},
		{"INT64", format.Int64, format.Plain, nulls, string(le64(le64(nil, 1), 2)) + pad, string(le64(le64(nil, 1), 2))},
		{"INT32 without nulls", format.Int32, format.Plain, "", strings.Repeat("x", 12) + pad, strings.Repeat("x", 12)},
		{"DOUBLE", format.Double, format.Plain, nulls, strings.Repeat("x", 16) + "yz", strings.Repeat("x", 16)},
		{"BOOLEAN", format.Boolean, format.Plain, nulls, "\x03" + pad, "\x03"},
		{"RLE BOOLEAN", format.Boolean, format.RLE, nulls, string(page("", plainRun(2, 1))) + pad, "\x03"},
		{"BYTE_ARRAY", format.ByteArray, format.Plain, nulls, text("ab") + text("") + pad, text("ab") + text("")},
		{"FIXED", format.FixedLenByteArray, format.Plain, nulls, "aabb" + pad, "aabb"},
		{"surplus lengths", format.ByteArray, format.DeltaLengthByteArray, nulls, string(surplus), text("a") + text("")},
		{"all null", format.ByteArray, format.Plain, string(plainRun(3, 0)), pad, ""},
		{"in order", format.ByteArray, format.Plain, nulls, text("ab") + text("c"), text("ab") + text("c")},
	} {
		l := &leaf{element: &format.SchemaElement{Type: pthrift.New(c.kind), TypeLength: pthrift.New[int32](2)}}
		for _, version := range []int{1, 2} {
			w := &pageStream{pageWalk: &pageWalk{leaf: l}}
			levels, settle := "", w.levelsV1
			if c.levels != "" {
				w.def, levels = 1, c.levels
			}
			if version == 2 {
				settle, w.pageWalk.levels = w.levelsV2, len(levels)
			} else if levels != "" {
				levels = text(levels)
			}
			w.plain = []byte(levels + c.values)
			body, encoding, err := w.settle(3, c.encoding, settle, false)
			if err != nil || string(body) != levels+c.want || encoding != format.Plain {
				t.Errorf("%s, version %d: %q, %s, %v", c.name, version, body, encoding, err)
			}
			if len(c.want) > 1 && c.encoding == format.Plain {
				w.plain = []byte(levels + c.want[:len(c.want)-1])
				if _, _, err := w.settle(3, c.encoding, settle, false); err == nil {
					t.Errorf("%s, version %d: a value is cut short", c.name, version)
				}
			}
		}
	}
}

func FuzzPageStream(f *testing.F) {
	f.Add([]byte("\x15\x04\x15\x08\x15\x08\x2c\x15\x04\x15\x06\x15\x06\x15\x06\x00\x00\x00\x00\x00\x00"), int64(2), int32(0), true)
	f.Fuzz(func(t *testing.T, data []byte, values int64, id int32, boolean bool) {
		w := newPageWalk(bytes.NewReader(data), int64(len(data)), values, format.CompressionCodec(id))
		w.leaf = &leaf{element: new(format.SchemaElement), maxDef: 3, maxRep: 1}
		if w.def, w.rep = 3, 1; !boolean {
			w.leaf.element.Type = pthrift.New(format.ByteArray)
		}
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

// FuzzFields splits structs: what it returns, written again, must split the same.
func FuzzFields(f *testing.F) {
	f.Add([]byte("\x15\x02\x19\x2c\x35\x00\x18\x01a\x15\x02\x00\x15\x04\x00\x00"))
	f.Add([]byte("\x11\x12\x13\x07\x17\x01\x02\x03\x04\x05\x06\x07\x08\x1b\x01\x58\x02\x01b\x09\x80\x01\x21\x01\x02\x00"))
	f.Add(bytes.Repeat([]byte("\x1c"), 100))
	f.Fuzz(func(t *testing.T, data []byte) {
		fields, rest, err := fieldsOf(data)
		if err != nil {
			return
		}
		const absent = -32768
		for _, x := range fields {
			if x.id == absent {
				return
			}
			structsOf(fields, x.id)
			textOf(fields, x.id)
		}
		again, err := without(fields, absent)
		if err != nil {
			t.Fatal(err)
		}
		same, none, err := fieldsOf(again)
		if err != nil || len(none) > 0 || len(again)+len(rest) > len(data) {
			t.Fatalf("%x: %v, %d bytes more", again, err, len(none))
		}
		if !slices.EqualFunc(same, fields, func(x, y field) bool { return x.id == y.id && x.kind == y.kind && bytes.Equal(x.value, y.value) }) {
			t.Errorf("%x became %x", data, again)
		}
	})
}

func TestWithout(t *testing.T) {
	// {1: 1, 4: [{1: [{3: {8: [], 9: 2}}]}], 5: "x"}
	fields, _, err := fieldsOf([]byte("\x15\x02\x39\x1c\x19\x1c\x3c\x89\x0c\x15\x04\x00\x00\x00\x18\x01x\x00"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := withoutKeyValues(fields)
	if want := "\x15\x02\x39\xfc\x01\x19\xfc\x01\x3c\x95\x04\x00\x00\x00\x00"; err != nil || string(got) != want {
		t.Errorf("%x, %v, want %x", got, err, want)
	}
}

// FuzzDecompress takes bodies of the codecs that this package decodes itself.
func FuzzDecompress(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x05\x40abcd"), 4, true)
	f.Add([]byte("\x40abcd"), 4, false)
	f.Fuzz(func(t *testing.T, body []byte, size int, legacy bool) {
		if size < 0 || size > 1<<20 {
			return
		}
		codec := format.Lz4Raw
		if legacy {
			codec = format.Lz4
		}
		if out, err := decompress(nil, codec, body, size); err == nil && len(out) != size {
			t.Errorf("%d bytes, want %d", len(out), size)
		}
	})
}

func TestLZ4(t *testing.T) {
	block := "\x40abcd"
	for _, c := range []struct{ body, want string }{
		{block, "abcd"},
		{"\x00\x00\x00\x04\x00\x00\x00\x05" + block, "abcd"},
		{"\x00\x00\x00\x08\x00\x00\x00\x05" + block + "\x00\x00\x00\x05" + block, "abcdabcd"},
		{"\x00\x00\x00\x04\x00\x00\x00\x05" + block + "\x00\x00\x00\x04\x00\x00\x00\x05" + block, "abcdabcd"},
	} {
		got, err := decompress(nil, format.Lz4, []byte(c.body), len(c.want))
		if err != nil || string(got) != c.want {
			t.Errorf("%x: %q, %v", c.body, got, err)
		}
		if got, err := decompress(nil, format.Lz4, []byte(c.body), len(c.want)+1); err == nil {
			t.Errorf("%x: %q", c.body, got)
		}
	}
}

func TestProbes(t *testing.T) {
	p := &probeSet{at: map[uint64][]*probe{}}
	p.add([]byte("the dropped message, and more of it than a piece"), 0, 1, "body", "")
	p.add([]byte("another dropped message"), 0, 2, "body", "")
	p.add([]byte("short"), 0, 3, "body", "")
	p.add([]byte("aaaaaaaaaaaaaaaaaaaa"), 0, 4, "body", "")
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
