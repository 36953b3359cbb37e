package manifests

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"slices"

	"assent/job/parquet"
	"assent/job/parquet/table"
)

// SubjectIndex is an open subject index.
//
// It is not safe for concurrent use: it keeps what look-ups have read of the page index.
type SubjectIndex struct {
	file    *table.File
	meta    Meta
	groups  []*table.Group         // of look-ups; nil: not opened yet
	filters map[int]*parquet.Bloom // of row groups, as far as they were read; nil of one that has none
	roles   map[uint16][]string    // by set, as given out
}

// OpenSubjectIndex reads the footer of a subject index of size bytes. Errors that wrap
// ErrManifest come of its bytes, all others of r; so do those of Lookup and All.
func OpenSubjectIndex(r io.ReaderAt, size int64) (*SubjectIndex, error) {
	f, err := openTable(r, size, "subject index", subjectColumns(), subjectsSchema)
	if err != nil {
		return nil, err
	}
	meta := metaOf(f)
	if err := meta.check(); err != nil {
		return nil, fmt.Errorf("subject index: %w: %w", ErrManifest, err)
	}
	return &SubjectIndex{file: f, meta: meta, groups: make([]*table.Group, f.NumRowGroups()), filters: map[int]*parquet.Bloom{}, roles: make(map[uint16][]string)}, nil
}

// Release ends the use of the index, and of all that it has returned but for numbers: the next one uses its memory.
func (x *SubjectIndex) Release() { x.file.Release() }

// Meta returns what the file says of itself.
func (x *SubjectIndex) Meta() Meta { return x.meta }

// SubjectRow is a row of an input file that names an account.
type SubjectRow struct {
	Row   int64
	Kept  bool
	Roles []string // in the data set's order; not to be changed
}

// SubjectRows is one entry of the index: rows that name one account under the same
// roles with the same outcome. An account may have several, also in several segments;
// these may even name one row, each with some of its roles.
type SubjectRows struct {
	Ref   Ref
	Roles []string // in the data set's order; not to be changed
	Kept  bool
	Rows  []int64 // ascending
}

// All yields all entries, by segment and then by reference, and ends after the first
// error. Rows are valid until the next one.
func (x *SubjectIndex) All() iter.Seq2[SubjectRows, error] {
	return func(yield func(SubjectRows, error) bool) {
		var c *subjectReader
		var last Ref
		err := x.file.Scan(func(g *table.Group) { c, last = x.columns(g, g.Column(leafSubjectRef)), Ref{} }, func() (bool, error) {
			e, err := c.entry()
			if err == nil && bytes.Compare(e.ref[:], last[:]) < 0 {
				err = c.ref.Fault(parquet.Corruptf("references out of order"))
			}
			if err != nil {
				return false, err
			}
			last = e.ref
			return yield(SubjectRows{Ref: e.ref, Roles: x.names(e.roles), Kept: e.kept, Rows: e.rows}, nil), nil
		})
		if err != nil {
			yield(SubjectRows{}, damaged(err))
		}
	}
}

// Among yields the entries of some references, by segment and then by reference, and ends after the first error. Rows are valid
// until the next one. It reads all references, and of the other columns the pages on which there is such an entry.
func (x *SubjectIndex) Among(refs []Ref) iter.Seq2[SubjectRows, error] {
	texts := make([][]byte, len(refs))
	for i, ref := range refs {
		texts[i] = ref.appendText(nil)
	}
	slices.SortFunc(texts, bytes.Compare)
	return func(yield func(SubjectRows, error) bool) {
		for i := range x.file.NumRowGroups() {
			more, err := x.amongGroup(i, texts, yield)
			if err != nil {
				yield(SubjectRows{}, damaged(err))
			}
			if err != nil || !more {
				return
			}
		}
	}
}

// amongGroup is Among for a row group, with the texts of the references, ascending. It reports whether to go on.
func (x *SubjectIndex) amongGroup(group int, texts [][]byte, yield func(SubjectRows, error) bool) (bool, error) {
	g, err := x.group(group)
	if err != nil {
		return false, err
	}
	defer g.Close()
	refs := g.Column(leafSubjectRef)
	var c *subjectReader
	var last []byte
	for row := range g.Rows {
		if err := refs.SeekRow(row); err != nil {
			return false, err
		}
		text, _ := refs.Text()
		if bytes.Compare(text, last) < 0 {
			return false, refs.Fault(parquet.Corruptf("references out of order"))
		}
		last = append(last[:0], text...)
		for len(texts) > 0 && bytes.Compare(texts[0], text) < 0 {
			texts = texts[1:]
		}
		if len(texts) == 0 {
			return true, nil
		}
		if !bytes.Equal(texts[0], text) {
			continue
		}
		if c == nil {
			c = x.columns(g, refs)
		}
		if err := g.SeekRow(row); err != nil {
			return false, err
		}
		e, err := c.entry()
		if err != nil {
			return false, err
		}
		if !yield(SubjectRows{Ref: e.ref, Roles: x.names(e.roles), Kept: e.kept, Rows: e.rows}, nil) {
			return false, nil
		}
	}
	return true, nil
}

