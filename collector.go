package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// A collector says how much garbage may lie around. Collections cost a short run more than all else that is not its work, and each
// throws away what pools keep for reuse.
type collector struct{ begin sync.Once }

const (
	leastHeap  = 64 << 20 // bytes: a smaller heap is not collected
	lazy       = 150      // percent: garbage, of what is in use, in a larger one; the runtime's default is 100
	minimumAt1 = 4 << 20  // bytes of the smallest heap that the runtime collects, at 100 percent
)

// limit has the collector keep the process within so many bytes. As that bounds the heap, what lies below may hold more garbage than
// usual. Settings from the environment stand.
func (c *collector) limit(bytes int64) {
	debug.SetMemoryLimit(bytes)
	if os.Getenv("GOGC") == "" {
		c.begin.Do(leaveGarbage)
	}
}

// leaveGarbage sets the share of garbage by what is in use, now and after each collection.
func leaveGarbage() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}} // at the last collection
	metrics.Read(live)
	debug.SetGCPercent(garbagePercent(live[0].Value.Uint64()))
	mark := new(*byte) // nobody holds it, so the next collection finds it; as it could have a pointer, it lies by itself
	runtime.AddCleanup(mark, func(struct{}) { leaveGarbage() }, struct{}{})
}

// garbagePercent is the share of garbage by which the next collection begins at leastHeap, or at lazy where that is more.
func garbagePercent(live uint64) int {
	if live >= leastHeap {
		return lazy
	}
	return int(max(lazy, min((leastHeap-live)*100/max(live, 1), leastHeap/minimumAt1*100)))
}
