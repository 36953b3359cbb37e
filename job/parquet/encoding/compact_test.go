package encoding

import (
	"errors"
	"slices"
	"testing"
)

func TestGatherScatter(t *testing.T) {
	r := random(t)
	for range 2000 {
		x, mask := r.Uint64(), r.Uint64()
		switch r.IntN(3) {
		case 0:
			mask &= r.Uint64() & r.Uint64()
		case 1:
			mask |= r.Uint64() | r.Uint64()
		}
		var gathered, scattered uint64
		k := 0
		for i := range 64 {
			if mask>>i&1 != 0 {
				gathered |= x >> i & 1 << k
				scattered |= x >> k & 1 << i
				k++
			}
		}
		if got := gatherBits(x, mask); got != gathered {
			t.Fatalf("gatherBits(%x, %x) = %x, want %x", x, mask, got, gathered)
		}
		if got := scatterBits(x, mask); got != scattered {
			t.Fatalf("scatterBits(%x, %x) = %x, want %x", x, mask, got, scattered)
		}
	}
}

func TestCompact(t *testing.T) {
	r := random(t)
	for _, n := range sizes {
		levels, indices, ints := make([]uint8, n), make([]int32, n), make([]int64, n)
		for i := range n {
			levels[i], indices[i], ints[i] = uint8(r.Uint32()), int32(r.Uint32()), r.Int64()
		}
		values := randomStrings(r, n, 12)
		for name, keep := range selections(r, n) {
			k := bitmapOf(keep)
			if got := CompactLevels([]uint8{9}, levels, k); !slices.Equal(got[1:], compactRef(levels, keep)) {
				t.Fatalf("%s %d: levels differ", name, n)
			}
			if got := CompactIndices([]int32{9}, indices, k); !slices.Equal(got[1:], compactRef(indices, keep)) {
				t.Fatalf("%s %d: indices differ", name, n)
			}
			if got := CompactInts([]int64{9}, ints, k); !slices.Equal(got[1:], compactRef(ints, keep)) {
				t.Fatalf("%s %d: integers differ", name, n)
			}
			got := bytesOf([][]byte{[]byte("before")})
			if err := CompactBytes(got, bytesOf(values), k); err != nil {
				t.Fatal(err)
			}
			if !equalValues(got.values()[1:], compactRef(values, keep)) || string(got.At(0)) != "before" {
				t.Fatalf("%s %d: byte strings differ", name, n)
			}
			for src, bits := range selections(r, n) {
				dst := bitmapOf([]bool{true})
				CompactBits(dst, bitmapOf(bits), k)
				checkBitmap(t, dst, append([]bool{true}, compactRef(bits, keep)...))
				_ = src
			}
		}
	}
}

func TestPresent(t *testing.T) {
	r := random(t)
	for _, n := range sizes {
		for _, maxDef := range []uint8{1, 2, 3, 7, 128, 255} {
			defs := make([]uint8, n)
			want := []bool{false}
			for i := range defs {
				defs[i] = uint8(r.IntN(int(maxDef) + 1))
				if r.IntN(2) == 0 {
					defs[i] = maxDef
				}
				want = append(want, defs[i] == maxDef)
			}
			got := bitmapOf([]bool{false})
			Present(got, defs, maxDef)
			checkBitmap(t, got, want)
		}
	}
	for v := range 256 { // all pairs of byte values, in all places
		for w := range 256 {
			x := uint64(w) * ones
			if got, want := equalBits(x&^(0xff<<24)|uint64(v)<<24, uint64(w)*ones) == 0xff, v == w; got != want {
				t.Fatalf("equalBits of %d and %d", v, w)
			}
		}
	}
}

func TestSlotsOfRows(t *testing.T) {
	r := random(t)
	for _, n := range sizes {
		for range 20 {
			reps := make([]uint8, n)
			for i := range reps {
				if r.IntN(3) > 0 {
					reps[i] = uint8(1 + r.IntN(2))
				}
			}
			if n > 0 && r.IntN(2) == 0 {
				reps[0] = 0
			}
			if r.IntN(4) == 0 { // one long row
				for i := n / 4; i < n; i++ {
					reps[i] = 1
				}
			}
			carry := r.IntN(2) == 0
			state := carry
			var rows, want []bool
			for _, rep := range reps {
				if rep == 0 {
					state = r.IntN(2) == 0
					rows = append(rows, state)
				}
				want = append(want, state)
			}
			var got Bitmap
			if err := SlotsOfRows(&got, reps, bitmapOf(rows), carry); err != nil {
				t.Fatal(err)
			}
			checkBitmap(t, &got, want)
			if err := SlotsOfRows(new(Bitmap), reps, bitmapOf(append(rows, true)), carry); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("one row too many: %v", err)
			}
			if len(rows) > 0 {
				if err := SlotsOfRows(new(Bitmap), reps, bitmapOf(rows[1:]), carry); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("one row too few: %v", err)
				}
			}
		}
	}
}

func TestSpread(t *testing.T) {
	r := random(t)
	for _, n := range sizes {
		for name, present := range selections(r, n) {
			p := bitmapOf(present)
			values := make([]int64, p.Count())
			for i := range values {
				values[i] = int64(i + 1)
			}
			want := []int64{-5}
			next := int64(0)
			for _, v := range present {
				if v {
					next++
					want = append(want, next)
				} else {
					want = append(want, 0)
				}
			}
			if got := Spread(append([]int64{-5}, values...), p); !slices.Equal(got, want) {
				t.Fatalf("%s %d: %v, want %v", name, n, got, want)
			}

			strings := randomStrings(r, p.Count(), 5)
			slots := [][]byte{[]byte("before")}
			k := 0
			for _, v := range present {
				if v {
					slots = append(slots, strings[k])
					k++
				} else {
					slots = append(slots, nil)
				}
			}
			b := bytesOf(append([][]byte{[]byte("before")}, strings...))
			b.Ends = SpreadEnds(b.Ends, p)
			if !equalValues(b.values(), slots) {
				t.Fatalf("%s %d: byte strings differ", name, n)
			}
		}
	}
}

func TestRemap(t *testing.T) {
	used := make([]byte, 100)
	indices := []int32{5, 99, 0, 5, 64}
	MarkUsed(used, indices)
	table := make([]int32, 100)
	n := int32(0)
	for i := range table {
		table[i] = -1
		if used[i] == 1 {
			table[i] = n
			n++
		}
	}
	Remap(indices, table)
	if want := []int32{1, 3, 0, 1, 2}; !slices.Equal(indices, want) || n != 4 {
		t.Fatalf("%v, want %v", indices, want)
	}
}
