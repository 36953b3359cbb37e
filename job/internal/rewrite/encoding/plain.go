package encoding

// DecodeBools appends the n PLAIN booleans of src.
func DecodeBools(dst *Bitmap, src []byte, n int) error { return ErrCorrupt }

// AppendBools appends PLAIN booleans. (Several pages' worth are gathered as a
// Bitmap first: a byte holds eight.)
func AppendBools(dst []byte, b *Bitmap) []byte { return dst }

// DecodeInt32s appends the n PLAIN INT32 of src, sign-extended.
func DecodeInt32s(dst []int64, src []byte, n int) ([]int64, error) { return dst, ErrCorrupt }

// DecodeInt64s appends the n PLAIN INT64 of src.
func DecodeInt64s(dst []int64, src []byte, n int) ([]int64, error) { return dst, ErrCorrupt }

// DecodeFixed appends the n values of width bytes of src.
func DecodeFixed(dst *Bytes, src []byte, width, n int) error { return ErrCorrupt }

// DecodeByteArrays appends the n PLAIN BYTE_ARRAY values of src and returns how
// many bytes of src they take. Their bytes are fewer than src's, so there is no
// limit but that of Bytes.
func DecodeByteArrays(dst *Bytes, src []byte, n int) (int, error) { return 0, ErrCorrupt }

// AppendByteArrays appends the values as PLAIN BYTE_ARRAY.
func AppendByteArrays(dst []byte, b *Bytes) []byte { return dst }

// ScanByteArrays appends the offset in src at which each of the first n PLAIN
// BYTE_ARRAY values ends. Each begins 4 bytes, its length, after the end of its
// predecessor.
func ScanByteArrays(ends []uint32, src []byte, n int) ([]uint32, error) { return ends, ErrCorrupt }

// FilterFixed appends the kept ones of the keep.Len() PLAIN values of width bytes
// of src (INT32, INT64, INT96, FLOAT, DOUBLE, FIXED_LEN_BYTE_ARRAY). Bytes that
// follow them are left alone.
func FilterFixed(dst, src []byte, width int, keep *Bitmap) ([]byte, error) { return dst, ErrCorrupt }

// FilterByteArrays appends the kept ones of the keep.Len() PLAIN BYTE_ARRAY values
// of src, with their lengths. Bytes that follow them are left alone. At most
// len(src) bytes are appended.
func FilterByteArrays(dst, src []byte, keep *Bitmap) ([]byte, error) { return dst, ErrCorrupt }
