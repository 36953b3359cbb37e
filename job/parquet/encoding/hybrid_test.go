package encoding

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/rle"
)

// hybridRef decodes bit by bit. ok is false where values are missing.
func hybridRef(src []byte, width, n int) (out []uint32, used int, ok bool) {
	total := len(src)
	for len(out) < n {
		header, k := binary.Uvarint(src)
		if k <= 0 || k > 5 || header > 1<<32-1 {
			return out, 0, false
		}
		src = src[k:]
		if header&1 == 0 {
			if len(src) < (width+7)/8 {
				return out, 0, false
			}
			var v uint32
			for i := range (width + 7) / 8 {
				v |= uint32(src[i]) << (8 * i)
			}
			src = src[(width+7)/8:]
			for range min(int(header>>1), n-len(out)) {
				out = append(out, v)
			}
			continue
		}
		values := min(int(header>>1)*8, n-len(out))
		if values*width > 8*len(src) {
			return out, 0, false
		}
		for i := range values {
			var v uint32
			for b := range width {
				at := i*width + b
				v |= uint32(src[at/8]>>(at%8)&1) << b
			}
			out = append(out, v)
		}
		src = src[min(int(header>>1)*width, len(src)):]
	}
	return out, total - len(src), true
}

func TestIndices(t *testing.T) {
	r := random(t)
	for width := 1; width <= 31; width++ {
		for _, n := range sizes {
			for _, mean := range []int{1, 5, 40} {
				indices := make([]int32, 0, n)
				for len(indices) < n {
					v := int32(r.Uint32() & (1<<width - 1))
					for range min(1+r.IntN(2*mean-1), n-len(indices)) {
						indices = append(indices, v)
					}
				}
				dictLen := 1 << width
				src := AppendIndices(nil, indices, dictLen)
				if int(src[0]) != width {
					t.Fatalf("width %d, want %d", src[0], width)
				}
				got, err := DecodeIndices([]int32{7}, src, n, dictLen)
				if err != nil || !slices.Equal(got[1:], indices) {
					t.Fatalf("width %d, %d values, runs of %d: differ (%v)", width, n, mean, err)
				}
				ref, _, ok := hybridRef(src[1:], width, n)
				if !ok || !slices.EqualFunc(ref, indices, func(a uint32, b int32) bool { return a == uint32(b) }) {
					t.Fatalf("width %d, %d values, runs of %d: reference differs", width, n, mean)
				}
				for name, keep := range selections(r, n) {
					got, err := FilterIndices([]int32{7}, src, bitmapOf(keep), dictLen)
					if err != nil || !slices.Equal(got[1:], compactRef(indices, keep)) {
						t.Fatalf("width %d, %d values, runs of %d: %s differs (%v)", width, n, mean, name, err)
					}
				}
				if n == 0 {
					continue
				}
				top := int(slices.Max(indices))
				if _, err := DecodeIndices(nil, src, n, top); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("index past the dictionary: %v", err)
				}
				if _, err := FilterIndices(nil, src, bitmapOf(make([]bool, n)), top); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("index past the dictionary: %v", err)
				}
				if _, err := DecodeIndices(nil, src, n, top+1); err != nil {
					t.Fatal(err)
				}
				// Every truncation is noticed, unless it took padding alone.
				for cut := range min(len(src), 40) {
					short := src[:len(src)-1-cut]
					ref, _, ok := hybridRef(short[min(1, len(short)):], width, n)
					got, err := DecodeIndices(nil, short, n, dictLen)
					if (err == nil) != (ok && len(short) > 0) {
						t.Fatalf("width %d, %d values, cut by %d: %v", width, n, cut+1, err)
					}
					if err == nil && !slices.Equal(got, indices) {
						t.Fatalf("width %d, %d values, cut by %d: differ", width, n, cut+1)
					}
					_ = ref
				}
			}
		}
	}
}

func TestIndicesByParquetGo(t *testing.T) {
	r := random(t)
	for width := 1; width <= 31; width++ {
		for _, n := range sizes {
			indices := make([]int32, n)
			for i := range indices {
				indices[i] = int32(r.Uint32() & (1<<width - 1))
				if i > 0 && r.IntN(10) > 0 && i%200 > 100 {
					indices[i] = indices[i-1]
				}
			}
			theirs := rle.Encoding{BitWidth: width}
			enc, err := theirs.EncodeInt32(nil, indices)
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodeIndices(nil, append([]byte{byte(width)}, enc...), n, 1<<width)
			if err != nil || !slices.Equal(got, indices) {
				t.Fatalf("width %d, %d values: theirs decoded by ours differ (%v)", width, n, err)
			}
			if n == 0 {
				continue
			}
			back, err := theirs.DecodeInt32(nil, AppendIndices(nil, indices, 1<<width)[1:])
			if err != nil || !slices.Equal(back[:n], indices) {
				t.Fatalf("width %d, %d values: ours decoded by theirs differ (%v)", width, n, err)
			}
		}
	}
}

