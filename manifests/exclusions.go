package manifests

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"assent/job/parquet"
	"assent/job/parquet/table"
	"assent/schema"
)

// Subject is an account that an excluded record names, as written.
type Subject struct {
	Account Account // NoAccount where the record has null or an empty id
	Role    uint8   // index in Meta.Roles
	Cause   Cause
	Since   schema.Instant // of the event that made it a cause; Unknown for null
}

// exclusionColumns is the contract's table, in its order.
var exclusionColumns = sync.OnceValue(func() *table.Schema {
	text := func(name string) table.Field {
		return table.Field{Name: name, Type: table.Text, Encoding: parquet.RLEDictionary}
	}
	optional := func(f table.Field) table.Field { f.Optional = true; return f }
	return table.NewSchema(
		table.Field{Name: "record_id", Type: table.Text, Encoding: parquet.DeltaLengthByteArray, Bounded: true},
		table.Field{Name: "source_file", Type: table.Text, Encoding: parquet.RLEDictionary, Bounded: true},
		table.Field{Name: "source_row", Type: table.Int64, Encoding: parquet.DeltaBinaryPacked, Bounded: true},
		text("reason"),
		table.Field{Name: "reasons", Type: table.Text, List: true, Encoding: parquet.RLEDictionary},
		table.Field{Name: "moment", Type: table.Nanos, Optional: true, Encoding: parquet.DeltaBinaryPacked, Bounded: true},
		table.Field{Name: "subjects", List: true, Fields: []table.Field{
			text("ref"), text("role"), optional(text("cause")),
			{Name: "since", Type: table.Nanos, Optional: true, Encoding: parquet.RLEDictionary},
		}},
		optional(text("request_id")),
	)
})

// A row group ends at the first of these, a page at an eighth of it.
const (
	groupRows     = 1 << 17
	groupIDBytes  = 1 << 23
	groupSubjects = 1 << 20
)

// ExclusionWriter writes the exclusion manifest of one input file. It holds the values
// of one row group. Append is next to nothing but copying; all that looks around, such
// as numbering references, is left to loops over whole columns in flush, where waits
// for memory overlap.
type ExclusionWriter struct {
	file     *table.Writer
	meta     Meta
	accounts *Accounts
	table    *refTable // by which subjects are numbered
	rowsDone int64
	lastRow  int64

	ids         []byte
	idEnds      []uint32 // where the id of row i-1 ends, so 0 comes first
	rows        []int64
	sets        []schema.Reasons
	moments     []schema.Instant
	requests    []int32   // index in requestIDs, or -1
	repeats     []uint8   // of each slot of subjects, its repetition level
	accountOf   []Account // of each slot, as are roles and causes
	roles       []uint8
	causes      []uint8          // with hasSince where the instant is known; noSubject
	sinces      []schema.Instant // the known ones
	slotEnds    []uint32         // as idEnds
	subjects    int
	cuts        []int // rows at which pages end, 0 first
	subjectsCut int   // subjects up to the last of them

	requestIDs   []string
	requestCodes map[string]int32

	scratch exclusionScratch
}

const (
	hasSince  = 1 << 7 // marks a subject that has a Since
	noSubject = 1 << 6 // is the slot of a row without subjects
)

const _ = uint(noSubject - 1 - len(causeReasons)) // does not compile where a cause does not fit beside it

// NewExclusionWriter returns a writer to w, which it does not close. Accounts are
// those of the subjects that are to come.
func NewExclusionWriter(w io.Writer, accounts *Accounts, meta Meta) *ExclusionWriter {
	x := &ExclusionWriter{file: table.NewWriter(exclusionColumns(), createdBy), requestCodes: make(map[string]int32)}
	x.Reset(w, accounts, meta)
	return x
}

// Reset makes the writer ready for another file, keeping its memory.
func (w *ExclusionWriter) Reset(dst io.Writer, accounts *Accounts, meta Meta) {
	w.meta, w.accounts, w.table = meta, accounts, accounts.table
	w.rowsDone, w.lastRow = 0, -1
	w.file.Reset(dst)
	if err := meta.check(); err != nil {
		w.file.Fail(err)
	}
	w.clear()
}

// clear forgets the row group.
func (w *ExclusionWriter) clear() {
	w.ids, w.idEnds = w.ids[:0], append(w.idEnds[:0], 0)
	w.rows, w.sets, w.moments, w.requests = w.rows[:0], w.sets[:0], w.moments[:0], w.requests[:0]
	w.repeats, w.accountOf, w.roles, w.causes, w.sinces = w.repeats[:0], w.accountOf[:0], w.roles[:0], w.causes[:0], w.sinces[:0]
	w.slotEnds = append(w.slotEnds[:0], 0)
	w.subjects, w.subjectsCut = 0, 0
	w.cuts = append(w.cuts[:0], 0)
	w.requestIDs = w.requestIDs[:0]
	clear(w.requestCodes)
}

