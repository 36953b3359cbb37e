package manifests

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sort"
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
		table.Field{Name: "record_id", Type: table.Text, Encoding: parquet.DeltaByteArray, Bounded: true, Literal: true},
		table.Field{Name: "source_file", Type: table.Text, Encoding: parquet.RLEDictionary, Bounded: true},
		table.Field{Name: "source_row", Type: table.Int64, Encoding: parquet.DeltaBinaryPacked, Bounded: true},
		text("reason"),
		table.Field{Name: "reasons", Type: table.Text, List: true, Encoding: parquet.RLEDictionary},
		table.Field{Name: "moment", Type: table.Nanos, Optional: true, Encoding: parquet.DeltaBinaryPacked, Bounded: true, Literal: true},
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

// Excluded is some rows of the input file, one after the other, that are excluded alike.
type Excluded struct {
	Row      int64            // the first one
	IDs      parquet.Bytes    // of the records, as text
	Reasons  schema.Reasons   // not empty
	Moments  []schema.Instant // beside IDs: of the primary reason, or Unknown
	Subjects []Subject        // of each row: role by role, list elements in their order
	Request  string           // the deletion request's id, or ""
}

// ExclusionWriter writes the exclusion manifest of one input file. It holds the values
// of one row group: what differs from row to row, and the rest once for each run of rows
// that have it in common. Append is next to nothing but copying; all that looks around,
// such as numbering references, is left to loops over whole columns in flush.
type ExclusionWriter struct {
	file     *table.Writer
	meta     Meta
	accounts *Accounts
	table    *refTable // by which subjects are numbered
	rowsDone int64
	lastRow  int64

	ids     []byte
	idEnds  []uint32 // where the id of row i-1 ends, so 0 comes first
	rows    []int64
	moments []int64
	unknown bool // some of moments are Unknown

	runs     []excludedRun
	subjects []Subject // of the runs, one after the other
	at       spot      // behind the last row
	cuts     []spot    // where pages end; first where the first one begins

	requestIDs   []string
	requestCodes map[string]int32

	scratch exclusionScratch
}

// excludedRun is what neighbouring rows of a page have in common.
type excludedRun struct {
	rows     int32
	subjects int32 // of each row
	request  int32 // index in requestIDs, or -1
	set      schema.Reasons
}

// slots returns how many slots a row has in a column of subjects: one, if it has no subject.
func (r *excludedRun) slots() int { return max(1, int(r.subjects)) }

// single reports whether it has one row, and that has subjects.
func (r *excludedRun) single() bool { return r.rows == 1 && r.subjects > 0 }

// spot is a place between two rows of a row group: how many there are of each before it.
type spot struct {
	rows, runs int
	subjects   int // of the rows
	slots      int // of the rows, in a column of subjects
	listed     int // in the writer's subjects
}

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

// Memory returns the bytes that the writer holds until the row group is written, about.
func (w *ExclusionWriter) Memory() int {
	return cap(w.ids) + 4*cap(w.idEnds) + 8*cap(w.rows) + 8*cap(w.moments) + 32*cap(w.runs) + 16*cap(w.subjects)
}

// clear forgets the row group.
func (w *ExclusionWriter) clear() {
	w.ids, w.idEnds = w.ids[:0], append(w.idEnds[:0], 0)
	w.rows, w.moments, w.unknown = w.rows[:0], w.moments[:0], false
	w.runs, w.subjects, w.at = w.runs[:0], w.subjects[:0], spot{}
	w.cuts = append(w.cuts[:0], spot{})
	w.requestIDs = w.requestIDs[:0]
	clear(w.requestCodes)
}

// Append writes excluded rows, which follow those written before. Nothing given is kept. It
// does not allocate once buffers have grown. How the rows are cut into calls makes no
// difference to what is written.
//
// Bytes of a record id that are not UTF-8 become U+FFFD, as Parquet strings must be.
func (w *ExclusionWriter) Append(e *Excluded) error {
	if err := w.file.Err(); err != nil {
		return err
	}
	if w.table != w.accounts.table {
		if err := w.flush(); err != nil {
			return err
		}
		w.table = w.accounts.table
	}
	if err := w.check(e); err != nil {
		return w.file.Fail(fmt.Errorf("exclusions: %s: row %d: %w", w.meta.Source, e.Row, err))
	}
	request, ids, moments := w.requestCode(e.Request), e.IDs, e.Moments
	for row := e.Row; ; {
		n := w.room(ids, len(moments), len(e.Subjects))
		w.moments = withRoom(w.moments, n)
		w.lastRow = row + int64(n) - 1
		w.appendIDs(ids, n)
		w.rows = appendConsecutive(w.rows, row, n)
		for _, m := range moments[:n] {
			w.moments = append(w.moments, int64(m))
			w.unknown = w.unknown || m == schema.Unknown
		}
		w.run(e, request, n)
		if err := w.cut(); err != nil {
			return err
		}
		if n == len(moments) { // nearly always
			return nil
		}
		row, moments, ids = row+int64(n), moments[n:], ids.Slice(n, ids.Len())
	}
}

