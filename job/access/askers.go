package access

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"assent/job"
	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// asker is an account that a copy is made for.
type asker struct {
	line        int // of the list, from 1; 0 without a list
	id          schema.AccountID
	request     string    // its id; "" where not given
	requestedAt time.Time // zero where not given

	own     map[string]bool // all ids of the account
	ref     manifests.Ref   // of the id that was asked for
	refs    []manifests.Ref // of all
	choices Choices
	labels  *Labels

	group  int      // askers of one group are worked on at a time; see groups
	found  []*found // in its group's turn: by data set
	counts map[string]DatasetCounts
	files  int
}

// hasRef reports whether a reference, in its text form, is one of the account's.
func (who *asker) hasRef(text []byte) bool {
	ref, err := manifests.ParseRef(string(text))
	return err == nil && slices.Contains(who.refs, ref)
}

// maxAskers bounds a list, and with it what is remembered of the accounts.
const maxAskers = 100_000

// findAskers reads which accounts copies are made for, and all ids of each.
func (a *copier) findAskers(ctx context.Context, key *manifests.Key) (err error) {
	if a.o.Subjects == "" {
		day, _ := parseDay(a.o.RequestedAt)
		a.askers = []*asker{{id: schema.AccountID(a.o.Subject), request: a.o.Request, requestedAt: day}}
	} else if a.askers, err = readList(a.o.Subjects); err != nil {
		return err
	}
	if a.aliases, err = source.ReadAliases(ctx, a.Env, a.cfg); err != nil {
		return err
	}
	a.byRef = map[manifests.Ref]*asker{}
	referrer := key.NewReferrer()
	for _, who := range a.askers {
		who.own = map[string]bool{}
		who.ref = referrer.Ref([]byte(string(who.id)))
		for _, id := range a.aliases.IDs(who.id) {
			ref := referrer.Ref([]byte(string(id)))
			if other := a.byRef[ref]; other != nil {
				return job.UsageError("leave one line for each account; an alias's account and the account are one", "%s: line %d asks for the account of line %d again", a.o.Subjects, who.line, other.line)
			}
			a.byRef[ref] = who
			who.own[string(id)] = true
			who.refs = append(who.refs, ref)
		}
		who.labels = NewLabels(who.own)
	}
	return nil
}

// readList reads a list of accounts: CSV without a header, of the columns id, request and
// day of the request, of which the first is needed. Ids are taken as they stand.
func readList(name string) ([]*asker, error) {
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
	var all []*asker
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
		who := &asker{line: line, id: schema.AccountID(row[0])}
		if len(row) > 1 {
			who.request = row[1]
		}
		if len(row) > 2 {
			if who.requestedAt, err = parseDay(row[2]); err != nil {
				return nil, fail("line %d: %w", line, err)
			}
		}
		if all = append(all, who); len(all) > maxAskers {
			return nil, fail("more than %d accounts: split the list", maxAskers)
		}
	}
	if len(all) == 0 {
		return nil, fail("it names no account")
	}
	return all, nil
}

// parseDay reads the time of a request: a day or an instant. "" is none.
func parseDay(text string) (time.Time, error) {
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
