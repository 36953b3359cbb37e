package verify

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// parquetFile is a Parquet file as parquet-go reads it. Pages go through pageStream
// first. The library does not defend itself against hostile files: it is given inputs that
// the run has read, which their identities prove, and objects whose digests are those of
// the run manifest. Where it panics all the same, that is an error here. Safe for
// concurrent use.
type parquetFile struct {
	r      *watched
	size   int64
	footer []field // as it stands: parquet-go's own structs lose fields
	file   *parquet.File
	leaves []leaf
	ctx    context.Context // of its reading
	turn   *largeTurn      // nil: its pages need not wait

	plainOnce sync.Once
	plain     *parquet.File // see pageStream
	plainErr  error
}

// leaf is a column of the schema that has values.
type leaf struct {
	path    string   // dotted
	short   string   // without the groups that only make up a LIST or a MAP
	lists   []string // the part of short up to each LIST above it
	element *format.SchemaElement
	typ     parquet.Type
	maxRep  int
	maxDef  int
	slotDef int // definition level from which on a value is an element of the innermost list
}

func (l *leaf) kind() parquet.Kind { return parquet.Kind(l.element.Type.V) }

// isBytes reports whether values are byte strings that a search can find.
func (l *leaf) isBytes() bool {
	return l.kind() == parquet.ByteArray || l.kind() == parquet.FixedLenByteArray
}

// readBuffer is how much of a column chunk is read at a time, in bytes: on an object
// store each is one request.
const readBuffer = 1 << 20

// openParquet reads the footer. It reads on under ctx.
func openParquet(ctx context.Context, r *watched) (*parquetFile, error) {
	size := r.Size()
	f := &parquetFile{r: r, size: size, ctx: ctx}
	raw, err := readFooter(r, size)
	if err != nil {
		return nil, err
	}
	if f.footer, _, err = fieldsOf(raw); err != nil {
		return nil, fmt.Errorf("footer: %w", err)
	}
	f.file, err = openFile(r, size)
	if failed := r.failed(ctx); failed != nil {
		return nil, failed
	}
	if err != nil {
		// The format allows key-value pairs without a value; parquet-go fails over them.
		bare, stripErr := withoutKeyValues(f.footer)
		if stripErr != nil {
			return nil, err
		}
		patched := withFooter(r, size-int64(len(raw))-8, bare)
		file, againErr := openFile(patched, patched.size())
		if againErr != nil {
			return nil, err
		}
		f.file = file
	}
	f.leaves = leavesOf(f.file)
	return f, nil
}

func openFile(r io.ReaderAt, size int64) (f *parquet.File, err error) {
	defer recovered(&err)
	buffer := int(min(readBuffer, max(size, 4<<10)))
	return parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(buffer))
}

// recovered turns a panic of the library into an error. It says no more than that:
// the panic's text may hold anything.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the ordinary reader panics (%T)", p)
	}
}

func readFooter(r io.ReaderAt, size int64) ([]byte, error) {
	const most = 256 << 20
	var end [8]byte
	if size < 12 {
		return nil, errors.New("too short for a Parquet file")
	}
	if _, err := io.ReadFull(io.NewSectionReader(r, size-8, 8), end[:]); err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(end[:]))
	if string(end[4:]) != "PAR1" || n > size-12 || n > most {
		return nil, errors.New("no Parquet footer at its end")
	}
	footer := make([]byte, n)
	_, err := io.ReadFull(io.NewSectionReader(r, size-8-n, n), footer)
	return footer, err
}

// Field ids of parquet.thrift.
const (
	fileVersion      = 1 // of FileMetaData
	fileSchema       = 2
	fileRowGroups    = 4
	fileKeyValues    = 5
	fileCreatedBy    = 6
	fileColumnOrders = 7
	groupColumns     = 1 // of RowGroup
	chunkMetaData    = 3 // of ColumnChunk
	metaKeyValues    = 8 // of ColumnMetaData
	pairKey          = 1 // of KeyValue
	pairValue        = 2
)

// withoutKeyValues returns the footer without any key-value pairs.
func withoutKeyValues(footer []field) ([]byte, error) {
	bare, err := without(footer, fileKeyValues)
	if err != nil {
		return nil, err
	}
	fields, _, err := fieldsOf(bare)
	if err != nil {
		return nil, err
	}
	return without(fields, fileRowGroups, groupColumns, chunkMetaData, metaKeyValues)
}

// otherFooter is a file with another footer.
type otherFooter struct {
	data io.ReaderAt
	end  int64 // of what precedes the footer
	tail []byte
}

