package rewrite

import (
	"runtime"
	"slices"

	"assent/job/parquet"
	"assent/job/parquet/encoding"
)

// Memory of very large pages is given back as soon as nothing reads it any more, so that no more than two copies of such a page are
// there at a time: as it was before a step and after it.

// collectFrom is the size in bytes from which memory that was let go is collected at once, before more of this size is asked for. The
// garbage collector by itself may let several such pieces come together.
const collectFrom = 2 * maxPooled

// letGo is called after n bytes were let go.
func letGo(n int) {
	if !parquet.GiveBack(n) && n >= collectFrom {
		runtime.GC()
	}
}

// dropLarge gives the memory of a large page back: nothing reads it any more.
func dropLarge(p *parquet.Page) {
	if n := p.Memory(); n > maxPooled {
		p.Drop()
		letGo(n)
	}
}

// dropLarge gives values back that will not be pooled.
func (d *draft) dropLarge() {
	n := 0
	if cap(d.plain) > maxPooled {
		n += cap(d.plain)
		d.plain, d.room = nil, nil
	}
	if cap(d.bytes.Data) > maxPooled {
		n += cap(d.bytes.Data)
		d.bytes = encoding.Bytes{}
	}
	letGo(n)
}

// dropBody gives the memory of a large body back as it was in the file: nothing reads it any more.
func (s *splice) dropBody(in *input) {
	if in.h.Size > maxPooled {
		in.body = nil
		s.walk.src.shrink()
		letGo(in.h.Size)
	}
}

// dropDictionary gives the memory of a large dictionary back. It comes before the task ends: another one may take as much then.
func (s *splice) dropDictionary() {
	if s.dict != nil && cap(s.dict.plain) > maxPooled {
		n := cap(s.dict.plain)
		s.dict.plain = nil
		letGo(n)
	}
}

// dropBody gives the memory of a large body back that was written.
func dropBody(e *parquet.EncodedPage) {
	if n := cap(e.Body); n > maxPooled {
		e.Body = nil
		letGo(n)
	}
}

// roomFor returns b with room for n more bytes. Where that is large it is no more than is asked for.
func roomFor(b []byte, n int) []byte {
	if cap(b)-len(b) >= n || len(b)+n <= maxPooled {
		return slices.Grow(b, n)
	}
	return append(make([]byte, 0, len(b)+n), b...)
}
