package manifests

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"assent/job/parquet"
	"assent/job/parquet/table"
)

// subjectColumns: see the package comment. What is bit-packed to what it holds is not
// compressed.
var subjectColumns = sync.OnceValue(func() *table.Schema {
	return table.NewSchema(
		table.Field{Name: "ref", Type: table.Text, Encoding: parquet.DeltaByteArray, Bounded: true, Filtered: true},
		table.Field{Name: "roles", Type: table.Text, List: true, Encoding: parquet.RLEDictionary},
		table.Field{Name: "kept", Type: table.Bool, Encoding: parquet.Plain, Uncompressed: true},
		table.Field{Name: "rows", Type: table.Int64, List: true, Encoding: parquet.DeltaBinaryPacked, Bounded: true, Uncompressed: true},
	)
})

// Leaves of subjectColumns, in order. An index is sorted by ref within a row group.
const (
	leafSubjectRef = iota
	leafSubjectRoles
	leafSubjectKept
	leafSubjectRows
)

// label is a set of roles, with the outcome of the row: kept or not. A segment has few,
// and numbers them as they come.
type label uint16

const maxLabels = 1 << 8

func labelOf(roles uint16, kept bool) label {
	if kept {
		return label(roles<<1 | 1)
	}
	return label(roles << 1)
}

func (l label) kept() bool    { return l&1 != 0 }
func (l label) roles() uint16 { return uint16(l >> 1) }

// SubjectIndexWriter writes the subject index of one input file. It gathers a segment's
// pairs by account, then writes them by reference.
type SubjectIndexWriter struct {
	file     *table.Writer
	meta     Meta
	accounts *Accounts
	table    *refTable // by which pairs are numbered
	pairs    int64     // of the segments written
	last     int64     // row; -1 before the first

	current []rolesOfRow    // accounts of the rows that are being added
	places  map[Account]int // of them in current, where they are many

	first    int64 // row of the segment's first pair
	segment  postings
	labels   []label
	labelled []uint16 // by label, its number plus 1; 0 where it has none yet

	scratch subjectScratch
}

// rolesOfRow is an account that a row names, with all its roles.
type rolesOfRow struct {
	account Account
	roles   uint16
}

// NewSubjectIndexWriter returns a writer to w, which it does not close. Accounts are
// those of the pairs that are to come.
func NewSubjectIndexWriter(w io.Writer, accounts *Accounts, meta Meta) *SubjectIndexWriter {
	s := &SubjectIndexWriter{file: table.NewWriter(subjectColumns(), createdBy), labelled: make([]uint16, 1<<(MaxRoles+1)), places: map[Account]int{}}
	s.Reset(w, accounts, meta)
	return s
}

// Reset makes the writer ready for another file, keeping its memory.
func (s *SubjectIndexWriter) Reset(w io.Writer, accounts *Accounts, meta Meta) {
	s.meta, s.accounts, s.table = meta, accounts, accounts.table
	s.pairs, s.last = 0, -1
	s.file.Reset(w)
	if err := meta.check(); err != nil {
		s.file.Fail(err)
	}
	s.clear()
}

// Memory returns the bytes that the writer holds until the segment is written, about.
func (s *SubjectIndexWriter) Memory() int {
	x := &s.scratch
	return s.segment.memory() + 16*cap(x.order) + runSize*(cap(x.runs)+cap(x.sorted))
}

// clear forgets the segment.
func (s *SubjectIndexWriter) clear() {
	s.segment.clear()
	for _, l := range s.labels {
		s.labelled[l] = 0
	}
	s.labels = s.labels[:0]
}

// NamedAs is an account that a row names under a role (index in Meta.Roles).
type NamedAs struct {
	Account Account
	Role    uint8
}

