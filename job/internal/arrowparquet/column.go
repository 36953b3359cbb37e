package arrowparquet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/parquet-go/parquet-go"

	"assent/job/internal/leafwriter"
)

// column shreds one leaf.
type column struct {
	path  string
	steps []step
	index int // of the leaf in the Parquet schema
	leaf  *leafwriter.Leaf

	arrays []arrow.Array             // of the batch at hand, one for each step
	value  func(i int) parquet.Value // value i of the last of them
}

// step is one level of nesting on the way from a field to a leaf.
type step struct {
	kind     stepKind
	nullable bool
	child    int // of a struct: which one
	rep      int // of a list: the repetition level of its second element
}

type stepKind uint8

const (
	leafStep stepKind = iota
	structStep
	listStep // of maps too: a map is a list of struct {key, value}
)

// leavesOf returns the leaves of a field in the order of the Parquet schema.
func leavesOf(f arrow.Field) []*column {
	return appendLeaves(nil, f, f.Name, nil, 0)
}

func appendLeaves(dst []*column, f arrow.Field, path string, above []step, rep int) []*column {
	// Each leaf below gets its own copy of the steps above it.
	below := func(s step) []step { return append(above[:len(above):len(above)], s) }
	switch t := f.Type.(type) {
	case *arrow.StructType:
		for i, child := range t.Fields() {
			s := step{kind: structStep, nullable: f.Nullable, child: i}
			dst = appendLeaves(dst, child, path+"."+child.Name, below(s), rep)
		}
		return dst
	case *arrow.MapType:
		steps := below(step{kind: listStep, nullable: f.Nullable, rep: rep + 1})
		key, value := arrow.Field{Type: t.KeyType()}, t.ItemField()
		dst = appendLeaves(dst, key, path+".key_value.key", append(steps[:len(steps):len(steps)], step{kind: structStep, child: 0}), rep+1)
		return appendLeaves(dst, value, path+".key_value.value", append(steps[:len(steps):len(steps)], step{kind: structStep, child: 1}), rep+1)
	case arrow.ListLikeType:
		steps := below(step{kind: listStep, nullable: f.Nullable, rep: rep + 1})
		return appendLeaves(dst, t.ElemField(), path+".list.element", steps, rep+1)
	}
	steps := below(step{kind: leafStep, nullable: f.Nullable})
	return append(dst, &column{path: path, steps: steps, arrays: make([]arrow.Array, len(steps))})
}

// bind points the column at the field's array in a batch.
func (c *column) bind(a arrow.Array) error {
	for k, s := range c.steps {
		c.arrays[k] = a
		switch s.kind {
		case structStep:
			st, ok := a.(*array.Struct)
			if !ok {
				return fmt.Errorf("array of %s in place of a struct", a.DataType())
			}
			a = st.Field(s.child)
		case listStep:
			list, ok := a.(array.ListLike)
			if !ok {
				return fmt.Errorf("array of %s in place of a list", a.DataType())
			}
			a = list.ListValues()
		}
	}
	if c.value = valuesOf(a); c.value == nil {
		return fmt.Errorf("%s: %w", a.DataType(), ErrUnsupported)
	}
	return nil
}

// write shreds rows [from, to) of the batch.
func (c *column) write(from, to int) error {
	for row := from; row < to; row++ {
		if err := c.shred(0, row, 0, 0); err != nil {
			return err
		}
		if err := c.leaf.EndRow(); err != nil {
			return err
		}
	}
	return c.leaf.EndRun() // the values point into the batch
}

var errRequiredNull = errors.New("null in a required column")

// shred appends what slot i of the array at step k comes to in the leaf, with the
// repetition and definition level that it has so far.
func (c *column) shred(k, i, rep, def int) error {
	s, a := &c.steps[k], c.arrays[k]
	if a.IsNull(i) {
		if !s.nullable {
			return errRequiredNull
		}
		c.append(parquet.Value{}, rep, def)
		return nil
	}
	if s.nullable {
		def++
	}
	switch s.kind {
	case structStep:
		return c.shred(k+1, i, rep, def)
	case listStep:
		from, to := a.(array.ListLike).ValueOffsets(i)
		if from == to {
			c.append(parquet.Value{}, rep, def)
			return nil
		}
		for j := from; j < to; j++ {
			if err := c.shred(k+1, int(j), rep, def+1); err != nil {
				return err
			}
			rep = s.rep
		}
		return nil
	}
	c.append(c.value(i), rep, def)
	return nil
}

func (c *column) append(v parquet.Value, rep, def int) {
	c.leaf.Add(v.Level(rep, def, c.index))
}

const decimalBytes = 16 // of a decimal128 as a FIXED_LEN_BYTE_ARRAY

// valuesOf returns how to read the values of an array, and nil of a type that has no
// counterpart here. The values point into the array's buffers.
func valuesOf(a arrow.Array) func(i int) parquet.Value {
	switch a := a.(type) {
	case *array.Boolean:
		return func(i int) parquet.Value { return parquet.BooleanValue(a.Value(i)) }
	case *array.Int32:
		return int32s(a.Int32Values())
	case *array.Int64:
		return int64s(a.Int64Values())
	case *array.Uint32:
		return int32s(a.Uint32Values())
	case *array.Uint64:
		return int64s(a.Uint64Values())
	case *array.Date32:
		return int32s(a.Date32Values())
	case *array.Time32:
		return int32s(a.Time32Values())
	case *array.Time64:
		return int64s(a.Time64Values())
	case *array.Timestamp:
		return int64s(a.TimestampValues())
	case *array.Float32:
		return func(i int) parquet.Value { return parquet.FloatValue(a.Value(i)) }
	case *array.Float64:
		return func(i int) parquet.Value { return parquet.DoubleValue(a.Value(i)) }
	case *array.FixedSizeBinary:
		return func(i int) parquet.Value { return parquet.FixedLenByteArrayValue(a.Value(i)) }
	case *array.Decimal128:
		return func(i int) parquet.Value {
			n := a.Value(i)
			b := binary.BigEndian.AppendUint64(make([]byte, 0, decimalBytes), uint64(n.HighBits()))
			return parquet.FixedLenByteArrayValue(binary.BigEndian.AppendUint64(b, n.LowBits()))
		}
	case array.BinaryLike: // strings too, of either offset width
		if a.Len() == 0 {
			return func(int) parquet.Value { panic("no values") }
		}
		bytes, start := a.ValueBytes(), a.ValueOffset64(0)
		return func(i int) parquet.Value {
			from := a.ValueOffset64(i) - start
			to := from + int64(a.ValueLen(i))
			return parquet.ByteArrayValue(bytes[from:to:to])
		}
	}
	return nil
}

func int32s[T ~int32 | ~uint32](v []T) func(int) parquet.Value {
	return func(i int) parquet.Value { return parquet.Int32Value(int32(v[i])) }
}

func int64s[T ~int64 | ~uint64](v []T) func(int) parquet.Value {
	return func(i int) parquet.Value { return parquet.Int64Value(int64(v[i])) }
}
