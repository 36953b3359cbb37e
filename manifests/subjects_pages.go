package manifests

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/format"
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
	order []ranked // accounts of the segment by reference
	pairs []pair   // of one account, by row
	rows  []uint32 // the same by label

	// Of the page being built: entries' references, roles, outcomes and rows.
	entries    int
	text       []byte
	textEnds   []uint32
	roles      []int32
	roleLevels []uint8
	kept       []byte
	numbers    []int64
	rowLevels  []uint8
}

// ranked is an account and the first bits of its reference.
type ranked struct {
	prefix  uint64
	account uint32
}

// flush writes the segment as a row group.
func (s *SubjectIndexWriter) flush() error {
	if s.file.err != nil || len(s.labels) == 0 {
		return s.file.err
	}
	p := s.file
	p.beginGroup()
	w := subjectPages{
		subjectScratch: &s.scratch,
		columns: [...]*chunkWriter{
			leafSubjectRef:   p.beginChunk(leafSubjectRef, format.DeltaByteArray, true),
			leafSubjectRoles: p.beginChunk(leafSubjectRoles, format.RLEDictionary, true),
			leafSubjectKept:  p.beginChunk(leafSubjectKept, format.Plain, true),
			leafSubjectRows:  p.beginChunk(leafSubjectRows, format.DeltaBinaryPacked, false),
		},
		names: s.meta.Roles,
	}
	w.columns[leafSubjectKept].meta.Codec = format.Uncompressed
	w.columns[leafSubjectRows].meta.Codec = format.Uncompressed // bit-packed to what they hold
	w.begin()
	s.segment.drain()
	s.rank()
	const batch = 32
	for order := s.scratch.order; len(order) > 0; order = order[min(batch, len(order)):] {
		accounts := order[:min(batch, len(order))]
		s.segment.warm(accounts)
		for _, r := range accounts {
			s.writeAccount(&w, r.account)
		}
	}
	w.end()
	err := p.endGroup(w.total, leafSubjectRef)
	s.clear()
	return err
}

