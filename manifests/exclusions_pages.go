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
	since   numbers
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
	p := w.file
	p.beginChunk(format.DeltaLengthByteArray)
	var all bounds
	for from, to := range w.pages {
		ends := w.idEnds[from : to+1]
		p.body = must(new(delta.LengthByteArrayEncoding).EncodeByteArray(p.body, w.ids[ends[0]:ends[len(ends)-1]], ends))
		b := w.idBounds(ends)
		if all.min == nil || bytes.Compare(b.min, all.min) < 0 {
			all.min = b.min
		}
		if all.max == nil || bytes.Compare(b.max, all.max) > 0 {
			all.max = b.max
		}
		p.dataPage(to-from, to-from, 0, b.text())
	}
	p.endChunk(all.text())
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
	p := w.file
	p.beginChunk(format.RLEDictionary)
	p.appendPlainText(w.meta.Source)
	p.dictionaryPage(1)
	source := bounds{[]byte(w.meta.Source), []byte(w.meta.Source)}.text()
	codes := w.scratch.codes[:0]
	for from, to := range w.pages {
		codes = append(codes[:0], make([]int32, to-from)...)
		p.appendIndexes(codes, 1)
		p.dataPage(to-from, to-from, 0, source)
	}
	w.scratch.codes = codes
	p.endChunk(source)
}

func (w *ExclusionWriter) writeRows() {
	p := w.file
	p.beginChunk(format.DeltaBinaryPacked)
	for from, to := range w.pages {
		p.appendDelta(w.rows[from:to])
		p.dataPage(to-from, to-from, 0, int64Bounds(w.rows[from], w.rows[to-1]))
	}
	p.endChunk(int64Bounds(w.rows[0], w.rows[len(w.rows)-1]))
}

func (w *ExclusionWriter) reasonDictionary() {
	w.file.beginChunk(format.RLEDictionary)
	for _, r := range schema.AllReasons() {
		w.file.appendPlainText(r.String())
	}
	w.file.dictionaryPage(schema.NumReasons)
}

func (w *ExclusionWriter) writeReason() {
	w.reasonDictionary()
	codes := w.scratch.codes[:0]
	for from, to := range w.pages {
		codes = codes[:0]
		for _, set := range w.sets[from:to] {
			codes = append(codes, int32(set.Primary()))
		}
		w.file.appendIndexes(codes, schema.NumReasons)
		w.file.dataPage(to-from, to-from, 0, bounds{})
	}
	w.scratch.codes = codes
	w.file.endChunk(bounds{})
}

func (w *ExclusionWriter) writeReasons() {
	p := w.file
	w.reasonDictionary()
	codes, levels := w.scratch.codes[:0], w.scratch.levels[:0]
	for from, to := range w.pages {
		codes, levels = codes[:0], levels[:0]
		for _, set := range w.sets[from:to] {
			repeat := uint8(0)
			for rest := uint8(set); rest != 0; rest &= rest - 1 {
				codes = append(codes, int32(bits.TrailingZeros8(rest)))
				levels = append(levels, repeat)
				repeat = 1
			}
		}
		p.appendLevels(levels, 1)
		for i := range levels {
			levels[i] = 1 // no list is empty
		}
		p.appendLevels(levels, 1)
		p.appendIndexes(codes, schema.NumReasons)
		p.dataPage(to-from, len(codes), 0, bounds{})
	}
	w.scratch.codes, w.scratch.levels = codes, levels
	p.endChunk(bounds{})
}

func (w *ExclusionWriter) writeMoments() {
	p := w.file
	p.beginChunk(format.DeltaBinaryPacked)
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
		p.appendLevels(levels, 1)
		p.appendDelta(values)
		p.dataPage(to-from, to-from, to-from-len(values), b)
	}
	w.scratch.numbers, w.scratch.levels = values, levels
	p.endChunk(all)
}

