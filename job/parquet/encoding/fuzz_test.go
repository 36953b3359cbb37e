package encoding

import (
	"bytes"
	"errors"
	"math/bits"
	"slices"
	"testing"
)

// maxFuzz bounds the values that a fuzzed section is said to have.
const maxFuzz = 1 << 14

// known fails unless err is one of ours.
func known(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTooLarge) {
		t.Fatalf("neither corrupt nor too large: %v", err)
	}
}

// keepOf is a selection of n that depends on src.
func keepOf(src []byte, n int) []bool {
	keep := make([]bool, n)
	for i := range keep {
		keep[i] = len(src) > 0 && src[i/8%len(src)]>>(i%8)&1 != 0
	}
	return keep
}

func FuzzLevels(f *testing.F) {
	f.Add([]byte{3, 0x88, 0xC6, 0xFA}, uint8(7), uint16(8))
	f.Add([]byte{20, 1, 3, 0x55, 6, 0}, uint8(1), uint16(21))
	f.Add([]byte{0xfe, 0xff, 0xff, 0xff, 0x0f, 1}, uint8(1), uint16(1000))
	f.Add(AppendLevels(nil, make([]uint8, 1000), 2), uint8(2), uint16(1000))
	f.Fuzz(func(t *testing.T, src []byte, maxLevel uint8, count uint16) {
		n := int(count) % maxFuzz
		got, used, err := DecodeLevels(nil, src, maxLevel, n)
		known(t, err)
		if maxLevel > 0 {
			ref, refUsed, ok := hybridRef(src, bits.Len8(maxLevel), n)
			ok = ok && !slices.ContainsFunc(ref, func(v uint32) bool { return v > uint32(maxLevel) })
			if ok != (err == nil) || ok && (used != refUsed || !slices.EqualFunc(got, ref, func(a uint8, b uint32) bool { return uint32(a) == b })) {
				t.Fatalf("differs from the reference: %d of %d bytes, %v", used, refUsed, err)
			}
		}
		if maxLevel == 1 {
			var b Bitmap
			bitsUsed, bitsErr := DecodeLevelBits(&b, src, n)
			if (bitsErr == nil) != (err == nil) || err == nil && (bitsUsed != used || b.Len() != n) {
				t.Fatalf("bits differ from levels: %v, %v", bitsErr, err)
			}
			if err == nil {
				var p Bitmap
				Present(&p, got, 1)
				checkBitmap(t, &b, p.bools())
				if string(AppendLevelBits(nil, &b)) != string(AppendLevels(nil, got, 1)) {
					t.Fatal("bits are encoded unlike levels")
				}
			}
		}
		if err == nil {
			back, _, err := DecodeLevels(nil, AppendLevels(nil, got, maxLevel), maxLevel, n)
			if err != nil || !slices.Equal(back, got) {
				t.Fatalf("differs after a round trip: %v", err)
			}
		}

		legacy, used, err := DecodeLegacyLevels(nil, src, maxLevel, n)
		known(t, err)
		if err == nil && (len(legacy) != n || used > len(src)) {
			t.Fatalf("%d legacy levels of %d from %d bytes of %d", len(legacy), n, used, len(src))
		}
	})
}

func FuzzIndices(f *testing.F) {
	f.Add([]byte{3, 3, 0x88, 0xC6, 0xFA}, uint16(8), uint16(8))
	f.Add([]byte{32, 2, 4, 0, 0, 0, 3}, uint16(9), uint16(5))
	f.Add([]byte{0, 20, 3}, uint16(12), uint16(1))
	f.Add(AppendIndices(nil, []int32{1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 1}, 1000), uint16(22), uint16(1000))
	f.Fuzz(func(t *testing.T, src []byte, count, dict uint16) {
		n := int(count) % maxFuzz
		dictLen := int(dict)
		got, err := DecodeIndices(nil, src, n, dictLen)
		known(t, err)
		if n > 0 && len(src) > 0 && src[0] <= 32 {
			ref, _, ok := hybridRef(src[1:], int(src[0]), n)
			ok = ok && !slices.ContainsFunc(ref, func(v uint32) bool { return uint64(v) >= uint64(dictLen) })
			if ok != (err == nil) || ok && !slices.EqualFunc(got, ref, func(a int32, b uint32) bool { return uint32(a) == b }) {
				t.Fatalf("differs from the reference: %v", err)
			}
		}
		keep := keepOf(src, n)
		filtered, filterErr := FilterIndices(nil, src, bitmapOf(keep), dictLen)
		known(t, filterErr)
		if (filterErr == nil) != (err == nil) {
			t.Fatalf("filter: %v, decode: %v", filterErr, err)
		}
		if err != nil {
			return
		}
		if !slices.Equal(filtered, compactRef(got, keep)) {
			t.Fatal("filter differs")
		}
		if n == 0 {
			return
		}
		back, err := DecodeIndices(nil, AppendIndices(nil, got, dictLen), n, dictLen)
		if err != nil || !slices.Equal(back, got) {
			t.Fatalf("differs after a round trip: %v", err)
		}
	})
}

