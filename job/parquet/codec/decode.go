package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// decoders are made when first needed.
type decoders struct {
	zstd   *zstd.Decoder
	gzip   *gzip.Reader
	brotli *brotli.Reader
	lz4    *lz4.Reader
}

var (
	errSize  = errors.New("decompressed size differs from the header's")
	errFrame = errors.New("invalid frame")
)

// decode fills out, of which the capacity past its length may be overwritten.
func (c *Codec) decode(out []byte, id ID, src []byte) error {
	switch id {
	case Uncompressed:
		if len(src) != len(out) {
			return errSize
		}
		copy(out, src)
		return nil
	case Snappy:
		n, err := s2.DecodedLen(src)
		if err != nil {
			return err
		}
		if n != len(out) {
			return errSize
		}
		_, err = s2.Decode(out, src) // it also takes s2's repeated offsets, which snappy has not
		return err
	case Gzip:
		return c.decodeGzip(out, src)
	case Brotli:
		return c.decodeBrotli(out, src)
	case LZ4:
		return c.decodeLZ4(out, src)
	case Zstd:
		return c.decodeZstd(out, src)
	case LZ4Raw:
		return decodeBlock(out, src)
	}
	return ErrUnsupported
}

func (c *Codec) decodeZstd(out, src []byte) error {
	if c.decoders.zstd == nil {
		// WithDecodeAllCapLimit stops at the end of out, whatever the frames say.
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return err
		}
		c.decoders.zstd = d
	}
	got, err := c.decoders.zstd.DecodeAll(src, out[:0])
	if err == nil && len(got) != len(out) {
		err = errSize
	}
	return err
}

func (c *Codec) decodeGzip(out, src []byte) error {
	if c.decoders.gzip == nil {
		c.decoders.gzip = new(gzip.Reader)
	}
	c.src.Reset(src)
	if err := c.decoders.gzip.Reset(&c.src); err != nil {
		return err
	}
	return readExactly(c.decoders.gzip, out)
}

func (c *Codec) decodeBrotli(out, src []byte) error {
	c.src.Reset(src)
	if c.decoders.brotli == nil {
		c.decoders.brotli = new(brotli.Reader)
	}
	if err := c.decoders.brotli.Reset(&c.src); err != nil {
		return err
	}
	return readExactly(c.decoders.brotli, out)
}

// readExactly fills out from r, which must then be at its end.
func readExactly(r io.Reader, out []byte) error {
	n, err := io.ReadFull(r, out)
	if err != nil && (n < len(out) || err != io.EOF) {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return errSize
		}
		return err
	}
	var more [1]byte
	if n, err = io.ReadFull(r, more[:]); n > 0 {
		return errSize
	}
	if err != io.EOF {
		return err
	}
	return nil
}

// decodeBlock decodes a raw LZ4 block.
func decodeBlock(out, src []byte) error {
	if len(out) == 0 {
		// The token of no literals, which ends the block.
		if len(src) == 1 && src[0] == 0 {
			return nil
		}
		return errSize
	}
	n, err := lz4.UncompressBlock(src, out)
	if err == nil && n != len(out) {
		err = errSize
	}
	return err
}

// decodeLZ4 decodes what goes by the name LZ4 in files: what Hadoop's codec writes,
// or else an LZ4 frame or a raw block, as early versions of parquet-cpp and others
// wrote (PARQUET-1241, PARQUET-1878).
func (c *Codec) decodeLZ4(out, src []byte) error {
	if decodeHadoop(out, src) == nil {
		return nil
	}
	if len(src) >= 4 && binary.LittleEndian.Uint32(src) == 0x184D2204 && c.decodeFrame(out, src) == nil {
		return nil
	}
	return decodeBlock(out, src)
}

// decodeHadoop decodes frames of Hadoop's BlockCompressorStream, all big-endian:
//
//	frame = uint32(raw size of the frame) chunk…
//	chunk = uint32(compressed size) LZ4 block
//
// A frame has as many chunks as make up its raw size.
func decodeHadoop(out, src []byte) error {
	for len(src) > 0 {
		size, rest, err := cutUint32(src)
		if err != nil {
			return err
		}
		if size > len(out) {
			return errSize
		}
		if size == 0 && len(out) == 0 {
			return nil // with or without a chunk of nothing
		}
		src = rest
		for frame := out[:size]; len(frame) > 0; {
			n, rest, err := cutUint32(src)
			if err != nil {
				return err
			}
			if n > len(rest) {
				return errFrame
			}
			k, err := lz4.UncompressBlock(rest[:n], frame)
			if err != nil {
				return err
			}
			if k == 0 {
				return errFrame
			}
			frame, src = frame[k:], rest[n:]
		}
		out = out[size:]
	}
	if len(out) > 0 {
		return errSize
	}
	return nil
}

// cutUint32 takes a big-endian number off src.
func cutUint32(src []byte) (int, []byte, error) {
	if len(src) < 4 {
		return 0, nil, errFrame
	}
	n := binary.BigEndian.Uint32(src)
	if n > 1<<31-1 {
		return 0, nil, fmt.Errorf("%w: a size of %d", errFrame, n)
	}
	return int(n), src[4:], nil
}

func (c *Codec) decodeFrame(out, src []byte) error {
	c.src.Reset(src)
	if c.decoders.lz4 == nil {
		c.decoders.lz4 = lz4.NewReader(&c.src) // of one goroutine, its default
	} else {
		c.decoders.lz4.Reset(&c.src)
	}
	return readExactly(c.decoders.lz4, out)
}
