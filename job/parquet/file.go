package parquet

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"

	"assent/job/parquet/codec"
	"assent/job/parquet/thrift"
)

// A File is an opened Parquet file: its footer is read and checked. It is safe for concurrent use.
type File struct {
	// FiltersLast says that bloom filters stand behind all row groups, and not each behind its own: it is set where that is known.
	FiltersLast bool

	r       io.ReaderAt
	size    int64
	name    string
	meta    thrift.Struct // FileMetaData as it stands
	dataEnd int64         // where the footer begins
	rows    int64
	root    *Node
	columns []Column
	groups  []rowGroup
	keys    []KeyValue
	by      string
	app     Application
	ordered bool // column_orders are given
}

// Held is a reader that has the bytes of a file in memory, from an offset to the file's end. Nobody writes to them.
type Held interface {
	io.ReaderAt
	Held() (bytes []byte, from int64)
}

// Awaiting is a reader that is told how large a footer is before it is read, if it is large. It may wait until there is room.
type Awaiting interface {
	io.ReaderAt
	Await(footer int64) error // bytes
}

// held returns n bytes of the file, which are in memory; nil where they are not, or are none of the file.
func (f *File) held(at, n int64) []byte {
	h, ok := f.r.(Held)
	if !ok || n < 0 {
		return nil
	}
	b, from := h.Held()
	if at < from || at-from > int64(len(b))-n {
		return nil
	}
	return b[at-from:][:n:n]
}

// rowGroup is a row group's metadata. It is kept encoded and parsed again where it is needed, so that a file of many row groups
// takes no more memory than its footer.
type rowGroup struct {
	raw    []byte
	rows   int64
	chunks thrift.List // encoded, within raw
}

// A KeyValue is an entry of the file's key-value metadata. Value is nil where the entry has none.
type KeyValue struct {
	Key   string
	Value *string
}

const (
	Magic          = "PAR1"
	magicEncrypted = "PARE"
	tailRead       = 64 << 10  // first read at the end of a file; most footers fit
	maxFooter      = 256 << 20 // bytes
	maxGroupRows   = 1<<31 - 1
)

// Open reads and checks the footer of the file that r holds in size bytes. It makes at most three reads and keeps the footer in
// memory. All counts and ranges that the footer claims are checked against the size. name is used in errors only. Faults of the
// bytes are *Error; errors of r are passed on, wrapped.
func Open(ctx context.Context, r io.ReaderAt, size int64, name string) (*File, error) {
	f, err := OpenFooter(ctx, r, size, name)
	if err != nil {
		return nil, err
	}
	for i := range f.groups {
		if _, err := f.Chunks(i); err != nil {
			return nil, err
		}
	}
	var head [4]byte
	if err = f.ReadFull(head[:], 0); err == nil && string(head[:]) != Magic {
		err = Corruptf("no %s at the start", Magic)
	}
	if err != nil {
		return nil, f.Fault(err, -1, -1, -1)
	}
	return f, nil
}

// OpenFooter is Open without a look at how the file begins, which is one read less, nor at column chunks: Chunks checks those of a row
// group when they are asked for.
func OpenFooter(ctx context.Context, r io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{r: r, size: size, name: name}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	footer, err := f.readFooter()
	if err == nil {
		err = f.parseFooter(footer)
	}
	if err != nil {
		return nil, f.Fault(err, -1, -1, -1)
	}
	return f, nil
}

func (f *File) readFooter() ([]byte, error) {
	if f.size < 12 {
		return nil, Corruptf("%d bytes are too few", f.size)
	}
	tail := f.held(f.size-min(f.size, tailRead), min(f.size, tailRead))
	if tail == nil {
		tail = make([]byte, min(f.size, tailRead))
		if err := f.ReadFull(tail, f.size-int64(len(tail))); err != nil {
			return nil, err
		}
	}
	switch string(tail[len(tail)-4:]) {
	case Magic:
	case magicEncrypted:
		return nil, Unsupportedf("encrypted")
	default:
		return nil, Corruptf("no %s at the end", Magic)
	}
	n := int64(binary.LittleEndian.Uint32(tail[len(tail)-8:]))
	if n > f.size-12 {
		return nil, Corruptf("a footer of %d bytes in a file of %d", n, f.size)
	}
	if n > maxFooter {
		return nil, Unsupportedf("a footer of more than %d bytes", maxFooter)
	}
	f.dataEnd = f.size - 8 - n
	if footer := f.held(f.dataEnd, n); footer != nil {
		return footer, nil
	}
	if have := int64(len(tail) - 8); n <= have {
		return bytes.Clone(tail[have-n : have]), nil
	}
	if a, ok := f.r.(Awaiting); ok {
		if err := a.Await(n); err != nil {
			return nil, err
		}
	}
	footer := make([]byte, n)
	have := copy(footer[n-int64(len(tail)-8):], tail)
	return footer, f.ReadFull(footer[:n-int64(have)], f.dataEnd)
}

