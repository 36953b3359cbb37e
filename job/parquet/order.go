package parquet

// An Order is how the values of a column compare, which is what minima and maxima mean (parquet.thrift, ColumnOrder:
// TypeDefinedOrder).
type Order uint8

const (
	OrderNone     Order = iota // undefined: no minimum or maximum is written
	OrderBool                  // false before true
	OrderSigned                // INT32, INT64
	OrderUnsigned              // INT32, INT64 of an unsigned INTEGER
	OrderFloat                 // FLOAT, DOUBLE: no NaN; zeros widened to -0.0 and +0.0
	OrderFloat16               // the same for two-byte halves
	OrderBytes                 // unsigned, byte by byte
	OrderDecimal               // two's complement, big endian, any length
)

func columnOrder(p Physical, l Logical) Order {
	switch l.Kind {
	case Other, Unknown, Interval, Geometry, Geography, Variant, Map, List:
		return OrderNone
	}
	switch p {
	case Boolean:
		return OrderBool
	case Int32, Int64:
		if l.Kind == Int && !l.Signed {
			return OrderUnsigned
		}
		return OrderSigned
	case Float, Double:
		return OrderFloat
	case ByteArray:
		if l.Kind == Decimal {
			return OrderDecimal
		}
		return OrderBytes
	case FixedLenByteArray:
		switch l.Kind {
		case Decimal:
			return OrderDecimal
		case Float16:
			return OrderFloat16
		}
		return OrderBytes
	}
	return OrderNone // INT96
}
