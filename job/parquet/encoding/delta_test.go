package encoding

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/bytestreamsplit"
	"github.com/parquet-go/parquet-go/encoding/delta"
)

// deltaInts are sequences that are hard in some way.
func deltaInts(t *testing.T, bits, n int) map[string][]int64 {
	r := random(t)
	trim := func(v int64) int64 {
		if bits == 32 {
			return int64(int32(v))
		}
		return v
	}
	out := map[string][]int64{}
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if bits == 32 {
		lo, hi = math.MinInt32, math.MaxInt32
	}
	constant, rising, falling, wide, extremes := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i := range n {
		constant[i] = -7
		rising[i] = trim(int64(i)*1000 + r.Int64N(100))
		falling[i] = trim(-int64(i) * int64(i))
		wide[i] = trim(r.Int64() - r.Int64())
		extremes[i] = []int64{lo, hi, 0, -1, hi, hi, lo}[r.IntN(7)]
	}
	out["constant"], out["rising"], out["falling"], out["wide"], out["extremes"] = constant, rising, falling, wide, extremes
	for _, width := range []int{1, 9, 31, 33, 55, 56, 57, 58, 62, 63} {
		if width > bits {
			continue
		}
		v := make([]int64, n)
		for i := range v {
			v[i] = trim(r.Int64() >> (63 - width))
			if i > 0 {
				v[i] = trim(v[i] + v[i-1])
			}
		}
		out["width "+string(rune('0'+width/10))+string(rune('0'+width%10))] = v
	}
	return out
}

func TestDelta(t *testing.T) {
	for _, bits := range []int{32, 64} {
		for _, n := range append(sizes, 2, 32, 33, 34, 130, 257) {
			for name, values := range deltaInts(t, bits, n) {
				src := AppendDelta([]byte{9}, values, bits)[1:]
				got, used, err := DecodeDelta([]int64{9}, append(src, 0xff, 1), bits, n)
				if err != nil || used != len(src) || !slices.Equal(got[1:], values) {
					t.Fatalf("int%d, %s, %d values: differ (%v)", bits, name, n, err)
				}
				if _, _, err := DecodeDelta(nil, src, bits, n+1); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("a value too many: %v", err)
				}
				for _, cut := range []int{1, 2, 9} {
					if cut > len(src) || n == 0 {
						continue
					}
					// Only padding may be missing.
					got, _, err := DecodeDelta(nil, src[:len(src)-cut], bits, n)
					if err == nil && !slices.Equal(got, values) {
						t.Fatalf("int%d, %s, %d values, cut by %d: differ", bits, name, n, cut)
					}
				}
				byParquetGo(t, src, values, bits, name)
			}
		}
	}
}

