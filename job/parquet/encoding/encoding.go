// Package encoding decodes, filters and encodes the sections of Parquet data
// pages: levels, dictionary indices and values. It works on byte slices alone:
// no I/O, no goroutines, no state, and no allocation once the slices that the
// caller lends have grown to a page's size.
//
// Its words:
//
//   - A slot is one entry of a column: a value, a null, or an empty list. Each
//     has a definition level and, in repeated columns, a repetition level.
//   - A value is present in the slots whose definition level is the maximum;
//     only those are in the values section.
//   - A Bitmap says, for each row, slot or value, whether it is kept (or present,
//     or true: booleans are bitmaps too).
//   - Compacting is keeping the entries whose bit is set; spreading is its
//     inverse.
//   - The hybrid is the RLE/bit-packing hybrid encoding.
//   - PLAIN, the hybrid, DELTA_* and BYTE_STREAM_SPLIT are those of the Parquet
//     format's Encodings.md.
//
// From rows to kept values takes four steps. A Bitmap of the page's rows is cut
// from the selection of the row group (Bitmap.AppendRange). In a repeated column
// it is turned into one of slots (SlotsOfRows). Present says which slots have a
// value. Compacting the levels by the slots gives the levels to write, and
// compacting the slots by Present gives the values to keep. Where the maximum
// definition level is 1 the levels themselves are a Bitmap (DecodeLevelBits),
// which is 64 slots a step.
//
// All input is taken to come from outside. Every length and index is checked; a
// fault is an error that wraps ErrCorrupt, or ErrTooLarge where the decoded form
// would exceed the limit that the caller set. After an error the slices returned
// hold unspecified content.
//
// Functions named Append… and Decode… append to their first argument and return
// it extended, so results of several pages can be gathered; arguments must not
// overlap.
package encoding

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt marks bytes that break the rules of their encoding.
	ErrCorrupt = errors.New("corrupt encoding")
	// ErrTooLarge marks data whose decoded form exceeds the limit of the caller.
	ErrTooLarge = errors.New("decoded data exceeds its limit")
)

// Bytes is a sequence of byte strings: value i ends at Ends[i] in Data and begins
// where its predecessor ends. So Data is at most 4 GiB.
type Bytes struct {
	Data []byte
	Ends []uint32
}

// Len returns the number of values.
func (b *Bytes) Len() int { return len(b.Ends) }

// At returns value i, which shares the memory of Data.
func (b *Bytes) At(i int) []byte {
	var lo uint32
	if i > 0 {
		lo = b.Ends[i-1]
	}
	return b.Data[lo:b.Ends[i]:b.Ends[i]]
}

// Reset empties b and keeps its memory.
func (b *Bytes) Reset() {
	b.Data, b.Ends = b.Data[:0], b.Ends[:0]
}

// room returns ErrTooLarge where n more bytes would exceed what Ends can hold.
func (b *Bytes) room(n int) error {
	if uint64(len(b.Data))+uint64(n) > 1<<32-1 {
		return fmt.Errorf("%w: more than 4 GiB of values", ErrTooLarge)
	}
	return nil
}
