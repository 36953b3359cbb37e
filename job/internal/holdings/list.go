package holdings

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"assent/job"
	"assent/schema"
)

// Listed is an account of a list.
type Listed struct {
	Line        int // from 1
	ID          schema.AccountID
	Request     string    // "" where not given
	RequestedAt time.Time // zero where not given
}

// maxListed bounds a list, and with it what is remembered of the accounts.
const maxListed = 100_000

// ReadList reads a list of accounts: CSV without a header, of the columns id, request and
// day of the request, of which the first is needed. Ids are taken as they stand.
func ReadList(name string) ([]Listed, error) {
	const hint = "one account a line: its id, then if wanted the request's id and its day, as CSV"
	fail := func(format string, args ...any) error {
		return job.UsageError(hint, "--subjects %s: %w", name, fmt.Errorf(format, args...))
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fail("%w", errors.Unwrap(err))
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.FieldsPerRecord = -1
	var all []Listed
	for {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
			return nil, fail("line %d: %w", bad.Line, bad.Err)
		} else if err != nil {
			return nil, fail("%w", err)
		}
		line, _ := r.FieldPos(0)
		if row[0] == "" || len(row) > 3 {
			return nil, fail("line %d has no id, or more than three columns", line)
		}
		who := Listed{Line: line, ID: schema.AccountID(row[0])}
		if len(row) > 1 {
			who.Request = row[1]
		}
		if len(row) > 2 {
			if who.RequestedAt, err = ParseDay(row[2]); err != nil {
				return nil, fail("line %d: %w", line, err)
			}
		}
		if all = append(all, who); len(all) > maxListed {
			return nil, fail("more than %d accounts: split the list", maxListed)
		}
	}
	if len(all) == 0 {
		return nil, fail("it names no account")
	}
	return all, nil
}

// ParseDay reads the time of a request: a day or an instant. "" is none.
func ParseDay(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("the time of a request is a day such as 2026-11-02, or an instant in RFC 3339")
}
