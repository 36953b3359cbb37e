package encoding

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

func TestBools(t *testing.T) {
	r := random(t)
	for _, n := range sizes {
		v := randomBools(r, n, 0.5, 3)
		src := AppendBools([]byte{9}, bitmapOf(v))[1:]
		if len(src) != (n+7)/8 {
			t.Fatalf("%d bytes for %d booleans", len(src), n)
		}
		got := bitmapOf([]bool{true})
		if err := DecodeBools(got, append(src, 0xff), n); err != nil {
			t.Fatal(err)
		}
		checkBitmap(t, got, append([]bool{true}, v...))
		if n > 0 {
			if err := DecodeBools(got, src[1:], n); !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
		}
	}
}

func TestFixed(t *testing.T) {
	r := random(t)
	for _, width := range []int{1, 2, 3, 4, 7, 8, 12, 16, 40} {
		for _, n := range sizes {
			src := make([]byte, n*width)
			values := make([][]byte, n)
			for i := range src {
				src[i] = byte(r.Uint32())
			}
			for i := range values {
				values[i] = src[i*width : (i+1)*width]
			}
			got := bytesOf([][]byte{[]byte("before")})
			if err := DecodeFixed(got, append(src, 1), width, n); err != nil || !equalValues(got.values()[1:], values) {
				t.Fatalf("width %d, %d values: differ (%v)", width, n, err)
			}
			for name, keep := range selections(r, n) {
				k := bitmapOf(keep)
				got, err := FilterFixed([]byte("x"), append(src, 1), width, k)
				if err != nil || string(got[1:]) != string(slices.Concat(compactRef(values, keep)...)) {
					t.Fatalf("width %d, %d values, %s: differ (%v)", width, n, name, err)
				}
				if n > 0 {
					if _, err := FilterFixed(nil, src[1:], width, k); !errors.Is(err, ErrCorrupt) {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

func TestInts(t *testing.T) {
	want := []int64{0, 1, -1, 1<<31 - 1, -1 << 31}
	var src32, src64 []byte
	for _, v := range want {
		src32 = binary.LittleEndian.AppendUint32(src32, uint32(v))
		src64 = binary.LittleEndian.AppendUint64(src64, uint64(v)<<20)
	}
	got, err := DecodeInt32s([]int64{9}, src32, 5)
	if err != nil || !slices.Equal(got[1:], want) {
		t.Fatal(got, err)
	}
	got, err = DecodeInt64s([]int64{9}, src64, 5)
	for i := range want {
		want[i] <<= 20
	}
	if err != nil || !slices.Equal(got[1:], want) {
		t.Fatal(got, err)
	}
	for _, decode := range []func([]int64, []byte, int) ([]int64, error){DecodeInt32s, DecodeInt64s} {
		if _, err := decode(nil, make([]byte, 19), 5); !errors.Is(err, ErrCorrupt) {
			t.Error(err)
		}
		if _, err := decode(nil, make([]byte, 19), 1<<62); !errors.Is(err, ErrCorrupt) {
			t.Error(err)
		}
	}
}

func TestByteArrays(t *testing.T) {
	r := random(t)
	for _, n := range sizes {
		for _, size := range []int{0, 3, 100} {
			values := randomStrings(r, n, size)
			src := AppendByteArrays([]byte("x"), bytesOf(values))[1:]
			got := bytesOf([][]byte{[]byte("before")})
			used, err := DecodeByteArrays(got, append(src, 1, 0, 0), n)
			if err != nil || used != len(src) || !equalValues(got.values()[1:], values) {
				t.Fatalf("%d values of %d: differ (%v)", n, size, err)
			}
			ends, err := ScanByteArrays([]uint32{9}, append(src, 1, 0, 0), n)
			if err != nil || len(ends) != n+1 {
				t.Fatal(len(ends), err)
			}
			start := uint32(0)
			for i, end := range ends[1:] {
				if string(src[start+4:end]) != string(values[i]) {
					t.Fatalf("%d values of %d: value %d ends elsewhere", n, size, i)
				}
				start = end
			}
			for name, keep := range selections(r, n) {
				got, err := FilterByteArrays([]byte("x"), append(src, 1, 0, 0), bitmapOf(keep))
				if err != nil || string(got[1:]) != string(AppendByteArrays(nil, bytesOf(compactRef(values, keep)))) {
					t.Fatalf("%d values of %d, %s: differ (%v)", n, size, name, err)
				}
				if n == 0 {
					continue
				}
				for _, cut := range []int{1, 3, 4, 5} {
					short := src[:max(0, len(src)-cut)]
					if _, err := FilterByteArrays(nil, short, bitmapOf(keep)); !errors.Is(err, ErrCorrupt) {
						t.Fatalf("%s, cut by %d: %v", name, cut, err)
					}
					if _, err := ScanByteArrays(nil, short, n); !errors.Is(err, ErrCorrupt) {
						t.Fatalf("cut by %d: %v", cut, err)
					}
					if _, err := DecodeByteArrays(new(Bytes), short, n); !errors.Is(err, ErrCorrupt) {
						t.Fatalf("cut by %d: %v", cut, err)
					}
				}
			}
		}
	}
	for _, src := range [][]byte{{0xff, 0xff, 0xff, 0xff, 1}, {0xff, 0xff, 0xff, 0x7f, 1}, {2, 0, 0, 0, 1}} {
		for _, keep := range []bool{false, true} {
			if _, err := FilterByteArrays(nil, src, bitmapOf([]bool{keep})); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%x: %v", src, err)
			}
		}
	}
}
