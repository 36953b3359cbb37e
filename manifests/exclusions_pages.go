package manifests

import (
	"math/bits"
	"slices"

	"assent/job/parquet/table"
	"assent/schema"
)

// exclusionScratch is memory that the columns of a row group use one after the other.
type exclusionScratch struct {
	page    table.Page
	repeats []uint8 // of each slot of subjects, its repetition level
	refs    []byte  // the references of the row group
	byRef   []int32 // by account, the code of its reference; 0 where it is not there
	since   numbers
	codes   []int32 // beside the writer's subjects
}

// pages writes the pages of a chunk, and ends it. Fill is called for each: it adds the
// rows from one place up to another to the page, which is empty.
func (w *ExclusionWriter) pages(c *table.Chunk, fill func(p *table.Page, from, to spot)) {
	p := &w.scratch.page
	for i, from := range w.cuts[:len(w.cuts)-1] {
		p.Reset(w.cuts[i+1].rows - from.rows)
		fill(p, from, w.cuts[i+1])
		c.Page(p)
	}
	c.End()
}

// runPages is pages for a column whose values are the same in all rows of a run. Fill adds those of one row of each of some runs,
// whose subjects are the writer's from one place up to another: of one run, or of several that have one row and some subjects each.
func (w *ExclusionWriter) runPages(c *table.Chunk, fill func(p *table.Page, runs []excludedRun, at, end int)) {
	w.pages(c, func(p *table.Page, from, to spot) { w.fillRuns(p, from, to, fill) })
}

func (w *ExclusionWriter) fillRuns(p *table.Page, from, to spot, fill func(p *table.Page, runs []excludedRun, at, end int)) {
	at := from.listed
	for runs := w.runs[from.runs:to.runs]; len(runs) > 0; {
		n, end := 1, at+int(runs[0].subjects)
		for runs[0].single() && n < len(runs) && runs[n].single() {
			end += int(runs[n].subjects)
			n++
		}
		reps, defs, codes := len(p.Reps), len(p.Defs), len(p.Codes)
		fill(p, runs[:n], at, end)
		if rows := int(runs[0].rows); rows > 1 {
			p.Reps, p.Defs, p.Codes = repeatTail(p.Reps, reps, rows), repeatTail(p.Defs, defs, rows), repeatTail(p.Codes, codes, rows)
		}
		runs, at = runs[n:], end
	}
}

// subjectPages is runPages for one of a subject's columns. Fill is called for rows that have
// subjects.
func (w *ExclusionWriter) subjectPages(c *table.Chunk, fill func(p *table.Page, at, end int)) {
	w.pages(c, func(p *table.Page, from, to spot) {
		p.Reps = w.scratch.repeats[from.slots:to.slots]
		w.fillRuns(p, from, to, func(p *table.Page, _ []excludedRun, at, end int) {
			if at == end {
				p.Null(0)
			} else {
				fill(p, at, end)
			}
		})
	})
	w.scratch.page.Reps = nil // repeats is not the page's own
}

// repeatTail makes n of what s has from a place on.
func repeatTail[T uint8 | int32](s []T, from, n int) []T {
	size := len(s) - from
	if size == 0 {
		return s
	}
	end := from + n*size
	s = slices.Grow(s, end-len(s))[:end]
	for done := size; done < n*size; done *= 2 {
		copy(s[from+done:], s[from:from+done])
	}
	return s
}

// repeat notes the repetition levels of the subjects' slots.
func (w *ExclusionWriter) repeat() {
	all := w.scratch.repeats[:0]
	for i := range w.runs {
		r := &w.runs[i]
		from := len(all)
		all = append(all, 0)
		for range r.slots() - 1 {
			all = append(all, 1)
		}
		if r.rows > 1 {
			all = repeatTail(all, from, int(r.rows))
		}
	}
	w.scratch.repeats = all
}

func (w *ExclusionWriter) writeIDs() {
	w.pages(w.file.Chunk(leafRecordID), func(p *table.Page, from, to spot) {
		p.Data, p.Ends = w.ids, append(p.Ends[:0], w.idEnds[from.rows:to.rows+1]...)
	})
	w.scratch.page.Data = nil // ids is the writer's own
}

func (w *ExclusionWriter) writeSource() {
	c := w.file.Chunk(leafSourceFile)
	c.TextDictionary(w.meta.Source)
	w.pages(c, func(p *table.Page, from, to spot) {
		p.Codes = slices.Grow(p.Codes, p.Rows)[:p.Rows]
		clear(p.Codes)
	})
}

func (w *ExclusionWriter) writeRows() {
	w.pages(w.file.Chunk(leafSourceRow), func(p *table.Page, from, to spot) { p.Ints = w.rows[from.rows:to.rows] })
	w.scratch.page.Ints = nil // rows is the writer's own
}

