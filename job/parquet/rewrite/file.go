package rewrite

import (
	"context"
	"io"

	"golang.org/x/sync/semaphore"

	"assent/job/parquet"
)

// A File is an opened Parquet file with what this package does with it.
type File struct {
	*parquet.File
	// What readers of keys hold is taken from Memory, if it is not nil; see Budget.
	Memory *Budget
	// Who reads keys holds a unit of CPU, if it is not nil. It is given back while they wait for input.
	CPU *semaphore.Weighted
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
	if err != nil {
		return nil, err
	}
	k.budget = f.Memory
	if f.CPU != nil {
		k.gate = &gate{ctx: ctx, cpu: f.CPU}
		for _, c := range k.cols {
			c.walk.src.gate = k.gate
		}
	}
	return k, nil
}

// CheckLayout checks that columns can be dropped and changed as options have it. Errors that wrap ErrPartOfWhole are of the options,
// not of the file.
func (f *File) CheckLayout(opts *Options) error {
	_, err := newLayout(f.File, opts)
	return err
}

// NewWriter is the function NewWriter.
func (f *File) NewWriter(w io.Writer, opts Options) *Writer { return NewWriter(f.File, w, opts) }
