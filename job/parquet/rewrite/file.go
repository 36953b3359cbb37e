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

// CheckLayout checks that columns can be dropped and changed as options have it. Errors that wrap ErrPartOfWhole are of the options,
// not of the file.
func (f *File) CheckLayout(opts *Options) error {
	_, err := newLayout(f.File, opts)
	return err
}

// NewWriter is the function NewWriter.
func (f *File) NewWriter(w io.Writer, opts Options) *Writer { return NewWriter(f.File, w, opts) }