func byParquetGo(t *testing.T, src []byte, values []int64, bits int, name string) {
	t.Helper()
	var theirs delta.BinaryPackedEncoding
	var enc []byte
	var got []int64
	var err error
	if bits == 32 {
		v := make([]int32, len(values))
		for i := range v {
			v[i] = int32(values[i])
		}
		enc, err = theirs.EncodeInt32(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		v, err = theirs.DecodeInt32(nil, src)
		for _, x := range v {
			got = append(got, int64(x))
		}
	} else {
		enc, err = theirs.EncodeInt64(nil, values)
		if err != nil {
			t.Fatal(err)
		}
		got, err = theirs.DecodeInt64(nil, src)
	}
	if err != nil || !slices.Equal(got, values) {
		t.Fatalf("int%d, %s, %d values: ours decoded by theirs differ (%v)", bits, name, len(values), err)
	}
	got, used, err := DecodeDelta(nil, enc, bits, len(values))
	if err != nil || used != len(enc) || !slices.Equal(got, values) {
		t.Fatalf("int%d, %s, %d values: theirs decoded by ours differ (%v)", bits, name, len(values), err)
	}
}

// deltaRef encodes with blocks and miniblocks of any size.
func deltaRef(values []int64, block, minis int) []byte {
	dst := binary.AppendUvarint(nil, uint64(block))
	dst = binary.AppendUvarint(dst, uint64(minis))
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	dst = binary.AppendVarint(dst, values[0])
	for at := 1; at < len(values); at += block {
		end := min(at+block, len(values))
		least := int64(math.MaxInt64)
		for i := at; i < end; i++ {
			least = min(least, values[i]-values[i-1])
		}
		dst = binary.AppendVarint(dst, least)
		widths := len(dst)
		for range minis {
			dst = append(dst, 13) // also for those without values: arbitrary
		}
		for m := 0; at+m*(block/minis) < end; m++ {
			dst[widths+m] = 40
			for i := at + m*(block/minis); i < at+(m+1)*(block/minis); i++ {
				var d uint64
				if i < end {
					d = uint64(values[i] - values[i-1] - least)
				}
				for range 5 {
					dst = append(dst, byte(d))
					d >>= 8
				}
			}
		}
	}
	return dst
}

func TestDeltaShapes(t *testing.T) {
	r := random(t)
	for _, shape := range [][2]int{{128, 1}, {128, 2}, {128, 4}, {256, 8}, {256, 1}, {1024, 4}, {4096, 128}, {384, 3}} {
		for _, n := range []int{1, 2, 33, 129, 385, 1000, 5000} {
			values := make([]int64, n)
			for i := range values {
				values[i] = r.Int64N(1 << 38)
			}
			src := deltaRef(values, shape[0], shape[1])
			got, used, err := DecodeDelta(nil, append(src, 1), 64, n)
			if err != nil || used != len(src) || !slices.Equal(got, values) {
				t.Fatalf("blocks of %d in %d, %d values: %d of %d bytes (%v)", shape[0], shape[1], n, used, len(src), err)
			}
		}
	}
}

func TestDeltaHeaders(t *testing.T) {
	header := func(block, minis, total uint64) []byte {
		b := binary.AppendUvarint(nil, block)
		b = binary.AppendUvarint(b, minis)
		b = binary.AppendUvarint(b, total)
		b = append(b, 0)
		return append(b, make([]byte, 300)...)
	}
	for name, src := range map[string][]byte{
		"empty": {}, "no first value": {128, 1, 4, 3}, "block 0": header(0, 4, 3), "block 100": header(100, 4, 3),
		"minis 0": header(128, 0, 3), "minis 3": header(128, 3, 3), "minis 8": header(128, 8, 3),
		"block 2^40": header(1<<40, 1<<30, 3), "block 2^64-128": header(math.MaxUint64-127, 1, 3),
		"one too few": header(128, 4, 2), "one too many": header(128, 4, 4), "2^63": header(128, 4, 1<<63),
		"overlong":  {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"width 65":  append(binary.AppendUvarint(nil, 128), append([]byte{4, 3, 0, 0, 65, 0, 0, 0}, make([]byte, 600)...)...),
		"no widths": append(binary.AppendUvarint(nil, 128), 4, 3, 0, 0, 1, 0, 0),
	} {
		if _, _, err := DecodeDelta(nil, src, 64, 3); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, used, err := DecodeDelta(nil, nil, 64, 0); err != nil || used != 0 || len(got) != 0 {
		t.Error(got, used, err)
	}
}

func TestDeltaBytes(t *testing.T) {
	r := random(t)
	for _, n := range append(sizes, 33, 130) {
		for _, size := range []int{0, 3, 100} {
			values := randomStrings(r, n, size)
			if size == 100 {
				slices.SortFunc(values, func(a, b []byte) int { return slices.Compare(a, b) })
			}
			b := bytesOf(values)
			before := [][]byte{[]byte("before")}

			src := AppendDeltaLengths([]byte{9}, b)[1:]
			got := bytesOf(before)
			if err := DecodeDeltaLengths(got, append(src, 1), n); err != nil || !equalValues(got.values()[1:], values) {
				t.Fatalf("lengths, %d values of %d: differ (%v)", n, size, err)
			}
			if n > 0 {
				data, ends, err := (&delta.LengthByteArrayEncoding{}).DecodeByteArray(nil, src, nil)
				if err != nil || !equalOffsets(data, ends, values) {
					t.Fatalf("lengths, %d values of %d: ours decoded by theirs differ (%v)", n, size, err)
				}
			}
			if size > 0 && n > 0 && len(b.Data) > 0 {
				if err := DecodeDeltaLengths(new(Bytes), src[:len(src)-1], n); !errors.Is(err, ErrCorrupt) {
					t.Fatal(err)
				}
			}

			src = AppendDeltaStrings([]byte{9}, b)[1:]
			got = bytesOf(before)
			if err := DecodeDeltaStrings(got, append(src, 1), n, len(b.Data), nil); err != nil || !equalValues(got.values()[1:], values) {
				t.Fatalf("strings, %d values of %d: differ (%v)", n, size, err)
			}
			if n > 0 {
				data, ends, err := (&delta.ByteArrayEncoding{}).DecodeByteArray(nil, src, nil)
				if err != nil || !equalOffsets(data, ends, values) {
					t.Fatalf("strings, %d values of %d: ours decoded by theirs differ (%v)", n, size, err)
				}
			}
			if len(b.Data) > 0 {
				if err := DecodeDeltaStrings(bytesOf(before), src, n, len(b.Data)-1, nil); !errors.Is(err, ErrTooLarge) {
					t.Fatal(err)
				}
				if err := DecodeDeltaStrings(new(Bytes), src[:len(src)-1], n, len(b.Data), nil); !errors.Is(err, ErrCorrupt) && size > 0 {
					// The last byte may be padding where no suffix follows.
					if err != nil || len(values[n-1]) > 0 {
						t.Log(err)
					}
				}
			}
		}
	}
}

func equalOffsets(data []byte, offsets []uint32, values [][]byte) bool {
	if len(offsets) != len(values)+1 {
		return false
	}
	for i, v := range values {
		if string(data[offsets[i]:offsets[i+1]]) != string(v) {
			return false
		}
	}
	return true
}

func TestDeltaStringsFaults(t *testing.T) {
	section := func(prefixes, suffixes []int64, data string) []byte {
		return append(AppendDelta(AppendDelta(nil, prefixes, 32), suffixes, 32), data...)
	}
	tests := []struct {
		name string
		src  []byte
		n    int
		last string
		want []string
		err  error
	}{
		{"prefix of the page before", section([]int64{2, 3}, []int64{1, 1}, "cd"), 2, "abx", []string{"abc", "abcd"}, nil},
		{"prefix of nothing", section([]int64{2, 3}, []int64{1, 1}, "cd"), 2, "", nil, ErrCorrupt},
		{"prefix too long", section([]int64{0, 2}, []int64{1, 1}, "cd"), 2, "", nil, ErrCorrupt},
		{"negative prefix", section([]int64{0, -1}, []int64{1, 1}, "cd"), 2, "", nil, ErrCorrupt},
		{"negative suffix", section([]int64{0, 0}, []int64{1, -1}, "cd"), 2, "", nil, ErrCorrupt},
		{"suffix too long", section([]int64{0, 0}, []int64{1, 2}, "cd"), 2, "", nil, ErrCorrupt},
		{"counts differ", section([]int64{0, 0}, []int64{1}, "cd"), 2, "", nil, ErrCorrupt},
		{"no values", section(nil, nil, ""), 0, "", []string{}, nil},
		{"no section", nil, 0, "", []string{}, nil},
		{"no section, a value", nil, 1, "", nil, ErrCorrupt},
	}
	for _, test := range tests {
		var got Bytes
		err := DecodeDeltaStrings(&got, test.src, test.n, 1000, []byte(test.last))
		if !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.name, err, test.err)
			continue
		}
		if err == nil && !slices.EqualFunc(got.values(), test.want, func(a []byte, b string) bool { return string(a) == b }) {
			t.Errorf("%s: got %q, want %q", test.name, got.values(), test.want)
		}
	}

	// A value that repeats its predecessor costs nothing: 1e6 times 1000 bytes from some KB.
	n := 1_000_000
	prefixes, suffixes := make([]int64, n), make([]int64, n)
	suffixes[0] = 1000
	for i := 1; i < n; i++ {
		prefixes[i] = 1000
	}
	bomb := section(prefixes, suffixes, string(make([]byte, 1000)))
	var got Bytes
	if err := DecodeDeltaStrings(&got, bomb, n, 1<<20, nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("bomb of %d bytes: %v", len(bomb), err)
	}
	if cap(got.Data) > 4<<20 {
		t.Errorf("bomb took %d bytes", cap(got.Data))
	}

	for name, sizes := range map[string][]int64{"negative": {-1, 2}, "long": {1, 3}, "huge": {math.MaxInt32, math.MaxInt32}} {
		if err := DecodeDeltaLengths(new(Bytes), append(AppendDelta(nil, sizes, 32), "abc"...), 2); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s length: %v", name, err)
		}
	}
}

