package verify

import (
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

// exclusion is a row of an exclusion manifest, as
// expected or as parquet-go reads it.
type exclusion struct {
	Record   string             `parquet:"record_id"`
	File     string             `parquet:"source_file"`
	Row      int64              `parquet:"source_row"`
	Reason   string             `parquet:"reason"`
	Reasons  []string           `parquet:"reasons,list"`
	Moment   *schema.Instant    `parquet:"moment,optional,timestamp(nanosecond)"`
	Subjects []exclusionSubject `parquet:"subjects,list"`
	Request  string             `parquet:"request_id,optional"` // empty: null, as are the next texts
}

type exclusionSubject struct {
	Ref   string          `parquet:"ref"`
	Role  string          `parquet:"role"`
	Cause string          `parquet:"cause,optional"`
	Since *schema.Instant `parquet:"since,optional,timestamp(nanosecond)"`
}

// exclusionAudit compares the exclusion manifest of a file with what is expected, both
// in the order of the input.
type exclusionAudit struct {
	a     *fileAudit
	d     *decisions
	bytes *watched // nil where nothing is to be compared
	rows  *parquet.GenericReader[exclusion]
	batch [64]exclusion
	ahead []exclusion // of batch: the rows not compared yet
}

// openExclusions opens the manifest. Where it is damaged, which was told, or cannot be
// read, nothing is compared.
func (a *fileAudit) openExclusions(ctx context.Context, d *decisions) (*exclusionAudit, error) {
	x := &exclusionAudit{a: a, d: d}
	r, err := a.openObject(ctx, a.m.Exclusions)
	if err != nil || r == nil {
		return x, err
	}
	x.bytes = r
	file, err := openParquet(ctx, r)
	if err == nil {
		err = file.hasColumnsOf(parquet.SchemaOf(exclusion{}))
	}
	if err != nil {
		return x, x.fail(ctx, err)
	}
	x.rows = parquet.NewGenericReader[exclusion](file.file)
	return x, x.fill(ctx)
}

// hasColumnsOf checks that the columns are those of a schema.
func (f *parquetFile) hasColumnsOf(want *parquet.Schema) error {
	columns := want.Columns()
	for i, path := range columns {
		name := strings.Join(path, ".")
		column, _ := want.Lookup(path...)
		t := column.Node.Type()
		if i >= len(f.leaves) || f.leaves[i].path != name {
			return fmt.Errorf("column %s is missing", name)
		}
		l := &f.leaves[i]
		if l.kind() != t.Kind() || l.maxRep != int(column.MaxRepetitionLevel) || l.maxDef != int(column.MaxDefinitionLevel) {
			return fmt.Errorf("column %s is of another type", name)
		}
		stamp, ok := l.element.LogicalType.Value.(*format.TimestampType)
		if _, wanted := t.LogicalType().Value.(*format.TimestampType); wanted && (!ok || stamp.String() != t.LogicalType().String()) {
			return fmt.Errorf("column %s is of another type", name)
		}
	}
	if len(f.leaves) > len(columns) {
		return errors.New("it has more columns than an exclusion manifest")
	}
	return nil
}

func (x *exclusionAudit) close() {
	if x.rows != nil {
		x.rows.Close()
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
	x.close()
	x.bytes, x.rows, x.ahead = nil, nil, nil
	return nil
}

// fill reads rows where none is ahead. There is none either at the end.
func (x *exclusionAudit) fill(ctx context.Context) error {
	if len(x.ahead) > 0 || x.rows == nil {
		return nil
	}
	n, err := x.read()
	if err != nil && !errors.Is(err, io.EOF) {
		return x.fail(ctx, err)
	}
	x.ahead = x.batch[:n]
	x.a.checked.Exclusions += int64(n)
	return nil
}

func (x *exclusionAudit) read() (n int, err error) {
	defer recovered(&err)
	clear(x.batch[:])
	return x.rows.Read(x.batch[:])
}

// expect compares an exclusion that has to be there.
func (x *exclusionAudit) expect(ctx context.Context, want *exclusion) error {
	if err := x.surplus(ctx, want.Row); err != nil || x.rows == nil {
		return err
	}
	name := x.a.m.Exclusions
	if len(x.ahead) == 0 || x.ahead[0].Row != want.Row {
		x.a.found.at(name, want.Row, "the rules exclude the row (%s), the exclusion manifest does not have it", want.Reason)
		return nil
	}
	if what := want.differs(&x.ahead[0]); what != "" {
		x.a.found.at(name, want.Row, "%s", what)
	}
	x.ahead = x.ahead[1:]
	return x.fill(ctx)
}

// surplus reports rows of the manifest that stand before a row and should not.
func (x *exclusionAudit) surplus(ctx context.Context, before int64) error {
	for len(x.ahead) > 0 && x.ahead[0].Row < before {
		row, what := x.ahead[0].Row, "the exclusion manifest has the row twice, or out of order"
		if row >= 0 && row < x.d.rows() && x.d.kept.has(row) {
			what = "the exclusion manifest has the row, the rules keep it"
		}
		x.a.found.at(x.a.m.Exclusions, row, "%s", what)
		x.ahead = x.ahead[1:]
		if err := x.fill(ctx); err != nil {
			return err
		}
	}
	return nil
}

// end reports what the manifest has beyond the last exclusion.
func (x *exclusionAudit) end(ctx context.Context) error {
	rows := x.d.rows()
	if err := x.surplus(ctx, rows); err != nil {
		return err
	}
	if len(x.ahead) > 0 {
		x.a.found.at(x.a.m.Exclusions, x.ahead[0].Row, "the exclusion manifest has the row, the input has %d", rows)
	}
	return nil
}

func orUnknown(at *schema.Instant) schema.Instant {
	if at == nil {
		return schema.Unknown
	}
	return *at
}

// differs says in what a row of the manifest differs from e, without the values
// that may be of people.
func (e *exclusion) differs(got *exclusion) string {
	switch {
	case got.Reason != e.Reason:
		return fmt.Sprintf("reason is %s, the rules give %s", job.Quote(got.Reason), e.Reason)
	case !slices.Equal(got.Reasons, e.Reasons):
		return fmt.Sprintf("reasons are %s, the rules give %s", job.Quote(strings.Join(got.Reasons, ", ")), strings.Join(e.Reasons, ", "))
	case orUnknown(got.Moment) != orUnknown(e.Moment):
		return fmt.Sprintf("moment is %s, the rules give %s", orUnknown(got.Moment), orUnknown(e.Moment))
	case got.File != e.File:
		return "source_file is not the input's path"
	case got.Record != e.Record:
		return "record_id is not the input's"
	case got.Request != e.Request:
		return "request_id is not that of the deletion request"
	case len(got.Subjects) != len(e.Subjects):
		return fmt.Sprintf("%d subjects, the record names %d", len(got.Subjects), len(e.Subjects))
	}
	for i, s := range e.Subjects {
		switch g := got.Subjects[i]; {
		case g.Role != s.Role:
			return fmt.Sprintf("subject %d: role is %s, the record has %s", i, job.Quote(g.Role), s.Role)
		case g.Ref != s.Ref:
			return fmt.Sprintf("subject %d (%s): ref is of another account", i, s.Role)
		case g.Cause != s.Cause:
			return fmt.Sprintf("subject %d (%s): cause is %s, the rules give %q", i, s.Role, job.Quote(g.Cause), s.Cause)
		case orUnknown(g.Since) != orUnknown(s.Since):
			return fmt.Sprintf("subject %d (%s): since is %s, the history gives %s", i, s.Role, orUnknown(g.Since), orUnknown(s.Since))
		}
	}
	return ""
}
