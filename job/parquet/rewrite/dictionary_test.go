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

// A dictionary page stands in the output as it is only if all of its bytes are entries that kept rows use.
func TestDictionaryStays(t *testing.T) {
	ints := &parquet.Column{Physical: parquet.Int32}
	text := &parquet.Column{Physical: parquet.ByteArray}
	bools := &parquet.Column{Physical: parquet.Boolean}
	two := []byte("\x01\x00\x00\x00\x02\x00\x00\x00")
	words := []byte("\x01\x00\x00\x00a\x02\x00\x00\x00bc")
	for _, c := range []struct {
		name  string
		col   *parquet.Column
		plain []byte
		used  []int32
		want  bool
	}{
		{"numbers", ints, two, []int32{1, 0}, true},
		{"numbers, one unused", ints, two, []int32{1}, false},
		{"numbers and more bytes", ints, append(bytes.Clone(two), "secret"...), []int32{1, 0}, false},
		{"text", text, words, []int32{0, 1, 1}, true},
		{"text, one unused", text, words, []int32{0}, false},
		{"text and more bytes", text, append(bytes.Clone(words), "secret"...), []int32{0, 1}, false},
		{"booleans", bools, []byte{2}, []int32{0, 1}, false},
	} {
		d, err := newPruned(c.col, c.plain, &parquet.PageHeader{Values: 2})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		d.page = []byte("as it stands in the file")
		d.note(&parquet.Bounds{}, new([]byte), c.used)
		if err := d.settle(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := d.stays(); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
