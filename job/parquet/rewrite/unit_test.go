package rewrite

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	parquetgo "github.com/parquet-go/parquet-go"

	"assent/job/parquet/codec"
)

func TestSelection(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		n := r.Int64N(300)
		s := NewSelection(n)
		want := make([]bool, n)
		for range 20 {
			lo := r.Int64N(n + 1)
			hi := lo + r.Int64N(n-lo+1)
			switch r.IntN(4) {
			case 0:
				s.KeepRange(lo, hi)
				for i := lo; i < hi; i++ {
					want[i] = true
				}
			case 1:
				if lo < n {
					s.Keep(lo)
					want[lo] = true
				}
			case 2:
				w, k := r.Uint64(), int(min(hi-lo, 64))
				s.SetBits(lo, w, k)
				for i := range k {
					want[lo+int64(i)] = w>>i&1 != 0
				}
			case 3:
				if n > 0 {
					at, w := r.Int64N((n+63)/64), r.Uint64()
					s.SetWord(at, w)
					for i := range min(64, n-64*at) {
						want[64*at+i] = w>>i&1 != 0
					}
				}
			}
			count := int64(0)
			for i, k := range want {
				if k {
					count++
				}
				if s.Kept(int64(i)) != k {
					t.Fatalf("row %d of %d", i, n)
				}
			}
			if s.Count() != count || s.CountRange(0, n) != count {
				t.Fatalf("count %d, %d, want %d", s.Count(), s.CountRange(0, n), count)
			}
			inside := int64(0)
			for i := lo; i < hi; i++ {
				if want[i] {
					inside++
				}
			}
			if got := s.CountRange(lo, hi); got != inside {
				t.Fatalf("%d in [%d, %d), want %d", got, lo, hi, inside)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	type client struct {
		ID   string `parquet:"id"`
		Name string `parquet:"name"`
	}
	type row struct {
		ID      string   `parquet:"id"`
		Tags    []string `parquet:"tags,list"`
		Clients []client `parquet:"clients,list"`
		Deep    []struct {
			Members []string `parquet:"members,list"`
		} `parquet:"deep,list"`
		Rep []int64        `parquet:"rep"`
		M   map[string]int `parquet:"m"`
		Dot string         `parquet:"a.b"`
	}
	var b bytes.Buffer
	w := parquetgo.NewGenericWriter[row](&b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := Open(t.Context(), bytes.NewReader(b.Bytes()), int64(b.Len()), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, want string
		err        error
	}{
		{"id", "id", nil},
		{"tags", "tags.list.element", nil},
		{"tags.list.element", "tags.list.element", nil},
		{"clients.id", "clients.list.element.id", nil},
		{"clients", "", ErrAmbiguous},
		{"deep.members", "deep.list.element.members.list.element", nil},
		{"deep", "deep.list.element.members.list.element", nil},
		{"rep", "rep", nil},
		{"m", "", ErrNoColumn},
		{"m.key_value.key", "m.key_value.key", nil},
		{"a.b", "a.b", nil},
		{"clints.id", "", ErrNoColumn},
		{"", "", ErrNoColumn},
	} {
		i, err := f.Lookup(c.path)
		if !errors.Is(err, c.err) || c.err == nil && (err != nil || f.Columns()[i].Name() != c.want) {
			t.Errorf("%q: %d, %v; want %q, %v", c.path, i, err, c.want, c.err)
		}
	}
}

func TestApplication(t *testing.T) {
	for _, c := range []struct {
		by                   string
		header, delta, bytes bool
	}{
		{"parquet-mr version 1.2.8 (build x)", true, true, true},
		{"parquet-mr version 1.2.9", false, true, true},
		{"parquet-mr version 1.6.0rc3", false, true, true},
		{"parquet-mr version 1.8.0 (build 8)", false, false, true},
		{"parquet-mr version 1.10.0", false, false, false},
		{"parquet-mr version 1.13.1 (build db4183109d5b734ec5930d870cdae161e408ddba)", false, false, false},
		{"parquet-mr", true, true, true},
		{"parquet-cpp version 1.2.1-SNAPSHOT", false, false, true},
		{"parquet-cpp version 1.3.0", false, false, false},
		{"parquet-cpp-arrow version 1.2.0", false, false, false},
		{"DuckDB version v1.1.3 (build 19864453f7)", false, false, false},
		{"", false, false, false},
	} {
		a := parseApplication(c.by)
		text, number := &Column{order: orderBytes}, &Column{order: orderSigned}
		if a.omitsDictionaryHeader() != c.header || a.carriesDelta() != c.delta || a.badBounds(text) != c.bytes || a.badBounds(number) {
			t.Errorf("%q: %+v: %v %v %v", c.by, a, a.omitsDictionaryHeader(), a.carriesDelta(), a.badBounds(text))
		}
	}
}

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
	col := &Column{Physical: Double, order: orderFloat}
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
		var b bounds
		for _, v := range c.values {
			b.add(col, plainBytes(math.Float64bits(v), 8))
		}
		lo, hi := b.plain(col)
		if b.any != c.any || c.any && (!bytes.Equal(lo, plainBytes(math.Float64bits(c.lo), 8)) || !bytes.Equal(hi, plainBytes(math.Float64bits(c.hi), 8))) {
			t.Errorf("%v: %v, %x, %x", c.values, b.any, lo, hi)
		}
	}
	half := &Column{Physical: FixedLenByteArray, TypeLength: 2, order: orderFloat16}
	var b bounds
	for _, h := range []uint16{0x3c00 /* 1 */, 0x7e00 /* NaN */, 0x8001 /* least negative */, 0x0000, 0xbc00 /* -1 */, 0x7bff /* 65504 */} {
		b.add(half, []byte{byte(h), byte(h >> 8)})
	}
	if lo, hi := b.plain(half); !bytes.Equal(lo, []byte{0, 0xbc}) || !bytes.Equal(hi, []byte{0xff, 0x7b}) {
		t.Errorf("halves: %x, %x", lo, hi)
	}
}

func TestShortBounds(t *testing.T) {
	text := &Column{Physical: ByteArray, order: orderBytes, Logical: Logical{Kind: String}}
	raw := &Column{Physical: ByteArray, order: orderBytes}
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
			if bytes.Compare(lo, v) > 0 || hi != nil && bytes.Compare(hi, v) < 0 || len(lo) > maxBound+4 && shortLo || len(hi) > maxBound+4 && shortHi {
				t.Fatalf("%x: %x, %x", v, lo, hi)
			}
			if len(v) <= maxBound && (shortLo || shortHi) {
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
		{Physical: Int32, order: orderSigned}, {Physical: Int64, order: orderSigned}, {Physical: Int32, order: orderUnsigned},
		{Physical: Int64, order: orderUnsigned}, {Physical: Float, order: orderFloat}, {Physical: ByteArray, order: orderBytes},
		{Physical: FixedLenByteArray, TypeLength: 5, order: orderBytes}, {Physical: FixedLenByteArray, TypeLength: 5, order: orderDecimal},
	} {
		for range 200 {
			var one, many, ints bounds
			var plain []byte
			var all [][]byte
			var decoded []int64
			for range 1 + r.IntN(20) {
				n := c.width()
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
				one.add(c, v)
				if c.integer() {
					decoded = append(decoded, plainInt(v))
				}
			}
			if c.Physical == ByteArray {
				many.addByteArrays(c, plain)
			} else {
				many.addFixed(c, plain)
			}
			lo, hi := one.plain(c)
			mlo, mhi := many.plain(c)
			if !bytes.Equal(lo, mlo) || !bytes.Equal(hi, mhi) {
				t.Fatalf("%+v: %x, %x; at once %x, %x", c, lo, hi, mlo, mhi)
			}
			if c.order != orderFloat {
				slices.SortFunc(all, func(a, b []byte) int { return compareBytes(c, a, b) })
				if compareBytes(c, lo, all[0]) != 0 || compareBytes(c, hi, all[len(all)-1]) != 0 {
					t.Fatalf("%+v: %x, %x of %x", c, lo, hi, all)
				}
			}
			if c.integer() {
				ints.addInts(c, decoded)
				if ints.lo != one.lo || ints.hi != one.hi {
					t.Fatalf("%+v: %+v, %+v", c, ints, one)
				}
			}
		}
	}
}

func TestErrors(t *testing.T) {
	if _, err := Open(t.Context(), bytes.NewReader(nil), 0, "empty.parquet"); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	// A file that is shorter than it is said to be was not read as it should: that is not a fault of its bytes.
	data := secretFile(t, func(int) bool { return false })
	_, err := Open(t.Context(), bytes.NewReader(data[:len(data)-10]), int64(len(data)), "cut.parquet")
	if err == nil || errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	f, err := Open(t.Context(), bytes.NewReader(data), int64(len(data)), "dir/in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	err = f.located(corruptf("x: %w", codec.ErrCorrupt), 3, 1, 7)
	if want := "dir/in.parquet: row group 3: column dict: page 7: corrupt file: x: corrupt compressed data"; fmt.Sprint(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	w := f.NewWriter(&bytes.Buffer{}, Options{})
	if _, err := w.Close(); err == nil {
		t.Error("closed without its row groups")
	}
	w = f.NewWriter(&bytes.Buffer{}, Options{})
	if err := w.RowGroup(t.Context(), 0, NewSelection(5)); err == nil {
		t.Error("a selection of another size is taken")
	}
}

// Key-value metadata: kept in order, duplicates and absent values too; ours after it.
func TestKeyValues(t *testing.T) {
	data := secretFile(t, func(int) bool { return false }, parquetgo.KeyValueMetadata("b", "2"), parquetgo.KeyValueMetadata("a", "1"))
	f, err := Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	before := f.KeyValues()
	v := "run 7"
	for _, keep := range []int64{0, 2, 1000} {
		out, _, err := rewriteFile(t, data, func(i, n int64) bool { return i%1000 < keep },
			Options{CreatedBy: "assent", KeyValues: []KeyValue{{"assent.run_id", &v}, {"none", nil}}})
		if err != nil {
			t.Fatal(err)
		}
		g, err := Open(t.Context(), bytes.NewReader(out), int64(len(out)), "out.parquet")
		if err != nil {
			t.Fatal(err)
		}
		if g.CreatedBy() != "assent" || len(g.KeyValues()) != len(before)+3 {
			t.Fatalf("%q, %+v", g.CreatedBy(), g.KeyValues())
		}
		for i, kv := range before {
			if g.KeyValues()[i].Key != kv.Key || *g.KeyValues()[i].Value != *kv.Value {
				t.Errorf("entry %d: %+v, want %+v", i, g.KeyValues()[i], kv)
			}
		}
		if got, ok := g.KeyValue("original.created_by"); !ok || got != f.CreatedBy() {
			t.Errorf("original.created_by %q", got)
		}
		if _, ok := g.KeyValue("none"); ok {
			t.Error("an absent value is there")
		}
	}
}
