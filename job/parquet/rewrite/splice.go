package rewrite

import (
	"io"
	"sync"

	"assent/job/parquet"
)

// A splice writes one column chunk without its dropped rows.
//
// It goes through the pages once. It passes over a page without a kept row and copies one that lost no row. The kept slots of the
// others are gathered in a draft, which becomes a page when it is about as large as the input's pages are, or larger where texts are long.
//
// The dictionary comes first in the output, but which entries kept rows use is known only after all dictionary-coded pages. So pages
// are held back up to the first one that is not dictionary-coded. There the dictionary is settled and written, then the pages that
// were held. If the budget does not allow to hold all of them, the walk later goes back to the first one that was not held. What is
// written is the same.
type splice struct {
	f     *parquet.File
	col   *parquet.Column
	chunk *parquet.Chunk
	at    int // its place among the chunks of the output
	sel   *Selection
	task  *task
	out   *parquet.ChunkWriter
	bloom *bloomFilter // nil: the chunk has none
	walk  *walk
	given *givenBounds // of the pages, once asked for

	mapper Mapper          // nil: values stay as they are
	to     *parquet.Column // of what is written: col, or what becomes of it

	indexes func() ([]*parquet.PageIndex, error) // of the row group's input
	state
	jumps  *jumps
	filter filter
	fixed  int64 // bytes that the dictionary takes
	draft  *draft
	texts  bool // the last draft was one of long texts
	press  press
	dict   *pruned

	hold     bool // pages are held back: the dictionary is not settled
	held     []*draft
	overflow bool // not all pages could be held
	ended    bool // the dictionary is settled behind the last page
	final    bool // the page that is written is the last one, and no other asks for entries
	resume   mark
	plainAt  int // number of the first page that is not dictionary-coded, once the dictionary is settled
	look     draft
}

// state is what changes from page to page. When the walk goes back, so does the state.
type state struct {
	rows     int64 // number of rows that begin on the pages so far
	carry    bool  // the last of these is kept
	pages    Pages
	maxRaw   int // raw bytes of the largest data page so far
	maxSlots int
}

// A mark is a place in the input at which the walk can begin again: before a page that begins with a row.
type mark struct {
	at   int64
	page int
	seen int64
	state
}

// An input is a data page of the input. The body of one that is not loaded is still to be taken from the walk.
type input struct {
	h         parquet.PageHeader
	mark      mark // state not set
	body      []byte
	loaded    bool
	leveled   bool // the levels of p are decoded, or all of it if loaded; body is set
	p         parquet.Page
	starts    int  // number of rows that begin on it
	continues bool // it begins within a row
}

var inputs = sync.Pool{New: func() any { return new(input) }}

func recycleInputs(all ...*input) {
	for _, in := range all {
		if cap(in.body)+in.p.Memory() <= maxPooled {
			inputs.Put(in)
		}
	}
}

// run splices the chunk.
func (s *splice) run() error {
	s.press.splice = s
	err := s.press.drain(s.all())
	s.dropDictionary()
	return err
}

func (s *splice) all() error {
	s.filter = filter{col: s.col, carries: s.f.Application().CarriesDelta(), mapper: s.mapper, to: s.to}
	s.draft = s.press.blank()
	s.plainAt = -1
	var err error
	if s.jumps, err = s.newJumps(); err != nil {
		return err
	}
	cur, next := inputs.Get().(*input), inputs.Get().(*input)
	defer recycleInputs(cur, next)
	for {
		again, err := s.pass(cur, next)
		if err != nil {
			return err
		}
		if !again {
			break
		}
	}
	if s.rows != s.sel.rows {
		return parquet.Corruptf("%d rows where the row group has %d", s.rows, s.sel.rows)
	}
	return nil
}

// pass goes through the pages from where the walk stands. It reports whether the walk went back and another pass is due.
func (s *splice) pass(cur, next *input) (again bool, err error) {
	err = s.read(cur)
	for err == nil {
		if s.hold && !cur.h.DictCoded() {
			s.plainAt = cur.mark.page
			if again, err := s.settle(); again || err != nil {
				return again, err
			}
		}
		continued := false
		var nextErr error
		ahead := s.ahead(cur)
		if ahead {
			nextErr = s.read(next)
			continued = nextErr == nil && next.continues
			if nextErr != nil && nextErr != io.EOF {
				return false, nextErr
			}
		}
		if err := s.page(cur, continued); err != nil {
			return false, err
		}
		if ahead {
			cur, next, err = next, cur, nextErr
		} else {
			err = s.read(cur)
		}
	}
	if err != io.EOF {
		return false, err
	}
	if err := s.flush(); err != nil {
		return false, err
	}
	if s.hold {
		s.plainAt, s.ended = s.walk.Number+1, true
		return s.settle()
	}
	return false, nil
}

// ahead reports whether only the next page shows where the last row of a page ends.
func (s *splice) ahead(in *input) bool { return s.col.MaxRep > 0 && in.h.Kind == parquet.DataPage }

