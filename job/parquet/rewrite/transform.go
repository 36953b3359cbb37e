package rewrite

import (
	"encoding/binary"

	"assent/job/parquet"
)

// A Transform changes the values of a column between the two steps "these rows are kept" and "these bytes are written". It
// sees kept values only, and neither nulls nor levels.
//
// A column without a Transform is moved in encoded form, as the package comment says. One with a Transform is decoded: none of
// its pages is copied, its pages become PLAIN, and its bounds, page index and bloom filter are those of the changed values.
type Transform interface {
	// Map appends to dst what becomes of a value, and returns it extended. Both are PLAIN values without a length: of a
	// fixed-width column the result has the same width. It must depend on the value alone and not keep it, and it is called by
	// several goroutines.
	Map(dst, value []byte) []byte
}

// transformed appends what becomes of PLAIN values of a column to dst.
func transformed(t Transform, col *parquet.Column, dst, plain []byte) ([]byte, error) {
	width := col.Width()
	for len(plain) > 0 {
		n, start := width, len(dst)
		if col.Physical == parquet.ByteArray {
			n, plain = int(binary.LittleEndian.Uint32(plain)), plain[4:]
			dst = append(dst, 0, 0, 0, 0)
		}
		from := len(dst)
		dst = t.Map(dst, plain[:n:n])
		plain = plain[n:]
		switch got := len(dst) - from; {
		case len(dst) > parquet.MaxPageBytes:
			return dst, parquet.Unsupportedf("a page of more than %d bytes", parquet.MaxPageBytes)
		case col.Physical == parquet.ByteArray:
			binary.LittleEndian.PutUint32(dst[start:], uint32(got))
		case got != width:
			return dst, parquet.Unsupportedf("a changed value of %d bytes in a column of %d", got, width)
		}
	}
	return dst, nil
}
