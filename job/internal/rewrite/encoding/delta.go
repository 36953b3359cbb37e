package encoding

// DecodeDelta appends the n integers of a DELTA_BINARY_PACKED section and returns
// how many bytes of src it takes. bits is 32 or 64: arithmetic wraps in that many,
// and results are sign-extended. The section must hold exactly n.
func DecodeDelta(dst []int64, src []byte, bits, n int) ([]int64, int, error) {
	return dst, 0, ErrCorrupt
}

// AppendDelta appends the integers as DELTA_BINARY_PACKED, in blocks of 128 with 4
// miniblocks. bits is 32 or 64, the width of the column's type.
func AppendDelta(dst []byte, values []int64, bits int) []byte { return dst }

// DecodeDeltaLengths appends the n values of a DELTA_LENGTH_BYTE_ARRAY section.
func DecodeDeltaLengths(dst *Bytes, src []byte, n int) error { return ErrCorrupt }

// AppendDeltaLengths appends the values as DELTA_LENGTH_BYTE_ARRAY.
func AppendDeltaLengths(dst []byte, b *Bytes) []byte { return dst }

// DecodeDeltaStrings appends the n values of a DELTA_BYTE_ARRAY section (BYTE_ARRAY
// or FIXED_LEN_BYTE_ARRAY). It stops with ErrTooLarge rather than append more than
// maxBytes to dst.Data: each value may repeat all of its predecessor, so that n
// bytes can stand for the square of that. last is what the first value's prefix
// refers to: empty, but for files of parquet-mr before 1.8 the last value of the
// preceding page (PARQUET-246); it must not be memory of dst.
func DecodeDeltaStrings(dst *Bytes, src []byte, n, maxBytes int, last []byte) error {
	return ErrCorrupt
}

// AppendDeltaStrings appends the values as DELTA_BYTE_ARRAY.
func AppendDeltaStrings(dst []byte, b *Bytes) []byte { return dst }

// DecodeSplit appends, as PLAIN, the n values of width bytes of a BYTE_STREAM_SPLIT
// section, which must be n*width bytes.
func DecodeSplit(dst, src []byte, width, n int) ([]byte, error) { return dst, ErrCorrupt }

// AppendSplit appends the PLAIN values of width bytes as BYTE_STREAM_SPLIT.
// len(values) must be a multiple of width.
func AppendSplit(dst, values []byte, width int) []byte { return dst }
