package rewrite

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"assent/job/parquet"
	parquetgo "github.com/parquet-go/parquet-go"
)

func TestNextKept(t *testing.T) {
	s := NewSelection(1000)
	s.Keep(3)
	s.KeepRange(500, 510)
	for _, c := range [][2]int64{{0, 3}, {3, 3}, {4, 500}, {505, 505}, {509, 509}, {510, 999}, {999, 999}, {2000, 999}} {
		if got := s.nextKept(c[0]); got != c[1] {
			t.Errorf("after %d: %d, want %d", c[0], got, c[1])
		}
	}
	if g := s.longestGap(); g < 490-126 || g > 490+126 {
		t.Errorf("longest gap %d", g)
	}
}

type countingReader struct {
	io.ReaderAt
	bytes atomic.Int64
}

func (c *countingReader) ReadAt(p []byte, off int64) (int, error) {
	c.bytes.Add(int64(len(p)))
	return c.ReaderAt.ReadAt(p, off)
}

// A long run of dropped rows is not read where the offset index says how to get past it, and the output is right.
func TestJump(t *testing.T) {
	type row struct {
		ID   int64  `parquet:"id"`
		Text string `parquet:"text,uncompressed"`
	}
	r := rand.New(rand.NewPCG(9, 9))
	var b bytes.Buffer
	w := parquetgo.NewGenericWriter[row](&b, parquetgo.PageBufferSize(50_000))
	const n = 20_000
	noise := make([]byte, 1500)
	for i := range n {
		for j := range noise {
			noise[j] = 'a' + byte(r.Uint32()%26)
		}
		if _, err := w.Write([]row{{int64(i), fmt.Sprint(i, string(noise))}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	in := readRows(t, b.Bytes())
	for _, p := range []pick{
		{"ends", func(i, n int64) bool { return i < 10 || i >= n-10 }},
		{"start", func(i, n int64) bool { return i < 1000 }},
		{"middle", func(i, n int64) bool { return i == n/2 }},
		{"alternating", func(i, n int64) bool { return i%2 == 0 }},
	} {
		src := &countingReader{ReaderAt: bytes.NewReader(b.Bytes())}
		f, err := parquet.Open(t.Context(), src, int64(b.Len()), "in.parquet")
		if err != nil {
			t.Fatal(err)
		}
		sel := NewSelection(n)
		for i := range sel.Len() {
			if p.keep(i, n) {
				sel.Keep(i)
			}
		}
		var out bytes.Buffer
		writer := NewWriter(f, &out, Options{})
		if err := writer.RowGroup(t.Context(), 0, sel); err != nil {
			t.Fatal(err)
		}
		res, err := writer.Close()
		if err != nil {
			t.Fatal(err)
		}
		checkRows(t, in, readRows(t, out.Bytes()), p.keep)
		checkFile(t, b.Bytes(), out.Bytes(), p.keep, false)
		// What was seen is copied, filtered or dropped: all pages of both columns.
		pages := res.Pages.Copied + res.Pages.Filtered + res.Pages.Dropped
		_, all, err := rewriteFile(t, b.Bytes(), func(i, n int64) bool { return true }, Options{})
		if err != nil || pages != all.Pages.Copied {
			t.Errorf("%s: %+v of %+v, %v", p.name, res.Pages, all.Pages, err)
		}
		read := src.bytes.Load()
		if p.name != "alternating" && read > int64(b.Len())/2 {
			t.Errorf("%s: %d of %d bytes read", p.name, read, b.Len())
		}
	}
}

// Keys and the second implementation see the same slots in all columns.
func TestKeysAgree(t *testing.T) {
	for _, version := range []int{1, 2} {
		for _, pageSize := range []int{300, 20000} {
			data := wideFile(t, wideRows(2000), parquetgo.DataPageVersion(version), parquetgo.PageBufferSize(pageSize),
				parquetgo.MaxRowsPerRowGroup(1200))
			rows := readRows(t, data)
			f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
			if err != nil {
				t.Fatal(err)
			}
			var columns []int
			for i, c := range f.Columns() {
				if c.Physical != parquet.Float && c.Physical != parquet.Double {
					columns = append(columns, i)
				}
			}
			if _, err := Keys(t.Context(), f, 0, []int{0, 9}); err == nil {
				t.Error("a FLOAT column is taken for a key")
			}
			for _, every := range []int64{1, 2, 3, 1000} {
				keysAgree(t, f, columns, rows, every)
			}
		}
	}
}

// keysAgree reads columns late, and loads every so many-th batch.
func keysAgree(t *testing.T, f *parquet.File, columns []int, rows []parquetgo.Row, every int64) {
	t.Helper()
	base := int64(0)
	for g := range f.NumRowGroups() {
		k, err := Keys(t.Context(), f, g, columns)
		if err != nil {
			t.Fatal(err)
		}
		for i := range columns {
			if every > 1 {
				k.Late(i)
			}
		}
		seen, batches := int64(0), int64(0)
		for ; ; batches++ {
			b, err := k.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if b.FirstRow != seen || b.Rows == 0 {
				t.Fatalf("row %d, %d rows, after %d", b.FirstRow, b.Rows, seen)
			}
			for i := 0; i < len(columns) && batches%every == every-1; i++ {
				if err := b.Load(i); err != nil {
					t.Fatal(err)
				}
			}
			for i := 0; i < b.Rows && batches%every == every-1; i++ {
				compareKeys(t, f, columns, b, i, rows[base+seen+int64(i)])
			}
			seen += int64(b.Rows)
		}
		if seen != f.RowGroupRows(g) {
			t.Errorf("%d rows of %d", seen, f.RowGroupRows(g))
		}
		base += seen
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	}
}

func compareKeys(t *testing.T, f *parquet.File, columns []int, b *Batch, i int, row parquetgo.Row) {
	t.Helper()
	for j, c := range columns {
		col, v := &f.Columns()[c], &b.Columns[j]
		var want, got []string
		for _, value := range row {
			if value.Column() != c || value.DefinitionLevel() < col.ElementDef {
				continue
			}
			switch {
			case value.IsNull():
				want = append(want, "null")
			case col.Physical == parquet.Boolean:
				want = append(want, fmt.Sprint(map[bool]int{false: 0, true: 1}[value.Boolean()]))
			case col.Physical == parquet.Int32:
				want = append(want, fmt.Sprint(value.Int32()))
			case col.Physical == parquet.Int64:
				want = append(want, fmt.Sprint(value.Int64()))
			default:
				want = append(want, string(value.ByteArray()))
			}
		}
		lo, hi := i, i+1
		if v.Offsets != nil {
			lo, hi = int(v.Offsets[i]), int(v.Offsets[i+1])
		}
		for s := lo; s < hi; s++ {
			switch {
			case v.Null != nil && v.Null[s]:
				got = append(got, "null")
			case v.Dict != nil && col.Integer():
				got = append(got, fmt.Sprint(v.Dict.Int(int(v.Index[s]))))
			case v.Dict != nil:
				got = append(got, string(v.Dict.Bytes(int(v.Index[s]))))
			case col.Integer():
				got = append(got, fmt.Sprint(v.Ints[s]))
			default:
				got = append(got, string(v.Bytes.At(s)))
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s, row %d: %q, want %q", col.Name(), b.FirstRow+int64(i), got, want)
		}
	}
}