// writeRefs numbers the references by account and writes them. It also encodes the
// repetition levels that all of a subject's columns share.
func (w *ExclusionWriter) writeRefs() {
	p, s := w.file, &w.scratch
	s.byRef = slices.Grow(s.byRef[:0], len(w.table.refs))[:len(w.table.refs)]
	clear(s.byRef)
	for i := range w.subjects {
		if a := w.subjects[i].Account; a != NoAccount {
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
	p.beginChunk(format.RLEDictionary)
	p.refDictionary(s.refs)
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
	w.subjectPages(1, n, func(x *Subject) (uint8, int32) {
		if x.Account == NoAccount {
			return 1, 0
		}
		return 1, s.byRef[x.Account]
	})
}

func (w *ExclusionWriter) writeRoles() {
	p := w.file
	p.beginChunk(format.RLEDictionary)
	for _, name := range w.meta.Roles {
		p.appendPlainText(name)
	}
	p.dictionaryPage(len(w.meta.Roles))
	w.subjectPages(1, int32(len(w.meta.Roles)), func(x *Subject) (uint8, int32) { return 1, int32(x.Role) })
}

func (w *ExclusionWriter) writeCauses() {
	p := w.file
	p.beginChunk(format.RLEDictionary)
	for _, name := range causeNames[1:] {
		p.appendPlainText(name)
	}
	p.dictionaryPage(len(causeNames) - 1)
	w.subjectPages(2, int32(len(causeNames)-1), func(x *Subject) (uint8, int32) {
		if x.Cause == NoCause {
			return 1, 0
		}
		return 2, int32(x.Cause - 1)
	})
}

func (w *ExclusionWriter) writeSinces() {
	p, s := w.file, &w.scratch
	s.since.clear()
	for i := range w.subjects {
		if since := w.subjects[i].Since; since != schema.Unknown {
			s.since.code(int64(since))
		}
	}
	p.beginChunk(format.RLEDictionary)
	for _, v := range s.since.values {
		p.body = binary.LittleEndian.AppendUint64(p.body, uint64(v))
	}
	p.dictionaryPage(len(s.since.values))
	w.subjectPages(2, int32(len(s.since.values)), func(x *Subject) (uint8, int32) {
		if x.Since == schema.Unknown {
			return 1, 0
		}
		return 2, s.since.code(int64(x.Since))
	})
}

// subjectPages writes the pages of one of a subject's columns, and ends its chunk. Of
// says which definition level a subject has in it, and where that is maxDef, which
// code in the dictionary of n values.
func (w *ExclusionWriter) subjectPages(maxDef uint8, n int32, of func(*Subject) (level uint8, code int32)) {
	p := w.file
	page := 0
	codes, levels := w.scratch.codes[:0], w.scratch.levels[:0]
	for from, to := range w.pages {
		codes, levels = codes[:0], levels[:0]
		for row := from; row < to; row++ {
			subjects := w.subjects[w.subjectEnds[row]:w.subjectEnds[row+1]]
			if len(subjects) == 0 {
				levels = append(levels, 0)
			}
			for i := range subjects {
				level, code := of(&subjects[i])
				levels = append(levels, level)
				if level == maxDef {
					codes = append(codes, code)
				}
			}
		}
		p.appendEncodedLevels(w.scratch.repeats[page])
		p.appendLevels(levels, maxDef)
		p.appendIndexes(codes, int(n))
		p.dataPage(to-from, len(levels), len(levels)-len(codes), bounds{})
		page++
	}
	w.scratch.codes, w.scratch.levels = codes, levels
	p.endChunk(bounds{})
}

func (w *ExclusionWriter) writeRequests() {
	p := w.file
	p.beginChunk(format.RLEDictionary)
	for _, id := range w.requestIDs {
		p.appendPlainText(id)
	}
	p.dictionaryPage(len(w.requestIDs))
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
		p.appendLevels(levels, 1)
		p.appendIndexes(codes, len(w.requestIDs))
		p.dataPage(to-from, to-from, to-from-len(codes), bounds{})
	}
	w.scratch.codes, w.scratch.levels = codes, levels
	p.endChunk(bounds{})
}
