package table

import (
	"io"
	"math"
	"sync"

	"assent/job/parquet"
	"assent/job/parquet/codec"
	"assent/job/parquet/thrift"
)

// A Writer writes a document. It is not safe for concurrent use.
type Writer struct {
	out    parquet.Output
	err    error
	schema *Schema
	by     string
	rows   int64
	groups []rowGroup
	chunks []Chunk // by leaf, of the row group that is being written

	page     parquet.EncodedPage
	raw      []byte  // a page before compression
	prefixes []int32 // of DELTA_BYTE_ARRAY, their lengths
	suffixes []int32
	levels   []uint8 // that are all level
	level    uint8
	literals literals
	stats    []byte // a page header's Statistics
}

// A rowGroup is one that is written, or being written.
type rowGroup struct {
	start   int64
	size    int64
	rawSize int64 // with page headers
	rows    int64
	sorted  int
	chunks  []parquet.WrittenChunk
	taken   *parquet.MovedGroup // of another document; then chunks are its, and nothing else is set
}

// NewWriter returns a writer of documents, each of which begins with Reset. by names the application.
func NewWriter(schema *Schema, by string) *Writer {
	return &Writer{schema: schema, by: by, chunks: make([]Chunk, len(schema.columns))}
}

// codecs holds idle codecs, of a megabyte and more each: there are as many as goroutines that write at a time, and not one for each of the
// many files that are.
var codecs = sync.Pool{New: func() any { return &codec.Codec{Fast: true} }}

func withCodec(do func(*codec.Codec) error) error {
	c := codecs.Get().(*codec.Codec)
	defer codecs.Put(c)
	return do(c)
}

// Reset begins a new file, which goes to dst and is not closed, keeping the writer's memory.
func (w *Writer) Reset(dst io.Writer) {
	w.out.Reset(dst)
	w.rows, w.groups = 0, w.groups[:0]
	w.err = w.out.Begin()
}

// Err returns the first error.
func (w *Writer) Err() error { return w.err }

// Fail makes err the writer's error, if it has none yet, and returns the one that it has.
func (w *Writer) Fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}

// Size returns how many bytes are written.
func (w *Writer) Size() int64 { return w.out.Size }

// BeginGroup begins a row group.
func (w *Writer) BeginGroup() {
	w.groups = append(w.groups, rowGroup{start: w.out.Size, chunks: make([]parquet.WrittenChunk, len(w.chunks))})
}

// EndGroup ends the row group of so many rows, which are in the order of the leaf sorted.
func (w *Writer) EndGroup(rows, sorted int) error {
	g := &w.groups[len(w.groups)-1]
	g.rows, g.sorted = int64(rows), sorted
	w.rows += int64(rows)
	return w.err
}

// NumGroups returns how many row groups are written.
func (w *Writer) NumGroups() int { return len(w.groups) }

// Take writes row group i of another document of the same schema, its pages as they are.
func (w *Writer) Take(f *File, i int) {
	if w.err != nil {
		return
	}
	g, err := w.out.Take(f.File, i)
	if err != nil {
		w.err = f.Fault(err, i, -1, -1)
		return
	}
	w.groups = append(w.groups, rowGroup{chunks: g.Chunks, taken: g})
	w.rows += f.RowGroupRows(i)
}

// Finish writes the page indexes and the footer.
func (w *Writer) Finish(keyValues []parquet.KeyValue) error {
	if w.err != nil {
		return w.err
	}
	var chunks []*parquet.WrittenChunk
	for i := range w.groups {
		for j := range w.groups[i].chunks {
			chunks = append(chunks, &w.groups[i].chunks[j])
		}
	}
	return w.Fail(w.out.Finish(chunks, func() thrift.Struct { return w.footer(keyValues) }))
}

// footer returns the FileMetaData.
func (w *Writer) footer(keyValues []parquet.KeyValue) thrift.Struct {
	var groups, pairs, orders []byte
	for i := range w.groups {
		groups = w.groups[i].metadata(i).Append(groups)
	}
	for _, kv := range keyValues {
		pairs = thrift.Struct{thrift.BytesField(1, []byte(kv.Key)), thrift.BytesField(2, []byte(*kv.Value))}.Append(pairs)
	}
	for range w.chunks {
		orders = thrift.Struct{thrift.StructField(1, nil)}.Append(orders)
	}
	return thrift.Struct{
		thrift.Int32Field(parquet.FileVersion, 2),
		w.schema.elements,
		thrift.Int64Field(parquet.FileNumRows, w.rows),
		thrift.ListField(parquet.FileRowGroups, thrift.StrucT, len(w.groups), groups),
		thrift.ListField(parquet.FileKeyValues, thrift.StrucT, len(keyValues), pairs),
		thrift.BytesField(parquet.FileCreatedBy, []byte(w.by)),
		thrift.ListField(parquet.FileColumnOrders, thrift.StrucT, len(w.chunks), orders),
	}
}

// metadata returns the RowGroup, the i-th of the file.
func (g *rowGroup) metadata(i int) thrift.Struct {
	if g.taken != nil {
		return g.taken.Metadata(i, true)
	}
	var chunks []byte
	for j := range g.chunks {
		chunks = g.chunks[j].Metadata.Append(chunks)
	}
	sorted := thrift.Struct{thrift.Int32Field(1, int32(g.sorted)), thrift.BoolField(2, false), thrift.BoolField(3, false)}
	s := thrift.Struct{
		thrift.ListField(parquet.GroupColumns, thrift.StrucT, len(g.chunks), chunks),
		thrift.Int64Field(parquet.GroupTotalByteSize, g.rawSize),
		thrift.Int64Field(parquet.GroupNumRows, g.rows),
		thrift.ListField(parquet.GroupSortingColumns, thrift.StrucT, 1, sorted.Append(nil)),
		thrift.Int64Field(parquet.GroupFileOffset, g.start),
		thrift.Int64Field(parquet.GroupTotalCompressedSize, g.size),
	}
	if i <= math.MaxInt16 { // an ordinal has 16 bits
		s = append(s, thrift.Int16Field(parquet.GroupOrdinal, int16(i)))
	}
	return s
}
