package pick

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/float16"

	"assent/job/parquet"
	"assent/schema"
)

// appender appends the value of a slot to a builder of the leaf's type, or null where
// there is none.
type appender func(b array.Builder, s *Slots, slot int)

// leafType returns the Arrow type of a leaf and notes how its values are appended.
func (a *Assembler) leafType(leaf int) arrow.DataType {
	t, add := a.leaf(leaf)
	a.leaves[leaf] = func(b array.Builder, s *Slots, slot int) {
		if s.Null != nil && s.Null[slot] {
			b.AppendNull()
			return
		}
		add(b, s, slot)
	}
	return t
}

func (a *Assembler) leaf(leaf int) (arrow.DataType, appender) {
	c := &a.f.Columns()[leaf]
	if text := a.options.Text[leaf]; text != nil {
		return textType(text)
	}
	if c.Logical.Kind == parquet.Decimal {
		return decimalType(c)
	}
	switch c.Physical {
	case parquet.Boolean:
		return arrow.FixedWidthTypes.Boolean, func(b array.Builder, s *Slots, i int) { b.(*array.BooleanBuilder).Append(s.Ints[i] != 0) }
	case parquet.Int32, parquet.Int64:
		return integerType(c)
	case parquet.Int96:
		return arrow.FixedWidthTypes.Timestamp_ns, func(b array.Builder, s *Slots, i int) {
			b.(*array.TimestampBuilder).Append(arrow.Timestamp(schema.FromInt96(s.Bytes.At(i))))
		}
	case parquet.Float:
		return arrow.PrimitiveTypes.Float32, a.float32s(func(s *Slots, i int) float32 {
			return math.Float32frombits(binary.LittleEndian.Uint32(s.Bytes.At(i)))
		})
	case parquet.Double:
		return arrow.PrimitiveTypes.Float64, func(b array.Builder, s *Slots, i int) {
			v := math.Float64frombits(binary.LittleEndian.Uint64(s.Bytes.At(i)))
			if a.options.Finite && (math.IsNaN(v) || math.IsInf(v, 0)) {
				b.AppendNull()
				return
			}
			b.(*array.Float64Builder).Append(v)
		}
	}
	return a.bytesType(c)
}

func (a *Assembler) float32s(value func(*Slots, int) float32) appender {
	return func(b array.Builder, s *Slots, i int) {
		v := value(s, i)
		if a.options.Finite && (math.IsNaN(float64(v)) || math.IsInf(float64(v), 0)) {
			b.AppendNull()
			return
		}
		b.(*array.Float32Builder).Append(v)
	}
}

func textType(text func(*Slots, int) string) (arrow.DataType, appender) {
	return arrow.BinaryTypes.String, func(b array.Builder, s *Slots, i int) { b.(*array.StringBuilder).Append(text(s, i)) }
}

// bytesType is for ByteArray and FixedLenByteArray.
func (a *Assembler) bytesType(c *parquet.Column) (arrow.DataType, appender) {
	fixed := c.Physical == parquet.FixedLenByteArray
	switch c.Logical.Kind {
	case parquet.String, parquet.Enum, parquet.JSON, parquet.Unknown:
		return arrow.BinaryTypes.String, func(b array.Builder, s *Slots, i int) {
			appendBytes(b.(*array.StringBuilder).BinaryBuilder, s.Bytes.At(i))
		}
	case parquet.UUID:
		if c.TypeLength == 16 {
			return textType(func(s *Slots, i int) string { return string(schema.AppendUUID(nil, s.Bytes.At(i))) })
		}
	case parquet.Float16:
		if c.TypeLength == 2 {
			return arrow.PrimitiveTypes.Float32, a.float32s(func(s *Slots, i int) float32 {
				return float16.FromBits(binary.LittleEndian.Uint16(s.Bytes.At(i))).Float32()
			})
		}
	}
	if fixed && c.TypeLength > 0 {
		return &arrow.FixedSizeBinaryType{ByteWidth: c.TypeLength}, func(b array.Builder, s *Slots, i int) {
			b.(*array.FixedSizeBinaryBuilder).Append(s.Bytes.At(i))
		}
	}
	return arrow.BinaryTypes.Binary, func(b array.Builder, s *Slots, i int) { appendBytes(b.(*array.BinaryBuilder), s.Bytes.At(i)) }
}

