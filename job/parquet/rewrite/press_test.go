package rewrite

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"
	"golang.org/x/sync/semaphore"
)

// TestPagesSideBySide: as many pages of one chunk are in work at once as there are processors, and the bytes stay the same.
func TestPagesSideBySide(t *testing.T) {
	type row struct {
		Text string `parquet:"text,zstd"`
	}
	var b bytes.Buffer
	w := parquetgo.NewGenericWriter[row](&b, parquetgo.PageBufferSize(800), parquetgo.WriteBufferSize(0))
	for i := range 1000 {
		if _, err := w.Write([]row{{fmt.Sprintf("text %04d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want, _, err := rewriteFile(t, b.Bytes(), random(60).keep, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, cpus := range []int64{1, 3} {
		// The first pages wait until as many as there are processors are in work; they cannot wait in turn.
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var arrived atomic.Int64
		all := make(chan struct{})
		opts := Options{CPU: semaphore.NewWeighted(cpus), Memory: NewBudget(64 << 20), encoding: func() {
			if arrived.Add(1) == cpus {
				close(all)
			}
			select {
			case <-all:
			case <-ctx.Done():
				t.Errorf("fewer than %d pages in work at once", cpus)
			}
		}}
		got, _, err := rewriteFile(t, b.Bytes(), random(60).keep, opts)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("other bytes on %d processors", cpus)
		}
	}
}
