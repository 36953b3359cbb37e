package verify

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// deltaTexts are the values of a large page of DELTA_LENGTH_BYTE_ARRAY or DELTA_BYTE_ARRAY, one after the other. parquet-go would
// decode all of the page beside it.
type deltaTexts struct {
	prefix []int32 // how many bytes each has in common with the one before; nil: none
	length []int32 // of what follows
	data   []byte  // what follows, of all values still to come
	last   []byte  // the value before
	made   int     // bytes of memory that next has taken
}

// newDeltaTexts finds the count values of a page.
func newDeltaTexts(in []byte, encoding format.Encoding, count int) (t *deltaTexts, err error) {
	t = new(deltaTexts)
	if count == 0 {
		return t, nil
	}
	if encoding == format.DeltaByteArray {
		if t.prefix, in, err = deltaInts(in, count); err != nil {
			return nil, err
		}
	}
	if t.length, t.data, err = deltaInts(in, count); err != nil {
		return nil, err
	}
	left, before := int64(len(t.data)), int64(0)
	for i, n := range t.length {
		whole := int64(n)
		if t.prefix != nil {
			if t.prefix[i] < 0 || int64(t.prefix[i]) > before {
				return nil, errors.New("a value has more in common with the one before than that has")
			}
			whole += int64(t.prefix[i])
		}
		if left -= int64(n); n < 0 || left < 0 {
			return nil, io.ErrUnexpectedEOF
		}
		before = whole
	}
	return t, nil
}

// next returns the next value.
func (t *deltaTexts) next() parquet.Value {
	n := t.length[0]
	value := t.data[:n:n]
	t.data, t.length = t.data[n:], t.length[1:]
	if t.prefix != nil {
		if same := t.prefix[0]; same > 0 {
			value = append(append(make([]byte, 0, same+n), t.last[:same]...), value...)
			t.made += len(value)
		}
		t.prefix, t.last = t.prefix[1:], value
	}
	return parquet.ByteArrayValue(value)
}

// deltaInts decodes count integers of DELTA_BINARY_PACKED, and returns what is behind them.
func deltaInts(in []byte, count int) (values []int32, rest []byte, err error) {
	var head [3]uint64 // values of a block, its parts, and values of all
	for i := range head {
		n, size := binary.Uvarint(in)
		if size <= 0 {
			return nil, nil, io.ErrUnexpectedEOF
		}
		head[i], in = n, in[size:]
	}
	value, size := binary.Varint(in)
	if size <= 0 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	in = in[size:]
	const most = 1 << 20
	if head[2] != uint64(count) || head[1] == 0 || head[0] > most || head[0]%head[1] != 0 || head[0]/head[1]%8 != 0 || head[0] == 0 {
		return nil, nil, errors.New("a list of lengths is malformed")
	}
	values = append(make([]int32, 0, count), int32(value))
	parts, each := int(head[1]), int(head[0]/head[1])
	for len(values) < count {
		least, size := binary.Varint(in)
		if size <= 0 || len(in)-size < parts {
			return nil, nil, io.ErrUnexpectedEOF
		}
		widths := in[size : size+parts]
		in = in[size+parts:]
		for _, width := range widths {
			if len(values) == count {
				break
			}
			size := each / 8 * int(width)
			if width > 32 || size > len(in) {
				return nil, nil, errors.New("a list of lengths is malformed")
			}
			for i := range min(each, count-len(values)) {
				var eight [8]byte
				at := i * int(width)
				copy(eight[:], in[at/8:size])
				value += least + int64(binary.LittleEndian.Uint64(eight[:])>>(at%8)&(1<<width-1))
				values = append(values, int32(value))
			}
			in = in[size:]
		}
	}
	return values, in, nil
}
