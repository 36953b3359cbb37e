// Package sections is a file of columns that is used as it lies in memory: written in
// one pass, mapped or read as a whole, and never decoded. It knows nothing of what the
// columns mean.
//
//	head     16 bytes: a magic number of the kind of file
//	section  a column: its values end to end, little-endian, without padding between them
//	…        each section begins at a multiple of 64 bytes; zeros fill the gaps
//	table    24 bytes a section: where it begins, its length in bytes, the XXH64 of its bytes
//	tail     16 bytes: the number of sections, then the XXH64 of head, table and that number
//
// All integers are little-endian and have 8 bytes. The tail's hash stands for the whole
// file, as it covers the hash of each section: see [File.Sum]. The hashes find damage, not
// forgery.
//
// Words: a kind names a format and its version. A section is one column of a file, a
// column is a list of values of one type.
package sections

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// ErrDamaged means that bytes are no file of sections of the kind, or not a whole one.
var ErrDamaged = errors.New("the file is damaged")

// Kind names a format and its version, as text of at most 16 bytes.
type Kind string

const (
	headSize  = 16
	entrySize = 24
	tailSize  = 16
	align     = 64 // a cache line
)

func (k Kind) head() []byte {
	head := make([]byte, headSize)
	copy(head, k)
	return head
}

// Value is the type of a column's values: their bytes in memory are those in the file on
// a little-endian machine.
type Value interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int32 | ~int64 | ~[16]byte
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// Writer writes a file. After an error it writes no more; Close returns the error.
type Writer struct {
	w     io.Writer
	kind  Kind
	at    uint64
	table []byte
	n     uint64
	err   error
}

// NewWriter starts a file.
func NewWriter(w io.Writer, kind Kind) *Writer {
	f := &Writer{w: w, kind: kind}
	f.write(kind.head())
	return f
}

func (f *Writer) write(p []byte) {
	if f.err == nil {
		_, f.err = f.w.Write(p)
		f.at += uint64(len(p))
	}
}

// Put writes the next section.
func Put[T Value](f *Writer, column iter.Seq[T]) {
	f.write(make([]byte, gap(f.at)))
	begin, hash := f.at, xxhash.New()
	const most = 1 << 13 // values at a time
	var values []T
	flush := func() {
		data := bytesOf(values)
		hash.Write(data)
		f.write(data)
		values = values[:0]
	}
	for v := range column {
		if values = append(values, v); len(values) == most {
			if flush(); f.err != nil {
				return
			}
		}
	}
	flush()
	for _, v := range []uint64{begin, f.at - begin, hash.Sum64()} {
		f.table = binary.LittleEndian.AppendUint64(f.table, v)
	}
	f.n++
}

// gap is how many zeros stand between an offset and the next section.
func gap(at uint64) uint64 { return -at % align }

// Close writes the table and returns what [File.Sum] will be.
func (f *Writer) Close() (sum uint64, err error) {
	f.write(make([]byte, gap(f.at)))
	f.write(f.table)
	tail := binary.LittleEndian.AppendUint64(nil, f.n)
	sum = sumOf(f.kind.head(), f.table, tail)
	f.write(binary.LittleEndian.AppendUint64(tail, sum))
	return sum, f.err
}

func sumOf(parts ...[]byte) uint64 {
	hash := xxhash.New()
	for _, p := range parts {
		hash.Write(p)
	}
	return hash.Sum64()
}

// File is an open file. Its columns are views of its bytes wherever the machine allows
// that, so the bytes must not change as long as it is in use.
type File struct {
	sections [][]byte
	sum      uint64
}

// Open checks that data is a whole file of a kind, with so many sections. It reads every
// byte once. It keeps data, and takes no memory that grows with it.
func Open(data []byte, kind Kind, sections int) (*File, error) {
	size := uint64(len(data))
	room := uint64(sections)*entrySize + tailSize
	if size < headSize+room || !bytes.Equal(data[:headSize], kind.head()) {
		return nil, fmt.Errorf("%w: it is not of the kind %q", ErrDamaged, kind)
	}
	table, tail := data[size-room:size-tailSize], data[size-tailSize:]
	sum := sumOf(data[:headSize], table, tail[:8])
	if binary.LittleEndian.Uint64(tail) != uint64(sections) || binary.LittleEndian.Uint64(tail[8:]) != sum {
		return nil, fmt.Errorf("%w: its table of sections does not hold", ErrDamaged)
	}
	f := &File{sum: sum}
	at := uint64(headSize)
	for i := range sections {
		entry := table[i*entrySize:]
		begin, n := binary.LittleEndian.Uint64(entry), binary.LittleEndian.Uint64(entry[8:])
		// Sections follow each other. What is left before the table bounds the length.
		if begin != at+gap(at) || begin > size-room || n > size-room-begin {
			return nil, fmt.Errorf("%w: section %d is not where it should be", ErrDamaged, i)
		}
		section := data[begin : begin+n : begin+n]
		if !zero(data[at:begin]) || xxhash.Sum64(section) != binary.LittleEndian.Uint64(entry[16:]) {
			return nil, fmt.Errorf("%w: section %d has another checksum", ErrDamaged, i)
		}
		f.sections = append(f.sections, section)
		at = begin + n
	}
	if at+gap(at) != size-room || !zero(data[at:size-room]) {
		return nil, fmt.Errorf("%w: something stands behind the last section", ErrDamaged)
	}
	return f, nil
}

func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// Sum is a hash of the whole file.
func (f *File) Sum() uint64 { return f.sum }

// Column returns a section as a column. The caller may not write to it.
func Column[T Value](f *File, section int) ([]T, error) {
	data := f.sections[section]
	var size T
	n := len(data) / int(unsafe.Sizeof(size))
	if n*int(unsafe.Sizeof(size)) != len(data) {
		return nil, fmt.Errorf("%w: section %d ends within a value", ErrDamaged, section)
	}
	if n == 0 {
		return nil, nil
	}
	first := unsafe.Pointer(unsafe.SliceData(data))
	if littleEndian && uintptr(first)%unsafe.Alignof(size) == 0 {
		return unsafe.Slice((*T)(first), n), nil
	}
	column := make([]T, n)
	copy(rawBytes(column), data)
	swap(column)
	return column, nil
}

// bytesOf returns a column as it stands in a file. The bytes may be the column's own, and
// the column may be changed.
func bytesOf[T Value](column []T) []byte {
	swap(column)
	return rawBytes(column)
}

func rawBytes[T Value](column []T) []byte {
	var size T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(column))), len(column)*int(unsafe.Sizeof(size)))
}

// swap turns values from the machine's order of bytes to the file's, or back.
func swap[T Value](column []T) {
	var size T
	width := int(unsafe.Sizeof(size))
	if littleEndian || width == 1 || width == 16 { // bytes have no order
		return
	}
	for data := rawBytes(column); len(data) > 0; data = data[width:] {
		slices.Reverse(data[:width])
	}
}