// appendBytes appends a value, and for a large one makes no more room than it takes.
func appendBytes(b *array.BinaryBuilder, value []byte) {
	if len(value) > batchBytes/2 {
		b.ReserveData(len(value))
	}
	b.Append(value)
}

func integerType(c *parquet.Column) (arrow.DataType, appender) {
	wide := c.Physical == parquet.Int64
	units := map[parquet.TimeUnit]arrow.TimeUnit{parquet.Millis: arrow.Millisecond, parquet.Micros: arrow.Microsecond, parquet.Nanos: arrow.Nanosecond}
	unit, known := units[c.Logical.Unit]
	switch c.Logical.Kind {
	case parquet.Timestamp:
		if wide && known {
			t := &arrow.TimestampType{Unit: unit}
			if c.Logical.UTC {
				t.TimeZone = "UTC"
			}
			return t, func(b array.Builder, s *Slots, i int) { b.(*array.TimestampBuilder).Append(arrow.Timestamp(s.Ints[i])) }
		}
	case parquet.Date:
		if !wide {
			return arrow.FixedWidthTypes.Date32, func(b array.Builder, s *Slots, i int) { b.(*array.Date32Builder).Append(arrow.Date32(s.Ints[i])) }
		}
	case parquet.Time:
		if !wide && unit == arrow.Millisecond {
			return arrow.FixedWidthTypes.Time32ms, func(b array.Builder, s *Slots, i int) { b.(*array.Time32Builder).Append(arrow.Time32(s.Ints[i])) }
		}
		if wide && known && unit != arrow.Millisecond {
			return &arrow.Time64Type{Unit: unit}, func(b array.Builder, s *Slots, i int) { b.(*array.Time64Builder).Append(arrow.Time64(s.Ints[i])) }
		}
	case parquet.Unknown:
		return textType(func(*Slots, int) string { return "" })
	case parquet.Int:
		if !c.Logical.Signed && wide {
			return arrow.PrimitiveTypes.Uint64, func(b array.Builder, s *Slots, i int) { b.(*array.Uint64Builder).Append(uint64(s.Ints[i])) }
		}
		if !c.Logical.Signed {
			return arrow.PrimitiveTypes.Uint32, func(b array.Builder, s *Slots, i int) { b.(*array.Uint32Builder).Append(uint32(s.Ints[i])) }
		}
	}
	if wide {
		return arrow.PrimitiveTypes.Int64, func(b array.Builder, s *Slots, i int) { b.(*array.Int64Builder).Append(s.Ints[i]) }
	}
	return arrow.PrimitiveTypes.Int32, func(b array.Builder, s *Slots, i int) { b.(*array.Int32Builder).Append(int32(s.Ints[i])) }
}

// maxDecimalDigits is what decimal128 holds.
const maxDecimalDigits = 38

func decimalType(c *parquet.Column) (arrow.DataType, appender) {
	p, scale := c.Logical.Precision, c.Logical.Scale
	unscaled := func(s *Slots, i int) *big.Int {
		if c.Integer() {
			return big.NewInt(s.Ints[i])
		}
		return bigInt(s.Bytes.At(i))
	}
	t := &arrow.Decimal128Type{Precision: int32(p), Scale: int32(scale)}
	if p < 1 || p > maxDecimalDigits || scale < 0 || scale > p {
		return textType(func(s *Slots, i int) string { return decimalText(unscaled(s, i), scale) })
	}
	return t, func(b array.Builder, s *Slots, i int) {
		v := unscaled(s, i)
		if v.BitLen() > 127 { // more digits than the column says
			b.AppendNull()
			return
		}
		b.(*array.Decimal128Builder).Append(decimal128.FromBigInt(v))
	}
}

// bigInt decodes a big-endian two's complement.
func bigInt(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v
}

func decimalText(v *big.Int, scale int) string {
	digits := slices.Clone(new(big.Int).Abs(v).Append(nil, 10))
	if scale < 0 || scale > 1<<10 {
		return v.String()
	}
	if pad := scale + 1 - len(digits); pad > 0 {
		digits = append([]byte(strings.Repeat("0", pad)), digits...)
	}
	text := string(digits)
	if scale > 0 {
		text = text[:len(text)-scale] + "." + text[len(text)-scale:]
	}
	if v.Sign() < 0 {
		text = "-" + text
	}
	return text
}
