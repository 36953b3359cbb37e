//go:build unix

package manifests

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime returns the CPU time that the process has used: unlike the clock it means
// the same on a busy machine.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