func TestIndicesTable(t *testing.T) {
	tests := []struct {
		name    string
		src     []byte
		n, dict int
		want    []int32 // nil: an error
	}{
		{"empty section, no values", nil, 0, 5, []int32{}},
		{"empty section", nil, 1, 5, nil},
		{"width alone, no values", []byte{3}, 0, 5, []int32{}},
		{"width alone", []byte{3}, 1, 5, nil},
		{"width 33", []byte{33, 2, 0, 0, 0, 0, 0}, 1, 5, nil},
		{"width 0, run", []byte{0, 6}, 3, 1, []int32{0, 0, 0}},
		{"width 0, groups", []byte{0, 3}, 3, 1, []int32{0, 0, 0}},
		{"width 0, no dictionary", []byte{0, 6}, 3, 0, nil},
		{"width 0, short", []byte{0, 4}, 3, 1, nil},
		{"width 32", []byte{32, 2, 4, 0, 0, 0}, 1, 5, []int32{4}},
		{"width 32, negative", []byte{32, 2, 4, 0, 0, 0x80}, 1, 1 << 30, nil},
		{"width 32, packed", append([]byte{32, 3}, make([]byte, 32)...), 8, 1, []int32{0, 0, 0, 0, 0, 0, 0, 0}},
		{"width 32, packed, negative", append([]byte{32, 3, 0, 0, 0, 0x80}, make([]byte, 28)...), 8, 1, nil},
		{"spec example", []byte{3, 3, 0x88, 0xC6, 0xFA}, 8, 8, []int32{0, 1, 2, 3, 4, 5, 6, 7}},
		{"a run beyond the count", []byte{1, 200, 1, 1}, 2, 2, []int32{1, 1}},
		{"a run of 2^31-1", []byte{1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 1}, 2, 2, []int32{1, 1}},
		{"2^31-1 groups", []byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1}, 8, 2, []int32{1, 0, 0, 0, 0, 0, 0, 0}},
		{"2^31-1 groups, short", []byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1}, 9, 2, nil},
		{"header of 6 bytes", []byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 1, 2, nil},
		{"header above 32 bits", []byte{1, 0xfe, 0xff, 0xff, 0xff, 0x1f, 1}, 1, 2, nil},
		{"runs of none", []byte{1, 0, 1, 1, 0, 0, 4, 1}, 2, 2, []int32{1, 1}},
		{"bytes that follow", []byte{1, 4, 1, 0xff, 0xff}, 2, 2, []int32{1, 1}},
		{"padding left out", []byte{4, 3, 0x21, 0x43}, 4, 16, []int32{1, 2, 3, 4}},
		{"dropped index too high", []byte{4, 3, 0x21, 0xf3}, 4, 15, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := DecodeIndices([]int32{}, test.src, test.n, test.dict)
			if (err != nil) != (test.want == nil) || err == nil && !slices.Equal(got, test.want) {
				t.Fatalf("got %v (%v), want %v", got, err, test.want)
			}
			if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			var keep Bitmap
			keep.AppendRun(true, test.n)
			got, err = FilterIndices([]int32{}, test.src, &keep, test.dict)
			if (err != nil) != (test.want == nil) || err == nil && !slices.Equal(got, test.want) {
				t.Fatalf("filter: got %v (%v), want %v", got, err, test.want)
			}
		})
	}
}

