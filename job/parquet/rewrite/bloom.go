package rewrite

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// A bloomFilter is a split block bloom filter (BloomFilter.md). The hash of a value picks one of its 256-bit blocks and sets a bit
// in each of the block's eight words. A nil filter stands for a chunk without one: adding to it does nothing.
type bloomFilter struct {
	blocks [][8]uint32
}

var bloomSalt = [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

// size returns the bytes that the filter holds.
func (b *bloomFilter) size() int64 {
	if b == nil {
		return 0
	}
	return 32 * int64(len(b.blocks))
}

func (b *bloomFilter) add(v []byte) {
	hash := xxhash.Sum64(v)
	block := &b.blocks[(hash>>32)*uint64(len(b.blocks))>>32]
	x := uint32(hash)
	for i := range block {
		block[i] |= 1 << (x * bloomSalt[i] >> 27)
	}
}

// addDraft adds the values of a draft that is not dictionary-coded.
func (b *bloomFilter) addDraft(d *draft, c *parquet.Column) {
	if b == nil {
		return
	}
	for plain := d.plain; len(plain) > 0; {
		n := c.Width()
		if c.Physical == parquet.ByteArray {
			n, plain = int(binary.LittleEndian.Uint32(plain)), plain[4:]
		}
		b.add(plain[:n])
		plain = plain[n:]
	}
	for _, v := range d.ints {
		b.add(parquet.PlainBytes(uint64(v), c.Width()))
	}
	for i := range d.bytes.Len() {
		b.add(d.bytes.At(i))
	}
}

// addDictionary adds the entries of a dictionary that kept rows use.
func (b *bloomFilter) addDictionary(d *pruned) {
	if b == nil {
		return
	}
	if d.mapped != nil {
		for i := range d.kept {
			b.add(d.mapped.result(i))
		}
		return
	}
	for lo, hi := d.used.Run(0); lo < d.n; lo, hi = d.used.Run(hi) {
		for i := lo; i < hi; i++ {
			b.add(d.entry(i))
		}
	}
}

// append appends the filter as it stands in a file, header first.
func (b *bloomFilter) append(dst []byte) []byte {
	union := func(id int16) thrift.Field { // each of the three has one member so far, an empty struct
		return thrift.StructField(id, thrift.Struct{thrift.StructField(1, nil)})
	}
	s := thrift.Struct{thrift.Int32Field(1, int32(32*len(b.blocks))), union(2), union(3), union(4)}
	dst = s.Append(dst)
	for i := range b.blocks {
		for _, w := range b.blocks[i] {
			dst = binary.LittleEndian.AppendUint32(dst, w)
		}
	}
	return dst
}

const (
	maxBloom       = 128 << 20 // bytes of a filter
	maxBloomHeader = 64
)

// bloomRange returns where the chunk's bloom filter stands, its length with its header, and its size without. The length is 0 where
// there is no filter, or one of a kind that the format does not define yet.
func bloomRange(f *parquet.File, c *parquet.Chunk) (at, length int64, size int, err error) {
	offset, err := c.Metadata.Int(parquet.MetaBloomFilterOffset, 0)
	if err != nil || offset < 4 || offset >= f.DataEnd() {
		return 0, 0, 0, nil
	}
	head := make([]byte, min(maxBloomHeader, f.DataEnd()-offset))
	if err := f.ReadFull(head, offset); err != nil {
		return 0, 0, 0, err
	}
	s, n, err := thrift.Parse(head)
	if err != nil {
		return 0, 0, 0, nil
	}
	for _, id := range []int16{2, 3, 4} {
		if union, err := s.Struct(id); err != nil || len(union) != 1 || union[0].ID != 1 {
			return 0, 0, 0, nil
		}
	}
	bytes, err := s.Int(1, 0)
	if err != nil || bytes < 32 || bytes%32 != 0 || bytes > maxBloom || offset+int64(n)+bytes > f.DataEnd() {
		return 0, 0, 0, nil
	}
	return offset, int64(n) + bytes, int(bytes), nil
}

// newBloom returns an empty filter as large as the chunk's, nil if the chunk has none.
func newBloom(f *parquet.File, c *parquet.Chunk) (*bloomFilter, error) {
	if p := f.Columns()[c.Column].Physical; p == parquet.Boolean {
		return nil, nil
	}
	_, _, size, err := bloomRange(f, c)
	if err != nil || size == 0 {
		return nil, err
	}
	return &bloomFilter{blocks: make([][8]uint32, size/32)}, nil
}
