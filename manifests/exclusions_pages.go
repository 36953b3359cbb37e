package manifests

import (
	"math/bits"

	"assent/job/parquet/table"
	"assent/schema"
)

// exclusionScratch is memory that the columns of a row group use one after the other.
type exclusionScratch struct {
	page  table.Page
	refs  []byte  // the references of the row group
	byRef []int32 // by account, the code of its reference; 0 where it is not there
	since numbers
	codes []int32 // beside sinces
}

// pages writes the pages of a chunk, and ends it. Fill is called for each: it adds the
// rows from one up to another to the page, which is empty.
func (w *ExclusionWriter) pages(c *table.Chunk, fill func(p *table.Page, from, to int)) {
	p := &w.scratch.page
	for i, from := range w.cuts[:len(w.cuts)-1] {
		p.Reset(w.cuts[i+1] - from)
		fill(p, from, w.cuts[i+1])
		c.Page(p)
	}
	c.End()
}

// subjectPages is pages for one of a subject's columns. Fill is called with a range of
// slots.
func (w *ExclusionWriter) subjectPages(c *table.Chunk, fill func(p *table.Page, from, to int)) {
	w.pages(c, func(p *table.Page, from, to int) {
		first, end := int(w.slotEnds[from]), int(w.slotEnds[to])
		p.Reps = append(p.Reps, w.repeats[first:end]...)
		fill(p, first, end)
	})
}

func (w *ExclusionWriter) writeIDs() {
	w.pages(w.file.Chunk(leafRecordID), func(p *table.Page, from, to int) {
		p.Data, p.Ends = w.ids, append(p.Ends[:0], w.idEnds[from:to+1]...)
	})
	w.scratch.page.Data = nil // ids is the writer's own
}

func (w *ExclusionWriter) writeSource() {
	c := w.file.Chunk(leafSourceFile)
	c.TextDictionary(w.meta.Source)
	w.pages(c, func(p *table.Page, from, to int) {
		p.Codes = append(p.Codes, make([]int32, to-from)...)
	})
}

func (w *ExclusionWriter) writeRows() {
	w.pages(w.file.Chunk(leafSourceRow), func(p *table.Page, from, to int) {
		p.Ints = append(p.Ints, w.rows[from:to]...)
	})
}

// reasonChunk begins a column of reasons. Its dictionary holds the first ones: up to the
// last that occurs in the row group, and at least schema.FirstReasons.
func (w *ExclusionWriter) reasonChunk(leaf int) *table.Chunk {
	var occur schema.Reasons
	for _, set := range w.sets {
		occur |= set
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
	w.pages(w.reasonChunk(leafReason), func(p *table.Page, from, to int) {
		for _, set := range w.sets[from:to] {
			p.Codes = append(p.Codes, int32(set.Primary()))
		}
	})
}

func (w *ExclusionWriter) writeReasons() {
	w.pages(w.reasonChunk(leafReasons), func(p *table.Page, from, to int) {
		for _, set := range w.sets[from:to] {
			repeat := uint8(0)
			for ; !set.Kept(); set &= set - 1 {
				p.Codes = append(p.Codes, int32(set.Primary()))
				p.Reps = append(p.Reps, repeat)
				repeat = 1
			}
		}
	})
}

func (w *ExclusionWriter) writeMoments() {
	w.pages(w.file.Chunk(leafMoment), func(p *table.Page, from, to int) {
		for _, m := range w.moments[from:to] {
			if m == schema.Unknown {
				p.Null(0)
			} else {
				p.Int(1, int64(m))
			}
		}
	})
}

// writeRefs numbers the references in the order in which the row group names them, and writes them. So its bytes do not depend on
// the rows before it.
func (w *ExclusionWriter) writeRefs() {
	s := &w.scratch
	s.byRef = append(s.byRef[:0], make([]int32, len(w.table.refs))...)
	s.refs = s.refs[:0]
	n := int32(1) // code 0 is the empty text
	for _, a := range w.accountOf {
		if a != NoAccount && s.byRef[a] == 0 {
			s.byRef[a] = n
			s.refs = append(s.refs, w.table.refs[a][:]...)
			n++
		}
	}
	c := w.file.Chunk(leafRef)
	c.HexDictionary(s.refs)
	w.subjectPages(c, func(p *table.Page, from, to int) {
		for i := from; i < to; i++ {
			switch a := w.accountOf[i]; {
			case w.causes[i] == noSubject:
				p.Null(0)
			case a == NoAccount:
				p.Code(1, 0)
			default:
				p.Code(1, s.byRef[a])
			}
		}
	})
}

func (w *ExclusionWriter) writeRoles() {
	c := w.file.Chunk(leafRole)
	c.TextDictionary(w.meta.Roles...)
	w.subjectPages(c, func(p *table.Page, from, to int) {
		for i := from; i < to; i++ {
			if w.causes[i] == noSubject {
				p.Null(0)
			} else {
				p.Code(1, int32(w.roles[i]))
			}
		}
	})
}

func (w *ExclusionWriter) writeCauses() {
	c := w.file.Chunk(leafCause)
	c.TextDictionary(reasonNames(causeReasons[:])...)
	w.subjectPages(c, func(p *table.Page, from, to int) {
		for _, cause := range w.causes[from:to] {
			switch cause &^ hasSince {
			case noSubject:
				p.Null(0)
			case uint8(NoCause):
				p.Null(1)
			default:
				p.Code(2, int32(cause&^hasSince-1))
			}
		}
	})
}

func (w *ExclusionWriter) writeSinces() {
	since, codes := &w.scratch.since, w.scratch.codes[:0]
	since.clear()
	for _, v := range w.sinces {
		codes = append(codes, since.code(int64(v)))
	}
	w.scratch.codes = codes
	c := w.file.Chunk(leafSince)
	c.IntDictionary(since.values)
	w.subjectPages(c, func(p *table.Page, from, to int) {
		for _, cause := range w.causes[from:to] {
			switch {
			case cause == noSubject:
				p.Null(0)
			case cause&hasSince == 0:
				p.Null(1)
			default:
				p.Code(2, codes[0])
				codes = codes[1:]
			}
		}
	})
}

func (w *ExclusionWriter) writeRequests() {
	c := w.file.Chunk(leafRequestID)
	c.TextDictionary(w.requestIDs...)
	w.pages(c, func(p *table.Page, from, to int) {
		for _, code := range w.requests[from:to] {
			if code < 0 {
				p.Null(0)
			} else {
				p.Code(1, code)
			}
		}
	})
}
