package manifests

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"slices"
	"sort"

	"github.com/parquet-go/parquet-go/format"
)

// SubjectIndex is an open subject index.
//
// It is not safe for concurrent use: it keeps what look-ups have read of the page index.
type SubjectIndex struct {
	file  *parquetFile
	meta  Meta
	pages []*subjectPageIndex // by row group; nil: not read yet
	roles map[uint16][]string // by set, as given out
}

// subjectPageIndex is the page index of a row group: the bounds of references, and
// where the pages of each column are. They begin at the same entries.
type subjectPageIndex struct {
	refs format.ColumnIndex
	at   [leafSubjectRows + 1]format.OffsetIndex
}

// OpenSubjectIndex reads the footer of a subject index of size bytes. Errors that wrap
// ErrManifest come of its bytes, all others of r; so do those of Lookup and All.
func OpenSubjectIndex(r io.ReaderAt, size int64) (*SubjectIndex, error) {
	f, err := openParquet(r, size, subjectColumns, subjectsSchema)
	if err != nil {
		return nil, fmt.Errorf("subject index: %w", err)
	}
	meta := f.about()
	if err := meta.check(); err != nil {
		return nil, fmt.Errorf("subject index: %w: %w", ErrManifest, err)
	}
	pages := make([]*subjectPageIndex, len(f.meta.RowGroups))
	return &SubjectIndex{file: f, meta: meta, pages: pages, roles: make(map[uint16][]string)}, nil
}

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
		for i := range x.file.meta.RowGroups {
			var g subjectReader
			for leaf := range g.columns {
				g.columns[leaf].chunkReader = x.file.chunk(i, leaf)
			}
			last := Ref{}
			for range x.file.meta.RowGroups[i].NumRows {
				e, err := x.entry(&g)
				if err == nil && bytes.Compare(e.ref[:], last[:]) < 0 {
					err = fmt.Errorf("%w: references out of order", ErrManifest)
				}
				if err != nil {
					yield(SubjectRows{}, fmt.Errorf("subject index: %w", err))
					return
				}
				last = e.ref
				if !yield(SubjectRows{Ref: e.ref, Roles: x.names(e.roles), Kept: e.kept, Rows: e.rows}, nil) {
					return
				}
			}
			for leaf := range g.columns {
				if err := g.columns[leaf].ended(); err != nil {
					yield(SubjectRows{}, fmt.Errorf("subject index: %w", err))
					return
				}
			}
		}
	}
}