func (f *File) parseFooter(b []byte) error {
	var err error
	if f.meta, _, err = thrift.Parse(b); err != nil {
		return err
	}
	if f.meta.Has(FileEncryption) || f.meta.Has(FileFooterSigningKey) {
		return Unsupportedf("encrypted columns")
	}
	schema, err := f.meta.Structs(FileSchema)
	if err != nil {
		return err
	}
	if f.root, f.columns, err = ParseSchema(schema); err != nil {
		return err
	}
	by, _, err := f.meta.Bytes(FileCreatedBy)
	if err != nil {
		return err
	}
	f.by, f.app = string(by), parseApplication(string(by))
	if err := f.parseOrders(); err != nil {
		return err
	}
	if err := f.parseKeyValues(); err != nil {
		return err
	}
	return f.parseGroups()
}

// parseOrders reads column_orders. A column whose order is not the one that its type defines gets OrderNone, so that nobody uses
// or writes its minima and maxima.
func (f *File) parseOrders() error {
	orders, err := f.meta.Structs(FileColumnOrders)
	if err != nil {
		return err
	}
	if orders.Len == 0 {
		return nil
	}
	if orders.Len != len(f.columns) {
		return Corruptf("%d column orders for %d columns", orders.Len, len(f.columns))
	}
	f.ordered = true
	var o thrift.Struct
	for i, raw := range orders.Elements() {
		if o, _, err = thrift.ParseIn(o, raw); err != nil {
			return err
		}
		if len(o) != 1 || o[0].ID != 1 {
			f.columns[i].Order = OrderNone
		}
	}
	return nil
}

func (f *File) parseKeyValues() error {
	l, err := f.meta.Structs(FileKeyValues)
	if err != nil {
		return err
	}
	var s thrift.Struct
	for _, raw := range l.Elements() {
		if s, _, err = thrift.ParseIn(s, raw); err != nil {
			return err
		}
		key, _, err := s.Bytes(1)
		if err != nil {
			return err
		}
		kv := KeyValue{Key: string(key)}
		value, ok, err := s.Bytes(2)
		if err != nil {
			return err
		}
		if ok {
			v := string(value)
			kv.Value = &v
		}
		f.keys = append(f.keys, kv)
	}
	return nil
}

func (f *File) parseGroups() error {
	rows, err := f.meta.Int(FileNumRows, 0)
	if err != nil {
		return err
	}
	l, err := f.meta.Structs(FileRowGroups)
	if err != nil {
		return err
	}
	f.groups = make([]rowGroup, 0, min(l.Len, 1<<10))
	var g thrift.Struct
	for _, raw := range l.Elements() {
		if g, _, err = thrift.ParseIn(g, raw); err != nil {
			return err
		}
		n, err := g.Int(GroupNumRows, 0)
		if err != nil {
			return err
		}
		if n < 0 {
			return Corruptf("row group %d has %d rows", len(f.groups), n)
		}
		if n > maxGroupRows {
			return Unsupportedf("row group %d has %d rows, more than %d", len(f.groups), n, maxGroupRows)
		}
		if f.rows > math.MaxInt64-n {
			return Corruptf("too many rows")
		}
		f.rows += n
		chunks, err := g.Structs(GroupColumns)
		if err != nil {
			return err
		}
		f.groups = append(f.groups, rowGroup{raw, n, chunks})
	}
	if f.rows != rows && rows != 0 { // some writers left it at 0
		return Corruptf("%d rows in the footer, %d in its row groups", rows, f.rows)
	}
	return nil
}

// A Chunk is the metadata of a column chunk. Its range lies within the file, before the footer.
type Chunk struct {
	Raw              thrift.Struct // ColumnChunk
	Metadata         thrift.Struct // ColumnMetaData
	Column           int           // index of its leaf in File.Columns
	Codec            codec.ID
	Values           int64 // slots, nulls and empty lists included
	Start, End       int64 // where its pages lie
	DictionaryOffset int64 // 0: none named
	DataOffset       int64

	// MiscountedRows says that the headers of V2 pages state a wrong number of rows. A PageWalk sets it to -1, and Page counts
	// the rows from the levels. Such a header must not be copied.
	MiscountedRows bool
}

// chunkList returns the column chunks of a row group, encoded.
func (f *File) chunkList(rowGroup int) (thrift.List, error) {
	l := f.groups[rowGroup].chunks
	if l.Len != len(f.columns) {
		return l, f.Fault(Corruptf("%d column chunks for %d columns", l.Len, len(f.columns)), rowGroup, -1, -1)
	}
	return l, nil
}

// Chunk is Chunks for one column alone.
func (f *File) Chunk(rowGroup, column int) (c Chunk, err error) {
	l, err := f.chunkList(rowGroup)
	if err != nil {
		return c, err
	}
	err = Corruptf("no such column chunk")
	for i, raw := range l.Elements() {
		if i == column {
			c, err = f.parseChunk(raw, i, f.groups[rowGroup].rows)
			break
		}
	}
	if err != nil {
		return c, f.Fault(err, rowGroup, column, -1)
	}
	return c, nil
}

