package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"assent/job/parquet"
	"assent/job/parquet/codec"
)

const (
	miB = 1 << 20
	// program is what the process takes beside what it is promised for: of the program what was read into memory, the runtime's tables
	// and stacks.
	program = 40 * miB
)

// A peakCase is a job that is large in one way.
type peakCase struct {
	name   string
	make   func(c *peakCase, dir string) error
	memory int64    // that run is given, in MiB
	cores  int      // that the program believes to have; 0: as there are
	page   int64    // bytes of the largest page of all inputs
	verbs  []string // that are held to the promise
}

// TestPeak: what a process takes at most is --memory, the index and twice the largest page, whatever is large. While the index is built
// it is one and a half times the index, where that is more.
func TestPeak(t *testing.T) {
	if testing.Short() {
		t.Skip("makes and filters gigabytes")
	}
	for _, c := range []peakCase{
		{name: "500 columns", make: wideJob, memory: 64, verbs: []string{"run", "verify", "access"}},
		{name: "values of 48 MiB in pages of 144", make: valueJob, memory: 64, page: 144 * miB, verbs: []string{"run", "verify", "access"}},
		{name: "deltas in pages of 48 MiB", make: deltaJob(parquet.DeltaLengthByteArray, parquet.DeltaByteArray), memory: 64, page: 48 * miB, verbs: []string{"run", "verify", "access"}},
		{name: "deltas in pages of 18 MiB, eight at a time", make: deltaJob(parquet.DeltaByteArray), memory: 64, cores: 8, page: 18 * miB, verbs: []string{"run", "verify"}},
		{name: "ids in pages of 28 MiB, eight at a time", make: idsJob, memory: 128, cores: 8, page: 28 * miB, verbs: []string{"run", "verify"}},
		{name: "a page a column, eight at a time", make: pageJob, memory: 128, cores: 8, page: 12 * miB, verbs: []string{"run", "verify"}},
		{name: "40 columns of long texts", make: textsJob, memory: 64, page: 2 * miB, verbs: []string{"run", "verify", "access"}},
		{name: "a row group of 5 M rows", make: groupJob, memory: 128, verbs: []string{"run", "access"}},
		{name: "10 M events", make: eventsJob, memory: 64, verbs: []string{"run", "verify", "access"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("ASSENT_SUBJECT_KEY", "c3ViamVjdCBrZXkgZm9yIHRlc3RzLCAzMiBieXRlcyE=")
			if err := c.make(&c, dir); err != nil {
				t.Fatal(err)
			}
			job := filepath.Join(dir, "job.yaml")
			c.hold(t, c.memory*miB, "run", "-c", job, fmt.Sprintf("--memory=%dMiB", c.memory))
			run, err := filepath.Glob(filepath.Join(dir, "out", "run=*"))
			if err != nil || len(run) != 1 {
				t.Fatal(run, err)
			}
			for _, verb := range c.verbs {
				switch verb {
				case "verify":
					c.hold(t, 256*miB, "verify", "-c", job, "--run", run[0])
				case "access":
					c.hold(t, 256*miB, "access", "-c", job, "--run", run[0], "--subject", "in3", "--to", filepath.Join(dir, "copy"))
				}
			}
		})
	}
}

// hold runs a command of the program and holds what it takes at most to what it may.
func (c *peakCase) hold(t *testing.T, memory int64, args ...string) {
	t.Helper()
	cmd := exec.Command("assent", args...)
	if c.cores > 0 {
		cmd.Env = append(cmd.Environ(), fmt.Sprintf("GOMAXPROCS=%d", c.cores))
	}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	peak := int64(0)
	for waiting := true; waiting; {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("%s: %v: %s", args[0], err, log.String())
			}
			waiting = false
		case <-time.After(10 * time.Millisecond):
			peak = max(peak, highWater(t, cmd.Process.Pid))
		}
	}
	index := int64(0)
	if m := indexBytes.FindStringSubmatch(log.String()); m != nil {
		index, _ = strconv.ParseInt(m[1], 10, 64)
	}
	allowed := max(memory+index+2*c.page, index*3/2) + program
	state := cmd.ProcessState
	t.Logf("%-6s allowed %4d, measured %4d MiB; %5.1f s of CPU", args[0], allowed/miB, peak/miB, (state.UserTime() + state.SystemTime()).Seconds())
	if peak == 0 || peak > allowed {
		t.Errorf("%s takes %d MiB, allowed are %d", args[0], peak/miB, allowed/miB)
	}
}