// run adds n rows to the last run, or begins one.
func (w *ExclusionWriter) run(e *Excluded, request int32, n int) {
	k := len(e.Subjects)
	w.at.rows += n
	w.at.subjects += n * k
	w.at.slots += n * max(1, k)
	if from := w.cuts[len(w.cuts)-1].runs; len(w.runs) > from {
		last := &w.runs[len(w.runs)-1]
		if last.set == e.Reasons && last.request == request && int(last.subjects) == k && slices.Equal(w.subjects[len(w.subjects)-k:], e.Subjects) {
			last.rows += int32(n)
			return
		}
	}
	w.runs = append(withRoom(w.runs, 1), excludedRun{int32(n), int32(k), request, e.Reasons})
	w.subjects = append(withRoom(w.subjects, k), e.Subjects...)
	w.at.runs, w.at.listed = len(w.runs), len(w.subjects)
}

func (w *ExclusionWriter) check(e *Excluded) error {
	switch {
	case len(e.Moments) == 0 || e.IDs.Len() != len(e.Moments):
		return fmt.Errorf("%d ids and %d moments", e.IDs.Len(), len(e.Moments))
	case e.Row <= w.lastRow:
		return fmt.Errorf("does not follow row %d", w.lastRow)
	case e.Reasons.Kept() || e.Reasons >= 1<<schema.NumReasons:
		return fmt.Errorf("no such set of reasons: %#x", uint16(e.Reasons))
	}
	for i := range e.Subjects {
		s := &e.Subjects[i]
		if int(s.Role) >= len(w.meta.Roles) || int(s.Cause) > len(causeReasons) || (int(s.Account) >= len(w.table.refs) && s.Account != NoAccount) {
			return fmt.Errorf("subject %d: no such account, role or cause", i)
		}
	}
	return nil
}

// validateIDs makes the ids of the rows of a page UTF-8, which are the last ones. That is looked at once for all of them.
func (w *ExclusionWriter) validateIDs(from spot) {
	ends := w.idEnds[from.rows:]
	data := w.ids[ends[0]:]
	valid := utf8.Valid(data)
	for _, end := range ends[:len(ends)-1] {
		valid = valid && (int(end-ends[0]) == len(data) || utf8.RuneStart(data[end-ends[0]]))
	}
	if valid {
		return
	}
	ids := parquet.Bytes{Data: slices.Clone(data), Ends: slices.Clone(ends[1:])}
	w.ids = w.ids[:ends[0]]
	for i := range ids.Ends {
		ids.Ends[i] -= ends[0]
	}
	for i := range ids.Len() {
		w.ids = append(w.ids, bytes.ToValidUTF8(ids.At(i), []byte("\uFFFD"))...)
		ends[i+1] = uint32(len(w.ids))
	}
}

// appendIDs appends the first n ids.
func (w *ExclusionWriter) appendIDs(ids parquet.Bytes, n int) {
	move := uint32(len(w.ids)) - ids.First
	size := int(ids.Ends[n-1] - ids.First)
	if len(w.ids)+size > groupIDBytes/2 && cap(w.ids)-len(w.ids) < size { // the row group ends soon: twice as many would never be used
		w.ids = slices.Grow(w.ids, max(size, groupIDBytes+groupIDBytes/8-len(w.ids)))
	}
	w.ids, w.idEnds = withRoom(w.ids, size), withRoom(w.idEnds, n)
	w.ids = append(w.ids, ids.Data[ids.First:ids.Ends[n-1]]...)
	for _, end := range ids.Ends[:n] {
		w.idEnds = append(w.idEnds, end+move)
	}
}

// withRoom returns s with room for n more elements. Where it grows, it grows to twice as many: append copies larger ones more often.
func withRoom[T any](s []T, n int) []T {
	if cap(s)-len(s) < n {
		s = slices.Grow(s, max(n, cap(s)))
	}
	return s
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

// room returns how many of n rows come before the page is full, at least one: the row that
// fills it is one of them.
func (w *ExclusionWriter) room(ids parquet.Bytes, n, subjects int) int {
	if n == 1 { // most runs are of one row where exclusions are random
		return 1
	}
	from := w.cuts[len(w.cuts)-1]
	n = min(n, groupRows/8-(w.at.rows-from.rows))
	if subjects > 0 {
		n = min(n, (groupSubjects/8-(w.at.subjects-from.subjects)+subjects-1)/subjects)
	}
	left := groupIDBytes/8 - (len(w.ids) - int(w.idEnds[from.rows]))
	if int(ids.Ends[n-1]-ids.First) < left {
		return n
	}
	return 1 + sort.Search(n-1, func(i int) bool { return int(ids.Ends[i]-ids.First) >= left })
}

// cut ends the page, and the row group, where they are full.
func (w *ExclusionWriter) cut() error {
	from := w.cuts[len(w.cuts)-1]
	if w.at.rows-from.rows < groupRows/8 && len(w.ids)-int(w.idEnds[from.rows]) < groupIDBytes/8 && w.at.subjects-from.subjects < groupSubjects/8 {
		return nil
	}
	w.endPage()
	if w.at.rows < groupRows && len(w.ids) < groupIDBytes && w.at.subjects < groupSubjects {
		return nil
	}
	return w.flush()
}

func (w *ExclusionWriter) endPage() {
	w.validateIDs(w.cuts[len(w.cuts)-1])
	w.cuts = append(w.cuts, w.at)
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
	if w.cuts[len(w.cuts)-1].rows < len(w.rows) {
		w.endPage()
	}
	w.repeat()
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
