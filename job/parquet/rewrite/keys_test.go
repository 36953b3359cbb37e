package rewrite

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"
	"golang.org/x/sync/semaphore"

	"assent/job/parquet"
)

// TestKeysBudget: of several readers of keys for whose pages the budget is too small, one goes beyond it at a time.
func TestKeysBudget(t *testing.T) {
	type row struct {
		ID int64  `parquet:"id"`
		To string `parquet:"to"`
	}
	rows := make([]row, 200_000)
	for i := range rows {
		rows[i] = row{int64(i), "somebody"}
	}
	var data bytes.Buffer
	w := parquetgo.NewGenericWriter[row](&data, parquetgo.PageBufferSize(8<<20))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.Open(t.Context(), bytes.NewReader(data.Bytes()), int64(data.Len()), "in")
	if err != nil {
		t.Fatal(err)
	}
	file := &File{File: f, Memory: NewBudget(1 << 20), CPU: semaphore.NewWeighted(1)}
	open := func() *KeyReader {
		k, err := file.Keys(t.Context(), 0, []int{0, 1})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first, second := open(), open()
	if err := file.CPU.Acquire(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Next(); err != nil {
		t.Fatal(err)
	}
	file.CPU.Release(1)
	done := make(chan error, 1)
	go func() {
		err := file.CPU.Acquire(t.Context(), 1)
		for err == nil {
			_, err = second.Next()
		}
		file.CPU.Release(1)
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("the second reader did not wait: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	if err := file.CPU.Acquire(t.Context(), 1); err != nil { // who waits for memory holds none
		t.Fatal(err)
	}
	file.CPU.Release(1)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if file.Memory.used != 0 || len(file.Memory.alone) != 0 {
		t.Errorf("%d bytes are not given back", file.Memory.used)
	}
}
