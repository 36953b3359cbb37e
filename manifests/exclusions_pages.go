package manifests

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/format"

	"assent/schema"
)

// exclusionScratch is memory that the columns of a row group use one after the other.
type exclusionScratch struct {
	levels  []uint8
	codes   []int32
	numbers []int64
	repeats [][]byte // encoded repetition levels of subjects, by page
	refs    []byte   // the references of the row group
	byRef   []int32  // by account, the code of its reference; 0 where it is not there

	since      numbers
	sinceCodes []int32 // beside sinces
}

// pages yields the first row of each page and the first row after it.
func (w *ExclusionWriter) pages(yield func(from, to int) bool) {
	for i := range w.cuts[1:] {
		if !yield(w.cuts[i], w.cuts[i+1]) {
			return
		}
	}
}

func (w *ExclusionWriter) writeIDs() {
	c := w.file.beginChunk(leafRecordID, format.DeltaLengthByteArray, false)
	var all bounds
	for from, to := range w.pages {
		ends := w.idEnds[from : to+1]
		c.body = must(new(delta.LengthByteArrayEncoding).EncodeByteArray(c.body, w.ids[ends[0]:ends[len(ends)-1]], ends))
		b := w.idBounds(ends)
		if all.min == nil || bytes.Compare(b.min, all.min) < 0 {
			all.min = b.min
		}
		if all.max == nil || bytes.Compare(b.max, all.max) > 0 {
			all.max = b.max
		}
		c.dataPage(to-from, to-from, 0, b.text())
	}
	c.end(all.text())
}

// idBounds returns the smallest and largest record id of a page.
func (w *ExclusionWriter) idBounds(ends []uint32) bounds {
	low := w.ids[ends[0]:ends[1]]
	high := low
	for i := 1; i+1 < len(ends); i++ {
		id := w.ids[ends[i]:ends[i+1]]
		if bytes.Compare(id, low) < 0 {
			low = id
		} else if bytes.Compare(id, high) > 0 {
			high = id
		}
	}
	return bounds{low, high}
}

func (w *ExclusionWriter) writeSource() {
	c := w.file.beginChunk(leafSourceFile, format.RLEDictionary, false)
	c.appendPlainText(w.meta.Source)
	c.dictionaryPage(1)
	source := bounds{[]byte(w.meta.Source), []byte(w.meta.Source)}.text()
	codes := w.scratch.codes[:0]
	for from, to := range w.pages {
		codes = append(codes[:0], make([]int32, to-from)...)
		c.appendIndexes(codes, 1)
		c.dataPage(to-from, to-from, 0, source)
	}
	w.scratch.codes = codes
	c.end(source)
}

func (w *ExclusionWriter) writeRows() {
	c := w.file.beginChunk(leafSourceRow, format.DeltaBinaryPacked, false)
	for from, to := range w.pages {
		c.appendDelta(w.rows[from:to])
		c.dataPage(to-from, to-from, 0, int64Bounds(w.rows[from], w.rows[to-1]))
	}
	c.end(int64Bounds(w.rows[0], w.rows[len(w.rows)-1]))
}

// reasonDictionary begins a column of reasons. Its dictionary holds the n first ones: up
// to the last that occurs in the row group, and at least schema.FirstReasons.
func (w *ExclusionWriter) reasonDictionary(leaf int) (c *chunkWriter, n int) {
	var occur schema.Reasons
	for _, set := range w.sets {
		occur |= set
	}
	n = max(schema.FirstReasons, bits.Len16(uint16(occur)))
	c = w.file.beginChunk(leaf, format.RLEDictionary, false)
	for _, r := range schema.AllReasons()[:n] {
		c.appendPlainText(r.String())
	}
	c.dictionaryPage(n)
	return c, n
}

func (w *ExclusionWriter) writeReason() {
	c, n := w.reasonDictionary(leafReason)
	codes := w.scratch.codes[:0]
	for from, to := range w.pages {
		codes = codes[:0]
		for _, set := range w.sets[from:to] {
			codes = append(codes, int32(set.Primary()))
		}
		c.appendIndexes(codes, n)
		c.dataPage(to-from, to-from, 0, bounds{})
	}
	w.scratch.codes = codes
	c.end(bounds{})
}

func (w *ExclusionWriter) writeReasons() {
	c, n := w.reasonDictionary(leafReasons)
	codes, levels := w.scratch.codes[:0], w.scratch.levels[:0]
	for from, to := range w.pages {
		codes, levels = codes[:0], levels[:0]
		for _, set := range w.sets[from:to] {
			repeat := uint8(0)
			for rest := set; !rest.Kept(); rest &= rest - 1 {
				codes = append(codes, int32(rest.Primary()))
				levels = append(levels, repeat)
				repeat = 1
			}
		}
		c.appendListLevels(levels)
		c.appendIndexes(codes, n)
		c.dataPage(to-from, len(codes), 0, bounds{})
	}
	w.scratch.codes, w.scratch.levels = codes, levels
	c.end(bounds{})
}

func (w *ExclusionWriter) writeMoments() {
	c := w.file.beginChunk(leafMoment, format.DeltaBinaryPacked, false)
	var all bounds
	values, levels := w.scratch.numbers[:0], w.scratch.levels[:0]
	for from, to := range w.pages {
		values, levels = values[:0], levels[:0]
		for _, m := range w.moments[from:to] {
			if m == schema.Unknown {
				levels = append(levels, 0)
				continue
			}
			levels = append(levels, 1)
			values = append(values, int64(m))
		}
		var b bounds
		if len(values) > 0 {
			b = int64Bounds(slices.Min(values), slices.Max(values))
			all = all.withInt64s(b)
		}
		c.appendLevels(levels, 1)
		c.appendDelta(values)
		c.dataPage(to-from, to-from, to-from-len(values), b)
	}
	w.scratch.numbers, w.scratch.levels = values, levels
	c.end(all)
}