// indexBytes finds the size of the index in the log of a run.
var indexBytes = regexp.MustCompile(`history loaded.* index_bytes=(\d+)`)

var vmHWM = regexp.MustCompile(`VmHWM:\s*(\d+) kB`)

// highWater returns the bytes that a process has had in memory at most; 0 where it has ended.
func highWater(t *testing.T, pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	m := vmHWM.FindSubmatch(status)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// firstSent is 2026-06-01, in microseconds.
const firstSent = 1780272000_000000

// keys are the columns of the messages that decisions take. Accounts alternate: of four rows one is between two who are in, and kept.
func (b *bulkFile) keys() []bulkColumn {
	ids := b.ids
	if ids == nil {
		ids = text("m%d")
	}
	return []bulkColumn{
		once(b.texts("message_id", ids)),
		once(b.texts("freelancer_id", func(dst []byte, i int) []byte { return append(dst, account(i)...) })),
		once(b.texts("client_id", func(dst []byte, i int) []byte { return append(dst, account(i/2)...) })),
		once(b.longs("sent_at", logicalMicrosec, func(i int) int64 { return firstSent + int64(i) })),
	}
}

// account returns the account of a number: of eight, seven are in.
func account(i int) string {
	if i%8 == 7 {
		return "out" + strconv.Itoa(i%97)
	}
	return "in" + strconv.Itoa(i%89)
}

// newJob writes the configuration, and a history of one event for each account.
func newJob(dir string) error {
	b := &bulkFile{codec: codec.Zstd, groups: 1, pages: 1, rows: 194}
	b.columns = []bulkColumn{
		b.texts("account_id", func(dst []byte, i int) []byte { return fmt.Appendf(dst, "%s%d", []string{"in", "out"}[i%2], i/2) }),
		b.texts("category", func(dst []byte, _ int) []byte { return append(dst, "communications"...) }),
		b.flags("opted_in", func(i int) bool { return i%2 == 0 }),
		b.longs("effective_at", logicalMicrosec, func(i int) int64 { return firstSent - 1e9 }),
	}
	if err := b.write(filepath.Join(dir, "consent", "history.parquet")); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "job.yaml"), []byte(`version: 1
program: {name: peak, starts_at: 2026-01-05T00:00:00Z}
output: out
inputs:
  consent: {path: consent/, as_of: 2026-11-20T00:00:00Z}
datasets:
  messages: {path: messages/, subjects: {}, author: freelancer, moments: {sent: sent_at}}
`), 0o644)
}

// messages writes a job whose messages are in one file.
func (b *bulkFile) messages(dir string) error {
	if err := newJob(dir); err != nil {
		return err
	}
	b.columns = append(b.keys(), b.columns...)
	return b.write(filepath.Join(dir, "messages", "part.parquet"))
}

func wideJob(c *peakCase, dir string) error {
	b := &bulkFile{codec: codec.Zstd, groups: 2, pages: 3, rows: 20_000}
	for i := range 496 {
		b.columns = append(b.columns, once(b.longs(fmt.Sprintf("column_%d", i), noLogical, func(row int) int64 { return int64(row*i) & math.MaxInt32 })))
	}
	return b.messages(dir)
}

func valueJob(c *peakCase, dir string) error {
	b := &bulkFile{codec: codec.Zstd, groups: 1, pages: 2, rows: 24}
	b.columns = []bulkColumn{once(b.texts("body", c.large)), b.entries("attachment", 24, c.large)}
	return b.several(dir, 2)
}

