package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"assent/job"
	"assent/schema"
)

// exclusion is a row of an exclusion manifest, as expected or as an ordinary reader
// finds it.
type exclusion struct {
	record, file string
	row          int64
	reason       string
	reasons      []string
	moment       schema.Instant
	subjects     []exclusionSubject
	request      string // empty: null
}

type exclusionSubject struct {
	ref, role, cause string // empty: null
	since            schema.Instant
}

// exclusionColumns are the columns of contract.md, "Exclusion manifest".
var exclusionColumns = [...]struct {
	path string
	kind parquet.Kind
}{
	{"record_id", parquet.ByteArray},
	{"source_file", parquet.ByteArray},
	{"source_row", parquet.Int64},
	{"reason", parquet.ByteArray},
	{"reasons.list.element", parquet.ByteArray},
	{"moment", parquet.Int64},
	{"subjects.list.element.ref", parquet.ByteArray},
	{"subjects.list.element.role", parquet.ByteArray},
	{"subjects.list.element.cause", parquet.ByteArray},
	{"subjects.list.element.since", parquet.Int64},
	{"request_id", parquet.ByteArray},
}

// exclusionAudit compares the exclusion manifest of a file with what is expected,
// both in the order of the input.
type exclusionAudit struct {
	a     *fileAudit
	bytes *watched
	keys  []*keyReader // nil where nothing is to be compared
	left  int64        // rows not read yet
	ahead *exclusion   // the manifest's next row; nil at its end
}

// openExclusions opens the manifest. Where it is damaged, which was told, or cannot be
// read, nothing is compared.
func (a *fileAudit) openExclusions(ctx context.Context) (*exclusionAudit, error) {
	x := &exclusionAudit{a: a}
	if !a.ok(a.m.Exclusions) {
		return x, nil
	}
	r, err := a.store.Open(ctx, a.objects[a.m.Exclusions])
	if err != nil {
		return nil, err
	}
	x.bytes = &watched{Reader: r}
	file, err := openOrdinary(ctx, x.bytes)
	if err != nil {
		return x, x.fail(ctx, err)
	}
	for _, c := range exclusionColumns {
		i := file.find(c.path)
		if i < 0 || parquet.Kind(file.leaves[i].element.Type.V) != c.kind || c.kind == parquet.Int64 && c.path != "source_row" && !isNanosUTC(file.leaves[i].element) {
			x.fail(ctx, fmt.Errorf("column %s is missing or of another type", c.path))
			return x, nil
		}
		x.keys = append(x.keys, &keyReader{file.cursor(i), &file.leaves[i]})
	}
	x.left = file.rows()
	return x, x.advance(ctx)
}

func isNanosUTC(e *format.SchemaElement) bool {
	t, ok := e.LogicalType.Value.(*format.TimestampType)
	if !ok || !t.IsAdjustedToUTC {
		return false
	}
	_, ok = t.Unit.Value.(*format.NanoSeconds)
	return ok
}

func (x *exclusionAudit) close() {
	for _, k := range x.keys {
		x.a.readings.note("exclusions of "+x.a.d.Name, k.cursor)
		k.close()
	}
	if x.bytes != nil {
		x.bytes.Close()
	}
}

// fail reports that the manifest cannot be read, unless it is the storage that failed.
func (x *exclusionAudit) fail(ctx context.Context, err error) error {
	if failed := x.bytes.failed(ctx); failed != nil {
		return failed
	}
	x.a.found.of(x.a.m.Exclusions, "cannot be read: %v", err)
	for _, k := range x.keys {
		k.close()
	}
	x.keys, x.ahead = nil, nil
	return nil
}

// advance reads the manifest's next row.
func (x *exclusionAudit) advance(ctx context.Context) error {
	x.ahead = nil
	if x.left == 0 {
		return nil
	}
	x.left--
	e, err := x.read()
	if err != nil {
		return x.fail(ctx, err)
	}
	x.a.checked.Exclusions++
	x.ahead = e
	return nil
}

