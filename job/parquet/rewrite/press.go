package rewrite

import (
	"runtime"
	"sync"

	"assent/job/parquet"
)

// A press encodes and compresses the pages of a chunk's output and writes them in order. Where the budget allows it, a page is encoded
// aside: by another goroutine, while the splice goes on. So several pages of one chunk are in work at once, as many as processors
// are free.
type press struct {
	splice *splice
	queue  []*pressed // pages that are encoded aside, or wait behind such, in order
	page   parquet.EncodedPage
}

// maxAside bounds the pages of a chunk that are encoded aside: some more than processors, so that these have work while finished
// pages are written.
func maxAside() int { return min(runtime.GOMAXPROCS(0)+2, 16) }

// A pressed is a page of the queue.
type pressed struct {
	d      *draft
	page   *parquet.EncodedPage
	memory int64
	done   chan error // nil: it is encoded
}

// pages holds pages that were encoded aside for reuse, with their memory.
var pages = sync.Pool{New: func() any { return new(parquet.EncodedPage) }}

// blank returns an empty draft.
func (p *press) blank() *draft {
	if p.splice.texts {
		return textDrafts.Get().(*draft)
	}
	return drafts.Get().(*draft)
}

func (p *press) recycle(d *draft) {
	d.reset()
	n := d.memory()
	switch {
	case n > maxPooled:
		*d = draft{}
		letGo(int(n))
	case n > maxPooled/2:
		textDrafts.Put(d)
	default:
		drafts.Put(d)
	}
}

// add takes the draft over, encodes it and writes it behind the pages before it.
func (p *press) add(d *draft, dictLen int) error {
	s := p.splice
	hold, err := p.hold(d.memory() + 2*int64(d.size))
	if err != nil {
		return err
	}
	if hold == nil {
		if err := p.encode(&p.page, d, dictLen); err != nil {
			return err
		}
		err := s.dataPage(&p.page.Header, p.page.Head, p.page.Body, d)
		dropBody(&p.page)
		p.recycle(d)
		return err
	}
	hold.d, hold.page, hold.done = d, pages.Get().(*parquet.EncodedPage), make(chan error, 1)
	go func() {
		err := s.task.enter()
		if err == nil {
			err = p.encode(hold.page, d, dictLen)
			s.task.leave()
		}
		hold.done <- err
	}()
	return nil
}

// addWhole is add for a page whose body stays as it is.
func (p *press) addWhole(d *draft, h *parquet.PageHeader) error {
	s := p.splice
	hold, err := p.hold(d.memory())
	if err != nil {
		return err
	}
	if hold == nil {
		p.page.Head = h.Append(p.page.Head[:0])
		err := s.dataPage(h, p.page.Head, d.body, d)
		p.recycle(d)
		return err
	}
	hold.d = d
	hold.page = &parquet.EncodedPage{Header: *h, Head: h.Append(nil), Body: d.body}
	return nil
}

func (p *press) encode(e *parquet.EncodedPage, d *draft, dictLen int) error {
	s := p.splice
	if s.task.encoding != nil {
		s.task.encoding()
	}
	return withWorker(func(w *worker) error { return w.encode(e, d, s.to, s.chunk.Codec, dictLen) })
}

// hold returns a place at the end of the queue for which it has taken so much memory. It is nil if there is no memory even after
// all pages of the queue are written.
func (p *press) hold(memory int64) (*pressed, error) {
	if _, err := p.clear(); err != nil {
		return nil, err
	}
	for {
		if len(p.queue) < maxAside() && p.splice.task.tryHold(memory) {
			job := &pressed{memory: memory}
			p.queue = append(p.queue, job)
			return job, nil
		}
		if len(p.queue) == 0 {
			return nil, nil
		}
		if err := p.writeFirst(); err != nil {
			return nil, err
		}
	}
}

// clear writes the pages that are encoded, up to the first that is not. It reports whether none is left.
func (p *press) clear() (bool, error) {
	for len(p.queue) > 0 && p.queue[0].ready() {
		if err := p.writeFirst(); err != nil {
			return false, err
		}
	}
	return len(p.queue) == 0, nil
}

// dataPage writes the page that draft d has become.
func (s *splice) dataPage(h *parquet.PageHeader, head, body []byte, d *draft) error {
	nulls := int64(d.slots - d.count)
	if d.uncounted {
		nulls = -1
	}
	return s.out.DataPage(h, head, body, d.rows, nulls, &d.bounds)
}

// ready reports whether the page is encoded.
func (job *pressed) ready() bool { return job.done == nil || len(job.done) > 0 }

// writeFirst writes the first page of the queue.
func (p *press) writeFirst() error {
	job := p.queue[0]
	p.queue = p.queue[1:]
	err := p.wait(job)
	if err == nil {
		err = p.splice.dataPage(&job.page.Header, job.page.Head, job.page.Body, job.d)
	}
	dropBody(job.page)
	if job.done != nil {
		pages.Put(job.page)
	}
	if err == nil {
		p.recycle(job.d)
	}
	p.splice.task.unhold(job.memory)
	return err
}

func (p *press) wait(job *pressed) error {
	if job.done == nil {
		return nil
	}
	if job.ready() {
		return <-job.done
	}
	var err error
	_ = p.splice.task.idle(func() error { err = <-job.done; return nil })
	return err
}

// drain ends the work. It writes the pages that are left; after an error it only waits for them.
func (p *press) drain(err error) error {
	for err == nil && len(p.queue) > 0 {
		err = p.writeFirst()
	}
	for _, job := range p.queue {
		_ = p.wait(job)
		p.splice.task.unhold(job.memory)
	}
	p.queue = nil
	return err
}
