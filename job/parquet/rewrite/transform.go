package rewrite

import (
	"encoding/binary"

	"assent/job/parquet"
)

// A Transform changes the values of a column between the two steps "these rows are kept" and "these bytes are written". It
// sees kept values only, and neither nulls nor levels.
//
// A column without a Transform is moved in encoded form, as the package comment says. One with a Transform is decoded: none of
// its pages is copied, and its bounds, page index and bloom filter are those of the changed values. Its dictionary-coded pages
// stay so, with another dictionary: each used entry is mapped once, equal results become one, and they are sorted, so that nothing
// is left of the input's order of entries. All other pages become PLAIN.
type Transform struct {
	// Text says that the results are text. The column becomes a BYTE_ARRAY of the logical type STRING, whatever it was.
	Text bool
	// New returns what maps the values of one column chunk. It is called by several goroutines.
	New func() Mapper
}

// A Mapper appends to dst what becomes of a value, and returns it extended. Both are PLAIN values without a length; in a column of
// a fixed width that does not become text the result has the same width. The result must depend on the value alone. The value is
// not kept. n is how many kept values the call stands for, at least 1: all those of a dictionary entry are mapped by one call.
// A Mapper is used by one goroutine.
type Mapper func(dst, value []byte, n int) []byte

// textColumn returns the column that one becomes whose values become text.
func textColumn(c *parquet.Column) *parquet.Column {
	out := *c
	out.Physical, out.TypeLength, out.Logical, out.Order = parquet.ByteArray, 0, parquet.Logical{Kind: parquet.String}, parquet.OrderBytes
	return &out
}

// mapPlain appends what becomes of PLAIN values of column in to dst, as PLAIN values of column out.
func mapPlain(m Mapper, in, out *parquet.Column, dst, plain []byte) ([]byte, error) {
	width := in.Width()
	for len(plain) > 0 {
		n := width
		if in.Physical == parquet.ByteArray {
			n, plain = int(binary.LittleEndian.Uint32(plain)), plain[4:]
		}
		var err error
		if dst, err = mapValue(m, out, dst, plain[:n:n], 1); err != nil {
			return dst, err
		}
		plain = plain[n:]
	}
	return dst, nil
}

// mapValue appends what becomes of one value to dst, as a PLAIN value of column out.
func mapValue(m Mapper, out *parquet.Column, dst, value []byte, n int) ([]byte, error) {
	start := len(dst)
	if out.Physical == parquet.ByteArray {
		dst = append(dst, 0, 0, 0, 0)
	}
	from := len(dst)
	dst = m(dst, value, n)
	switch got := len(dst) - from; {
	case len(dst) > parquet.MaxPageBytes:
		return dst, parquet.Unsupportedf("a page of more than %d bytes", parquet.MaxPageBytes)
	case out.Physical == parquet.ByteArray:
		binary.LittleEndian.PutUint32(dst[start:], uint32(got))
	case got != out.Width():
		return dst, parquet.Unsupportedf("a changed value of %d bytes in a column of %d", got, out.Width())
	}
	return dst, nil
}

// addPlain adds PLAIN values of a column to bounds.
func addPlain(b *parquet.Bounds, col *parquet.Column, plain []byte) {
	if col.Physical == parquet.ByteArray {
		b.AddByteArrays(col, plain)
	} else {
		b.AddFixed(col, plain)
	}
}
