package table

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"

	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// The format gives bloom filters no checksum, and one that lost a bit says of a value that it is not there. So the chunk's own key-value
// metadata has the CRC-32 of the filter, as eight hexadecimal digits.
const keyFilterCRC = "assent.filter.crc32"

// filterCRC returns the metadata for a filter.
func filterCRC(filter []byte) thrift.Field {
	crc := fmt.Appendf(nil, "%08x", parquet.Checksum(filter))
	return thrift.ListField(parquet.MetaKeyValues, thrift.StrucT, 1, thrift.Struct{thrift.BytesField(1, []byte(keyFilterCRC)), thrift.BytesField(2, crc)}.Append(nil))
}

// noCRC is what filterCRC returns, but for the digits.
var noCRC = sync.OnceValue(func() []byte { return filterCRC(nil).Raw })

// sameCRC reports whether f is filterCRC(filter). Readers ask for many filters.
func sameCRC(f thrift.Field, filter []byte) bool {
	const digits, stop = 8, 1 // byte behind them, which ends the struct
	want, at := noCRC(), len(noCRC())-stop-digits
	if len(f.Raw) != len(want) || !bytes.Equal(f.Raw[:at], want[:at]) || !bytes.Equal(f.Raw[at+digits:], want[at+digits:]) {
		return false
	}
	var has [digits / 2]byte
	_, err := hex.Decode(has[:], f.Raw[at:at+digits])
	return err == nil && binary.BigEndian.Uint32(has[:]) == parquet.Checksum(filter)
}

// hash notes the page's values for the chunk's filter.
func (c *Chunk) hash(p *Page) {
	if !c.w.schema.fields[c.leaf].Filtered {
		return
	}
	for i, end := range p.Ends[1:] {
		h := parquet.BloomHash(p.Data[p.Ends[i]:end])
		if n := len(c.hashes); n == 0 || c.hashes[n-1] != h {
			c.hashes = append(c.hashes, h)
		}
	}
}

// filter makes the filter of a chunk that ends, and notes its checksum in the chunk's metadata. It returns nil where the column has none.
func (c *Chunk) filter(meta *thrift.Struct) func() ([]byte, error) {
	if !c.w.schema.fields[c.leaf].Filtered {
		return nil
	}
	b := parquet.NewBloom(parquet.BloomSize(len(c.hashes)))
	for _, h := range c.hashes {
		b.Add(h)
	}
	encoded := b.Append(nil)
	meta.Set(filterCRC(encoded))
	return func() ([]byte, error) { return encoded, nil }
}

// Filter returns the bloom filter of a leaf of row group i; nil where the chunk has none. It looks at nothing else of the row group.
func (f *File) Filter(i, leaf int) (*parquet.Bloom, error) {
	c, err := f.Chunk(i, leaf)
	if err != nil {
		return nil, err
	}
	b, err := f.filter(&c)
	if err != nil {
		return nil, f.Fault(err, i, leaf, -1)
	}
	return b, nil
}

func (f *File) filter(c *parquet.Chunk) (*parquet.Bloom, error) {
	if err := f.checkPath(c); err != nil {
		return nil, err
	}
	data, err := f.ReadBloom(c)
	if err != nil || data == nil {
		return nil, err
	}
	if has, _ := c.Metadata.Get(parquet.MetaKeyValues); !sameCRC(has, data) {
		return nil, parquet.Corruptf("a bloom filter with another checksum, or none")
	}
	return parquet.ParseBloom(data)
}
