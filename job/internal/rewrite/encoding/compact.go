package encoding

// CompactBits appends to dst the bits of src where keep is set. Both must have one
// length.
func CompactBits(dst, src, keep *Bitmap) {}

// CompactLevels appends the levels where keep is set; there must be keep.Len() of
// them.
func CompactLevels(dst, levels []uint8, keep *Bitmap) []uint8 { return dst }

// CompactIndices appends the indices where keep is set; there must be keep.Len()
// of them.
func CompactIndices(dst, indices []int32, keep *Bitmap) []int32 { return dst }

// CompactInts appends the integers where keep is set; there must be keep.Len() of
// them.
func CompactInts(dst, ints []int64, keep *Bitmap) []int64 { return dst }

// CompactBytes appends to dst the values of src where keep is set; there must be
// keep.Len() of them. It panics where dst would exceed 4 GiB.
func CompactBytes(dst, src *Bytes, keep *Bitmap) {}

// Present appends to dst, for each definition level, whether it is maxDef: whether
// the slot has a value.
func Present(dst *Bitmap, defs []uint8, maxDef uint8) {}

// SlotsOfRows appends to dst, for each slot of a repeated column, whether its row
// is kept. A row begins at each repetition level 0; rows has one bit for each such.
// Slots before the first belong to a row that began on an earlier page, and carry
// says whether that one is kept. It is an error if the counts differ.
func SlotsOfRows(dst *Bitmap, reps []uint8, rows *Bitmap, carry bool) error { return ErrCorrupt }

// MarkUsed sets the bits of all indices, which must be below used.Len().
func MarkUsed(used *Bitmap, indices []int32) {}

// Remap replaces each index by its entry of table.
func Remap(indices, table []int32) {}

// Spread puts values, one for each set bit of present, in their slots; the others
// are zero. The values are the last present.Count() of s, which is returned
// extended by the slots without one. So it can work in place after a Decode.
func Spread[T any](s []T, present *Bitmap) []T { return s }

// SpreadEnds is Spread for the Ends of a Bytes: slots without a value are empty.
func SpreadEnds(ends []uint32, present *Bitmap) []uint32 { return ends }