// writeRefs numbers the references by account and writes them. It also encodes the
// repetition levels that all of a subject's columns share.
func (w *ExclusionWriter) writeRefs() {
	s := &w.scratch
	s.byRef = slices.Grow(s.byRef[:0], len(w.table.refs))[:len(w.table.refs)]
	clear(s.byRef)
	for _, a := range w.accountOf {
		if a != NoAccount {
			s.byRef[a] = 1
		}
	}
	s.refs = s.refs[:0]
	n := int32(1) // code 0 is the empty text
	for account, used := range s.byRef {
		if used != 0 {
			s.byRef[account] = n
			s.refs = append(s.refs, w.table.refs[account][:]...)
			n++
		}
	}
	c := w.file.beginChunk(leafRef, format.RLEDictionary, false)
	c.refDictionary(s.refs)
	page := 0
	for from, to := range w.pages {
		levels := s.levels[:0]
		for row := from; row < to; row++ {
			levels = append(levels, 0)
			for i := w.subjectEnds[row] + 1; i < w.subjectEnds[row+1]; i++ {
				levels = append(levels, 1)
			}
		}
		s.levels = levels
		if page == len(s.repeats) {
			s.repeats = append(s.repeats, nil)
		}
		s.repeats[page] = must(levelEncoding(1).EncodeLevels(s.repeats[page][:0], levels))
		page++
	}
	w.subjectPages(c, 1, n, func(i int) (uint8, int32) {
		if a := w.accountOf[i]; a != NoAccount {
			return 1, s.byRef[a]
		}
		return 1, 0
	})
}

func (w *ExclusionWriter) writeRoles() {
	c := w.file.beginChunk(leafRole, format.RLEDictionary, false)
	for _, name := range w.meta.Roles {
		c.appendPlainText(name)
	}
	c.dictionaryPage(len(w.meta.Roles))
	w.subjectPages(c, 1, int32(len(w.meta.Roles)), func(i int) (uint8, int32) { return 1, int32(w.roles[i]) })
}

func (w *ExclusionWriter) writeCauses() {
	c := w.file.beginChunk(leafCause, format.RLEDictionary, false)
	for _, r := range causeReasons {
		c.appendPlainText(r.String())
	}
	c.dictionaryPage(len(causeReasons))
	w.subjectPages(c, 2, int32(len(causeReasons)), func(i int) (uint8, int32) {
		if cause := w.causes[i] &^ hasSince; cause != uint8(NoCause) {
			return 2, int32(cause - 1)
		}
		return 1, 0
	})
}

func (w *ExclusionWriter) writeSinces() {
	s := &w.scratch
	s.since.clear()
	s.sinceCodes = s.sinceCodes[:0]
	for _, since := range w.sinces {
		s.sinceCodes = append(s.sinceCodes, s.since.code(int64(since)))
	}
	c := w.file.beginChunk(leafSince, format.RLEDictionary, false)
	for _, v := range s.since.values {
		c.body = binary.LittleEndian.AppendUint64(c.body, uint64(v))
	}
	c.dictionaryPage(len(s.since.values))
	next := 0
	w.subjectPages(c, 2, int32(len(s.since.values)), func(i int) (uint8, int32) {
		if w.causes[i]&hasSince == 0 {
			return 1, 0
		}
		next++
		return 2, s.sinceCodes[next-1]
	})
}

// subjectPages writes the pages of one of a subject's columns, and ends its chunk. Of
// is called with each subject's index in order, and says which definition level it has
// in the column, and where that is maxDef, which code in the dictionary of n values.
func (w *ExclusionWriter) subjectPages(c *chunkWriter, maxDef uint8, n int32, of func(i int) (level uint8, code int32)) {
	page := 0
	codes, levels := w.scratch.codes[:0], w.scratch.levels[:0]
	for from, to := range w.pages {
		codes, levels = codes[:0], levels[:0]
		for row := from; row < to; row++ {
			first, end := int(w.subjectEnds[row]), int(w.subjectEnds[row+1])
			if first == end {
				levels = append(levels, 0)
			}
			for i := first; i < end; i++ {
				level, code := of(i)
				levels = append(levels, level)
				if level == maxDef {
					codes = append(codes, code)
				}
			}
		}
		c.appendEncodedLevels(w.scratch.repeats[page])
		c.appendLevels(levels, maxDef)
		c.appendIndexes(codes, int(n))
		c.dataPage(to-from, len(levels), len(levels)-len(codes), bounds{})
		page++
	}
	w.scratch.codes, w.scratch.levels = codes, levels
	c.end(bounds{})
}

func (w *ExclusionWriter) writeRequests() {
	c := w.file.beginChunk(leafRequestID, format.RLEDictionary, false)
	for _, id := range w.requestIDs {
		c.appendPlainText(id)
	}
	c.dictionaryPage(len(w.requestIDs))
	codes, levels := w.scratch.codes[:0], w.scratch.levels[:0]
	for from, to := range w.pages {
		codes, levels = codes[:0], levels[:0]
		for _, code := range w.requests[from:to] {
			if code < 0 {
				levels = append(levels, 0)
				continue
			}
			levels = append(levels, 1)
			codes = append(codes, code)
		}
		c.appendLevels(levels, 1)
		c.appendIndexes(codes, len(w.requestIDs))
		c.dataPage(to-from, to-from, to-from-len(codes), bounds{})
	}
	w.scratch.codes, w.scratch.levels = codes, levels
	c.end(bounds{})
}
