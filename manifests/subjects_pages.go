package manifests

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"assent/job/parquet/table"
)

const (
	// A page of a subject index ends at the first of these, in all columns at the same
	// entry, so that a look-up needs one page of each.
	pageEntries = 1 << 10
	pageRows    = 1 << 15
	// An entry has at most so many rows; an account with more has several.
	entryRows = 1 << 15
)

// subjectScratch is memory of flush.
type subjectScratch struct {
	order  []ranked // accounts of the segment by reference
	runs   []run    // of one account, by row
	sorted []run    // the same by label

	starts [maxLabels + 1]int // by label, where its runs begin in sorted, and then where they end

	pages [leafSubjectRows + 1]table.Page // that are being built
}

// ranked is an account and the first bits of its reference.
type ranked struct {
	prefix  uint64
	account uint32
}

// flush writes the segment as a row group.
func (s *SubjectIndexWriter) flush() error {
	if err := s.file.Err(); err != nil || len(s.labels) == 0 {
		return err
	}
	s.file.BeginGroup()
	w := subjectPages{
		pages: &s.scratch.pages,
		chunks: [...]*table.Chunk{
			leafSubjectRef:   s.file.HeldChunk(leafSubjectRef),
			leafSubjectRoles: s.file.HeldChunk(leafSubjectRoles),
			leafSubjectKept:  s.file.HeldChunk(leafSubjectKept),
			leafSubjectRows:  s.file.Chunk(leafSubjectRows),
		},
	}
	w.chunks[leafSubjectRoles].TextDictionary(s.meta.Roles...)
	w.clear()
	s.rank()
	for order := s.scratch.order; len(order) > 0; {
		entries, n := s.segment.deal(order)
		for _, r := range order[:n] {
			held := s.segment.counts[r.account]
			s.writeAccount(&w, r.account, entries[:held])
			entries = entries[held:]
		}
		order = order[n:]
	}
	w.end()
	err := s.file.EndGroup(w.total, leafSubjectRef)
	s.clear()
	return err
}

// rank puts the accounts that have pairs in the order of their references. These are
// evenly spread, as hashes are, so their first bits find the place of each to within a
// few.
func (s *SubjectIndexWriter) rank() {
	refs := s.table.refs
	counts := s.segment.count(len(refs))
	used := 0
	for _, n := range counts {
		if n > 0 {
			used++
		}
	}
	shift := 64 - max(1, bits.Len(uint(used))-2)
	ends := make([]uint32, 1<<(64-shift)+1)
	for i, n := range counts {
		if n > 0 {
			ends[binary.BigEndian.Uint64(refs[i][:])>>shift+1]++
		}
	}
	for i := range ends[1:] {
		ends[i+1] += ends[i]
	}
	order := slices.Grow(s.scratch.order[:0], used)[:used]
	for i, n := range counts {
		if n > 0 {
			prefix := binary.BigEndian.Uint64(refs[i][:])
			at := &ends[prefix>>shift] // where it starts, and then where it ends
			order[*at] = ranked{prefix, uint32(i)}
			*at++
		}
	}
	start := uint32(0)
	for _, end := range ends[:len(ends)-1] {
		slices.SortFunc(order[start:end], func(a, b ranked) int {
			if a.prefix != b.prefix {
				return cmp.Compare(a.prefix, b.prefix)
			}
			return bytes.Compare(refs[a.account][:], refs[b.account][:])
		})
		start = end
	}
	s.scratch.order = order
}

