package encoding

// DecodeLevels appends the n levels, none above maxLevel, that the hybrid at the
// start of src holds, and returns how many bytes of src that took. Bytes that
// follow the n levels are left alone, and so is the padding of a last bit-packed
// group. The 4-byte length of a V1 section is the caller's. Where maxLevel is 0
// there is nothing to read: n zeros, no bytes.
func DecodeLevels(dst []uint8, src []byte, maxLevel uint8, n int) ([]uint8, int, error) {
	return dst, 0, ErrCorrupt
}

// DecodeLevelBits is DecodeLevels for a maxLevel of 1, into bits: set is 1. It
// also decodes RLE booleans, whose 4-byte length is the caller's too.
func DecodeLevelBits(dst *Bitmap, src []byte, n int) (int, error) { return 0, ErrCorrupt }

// DecodeLegacyLevels appends the n levels, none above maxLevel, of a section in
// the deprecated BIT_PACKED encoding (most significant bit first, no length), and
// returns how many bytes of src that took.
func DecodeLegacyLevels(dst []uint8, src []byte, maxLevel uint8, n int) ([]uint8, int, error) {
	return dst, 0, ErrCorrupt
}

// AppendLevels appends levels, none above maxLevel, as a hybrid. Where maxLevel
// is 0 it appends nothing. The 4-byte length of a V1 section is the caller's:
//
//	at := len(dst)
//	dst = append(dst, 0, 0, 0, 0)
//	dst = AppendLevels(dst, levels, maxLevel)
//	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
func AppendLevels(dst []byte, levels []uint8, maxLevel uint8) []byte { return dst }

// AppendLevelBits is AppendLevels for a maxLevel of 1, from bits. It also encodes
// RLE booleans, whose 4-byte length is the caller's too.
func AppendLevelBits(dst []byte, levels *Bitmap) []byte { return dst }

// DecodeIndices appends the n dictionary indices of a values section: one byte of
// bit width, then a hybrid. An index that is not below dictLen is an error. Bytes
// after the last index are left alone. A section of no indices may be empty.
func DecodeIndices(dst []int32, src []byte, n, dictLen int) ([]int32, error) {
	return dst, ErrCorrupt
}

// FilterIndices is DecodeIndices for the keep.Len() indices of src, followed by
// CompactIndices by keep: the indices of the kept values. All are checked.
func FilterIndices(dst []int32, src []byte, keep *Bitmap, dictLen int) ([]int32, error) {
	return dst, ErrCorrupt
}

// AppendIndices appends a values section of dictionary indices, all below
// dictLen: one byte of bit width, the smallest for dictLen, then a hybrid.
func AppendIndices(dst []byte, indices []int32, dictLen int) []byte { return dst }
