package rewrite

// An order is how the values of a column compare, which is what minima and maxima mean (parquet.thrift, ColumnOrder:
// TypeDefinedOrder).
type order uint8

const (
	orderNone     order = iota // undefined: no minimum or maximum is written
	orderBool                  // false before true
	orderSigned                // INT32, INT64
	orderUnsigned              // INT32, INT64 of an unsigned INTEGER
	orderFloat                 // FLOAT, DOUBLE: no NaN; zeros widened to -0.0 and +0.0
	orderFloat16               // the same for two-byte halves
	orderBytes                 // unsigned, byte by byte
	orderDecimal               // two's complement, big endian, any length
)

func columnOrder(p Physical, l Logical) order {
	switch l.Kind {
	case Other, Unknown, Interval, Geometry, Geography, Variant, Map, List:
		return orderNone
	}
	switch p {
	case Boolean:
		return orderBool
	case Int32, Int64:
		if l.Kind == Int && !l.Signed {
			return orderUnsigned
		}
		return orderSigned
	case Float, Double:
		return orderFloat
	case ByteArray:
		if l.Kind == Decimal {
			return orderDecimal
		}
		return orderBytes
	case FixedLenByteArray:
		switch l.Kind {
		case Decimal:
			return orderDecimal
		case Float16:
			return orderFloat16
		}
		return orderBytes
	}
	return orderNone // INT96
}