// writeAccount writes what the postings have of an account: one entry for each label, the rows in order.
func (s *SubjectIndexWriter) writeAccount(w *subjectPages, account uint32, entries []dealt) {
	x := &s.scratch
	x.runs = x.runs[:0]
	for _, e := range entries {
		x.runs = append(x.runs, s.segment.run(e))
	}
	starts := x.starts[:len(s.labels)+1]
	clear(starts)
	for _, r := range x.runs {
		starts[int(r.label)+1]++
		s.pairs += int64(r.rows)
	}
	for i := range s.labels {
		starts[i+1] += starts[i]
	}
	x.sorted = slices.Grow(x.sorted[:0], len(x.runs))[:len(x.runs)]
	for _, r := range x.runs {
		x.sorted[starts[r.label]] = r
		starts[r.label]++
	}
	start := 0
	ref := &s.table.refs[account]
	for i, l := range s.labels {
		for alike := x.sorted[start:starts[i]]; len(alike) > 0; {
			alike = w.add(ref, l, s.first, alike)
		}
		start = starts[i]
	}
}

// subjectPages writes the columns of a segment, entry by entry. Those of few bytes are
// held until the largest, rows, is written.
type subjectPages struct {
	pages  *[leafSubjectRows + 1]table.Page
	chunks [leafSubjectRows + 1]*table.Chunk
	n      int // entries of the page
	total  int // entries
}

// clear begins a page of each column.
func (w *subjectPages) clear() {
	w.n = 0
	for i := range w.pages {
		w.pages[i].Reset(0)
	}
}

// add writes an entry: the rows of some runs of an account under one label, counted from
// first. It returns the runs for which the entry had no room.
func (w *subjectPages) add(ref *Ref, l label, first int64, runs []run) []run {
	refs, roles, kept, numbers := &w.pages[leafSubjectRef], &w.pages[leafSubjectRoles], &w.pages[leafSubjectKept], &w.pages[leafSubjectRows]
	if w.n == pageEntries || len(numbers.Ints) >= pageRows {
		w.page()
	}
	// Sorted references share their first digits with the one before, and all of them
	// where an account has several entries.
	refs.Data = ref.appendText(refs.Data)
	refs.Ends = append(refs.Ends, uint32(len(refs.Data)))

	repeat := uint8(0)
	for set := l.roles(); set != 0; set &= set - 1 {
		roles.Codes = append(roles.Codes, int32(bits.TrailingZeros16(set)))
		roles.Reps = append(roles.Reps, repeat)
		repeat = 1
	}

	kept.Bools.AppendRun(l.kept(), 1)

	// DELTA_BINARY_PACKED takes as many bits for each of 32 neighbours as their widest
	// difference needs. A step down from the end of one list to the start of the next
	// would be about as wide as the file is long. So every second list of a page
	// descends.
	from := len(numbers.Ints)
	for len(runs) > 0 && len(numbers.Ints)-from < entryRows {
		r := &runs[0]
		n := min(int(r.rows), entryRows-(len(numbers.Ints)-from))
		numbers.Ints = appendConsecutive(numbers.Ints, first+int64(r.row), n)
		r.row, r.rows = r.row+uint32(n), r.rows-uint32(n)
		if r.rows == 0 {
			runs = runs[1:]
		}
	}
	numbers.Reps = repeatTail(append(numbers.Reps, 1), len(numbers.Reps), len(numbers.Ints)-from)
	numbers.Reps[from] = 0
	if w.n%2 != 0 {
		slices.Reverse(numbers.Ints[from:])
	}
	w.n++
	w.total++
	return runs
}

// appendConsecutive appends n numbers from row on.
func appendConsecutive(s []int64, row int64, n int) []int64 {
	if n == 1 { // nearly always, where rows of an account are strewn
		return append(s, row)
	}
	at := len(s)
	s = withRoom(s, n)[:at+n]
	for i := range s[at:] {
		s[at+i] = row + int64(i)
	}
	return s
}

// page ends the page of each column.
func (w *subjectPages) page() {
	for i := range w.pages {
		w.pages[i].Rows = w.n
		w.chunks[i].Page(&w.pages[i])
	}
	w.clear()
}

func (w *subjectPages) end() {
	w.page()
	w.chunks[leafSubjectRows].End()
	w.chunks[leafSubjectRef].End()
	w.chunks[leafSubjectRoles].End()
	w.chunks[leafSubjectKept].End()
}