func TestLevels(t *testing.T) {
	r := random(t)
	for _, maxLevel := range []uint8{0, 1, 2, 3, 4, 7, 12, 15, 31, 63, 100, 127, 128, 255} {
		width := bits.Len8(maxLevel)
		for _, n := range sizes {
			for _, mean := range []int{1, 5, 40} {
				levels := make([]uint8, 0, n)
				for len(levels) < n {
					v := uint8(r.IntN(int(maxLevel) + 1))
					for range min(1+r.IntN(2*mean-1), n-len(levels)) {
						levels = append(levels, v)
					}
				}
				src := AppendLevels(nil, levels, maxLevel)
				got, used, err := DecodeLevels([]uint8{7}, append(src, 0xff, 0xff), maxLevel, n)
				if err != nil || used != len(src) || !slices.Equal(got[1:], levels) {
					t.Fatalf("max %d, %d levels, runs of %d: differ (%v)", maxLevel, n, mean, err)
				}
				if maxLevel == 0 {
					continue
				}
				ref, _, ok := hybridRef(src, width, n)
				if !ok || !slices.EqualFunc(ref, levels, func(a uint32, b uint8) bool { return a == uint32(b) }) {
					t.Fatalf("max %d, %d levels, runs of %d: reference differs", maxLevel, n, mean)
				}
				if n == 0 {
					continue
				}
				theirs := rle.Encoding{BitWidth: width}
				back, err := theirs.DecodeLevels(nil, src)
				if err != nil || !slices.Equal(back[:n], levels) {
					t.Fatalf("max %d, %d levels: ours decoded by theirs differ (%v)", maxLevel, n, err)
				}
				enc, err := theirs.EncodeLevels(nil, levels)
				if err != nil {
					t.Fatal(err)
				}
				got, _, err = DecodeLevels(nil, enc, maxLevel, n)
				if err != nil || !slices.Equal(got, levels) {
					t.Fatalf("max %d, %d levels: theirs decoded by ours differ (%v)", maxLevel, n, err)
				}
				if top := slices.Max(levels); top > 0 {
					if _, _, err := DecodeLevels(nil, src, maxLevel, n+8); !errors.Is(err, ErrCorrupt) {
						t.Fatalf("levels missing: %v", err)
					}
				}
				if maxLevel != 1 {
					continue
				}
				var bitmap Bitmap
				used, err = DecodeLevelBits(&bitmap, append(src, 0xff), n)
				if err != nil || used != len(src) {
					t.Fatal(used, err)
				}
				want := make([]bool, n)
				for i, l := range levels {
					want[i] = l == 1
				}
				checkBitmap(t, &bitmap, want)
				if enc := AppendLevelBits(nil, &bitmap); string(enc) != string(src) {
					t.Fatalf("%d levels, runs of %d: bits are encoded differently", n, mean)
				}
			}
		}
	}
}

func TestLevelsAboveMaximum(t *testing.T) {
	for _, src := range [][]byte{{4, 3}, {3, 0xff, 0xff}} {
		if _, _, err := DecodeLevels(nil, src, 2, 2); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x: %v", src, err)
		}
	}
	if _, err := DecodeLevelBits(new(Bitmap), []byte{4, 3}, 2); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	if _, _, err := DecodeLegacyLevels(nil, []byte{0xff}, 2, 2); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}

func TestLegacyLevels(t *testing.T) {
	// The example of Encodings.md: 0 to 7 in 3 bits.
	got, used, err := DecodeLegacyLevels(nil, []byte{0x05, 0x39, 0x77, 0xff}, 7, 8)
	if err != nil || used != 3 || !slices.Equal(got, []uint8{0, 1, 2, 3, 4, 5, 6, 7}) {
		t.Fatal(got, used, err)
	}
	r := random(t)
	for width := 1; width <= 8; width++ {
		for _, n := range sizes {
			levels := make([]uint8, n)
			src := make([]byte, (n*width+7)/8)
			for i := range levels {
				levels[i] = uint8(r.Uint32()) >> (8 - width)
				for b := range width {
					at := i*width + b
					src[at/8] |= levels[i] >> (width - 1 - b) & 1 << (7 - at%8)
				}
			}
			maxLevel := uint8(1<<width - 1)
			got, used, err := DecodeLegacyLevels([]uint8{7}, append(src, 1), maxLevel, n)
			if err != nil || used != len(src) || !slices.Equal(got[1:], levels) {
				t.Fatalf("width %d, %d levels: %d bytes (%v)", width, n, used, err)
			}
			if n > 0 {
				if _, _, err := DecodeLegacyLevels(nil, src[1:], maxLevel, n); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("width %d, %d levels, cut: %v", width, n, err)
				}
			}
		}
	}
}

func TestHybridSize(t *testing.T) {
	// A run is never written where it is larger than what it saves.
	for width := 1; width <= 8; width++ {
		maxLevel := uint8(1<<width - 1)
		for run := 1; run < 100; run++ {
			levels := make([]uint8, 400)
			for i := range levels {
				levels[i] = uint8(i*7) & maxLevel
			}
			for i := range run {
				levels[160+i] = maxLevel
			}
			size := len(AppendLevels(nil, levels, maxLevel))
			if limit := 400/8*width + 1; size > limit {
				t.Errorf("width %d, run of %d: %d bytes, more than the %d of bit packing", width, run, size, limit)
			}
		}
	}
}
