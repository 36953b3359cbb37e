package rewrite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"assent/job/parquet"
	parquetgo "github.com/parquet-go/parquet-go"
)

// smallFiles are seeds: files of a few KB with all kinds of columns and pages.
func smallFiles(f *testing.F) (all [][]byte) {
	for _, version := range []int{1, 2} {
		all = append(all, wideFile(f, wideRows(60), parquetgo.DataPageVersion(version), parquetgo.PageBufferSize(300)))
		all = append(all, secretFile(f, func(i int) bool { return i%7 == 6 }, parquetgo.DataPageVersion(version),
			parquetgo.MaxRowsPerRowGroup(2000)))
	}
	names, _ := filepath.Glob(filepath.Join(corpus(f), "*data", "*.parquet"))
	for _, name := range names {
		if b, err := os.ReadFile(name); err == nil && len(b) < 8<<10 && filepath.Base(name) != hugeFile {
			all = append(all, b)
		}
	}
	return all
}

// allocated returns the bytes allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// mustPlace says that err, of bytes that may be damaged, is nil or a fault of the bytes.
func mustPlace(t *testing.T, err error) {
	t.Helper()
	var placed *parquet.Error
	if err != nil && !errors.As(err, &placed) {
		t.Fatalf("an error without a place: %v", err)
	}
	if err != nil && !errors.Is(err, parquet.ErrCorrupt) && !errors.Is(err, parquet.ErrUnsupported) {
		t.Fatalf("neither corrupt nor unsupported: %v", err)
	}
}

// FuzzOpen opens files whose footer is the fuzzed bytes.
func FuzzOpen(f *testing.F) {
	for _, b := range smallFiles(f) {
		n := int(binary.LittleEndian.Uint32(b[len(b)-8:]))
		if n <= len(b)-12 {
			f.Add(b[len(b)-8-n : len(b)-8])
		}
	}
	f.Fuzz(func(t *testing.T, footer []byte) {
		data := append(append([]byte(parquet.Magic), make([]byte, 1000)...), footer...)
		data = binary.LittleEndian.AppendUint32(data, uint32(len(footer)))
		data = append(data, parquet.Magic...)
		before := allocated()
		file, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "fuzz.parquet")
		mustPlace(t, err)
		if n := allocated() - before; n > 64<<20+1000*uint64(len(footer)) {
			t.Fatalf("%d bytes for a footer of %d", n, len(footer))
		}
		if err == nil {
			for i := range min(len(file.Columns()), 50) {
				if j, err := file.Lookup(file.Columns()[i].Name()); err == nil && j != i {
					t.Fatalf("column %d found as %d", i, j)
				}
			}
		}
	})
}

// FuzzRewrite rewrites damaged files: either it fails with a place, or what it writes can be read again.
func FuzzRewrite(f *testing.F) {
	for _, b := range smallFiles(f) {
		f.Add(b, uint8(3))
		f.Add(b, uint8(131))
	}
	f.Fuzz(func(t *testing.T, data []byte, modulus uint8) {
		before := allocated()
		file, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "fuzz.parquet")
		if err != nil || file.NumRows() > 1<<20 || file.NumRowGroups() > 100 {
			return
		}
		keep := func(i, n int64) bool { return i%int64(max(modulus, 1)) != 1 }
		opts := Options{CreatedBy: "fuzz", Memory: NewBudget(32 << 20)}
		if modulus >= 128 {
			opts.Transforms = everyColumn(t, data, mapping(reversed))
		}
		out, r, err := rewriteFile(t, data, keep, opts)
		mustPlace(t, err)
		if n := allocated() - before; n > 2<<30 {
			t.Fatalf("%d bytes for a file of %d", n, len(data))
		}
		for g := range file.NumRowGroups() {
			for c := range file.Columns() {
				k, err := Keys(t.Context(), file, g, []int{c})
				if err != nil {
					continue
				}
				if len(data)%2 == 0 {
					k.Late(0)
				}
				for n := 0; err == nil; n++ {
					var b *Batch
					if b, err = k.Next(); err == nil && n%2 == 0 {
						err = b.Load(0)
					}
				}
				if err != io.EOF {
					mustPlace(t, err)
				}
				k.Close()
			}
		}
		if err != nil {
			return
		}
		again, err := parquet.Open(t.Context(), bytes.NewReader(out), int64(len(out)), "out.parquet")
		if err != nil || again.NumRows() != r.RowsKept {
			t.Fatalf("%d rows kept, %v", r.RowsKept, err)
		}
	})
}