// Add says that some rows of the input file, from one on, name accounts, and whether the
// rows are kept. Rows ascend. Accounts come in any order, repeats are merged, and NoAccount
// is skipped. How rows alike are cut into calls makes no difference to what is written.
func (s *SubjectIndexWriter) Add(row int64, rows int, named []NamedAs, kept bool) error {
	switch {
	case s.file.Err() != nil:
		return s.file.Err()
	case row <= s.last || rows < 1 || rows > math.MaxInt32:
		return s.fail(row, fmt.Errorf("%d rows do not follow row %d", rows, s.last))
	}
	if s.table != s.accounts.table {
		if err := s.flush(); err != nil {
			return err
		}
		s.table = s.accounts.table
	}
	s.last = row + int64(rows) - 1
	s.current = s.current[:0]
	if len(s.places) > 0 {
		clear(s.places)
	}
	for _, n := range named {
		if n.Account == NoAccount {
			continue
		}
		if int(n.Role) >= len(s.meta.Roles) || int(n.Account) >= len(s.table.refs) {
			return s.fail(row, errors.New("no such role or account"))
		}
		s.name(n)
	}
	for _, c := range s.current {
		if err := s.add(c, row, rows, kept); err != nil {
			return err
		}
	}
	return nil
}

func (s *SubjectIndexWriter) fail(row int64, err error) error {
	return s.file.Fail(fmt.Errorf("subject index: %s: row %d: %w", s.meta.Source, row, err))
}

// manyAccounts is how many accounts of a row are searched one after the other.
const manyAccounts = 16

// name adds a role to those that the current rows name an account under.
func (s *SubjectIndexWriter) name(n NamedAs) {
	if len(s.current) > manyAccounts {
		s.nameAmongMany(n)
		return
	}
	for i := range s.current {
		if c := &s.current[i]; c.account == n.Account {
			c.roles |= 1 << n.Role
			return
		}
	}
	s.current = append(s.current, rolesOfRow{n.Account, 1 << n.Role})
}

func (s *SubjectIndexWriter) nameAmongMany(n NamedAs) {
	if len(s.places) == 0 {
		for i, c := range s.current {
			s.places[c.account] = i
		}
	}
	at, found := s.places[n.Account]
	if !found {
		at = len(s.current)
		s.current = append(s.current, rolesOfRow{account: n.Account})
		s.places[n.Account] = at
	}
	s.current[at].roles |= 1 << n.Role
}

// add adds rows that name an account to the segment. A segment that is full is written before.
func (s *SubjectIndexWriter) add(c rolesOfRow, row int64, rows int, kept bool) error {
	if s.segment.full() || len(s.labels) == maxLabels || s.last-s.first > maxRow {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if len(s.labels) == 0 {
		s.first = row
	}
	s.segment.add(c.account, run{uint32(row - s.first), uint32(rows), s.number(labelOf(c.roles, kept))})
	return nil
}

// number returns the number of a label in the segment, where there is room for one
// more.
func (s *SubjectIndexWriter) number(l label) uint8 {
	if s.labelled[l] == 0 {
		s.labels = append(s.labels, l)
		s.labelled[l] = uint16(len(s.labels))
	}
	return uint8(s.labelled[l] - 1)
}

// EndBlock is as that of ExclusionWriter.
func (s *SubjectIndexWriter) EndBlock() (groups int, err error) {
	err = s.flush()
	return s.file.NumGroups(), err
}

// Take is as that of ExclusionWriter.
func (s *SubjectIndexWriter) Take(x *SubjectIndex, from, to int, last int64) error {
	for i := from; i < to; i++ {
		s.file.Take(x.file, i)
	}
	s.last = last
	return damaged(s.file.Err())
}

// Close writes what is left and the footer. Without it there is no index.
func (s *SubjectIndexWriter) Close() (Written, error) {
	if err := s.flush(); err != nil {
		return Written{}, err
	}
	if err := s.file.Finish(s.meta.keyValues(subjectsSchema)); err != nil {
		return Written{}, err
	}
	return Written{Rows: s.pairs, Bytes: s.file.Size()}, nil
}
