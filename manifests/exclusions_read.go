package manifests

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"assent/job/parquet"
	"assent/job/parquet/table"
	"assent/schema"
)

// Exclusion is one row of an exclusion manifest, as read.
type Exclusion struct {
	RecordID   string
	SourceFile string
	SourceRow  int64
	Reason     schema.Reason
	Reasons    []schema.Reason // as stored
	Moment     schema.Instant  // Unknown where null
	Subjects   []ExcludedSubject
	RequestID  string // "" where null
}

// ExcludedSubject is a subject of an Exclusion.
type ExcludedSubject struct {
	Ref   Ref // zero where the record has null or an empty id
	Role  string
	Cause Cause
	Since schema.Instant // Unknown where null
}

// Exclusions is an open exclusion manifest.
type Exclusions struct{ file *table.File }

// OpenExclusions reads the footer of an exclusion manifest of size bytes. Errors that
// wrap ErrManifest come of its bytes, all others of r; so do those of its methods.
func OpenExclusions(r io.ReaderAt, size int64) (*Exclusions, error) {
	f, err := openTable(r, size, "exclusions", exclusionColumns(), exclusionsSchema)
	if err != nil {
		return nil, err
	}
	return &Exclusions{f}, nil
}

// Meta returns what the file says of itself.
func (x *Exclusions) Meta() Meta { return metaOf(x.file) }

// NumRows returns the number of exclusions that the footer claims.
func (x *Exclusions) NumRows() int64 { return x.file.NumRows() }

// All yields the exclusions in order and ends after the first error. The slices of
// an Exclusion are valid until the next one.
func (x *Exclusions) All() iter.Seq2[Exclusion, error] { return exclusions(x.file.Scan) }

// At yields some exclusions, given by their numbers in the manifest, which ascend, and
// ends after the first error. It reads only the pages on which they are. The slices of
// an Exclusion are valid until the next one.
func (x *Exclusions) At(numbers []int64) iter.Seq2[Exclusion, error] {
	return exclusions(func(open func(*table.Group), read func() (bool, error)) error {
		return x.file.Pick(numbers, open, read)
	})
}

// exclusions yields the rows to which a method of table.File goes.
func exclusions(rows func(func(*table.Group), func() (bool, error)) error) iter.Seq2[Exclusion, error] {
	return func(yield func(Exclusion, error) bool) {
		var g *exclusionGroup
		var e Exclusion
		err := rows(func(t *table.Group) { g = openExclusionGroup(t) }, func() (bool, error) {
			if err := g.read(&e); err != nil {
				return false, err
			}
			return yield(e, nil), nil
		})
		if err != nil {
			yield(Exclusion{}, damaged(err))
		}
	}
}

// SourceRows yields the source rows of all exclusions, which ascend, and ends after the
// first error. It reads no other column.
func (x *Exclusions) SourceRows() iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		var c *table.Column
		last := int64(-1)
		err := x.file.Scan(func(g *table.Group) { c = g.Column(leafSourceRow) }, func() (bool, error) {
			row, _ := c.Int()
			if row <= last {
				return false, c.Fault(parquet.Corruptf("row %d follows row %d", row, last))
			}
			last = row
			return yield(row, nil), nil
		})
		if err != nil {
			yield(0, damaged(err))
		}
	}
}

// exclusionGroup reads the rows of a row group.
type exclusionGroup struct {
	id      *table.Column
	source  table.Parsed[string]
	row     *table.Column
	reason  table.Parsed[schema.Reason]
	reasons table.Parsed[schema.Reason]
	moment  *table.Column
	ref     table.Parsed[Ref]
	role    table.Parsed[string]
	cause   table.Parsed[Cause]
	since   *table.Column
	request table.Parsed[string]
}

func reasonColumn(g *table.Group, leaf int) table.Parsed[schema.Reason] {
	return table.Parse(g, leaf, func(b []byte) (schema.Reason, error) { return schema.ParseReason(string(b)) })
}

func openExclusionGroup(g *table.Group) *exclusionGroup {
	text := func(b []byte) (string, error) { return string(b), nil }
	cause := func(b []byte) (Cause, error) {
		r, err := schema.ParseReason(string(b))
		if c := CauseOf(r.Set()); err == nil && c != NoCause {
			return c, nil
		}
		return NoCause, fmt.Errorf("unknown cause %q", b)
	}
	return &exclusionGroup{
		id:      g.Column(leafRecordID),
		source:  table.Parse(g, leafSourceFile, text),
		row:     g.Column(leafSourceRow),
		reason:  reasonColumn(g, leafReason),
		reasons: reasonColumn(g, leafReasons),
		moment:  g.Column(leafMoment),
		ref:     table.Parse(g, leafRef, parseRef[[]byte]),
		role:    table.Parse(g, leafRole, text),
		cause:   table.Parse(g, leafCause, cause),
		since:   g.Column(leafSince),
		request: table.Parse(g, leafRequestID, text),
	}
}

// read reads the row to which the columns have gone.
func (g *exclusionGroup) read(e *Exclusion) (err error) {
	id, _ := g.id.Text()
	e.RecordID = string(id)
	e.SourceRow, _ = g.row.Int()
	e.Moment = instant(g.moment)
	if e.SourceFile, err = g.source.Value(); err != nil {
		return err
	}
	if e.Reason, err = g.reason.Value(); err != nil {
		return err
	}
	if e.RequestID, err = g.request.Value(); err != nil {
		return err
	}
	e.Reasons = e.Reasons[:0]
	for more := true; more; more = g.reasons.More() {
		r, err := g.reasons.Value()
		if err != nil {
			return err
		}
		e.Reasons = append(e.Reasons, r)
	}
	return g.subjects(e)
}

// subjects reads a list of structs, whose columns must agree about its length.
func (g *exclusionGroup) subjects(e *Exclusion) error {
	disagree := func() error { return g.ref.Fault(parquet.Corruptf("columns of subjects disagree")) }
	e.Subjects = e.Subjects[:0]
	for more := true; more; {
		there := g.ref.Level() > 0
		if there != (g.role.Level() > 0) || there != (g.cause.Level() > 0) || there != (g.since.Level() > 0) {
			return disagree()
		}
		var s ExcludedSubject
		var err1, err2, err3 error
		s.Ref, err1 = g.ref.Value()
		s.Role, err2 = g.role.Value()
		s.Cause, err3 = g.cause.Value()
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		s.Since = instant(g.since)
		if there {
			e.Subjects = append(e.Subjects, s)
		}
		more = g.ref.More()
		if more != g.role.More() || more != g.cause.More() || more != g.since.More() || more && !there {
			return disagree()
		}
	}
	return nil
}

// instant takes a slot of a column of instants.
func instant(c *table.Column) schema.Instant {
	if v, ok := c.Int(); ok {
		return schema.Instant(v)
	}
	return schema.Unknown
}