// reasonChunk begins a column of reasons. Its dictionary holds the first ones: up to the
// last that occurs in the row group, and at least schema.FirstReasons.
func (w *ExclusionWriter) reasonChunk(leaf int) *table.Chunk {
	var occur schema.Reasons
	for i := range w.runs {
		occur |= w.runs[i].set
	}
	n := max(schema.FirstReasons, bits.Len16(uint16(occur)))
	c := w.file.Chunk(leaf)
	c.TextDictionary(reasonNames(schema.AllReasons()[:n])...)
	return c
}

func reasonNames(reasons []schema.Reason) (names []string) {
	for _, r := range reasons {
		names = append(names, r.String())
	}
	return names
}

func (w *ExclusionWriter) writeReason() {
	w.runPages(w.reasonChunk(leafReason), func(p *table.Page, runs []excludedRun, _, _ int) {
		for i := range runs {
			p.Codes = append(p.Codes, int32(runs[i].set.Primary()))
		}
	})
}

func (w *ExclusionWriter) writeReasons() {
	w.runPages(w.reasonChunk(leafReasons), func(p *table.Page, runs []excludedRun, _, _ int) {
		for i := range runs {
			repeat := uint8(0)
			for set := runs[i].set; !set.Kept(); set &= set - 1 {
				p.Codes = append(p.Codes, int32(set.Primary()))
				p.Reps = append(p.Reps, repeat)
				repeat = 1
			}
		}
	})
}

func (w *ExclusionWriter) writeMoments() {
	w.pages(w.file.Chunk(leafMoment), func(p *table.Page, from, to spot) {
		moments := w.moments[from.rows:to.rows]
		if !w.unknown {
			p.Ints = moments
			return
		}
		for _, m := range moments {
			if m == int64(schema.Unknown) {
				p.Null(0)
			} else {
				p.Int(1, m)
			}
		}
	})
	if !w.unknown {
		w.scratch.page.Ints = nil // moments is the writer's own
	}
}

// writeRefs numbers the references in the order in which the row group names them, and writes them. So its bytes do not depend on
// the rows before it.
func (w *ExclusionWriter) writeRefs() {
	s := &w.scratch
	s.byRef = append(s.byRef[:0], make([]int32, len(w.table.refs))...)
	s.refs = s.refs[:0]
	n := int32(1) // code 0 is the empty text
	for i := range w.subjects {
		if a := w.subjects[i].Account; a != NoAccount && s.byRef[a] == 0 {
			s.byRef[a] = n
			s.refs = append(s.refs, w.table.refs[a][:]...)
			n++
		}
	}
	c := w.file.Chunk(leafRef)
	c.HexDictionary(s.refs)
	w.subjectPages(c, func(p *table.Page, at, end int) {
		for _, subject := range w.subjects[at:end] {
			if subject.Account == NoAccount {
				p.Code(1, 0)
			} else {
				p.Code(1, s.byRef[subject.Account])
			}
		}
	})
}

func (w *ExclusionWriter) writeRoles() {
	c := w.file.Chunk(leafRole)
	c.TextDictionary(w.meta.Roles...)
	w.subjectPages(c, func(p *table.Page, at, end int) {
		for _, s := range w.subjects[at:end] {
			p.Code(1, int32(s.Role))
		}
	})
}

func (w *ExclusionWriter) writeCauses() {
	c := w.file.Chunk(leafCause)
	c.TextDictionary(reasonNames(causeReasons[:])...)
	w.subjectPages(c, func(p *table.Page, at, end int) {
		for _, s := range w.subjects[at:end] {
			if s.Cause == NoCause {
				p.Null(1)
			} else {
				p.Code(2, int32(s.Cause-1))
			}
		}
	})
}

func (w *ExclusionWriter) writeSinces() {
	since, codes := &w.scratch.since, w.scratch.codes[:0]
	since.clear()
	for i := range w.subjects {
		code := int32(-1)
		if at := w.subjects[i].Since; at != schema.Unknown {
			code = since.code(int64(at))
		}
		codes = append(codes, code)
	}
	w.scratch.codes = codes
	c := w.file.Chunk(leafSince)
	c.IntDictionary(since.values)
	w.subjectPages(c, func(p *table.Page, at, end int) {
		for _, code := range codes[at:end] {
			if code < 0 {
				p.Null(1)
			} else {
				p.Code(2, code)
			}
		}
	})
}

func (w *ExclusionWriter) writeRequests() {
	c := w.file.Chunk(leafRequestID)
	c.TextDictionary(w.requestIDs...)
	w.runPages(c, func(p *table.Page, runs []excludedRun, _, _ int) {
		for i := range runs {
			if runs[i].request < 0 {
				p.Null(0)
			} else {
				p.Code(1, runs[i].request)
			}
		}
	})
}
