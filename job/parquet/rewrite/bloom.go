package rewrite

import (
	"encoding/binary"

	"assent/job/parquet"
)

// A bloomFilter is one that is made anew from the values of a chunk. A nil filter stands for a chunk without one: adding to it does
// nothing.
type bloomFilter struct{ *parquet.Bloom }

// size returns the bytes that the filter holds.
func (b *bloomFilter) size() int64 {
	if b == nil {
		return 0
	}
	return b.Size()
}

func (b *bloomFilter) add(v []byte) { b.Add(parquet.BloomHash(v)) }

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

// newBloom returns an empty filter as large as the chunk's, nil if the chunk has none.
func newBloom(f *parquet.File, c *parquet.Chunk) (*bloomFilter, error) {
	if p := f.Columns()[c.Column].Physical; p == parquet.Boolean {
		return nil, nil
	}
	_, _, size, err := f.BloomRange(c)
	if err != nil || size == 0 {
		return nil, err
	}
	return &bloomFilter{parquet.NewBloom(size)}, nil
}