func FuzzByteArrays(f *testing.F) {
	f.Add(AppendByteArrays(nil, bytesOf([][]byte{[]byte("one"), nil, []byte("three")})), uint16(3))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3}, uint16(1))
	f.Fuzz(func(t *testing.T, src []byte, count uint16) {
		n := int(count) % maxFuzz
		var b Bytes
		used, err := DecodeByteArrays(&b, src, n)
		known(t, err)
		keep := keepOf(src, n)
		kept, filterErr := FilterByteArrays(nil, src, bitmapOf(keep))
		known(t, filterErr)
		ends, scanErr := ScanByteArrays(nil, src, n)
		known(t, scanErr)
		if (err == nil) != (filterErr == nil) || (err == nil) != (scanErr == nil) {
			t.Fatalf("decode: %v, filter: %v, scan: %v", err, filterErr, scanErr)
		}
		if err != nil {
			return
		}
		if string(AppendByteArrays(nil, &b)) != string(src[:used]) || len(ends) != n || n > 0 && int(ends[n-1]) != used {
			t.Fatal("differs after a round trip")
		}
		if string(kept) != string(AppendByteArrays(nil, bytesOf(compactRef(b.values(), keep)))) {
			t.Fatal("filter differs")
		}
		place := bytes.Clone(src)
		if place, err := FilterByteArrays(place[:0], place, bitmapOf(keep)); err != nil || string(place) != string(kept) {
			t.Fatalf("filter differs in place: %v", err)
		}
	})
}

func FuzzFixed(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), uint8(4), uint16(4))
	f.Fuzz(func(t *testing.T, src []byte, width uint8, count uint16) {
		n, w := int(count)%maxFuzz, int(width)
		var b Bytes
		err := DecodeFixed(&b, src, w, n)
		known(t, err)
		keep := keepOf(src, n)
		kept, filterErr := FilterFixed(nil, src, w, bitmapOf(keep))
		known(t, filterErr)
		if (err == nil) != (filterErr == nil) || (err == nil) != (n*w <= len(src)) {
			t.Fatalf("decode: %v, filter: %v", err, filterErr)
		}
		if err == nil && string(kept) != string(slices.Concat(compactRef(b.values(), keep)...)) {
			t.Fatal("filter differs")
		}
		place := bytes.Clone(src)
		if place, err := FilterFixed(place[:0], place, w, bitmapOf(keep)); (err == nil) != (filterErr == nil) || string(place) != string(kept) {
			t.Fatalf("filter differs in place: %v", err)
		}

		split, err := DecodeSplit(nil, src, w, n)
		known(t, err)
		if err == nil && string(AppendSplit(nil, split, w)) != string(src) {
			t.Fatal("split differs after a round trip")
		}

		var v Bitmap
		err = DecodeBools(&v, src, n)
		known(t, err)
		if err == nil {
			var back Bitmap
			if err := DecodeBools(&back, AppendBools(nil, &v), n); err != nil || !slices.Equal(back.bools(), v.bools()) {
				t.Fatalf("booleans differ after a round trip: %v", err)
			}
		}
	})
}

func FuzzDelta(f *testing.F) {
	f.Add(AppendDelta(nil, []int64{1, 5, 2, -9, 1 << 40}, 64), uint16(5), true)
	f.Add(AppendDelta(nil, make([]int64, 300), 32), uint16(300), false)
	f.Add(deltaRef([]int64{1, 2, 3, 500, 7}, 256, 8), uint16(5), true)
	f.Fuzz(func(t *testing.T, src []byte, count uint16, wide bool) {
		n, width := int(count)%maxFuzz, 32
		if wide {
			width = 64
		}
		got, used, err := DecodeDelta(nil, src, width, n)
		known(t, err)
		if err != nil {
			return
		}
		if len(got) != n || used > len(src) {
			t.Fatalf("%d values of %d from %d bytes of %d", len(got), n, used, len(src))
		}
		enc := AppendDelta(nil, got, width)
		back, used, err := DecodeDelta(nil, enc, width, n)
		if err != nil || used != len(enc) || !slices.Equal(back, got) {
			t.Fatalf("differs after a round trip: %v", err)
		}
	})
}

func FuzzDeltaBytes(f *testing.F) {
	values := bytesOf([][]byte{[]byte("one"), []byte("once"), nil, []byte("three")})
	f.Add(AppendDeltaLengths(nil, values), uint16(4), "")
	f.Add(AppendDeltaStrings(nil, values), uint16(4), "o")
	f.Fuzz(func(t *testing.T, src []byte, count uint16, last string) {
		const limit = 1 << 16
		n := int(count) % maxFuzz
		var b Bytes
		err := DecodeDeltaLengths(&b, src, n)
		known(t, err)
		if len(b.Data) > len(src) {
			t.Fatalf("%d bytes from %d", len(b.Data), len(src))
		}
		if err == nil {
			var back Bytes
			if err := DecodeDeltaLengths(&back, AppendDeltaLengths(nil, &b), n); err != nil || !equalValues(back.values(), b.values()) {
				t.Fatalf("lengths differ after a round trip: %v", err)
			}
		}
		b.Reset()
		err = DecodeDeltaStrings(&b, src, n, limit, []byte(last))
		known(t, err)
		if len(b.Data) > limit {
			t.Fatalf("%d bytes, over the limit", len(b.Data))
		}
		if err == nil {
			var back Bytes
			if err := DecodeDeltaStrings(&back, AppendDeltaStrings(nil, &b), n, limit, nil); err != nil || !equalValues(back.values(), b.values()) {
				t.Fatalf("strings differ after a round trip: %v", err)
			}
		}
	})
}

func FuzzSlotsOfRows(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0, 0, 2, 1}, uint16(3), true)
	f.Fuzz(func(t *testing.T, reps []byte, rows uint16, carry bool) {
		keep := keepOf(reps, int(rows)%maxFuzz)
		var got Bitmap
		err := SlotsOfRows(&got, reps, bitmapOf(keep), carry)
		known(t, err)
		var want []bool
		row, state := 0, carry
		for _, rep := range reps {
			if rep == 0 {
				state = row < len(keep) && keep[row]
				row++
			}
			want = append(want, state)
		}
		if (err == nil) != (row == len(keep)) {
			t.Fatalf("%d rows for %d: %v", row, len(keep), err)
		}
		if err == nil {
			checkBitmap(t, &got, want)
		}
	})
}