func TestSplit(t *testing.T) {
	r := random(t)
	for _, width := range []int{1, 2, 3, 4, 8, 12, 16} {
		for _, n := range sizes {
			values := make([]byte, n*width)
			for i := range values {
				values[i] = byte(r.Uint32())
			}
			src := AppendSplit([]byte{9}, values, width)[1:]
			got, err := DecodeSplit([]byte{9}, src, width, n)
			if err != nil || string(got[1:]) != string(values) {
				t.Fatalf("width %d, %d values: differ (%v)", width, n, err)
			}
			for i := range n {
				for j := range width {
					if src[j*n+i] != values[i*width+j] {
						t.Fatalf("width %d, %d values: byte %d of value %d is elsewhere", width, n, j, i)
					}
				}
			}
			if _, err := DecodeSplit(nil, append(src, 1), width, n); !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			if width == 8 {
				v := make([]float64, n)
				for i := range v {
					v[i] = math.Float64frombits(le64(values[8*i:]))
				}
				theirs, err := (&bytestreamsplit.Encoding{}).EncodeDouble(nil, v)
				if err != nil || string(theirs) != string(src) {
					t.Fatalf("%d doubles: theirs differ (%v)", n, err)
				}
			}
		}
	}
}

// Values behind those that are asked for are passed over: DuckDB writes those of slots that have none.
func TestDeltaLengthsSurplus(t *testing.T) {
	var all Bytes
	for i := range 1000 {
		all.Data = append(all.Data, strings.Repeat("v", i%7)...)
		all.Data = append(all.Data, byte(i))
		all.Ends = append(all.Ends, uint32(len(all.Data)))
	}
	src := AppendDeltaLengths(nil, &all)
	for _, n := range []int{0, 1, 31, 32, 33, 128, 999, 1000} {
		var got Bytes
		if err := DecodeDeltaLengths(&got, src, n); err != nil {
			t.Fatalf("%d values: %v", n, err)
		}
		for i := range n {
			if !bytes.Equal(got.At(i), all.At(i)) {
				t.Fatalf("%d values: value %d is %q, want %q", n, i, got.At(i), all.At(i))
			}
		}
		if got.Len() != n {
			t.Fatalf("%d values, want %d", got.Len(), n)
		}
	}
	if err := DecodeDeltaLengths(&Bytes{}, src, 1001); !errors.Is(err, ErrCorrupt) {
		t.Errorf("more values than there are: %v", err)
	}
	if err := DecodeDeltaLengths(&Bytes{}, src[:len(src)/16], 10); !errors.Is(err, ErrCorrupt) {
		t.Errorf("cut short within the lengths: %v", err)
	}
}
