package rewrite

import (
	"context"
	"io"

	"assent/job/parquet"
)

// A File is an opened Parquet file with what this package does with it.
type File struct {
	*parquet.File
	// What readers of keys hold counts against Memory, if it is not nil. They do not wait for it.
	Memory *Budget
}

// Open is parquet.Open.
func Open(ctx context.Context, r io.ReaderAt, size int64, name string) (*File, error) {
	f, err := parquet.Open(ctx, r, size, name)
	if err != nil {
		return nil, err
	}
	return &File{File: f}, nil
}

// Keys is the function Keys.
func (f *File) Keys(ctx context.Context, rowGroup int, columns []int) (*KeyReader, error) {
	k, err := Keys(ctx, f.File, rowGroup, columns)
	if err == nil {
		k.budget = f.Memory
	}
	return k, err
}

// NewWriter is the function NewWriter.
func (f *File) NewWriter(w io.Writer, opts Options) *Writer { return NewWriter(f.File, w, opts) }

// Names of package parquet.
type (
	Column      = parquet.Column
	Physical    = parquet.Physical
	Logical     = parquet.Logical
	LogicalKind = parquet.LogicalKind
	TimeUnit    = parquet.TimeUnit
	Bytes       = parquet.Bytes
	Dictionary  = parquet.Dictionary
	Vector      = parquet.Vector
	KeyValue    = parquet.KeyValue
	Error       = parquet.Error
)

// Names of package parquet.
var (
	ErrCorrupt     = parquet.ErrCorrupt
	ErrUnsupported = parquet.ErrUnsupported
	ErrNoColumn    = parquet.ErrNoColumn
	ErrAmbiguous   = parquet.ErrAmbiguous
)

// Names of package parquet.
const (
	Boolean           = parquet.Boolean
	Int32             = parquet.Int32
	Int64             = parquet.Int64
	Int96             = parquet.Int96
	Float             = parquet.Float
	Double            = parquet.Double
	ByteArray         = parquet.ByteArray
	FixedLenByteArray = parquet.FixedLenByteArray

	None      = parquet.None
	String    = parquet.String
	Enum      = parquet.Enum
	Decimal   = parquet.Decimal
	Date      = parquet.Date
	Time      = parquet.Time
	Timestamp = parquet.Timestamp
	Int       = parquet.Int
	Unknown   = parquet.Unknown
	JSON      = parquet.JSON
	UUID      = parquet.UUID
	Float16   = parquet.Float16
	Other     = parquet.Other

	Millis = parquet.Millis
	Micros = parquet.Micros
	Nanos  = parquet.Nanos
)