// Chunks parses and checks the column chunks of a row group.
func (f *File) Chunks(rowGroup int) ([]Chunk, error) {
	l, err := f.chunkList(rowGroup)
	if err != nil {
		return nil, err
	}
	chunks := make([]Chunk, l.Len)
	for i, raw := range l.Elements() {
		if chunks[i], err = f.parseChunk(raw, i, f.groups[rowGroup].rows); err != nil {
			return nil, f.Fault(err, rowGroup, i, -1)
		}
	}
	return chunks, nil
}

func (f *File) parseChunk(raw []byte, column int, rows int64) (Chunk, error) {
	c := Chunk{Column: column}
	var err error
	if c.Raw, _, err = thrift.Parse(raw); err != nil {
		return c, err
	}
	if c.Raw.Has(ChunkCrypto) || c.Raw.Has(ChunkEncryptedMetaData) {
		return c, Unsupportedf("encrypted")
	}
	if path, _, err := c.Raw.Bytes(ChunkFilePath); err != nil {
		return c, err
	} else if len(path) > 0 {
		return c, Unsupportedf("data in another file")
	}
	if c.Metadata, err = c.Raw.Struct(ChunkMetaData); err != nil {
		return c, err
	}
	if c.Metadata == nil {
		return c, Corruptf("no metadata")
	}
	var physical, id, compressed int64
	for _, field := range []struct {
		id  int16
		to  *int64
		def int64
	}{
		{MetaType, &physical, -1}, {MetaCodec, &id, -1}, {MetaNumValues, &c.Values, -1}, {MetaTotalCompressedSize, &compressed, -1},
		{MetaDataPageOffset, &c.DataOffset, -1}, {MetaDictionaryPageOffset, &c.DictionaryOffset, 0},
	} {
		if *field.to, err = c.Metadata.Int(field.id, field.def); err != nil {
			return c, err
		}
	}
	col := &f.columns[column]
	if Physical(physical) != col.Physical {
		return c, Corruptf("stored as %s, declared %s", Physical(physical), col.Physical)
	}
	if c.Codec = codec.ID(id); !c.Codec.Supported() {
		return c, Unsupportedf("compression %s", c.Codec)
	}
	if c.Values < rows || col.MaxRep == 0 && c.Values != rows {
		return c, Corruptf("%d values in %d rows", c.Values, rows)
	}
	c.MiscountedRows = col.MaxRep > 0 && f.app.miscountsRows()
	return c, f.locate(&c, compressed)
}

// locate sets the chunk's range. The chunk begins at its dictionary page, if the footer names one before the data pages. Some
// writers have named a dictionary page at 0 or behind the data pages.
func (f *File) locate(c *Chunk, compressed int64) error {
	c.Start = c.DataOffset
	if c.DictionaryOffset > 0 && c.DictionaryOffset < c.DataOffset {
		c.Start = c.DictionaryOffset
	}
	if c.Values == 0 {
		c.Start, c.End = 4, 4 // no values: nothing is read
		return nil
	}
	if c.Start < 4 || compressed < 0 || compressed > f.dataEnd-c.Start {
		return Corruptf("%d bytes at %d are outside of the data", compressed, c.Start)
	}
	c.End = c.Start + compressed
	if f.app.omitsDictionaryHeader() {
		c.End = min(c.End+maxOmittedHeader, f.dataEnd)
	}
	return nil
}

// NumRows returns the number of rows of all row groups.
func (f *File) NumRows() int64 { return f.rows }

// NumRowGroups returns the number of row groups.
func (f *File) NumRowGroups() int { return len(f.groups) }

// RowGroupRows returns the number of rows of row group i, at most 2^31-1.
func (f *File) RowGroupRows(i int) int64 { return f.groups[i].rows }

// Columns returns the leaves in schema order. They belong to f.
func (f *File) Columns() []Column { return f.columns }

// Name returns the name given to Open.
func (f *File) Name() string { return f.name }

// Metadata returns the file's FileMetaData as it stands. It must not be changed.
func (f *File) Metadata() thrift.Struct { return f.meta }

// RowGroup returns the RowGroup i as it stands.
func (f *File) RowGroup(i int) (thrift.Struct, error) {
	g, _, err := thrift.Parse(f.groups[i].raw)
	return g, err
}

// DataEnd returns the offset at which the footer begins: pages, indexes and filters lie before it.
func (f *File) DataEnd() int64 { return f.dataEnd }

// KeyValues returns the key-value metadata in its order. It belongs to f.
func (f *File) KeyValues() []KeyValue { return f.keys }

// Application returns the writing application, as CreatedBy names it.
func (f *File) Application() Application { return f.app }

// Ordered reports whether the footer gives column_orders, without which min_value and max_value mean nothing.
func (f *File) Ordered() bool { return f.ordered }

// Root returns the schema's root, whose children are the file's fields. It belongs to f.
func (f *File) Root() *Node { return f.root }

// CreatedBy returns the name of the writing application, empty where the file has none.
func (f *File) CreatedBy() string { return f.by }

// KeyValue returns the value of the first entry of the key-value metadata with that key that has one.
func (f *File) KeyValue(key string) (string, bool) {
	for _, kv := range f.keys {
		if kv.Key == key && kv.Value != nil {
			return *kv.Value, true
		}
	}
	return "", false
}
