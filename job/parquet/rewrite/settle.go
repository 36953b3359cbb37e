package rewrite

import (
	"bytes"

	"assent/job/parquet"
	"assent/job/parquet/thrift"
)

// dictionary reads the dictionary, on which the walk stands.
func (s *splice) dictionary() error {
	h := &s.walk.Header
	if err := s.work(2 * opened(h)); err != nil {
		return err
	}
	s.fixed = int64(h.RawSize) + 10*int64(h.Values)
	body, err := s.walk.Body()
	if err != nil {
		return err
	}
	if s.dict != nil {
		return nil // the walk went back
	}
	var page, plain []byte
	if s.mayStay(h) {
		page = bytes.Clone(body)
		s.fixed += int64(len(page))
	}
	err = withWorker(func(w *worker) (err error) {
		plain, err = parquet.LoadDictionary(&w.codec, s.chunk.Codec, &s.walk.Header, body)
		return err
	})
	if err != nil {
		return err
	}
	if h.Size > maxPooled {
		s.walk.src.shrink()
		letGo(h.Size)
	}
	if s.dict, err = newPruned(s.col, plain, h); err != nil {
		return err
	}
	s.filter.dict, s.dict.page = s.dict, page
	if s.mapper != nil {
		s.dict.mapped = &mapped{mapper: s.mapper, out: s.to, uses: make([]int, s.dict.n)}
		s.fixed += 8 * int64(s.dict.n)
	}
	s.hold = true
	return nil
}

// emit writes the draft, or holds it back until the dictionary is settled. The splice goes on with an empty draft.
func (s *splice) emit() error {
	d := s.draft
	s.texts = isLong(s.to, d.encoding, d.size, d.slots)
	s.draft = s.press.blank()
	if !s.hold {
		return s.write(d)
	}
	if !s.overflow {
		if s.tryHold(d) {
			s.held = append(s.held, d)
			return nil
		}
		s.overflow, s.resume = true, d.from
	}
	s.press.recycle(d)
	return nil
}

// tryHold takes the memory to hold a draft back. Where that is not free, no page that lost no row keeps its slots.
func (s *splice) tryHold(d *draft) bool {
	if s.task.tryHold(d.memory()) {
		return true
	}
	for _, h := range s.held {
		if n := h.memory(); h.forget() {
			s.task.unhold(n - h.memory())
		}
	}
	d.forget()
	return s.task.tryHold(d.memory())
}

// settle fixes the dictionary and writes it and the pages that were held back. It reports whether the walk went back to a page that
// could not be held.
func (s *splice) settle() (again bool, err error) {
	s.hold = false
	if err := s.dict.settle(); err != nil {
		return false, err
	}
	if m := s.dict.mapped; m != nil {
		s.fixed += int64(2*len(m.plain) + 8*s.dict.n)
		if err := s.work(0); err != nil {
			return false, err
		}
	}
	again = s.overflow
	if again {
		s.draft.reset()
		s.walk.resumeAt(s.resume.at, s.resume.page, s.resume.seen)
		s.state = s.resume.state
	}
	if err := s.writeDictionary(); err != nil {
		return false, err
	}
	for i, d := range s.held {
		s.held[i] = nil
		s.final = s.ended && !again && i == len(s.held)-1
		n := d.memory()
		if err := s.write(d); err != nil {
			return false, err
		}
		s.task.unhold(n)
	}
	s.held = nil
	return again, nil
}

func (s *splice) writeDictionary() error {
	d := s.dict
	if d.kept == 0 || d.plainly {
		return nil
	}
	page := &s.press.page
	h := parquet.PageHeader{Kind: parquet.DictionaryPage, Values: d.kept, Encoding: d.encoding, Sorted: d.sorted}
	if d.mapped != nil {
		h.Encoding, h.Sorted = parquet.Plain, thrift.Stop
	}
	s.bloom.addDictionary(d)
	if d.stays() {
		h.RawSize = len(d.plain)
		page.Body, d.page = d.page, nil
		if err := page.Finish(&h); err != nil {
			return err
		}
		return s.out.DictionaryPage(page)
	}
	d.page = nil
	err := withWorker(func(w *worker) error {
		raw, err := s.usedEntries(w)
		if err != nil {
			return err
		}
		body := int(float64(len(raw)) * d.ratio * 9 / 8)
		page.Body = roomFor(page.Body[:0], max(min(body, len(raw)+len(raw)/256)+512, s.chunk.Codec.Room(len(raw))))
		c := &w.codec
		if s.to.Integer() || s.to.Physical == parquet.Float || s.to.Physical == parquet.Double {
			c = &w.numbers
		}
		return page.Encode(c, s.chunk.Codec, &h, raw)
	})
	if err != nil {
		return err
	}
	err = s.out.DictionaryPage(page)
	dropBody(page)
	return err
}

// usedEntries returns the used entries as PLAIN. Those of a large dictionary are not copied, unless a page behind may still ask for
// others.
func (s *splice) usedEntries(w *worker) (_ []byte, err error) {
	d := s.dict
	large := len(d.plain) > maxPooled && d.mapped == nil && s.col.Physical == parquet.ByteArray
	switch {
	case large && d.identity:
		return d.plain[:d.ends[d.n-1]], nil
	case large && s.ended:
		return d.compact()
	}
	w.raw, err = d.appendUsed(roomFor(w.raw[:0], len(d.plain)))
	return w.raw, err
}

// write writes the page that a draft stands for. It takes the draft over.
func (s *splice) write(d *draft) error {
	dictCoded := d.encoding == parquet.RLEDictionary || d.encoding == parquet.PlainDictionary
	if d.whole && dictCoded && !s.dict.identity {
		return s.recode(d)
	}
	if d.whole {
		s.pages.Copied++
		return s.copyPage(d)
	}
	if dictCoded && s.dict.plainly {
		if err := s.work(4 * s.dict.bytes); err != nil {
			return err
		}
		d.toPlain(s.col, s.dict)
		d.size += len(d.plain) // an estimate; the indices were small
		d.packed += int(float64(len(d.plain)) * s.dict.ratio)
		if s.final {
			s.dropDictionary()
		}
		dictCoded = false
	}
	dictLen := 0
	switch {
	case dictCoded && s.dict.kept == 0:
		d.encoding = parquet.Plain // there are no values
	case dictCoded:
		s.dict.remap(d.indices)
		dictLen = s.dict.kept
	default:
		s.bloom.addDraft(d, s.to)
	}
	if s.mapper != nil {
		s.addBounds(d)
	}
	return s.press.add(d, dictLen)
}

// recode encodes a page again that lost no row, because its dictionary lost entries.
func (s *splice) recode(d *draft) error {
	if d.decoded {
		d.whole = false
		s.pages.Filtered++
		return s.write(d)
	}
	var p parquet.Page
	if err := s.open(&p, &d.h, d.body); err != nil {
		return err
	}
	re := s.press.blank()
	re.form = d.form
	if err := s.filter.append(re, &p, s.sel.words, d.first, false); err != nil {
		return err
	}
	s.press.recycle(d)
	s.pages.Filtered++
	return s.write(re)
}

// copyPage writes a page whose body stays as it is.
func (s *splice) copyPage(d *draft) error {
	h := copiedHeader(d)
	return s.press.addWhole(d, &h)
}

// copiedHeader returns the header of a page whose body stays as it is. It is made anew, without statistics, which the draft has not.
func copiedHeader(d *draft) parquet.PageHeader {
	h := d.h
	h.CRC = parquet.Checksum(d.body)
	return h
}
