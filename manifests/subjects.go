package manifests

import (
	"errors"
	"fmt"
	"io"
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

	row     int64       // that is being added; -1 before the first
	kept    bool        // its outcome
	current []roleOfRow // its accounts

	first    int64 // row of the segment's first pair
	segment  postings
	labels   []label
	labelled []uint16 // by label, its number plus 1; 0 where it has none yet

	scratch subjectScratch
}

// roleOfRow is an account that the current row names, with all its roles so far.
type roleOfRow struct {
	account Account
	roles   uint16
}

// NewSubjectIndexWriter returns a writer to w, which it does not close. Accounts are
// those of the pairs that are to come.
func NewSubjectIndexWriter(w io.Writer, accounts *Accounts, meta Meta) *SubjectIndexWriter {
	s := &SubjectIndexWriter{file: table.NewWriter(subjectColumns(), createdBy), labelled: make([]uint16, 1<<(MaxRoles+1))}
	s.Reset(w, accounts, meta)
	return s
}

// Reset makes the writer ready for another file, keeping its memory.
func (s *SubjectIndexWriter) Reset(w io.Writer, accounts *Accounts, meta Meta) {
	s.meta, s.accounts, s.table = meta, accounts, accounts.table
	s.pairs, s.row, s.current = 0, -1, s.current[:0]
	s.file.Reset(w)
	if err := meta.check(); err != nil {
		s.file.Fail(err)
	}
	s.clear()
}

// clear forgets the segment.
func (s *SubjectIndexWriter) clear() {
	s.segment.clear()
	for _, l := range s.labels {
		s.labelled[l] = 0
	}
	s.labels = s.labels[:0]
}

// Add says that a row of the input file names an account under a role (index in
// Meta.Roles), and whether the row is kept. Rows do not descend; roles of one row
// come in any order, repeats are merged. NoAccount is skipped.
func (s *SubjectIndexWriter) Add(account Account, row int64, role uint8, kept bool) error {
	if row != s.row || s.table != s.accounts.table {
		if err := s.startRow(row, kept); err != nil {
			return err
		}
	}
	if kept != s.kept {
		return s.fail(row, errors.New("both kept and excluded"))
	}
	if account == NoAccount {
		return s.file.Err()
	}
	if int(role) >= len(s.meta.Roles) || int(account) >= len(s.table.refs) {
		return s.fail(row, errors.New("no such role or account"))
	}
	// Roles of one account mostly come side by side; what this does not find, flush
	// brings together.
	for i := len(s.current) - 1; i >= max(0, len(s.current)-4); i-- {
		if s.current[i].account == account {
			s.current[i].roles |= 1 << role
			return nil
		}
	}
	s.current = append(s.current, roleOfRow{account, 1 << role})
	return nil
}

func (s *SubjectIndexWriter) fail(row int64, err error) error {
	return s.file.Fail(fmt.Errorf("subject index: %s: row %d: %w", s.meta.Source, row, err))
}

// startRow begins a row, and a segment where the one before is full.
func (s *SubjectIndexWriter) startRow(row int64, kept bool) error {
	if row < s.row || row < 0 {
		return s.fail(row, fmt.Errorf("does not follow row %d", s.row))
	}
	if err := s.endRow(); err != nil {
		return err
	}
	if s.table != s.accounts.table {
		if err := s.flush(); err != nil {
			return err
		}
		s.table = s.accounts.table
	}
	s.row, s.kept = row, kept
	return s.file.Err()
}

// endRow adds the current row to the segment.
func (s *SubjectIndexWriter) endRow() error {
	for _, c := range s.current {
		if s.segment.full() || len(s.labels) == maxLabels || s.row-s.first > 1<<32-1 {
			if err := s.flush(); err != nil {
				return err
			}
		}
		if len(s.labels) == 0 {
			s.first = s.row
		}
		s.segment.add(c.account, uint32(s.row-s.first), s.number(labelOf(c.roles, s.kept)))
	}
	s.current = s.current[:0]
	return s.file.Err()
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
	if err = s.endRow(); err == nil {
		err = s.flush()
	}
	return s.file.NumGroups(), err
}

// Take is as that of ExclusionWriter.
func (s *SubjectIndexWriter) Take(x *SubjectIndex, from, to int, last int64) error {
	for i := from; i < to; i++ {
		s.file.Take(x.file, i)
	}
	s.row = last
	return damaged(s.file.Err())
}

// Close writes what is left and the footer. Without it there is no index.
func (s *SubjectIndexWriter) Close() (Written, error) {
	if err := s.endRow(); err != nil {
		return Written{}, err
	}
	if err := s.flush(); err != nil {
		return Written{}, err
	}
	if err := s.file.Finish(s.meta.keyValues(subjectsSchema)); err != nil {
		return Written{}, err
	}
	return Written{Rows: s.pairs, Bytes: s.file.Size()}, nil
}
