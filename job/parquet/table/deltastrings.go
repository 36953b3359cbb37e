package table

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/parquet-go/parquet-go/encoding/delta"

	"assent/job/parquet/encoding"
)

// word is how many bytes are looked at, or copied, at once where the data goes on for so many.
const word = 16

// appendDeltaStrings appends the page's texts as DELTA_BYTE_ARRAY: the bytes that parquet-go's encoder makes, in less time. Most texts are
// about as long as a word or two, and what they share with the one before, and what they do not, too.
func (w *Writer) appendDeltaStrings(raw []byte, p *Page) []byte {
	n := len(p.Ends) - 1
	prefixes, suffixes := slices.Grow(w.prefixes[:0], n)[:n], slices.Grow(w.suffixes[:0], n)[:n]
	w.prefixes, w.suffixes = prefixes, suffixes
	total, before, start := 0, p.Ends[0], p.Ends[0]
	for i, end := range p.Ends[1:] {
		n := commonPrefix(p.Data, before, start, end)
		prefixes[i], suffixes[i] = int32(n), int32(int(end-start)-n)
		total += int(end-start) - n
		before, start = start, end
	}
	for _, lengths := range [][]int32{prefixes, suffixes} {
		raw = w.append(raw, func(b []byte) ([]byte, error) { return new(delta.BinaryPackedEncoding).EncodeInt32(b, lengths) })
	}
	raw = slices.Grow(raw, total+word)
	for i, n := range suffixes {
		at := int(p.Ends[i]) + int(prefixes[i])
		if n <= word && at+word <= len(p.Data) { // what is copied too much, the next one overwrites
			*(*[word]byte)(raw[len(raw) : len(raw)+word]) = [word]byte(p.Data[at:])
			raw = raw[:len(raw)+int(n)]
		} else {
			raw = append(raw, p.Data[at:at+int(n)]...)
		}
	}
	return raw
}

// commonPrefix returns how many bytes two texts begin with alike: one from before up to start, and one from there up to end.
func commonPrefix(data []byte, before, start, end uint32) int {
	least := int(min(start-before, end-start))
	if int(start)+word > len(data) || least > word {
		return encoding.CommonPrefix(data[before:start], data[start:end])
	}
	a, b := data[before:][:word], data[start:][:word] // a text that is shorter is followed by the next
	x := binary.LittleEndian.Uint64(a) ^ binary.LittleEndian.Uint64(b)
	if x != 0 {
		return min(bits.TrailingZeros64(x)/8, least)
	}
	x = binary.LittleEndian.Uint64(a[8:]) ^ binary.LittleEndian.Uint64(b[8:])
	return min(8+bits.TrailingZeros64(x)/8, least)
}

// sharedByAll returns with how many of the same bytes all texts of the last page begin: each has them in common with the one before.
func (w *Writer) sharedByAll() int {
	if len(w.prefixes) < 2 {
		return 0
	}
	return int(slices.Min(w.prefixes[1:]))
}

// extremes returns the least and the greatest of the page's texts, of which there are some. All begin with the same shared bytes. So 8
// bytes behind these tell most of them apart, where all are that long.
func extremes(p *Page, shared int) (least, most []byte) {
	data, start, shortest := p.Data, p.Ends[0], p.Ends[1]-p.Ends[0]
	for i, end := range p.Ends[1:] {
		shortest = min(shortest, end-p.Ends[i])
	}
	at := min(shared, int(shortest)-8)
	var lo, hi uint64
	least = data[start:p.Ends[1]] // the bytes are in place: no text is copied
	most = least
	for i, end := range p.Ends[1:] {
		text, key := data[start:end], uint64(0)
		if at >= 0 {
			key = binary.BigEndian.Uint64(text[at:])
		}
		if i == 0 {
			lo, hi = key, key
		}
		if key >= hi && (key > hi || bytes.Compare(text, most) > 0) {
			most, hi = text, key
		} else if key <= lo && (key < lo || bytes.Compare(text, least) < 0) {
			least, lo = text, key
		}
		start = end
	}
	return least, most
}
