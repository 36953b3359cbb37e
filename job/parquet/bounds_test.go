package parquet

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// bytesOfInt returns the shortest big-endian two's complement of x, and one with more sign bytes.
func bytesOfInt(x int64) (short, long []byte) {
	full := make([]byte, 8)
	for i := range full {
		full[i] = byte(x >> (56 - 8*i))
	}
	short = full
	for len(short) > 1 && (short[0] == 0 && short[1] < 0x80 || short[0] == 0xff && short[1] >= 0x80) {
		short = short[1:]
	}
	sign := byte(0)
	if x < 0 {
		sign = 0xff
	}
	return short, append([]byte{sign, sign}, full...)
}

func TestCompareDecimal(t *testing.T) {
	numbers := []int64{0, 1, -1, 127, 128, -128, -129, 255, 256, -255, -256, 32767, -32768, 1 << 40, -1 << 40, math.MaxInt64, math.MinInt64}
	for _, x := range numbers {
		for _, y := range numbers {
			want := big.NewInt(x).Cmp(big.NewInt(y))
			xs, xl := bytesOfInt(x)
			ys, yl := bytesOfInt(y)
			for _, a := range [][]byte{xs, xl} {
				for _, b := range [][]byte{ys, yl} {
					if got := compareDecimal(a, b); got != want {
						t.Errorf("%d, %d: %x, %x: %d", x, y, a, b, got)
					}
				}
			}
		}
	}
}

func TestFloatBounds(t *testing.T) {
	col := &Column{Physical: Double, Order: OrderFloat}
	nan, negative := math.NaN(), math.Copysign(0, -1)
	for _, c := range []struct {
		values []float64
		any    bool
		lo, hi float64
	}{
		{[]float64{nan, nan}, false, 0, 0},
		{[]float64{nan, 1, nan, -2}, true, -2, 1},
		{[]float64{0}, true, negative, 0},
		{[]float64{negative}, true, negative, 0},
		{[]float64{0, 3}, true, negative, 3},
		{[]float64{-3, negative}, true, -3, 0},
		{[]float64{math.Inf(-1), math.Inf(1), 5}, true, math.Inf(-1), math.Inf(1)},
	} {
		var b Bounds
		for _, v := range c.values {
			b.Add(col, PlainBytes(math.Float64bits(v), 8))
		}
		lo, hi := b.Plain(col)
		if b.Any != c.any || c.any && (!bytes.Equal(lo, PlainBytes(math.Float64bits(c.lo), 8)) || !bytes.Equal(hi, PlainBytes(math.Float64bits(c.hi), 8))) {
			t.Errorf("%v: %v, %x, %x", c.values, b.Any, lo, hi)
		}
	}
	half := &Column{Physical: FixedLenByteArray, TypeLength: 2, Order: OrderFloat16}
	var b Bounds
	for _, h := range []uint16{0x3c00 /* 1 */, 0x7e00 /* NaN */, 0x8001 /* least negative */, 0x0000, 0xbc00 /* -1 */, 0x7bff /* 65504 */} {
		b.Add(half, []byte{byte(h), byte(h >> 8)})
	}
	if lo, hi := b.Plain(half); !bytes.Equal(lo, []byte{0, 0xbc}) || !bytes.Equal(hi, []byte{0xff, 0x7b}) {
		t.Errorf("halves: %x, %x", lo, hi)
	}
}

func TestShortBounds(t *testing.T) {
	text := &Column{Physical: ByteArray, Order: OrderBytes, Logical: Logical{Kind: String}}
	raw := &Column{Physical: ByteArray, Order: OrderBytes}
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		var v []byte
		for len(v) < 60+r.IntN(20) {
			switch r.IntN(3) {
			case 0:
				v = append(v, "é"...)
			case 1:
				v = append(v, "\U0010ffff"...)
			default:
				v = append(v, byte(r.IntN(128)))
			}
		}
		for _, c := range []*Column{text, raw} {
			lo, shortLo := shortenMin(c, v)
			hi, shortHi := shortenMax(c, v)
			if bytes.Compare(lo, v) > 0 || hi != nil && bytes.Compare(hi, v) < 0 || len(lo) > MaxBound+4 && shortLo || len(hi) > MaxBound+4 && shortHi {
				t.Fatalf("%x: %x, %x", v, lo, hi)
			}
			if len(v) <= MaxBound && (shortLo || shortHi) {
				t.Fatalf("%x: shortened", v)
			}
		}
	}
	if hi, short := shortenMax(raw, bytes.Repeat([]byte{0xff}, 100)); hi != nil || !short {
		t.Errorf("a bound above all: %x", hi)
	}
}

