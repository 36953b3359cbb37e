package redact

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// goText returns real code and prose: files of Go's own tree, of a kind of name, up to a size.
func goText(t testing.TB, size int, endings ...string) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(filepath.Join(goEnv(t, "GOROOT"), "src"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || len(all) > size {
			return err
		}
		for _, e := range endings {
			if strings.HasSuffix(path, e) {
				text, err := os.ReadFile(path)
				all = append(all, text...)
				return err
			}
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Skipf("no Go tree: %v", err)
	}
	return all
}

// records cuts text into pieces of the size of messages and files.
func records(text []byte) (all [][]byte) {
	for n := 0; len(text) > 0; n++ {
		size := min([]int{60, 300, 1200, 20_000}[n%4], len(text))
		all = append(all, text[:size])
		text = text[size:]
	}
	return all
}

// cpu returns the processor time of this thread, which load by others does not touch.
func cpu(t testing.TB) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		t.Skipf("no processor time: %v", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func corpora(t testing.TB) map[string][]byte {
	return map[string][]byte{"code": goText(t, 4<<20, ".go"), "prose": goText(t, 4<<20, ".md", ".txt", ".html")}
}

func BenchmarkAppend(b *testing.B) {
	for name, text := range corpora(b) {
		b.Run(name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			r := everything()
			all := records(text)
			var n Counts
			dst := r.Append(nil, text, &n)
			b.ReportAllocs()
			start := cpu(b)
			for b.Loop() {
				for _, record := range all {
					dst = r.Append(dst[:0], record, &n)
				}
			}
			b.ReportMetric(float64(len(text))*float64(b.N)/1e6/(cpu(b)-start).Seconds(), "MB/cpu-s")
		})
	}
}

// TestTimeIsBounded: a megabyte of whatever takes about as long as a megabyte of anything.
func TestTimeIsBounded(t *testing.T) {
	size := 1 << 20
	if testing.Short() {
		size = 1 << 18
	}
	r := everything()
	runtime.LockOSThread() // of which the processor's time is taken
	defer runtime.UnlockOSThread()
	for _, pattern := range hostile() {
		text := bytes.Repeat([]byte(pattern), size/len(pattern))
		var n Counts
		start := cpu(t)
		out := r.Append(nil, text, &n)
		if spent := cpu(t) - start; spent > 2*time.Second {
			t.Errorf("%q: %v for %d bytes", pattern, spent, size)
		} else if spent > 200*time.Millisecond {
			t.Logf("%q: %v for %d bytes", pattern, spent, size)
		}
		if again := r.Append(nil, out, &n); !bytes.Equal(again, out) {
			t.Errorf("%q: not the same when done again", pattern)
		}
	}
}

// TestSpeed fails where a rule became slow: it asks for a third of the 60 MB a second that a core must do, as this
// machine may be busy. BenchmarkAppend measures.
func TestSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("measures for a second")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for name, text := range corpora(t) {
		r := everything()
		var n Counts
		var dst []byte
		best := 0.0
		for range 5 { // the best of them is that which others disturbed least
			start := cpu(t)
			for _, record := range records(text) {
				dst = r.Append(dst[:0], record, &n)
			}
			best = max(best, float64(len(text))/1e6/(cpu(t)-start).Seconds())
		}
		t.Logf("%s: %.0f MB a second of a core", name, best)
		if best < 20 {
			t.Errorf("%s: %.0f MB a second of a core; at least 20", name, best)
		}
	}
}
