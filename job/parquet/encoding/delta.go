package encoding

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// A deltaReader reads a DELTA_BINARY_PACKED section:
//
//	section = varint(values in a block) varint(miniblocks in a block) varint(values)
//	          zigzag(first value) block…
//	block   = zigzag(least delta) one byte of bit width for each miniblock, miniblock…
//	miniblock = its deltas less the least, each in the bit width
//
// The last block has the bit widths of all its miniblocks, but only those that hold
// values follow; the last of these is padded.
type deltaReader struct {
	src   []byte
	pos   int
	bits  int // 32 or 64
	left  int // values still to come
	first bool

	mini   int    // values in a miniblock, a multiple of 32
	minis  int    // miniblocks in a block
	widths []byte // of the miniblocks of this block still to come
	value  uint64 // the last one
	least  uint64

	packed []byte // the rest of this miniblock
	inMini int    // values that packed stands for
	width  int
}

func errDelta(what string) error {
	return fmt.Errorf("%w: delta encoding: %s", ErrCorrupt, what)
}

// open reads the header of a section of n values. An empty section has none.
func (r *deltaReader) open(src []byte, width, n int) error {
	if err := r.header(src, width); err != nil || r.left == n {
		return err
	}
	return errDelta(fmt.Sprintf("%d values where %d are to be", r.left, n))
}

// header reads the header of a section: left is then how many values it says that it has.
func (r *deltaReader) header(src []byte, width int) error {
	*r = deltaReader{src: src, bits: width, first: true}
	if len(src) == 0 {
		return nil
	}
	block, err := r.uvarint()
	if err != nil {
		return err
	}
	minis, err := r.uvarint()
	if err != nil {
		return err
	}
	total, err := r.uvarint()
	if err != nil {
		return err
	}
	if r.value, err = r.zigzag(); err != nil {
		return err
	}
	if block == 0 || block > 1<<24 || block%128 != 0 {
		return errDelta(fmt.Sprintf("blocks of %d values", block))
	}
	if minis == 0 || minis > block || block%minis != 0 || block/minis%32 != 0 {
		return errDelta(fmt.Sprintf("%d miniblocks in a block of %d values", minis, block))
	}
	if total > math.MaxInt32 {
		return errDelta(fmt.Sprintf("%d values", total))
	}
	r.mini, r.minis, r.left = int(block/minis), int(minis), int(total)
	return nil
}

func (r *deltaReader) uvarint() (uint64, error) {
	v, k := binary.Uvarint(r.src[r.pos:])
	if k <= 0 {
		return 0, errDelta("cut short")
	}
	r.pos += k
	return v, nil
}

func (r *deltaReader) zigzag() (uint64, error) {
	v, err := r.uvarint()
	return v>>1 ^ -(v & 1), err
}

// advance goes to the next miniblock and sets packed, inMini and width.
func (r *deltaReader) advance() error {
	if len(r.widths) == 0 {
		var err error
		if r.least, err = r.zigzag(); err != nil {
			return err
		}
		if len(r.src)-r.pos < r.minis {
			return errDelta("cut short")
		}
		r.widths = r.src[r.pos : r.pos+r.minis]
		r.pos += r.minis
	}
	r.width = int(r.widths[0])
	r.widths = r.widths[1:]
	if r.width > 64 { // some writers take 33 for INT32; the result wraps all the same
		return errDelta(fmt.Sprintf("deltas of %d bits", r.width))
	}
	r.inMini = min(r.mini, r.left)
	// Some writers leave out the padding of the last miniblock.
	rest := len(r.src) - r.pos
	if (r.inMini*r.width+7)/8 > rest {
		return errDelta("cut short")
	}
	size := min(r.mini/8*r.width, rest)
	r.packed = r.src[r.pos : r.pos+size]
	r.pos += size
	return nil
}

// next returns the next values, at most 32, in buf; none at the end.
func (r *deltaReader) next(buf *[32]int64) ([]int64, error) {
	if r.left == 0 {
		return nil, nil
	}
	if r.first {
		r.first = false
		r.left--
		buf[0] = r.signed(r.value)
		return buf[:1], nil
	}
	if r.inMini == 0 {
		if err := r.advance(); err != nil {
			return nil, err
		}
	}
	n := min(32, r.inMini)
	var in [32*8 + 8]byte
	r.packed = r.packed[copy(in[:4*r.width], r.packed):]
	r.inMini -= n
	r.left -= n
	out := buf[:n]
	value := r.value
	if r.width <= 56 {
		w, mask := uint(r.width), uint64(1)<<uint(r.width)-1
		for i := range out {
			bit := uint(i) * w
			value += r.least + le64(in[bit>>3:])>>(bit&7)&mask
			out[i] = int64(value)
		}
	} else {
		w, mask := uint(r.width), ^uint64(0)>>uint(64-r.width)
		for i := range out {
			bit := uint(i) * w
			at, s := bit>>3, bit&7
			value += r.least + (le64(in[at:])>>s|uint64(in[at+8])<<(64-s))&mask
			out[i] = int64(value)
		}
	}
	r.value = value
	if r.bits == 32 {
		for i, v := range out {
			out[i] = int64(int32(v))
		}
	}
	return out, nil
}

