package table

import (
	"slices"

	"github.com/parquet-go/parquet-go/encoding/delta"

	"assent/job/parquet/encoding"
)

// appendDeltaStrings appends the page's texts as DELTA_BYTE_ARRAY: the bytes that parquet-go's encoder makes, in less time. Most texts are
// about as long as a word or two, and what they share with the one before, and what they do not, too.
func (w *Writer) appendDeltaStrings(raw []byte, p *Page) []byte {
	prefixes, suffixes := w.prefixes[:0], w.suffixes[:0]
	total := 0
	var before []byte
	for i, end := range p.Ends[1:] {
		text := p.Data[p.Ends[i]:end]
		n := encoding.CommonPrefix(before, text)
		prefixes, suffixes = append(prefixes, int32(n)), append(suffixes, int32(len(text)-n))
		total += len(text) - n
		before = text
	}
	w.prefixes, w.suffixes = prefixes, suffixes
	for _, lengths := range [][]int32{prefixes, suffixes} {
		raw = w.append(raw, func(b []byte) ([]byte, error) { return new(delta.BinaryPackedEncoding).EncodeInt32(b, lengths) })
	}
	const word = 16
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