// rank puts the accounts that have pairs in the order of their references. These are
// evenly spread, as hashes are, so their first bits find the place of each to within a
// few.
func (s *SubjectIndexWriter) rank() {
	refs := s.table.refs
	used := 0
	for i := range s.segment.lists {
		if s.segment.has(i) {
			used++
		}
	}
	shift := 64 - max(1, bits.Len(uint(used))-2)
	ends := make([]uint32, 1<<(64-shift)+1)
	for i := range s.segment.lists {
		if s.segment.has(i) {
			ends[binary.BigEndian.Uint64(refs[i][:])>>shift+1]++
		}
	}
	for i := range ends[1:] {
		ends[i+1] += ends[i]
	}
	order := slices.Grow(s.scratch.order[:0], used)[:used]
	for i := range s.segment.lists {
		if s.segment.has(i) {
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

// writeAccount writes the entries of an account: one for each label, the rows in order.
func (s *SubjectIndexWriter) writeAccount(w *subjectPages, account uint32) {
	x := &s.scratch
	x.pairs = s.segment.appendPairs(x.pairs[:0], account)
	pairs := s.mergeRows(x.pairs)
	s.pairs += int64(len(pairs))

	var starts [maxLabels + 1]uint32
	for _, p := range pairs {
		starts[int(p.label)+1]++
	}
	for i := range s.labels {
		starts[i+1] += starts[i]
	}
	x.rows = slices.Grow(x.rows[:0], len(pairs))[:len(pairs)]
	for _, p := range pairs {
		x.rows[starts[p.label]] = p.row
		starts[p.label]++
	}
	start := uint32(0)
	ref := &s.table.refs[account]
	for i, l := range s.labels {
		for rows := range slices.Chunk(x.rows[start:starts[i]], entryRows) {
			w.add(ref, l, s.first, rows)
		}
		start = starts[i]
	}
}

// mergeRows makes one pair of those that have the same row, with the roles of all,
// while there are labels left.
func (s *SubjectIndexWriter) mergeRows(pairs []pair) []pair {
	n := 0
	for _, p := range pairs[1:] {
		if p.row == pairs[n].row && len(s.labels) < maxLabels {
			pairs[n].label = s.number(s.labels[pairs[n].label] | s.labels[p.label])
			continue
		}
		n++
		pairs[n] = p
	}
	return pairs[:n+1]
}

// subjectPages writes the columns of a segment, entry by entry. Those of few bytes are
// held until the largest, rows, is written.
type subjectPages struct {
	*subjectScratch
	columns [leafSubjectRows + 1]*chunkWriter
	names   []string
	total   int // entries
	refs    bounds
	span    bounds
}

func (w *subjectPages) begin() {
	c := w.columns[leafSubjectRoles]
	for _, name := range w.names {
		c.appendPlainText(name)
	}
	c.dictionaryPage(len(w.names))
	w.clear()
}

// clear begins a page.
func (w *subjectPages) clear() {
	w.entries = 0
	w.text, w.textEnds = w.text[:0], append(w.textEnds[:0], 0)
	w.roles, w.roleLevels = w.roles[:0], w.roleLevels[:0]
	w.kept = w.kept[:0]
	w.numbers, w.rowLevels = w.numbers[:0], w.rowLevels[:0]
}

// add writes an entry: some rows of an account under one label, counted from first.
func (w *subjectPages) add(ref *Ref, l label, first int64, rows []uint32) {
	if w.entries == pageEntries || len(w.numbers) >= pageRows {
		w.page()
	}
	w.text = ref.appendText(w.text)
	w.textEnds = append(w.textEnds, uint32(len(w.text)))

	repeat := uint8(0)
	for set := l.roles(); set != 0; set &= set - 1 {
		w.roles = append(w.roles, int32(bits.TrailingZeros16(set)))
		w.roleLevels = append(w.roleLevels, repeat)
		repeat = 1
	}

	if w.entries%8 == 0 {
		w.kept = append(w.kept, 0)
	}
	if l.kept() {
		w.kept[w.entries/8] |= 1 << (w.entries % 8)
	}

	// DELTA_BINARY_PACKED takes as many bits for each of 32 neighbours as their widest
	// difference needs. A step down from the end of one list to the start of the next
	// would be about as wide as the file is long. So every second list of a page
	// descends.
	from := len(w.numbers)
	for _, row := range rows {
		w.numbers = append(w.numbers, first+int64(row))
	}
	if w.entries%2 != 0 {
		slices.Reverse(w.numbers[from:])
	}
	w.rowLevels = append(w.rowLevels, 0)
	for range rows[1:] {
		w.rowLevels = append(w.rowLevels, 1)
	}
	w.entries++
	w.total++
}

// page ends the page of each column.
func (w *subjectPages) page() {
	c := w.columns[leafSubjectRef]
	// Sorted references share their first digits with the one before, and all of them
	// where an account has several entries.
	c.body = must(new(delta.ByteArrayEncoding).EncodeByteArray(c.body, w.text, w.textEnds))
	b := bounds{w.text[:w.textEnds[1]], w.text[w.textEnds[w.entries-1]:]}
	if w.refs.min == nil {
		w.refs.min = bytes.Clone(b.min)
	}
	w.refs.max = append(w.refs.max[:0], b.max...)
	c.dataPage(w.entries, w.entries, 0, b)

	c = w.columns[leafSubjectRoles]
	c.appendListLevels(w.roleLevels)
	c.appendIndexes(w.roles, len(w.names))
	c.dataPage(w.entries, len(w.roles), 0, bounds{})

	c = w.columns[leafSubjectKept]
	c.body = append(c.body, w.kept...)
	c.dataPage(w.entries, w.entries, 0, bounds{})

	c = w.columns[leafSubjectRows]
	c.appendListLevels(w.rowLevels)
	c.appendDelta(w.numbers)
	b = int64Bounds(slices.Min(w.numbers), slices.Max(w.numbers))
	w.span = w.span.withInt64s(b)
	c.dataPage(w.entries, len(w.numbers), 0, b)
	w.clear()
}

func (w *subjectPages) end() {
	w.page()
	w.columns[leafSubjectRows].end(w.span)
	w.columns[leafSubjectRef].end(w.refs)
	w.columns[leafSubjectRoles].end(bounds{})
	w.columns[leafSubjectKept].end(bounds{})
}