// deltaJob is a job of as many files as there are cores, two at least, with a page of each encoding.
func deltaJob(encodings ...parquet.Encoding) func(*peakCase, string) error {
	return func(c *peakCase, dir string) error {
		b := &bulkFile{codec: codec.Snappy, groups: 1, pages: 1, rows: 24}
		for _, e := range encodings {
			column := b.texts(fmt.Sprint("body_", e), c.large)
			column.encoding = e
			b.columns = append(b.columns, column)
		}
		return b.several(dir, max(c.cores, 2))
	}
}

// idsJob is a job of a page of long ids of records in each file.
func idsJob(c *peakCase, dir string) error {
	const id = 4 << 10
	b := &bulkFile{codec: codec.Snappy, groups: 1, pages: 1, rows: int(c.page) / (4 + id)}
	b.ids = text(strings.Repeat("m", id-8) + "%08d")
	return b.several(dir, c.cores)
}

// pageJob is a job of files whose columns have a page of some megabytes each.
func pageJob(c *peakCase, dir string) error {
	b := &bulkFile{codec: codec.Snappy, groups: 1, pages: 1, rows: 300_000}
	b.ids = text("message-of-some-length-%015d")
	b.columns = []bulkColumn{b.longs("number", noLogical, func(i int) int64 { return int64(i) * 7919 })}
	return b.several(dir, c.cores)
}

// large appends text i of a page of 24 rows: of eight one is large.
func (c *peakCase) large(dst []byte, i int) []byte {
	if i%8 != 3 {
		return fmt.Appendf(dst, "short %d", i)
	}
	at := len(dst)
	dst = append(dst, make([]byte, c.page/3)...)
	noise(dst[at:], uint64(i))
	return dst
}

// several writes a job of n such files, which are worked on at the same time.
func (b *bulkFile) several(dir string, n int) error {
	if err := b.messages(dir); err != nil {
		return err
	}
	for i := range n - 1 {
		if err := os.Link(filepath.Join(dir, "messages", "part.parquet"), filepath.Join(dir, "messages", fmt.Sprintf("more%d.parquet", i))); err != nil {
			return err
		}
	}
	return nil
}

func groupJob(c *peakCase, dir string) error {
	b := &bulkFile{codec: codec.Zstd, groups: 1, pages: 250, rows: 20_000}
	b.columns = []bulkColumn{once(b.texts("body", func(dst []byte, i int) []byte {
		at := len(dst)
		dst = append(dst, make([]byte, 20+i%50)...)
		noise(dst[at:], uint64(i))
		return dst
	}))}
	return b.messages(dir)
}

func textsJob(c *peakCase, dir string) error {
	b := &bulkFile{codec: codec.Zstd, groups: 1, pages: 5, rows: 20_000}
	for i := range 40 {
		b.columns = append(b.columns, once(b.texts(fmt.Sprintf("column_%d", i), func(dst []byte, row int) []byte {
			at := len(dst)
			dst = append(dst, make([]byte, 60+row%60)...)
			noise(dst[at:], uint64(row+i))
			return dst
		})))
	}
	return b.messages(dir)
}

func eventsJob(c *peakCase, dir string) error {
	b := &bulkFile{codec: codec.Zstd, groups: 1, pages: 5, rows: 20_000}
	if err := b.messages(dir); err != nil {
		return err
	}
	h := &bulkFile{codec: codec.Snappy, groups: 10, pages: 50, rows: 20_000}
	h.columns = []bulkColumn{
		h.texts("account_id", func(dst []byte, i int) []byte { return fmt.Appendf(dst, "z%xz", i*2/5) }),
		once(h.texts("category", func(dst []byte, _ int) []byte { return append(dst, "communications"...) })),
		once(h.flags("opted_in", func(i int) bool { return i%3 > 0 })),
		h.longs("effective_at", logicalMicrosec, func(i int) int64 { return firstSent + int64(i) }),
	}
	return h.write(filepath.Join(dir, "consent", "more.parquet"))
}
