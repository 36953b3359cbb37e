package table

import (
	"encoding/binary"

	"github.com/klauspost/compress/huff0"

	"assent/job/parquet"
	"assent/job/parquet/codec"
)

// Record ids differ from their neighbours in digits that nothing foretells. In what DELTA_BYTE_ARRAY leaves of them a compressor looks for
// repeats in vain, and takes several times as long as coding the bytes by how often each occurs. So a page of such a column is a zstd
// frame of literals alone, if a sample of it comes out no larger.
//
// Numbers of sections are those of RFC 8878.
//
//	frame header   3.1.1.1   magic, window 128 KiB, content size
//	blocks         3.1.1.2   raw, or compressed:
//	  literals     3.1.1.3.1 header of 5 bytes, table and four streams, all of the block
//	  sequences    3.1.1.3.2 none
const (
	literalBlock  = 128 << 10
	literalSample = 8 << 10
	fourStreams   = 2 | 3<<2 // compressed, sizes of 18 bits
)

// literals makes frames of literals alone. The zero value is ready.
type literals struct {
	huff   huff0.Scratch
	frames [2][]byte // of samples
}

// appendFrame appends a frame of src.
func (l *literals) appendFrame(dst, src []byte) []byte {
	dst = append(dst, 0x28, 0xb5, 0x2f, 0xfd, 2<<6, 7<<3)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(src)))
	for {
		block := src[:min(len(src), literalBlock)]
		src = src[len(block):]
		flags := 0
		if len(src) == 0 {
			flags = last
		}
		dst = l.appendBlock(dst, block, flags)
		if flags == last {
			return dst
		}
	}
}

func (l *literals) appendBlock(dst, block []byte, flags int) []byte {
	const header, sequences = 5, 1
	l.huff.Reuse = huff0.ReusePolicyNone
	coded, _, err := huff0.Compress4X(block, &l.huff)
	size := header + len(coded) + sequences
	if err != nil || size >= len(block) { // nothing is gained, or all bytes are the same
		return append(appendBlockHeader(dst, rawBlock|flags, len(block)), block...)
	}
	dst = appendBlockHeader(dst, compressed|flags, size)
	sizes := fourStreams | uint64(len(block))<<4 | uint64(len(coded))<<22
	dst = append(binary.LittleEndian.AppendUint32(dst, uint32(sizes)), byte(sizes>>32))
	return append(append(dst, coded...), 0)
}

// better reports whether the end of a page comes out no larger as literals than by c, but for the headers of a frame.
func (l *literals) better(c *codec.Codec, raw []byte) (bool, error) {
	sample := raw[max(0, len(raw)-literalSample):]
	var err error
	if l.frames[0], err = c.Compress(l.frames[0][:0], codec.Zstd, sample); err != nil {
		return false, err
	}
	l.frames[1] = l.appendFrame(l.frames[1][:0], sample)
	const headers = 24
	return len(l.frames[1]) <= len(l.frames[0])+headers, nil
}

// encode makes w.page of a page of the column, whose header is h.
func (c *Chunk) encode(h *parquet.PageHeader) error {
	w := c.w
	if c.codec == codec.Zstd && c.w.schema.fields[c.leaf].Literal && len(w.raw) > 2*literalSample {
		var better bool
		err := withCodec(func(k *codec.Codec) (err error) {
			better, err = w.literals.better(k, w.raw)
			return err
		})
		if err != nil {
			return err
		}
		if better {
			w.page.Body = w.literals.appendFrame(w.page.Body[:0], w.raw)
			h.RawSize, h.Compressed = len(w.raw), true
			return w.page.Finish(h)
		}
	}
	return withCodec(func(k *codec.Codec) error { return w.page.Encode(k, c.codec, h, w.raw) })
}
