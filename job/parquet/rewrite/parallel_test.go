package rewrite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"assent/job/parquet"
	parquetgo "github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

func TestSameBytes(t *testing.T) {
	rows := wideRows(3000)
	for _, version := range []int{1, 2} {
		data := wideFile(t, rows, parquetgo.DataPageVersion(version), parquetgo.PageBufferSize(2000), parquetgo.MaxRowsPerRowGroup(2000))
		for _, p := range []pick{picks[4], picks[5], random(10), random(90)} {
			if testing.Short() && p.name != "random10" {
				continue
			}
			var want []byte
			for _, cpu := range []int64{0, 1, 2, 8} {
				for _, memory := range []int64{0, 1, 3 << 20, 64 << 20, 1 << 30} {
					opts := Options{CreatedBy: "test"}
					if cpu > 0 {
						opts.CPU = semaphore.NewWeighted(cpu)
					}
					if memory > 0 {
						opts.Memory = NewBudget(memory)
					}
					out, _, err := rewriteFile(t, data, p.keep, opts)
					if err != nil {
						t.Fatal(err)
					}
					if want == nil {
						want = out
					}
					if !bytes.Equal(out, want) {
						t.Errorf("v%d, %s: other bytes with %d CPUs and %d bytes", version, p.name, cpu, memory)
					}
					if opts.Memory != nil && opts.Memory.used != 0 {
						t.Errorf("v%d, %s: %d bytes of %d not given back", version, p.name, opts.Memory.used, memory)
					}
					if opts.Memory != nil && len(opts.Memory.alone) != 0 {
						t.Errorf("v%d, %s: still beyond the budget", version, p.name)
					}
					if cpu > 0 && !opts.CPU.TryAcquire(cpu) {
						t.Errorf("v%d, %s: a CPU is still held", version, p.name)
					}
				}
			}
		}
	}
}