// All bounds collectors agree with a comparison of values one by one.
func TestBoundsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, c := range []*Column{
		{Physical: Int32, Order: OrderSigned}, {Physical: Int64, Order: OrderSigned}, {Physical: Int32, Order: OrderUnsigned},
		{Physical: Int64, Order: OrderUnsigned}, {Physical: Float, Order: OrderFloat}, {Physical: ByteArray, Order: OrderBytes},
		{Physical: FixedLenByteArray, TypeLength: 5, Order: OrderBytes}, {Physical: FixedLenByteArray, TypeLength: 5, Order: OrderDecimal},
	} {
		for range 200 {
			var one, many, ints Bounds
			var plain []byte
			var all [][]byte
			var decoded []int64
			for range 1 + r.IntN(20) {
				n := c.Width()
				if c.Physical == ByteArray {
					n = r.IntN(12)
					plain = append(plain, byte(n), 0, 0, 0)
				}
				v := make([]byte, n)
				for i := range v {
					v[i] = byte(r.IntN(3)) * 0x7f
				}
				plain = append(plain, v...)
				all = append(all, v)
				one.Add(c, v)
				if c.Integer() {
					decoded = append(decoded, plainInt(v))
				}
			}
			if c.Physical == ByteArray {
				many.AddByteArrays(c, plain)
			} else {
				many.AddFixed(c, plain)
			}
			lo, hi := one.Plain(c)
			mlo, mhi := many.Plain(c)
			if !bytes.Equal(lo, mlo) || !bytes.Equal(hi, mhi) {
				t.Fatalf("%+v: %x, %x; at once %x, %x", c, lo, hi, mlo, mhi)
			}
			if c.Order != OrderFloat {
				slices.SortFunc(all, func(a, b []byte) int { return Compare(c, a, b) })
				if Compare(c, lo, all[0]) != 0 || Compare(c, hi, all[len(all)-1]) != 0 {
					t.Fatalf("%+v: %x, %x of %x", c, lo, hi, all)
				}
			}
			if c.Integer() {
				ints.AddInts(c, decoded)
				if ints.lo != one.lo || ints.hi != one.hi {
					t.Fatalf("%+v: %+v, %+v", c, ints, one)
				}
			}
		}
	}
}

// The bounds of entries of a dictionary are those of the values that they stand for.
func TestAddEntries(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 4))
	for _, c := range []*Column{
		{Physical: Int32, Order: OrderSigned}, {Physical: Int64, Order: OrderSigned}, {Physical: Int32, Order: OrderUnsigned}, {Physical: Int64, Order: OrderUnsigned},
		{Physical: Float, Order: OrderFloat}, {Physical: Double, Order: OrderFloat},
	} {
		for range 200 {
			plain := make([]byte, c.Width()*(1+r.IntN(5)))
			for i := range plain {
				plain[i] = byte(r.Uint32())
				if r.IntN(3) == 0 { // zeros, infinities and NaN, too
					plain[i] = []byte{0, 0x7f, 0x80, 0xff, 0xf0}[r.IntN(5)]
				}
			}
			var got, want Bounds
			indices := make([]int32, r.IntN(4))
			for i := range indices {
				indices[i] = int32(r.IntN(len(plain) / c.Width()))
				want.Add(c, plain[int(indices[i])*c.Width():][:c.Width()])
			}
			if !got.AddEntries(c, plain, indices) {
				t.Fatalf("%v: none added", c)
			}
			if got.Any != want.Any {
				t.Fatalf("%v: %x of %x: any %v, want %v", c, indices, plain, got.Any, want.Any)
			}
			gotLo, gotHi := got.Plain(c)
			wantLo, wantHi := want.Plain(c)
			if got.Any && (!bytes.Equal(gotLo, wantLo) || !bytes.Equal(gotHi, wantHi)) {
				t.Fatalf("%v: %x of %x: %x..%x, want %x..%x", c, indices, plain, gotLo, gotHi, wantLo, wantHi)
			}
		}
	}
	var b Bounds
	if b.AddEntries(&Column{Physical: ByteArray, Order: OrderBytes}, nil, nil) {
		t.Error("byte arrays count as numbers")
	}
}
