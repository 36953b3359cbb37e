package verify

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"assent/job/parquet/thrift"
)

// ordinary is a Parquet file as parquet-go reads it: the audit's reader, which has
// nothing in common with the one that filtered the file. What that library is known
// to read wrong goes through pageStream first. It does not defend itself against
// hostile files: it is given inputs whose footers the run's own reader has checked,
// and objects whose digests are those of the run manifest; where it panics all the
// same, that is an error here. Safe for concurrent use.
type ordinary struct {
	r      *watched
	size   int64
	footer thrift.Struct // as it stands: parquet-go's own structs lose fields
	file   *parquet.File
	leaves []leaf
	ctx    context.Context // of its reading

	plainOnce sync.Once
	plain     *parquet.File // see pageStream
	plainErr  error
}

// leaf is a leaf of the schema.
type leaf struct {
	path    string // dotted
	element *format.SchemaElement
	typ     parquet.Type
	maxRep  int
	maxDef  int
	slotDef int // definition level from which on a value is an element of the innermost list
}

// bytesLike reports whether values are byte strings that a search can find.
func (l *leaf) bytesLike() bool {
	k := parquet.Kind(l.element.Type.V)
	return k == parquet.ByteArray || k == parquet.FixedLenByteArray
}

// readBuffer is how much of a column chunk is read at a time, in bytes: on an object
// store each is one request.
const readBuffer = 1 << 20

var fileOptions = []parquet.FileOption{
	parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(readBuffer),
}

// openOrdinary reads the footer.
func openOrdinary(ctx context.Context, r *watched) (*ordinary, error) {
	size := r.Size()
	f := &ordinary{r: r, size: size, ctx: ctx}
	raw, err := readFooter(r, size)
	if err != nil {
		return nil, err
	}
	if f.footer, _, err = thrift.Parse(raw); err != nil {
		return nil, fmt.Errorf("footer: %w", err)
	}
	f.file, err = openFile(r, size)
	if failed := r.failed(ctx); failed != nil {
		return nil, failed
	}
	if err != nil {
		// Key-value pairs without a value are in order, and parquet-go fails over them.
		without, stripErr := stripKeyValues(f.footer)
		if stripErr != nil {
			return nil, err
		}
		patched := withFooter(r, size-int64(len(raw))-8, without)
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
	return parquet.OpenFile(r, size, fileOptions...)
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

// stripKeyValues returns the footer without any key-value pairs.
func stripKeyValues(footer thrift.Struct) ([]byte, error) {
	footer = slices.Clone(footer)
	footer.Delete(fileKeyValues)
	err := mapList(&footer, fileRowGroups, func(group *thrift.Struct) error {
		return mapList(group, groupColumns, func(chunk *thrift.Struct) error {
			meta, err := chunk.Struct(chunkMetaData)
			if err == nil && meta.Has(metaKeyValues) {
				meta.Delete(metaKeyValues)
				chunk.Set(thrift.StructField(chunkMetaData, meta))
			}
			return err
		})
	})
	return footer.Append(nil), err
}

// mapList changes each struct of a list field.
func mapList(s *thrift.Struct, id int16, change func(*thrift.Struct) error) error {
	list, err := s.List(id)
	if err != nil {
		return err
	}
	var out []byte
	n := 0
	for _, raw := range list.Elements() {
		element, _, err := thrift.Parse(raw)
		if err != nil {
			return err
		}
		if err := change(&element); err != nil {
			return err
		}
		out = element.Append(out)
		n++
	}
	s.Set(thrift.ListField(id, thrift.StrucT, n, out))
	return nil
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

func leavesOf(f *parquet.File) []leaf {
	var leaves []leaf
	elements := f.Metadata().Schema
	next := 0 // element
	var walk func(c *parquet.Column, path string, slotDef int)
	walk = func(c *parquet.Column, path string, slotDef int) {
		element := &elements[next]
		next++
		if next > 1 { // the root has no name
			if path != "" {
				path += "."
			}
			path += c.Name()
			if c.Repeated() {
				slotDef = c.MaxDefinitionLevel()
			}
		}
		if c.Leaf() {
			leaves = append(leaves, leaf{path, element, c.Type(), c.MaxRepetitionLevel(), c.MaxDefinitionLevel(), slotDef})
			return
		}
		for _, child := range c.Columns() {
			walk(child, path, slotDef)
		}
	}
	walk(f.Root(), "", 0)
	return leaves
}

// rows returns the number of rows of all row groups.
func (f *ordinary) rows() (n int64) {
	for _, g := range f.groups() {
		n += g.NumRows
	}
	return n
}

func (f *ordinary) groups() []format.RowGroup { return f.file.Metadata().RowGroups }

// find returns the leaf with the full dotted path; -1 where there is none.
func (f *ordinary) find(path string) int {
	for i := range f.leaves {
		if f.leaves[i].path == path {
			return i
		}
	}
	return -1
}

// byHand says why a chunk's pages are to be taken apart by pageStream; empty where
// parquet-go reads them.
func (f *ordinary) byHand(group, column int) string {
	groups := f.groups()
	meta := &groups[group].Columns[column].MetaData
	switch first := groups[0].Columns[column].MetaData.Codec; {
	case meta.Codec == format.Lz4Raw, meta.Codec == format.Lz4: // read wrong; not read
		return "codec " + meta.Codec.String()
	case meta.Codec != first: // it takes the first one for all
		return "row groups differ in their codec"
	}
	if parquet.Kind(f.leaves[column].element.Type.V) == parquet.Boolean && hasRLEPages(meta) {
		return "RLE booleans"
	}
	return ""
}

// hasRLEPages reports whether a boolean chunk may have pages of RLE values. Without
// counts by page type, the encodings named may be those of levels.
func hasRLEPages(meta *format.ColumnMetaData) bool {
	counted := false
	for _, s := range meta.EncodingStats {
		if s.PageType == format.DataPage || s.PageType == format.DataPageV2 {
			counted = true
			if s.Encoding == format.RLE {
				return true
			}
		}
	}
	if counted {
		return false
	}
	for _, e := range meta.Encoding {
		if e == format.RLE {
			return true
		}
	}
	return false
}

// pages opens the pages of a column chunk.
func (f *ordinary) pages(group, column int, byHand bool) (_ parquet.Pages, err error) {
	defer recovered(&err)
	if !byHand {
		return f.file.RowGroups()[group].ColumnChunks()[column].Pages(), nil
	}
	f.plainOnce.Do(f.openPlain)
	if f.plainErr != nil {
		return nil, f.plainErr
	}
	stream, err := f.stream(group, column)
	if err != nil {
		return nil, err
	}
	chunk := f.plain.RowGroups()[group].ColumnChunks()[column].(*parquet.FileColumnChunk)
	return chunk.PagesFrom(stream), nil
}