// Lookup returns the rows that name an account, ascending; none is not an error. It
// reads only pages that can hold the reference, of row groups whose filters admit it.
func (x *SubjectIndex) Lookup(ref Ref) ([]SubjectRow, error) {
	var found []foundRow
	wanted := newWanted([]Ref{ref})
	for i := range x.file.NumRowGroups() {
		var err error
		if found, err = x.lookupGroup(found, i, wanted); err != nil {
			return nil, damaged(err)
		}
	}
	slices.SortStableFunc(found, func(a, b foundRow) int { return int(min(max(a.row-b.row, -1), 1)) })
	var rows []SubjectRow
	for i, f := range found {
		if i > 0 && f.row == found[i-1].row {
			if f.kept != found[i-1].kept {
				return nil, fmt.Errorf("subject index: %w: row %d is both kept and excluded", ErrManifest, f.row)
			}
			found[i].roles |= found[i-1].roles
			rows[len(rows)-1].Roles = x.names(found[i].roles)
			continue
		}
		rows = append(rows, SubjectRow{f.row, f.kept, x.names(f.roles)})
	}
	return rows, nil
}

type foundRow struct {
	row   int64
	roles uint16
	kept  bool
}

// group returns a row group for look-ups.
func (x *SubjectIndex) group(i int) (_ *table.Group, err error) {
	if x.groups[i] == nil {
		x.groups[i], err = x.file.Group(i)
	}
	return x.groups[i], err
}

func (x *SubjectIndex) lookupGroup(found []foundRow, group int, wanted allWanted) ([]foundRow, error) {
	admitted, err := x.admitted(group, wanted)
	if err != nil || len(admitted) == 0 {
		return found, err
	}
	g, err := x.group(group)
	if err != nil {
		return nil, err
	}
	for _, w := range admitted {
		for page, err := range g.Pages(leafSubjectRef, w.text) {
			if err == nil {
				found, err = x.lookupPage(found, g, page, w.text)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// lookupPage looks into the entries of a page of references, and reads their other
// columns where the reference of a text is among them.
func (x *SubjectIndex) lookupPage(found []foundRow, g *table.Group, page table.Range, text []byte) ([]foundRow, error) {
	defer g.Close()
	refs := g.Column(leafSubjectRef)
	var c *subjectReader
	for row := page.From; row < page.To; row++ {
		if err := refs.SeekRow(row); err != nil {
			return nil, err
		}
		if t, _ := refs.Text(); !bytes.Equal(t, text) {
			continue
		}
		if c == nil {
			c = x.columns(g, refs)
		}
		if err := g.SeekRow(row); err != nil {
			return nil, err
		}
		e, err := c.entry()
		if err != nil {
			return nil, err
		}
		for _, row := range e.rows {
			found = append(found, foundRow{row, e.roles, e.kept})
		}
	}
	return found, nil
}

// subjectReader reads entries from its columns side by side.
type subjectReader struct {
	ref   *table.Column
	roles table.Parsed[uint16]
	kept  *table.Column
	rows  *table.Column
	list  []int64
}

// columns opens the columns of a row group beside that of references.
func (x *SubjectIndex) columns(g *table.Group, ref *table.Column) *subjectReader {
	return &subjectReader{
		ref:   ref,
		roles: table.Parse(g, leafSubjectRoles, x.roleSet),
		kept:  g.Column(leafSubjectKept),
		rows:  g.Column(leafSubjectRows),
	}
}

// storedEntry is an entry as read. Its rows are valid until the next.
type storedEntry struct {
	ref   Ref
	roles uint16
	kept  bool
	rows  []int64
}

// entry reads the entry to which the columns have gone.
func (s *subjectReader) entry() (e storedEntry, err error) {
	text, _ := s.ref.Text()
	if e.ref, err = parseRef(text); err != nil {
		return e, s.ref.Fault(parquet.Corruptf("%w", err))
	}
	for more := true; more; more = s.roles.More() {
		set, err := s.roles.Value()
		if err != nil {
			return e, err
		}
		e.roles |= set
	}
	kept, _ := s.kept.Int()
	e.kept = kept != 0

	s.list = s.list[:0]
	for more := true; more; more = s.rows.More() {
		row, ok := s.rows.Int()
		if !ok {
			return e, s.rows.Fault(parquet.Corruptf("an entry without rows"))
		}
		s.list = append(s.list, row)
	}
	if n := len(s.list); s.list[n-1] < s.list[0] {
		slices.Reverse(s.list)
	}
	for i, row := range s.list {
		if row < 0 || i > 0 && row <= s.list[i-1] {
			return e, s.rows.Fault(parquet.Corruptf("rows out of order"))
		}
	}
	if e.roles == 0 || e.ref == (Ref{}) {
		return e, s.ref.Fault(parquet.Corruptf("an entry without reference or roles"))
	}
	e.rows = s.list
	return e, nil
}

func (x *SubjectIndex) roleSet(name []byte) (uint16, error) {
	i := slices.Index(x.meta.Roles, string(name))
	if i < 0 {
		return 0, fmt.Errorf("role %q is not of the data set", name)
	}
	return 1 << i, nil
}

// names returns the names of a set of roles.
func (x *SubjectIndex) names(set uint16) []string {
	names, ok := x.roles[set]
	if !ok {
		for i, name := range x.meta.Roles {
			if set>>i&1 != 0 {
				names = append(names, name)
			}
		}
		x.roles[set] = names
	}
	return names
}
