package parquet

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"assent/job/parquet/codec"
	"assent/job/parquet/encoding"
	"assent/job/parquet/thrift"
)

var (
	// ErrCorrupt marks bytes that are not those of a Parquet file: damaged, cut short, or contradicting themselves.
	ErrCorrupt = errors.New("corrupt file")
	// ErrUnsupported marks a file that may be in order and still is not read: encrypted, compressed with
	// LZO, spread over several files, or beyond the limits stated in the package comment.
	ErrUnsupported = errors.New("unsupported file")
	// ErrNoColumn is wrapped by Lookup where no leaf column has the path.
	ErrNoColumn = errors.New("no such column")
	// ErrAmbiguous is wrapped by Lookup where several leaf columns have the path.
	ErrAmbiguous = errors.New("ambiguous column")
)

// An Error is a fault of the file's bytes and the place where it was met. It wraps ErrCorrupt or ErrUnsupported
// and never holds a value of the file.
type Error struct {
	File     string // the name given to Open
	RowGroup int    // -1: none
	Column   string // dotted path, empty: none
	Page     int    // counted from 0 within the column chunk, dictionary page included; -1: none
	Err      error
}

// Error returns "file: row group g: column c: page p: cause".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.RowGroup >= 0 {
		fmt.Fprintf(&b, ": row group %d", e.RowGroup)
	}
	if e.Column != "" {
		fmt.Fprintf(&b, ": column %s", e.Column)
	}
	if e.Page >= 0 {
		fmt.Fprintf(&b, ": page %d", e.Page)
	}
	return b.String() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Corruptf returns an error that wraps ErrCorrupt and the errors that the format wraps.
func Corruptf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrCorrupt, fmt.Errorf(format, args...))
}

// Unsupportedf returns an error that wraps ErrUnsupported and the errors that the format wraps.
func Unsupportedf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUnsupported, fmt.Errorf(format, args...))
}

// Classify turns the errors of the packages below into ErrCorrupt and ErrUnsupported; what is neither (reading,
// writing, cancelling) stays as it is.
func Classify(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrCorrupt), errors.Is(err, ErrUnsupported):
		return err
	case errors.Is(err, codec.ErrUnsupported), errors.Is(err, encoding.ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	case errors.Is(err, codec.ErrCorrupt), errors.Is(err, encoding.ErrCorrupt), errors.Is(err, thrift.ErrMalformed):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// Fault gives a fault of the bytes its place; other errors get the file's name alone. An error that already
// has a place keeps it.
func (f *File) Fault(err error, rowGroup, column, page int) error {
	if err == nil {
		return nil
	}
	var placed *Error
	if errors.As(err, &placed) {
		return err
	}
	err = Classify(err)
	if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupported) {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	e := &Error{File: f.name, RowGroup: rowGroup, Page: page, Err: err}
	if column >= 0 {
		e.Column = f.columns[column].Name()
	}
	return e
}

// ReadFull reads exactly len(p) bytes at off. A file that ends before the size it was opened with is an error of
// reading, not of the bytes.
func (f *File) ReadFull(p []byte, off int64) error {
	n, err := f.r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(p), off, err)
}
