package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"math"
	"math/big"
	"slices"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	pthrift "github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"assent/manifests"
	"assent/schema"
)

// keyReader reads one key column: ids, instants or codes. A nil one stands for an
// optional column that the file lacks; all its rows are null.
type keyReader struct {
	*cursor // nil where the column is in the file's path alone
	leaf    *leaf
	unit    schema.Unit // in which plain integers count instants
	inPath  *pathKey    // what the path says of the column; nil: nothing
}

// textLeaf is the leaf of a column that is in the path alone.
var textLeaf = &leaf{element: &format.SchemaElement{Type: pthrift.New(format.ByteArray)}}

// key is a value of a key column. The zero value is null.
type key struct {
	parquet.Value
	leaf *leaf
	unit schema.Unit
}

// one returns the next row of a column that is no list.
func (k *keyReader) one() (key, error) {
	switch {
	case k == nil:
		return key{}, nil
	case k.cursor == nil:
		return key{k.pathValue(), k.leaf, ""}, nil
	}
	v, err := k.take()
	if err == nil && k.inPath != nil && !k.agrees(v) {
		return key{}, &unboundError{"", k.leaf.path, "its path says otherwise, and the run was published"}
	}
	return key{v, k.leaf, k.unit}, k.named(err)
}

func (k *keyReader) pathValue() parquet.Value {
	if k.inPath.null {
		return parquet.Value{}
	}
	return parquet.ValueOf(k.inPath.value)
}

// agrees reports whether a value is the one that the path says.
func (k *keyReader) agrees(v parquet.Value) bool {
	return v.IsNull() == k.inPath.null && (v.IsNull() || (key{v, k.leaf, ""}).text() == k.inPath.value)
}

// named names the column of an error.
func (k *keyReader) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("column %s: %w", k.leaf.path, err)
}

// elements returns the next row's elements, nulls among them. A list that is null or
// empty has none. They are valid until the next call.
func (k *keyReader) elements() ([]parquet.Value, error) {
	if k == nil {
		return nil, nil
	}
	if k.cursor == nil || k.inPath != nil {
		v, err := k.one()
		return []parquet.Value{v.Value}, err
	}
	row, err := k.row()
	if err != nil {
		return nil, k.named(err)
	}
	n := 0
	for _, v := range row {
		if v.DefinitionLevel() >= k.leaf.slotDef {
			row[n] = v
			n++
		}
	}
	return row[:n], nil
}

// appendID appends the canonical text of an id or a code; nothing for a null.
func (k key) appendID(dst []byte) []byte {
	if k.IsNull() {
		return dst
	}
	switch k.Kind() {
	case parquet.Boolean: // the state of a switch
		return strconv.AppendBool(dst, k.Boolean())
	case parquet.Int32:
		if k.leaf.isUnsigned() {
			return strconv.AppendUint(dst, uint64(k.Uint32()), 10)
		}
		return strconv.AppendInt(dst, int64(k.Int32()), 10)
	case parquet.Int64:
		if k.leaf.isUnsigned() {
			return strconv.AppendUint(dst, k.Uint64(), 10)
		}
		return strconv.AppendInt(dst, k.Int64(), 10)
	}
	b := k.ByteArray()
	switch {
	case k.leaf.isUUID():
		return fmt.Appendf(dst, "%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	case k.leaf.isDecimal() && len(b) > 0:
		return bigEndian(b).Append(dst, 10)
	}
	return append(dst, b...)
}

// bigEndian is an integer in two's complement.
func bigEndian(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

func (k key) text() string { return string(k.appendID(nil)) }

// matches reports whether the value is one of those that a configuration lists.
func (k key) matches(m *schema.Match) bool { return !k.IsNull() && slices.Contains(m.Values, k.text()) }

func (l *leaf) isUnsigned() bool {
	if i, ok := l.element.LogicalType.Value.(*format.IntType); ok {
		return !i.IsSigned
	}
	if l.element.LogicalType.Value != nil || !l.element.ConvertedType.Valid {
		return false
	}
	switch l.element.ConvertedType.V {
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		return true
	}
	return false
}

// instant returns a timestamp; schema.Unknown for a null.
func (k key) instant() schema.Instant {
	if k.IsNull() {
		return schema.Unknown
	}
	if k.Kind() == parquet.Int96 {
		return schema.FromInt96(k.ByteArray())
	}
	if k.leaf.isInteger() {
		return k.unit.Instant(k.integer())
	}
	if t, ok := k.leaf.element.LogicalType.Value.(*format.TimestampType); ok {
		switch t.Unit.Value.(type) {
		case *format.MilliSeconds:
			return schema.FromMillis(k.Int64())
		case *format.MicroSeconds:
			return schema.FromMicros(k.Int64())
		}
		return schema.FromNanos(k.Int64())
	}
	if k.leaf.element.ConvertedType.V == deprecated.TimestampMillis {
		return schema.FromMillis(k.Int64())
	}
	return schema.FromMicros(k.Int64())
}

// integer returns an integer, or the nearest one of 64 bits.
func (k key) integer() int64 {
	n, ok := new(big.Int).SetString(k.text(), 10)
	switch {
	case ok && n.IsInt64():
		return n.Int64()
	case ok && n.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

// referencer makes references to accounts. Not safe for concurrent use.
type referencer struct {
	key *manifests.Key
	mac hash.Hash
}

func (r *referencer) ref(id string) (ref manifests.Ref) {
	if r.mac == nil {
		r.mac = hmac.New(sha256.New, r.key[:])
	}
	r.mac.Reset()
	r.mac.Write([]byte(id))
	copy(ref[:], r.mac.Sum(nil)) // of its 64 hexadecimal digits the first 32
	return ref
}
