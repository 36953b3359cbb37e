package objstore

import (
	"math/bits"
	"sync"
)

// buffers are pieces of memory that are used again: to get new memory from the system, and to give it back, takes more
// time than to send it. Their sizes are powers of two.
type buffers [33]sync.Pool // of *[]byte, by the bits of their size

// get returns an empty slice with room for size bytes, of at most 4 GiB.
func (b *buffers) get(size int64) []byte {
	class := classOf(size)
	if p, _ := b[class].Get().(*[]byte); p != nil {
		return *p
	}
	return make([]byte, 0, 1<<class)
}

// put takes a slice that nobody uses any more.
func (b *buffers) put(p []byte) {
	if class := bits.Len64(uint64(cap(p))) - 1; class > 0 && class < len(b) {
		p = p[:0]
		b[class].Put(&p)
	}
}

// roomOf is the memory that a slice takes which get returns.
func roomOf(size int64) int64 { return 1 << classOf(size) }

// classOf is the number of the smallest power of two that has room for size bytes.
func classOf(size int64) int { return bits.Len64(uint64(max(size, 1) - 1)) }
