package rewrite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"
	"golang.org/x/sync/semaphore"

	"assent/job/parquet"
)

// inOneGroup returns a file of some rows, in pages of about so many bytes.
func inOneGroup[T any](t *testing.T, rows []T, page int) *parquet.File {
	var data bytes.Buffer
	w := parquetgo.NewGenericWriter[T](&data, parquetgo.PageBufferSize(page))
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
	return f
}

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
	file := &File{File: inOneGroup(t, rows, 8<<20), Memory: NewBudget(1 << 20), CPU: semaphore.NewWeighted(1)}
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

// TestKeysHold: a reader of keys holds one copy of a page of PLAIN texts, and the budget knows of it; from page to page it is the same memory.
func TestKeysHold(t *testing.T) {
	type row struct {
		ID string `parquet:"id,optional,plain"`
	}
	const size, pages = 4 << 20, 3
	rows := make([]row, pages*size>>10)
	for i := range rows {
		rows[i].ID = fmt.Sprintf("%01020d", i)
	}
	keyColumns = sync.Pool{New: keyColumns.New} // not a column with the memory of another test
	file := &File{File: inOneGroup(t, rows, size), Memory: NewBudget(1 << 30)}
	k, err := file.Keys(t.Context(), 0, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	var memory *byte
	seen, large := 0, 0
	for b, err := k.Next(); err != io.EOF; b, err = k.Next() {
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			if got := string(b.Columns[0].Bytes.At(i)); got != rows[seen].ID {
				t.Fatalf("row %d is %q", seen, got)
			}
			seen++
		}
		page := k.cols[0].page.Header.RawSize
		if page < size/2 { // the last one
			continue
		}
		large++
		if held := k.cols[0].memory(); held > int64(page)*5/4 || file.Memory.used < held {
			t.Errorf("of a page of %d bytes %d are held, and the budget knows of %d", page, held, file.Memory.used)
		}
		if at := &k.cols[0].room[:1][0]; memory == nil {
			memory = at
		} else if at != memory {
			t.Error("a page has other memory than the one before")
		}
	}
	if large < 2 {
		t.Errorf("%d large pages", large)
	}
	if seen != len(rows) {
		t.Errorf("%d rows of %d", seen, len(rows))
	}
}
