package verify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// decompress appends the size bytes that a page's body holds to dst. The bytes are those
// of a file that a run has read or written, so their memory is not bounded here.
func decompress(dst []byte, codec format.CompressionCodec, body []byte, size int) ([]byte, error) {
	var plain []byte
	var err error
	switch {
	case len(body) == 0 && size == 0: // some writers leave an empty section empty
	case codec == format.Lz4Raw:
		plain, err = lz4Block(body, size)
	case codec == format.Lz4:
		plain, err = lz4Legacy(body, size)
	case codec == format.Uncompressed:
		plain = body
	default:
		plain, err = parquet.LookupCompressionCodec(codec).Decode(dst[len(dst):], body)
	}
	if err == nil && len(plain) != size {
		err = fmt.Errorf("%d bytes, its header says %d", len(plain), size)
	}
	if err != nil {
		return nil, fmt.Errorf("codec %s: %w", codec, err)
	}
	if len(dst) == 0 && codec != format.Uncompressed {
		return plain, nil
	}
	return append(dst, plain...), nil
}

// maxLZ4 is how many bytes a byte of LZ4 can stand for.
const maxLZ4 = 255

func lz4Block(body []byte, size int) ([]byte, error) {
	if size/maxLZ4 > len(body) {
		return nil, io.ErrUnexpectedEOF
	}
	out := make([]byte, size)
	n, err := lz4.UncompressBlock(body, out)
	return out[:max(n, 0)], err
}

// lz4Legacy reads what goes by the name LZ4: Hadoop's blocks, or else a frame or a bare
// block, as early writers left them.
func lz4Legacy(body []byte, size int) ([]byte, error) {
	if out, err := lz4Hadoop(body, size); err == nil {
		return out, nil
	}
	if out, err := io.ReadAll(io.LimitReader(lz4.NewReader(bytes.NewReader(body)), int64(size)+1)); err == nil && len(out) == size {
		return out, nil
	}
	return lz4Block(body, size)
}

// lz4Hadoop reads frames, each of its raw size and of blocks that make up as much; a
// block has its compressed size before it. Sizes are big-endian, in 4 bytes.
func lz4Hadoop(body []byte, size int) (out []byte, err error) {
	cut := func() (n int) {
		if len(body) < 4 {
			err = io.ErrUnexpectedEOF
			return 0
		}
		n, body = int(binary.BigEndian.Uint32(body)), body[4:]
		return n
	}
	for len(body) > 0 && err == nil {
		end := len(out) + cut()
		if end > size {
			return nil, errors.New("a frame is larger than the page")
		}
		for len(out) < end && err == nil {
			n := cut()
			if n > len(body) {
				return nil, io.ErrUnexpectedEOF
			}
			raw := make([]byte, end-len(out))
			k, blockErr := lz4.UncompressBlock(body[:n], raw)
			if blockErr != nil || k == 0 {
				return nil, errors.New("a block is malformed")
			}
			out, body = append(out, raw[:k]...), body[n:]
		}
	}
	if len(out) != size {
		return nil, io.ErrUnexpectedEOF
	}
	return out, err
}
