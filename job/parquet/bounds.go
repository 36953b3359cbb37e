package parquet

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"

	"assent/job/parquet/encoding"
)

// Bounds are the least and the greatest of some values of a column, in the column's order. NaN does not count. The zero value
// has no values yet. A Bounds keeps copies of the values that it needs.
type Bounds struct {
	Any        bool    // there is a value: the bounds are set
	lo, hi     int64   // OrderBool, OrderSigned; OrderUnsigned, mapped by biased
	flo, fhi   float64 // OrderFloat, OrderFloat16
	min, max   []byte  // OrderBytes, OrderDecimal; OrderFloat16: the two bytes
	minKey     uint64  // OrderBytes: the first 8 bytes of min, big endian
	maxKey     uint64
	LooseMin   bool // the minimum may be below the least value: it was shortened
	LooseMax   bool // the maximum may be above the greatest value
	Incomplete bool // some values were not added: there are no bounds
}

// Reset removes all values and keeps the memory.
func (b *Bounds) Reset() { *b = Bounds{min: b.min[:0], max: b.max[:0]} }

// biased maps unsigned integers to signed ones of the same order.
func biased(v int64, width int) int64 {
	if width == 4 {
		return int64(uint32(v))
	}
	return v ^ math.MinInt64
}

// AddInt adds a value of an integer or boolean column; of an unsigned one it is mapped by biased.
func (b *Bounds) AddInt(v int64) {
	if !b.Any {
		b.Any, b.lo, b.hi = true, v, v
		return
	}
	b.lo, b.hi = min(b.lo, v), max(b.hi, v)
}

// AddInts adds decoded values of an Int32 or Int64 column.
func (b *Bounds) AddInts(c *Column, v []int64) {
	switch c.Order {
	case OrderSigned:
		if len(v) == 0 {
			return
		}
		lo, hi := v[0], v[0]
		for _, x := range v {
			lo, hi = min(lo, x), max(hi, x)
		}
		b.AddInt(lo)
		b.AddInt(hi)
	case OrderUnsigned:
		for _, x := range v {
			b.AddInt(biased(x, c.Width()))
		}
	}
}

// AddBools adds values of a boolean column.
func (b *Bounds) AddBools(v *encoding.Bitmap) {
	ones := v.Count()
	if ones > 0 {
		b.AddInt(1)
	}
	if ones < v.Len() {
		b.AddInt(0)
	}
}

func (b *Bounds) addFloat(v float64) {
	switch {
	case v != v:
	case !b.Any:
		b.Any, b.flo, b.fhi = true, v, v
	case v < b.flo:
		b.flo = v
	case v > b.fhi:
		b.fhi = v
	}
}

// addBytes adds a value of a column of OrderBytes.
// maxKept is how many bytes of a long byte array are kept as a bound: more than MaxBound, to which it is shortened, and
// than maxTerseBound, so that it is seen to be longer. Values that begin with the same so many bytes have the same bounds.
const maxKept = 256

// clip returns v, or its beginning if no more of it is needed for a bound.
func clip(c *Column, v []byte) []byte {
	if c.Physical == ByteArray && len(v) > maxKept {
		return v[:maxKept]
	}
	return v
}

func (b *Bounds) addBytes(v []byte) {
	key := prefixKey(v)
	if !b.Any {
		b.Any = true
		b.min, b.minKey = append(b.min[:0], v...), key
		b.max, b.maxKey = append(b.max[:0], v...), key
		return
	}
	if key <= b.minKey && (key < b.minKey || bytes.Compare(v, b.min) < 0) {
		b.min, b.minKey = append(b.min[:0], v...), key
	}
	if key >= b.maxKey && (key > b.maxKey || bytes.Compare(v, b.max) > 0) {
		b.max, b.maxKey = append(b.max[:0], v...), key
	}
}

// prefixKey returns the first 8 bytes of v, padded with zeros. Values whose keys differ are in the order of their keys.
func prefixKey(v []byte) uint64 {
	if len(v) >= 8 {
		return binary.BigEndian.Uint64(v)
	}
	var k uint64
	for i, c := range v {
		k |= uint64(c) << (56 - 8*i)
	}
	return k
}

// Add adds one value, given as PLAIN without a length.
func (b *Bounds) Add(c *Column, v []byte) {
	switch c.Order {
	case OrderBool:
		b.AddInt(int64(v[0]))
	case OrderSigned:
		b.AddInt(plainInt(v))
	case OrderUnsigned:
		b.AddInt(biased(plainInt(v), len(v)))
	case OrderFloat:
		b.addFloat(plainFloat(v))
	case OrderFloat16:
		b.addFloat16(v)
	case OrderBytes:
		b.addBytes(clip(c, v))
	case OrderDecimal:
		if !b.Any {
			b.Any = true
			b.min, b.max = append(b.min[:0], v...), append(b.max[:0], v...)
			return
		}
		if compareDecimal(v, b.min) < 0 {
			b.min = append(b.min[:0], v...)
		}
		if compareDecimal(v, b.max) > 0 {
			b.max = append(b.max[:0], v...)
		}
	}
}