func (r *deltaReader) signed(v uint64) int64 {
	if r.bits == 32 {
		return int64(int32(v))
	}
	return int64(v)
}

// skip goes to the end of the section.
func (r *deltaReader) skip() error {
	if r.first && r.left > 0 {
		r.first = false
		r.left--
	}
	for r.left > 0 {
		if r.inMini == 0 {
			if err := r.advance(); err != nil {
				return err
			}
		}
		r.left -= r.inMini
		r.inMini = 0
	}
	return nil
}

// DecodeDelta appends the n integers of a DELTA_BINARY_PACKED section and returns
// how many bytes of src it takes. bits is 32 or 64: arithmetic wraps in that many,
// and results are sign-extended. The section must hold exactly n.
func DecodeDelta(dst []int64, src []byte, bits, n int) ([]int64, int, error) {
	var r deltaReader
	if err := r.open(src, bits, n); err != nil {
		return dst, 0, err
	}
	at := len(dst)
	dst = extend(dst, n)
	var buf [32]int64
	for out := dst[at:]; len(out) > 0; {
		got, err := r.next(&buf)
		if err != nil {
			return dst, r.pos, err
		}
		out = out[copy(out, got):]
	}
	return dst, r.pos, nil
}

const (
	deltaMini  = 32
	deltaMinis = 4
	deltaBlock = deltaMini * deltaMinis
)

// A deltaWriter appends a DELTA_BINARY_PACKED section of as many values as it was
// begun with.
type deltaWriter struct {
	dst    []byte
	bits   int
	first  bool
	last   int64
	n      int // of deltas
	deltas [deltaBlock]int64
}

func (w *deltaWriter) begin(dst []byte, bits, n int) {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaMinis)
	dst = binary.AppendUvarint(dst, uint64(n))
	if n == 0 {
		dst = append(dst, 0)
	}
	w.dst, w.bits, w.first, w.last, w.n = dst, bits, true, 0, 0
}

func (w *deltaWriter) add(v int64) {
	if w.first {
		w.first = false
		w.dst = binary.AppendVarint(w.dst, v)
		w.last = v
		return
	}
	d := v - w.last
	if w.bits == 32 {
		d = int64(int32(d))
	}
	w.last = v
	w.deltas[w.n] = d
	if w.n++; w.n == deltaBlock {
		w.flush()
	}
}

// flush writes the block, and returns the section.
func (w *deltaWriter) flush() []byte {
	if w.n == 0 {
		return w.dst
	}
	deltas := w.deltas[:w.n]
	least := deltas[0]
	for _, d := range deltas {
		least = min(least, d)
	}
	w.dst = binary.AppendVarint(w.dst, least)
	at := len(w.dst)
	w.dst = append(w.dst, 0, 0, 0, 0) // deltaMinis widths
	for i := 0; len(deltas) > 0; i++ {
		mini := deltas[:min(deltaMini, len(deltas))]
		deltas = deltas[len(mini):]
		var all uint64
		for j, d := range mini {
			d -= least
			if w.bits == 32 {
				d = int64(uint32(d))
			}
			mini[j] = d
			all |= uint64(d)
		}
		width := bits.Len64(all)
		w.dst[at+i] = byte(width)
		w.dst = packDeltas(w.dst, mini, width)
	}
	w.n = 0
	return w.dst
}

// packDeltas appends a miniblock: the values, at most 32, padded with zeros.
func packDeltas(dst []byte, values []int64, width int) []byte {
	at := len(dst)
	dst = extend(dst, 4*width+8)
	clear(dst[at:])
	out := dst[at:]
	for i, v := range values {
		bit := i * width
		s := uint(bit) & 7
		o := out[bit>>3:]
		binary.LittleEndian.PutUint64(o, le64(o)|uint64(v)<<s)
		if int(s)+width > 64 {
			o[8] = byte(uint64(v) >> (64 - s))
		}
	}
	return dst[:at+4*width]
}

// AppendDelta appends the integers as DELTA_BINARY_PACKED, in blocks of 128 with 4
// miniblocks. bits is 32 or 64, the width of the column's type.
func AppendDelta(dst []byte, values []int64, bits int) []byte {
	var w deltaWriter
	w.begin(dst, bits, len(values))
	for _, v := range values {
		w.add(v)
	}
	return w.flush()
}
