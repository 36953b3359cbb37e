// Package liveheap measures in tests how much of the heap is live at most while something runs.
//
// What is allocated while the garbage collector marks counts as live, and on a busy machine it marks for long. So a test
// that measures runs in a process of its own, which stands still while garbage is collected, often.
package liveheap

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// stopWorld lets the garbage collector mark and sweep while nothing else runs.
const stopWorld = "gcstoptheworld=2"

// Alone reports whether the process is one in which Peak is exact. Where it is not, Alone has run the test of this name
// in such a process, and failed where that failed; the caller returns.
func Alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv("GODEBUG") == stopWorld {
		return true
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), "GODEBUG="+stopWorld, "GOGC=5")
	out, err := child.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
	return false
}

// Peak runs do and returns by how many bytes what was live exceeded what was before, at most.
func Peak(do func()) float64 {
	runtime.GC() // what sync.Pools hold goes with the second collection only
	debug.FreeOSMemory()
	before, done, peak := live(), make(chan bool), make(chan uint64)
	go func() {
		for most := uint64(0); ; most = max(most, live()) {
			select {
			case <-done:
				peak <- most
				return
			case <-time.After(200 * time.Microsecond):
			}
		}
	}()
	do()
	done <- true
	return float64(<-peak) - float64(before)
}

func live() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