// AddFixed adds PLAIN values of a column of fixed width.
func (b *Bounds) AddFixed(c *Column, plain []byte) {
	width := c.Width()
	if width == 0 || c.Order == OrderNone || len(plain) < width {
		return
	}
	switch {
	case c.Order == OrderSigned && width == 8:
		lo, hi := plainInt(plain[:8]), plainInt(plain[:8])
		for ; len(plain) >= 8; plain = plain[8:] {
			v := int64(binary.LittleEndian.Uint64(plain))
			lo, hi = min(lo, v), max(hi, v)
		}
		b.AddInt(lo)
		b.AddInt(hi)
	case c.Order == OrderSigned:
		lo, hi := int32(plainInt(plain[:4])), int32(plainInt(plain[:4]))
		for ; len(plain) >= 4; plain = plain[4:] {
			v := int32(binary.LittleEndian.Uint32(plain))
			lo, hi = min(lo, v), max(hi, v)
		}
		b.AddInt(int64(lo))
		b.AddInt(int64(hi))
	default:
		for ; len(plain) >= width; plain = plain[width:] {
			b.Add(c, plain[:width])
		}
	}
}

// AddEntries adds the entries of a PLAIN dictionary of numbers to which indices point. It reports false, and adds none, if the column
// has no numbers.
func (b *Bounds) AddEntries(c *Column, plain []byte, indices []int32) bool {
	switch c.Physical {
	case Int32, Int64, Float, Double:
	default:
		return false
	}
	switch width := c.Width(); {
	case c.Order == OrderFloat:
		b.addFloats(plain, width, indices)
	case c.Order != OrderSigned && c.Order != OrderUnsigned:
		return false
	case len(indices) > 0:
		lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
		unsigned := c.Order == OrderUnsigned
		for _, i := range indices {
			v := plainInt(plain[int(i)*width:][:width])
			if unsigned {
				v = biased(v, width)
			}
			lo, hi = min(lo, v), max(hi, v)
		}
		b.AddInt(lo)
		b.AddInt(hi)
	}
	return true
}

func (b *Bounds) addFloats(plain []byte, width int, indices []int32) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, i := range indices {
		v := plainFloat(plain[int(i)*width:][:width])
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	if lo <= hi { // one is not NaN
		b.addFloat(lo)
		b.addFloat(hi)
	}
}

// AddByteArrays adds PLAIN byte arrays, each after its length. They must have been checked: none may be cut short.
func (b *Bounds) AddByteArrays(c *Column, plain []byte) {
	if c.Order == OrderBytes && len(plain) > 0 {
		if !b.Any {
			b.addBytes(clip(c, plain[4:4+binary.LittleEndian.Uint32(plain)]))
		}
		minKey, maxKey := b.minKey, b.maxKey
		for len(plain) > 0 {
			n := int(binary.LittleEndian.Uint32(plain))
			v := plain[4 : 4+n]
			plain = plain[4+n:]
			var key uint64
			if len(v) >= 8 {
				key = binary.BigEndian.Uint64(v)
			} else {
				key = prefixKey(v)
			}
			if key > minKey && key < maxKey {
				continue
			}
			b.addBytes(clip(c, v))
			minKey, maxKey = b.minKey, b.maxKey
		}
		return
	}
	if c.Order == OrderNone {
		return
	}
	for len(plain) > 0 {
		n := int(binary.LittleEndian.Uint32(plain))
		b.Add(c, plain[4:4+n])
		plain = plain[4+n:]
	}
}

// Merge adds the values of o.
func (b *Bounds) Merge(c *Column, o *Bounds) {
	b.Incomplete = b.Incomplete || o.Incomplete
	if !o.Any {
		return
	}
	b.LooseMin, b.LooseMax = b.LooseMin || o.LooseMin, b.LooseMax || o.LooseMax
	switch c.Order {
	case OrderBool, OrderSigned, OrderUnsigned:
		b.AddInt(o.lo)
		b.AddInt(o.hi)
	case OrderFloat:
		b.addFloat(o.flo)
		b.addFloat(o.fhi)
	default:
		b.Add(c, o.min)
		b.Add(c, o.max)
	}
}

