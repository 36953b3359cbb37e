package manifests

import (
	"fmt"
	"io"
	"iter"

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
type Exclusions struct{ file *parquetFile }

// OpenExclusions reads the footer of an exclusion manifest of size bytes. Errors that
// wrap ErrManifest come of its bytes, all others of r; so do those of All.
func OpenExclusions(r io.ReaderAt, size int64) (*Exclusions, error) {
	f, err := openParquet(r, size, exclusionColumns, exclusionsSchema)
	if err != nil {
		return nil, fmt.Errorf("exclusions: %w", err)
	}
	return &Exclusions{f}, nil
}

// Meta returns what the file says of itself.
func (x *Exclusions) Meta() Meta { return x.file.about() }

// NumRows returns the number of exclusions that the footer claims.
func (x *Exclusions) NumRows() int64 { return x.file.meta.NumRows }

// All yields the exclusions in order and ends after the first error. The slices of
// an Exclusion are valid until the next one.
func (x *Exclusions) All() iter.Seq2[Exclusion, error] {
	return func(yield func(Exclusion, error) bool) {
		row := int64(0)
		for i := range x.file.meta.RowGroups {
			g := x.file.openExclusionGroup(i)
			var e Exclusion
			for range x.file.meta.RowGroups[i].NumRows {
				if err := g.next(&e); err != nil {
					yield(Exclusion{}, fmt.Errorf("exclusions: row %d: %w", row, err))
					return
				}
				if !yield(e, nil) {
					return
				}
				row++
			}
			for c := range g.columns {
				if err := g.columns[c].ended(); err != nil {
					yield(Exclusion{}, fmt.Errorf("exclusions: %w", err))
					return
				}
			}
		}
	}
}

// exclusionGroup reads the rows of a row group, with dictionaries parsed once.
type exclusionGroup struct {
	columns  [leafRequestID + 1]cursor
	sources  []string
	reason   []schema.Reason
	reasons  []schema.Reason
	refs     []Ref
	roles    []string
	causes   []Cause
	requests []string
}

func (f *parquetFile) openExclusionGroup(i int) *exclusionGroup {
	g := new(exclusionGroup)
	for leaf := range g.columns {
		g.columns[leaf].chunkReader = f.chunk(i, leaf)
	}
	return g
}

func (g *exclusionGroup) next(e *Exclusion) error {
	for c := range g.columns {
		if err := g.columns[c].open(); err != nil {
			return err
		}
	}
	if g.reason == nil {
		if err := g.parse(); err != nil {
			return err
		}
	}
	c := &g.columns[leafRecordID]
	_, v := c.take()
	if c.page.texts.len() <= v {
		return c.wrap(fmt.Errorf("%w: has an unexpected encoding", ErrManifest))
	}
	e.RecordID = string(c.page.texts.at(v))
	var err error
	if e.SourceFile, err = coded(&g.columns[leafSourceFile], g.sources); err != nil {
		return err
	}
	if e.SourceRow, err = g.columns[leafSourceRow].number(); err != nil {
		return err
	}
	if e.Reason, err = coded(&g.columns[leafReason], g.reason); err != nil {
		return err
	}
	e.Reasons = e.Reasons[:0]
	for c = &g.columns[leafReasons]; ; {
		r, err := coded(c, g.reasons)
		if err != nil {
			return err
		}
		e.Reasons = append(e.Reasons, r)
		if !c.more() {
			break
		}
	}
	moment, err := g.columns[leafMoment].number()
	if err != nil {
		return err
	}
	e.Moment = schema.Instant(moment)
	if e.RequestID, err = coded(&g.columns[leafRequestID], g.requests); err != nil {
		return err
	}
	return g.subjects(e)
}

// subjects reads a list of structs, whose columns must agree about its length.
func (g *exclusionGroup) subjects(e *Exclusion) error {
	e.Subjects = e.Subjects[:0]
	refs, roles, causes, sinces := &g.columns[leafRef], &g.columns[leafRole], &g.columns[leafCause], &g.columns[leafSince]
	for {
		there := refs.level() > 0
		if there != (roles.level() > 0) || there != (causes.level() > 0) || there != (sinces.level() > 0) {
			return refs.wrap(fmt.Errorf("%w: columns of subjects disagree", ErrManifest))
		}
		var s ExcludedSubject
		var err error
		if s.Ref, err = coded(refs, g.refs); err != nil {
			return err
		}
		if s.Role, err = coded(roles, g.roles); err != nil {
			return err
		}
		if s.Cause, err = coded(causes, g.causes); err != nil {
			return err
		}
		since, err := sinces.number()
		if err != nil {
			return err
		}
		s.Since = schema.Instant(since)
		if there {
			e.Subjects = append(e.Subjects, s)
		}
		more := refs.more()
		if more != roles.more() || more != causes.more() || more != sinces.more() || more && !there {
			return refs.wrap(fmt.Errorf("%w: columns of subjects disagree", ErrManifest))
		}
		if !more {
			return nil
		}
	}
}

func (g *exclusionGroup) parse() (err error) {
	text := func(b []byte) (string, error) { return string(b), nil }
	reason := func(b []byte) (schema.Reason, error) { return schema.ParseReason(string(b)) }
	cause := func(b []byte) (Cause, error) {
		r, err := schema.ParseReason(string(b))
		if c := CauseOf(r.Set()); err == nil && c != NoCause {
			return c, nil
		}
		return NoCause, fmt.Errorf("unknown cause %q", b)
	}
	if g.reason, err = dictionary(&g.columns[leafReason], reason); err != nil {
		return err
	}
	if g.reasons, err = dictionary(&g.columns[leafReasons], reason); err != nil {
		return err
	}
	if g.refs, err = dictionary(&g.columns[leafRef], parseRef[[]byte]); err != nil {
		return err
	}
	if g.causes, err = dictionary(&g.columns[leafCause], cause); err != nil {
		return err
	}
	g.sources, _ = dictionary(&g.columns[leafSourceFile], text)
	g.roles, _ = dictionary(&g.columns[leafRole], text)
	g.requests, err = dictionary(&g.columns[leafRequestID], text)
	return err
}

// level returns the definition level of the next slot.
func (c *cursor) level() uint8 { return c.page.levels[c.slot] }

// coded steps over a slot and returns its value by the dictionary, or the zero value
// where it has none.
func coded[T any](c *cursor, values []T) (v T, err error) {
	_, i := c.take()
	switch {
	case i < 0:
	case i < len(c.page.codes) && int(c.page.codes[i]) < len(values):
		v = values[c.page.codes[i]]
	default:
		err = c.wrap(fmt.Errorf("%w: has an unexpected encoding", ErrManifest))
	}
	return v, err
}

// number steps over a slot and returns its number, which a dictionary may hold, or
// Unknown where it has none.
func (c *cursor) number() (int64, error) {
	_, i := c.take()
	switch {
	case i < 0:
		return int64(schema.Unknown), nil
	case i < len(c.page.numbers):
		return c.page.numbers[i], nil
	case i < len(c.page.codes):
		return c.dictionaryNumber(c.page.codes[i]), nil
	}
	return 0, c.wrap(fmt.Errorf("%w: has an unexpected encoding", ErrManifest))
}