// read reads the next data page that is not empty, and the dictionary on the way. io.EOF is the end.
func (s *splice) read(in *input) error {
	w := s.walk
	for {
		s.jump()
		seen := w.Seen
		if err := w.next(); err != nil {
			return err
		}
		switch {
		case w.Header.Kind == parquet.DictionaryPage:
			if err := s.dictionary(); err != nil {
				return err
			}
		case w.Header.IsData() && w.Header.Values > 0:
			in.h, in.loaded, in.leveled, in.continues = w.Header, false, false, false
			in.mark = mark{at: w.Offset, page: w.Number, seen: seen}
			if err := s.land(in); err != nil {
				return err
			}
			return s.prepare(in)
		}
	}
}

// prepare counts the rows of a page. Those of a repeated column are counted from the levels, also if the header states a number: a
// page that states a wrong one would shift all rows after it, and wrong ones would be kept.
func (s *splice) prepare(in *input) error {
	if s.col.MaxRep == 0 {
		in.starts = in.h.Values
		return nil
	}
	if err := s.work(int64(in.h.Size) + opened(&in.h)); err != nil {
		return err
	}
	body, err := s.walk.Body()
	if err != nil {
		return err
	}
	in.body = append(in.body[:0], body...)
	in.leveled = true
	if in.h.Kind == parquet.DataPageV2 {
		err = in.p.LoadLevels(s.col, &in.h, in.body)
		in.h.Rows = in.p.Header.Rows // counted, if it was not known
	} else {
		in.loaded = true
		err = s.open(&in.p, &in.h, in.body)
	}
	if err != nil {
		return err
	}
	in.starts, in.continues = in.p.Rows, in.p.Reps[0] != 0
	return nil
}

// load makes sure that in is loaded. body is its body if that has been taken from the walk.
func (s *splice) load(in *input, body []byte) error {
	var err error
	switch {
	case in.loaded:
	case in.leveled:
		err = withWorker(func(w *worker) error { return in.p.LoadValues(&w.codec, s.chunk.Codec, in.body) })
	case body != nil:
		err = s.open(&in.p, &in.h, body)
	default:
		if body, err = s.walk.Body(); err == nil {
			err = s.open(&in.p, &in.h, body)
		}
	}
	in.loaded = true
	return err
}

// open decompresses a page and decodes its levels.
func (s *splice) open(p *parquet.Page, h *parquet.PageHeader, body []byte) error {
	return withWorker(func(w *worker) error { return p.Load(&w.codec, s.col, s.chunk.Codec, h, body) })
}

// work makes sure that the task has n bytes of working memory, besides those for input blocks and the dictionary.
func (s *splice) work(n int64) error { return s.task.work(3*s.walk.src.block + s.fixed + n) }

// opened estimates the memory of a page that is opened: its body, compressed and not, its levels and decoded values.
func opened(h *parquet.PageHeader) int64 {
	n := int64(h.Size) + int64(h.RawSize) + 3*int64(h.Values)
	if h.Encoding != parquet.Plain {
		n += 12 * int64(h.Values)
	}
	return n
}

// page drops, copies or filters a page. continued says that its last row goes on in the next page.
func (s *splice) page(in *input, continued bool) error {
	lo, hi := s.rows, s.rows+int64(in.starts)
	if hi > s.sel.rows || in.continues && lo == 0 {
		return parquet.Corruptf("the rows of the pages are not those of the row group")
	}
	in.mark.state = s.state
	kept := s.sel.CountRange(lo, hi)
	carried := in.continues && s.carry
	s.rows = hi
	if in.starts > 0 {
		s.carry = s.sel.Kept(hi - 1)
	}
	s.maxRaw, s.maxSlots = max(s.maxRaw, in.h.RawSize), max(s.maxSlots, in.h.Values)
	sequential := s.filter.carries && in.h.Encoding == parquet.DeltaByteArray
	if in.h.DictCoded() && s.dict == nil {
		s.dict = &pruned{col: s.col, settled: true}
		s.filter.dict = s.dict
	}
	open := continued && s.carry
	switch {
	case kept == 0 && !carried && !sequential:
		s.pages.Dropped++
		return nil
	case kept == int64(in.starts) && !in.continues && !open && !sequential && !s.late(in) && s.mapper == nil:
		return s.whole(in, lo)
	}
	return s.mixed(in, lo, kept, carried, open)
}

// late reports whether a page is dictionary-coded behind one that was not. The dictionary was settled without it, so it becomes
// PLAIN.
func (s *splice) late(in *input) bool {
	return in.h.DictCoded() && s.plainAt >= 0 && in.mark.page > s.plainAt
}

