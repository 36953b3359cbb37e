package parquet

import (
	"encoding/binary"
	"io"
	"math"

	"assent/job/parquet/thrift"
)

// An Output is a file that is written from front to back: Begin, the pages of all chunks, Finish.
type Output struct {
	W    io.Writer
	Size int64 // bytes written

	block []byte // of Take
}

// Reset begins a new file, which goes to w, keeping the output's memory.
func (o *Output) Reset(w io.Writer) { o.W, o.Size = w, 0 }

// Write writes the next bytes.
func (o *Output) Write(p []byte) (int, error) {
	n, err := o.W.Write(p)
	o.Size += int64(n)
	return n, err
}

// Begin writes what a file begins with.
func (o *Output) Begin() error {
	_, err := o.Write([]byte(Magic))
	return err
}

// A WrittenChunk is a column chunk whose pages are written, and what Finish writes of it.
type WrittenChunk struct {
	Metadata thrift.Struct // ColumnChunk; Finish adds the places of filter and indexes
	// Filter returns the encoded bloom filter, where that is to stand behind all row groups; nil: there is none to be written.
	Filter      func() ([]byte, error)
	ColumnIndex []byte // encoded; nil: none
	OffsetIndex []byte // encoded; nil: none
}

// Finish writes the filters and page indexes of all chunks, then the FileMetaData that footer returns. It calls footer once the places
// of these stand in the chunks' metadata.
func (o *Output) Finish(chunks []*WrittenChunk, footer func() thrift.Struct) error {
	for _, c := range chunks {
		if err := o.filter(c); err != nil {
			return err
		}
	}
	for _, c := range chunks {
		if err := o.index(c, c.ColumnIndex, ChunkColumnIndexOffset, ChunkColumnIndexLength); err != nil {
			return err
		}
	}
	for _, c := range chunks {
		if err := o.index(c, c.OffsetIndex, ChunkOffsetIndexOffset, ChunkOffsetIndexLength); err != nil {
			return err
		}
	}
	b := footer().Append(nil)
	if len(b) > math.MaxUint32-8 {
		return Unsupportedf("a footer of %d bytes", len(b))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(b)))
	_, err := o.Write(append(b, Magic...))
	return err
}

func (o *Output) filter(c *WrittenChunk) error {
	if c.Filter == nil {
		return nil
	}
	b, err := c.Filter()
	if err != nil {
		return err
	}
	meta, err := c.Metadata.Struct(ChunkMetaData)
	if err != nil {
		return err
	}
	meta.Set(thrift.Int64Field(MetaBloomFilterOffset, o.Size))
	meta.Set(thrift.Int32Field(MetaBloomFilterLength, int32(len(b))))
	c.Metadata.Set(thrift.StructField(ChunkMetaData, meta))
	_, err = o.Write(b)
	return err
}

func (o *Output) index(c *WrittenChunk, index []byte, offsetID, lengthID int16) error {
	if index == nil {
		return nil
	}
	c.Metadata.Set(thrift.Int64Field(offsetID, o.Size))
	c.Metadata.Set(thrift.Int32Field(lengthID, int32(len(index))))
	_, err := o.Write(index)
	return err
}