func withFooter(data io.ReaderAt, end int64, footer []byte) *otherFooter {
	tail := append([]byte(nil), footer...)
	tail = binary.LittleEndian.AppendUint32(tail, uint32(len(footer)))
	return &otherFooter{data, end, append(tail, "PAR1"...)}
}

func (o *otherFooter) size() int64 { return o.end + int64(len(o.tail)) }

func (o *otherFooter) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < o.end {
		var err error
		if n, err = o.data.ReadAt(p[:min(int64(len(p)), o.end-off)], off); err != nil && (!errors.Is(err, io.EOF) || n == 0) {
			return n, err
		}
	}
	if at := off + int64(n) - o.end; n < len(p) && at >= 0 && at <= int64(len(o.tail)) {
		n += copy(p[n:], o.tail[at:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// schemaWalk goes through a schema in the order in which the footer lists its elements.
type schemaWalk struct {
	elements []format.SchemaElement // those still to come
	leaves   []leaf
}

// Parts of a LIST or a MAP (LogicalTypes.md, "Nested Types"), for whose groups a short path has no name.
const (
	noPart       = iota
	partRepeated // the repeated field right below it
	partElement  // the element below a repeated group that only holds it
	partEntries  // the repeated group of a MAP's keys and values
)

func leavesOf(f *parquet.File) []leaf {
	w := schemaWalk{elements: f.Metadata().Schema[1:]}
	for _, c := range f.Root().Columns() {
		w.walk(c, leaf{}, noPart)
	}
	return w.leaves
}

// walk adds the leaves at and below a column. above is what they have of their parents.
func (w *schemaWalk) walk(c *parquet.Column, above leaf, part int) {
	l := above
	l.element = &w.elements[0]
	w.elements = w.elements[1:]
	l.path = joined(l.path, c.Name())
	if c.Repeated() {
		l.slotDef = c.MaxDefinitionLevel()
	}
	if part != partElement && (part == noPart || !c.Repeated()) {
		part = noPart
		l.short = joined(l.short, c.Name())
	}
	if c.Leaf() {
		l.typ, l.maxRep, l.maxDef = c.Type(), c.MaxRepetitionLevel(), c.MaxDefinitionLevel()
		w.leaves = append(w.leaves, l)
		return
	}
	below := noPart
	switch one := len(c.Columns()) == 1; {
	case one && isMap(l.element):
		below = partEntries
	case one && isList(l.element):
		l.lists = append(l.lists[:len(l.lists):len(l.lists)], l.short)
		below = partRepeated
	case one && part == partRepeated && c.Name() != "array" && !strings.HasSuffix(c.Name(), "_tuple"):
		below = partElement
	}
	for _, child := range c.Columns() {
		w.walk(child, l, below)
	}
}

func joined(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func isMap(e *format.SchemaElement) bool {
	if _, m := e.LogicalType.Value.(*format.MapType); m {
		return true
	}
	c := e.ConvertedType // the second is an early writers' mistake
	return c.Valid && (c.V == deprecated.Map || c.V == deprecated.MapKeyValue && e.RepetitionType.V != format.Repeated)
}

func isList(e *format.SchemaElement) bool {
	if _, list := e.LogicalType.Value.(*format.ListType); list {
		return true
	}
	return e.ConvertedType.Valid && e.ConvertedType.V == deprecated.List
}

// rows returns the number of rows of all row groups.
func (f *parquetFile) rows() (n int64) {
	for _, g := range f.groups() {
		n += g.NumRows
	}
	return n
}

func (f *parquetFile) groups() []format.RowGroup { return f.file.Metadata().RowGroups }

// chunkPages are the pages of a column chunk.
type chunkPages struct {
	stream *pageStream
	rest   parquet.Pages // all but the large ones
}

// pages opens the pages of a column chunk.
func (f *parquetFile) pages(group, column int) (_ *chunkPages, err error) {
	defer recovered(&err)
	f.plainOnce.Do(f.openPlain)
	if f.plainErr != nil {
		return nil, f.plainErr
	}
	stream, err := f.stream(group, column)
	if err != nil {
		return nil, err
	}
	chunk := f.plain.RowGroups()[group].ColumnChunks()[column].(*parquet.FileColumnChunk)
	return &chunkPages{stream, chunk.PagesFrom(stream)}, nil
}

// next returns the values of the next page, which is nil where it is a large one. io.EOF is the end.
func (p *chunkPages) next() (parquet.Page, parquet.ValueReader, error) {
	if !p.stream.pending() {
		if err := p.stream.refill(true); err != nil {
			return nil, nil, err
		}
		if large := p.stream.large; large != nil {
			p.stream.large = nil
			return nil, large, nil
		}
	}
	page, err := p.rest.ReadPage()
	if err != nil {
		return nil, nil, err
	}
	return page, page.Values(), nil
}
