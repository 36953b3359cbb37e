package encoding

import (
	"fmt"
	"math/bits"
	"slices"
)

// DecodeDeltaLengths appends the first n values of a DELTA_LENGTH_BYTE_ARRAY section. There may be more: DuckDB 2 writes, in
// structs that may be null, more values than the levels say. All readers take the first ones.
func DecodeDeltaLengths(dst *Bytes, src []byte, n int) error {
	var r deltaReader
	if err := r.header(src, 32); err != nil {
		return err
	}
	if r.left < n {
		return errDelta(fmt.Sprintf("%d values where %d are to be", r.left, n))
	}
	at, base := len(dst.Ends), len(dst.Data)
	if err := dst.room(len(src)); err != nil {
		return err
	}
	dst.Ends = extend(dst.Ends, n)
	end := base
	var buf [32]int64
	for ends := dst.Ends[at:]; len(ends) > 0; {
		got, err := r.next(&buf)
		if err != nil {
			return err
		}
		got = got[:min(len(got), len(ends))]
		for i, size := range got {
			if size < 0 || size > int64(len(src)) || end-base > len(src) {
				return errDelta("values run past the end of their section")
			}
			end += int(size)
			ends[i] = uint32(end)
		}
		ends = ends[len(got):]
	}
	if err := r.skip(); err != nil { // the values begin behind all lengths
		return err
	}
	if end-base > len(src)-r.pos {
		return errDelta("values run past the end of their section")
	}
	dst.Data = append(dst.Data, src[r.pos:r.pos+end-base]...)
	return nil
}

// AppendDeltaLengths appends the values as DELTA_LENGTH_BYTE_ARRAY.
func AppendDeltaLengths(dst []byte, b *Bytes) []byte {
	var w deltaWriter
	w.begin(dst, 32, len(b.Ends))
	var start uint32
	for _, end := range b.Ends {
		w.add(int64(end - start))
		start = end
	}
	return append(w.flush(), b.Data[:start]...)
}

// DecodeDeltaStrings appends the n values of a DELTA_BYTE_ARRAY section (BYTE_ARRAY
// or FIXED_LEN_BYTE_ARRAY). It stops with ErrTooLarge rather than append more than
// maxBytes to dst.Data: each value may repeat all of its predecessor, so that n
// bytes can stand for the square of that. last is what the first value's prefix
// refers to: empty, but for files of parquet-mr before 1.8 the last value of the
// preceding page (PARQUET-246); it must not be memory of dst.
func DecodeDeltaStrings(dst *Bytes, src []byte, n, maxBytes int, last []byte) error {
	var prefixes, suffixes, ends deltaReader
	if err := prefixes.open(src, 32, n); err != nil {
		return err
	}
	ends = prefixes
	if err := ends.skip(); err != nil {
		return err
	}
	src = src[ends.pos:]
	if err := suffixes.open(src, 32, n); err != nil {
		return err
	}
	ends = suffixes
	if err := ends.skip(); err != nil {
		return err
	}
	src = src[ends.pos:]
	limit := int(min(uint64(len(dst.Data))+uint64(maxBytes), 1<<32-1))
	if size := len(src); size > 1<<20 { // so large that to grow is to hold it twice
		dst.Data = slices.Grow(dst.Data, prefixes.sum(limit-len(dst.Data)-size)+size)
	}
	at := len(dst.Ends)
	dst.Ends = extend(dst.Ends, n)
	var bufs [2][32]int64
	for ends := dst.Ends[at:]; len(ends) > 0; {
		ps, err := prefixes.next(&bufs[0])
		if err != nil {
			return err
		}
		ss, err := suffixes.next(&bufs[1])
		if err != nil {
			return err
		}
		for i, p := range ps {
			s := ss[i]
			if p < 0 || p > int64(len(last)) {
				return errDelta(fmt.Sprintf("a prefix of %d bytes of a value of %d", p, len(last)))
			}
			if s < 0 || s > int64(len(src)) {
				return errDelta("values run past the end of their section")
			}
			start := len(dst.Data)
			if int64(start)+p+s > int64(limit) {
				return fmt.Errorf("%w: delta strings of more than %d bytes", ErrTooLarge, maxBytes)
			}
			dst.Data = append(append(dst.Data, last[:p]...), src[:s]...)
			src = src[s:]
			last = dst.Data[start:]
			ends[i] = uint32(len(dst.Data))
		}
		ends = ends[len(ps):]
	}
	return nil
}

// sum returns the sum of the numbers to come, or 0 where they are wrong or it exceeds limit.
func (r deltaReader) sum(limit int) int {
	var buf [32]int64
	total := 0
	for {
		got, err := r.next(&buf)
		if err != nil || len(got) == 0 {
			return total
		}
		for _, v := range got {
			if v < 0 || v > int64(limit-total) {
				return 0
			}
			total += int(v)
		}
	}
}

// AppendDeltaStrings appends the values as DELTA_BYTE_ARRAY.
func AppendDeltaStrings(dst []byte, b *Bytes) []byte {
	var prefixes, suffixes deltaWriter
	n := b.Len()
	prefixes.begin(dst, 32, n)
	var last []byte
	for i := range n {
		v := b.At(i)
		prefixes.add(int64(CommonPrefix(last, v)))
		last = v
	}
	suffixes.begin(prefixes.flush(), 32, n)
	last = nil
	size := 0
	for i := range n {
		v := b.At(i)
		suffix := len(v) - CommonPrefix(last, v)
		suffixes.add(int64(suffix))
		size += suffix
		last = v
	}
	dst = slices.Grow(suffixes.flush(), size)
	last = nil
	for i := range n {
		v := b.At(i)
		dst = append(dst, v[CommonPrefix(last, v):]...)
		last = v
	}
	return dst
}

// CommonPrefix returns how many bytes a and b begin with alike.
func CommonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	a, b = a[:n], b[:n]
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := le64(a[i:]) ^ le64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}
