package arrowparquet

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"assent/job/internal/leafwriter"
)

// Options say how a file is laid out. The zero value is a good choice for most.
type Options struct {
	Codec        compress.Codec // of every page; nil: zstd at its default level
	PageVersion  int            // of data pages: 1 or 2; 0: 1, which every reader knows
	RowGroupRows int64          // rows in a row group; 0: 131072
	// RowGroupBytes bounds the encoded pages that are in memory: a row group ends with the batch that makes its pages so large, by
	// the plain size of their values; 0: it does not.
	RowGroupBytes int
	ShortBounds   bool // bounds of byte strings are a few bytes
	PageBytes     int  // plain size at which a page ends, at most 64 MiB; 0: 1 MiB
	PageRows      int  // rows at which a page ends, at most 1048576; 0: 20000

	// Dictionary reports whether the leaf of a dotted path (`metadata.tags.list.element`)
	// is dictionary-encoded; nil: none is. A column chunk whose dictionary outgrows
	// DictionaryBytes (0: 1 MiB) goes on with plain pages.
	Dictionary      func(path string) bool
	DictionaryBytes int64

	// Delta reports whether a leaf that has no dictionary takes the delta encoding of
	// its type (DELTA_BINARY_PACKED, DELTA_BYTE_ARRAY) instead of PLAIN; nil: none does.
	Delta func(path string) bool
}

// Limits that keep the library's buffers, which are sized by them, in bounds.
const (
	maxPageBytes = 64 << 20
	maxPageRows  = 1 << 20
)

func (o Options) withDefaults() (Options, error) {
	if o.Codec == nil {
		o.Codec = &zstd.Codec{}
	}
	o.PageVersion = cmp.Or(o.PageVersion, 1)
	o.RowGroupRows = cmp.Or(o.RowGroupRows, 128<<10)
	o.PageBytes = cmp.Or(o.PageBytes, 1<<20)
	o.PageRows = cmp.Or(o.PageRows, 20_000)
	o.DictionaryBytes = cmp.Or(o.DictionaryBytes, 1<<20)
	switch {
	case o.PageVersion != 1 && o.PageVersion != 2:
		return o, fmt.Errorf("page version %d: neither 1 nor 2", o.PageVersion)
	case o.RowGroupRows < 0, o.DictionaryBytes < 0:
		return o, errors.New("negative size of row group or dictionary")
	case o.PageRows < 0, o.PageRows > maxPageRows:
		return o, fmt.Errorf("page of %d rows: not between 1 and %d", o.PageRows, maxPageRows)
	case o.PageBytes < 0, o.PageBytes > maxPageBytes:
		return o, fmt.Errorf("page size %d: not between 1 and %d bytes", o.PageBytes, maxPageBytes)
	}
	return o, nil
}

// Writer writes record batches of one schema to one file. It holds the encoded
// pages of a row group, and no more, in memory. It is for one goroutine; an error
// is final.
type Writer struct {
	schema   *arrow.Schema
	file     *leafwriter.Writer
	columns  []*column
	fields   [][]*column // the leaves of each field
	finished error       // why no more can be written
}

var errClosed = errors.New("writer is closed")

// NewWriter returns a writer of a file to out, which it does not close. The error
// is about the options, or about a type (ErrUnsupported).
func NewWriter(out io.Writer, schema *arrow.Schema, options Options) (*Writer, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	parquetSchema, err := schemaOf(schema, &options)
	if err != nil {
		return nil, err
	}
	layout := leafwriter.Layout{GroupRows: options.RowGroupRows, GroupBytes: options.RowGroupBytes, PageRows: options.PageRows, PageBytes: options.PageBytes}
	w := &Writer{schema: schema, file: leafwriter.New(out, parquetSchema, layout,
		parquet.Compression(options.Codec),
		parquet.DataPageVersion(options.PageVersion),
		parquet.DataPageStatistics(false), // the page index, which is always written, has them
		parquet.DictionaryMaxBytes(options.DictionaryBytes),
		parquet.CreatedBy("assent", "1.0.0", "parquet-go"))}
	for _, f := range schema.Fields() {
		leaves := leavesOf(f)
		for _, c := range leaves {
			c.index = len(w.columns)
			c.leaf = w.file.Leaves[c.index]
			w.columns = append(w.columns, c)
		}
		w.fields = append(w.fields, leaves)
	}
	return w, nil
}

// Write appends the rows of a batch, whose schema must be the writer's. It keeps
// no reference to the batch.
func (w *Writer) Write(batch arrow.Record) error {
	if w.finished == nil {
		w.finished = w.write(batch)
	}
	return w.finished
}

func (w *Writer) write(batch arrow.Record) error {
	if s := batch.Schema(); s != w.schema && !s.Equal(w.schema) {
		return errors.New("the batch's schema is not the file's")
	}
	for i, leaves := range w.fields {
		for _, c := range leaves {
			if err := c.bind(batch.Column(i)); err != nil {
				return fmt.Errorf("%s: %w", c.path, err)
			}
		}
	}
	defer w.unbind()
	for from := int64(0); from < batch.NumRows(); {
		n := min(batch.NumRows()-from, w.file.Room())
		for _, c := range w.columns {
			if err := c.write(int(from), int(from+n)); err != nil {
				return fmt.Errorf("%s: %w", c.path, err)
			}
		}
		from += n
		if err := w.file.EndRows(n); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) unbind() {
	for _, c := range w.columns {
		clear(c.arrays)
		c.value = nil
	}
}

// Close writes the last row group and the footer. A file without rows is a valid
// one, without row groups.
func (w *Writer) Close() error {
	if w.finished != nil {
		return w.finished
	}
	w.finished = errClosed
	return w.file.Close()
}
