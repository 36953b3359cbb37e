package parquet

import (
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"assent/job/parquet/thrift"
)

// A Bloom is a split block bloom filter (BloomFilter.md). The hash of a value picks one of its 256-bit blocks and sets a bit in each
// of the block's eight words. It is held as it stands in a file, words in little endian.
type Bloom struct {
	data []byte
}

const (
	bloomBlock     = 32        // bytes
	maxBloom       = 128 << 20 // bytes of a filter
	maxBloomHeader = 64
)

var bloomSalt = [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

// NewBloom returns an empty filter of so many bytes, a multiple of 32.
func NewBloom(size int) *Bloom { return &Bloom{make([]byte, size)} }

// BloomSize returns the bytes of a filter for so many values: 10 to 20 bits for each, by which it takes at most one in 80 other values for
// one of them. It is a power of two, as some readers want it.
func BloomSize(values int) int {
	blocks := (10*values + 8*bloomBlock - 1) / (8 * bloomBlock)
	return min(bloomBlock<<bits.Len(uint(max(1, blocks)-1)), maxBloom)
}

// Size returns the bytes that the filter holds.
func (b *Bloom) Size() int64 { return int64(len(b.data)) }

// BloomHash returns the hash of a value: PLAIN, without a length.
func BloomHash(value []byte) uint64 { return xxhash.Sum64(value) }

// block returns the block that a hash picks.
func (b *Bloom) block(hash uint64) []byte {
	return b.data[(hash>>32)*uint64(len(b.data)/bloomBlock)>>32*bloomBlock:][:bloomBlock]
}

// Add adds a value by its hash.
func (b *Bloom) Add(hash uint64) {
	block, x := b.block(hash), uint32(hash)
	for i, salt := range bloomSalt {
		word := block[4*i:]
		binary.LittleEndian.PutUint32(word, binary.LittleEndian.Uint32(word)|1<<(x*salt>>27))
	}
}

// May reports whether a value, by its hash, may have been added. Where it says no, it was not.
func (b *Bloom) May(hash uint64) bool {
	block, x := b.block(hash), uint32(hash)
	for i, salt := range bloomSalt {
		if binary.LittleEndian.Uint32(block[4*i:])&(1<<(x*salt>>27)) == 0 {
			return false
		}
	}
	return true
}

// Append appends the filter as it stands in a file, header first.
func (b *Bloom) Append(dst []byte) []byte {
	union := func(id int16) thrift.Field { // each of the three has one member so far, an empty struct
		return thrift.StructField(id, thrift.Struct{thrift.StructField(1, nil)})
	}
	s := thrift.Struct{thrift.Int32Field(1, int32(b.Size())), union(2), union(3), union(4)}
	return append(s.Append(dst), b.data...)
}

// ParseBloom is the inverse of Append. The filter is that in data, to which nobody may write. It fails where data is not one filter, or
// one of a kind that the format does not define yet.
func ParseBloom(data []byte) (*Bloom, error) {
	n, size, ok := bloomHeader(data)
	if !ok || n+size != len(data) {
		return nil, Corruptf("not a bloom filter")
	}
	return &Bloom{data[n:]}, nil
}

// bloomHeader returns the length of the header with which data begins, and the size of the filter behind it.
func bloomHeader(data []byte) (n, size int, ok bool) {
	s, n, err := thrift.Parse(data)
	if err != nil {
		return 0, 0, false
	}
	for _, id := range []int16{2, 3, 4} {
		if union, err := s.Struct(id); err != nil || len(union) != 1 || union[0].ID != 1 {
			return 0, 0, false
		}
	}
	bytes, err := s.Int(1, 0)
	if err != nil || bytes < bloomBlock || bytes%bloomBlock != 0 || bytes > maxBloom {
		return 0, 0, false
	}
	return n, int(bytes), true
}

// BloomRange returns where the chunk's bloom filter stands, its length with its header, and its size without. The length is 0 where
// there is no filter, or one of a kind that the format does not define yet.
func (f *File) BloomRange(c *Chunk) (at, length int64, size int, err error) {
	offset, err := c.Metadata.Int(MetaBloomFilterOffset, 0)
	if err != nil || offset < 4 || offset >= f.DataEnd() {
		return 0, 0, 0, nil
	}
	head := make([]byte, min(maxBloomHeader, f.DataEnd()-offset))
	if err := f.ReadFull(head, offset); err != nil {
		return 0, 0, 0, err
	}
	n, size, ok := bloomHeader(head)
	if !ok || offset+int64(n+size) > f.DataEnd() {
		return 0, 0, 0, nil
	}
	return offset, int64(n + size), size, nil
}

// ReadBloom returns the chunk's bloom filter as it stands in the file; nil where the chunk has none, or does not say how long it is.
func (f *File) ReadBloom(c *Chunk) ([]byte, error) {
	at, err := c.Metadata.Int(MetaBloomFilterOffset, 0)
	if err != nil || at == 0 {
		return nil, err
	}
	n, err := c.Metadata.Int(MetaBloomFilterLength, 0)
	if err != nil || n == 0 {
		return nil, err
	}
	if n > maxBloom+maxBloomHeader {
		return nil, Corruptf("a bloom filter of %d bytes", n)
	}
	return f.section(at, n)
}
