package main

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

// TestGarbagePercent: the next collection begins at leastHeap, or at lazy percent of garbage where that is more.
func TestGarbagePercent(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 1600, 1 << 20: 1600, 4 << 20: 1500, 16 << 20: 300, 32 << 20: lazy, leastHeap - 1: lazy, leastHeap: lazy, 1 << 40: lazy,
	} {
		if got := garbagePercent(live); got != want {
			t.Errorf("%d bytes in use: %d percent, want %d", live, got, want)
		}
	}
}

// TestCollector: the share of garbage follows what is in use.
func TestCollector(t *testing.T) {
	new(collector).limit(1 << 40)
	percent := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	follows := func(what string, ok func(percent uint64) bool) {
		t.Helper()
		for range 1000 {
			runtime.GC()
			if ok(percent()) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("%s: %d percent", what, percent())
	}
	follows("little is in use", func(p uint64) bool { return p > lazy })
	held := make([]byte, 2*leastHeap)
	follows("much is in use", func(p uint64) bool { return p == lazy })
	runtime.KeepAlive(held)
	held = nil
	follows("little is in use again", func(p uint64) bool { return p > lazy })
}
