package codec

import (
	"encoding/binary"
	"io"
	"slices"

	"github.com/andybalholm/brotli"
	"github.com/andybalholm/brotli/matchfinder"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// encoders are made when first needed.
type encoders struct {
	zstd   *zstd.Encoder
	gzip   *gzip.Writer
	brotli *matchfinder.Writer
	lz4    *lz4.Compressor
}

// sliceWriter appends what is written to it.
type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

func (c *Codec) encode(dst []byte, id ID, src []byte) ([]byte, error) {
	switch id {
	case Uncompressed:
		return append(dst, src...), nil
	case Snappy:
		dst = slices.Grow(dst, s2.MaxEncodedLen(len(src)))
		out := s2.EncodeSnappy(dst[len(dst):cap(dst)], src)
		return dst[:len(dst)+len(out)], nil
	case Gzip:
		if c.encoders.gzip == nil {
			// Level 5 comes within 4 % of the size of zlib's 6, which other writers use.
			w, err := gzip.NewWriterLevel(nil, 5)
			if err != nil {
				return nil, err
			}
			c.encoders.gzip = w
		}
		c.encoders.gzip.Reset(&c.out)
		return c.stream(dst, c.encoders.gzip, src)
	case Brotli:
		if c.encoders.brotli == nil {
			// Level 4 of V2 comes within 5 % of the size of the reference's 8, Arrow's default,
			// at three times its speed.
			c.encoders.brotli = brotli.NewWriterV2(nil, 4)
		}
		c.encoders.brotli.Reset(&c.out)
		return c.stream(dst, c.encoders.brotli, src)
	case LZ4:
		if len(src) == 0 {
			return append(dst, 0, 0, 0, 0), nil // a frame of no chunks
		}
		at := len(dst)
		dst = append(dst, make([]byte, 8)...)
		dst, err := c.encodeBlock(dst, src)
		if err != nil {
			return nil, err
		}
		binary.BigEndian.PutUint32(dst[at:], uint32(len(src)))
		binary.BigEndian.PutUint32(dst[at+4:], uint32(len(dst)-at-8))
		return dst, nil
	case Zstd:
		return c.encodeZstd(dst, src)
	case LZ4Raw:
		return c.encodeBlock(dst, src)
	}
	return nil, ErrUnsupported
}

// Room returns for how many bytes Compress makes room before it compresses n: 0 where it makes none.
func (id ID) Room(n int) int {
	switch id {
	case Snappy:
		return s2.MaxEncodedLen(n)
	case LZ4, LZ4Raw:
		return 8 + lz4.CompressBlockBound(n)
	}
	return 0
}

// encodeZstd writes one frame. The level is the quickest whose files stay within 5 % of
// what libzstd makes at level 3: of chat text, SpeedDefault makes 1.5 % more bytes than
// that, SpeedFastest 10 % more, in 0.7 of the time.
func (c *Codec) encodeZstd(dst, src []byte) ([]byte, error) {
	if c.encoders.zstd == nil {
		// Pages have a checksum of their own. Those of long texts are of 3 to 4 MiB: a window of 2 takes 0.6 % less for them than one of 1,
		// and one of 4 hardly less than that.
		level, window := zstd.SpeedDefault, 2<<20
		if c.Fast {
			level, window = zstd.SpeedFastest, 1<<20 // pages are smaller, and an encoder takes twice its window
		}
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
			zstd.WithZeroFrames(true), zstd.WithAllLitEntropyCompression(c.Fast), zstd.WithWindowSize(window))
		if err != nil {
			return dst, err
		}
		c.encoders.zstd = e
	}
	return c.encoders.zstd.EncodeAll(src, dst), nil
}

// stream writes src through w, which writes to c.out.
func (c *Codec) stream(dst []byte, w io.WriteCloser, src []byte) ([]byte, error) {
	c.out.b = dst
	defer func() { c.out.b = nil }()
	if _, err := w.Write(src); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return c.out.b, nil
}

// encodeBlock appends a raw LZ4 block.
func (c *Codec) encodeBlock(dst, src []byte) ([]byte, error) {
	if len(src) == 0 {
		return append(dst, 0), nil // the token of no literals
	}
	if c.encoders.lz4 == nil {
		c.encoders.lz4 = new(lz4.Compressor)
	}
	bound := lz4.CompressBlockBound(len(src))
	dst = slices.Grow(dst, bound)
	n, err := c.encoders.lz4.CompressBlock(src, dst[len(dst):len(dst)+bound])
	return dst[:len(dst)+n], err
}