// Compare compares PLAIN values without a length in the column's order. Neither may be NaN.
func Compare(c *Column, x, y []byte) int {
	switch c.Order {
	case OrderBool:
		return cmp.Compare(x[0], y[0])
	case OrderSigned:
		return cmp.Compare(plainInt(x), plainInt(y))
	case OrderUnsigned:
		return cmp.Compare(biased(plainInt(x), len(x)), biased(plainInt(y), len(y)))
	case OrderFloat:
		return cmp.Compare(plainFloat(x), plainFloat(y))
	case OrderFloat16:
		return cmp.Compare(float16(x), float16(y))
	case OrderDecimal:
		return compareDecimal(x, y)
	}
	return bytes.Compare(x, y)
}

// Plain returns the bounds as PLAIN values without a length. A minimum of zero becomes -0.0 and a maximum
// of zero +0.0 in columns of floats, because readers may take the two for different values (parquet.thrift, ColumnOrder).
func (b *Bounds) Plain(c *Column) (lo, hi []byte) {
	switch c.Order {
	case OrderBool:
		return []byte{byte(b.lo)}, []byte{byte(b.hi)}
	case OrderSigned, OrderUnsigned:
		lo, hi := b.lo, b.hi
		if c.Order == OrderUnsigned && c.Width() == 8 {
			lo, hi = lo^math.MinInt64, hi^math.MinInt64
		}
		return PlainBytes(uint64(lo), c.Width()), PlainBytes(uint64(hi), c.Width())
	case OrderFloat:
		lo, hi := b.flo, b.fhi
		if lo == 0 {
			lo = math.Copysign(0, -1)
		}
		if hi == 0 {
			hi = 0
		}
		if c.Width() == 4 {
			return PlainBytes(uint64(math.Float32bits(float32(lo))), 4), PlainBytes(uint64(math.Float32bits(float32(hi))), 4)
		}
		return PlainBytes(math.Float64bits(lo), 8), PlainBytes(math.Float64bits(hi), 8)
	case OrderFloat16:
		lo, hi := b.min, b.max
		if b.flo == 0 {
			lo = []byte{0, 0x80}
		}
		if b.fhi == 0 {
			hi = []byte{0, 0}
		}
		return lo, hi
	}
	return b.min, b.max
}

// PlainBytes returns an integer as a PLAIN value of 4 or 8 bytes.
func PlainBytes(v uint64, width int) []byte {
	return binary.LittleEndian.AppendUint64(nil, v)[:width]
}

func plainInt(v []byte) int64 {
	if len(v) == 4 {
		return int64(int32(binary.LittleEndian.Uint32(v)))
	}
	return int64(binary.LittleEndian.Uint64(v))
}

func plainFloat(v []byte) float64 {
	if len(v) == 4 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(v)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(v))
}

func (b *Bounds) addFloat16(v []byte) {
	f := float16(v)
	switch {
	case f != f:
	case !b.Any:
		b.Any, b.flo, b.fhi = true, f, f
		b.min, b.max = append(b.min[:0], v...), append(b.max[:0], v...)
	case f < b.flo:
		b.flo, b.min = f, append(b.min[:0], v...)
	case f > b.fhi:
		b.fhi, b.max = f, append(b.max[:0], v...)
	}
}

// float16 returns the value of an IEEE 754 half, little endian.
func float16(v []byte) float64 {
	h := binary.LittleEndian.Uint16(v)
	exponent, fraction := int(h>>10&31), float64(h&1023)
	var f float64
	switch exponent {
	case 0:
		f = math.Ldexp(fraction, -24)
	case 31:
		f = math.Inf(1)
		if fraction != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(1024+fraction, exponent-25)
	}
	if h>>15 != 0 {
		f = -f
	}
	return f
}

// compareDecimal compares big-endian two's-complement numbers of any length; none is 0.
func compareDecimal(x, y []byte) int {
	negative := func(v []byte) bool { return len(v) > 0 && v[0]&0x80 != 0 }
	if nx, ny := negative(x), negative(y); nx != ny {
		if nx {
			return -1
		}
		return 1
	}
	fill := byte(0)
	if negative(x) {
		fill = 0xff
	}
	for len(x) > 0 && x[0] == fill {
		x = x[1:]
	}
	for len(y) > 0 && y[0] == fill {
		y = y[1:]
	}
	if len(x) != len(y) {
		// Without sign extension, more bytes mean a greater magnitude.
		if (len(x) < len(y)) == (fill == 0) {
			return -1
		}
		return 1
	}
	return bytes.Compare(x, y)
}

// SoundBound reports whether v, from a file, can be a bound of the column: it has the right length and is not NaN.
func SoundBound(c *Column, v []byte) bool {
	switch c.Order {
	case OrderBool:
		return len(v) == 1 && v[0] <= 1
	case OrderFloat:
		return len(v) == c.Width() && plainFloat(v) == plainFloat(v)
	case OrderFloat16:
		return len(v) == 2 && float16(v) == float16(v)
	}
	if c.Physical == ByteArray {
		return v != nil
	}
	return len(v) == c.Width()
}