// Lookup returns the rows that name an account, ascending; none is not an error. It
// reads only pages that can hold the reference.
func (x *SubjectIndex) Lookup(ref Ref) ([]SubjectRow, error) {
	var found []foundRow
	for i := range x.file.meta.RowGroups {
		var err error
		if found, err = x.lookupGroup(found, i, ref); err != nil {
			return nil, fmt.Errorf("subject index: row group %d: %w", i, err)
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

func (x *SubjectIndex) lookupGroup(found []foundRow, group int, ref Ref) ([]foundRow, error) {
	text := ref.appendText(nil)
	columns := x.file.meta.RowGroups[group].Columns
	stats := &columns[leafSubjectRef].MetaData.Statistics
	if len(stats.MinValue) == 0 || len(stats.MaxValue) == 0 {
		return nil, fmt.Errorf("%w: no bounds of references", ErrManifest)
	}
	if bytes.Compare(text, stats.MinValue) < 0 || bytes.Compare(text, stats.MaxValue) > 0 {
		return found, nil
	}
	if x.pages[group] == nil {
		pages, err := x.file.subjectPageIndex(group)
		if err != nil {
			return nil, fmt.Errorf("page index: %w", err)
		}
		x.pages[group] = pages
	}
	refs := &x.pages[group].refs
	first := sort.Search(len(refs.MaxValues), func(i int) bool { return bytes.Compare(refs.MaxValues[i], text) >= 0 })
	for i := first; i < len(refs.MinValues) && bytes.Compare(refs.MinValues[i], text) <= 0; i++ {
		var err error
		if found, err = x.lookupPage(found, group, i, ref); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// lookupPage looks into the entries of a page of references, and reads their other
// columns where ref is among them.
func (x *SubjectIndex) lookupPage(found []foundRow, group, page int, ref Ref) ([]foundRow, error) {
	var g subjectReader
	var err error
	for leaf := range g.columns {
		if g.columns[leaf].chunkReader, err = x.file.onePage(group, leaf, x.pages[group].at[leaf].PageLocations[page]); err != nil {
			return nil, err
		}
		if leaf != leafSubjectRef {
			continue
		}
		c := &g.columns[leaf]
		if err := c.open(); err != nil {
			return nil, err
		}
		text := ref.appendText(nil)
		there := false
		for i := range c.page.texts.len() {
			there = there || bytes.Equal(c.page.texts.at(i), text)
		}
		if !there {
			return found, nil
		}
	}
	for range g.columns[leafSubjectRef].page.n {
		e, err := x.entry(&g)
		if err != nil {
			return nil, err
		}
		if e.ref != ref {
			continue
		}
		for _, row := range e.rows {
			found = append(found, foundRow{row, e.roles, e.kept})
		}
	}
	return found, nil
}

// subjectPageIndex reads and checks the page index of a row group.
func (f *parquetFile) subjectPageIndex(group int) (*subjectPageIndex, error) {
	columns := f.meta.RowGroups[group].Columns
	if err := f.extendTail(columns[0].ColumnIndexOffset); err != nil {
		return nil, err
	}
	read := func(offset int64, length int32, v any) error {
		b, err := f.bytes(offset, int64(length))
		if err != nil {
			return err
		}
		if err := decodeThrift(b, v); err != nil {
			return fmt.Errorf("%w: %w", ErrManifest, err)
		}
		return nil
	}
	x := new(subjectPageIndex)
	refs := &columns[leafSubjectRef]
	if err := read(refs.ColumnIndexOffset, refs.ColumnIndexLength, &x.refs); err != nil {
		return nil, err
	}
	for leaf := range x.at {
		if err := read(columns[leaf].OffsetIndexOffset, columns[leaf].OffsetIndexLength, &x.at[leaf]); err != nil {
			return nil, err
		}
		pages, want := x.at[leaf].PageLocations, x.at[0].PageLocations
		if len(pages) != len(want) || len(pages) != len(x.refs.MinValues) || len(pages) != len(x.refs.MaxValues) {
			return nil, fmt.Errorf("%w: columns differ in their number of pages", ErrManifest)
		}
		for i := range pages {
			if pages[i].FirstRowIndex != want[i].FirstRowIndex {
				return nil, fmt.Errorf("%w: columns differ in where pages begin", ErrManifest)
			}
		}
	}
	return x, nil
}

// extendTail makes the tail begin at an offset or before, by one read: indexes and
// footer lie together at the end of a file.
func (f *parquetFile) extendTail(from int64) error {
	const limit = 32 << 20
	begin := f.size - int64(len(f.tail))
	if from >= begin || from < 0 || f.size-from > limit {
		return nil // bytes reads what is not there
	}
	more := make([]byte, f.size-from)
	if err := readFull(f.r, more[:begin-from], from); err != nil {
		return err
	}
	copy(more[begin-from:], f.tail)
	f.tail = more
	return nil
}

// onePage returns a reader of the chunk's dictionary, where it has one, and of the page
// at a location.
func (f *parquetFile) onePage(group, leaf int, at format.PageLocation) (*chunkReader, error) {
	m := &f.meta.RowGroups[group].Columns[leaf].MetaData
	b, err := f.bytes(at.Offset, int64(at.CompressedPageSize))
	if err != nil {
		return nil, err
	}
	if m.DictionaryPageOffset > 0 {
		dict, err := f.bytes(m.DictionaryPageOffset, m.DataPageOffset-m.DictionaryPageOffset)
		if err != nil {
			return nil, err
		}
		b = slices.Concat(dict, b)
	}
	return f.pages(group, leaf, bytes.NewReader(b), int64(len(b))), nil
}

// subjectReader reads entries from its columns side by side.
type subjectReader struct {
	columns [leafSubjectRows + 1]cursor
	sets    []uint16 // by role of the dictionary
	rows    []int64
}

// storedEntry is an entry as read. Its rows are valid until the next.
type storedEntry struct {
	ref   Ref
	roles uint16
	kept  bool
	rows  []int64
}

func (x *SubjectIndex) entry(g *subjectReader) (e storedEntry, err error) {
	for c := range g.columns {
		if err := g.columns[c].open(); err != nil {
			return e, err
		}
	}
	c := &g.columns[leafSubjectRef]
	_, i := c.take()
	if i >= c.page.texts.len() {
		return e, c.wrap(fmt.Errorf("%w: has an unexpected encoding", ErrManifest))
	}
	if e.ref, err = parseRef(c.page.texts.at(i)); err != nil {
		return e, c.wrap(fmt.Errorf("%w: %w", ErrManifest, err))
	}
	c = &g.columns[leafSubjectRoles]
	if g.sets == nil {
		if g.sets, err = dictionary(c, x.roleSet); err != nil {
			return e, err
		}
	}
	for more := true; more; more = c.more() {
		set, err := coded(c, g.sets)
		if err != nil {
			return e, err
		}
		e.roles |= set
	}
	c = &g.columns[leafSubjectKept]
	_, i = c.take()
	if i/8 >= len(c.page.bits) {
		return e, c.wrap(fmt.Errorf("%w: has an unexpected encoding", ErrManifest))
	}
	e.kept = c.page.bits[i/8]>>(i%8)&1 != 0

	c = &g.columns[leafSubjectRows]
	g.rows = g.rows[:0]
	for more := true; more; more = c.more() {
		row, err := c.number()
		if err != nil {
			return e, err
		}
		g.rows = append(g.rows, row)
	}
	if n := len(g.rows); g.rows[n-1] < g.rows[0] {
		slices.Reverse(g.rows)
	}
	for i, row := range g.rows {
		if row < 0 || i > 0 && row <= g.rows[i-1] {
			return e, c.wrap(fmt.Errorf("%w: rows out of order", ErrManifest))
		}
	}
	if e.roles == 0 || e.ref == (Ref{}) {
		return e, fmt.Errorf("%w: an entry without reference or roles", ErrManifest)
	}
	e.rows = g.rows
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
