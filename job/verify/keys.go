package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// Keys as the audit reads them: from the values of an ordinary reader, one by one.

// keyReader reads one key column: ids, instants or plain values.
type keyReader struct {
	*cursor
	leaf *leaf
}

// key opens a column that the planner has bound. A negative number gives nil: an
// optional column that the file lacks.
func (f *ordinary) key(c source.KeyColumn) *keyReader {
	if c.Leaf < 0 {
		return nil
	}
	return &keyReader{f.cursor(c.Leaf), &f.leaves[c.Leaf]}
}

// one returns the next row of a column that is no list.
func (k *keyReader) one() (parquet.Value, error) {
	if k == nil {
		return parquet.Value{}, nil
	}
	return k.take()
}

// elements returns the next row's elements, nulls among them. A list that is null or
// empty has none.
func (k *keyReader) elements() ([]parquet.Value, error) {
	row, err := k.row()
	if err != nil {
		return nil, err
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

// canonical appends the canonical text of an id (semantics.md, "Consent timelines");
// nothing for a null.
func (l *leaf) canonical(dst []byte, v parquet.Value) []byte {
	if v.IsNull() {
		return dst
	}
	switch v.Kind() {
	case parquet.Boolean: // a switch's state
		return strconv.AppendBool(dst, v.Boolean())
	case parquet.Int32:
		if l.unsigned() {
			return strconv.AppendUint(dst, uint64(v.Uint32()), 10)
		}
		return strconv.AppendInt(dst, int64(v.Int32()), 10)
	case parquet.Int64:
		if l.unsigned() {
			return strconv.AppendUint(dst, v.Uint64(), 10)
		}
		return strconv.AppendInt(dst, v.Int64(), 10)
	}
	b := v.ByteArray()
	if _, uuid := l.element.LogicalType.Value.(*format.UUIDType); uuid && len(b) == 16 {
		return fmt.Appendf(dst, "%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	}
	return append(dst, b...)
}

func (l *leaf) unsigned() bool {
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
func (l *leaf) instant(v parquet.Value) schema.Instant {
	if v.IsNull() {
		return schema.Unknown
	}
	if parquet.Kind(l.element.Type.V) == parquet.Int96 {
		return schema.FromInt96(v.ByteArray())
	}
	if t, ok := l.element.LogicalType.Value.(*format.TimestampType); ok {
		switch t.Unit.Value.(type) {
		case *format.MilliSeconds:
			return schema.FromMillis(v.Int64())
		case *format.MicroSeconds:
			return schema.FromMicros(v.Int64())
		}
		return schema.FromNanos(v.Int64())
	}
	if l.element.ConvertedType.Valid && l.element.ConvertedType.V == deprecated.TimestampMillis {
		return schema.FromMillis(v.Int64())
	}
	return schema.FromMicros(v.Int64())
}

// referencer makes references to accounts (contract.md, "Output"). Not safe for
// concurrent use.
type referencer struct {
	key *manifests.Key
	mac hash.Hash
}

func (r *referencer) ref(id schema.AccountID) (ref manifests.Ref) {
	if r.mac == nil {
		r.mac = hmac.New(sha256.New, r.key[:])
	}
	r.mac.Reset()
	r.mac.Write([]byte(string(id)))
	copy(ref[:], r.mac.Sum(nil)) // of its 64 hexadecimal digits the first 32
	return ref
}
