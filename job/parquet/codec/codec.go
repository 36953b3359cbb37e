// Package codec compresses and decompresses the pages of Parquet files.
//
// A codec is named by its number in the Parquet thrift definition
// (CompressionCodec). A page body is always handled whole: the page header says
// how long the body is raw, and that is what Decompress must yield, neither more
// nor less. The bytes come from outside: whatever they hold, the answer is those
// bytes or an error, in memory bounded by the raw length asked for.
package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// ID is a codec by its number in the Parquet format (CompressionCodec).
type ID int32

// The codecs of the Parquet format.
const (
	Uncompressed ID = 0
	Snappy       ID = 1 // raw snappy block, no framing
	Gzip         ID = 2 // RFC 1952, possibly several members
	LZO          ID = 3 // refused
	Brotli       ID = 4 // RFC 7932
	LZ4          ID = 5 // deprecated: Hadoop's framing, though some writers left raw blocks or LZ4 frames
	Zstd         ID = 6 // RFC 8478
	LZ4Raw       ID = 7 // LZ4 block, no framing
)

var (
	// ErrCorrupt marks bytes that are not what their codec or their header says.
	ErrCorrupt = errors.New("corrupt compressed data")
	// ErrUnsupported marks a codec that this package does not handle: LZO, and
	// numbers that the format does not define.
	ErrUnsupported = errors.New("unsupported codec")
)

var names = [...]string{"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"}

// String returns the name of the codec in the Parquet format.
func (id ID) String() string {
	if id >= 0 && int(id) < len(names) {
		return names[id]
	}
	return "codec " + strconv.Itoa(int(id))
}

// Supported reports whether a Codec can read and write id.
func (id ID) Supported() bool {
	return id >= Uncompressed && id <= LZ4Raw && id != LZO
}

// A Codec compresses and decompresses with any of the codecs. It holds their
// encoders and decoders, made when first needed and reused from then on (some
// MB in all), so each worker keeps one. The zero value is ready. A Codec
// must not be used by two goroutines at a time; it owns no goroutine and needs no
// closing, so it may live in a sync.Pool.
type Codec struct {
	Fast bool // zstd compresses at its quickest level: for files that are read seldom

	decoders
	encoders
	src bytes.Reader // what a decoder of streams reads
	out sliceWriter  // what an encoder of streams writes
}

// slack is how much room past the end lets decoders copy in whole words.
const slack = 32

// heldOn is the size in bytes from which decoders are not used again: they hold on to the last block that they read, and so to the whole
// memory that it lies in.
const heldOn = 4 << 20

// Decompress appends to dst the rawSize bytes that src holds and returns the
// extended slice; src and dst must not overlap. Pass dst[:0] to reuse a buffer: it
// grows once, by a little more than rawSize. An Uncompressed body is copied.
//
// Anything other than exactly rawSize bytes is an error, which wraps ErrCorrupt or
// ErrUnsupported. The memory taken is bounded by rawSize whatever src claims
// (Brotli and LZ4 frames: and a window of at most 16 MiB), and none is taken where
// the codec cannot possibly make rawSize bytes of so short a src. On an error dst
// is returned as it was, though bytes beyond its length may have been overwritten.
func (c *Codec) Decompress(dst []byte, id ID, src []byte, rawSize int) (_ []byte, err error) {
	if !id.Supported() {
		return dst, fmt.Errorf("%s: %w", id, ErrUnsupported)
	}
	if rawSize < 0 || !id.Plausible(len(src), rawSize) {
		return dst, fmt.Errorf("%s: %w: %d bytes cannot hold %d", id, ErrCorrupt, len(src), rawSize)
	}
	if len(src) == 0 && rawSize == 0 {
		return dst, nil // writers leave an empty section empty
	}
	if cap(dst)-len(dst) < rawSize {
		dst = slices.Grow(dst, rawSize+slack)
	}
	at := len(dst)
	out := dst[at : at+rawSize : min(cap(dst), at+rawSize+slack)]
	defer func() {
		if p := recover(); p != nil {
			// A decoder's own check gave way. What it left behind is not to be trusted.
			c.decoders = decoders{}
			err = fmt.Errorf("%s: %w: decoder failed: %v", id, ErrCorrupt, p)
		}
	}()
	err = c.decode(out, id, src)
	c.src.Reset(nil)
	if len(src) > heldOn {
		c.decoders = decoders{}
	}
	if err != nil {
		return dst, fmt.Errorf("%s: %w: %w", id, ErrCorrupt, err)
	}
	return dst[:at+rawSize], nil
}

// Plausible reports whether size bytes can decompress to rawSize: it keeps a claim from costing more memory than the bytes could
// fill. The bound is, for each codec, the most bytes that an element of the format yields over the fewest that it takes.
func (id ID) Plausible(size, rawSize int) bool {
	// The most that one byte can stand for.
	ratio := 1
	switch id {
	case Snappy:
		ratio = 22 // a copy of 64 bytes takes 3
	case LZ4, LZ4Raw:
		ratio = 255 // each byte of a length adds 255
	case Gzip:
		ratio = 1032 // a copy of 258 bytes takes 2 bits
	case Zstd:
		ratio = 1 << 15 // a block of 128 KiB takes 4 bytes
	case Brotli:
		ratio = 1 << 24 // a copy can be 16 MiB long
	}
	return rawSize/ratio <= size
}

// Compress appends src, compressed, to dst and returns the extended slice; src and
// dst must not overlap. The output depends on id, src and Fast alone. An error wraps
// ErrUnsupported: the codec is, or src is 2 GiB or more, which no page can be.
func (c *Codec) Compress(dst []byte, id ID, src []byte) ([]byte, error) {
	if !id.Supported() {
		return dst, fmt.Errorf("%s: %w", id, ErrUnsupported)
	}
	if len(src) > math.MaxInt32 {
		return dst, fmt.Errorf("%s: %w: a page of %d bytes", id, ErrUnsupported, len(src))
	}
	out, err := c.encode(dst, id, src)
	if err != nil {
		return dst, fmt.Errorf("%s: %w", id, err)
	}
	return out, nil
}
