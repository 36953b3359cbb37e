package verify

import (
	"bufio"
	"errors"
	"io"

	"github.com/cespare/xxhash/v2"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/bloom"
	pthrift "github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// bloomCheck is a bloom filter as the file has it, and one of the same size made of
// the values of the row group's kept rows. The two are equal where nothing is left of
// dropped rows and no reader is led past a kept one.
type bloomCheck struct {
	group int
	there bloom.SplitBlockFilter
	made  bloom.SplitBlockFilter
	row   int64 // a dropped row whose value only the former has, -1
}

// bloomOf reads the bloom filter of a column chunk; nil where there is none.
func (f *parquetFile) bloomOf(group, column int) (_ *bloomCheck, err error) {
	defer recovered(&err)
	offset := f.groups()[group].Columns[column].MetaData.BloomFilterOffset
	if offset <= 0 || offset >= f.size {
		return nil, nil
	}
	in := bufio.NewReader(io.NewSectionReader(f.r, offset, f.size-offset))
	var h format.BloomFilterHeader
	if err := pthrift.NewDecoder(new(pthrift.CompactProtocol).NewReader(in)).Decode(&h); err != nil {
		return nil, err
	}
	if n := int64(h.NumBytes); n <= 0 || n%bloom.BlockSize != 0 || n > f.size-offset {
		return nil, errors.New("its size is out of range")
	}
	bits := make([]byte, h.NumBytes)
	if _, err := io.ReadFull(in, bits); err != nil {
		return nil, err
	}
	return &bloomCheck{group, bloom.MakeSplitBlockFilter(bits), bloom.MakeSplitBlockFilter(make([]byte, h.NumBytes)), -1}, nil
}

// add takes a value of a kept row.
func (b *bloomCheck) add(v parquet.Value) { b.made.Insert(xxhash.Sum64(v.Bytes())) }

// compare says whether the file's filter lacks a value, and whether it has more.
func (b *bloomCheck) compare() (lacks, more bool) {
	there := b.there.Bytes()
	for i, made := range b.made.Bytes() {
		lacks = lacks || made&^there[i] != 0
		more = more || there[i]&^made != 0
	}
	return lacks, more
}

// meet takes a value of a dropped row.
func (b *bloomCheck) meet(row int64, plain []byte) {
	if h := xxhash.Sum64(plain); b.row < 0 && b.there.Check(h) && !b.made.Check(h) {
		b.row = row
	}
}
