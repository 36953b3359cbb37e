package rewrite

import "assent/job/parquet"

// A press encodes and compresses the pages of a chunk's output and writes them in order. If a processor is idle and the budget allows
// it, a page is encoded aside: by another goroutine, while the splice goes on.
type press struct {
	splice *splice
	queue  []*pressed // pages that are encoded aside, in order
	page   parquet.EncodedPage
}

// maxAside bounds the pages of a chunk that are encoded aside.
const maxAside = 8

type pressed struct {
	d      *draft
	page   parquet.EncodedPage
	memory int64
	done   chan error
}

// blank returns an empty draft.
func (p *press) blank() *draft { return drafts.Get().(*draft) }

func (p *press) recycle(d *draft) {
	d.reset()
	if d.memory() <= maxPooled {
		drafts.Put(d)
	}
}

// add takes the draft over, encodes it and writes it behind the pages before it.
func (p *press) add(d *draft, dictLen int) error {
	s := p.splice
	memory := d.memory() + 2*int64(d.size)
	if len(p.queue) < maxAside && s.task.tryHold(memory) {
		if s.task.tryEnter() {
			job := &pressed{d: d, memory: memory, done: make(chan error, 1)}
			p.queue = append(p.queue, job)
			go func() {
				err := withWorker(func(w *worker) error {
					return w.encode(&job.page, d, s.to, s.chunk.Codec, dictLen)
				})
				s.task.leave()
				job.done <- err
			}()
			return nil
		}
		s.task.unhold(memory)
	}
	err := withWorker(func(w *worker) error { return w.encode(&p.page, d, s.to, s.chunk.Codec, dictLen) })
	if err == nil {
		err = p.flush()
	}
	if err == nil {
		err = s.dataPage(&p.page.Header, p.page.Head, p.page.Body, d)
	}
	p.recycle(d)
	return err
}

// dataPage writes the page that draft d has become.
func (s *splice) dataPage(h *parquet.PageHeader, head, body []byte, d *draft) error {
	nulls := int64(d.slots - d.count)
	if d.uncounted {
		nulls = -1
	}
	return s.out.DataPage(h, head, body, d.rows, nulls, &d.bounds)
}

// flush writes the pages that are encoded aside.
func (p *press) flush() error {
	for len(p.queue) > 0 {
		job := p.queue[0]
		p.queue = p.queue[1:]
		err := p.wait(job)
		if err == nil {
			err = p.splice.dataPage(&job.page.Header, job.page.Head, job.page.Body, job.d)
		}
		p.splice.task.unhold(job.memory)
		if err != nil {
			return err
		}
		p.recycle(job.d)
	}
	return nil
}

func (p *press) wait(job *pressed) (err error) {
	select {
	case err = <-job.done:
		return err
	default:
	}
	return p.splice.task.idle(func() error { return <-job.done })
}

// drain ends the work. It writes the pages that are left; after an error it only waits for them.
func (p *press) drain(err error) error {
	if err == nil {
		err = p.flush()
	}
	for _, job := range p.queue {
		_ = p.wait(job)
		p.splice.task.unhold(job.memory)
	}
	p.queue = nil
	return err
}
