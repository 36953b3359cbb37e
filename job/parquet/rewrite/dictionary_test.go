package rewrite

import (
	"bytes"
	"fmt"
	"testing"

	"assent/job/parquet"
	parquetgo "github.com/parquet-go/parquet-go"
)

// A dictionary that is not worth its room after rows were lost becomes PLAIN pages; one that is stays; and one that lost
// nothing is left to its writer.
func TestDictionaryUnfolds(t *testing.T) {
	type row struct {
		At    int64    `parquet:"at,dict"`
		Name  string   `parquet:"name,dict,optional"`
		Few   string   `parquet:"few,dict"`
		Some  []string `parquet:"some,dict,list"`
		Whole int64    `parquet:"whole,dict"` // all its values are among the kept rows'
	}
	const n = 20_000
	var rows []row
	for i := range n {
		name := fmt.Sprintf("%0*d", 1+i%17, i)
		if i%19 == 0 {
			name = ""
		}
		rows = append(rows, row{int64(i) * 997, name, fmt.Sprint("of few: ", i%40), []string{fmt.Sprint(i), fmt.Sprint("b", i)}[:i%3*2/3], int64(i / 2)})
	}
	for _, version := range []int{1, 2} {
		for _, bloom := range []bool{false, true} {
			options := []parquetgo.WriterOption{parquetgo.DataPageVersion(version), parquetgo.PageBufferSize(8 << 10)}
			if bloom {
				options = append(options, parquetgo.BloomFilters(parquetgo.SplitBlockFilter(10, "at"), parquetgo.SplitBlockFilter(10, "name")))
			}
			var b bytes.Buffer
			w := parquetgo.NewGenericWriter[row](&b, options...)
			if _, err := w.Write(rows); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			keep := func(i, n int64) bool { return i%2 == 0 }
			out, _, err := rewriteFile(t, b.Bytes(), keep, Options{})
			if err != nil {
				t.Fatal(err)
			}
			checkRows(t, readRows(t, b.Bytes()), readRows(t, out), keep)
			checkFile(t, b.Bytes(), out, keep, true)
			f, err := parquet.Open(t.Context(), bytes.NewReader(out), int64(len(out)), "out.parquet")
			if err != nil {
				t.Fatal(err)
			}
			chunks, err := f.Chunks(0)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []bool{false, false, true, false, true} {
				if got := chunks[i].DictionaryOffset > 0; got != want {
					t.Errorf("version %d, bloom filters %v: column %d has a dictionary: %v", version, bloom, i, got)
				}
			}
			if bloom {
				checkKeptInBloom(t, out, func(i int) parquetgo.Value { return parquetgo.ValueOf(rows[i*2].At) }, n/2)
			}
		}
	}
}

// checkKeptInBloom asks the first column's bloom filter for all kept values.
func checkKeptInBloom(t *testing.T, out []byte, value func(i int) parquetgo.Value, n int) {
	t.Helper()
	f, err := parquetgo.OpenFile(bytes.NewReader(out), int64(len(out)))
	if err != nil {
		t.Fatal(err)
	}
	bloom := f.RowGroups()[0].ColumnChunks()[0].BloomFilter()
	if bloom == nil {
		t.Fatal("no bloom filter")
	}
	for i := range n {
		if ok, err := bloom.Check(value(i)); err != nil || !ok {
			t.Fatalf("the bloom filter lacks kept value %d: %v", i, err)
		}
	}
}