// Append writes one excluded record: its id as text, its row in the input file
// (ascending), the reasons (not empty), the moment of the primary one (or Unknown),
// its subjects (role by role, list elements in their order) and the deletion request's
// id, or "". Nothing given is kept. It does not allocate once buffers have grown.
//
// Bytes of a record id that are not UTF-8 become U+FFFD, as Parquet strings must be.
func (w *ExclusionWriter) Append(recordID []byte, row int64, reasons schema.Reasons, moment schema.Instant, subjects []Subject, requestID string) error {
	if err := w.file.Err(); err != nil {
		return err
	}
	if w.table != w.accounts.table {
		if err := w.flush(); err != nil {
			return err
		}
		w.table = w.accounts.table
	}
	if err := w.check(row, reasons, subjects); err != nil {
		return w.file.Fail(fmt.Errorf("exclusions: %s: row %d: %w", w.meta.Source, row, err))
	}
	w.lastRow = row
	if utf8.Valid(recordID) {
		w.ids = append(w.ids, recordID...)
	} else {
		w.ids = append(w.ids, bytes.ToValidUTF8(recordID, []byte("\uFFFD"))...)
	}
	w.idEnds = append(w.idEnds, uint32(len(w.ids)))
	w.rows = append(w.rows, row)
	w.sets = append(w.sets, reasons)
	w.moments = append(w.moments, moment)
	w.requests = append(w.requests, w.requestCode(requestID))
	for i := range subjects {
		x := &subjects[i]
		cause := uint8(x.Cause)
		if x.Since != schema.Unknown {
			cause |= hasSince
			w.sinces = append(w.sinces, x.Since)
		}
		w.slot(min(i, 1), x.Account, x.Role, cause)
	}
	if len(subjects) == 0 {
		w.slot(0, NoAccount, 0, noSubject)
	}
	w.subjects += len(subjects)
	w.slotEnds = append(w.slotEnds, uint32(len(w.roles)))
	return w.cut()
}

func (w *ExclusionWriter) slot(repeat int, account Account, role, cause uint8) {
	w.repeats = append(w.repeats, uint8(repeat))
	w.accountOf = append(w.accountOf, account)
	w.roles = append(w.roles, role)
	w.causes = append(w.causes, cause)
}

func (w *ExclusionWriter) check(row int64, reasons schema.Reasons, subjects []Subject) error {
	if row <= w.lastRow {
		return fmt.Errorf("does not follow row %d", w.lastRow)
	}
	if reasons.Kept() || reasons >= 1<<schema.NumReasons {
		return fmt.Errorf("no such set of reasons: %#x", uint16(reasons))
	}
	for i := range subjects {
		s := &subjects[i]
		if int(s.Role) >= len(w.meta.Roles) || int(s.Cause) > len(causeReasons) || (int(s.Account) >= len(w.table.refs) && s.Account != NoAccount) {
			return fmt.Errorf("subject %d: no such account, role or cause", i)
		}
	}
	return nil
}

func (w *ExclusionWriter) requestCode(id string) int32 {
	if id == "" {
		return -1
	}
	code, ok := w.requestCodes[id]
	if !ok {
		code = int32(len(w.requestIDs))
		w.requestIDs = append(w.requestIDs, id)
		w.requestCodes[id] = code
	}
	return code
}

// cut ends the page, and the row group, where they are full.
func (w *ExclusionWriter) cut() error {
	rows, from := len(w.rows), w.cuts[len(w.cuts)-1]
	if rows-from < groupRows/8 && len(w.ids)-int(w.idEnds[from]) < groupIDBytes/8 && w.subjects-w.subjectsCut < groupSubjects/8 {
		return nil
	}
	w.cuts, w.subjectsCut = append(w.cuts, rows), w.subjects
	if rows < groupRows && len(w.ids) < groupIDBytes && w.subjects < groupSubjects {
		return nil
	}
	return w.flush()
}

// EndBlock ends the row group, so that what follows does not depend on what came before. It returns how many row groups there are.
func (w *ExclusionWriter) EndBlock() (groups int, err error) {
	err = w.flush()
	return w.file.NumGroups(), err
}

// Take writes some row groups of another manifest as they are, from one up to, and without, another. They are of the same input file
// and the same key, and of rows up to last, which EndBlock has kept apart from others. It comes at the beginning of a block.
func (w *ExclusionWriter) Take(x *Exclusions, from, to int, last int64) error {
	for i := from; i < to; i++ {
		w.file.Take(x.file, i)
		w.rowsDone += x.file.RowGroupRows(i)
	}
	w.lastRow = last
	return damaged(w.file.Err())
}

// Close writes what is left and the footer. Without it there is no manifest.
func (w *ExclusionWriter) Close() (Written, error) {
	if err := w.flush(); err != nil {
		return Written{}, err
	}
	if err := w.file.Finish(w.meta.keyValues(exclusionsSchema)); err != nil {
		return Written{}, err
	}
	return Written{Rows: w.rowsDone, Bytes: w.file.Size()}, nil
}

// flush writes the rows held as a row group.
func (w *ExclusionWriter) flush() error {
	if err := w.file.Err(); err != nil || len(w.rows) == 0 {
		return err
	}
	if w.cuts[len(w.cuts)-1] < len(w.rows) {
		w.cuts = append(w.cuts, len(w.rows))
	}
	w.file.BeginGroup()
	w.writeIDs()
	w.writeSource()
	w.writeRows()
	w.writeReason()
	w.writeReasons()
	w.writeMoments()
	w.writeRefs()
	w.writeRoles()
	w.writeCauses()
	w.writeSinces()
	w.writeRequests()
	w.rowsDone += int64(len(w.rows))
	err := w.file.EndGroup(len(w.rows), leafSourceRow)
	w.clear()
	return err
}

// Leaves of exclusionColumns, in order. A manifest is sorted by source_row.
const (
	leafRecordID = iota
	leafSourceFile
	leafSourceRow
	leafReason
	leafReasons
	leafMoment
	leafRef
	leafRole
	leafCause
	leafSince
	leafRequestID
)
