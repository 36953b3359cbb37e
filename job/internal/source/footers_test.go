package source

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"assent/job/internal/objstore"
	"assent/job/parquet/rewrite"
)

// inOne is a file in memory that is not known to be there.
type inOne struct{ *bytes.Reader }

func (inOne) Close() error                    { return nil }
func (inOne) Unchanged(context.Context) error { return nil }

// TestFootersWait: as many large footers are held at a time as there is room for, and small ones wait for nobody.
func TestFootersWait(t *testing.T) {
	type row struct{ Record, From, To string }
	file := func(groups int) []byte {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[row](&b)
		for range groups {
			if _, err := w.Write([]row{{"m", "a", "b"}}); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	large, small := file(2000), file(1)
	open := func(ctx context.Context, data []byte, room *semaphore.Weighted) (objstore.Reader, int64) {
		r := &awaiting{Reader: inOne{bytes.NewReader(data)}, ctx: ctx, room: room}
		if _, err := rewrite.Open(ctx, r, r.Size(), "x"); err != nil {
			t.Error(err)
		}
		return r, r.held
	}
	r, takes := open(t.Context(), large, semaphore.NewWeighted(footerMemory))
	r.Close()
	if takes < footerTakes*100<<10 {
		t.Fatalf("a footer of 2,000 row groups takes %d bytes", takes)
	}

	room := semaphore.NewWeighted(2*takes + 1)
	var now, most atomic.Int32
	var g errgroup.Group
	for range 8 {
		g.Go(func() error {
			r, _ := open(t.Context(), large, room)
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Millisecond)
			now.Add(-1)
			return r.Close()
		})
	}
	if err := g.Wait(); err != nil || most.Load() > 2 {
		t.Errorf("%d large footers at a time, where there is room for 2: %v", most.Load(), err)
	}
	if !room.TryAcquire(2*takes + 1) {
		t.Error("room is not given back")
	}

	if r, held := open(t.Context(), small, room); held != 0 || r.Close() != nil {
		t.Errorf("a small footer holds %d bytes", held)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	full := &awaiting{Reader: inOne{bytes.NewReader(large)}, ctx: ctx, room: room}
	if _, err := rewrite.Open(ctx, full, full.Size(), "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a large footer without room: %v", err)
	}
}