func (x *exclusionAudit) read() (*exclusion, error) {
	var columns [len(exclusionColumns)][]parquet.Value
	for i, k := range x.keys {
		var err error
		if columns[i], err = k.elements(); err != nil {
			return nil, fmt.Errorf("column %s: %w", exclusionColumns[i].path, err)
		}
	}
	text := func(v parquet.Value) string { return string(v.ByteArray()) }
	instant := func(v parquet.Value) schema.Instant {
		if v.IsNull() {
			return schema.Unknown
		}
		return schema.Instant(v.Int64())
	}
	e := &exclusion{
		record: text(columns[0][0]), file: text(columns[1][0]), row: columns[2][0].Int64(),
		reason: text(columns[3][0]), moment: instant(columns[5][0]), request: text(columns[10][0]),
	}
	for _, v := range columns[4] {
		e.reasons = append(e.reasons, text(v))
	}
	for i, v := range columns[6] {
		if len(columns[7]) != len(columns[6]) || len(columns[8]) != len(columns[6]) || len(columns[9]) != len(columns[6]) {
			return nil, errors.New("the columns of subjects disagree about their number")
		}
		e.subjects = append(e.subjects, exclusionSubject{text(v), text(columns[7][i]), text(columns[8][i]), instant(columns[9][i])})
	}
	return e, nil
}

// expect compares an exclusion that has to be there.
func (x *exclusionAudit) expect(ctx context.Context, want *exclusion) error {
	if x.keys == nil {
		return nil
	}
	if err := x.surplus(ctx, want.row); err != nil || x.keys == nil {
		return err
	}
	name := x.a.m.Exclusions
	if x.ahead == nil || x.ahead.row != want.row {
		x.a.found.at(name, want.row, "the rules exclude the row (%s), the exclusion manifest does not have it", want.reason)
		return nil
	}
	if what := want.differs(x.ahead); what != "" {
		x.a.found.at(name, want.row, "%s", what)
	}
	return x.advance(ctx)
}

// surplus reports rows of the manifest before a row that they should not be before.
func (x *exclusionAudit) surplus(ctx context.Context, before int64) error {
	for x.ahead != nil && x.ahead.row < before {
		row, what := x.ahead.row, "the exclusion manifest has the row twice, or out of order"
		if row >= 0 && row < x.a.in.rows() && x.a.kept.has(row) {
			what = "the exclusion manifest has the row, the rules keep it"
		}
		x.a.found.at(x.a.m.Exclusions, row, "%s", what)
		if err := x.advance(ctx); err != nil {
			return err
		}
	}
	return nil
}

// end reports what the manifest has beyond the last exclusion.
func (x *exclusionAudit) end(ctx context.Context) error {
	if x.keys == nil {
		return nil
	}
	rows := x.a.in.rows()
	if err := x.surplus(ctx, rows); err != nil {
		return err
	}
	if x.ahead != nil {
		x.a.found.at(x.a.m.Exclusions, x.ahead.row, "the exclusion manifest has the row, the input has %d", rows)
	}
	for i, k := range x.keys {
		if _, err := k.take(); !errors.Is(err, io.EOF) {
			return x.fail(ctx, fmt.Errorf("column %s: %w", exclusionColumns[i].path, cmp.Or(err, errors.New("more rows than the footer says"))))
		}
	}
	return nil
}

// differs says in what a row of the manifest differs from e, without the values
// that may be of people.
func (e *exclusion) differs(got *exclusion) string {
	switch {
	case got.reason != e.reason:
		return fmt.Sprintf("reason is %s, the rules give %s", job.Quote(got.reason), e.reason)
	case !slices.Equal(got.reasons, e.reasons):
		return fmt.Sprintf("reasons are %s, the rules give %s", job.Quote(strings.Join(got.reasons, ", ")), strings.Join(e.reasons, ", "))
	case got.moment != e.moment:
		return fmt.Sprintf("moment is %s, the rules give %s", got.moment, e.moment)
	case got.file != e.file:
		return "source_file is not the input's path"
	case got.record != e.record:
		return "record_id is not the input's"
	case got.request != e.request:
		return "request_id is not that of the deletion request"
	case len(got.subjects) != len(e.subjects):
		return fmt.Sprintf("%d subjects, the record names %d", len(got.subjects), len(e.subjects))
	}
	for i, s := range e.subjects {
		switch g := got.subjects[i]; {
		case g.role != s.role:
			return fmt.Sprintf("subject %d: role is %s, the record has %s", i, job.Quote(g.role), s.role)
		case g.ref != s.ref:
			return fmt.Sprintf("subject %d (%s): ref is of another account", i, s.role)
		case g.cause != s.cause:
			return fmt.Sprintf("subject %d (%s): cause is %s, the rules give %q", i, s.role, job.Quote(g.cause), s.cause)
		case g.since != s.since:
			return fmt.Sprintf("subject %d (%s): since is %s, the history gives %s", i, s.role, g.since, s.since)
		}
	}
	return ""
}