// Several files share a budget that is far too small, and the processors: all must come to an end.
func TestSharedBudget(t *testing.T) {
	data := wideFile(t, wideRows(2000), parquetgo.PageBufferSize(2000), parquetgo.MaxRowsPerRowGroup(700))
	want, _, err := rewriteFile(t, data, random(50).keep, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, memory := range []int64{1, 1 << 20, 10 << 20} {
		opts := Options{CPU: semaphore.NewWeighted(2), Memory: NewBudget(memory)}
		var group errgroup.Group
		for range 8 {
			group.Go(func() error {
				out, _, err := rewriteFile(t, data, random(50).keep, opts)
				if err == nil && !bytes.Equal(out, want) {
					err = errors.New("other bytes")
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if opts.Memory.used != 0 {
			t.Errorf("%d bytes not given back", opts.Memory.used)
		}
	}
}

func TestPageCounters(t *testing.T) {
	type row struct {
		ID   int64  `parquet:"id"`
		Text string `parquet:"text,zstd"`
		Dict string `parquet:"dict,dict"`
	}
	var b bytes.Buffer
	w := parquetgo.NewGenericWriter[row](&b, parquetgo.PageBufferSize(800), parquetgo.WriteBufferSize(0))
	for i := range 1000 {
		if _, err := w.Write([]row{{int64(i), fmt.Sprintf("text %04d", i), fmt.Sprint("d", i%3)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.Open(t.Context(), bytes.NewReader(b.Bytes()), int64(b.Len()), "in")
	if err != nil {
		t.Fatal(err)
	}
	chunks, err := f.Chunks(0)
	if err != nil {
		t.Fatal(err)
	}
	// The first rows of the pages of each column.
	var starts [3][]int64
	pages := int64(0)
	for c := range chunks {
		walk := newWalk(f, nil, &chunks[c])
		for walk.next() == nil {
			if walk.Header.IsData() {
				starts[c] = append(starts[c], walk.Seen-int64(walk.Header.Values))
				pages++
			}
		}
		walk.close()
	}
	for _, p := range picks {
		var want Pages
		var kept int64
		for c := range starts {
			for i, lo := range starts[c] {
				hi := int64(1000)
				if i+1 < len(starts[c]) {
					hi = starts[c][i+1]
				}
				n := int64(0)
				for r := lo; r < hi; r++ {
					if p.keep(r, 1000) {
						n++
					}
				}
				kept += n
				switch n {
				case 0:
					want.Dropped++
				case hi - lo:
					want.Copied++
				default:
					want.Filtered++
				}
			}
		}
		if kept == 0 {
			want = Pages{} // the row group is left out, its pages are not looked at
		}
		_, r, err := rewriteFile(t, b.Bytes(), p.keep, Options{})
		if err != nil {
			t.Fatal(err)
		}
		// Where all three entries of the dictionary are used, its pages can be copied; "first" and "last" keep one.
		if p.name != "first" && p.name != "last" && r.Pages != want {
			t.Errorf("%s: %+v, want %+v", p.name, r.Pages, want)
		}
		if n := r.Pages.Copied + r.Pages.Filtered + r.Pages.Dropped; kept > 0 && n != pages {
			t.Errorf("%s: %d pages counted, not %d", p.name, n, pages)
		}
	}
}

// faulty fails at the n-th call.
type faulty struct {
	r    io.ReaderAt
	w    io.Writer
	left atomic.Int64
}

var errFault = errors.New("disk on fire")

func (f *faulty) ReadAt(p []byte, off int64) (int, error) {
	if f.left.Add(-1) == 0 {
		return 0, errFault
	}
	return f.r.ReadAt(p, off)
}

func (f *faulty) Write(p []byte) (int, error) {
	if f.left.Add(-1) == 0 {
		return 0, errFault
	}
	return f.w.Write(p)
}

// Every read and every write fails once; the error comes through as it is, and nothing is held afterwards.
func TestFaults(t *testing.T) {
	data := secretFile(t, func(i int) bool { return i%7 == 6 }, parquetgo.MaxRowsPerRowGroup(1500), parquetgo.PageBufferSize(2000))
	for _, side := range []string{"read", "write"} {
		for n := int64(1); ; n++ {
			if n > 1000 {
				n += 97
			}
			opts := Options{CPU: semaphore.NewWeighted(2), Memory: NewBudget(1 << 20)}
			var out bytes.Buffer
			fault := &faulty{r: bytes.NewReader(data), w: &out}
			fault.left.Store(n)
			var r io.ReaderAt = bytes.NewReader(data)
			var w io.Writer = &out
			if side == "read" {
				r = fault
			} else {
				w = fault
			}
			err := func() error {
				f, err := parquet.Open(t.Context(), r, int64(len(data)), "in.parquet")
				if err != nil {
					return err
				}
				writer := NewWriter(f, w, opts)
				for g := range f.NumRowGroups() {
					sel := NewSelection(f.RowGroupRows(g))
					for i := range sel.Len() {
						if i%7 != 6 && g != 1 || g == 2 {
							sel.Keep(i)
						}
					}
					if err := writer.RowGroup(t.Context(), g, sel); err != nil {
						if again := writer.RowGroup(t.Context(), g, sel); again != err {
							t.Errorf("%s %d: then %v", side, n, again)
						}
						return err
					}
				}
				_, err = writer.Close()
				return err
			}()
			if opts.Memory.used != 0 || !opts.CPU.TryAcquire(2) {
				t.Fatalf("%s %d: %d bytes or a CPU still held", side, n, opts.Memory.used)
			}
			if err == nil {
				if n < 10 {
					t.Errorf("%s: only %d operations", side, n)
				}
				break
			}
			if !errors.Is(err, errFault) || errors.Is(err, parquet.ErrCorrupt) {
				t.Fatalf("%s %d: %v", side, n, err)
			}
		}
	}
}

type cancelling struct {
	io.Writer
	left   int
	cancel context.CancelFunc
}

func (c *cancelling) Write(p []byte) (int, error) {
	if c.left--; c.left == 0 {
		c.cancel()
	}
	return c.Writer.Write(p)
}

func TestCancel(t *testing.T) {
	data := wideFile(t, wideRows(2000), parquetgo.PageBufferSize(500))
	for n := 1; n < 400; n += 13 {
		ctx, cancel := context.WithCancel(t.Context())
		f, err := parquet.Open(ctx, bytes.NewReader(data), int64(len(data)), "in.parquet")
		if err != nil {
			t.Fatal(err)
		}
		opts := Options{CPU: semaphore.NewWeighted(2), Memory: NewBudget(1 << 20)}
		w := NewWriter(f, &cancelling{Writer: io.Discard, left: n, cancel: cancel}, opts)
		sel := NewSelection(2000)
		sel.KeepRange(0, 1999)
		if err := w.RowGroup(ctx, 0, sel); !errors.Is(err, context.Canceled) {
			t.Fatalf("%d: %v", n, err)
		}
		if opts.Memory.used != 0 || !opts.CPU.TryAcquire(2) {
			t.Errorf("%d: %d bytes or a CPU still held", n, opts.Memory.used)
		}
		cancel()
	}
}