// whole hands on a page that lost no row.
func (s *splice) whole(in *input, lo int64) error {
	if err := s.flush(); err != nil {
		return err
	}
	d := s.draft
	d.whole, d.h, d.from, d.first = true, in.h, in.mark, lo
	d.h.Statistics = nil // not written, see copiedHeader
	d.form = form{v2: in.h.Kind == parquet.DataPageV2, encoding: in.h.Encoding}
	d.rows, d.slots = in.starts, in.h.Values
	body := in.body
	if !in.leveled {
		err := s.work(2 * int64(in.h.Size))
		if err == nil {
			body, err = s.walk.Body()
		}
		if err != nil {
			return err
		}
	}
	if !s.hold && !in.h.DictCoded() {
		through, err := s.press.clear()
		if err != nil {
			return err
		}
		if through {
			return s.writeThrough(in, d, lo, body)
		}
	}
	d.body = append(d.body[:0], body...)
	s.dropBody(in)
	if err := s.survey(in, d, lo); err != nil {
		return err
	}
	return s.emit()
}

// writeThrough writes a page that lost no row from where its body lies, before which no page waits.
func (s *splice) writeThrough(in *input, d *draft, lo int64, body []byte) error {
	own := d.body
	d.body = body
	err := s.survey(in, d, lo)
	if err == nil {
		s.pages.Copied++
		h := copiedHeader(d)
		page := &s.press.page
		page.Head = h.Append(page.Head[:0])
		err = s.dataPage(&h, page.Head, body, d)
	}
	d.body = own
	d.reset()
	return err
}

// survey finds out the bounds and the number of values of a page that is copied: what the input states, or else what its values are.
// Byte arrays are not decompressed for the sake of bounds alone: such a page has none.
func (s *splice) survey(in *input, d *draft, lo int64) error {
	if !in.h.DictCoded() && s.bloom == nil {
		if s.given == nil {
			all, err := s.indexes()
			if err != nil {
				return err
			}
			s.given = newGivenBounds(s.f, s.col, all[s.at])
		}
		if s.given.page(d, in) {
			return nil
		}
		if s.col.Physical == parquet.ByteArray && s.col.Order != parquet.OrderNone && !in.loaded {
			d.bounds.Incomplete = true
			if in.leveled {
				d.count, d.uncounted = in.p.Count, false
			}
			return nil
		}
	}
	if err := s.work(2*opened(&in.h) + int64(in.h.Size)); err != nil {
		return err
	}
	if err := s.load(in, d.body); err != nil {
		return err
	}
	if in.h.DictCoded() && s.hold { // the dictionary may lose entries: then the page is encoded again
		d.rows, d.slots, d.decoded = 0, 0, true
		return s.filter.append(d, &in.p, s.sel.words, lo, false)
	}
	look := &s.look
	look.reset()
	look.form = d.form
	if err := s.filter.append(look, &in.p, s.sel.words, lo, false); err != nil {
		return err
	}
	d.count, d.uncounted = look.count, false
	d.bounds, look.bounds = look.bounds, d.bounds
	if !in.h.DictCoded() {
		s.bloom.addDraft(look, s.col)
	}
	return nil
}

// maxMappedText is about what a value takes that has become text.
const maxMappedText = 40

// mixed gathers the kept slots of a page.
func (s *splice) mixed(in *input, lo, kept int64, carried, open bool) error {
	// The page, and three times what the draft will hold: as values, encoded and compressed.
	gain := int64(in.h.RawSize)
	if kept < int64(in.starts) && in.starts > 0 && !carried {
		gain = gain * kept / int64(in.starts)
	}
	if s.to != s.col {
		gain += int64(in.h.Values) * maxMappedText
	}
	if err := s.work(opened(&in.h) + 3*(int64(s.draft.size)+gain)); err != nil {
		return err
	}
	want := form{v2: in.h.Kind == parquet.DataPageV2, encoding: in.h.Encoding}
	switch {
	case s.mapper != nil && in.h.DictCoded() && !s.late(in):
		want.encoding = parquet.RLEDictionary
	case s.mapper != nil, s.late(in):
		want.encoding = parquet.Plain
	}
	if s.draft.slots > 0 && !carried && (s.draft.form != want || int64(s.draft.size)+gain > maxMerged) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if err := s.load(in, nil); err != nil {
		return err
	}
	s.dropBody(in)
	if s.draft.slots > 0 && s.draft.form != want {
		if s.draft.v2 != want.v2 {
			return parquet.Corruptf("the page versions differ within a row")
		}
		s.draft.toPlain(s.col, s.dict)
	}
	if s.draft.slots == 0 {
		s.draft.form, s.draft.from = want, in.mark
	}
	if err := s.filter.append(s.draft, &in.p, s.sel.words, lo, carried); err != nil {
		return err
	}
	if in.h.RawSize > maxPooled { // the page is not needed while the draft is encoded
		in.p = parquet.Page{}
	}
	if kept == 0 && !carried {
		s.pages.Dropped++ // it was decoded only because the next page needs its last value
		return nil
	}
	s.pages.Filtered++
	if !open && s.full() {
		return s.flush()
	}
	return nil
}

// flush hands on the draft, unless it is empty.
func (s *splice) flush() error {
	if s.draft.slots == 0 {
		return nil
	}
	return s.emit()
}
