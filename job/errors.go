package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"assent/job/internal/objstore"
	"assent/job/internal/source/listing"
	"assent/job/parquet"
)

// Exit codes of the program.
const (
	ExitOK          = 0
	ExitFailed      = 1 // nothing published; safe to repeat as it is
	ExitUsage       = 2 // wrong usage or config, also one that does not fit the inputs
	ExitRefused     = 3 // a gate or an audit failed
	ExitBadInput    = 4 // bad input data
	ExitInterrupted = 130
)

// Error is a failure with its exit code and, where there is one, a next step.
type Error struct {
	Exit int
	Hint string // may be empty
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// UsageError is an error of wrong usage or configuration. The hint says what to do; it may be empty.
func UsageError(hint, format string, args ...any) error {
	return &Error{ExitUsage, hint, fmt.Errorf(format, args...)}
}

// Refused is the error of a gate or an audit that failed, as UsageError.
func Refused(hint, format string, args ...any) error {
	return &Error{ExitRefused, hint, fmt.Errorf(format, args...)}
}

// BadInput is the error of input data that no decision can rest on, as UsageError.
func BadInput(hint, format string, args ...any) error {
	return &Error{ExitBadInput, hint, fmt.Errorf(format, args...)}
}

// Explain returns the exit code of an error and its hint. It is the only place
// where errors turn into either.
func Explain(err error) (exit int, hint string) {
	var e *Error
	var held *objstore.HeldError
	var input *listing.Error
	switch {
	case err == nil:
		return ExitOK, ""
	case errors.As(err, &e):
		return e.Exit, e.Hint
	case errors.Is(err, context.Canceled):
		return ExitInterrupted, "nothing was published; run the same command again"
	case errors.As(err, &held):
		return ExitFailed, "wait for the other job to end, then run again"
	case errors.Is(err, parquet.ErrUnsupported):
		return ExitBadInput, "write the file again without encryption, in a codec that assent reads (snappy, gzip, zstd, lz4, brotli)"
	case errors.Is(err, parquet.ErrCorrupt):
		return ExitBadInput, "the file is damaged or not Parquet; export it again"
	case errors.Is(err, objstore.ErrNoBucket), errors.Is(err, objstore.ErrPayer):
		return ExitUsage, objstore.Hint(err)
	case errors.As(err, &input):
		return ExitUsage, input.Hint
	case errors.Is(err, objstore.ErrLoop):
		return ExitUsage, "mend or remove the link"
	case errors.Is(err, objstore.ErrChanged):
		return ExitFailed, "an input was replaced while it was read, or since it was planned; plan and run again once the export has finished"
	case errors.Is(err, objstore.ErrNoSpace):
		return ExitFailed, "free some space below the output, then run again"
	case errors.Is(err, fs.ErrPermission):
		return ExitFailed, cmp.Or(objstore.Hint(err), "check the permissions of the path and of the account that runs the job")
	}
	return ExitFailed, objstore.Hint(err)
}

// Quote shows a value of an enumerated column, cut short: what stands there should
// be a code, but a wrong column may hold anything.
func Quote(s string) string {
	const most = 32
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

// Cause prefers why a context ended over that it did.
func Cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && errors.Is(err, context.Canceled) {
		return c
	}
	return err
}
