package arrowparquet

import (
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// parquet-go holds the least and the greatest value of each column chunk until the file is closed, and writes them to its footer as they
// are. Of byte strings a few bytes of them do. It also keeps the memory of the largest page of each column.

// boundBytes is how many bytes of a value a bound has, at most, where bounds are short.
const boundBytes = 64

// shortBounds returns a leaf of byte strings whose bounds are short.
func shortBounds(leaf parquet.Node) parquet.Node { return boundedNode{leaf} }

type boundedNode struct{ parquet.Node }

func (n boundedNode) Type() parquet.Type { return boundedType{n.Node.Type()} }

type boundedType struct{ parquet.Type }

func (t boundedType) NewColumnBuffer(column, values int) parquet.ColumnBuffer {
	again := func() parquet.ColumnBuffer { return t.Type.NewColumnBuffer(column, values) }
	return &boundedBuffer{again(), again}
}

type boundedBuffer struct {
	parquet.ColumnBuffer
	again func() parquet.ColumnBuffer
}

func (b *boundedBuffer) Page() parquet.Page { return boundedPage{b.ColumnBuffer.Page()} }

// Reset empties the buffer for the next page. The memory of a large page goes.
func (b *boundedBuffer) Reset() {
	const large = 8 << 20
	if b.Size() > large {
		b.ColumnBuffer = b.again()
		return
	}
	b.ColumnBuffer.Reset()
}

type boundedPage struct{ parquet.Page }

func (p boundedPage) Bounds() (least, most parquet.Value, ok bool) {
	if least, most, ok = p.Page.Bounds(); ok {
		least, most = parquet.ByteArrayValue(shortLeast(least.ByteArray())), parquet.ByteArrayValue(shortMost(most.ByteArray()))
	}
	return least, most, ok
}

// shortLeast returns a prefix of v, which ends with a whole character where v has characters.
func shortLeast(v []byte) []byte {
	n := boundBytes
	if len(v) <= n {
		return v
	}
	for back := range utf8.UTFMax {
		if utf8.RuneStart(v[n-back]) {
			return v[:n-back]
		}
	}
	return v[:n]
}

// shortMost returns something short that is not less than v, nor than what has the same first bytes. Where there is nothing it is v.
func shortMost(v []byte) []byte {
	if len(v) <= boundBytes {
		return v
	}
	for p := shortLeast(v); len(p) > 0; {
		r, n := utf8.DecodeLastRune(p)
		before := append([]byte(nil), p[:len(p)-n]...)
		switch last := p[len(p)-1]; {
		case n == 1 && last >= utf8.RuneSelf && last < 0xff: // no character
			return append(before, last+1)
		case n > 1 || last < utf8.RuneSelf:
			if r++; r == 0xd800 {
				r = 0xe000
			}
			if r <= utf8.MaxRune {
				return utf8.AppendRune(before, r)
			}
		}
		p = p[:len(p)-n]
	}
	return v
}
