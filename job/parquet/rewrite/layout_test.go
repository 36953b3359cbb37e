package rewrite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	parquetgo "github.com/parquet-go/parquet-go"

	"assent/job/parquet"
)

// hashed makes text of a value, the same of equal ones; rendered is the value as dump shows it.
func hashed(rendered string) string { return fmt.Sprintf("%016x", xxhash.Sum64String(rendered)) }

// hashing is a Transform that makes hashed of the values of a column.
func hashing(c *parquet.Column) Transform {
	t := mapping(func(dst, value []byte, _ int) []byte {
		switch c.Physical {
		case parquet.Int32:
			return append(dst, hashed(fmt.Sprint(int32(binary.LittleEndian.Uint32(value))))...)
		case parquet.Int64:
			return append(dst, hashed(fmt.Sprint(int64(binary.LittleEndian.Uint64(value))))...)
		}
		return append(dst, hashed(render(value))...)
	})
	t.Text = true
	return t
}

// asked drops and changes columns of a file at random. What cannot be left out alone is left in.
func asked(t testing.TB, data []byte, seed uint64) (opts Options) {
	t.Helper()
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 13))
	opts.CreatedBy, opts.Transforms = "test", map[int]Transform{}
	for leaf := range f.Columns() {
		c := &f.Columns()[leaf]
		tried := opts
		switch choice := r.IntN(4); {
		case choice == 0:
			tried.Drop = append(slices.Clone(opts.Drop), leaf)
		case choice == 1 && c.Physical != parquet.Boolean:
			tried.Transforms = map[int]Transform{leaf: hashing(c)}
		}
		if _, err := newLayout(f, &tried); err == nil {
			opts.Drop = tried.Drop
			if x, ok := tried.Transforms[leaf]; ok {
				opts.Transforms[leaf] = x
			}
		}
	}
	if len(opts.Drop) == len(f.Columns()) {
		opts.Drop = opts.Drop[1:]
	}
	return opts
}

// checkAsked checks a file that was written from data: it decodes to what the input does after the same selection and changes.
func checkAsked(t *testing.T, data, out []byte, keep func(i, n int64) bool, opts Options) {
	t.Helper()
	rows, err := dumpChanged(t, data, func(leaf int, v string) (string, bool) {
		if slices.Contains(opts.Drop, leaf) {
			return "", false
		}
		if _, ok := opts.Transforms[leaf]; ok && v != "" {
			return fmt.Sprintf("%q", hashed(v)), true
		}
		return v, true
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i, r := range rows {
		if keep(int64(i), int64(len(rows))) {
			want = append(want, r)
		}
	}
	got, err := dump(t, out)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("row %d: %.300s, want %.300s", i, got[i], want[i])
		}
	}
}

// TestCorpusChanged drops and changes columns of every file of the corpus.
func TestCorpusChanged(t *testing.T) {
	read := 0
	for _, name := range corpusFiles(t, "data", "data/geospatial", "shredded_variant") {
		short := filepath.Base(name)
		if refused[short] != "" || short == hugeFile || strings.HasSuffix(short, ".encrypted") {
			continue
		}
		t.Run(short, func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, readable := tryReadRows(data)
			for seed := range uint64(4) {
				p := picks[1+int(seed)*3%len(picks)] // all, alternating, random1, random99
				opts := asked(t, data, seed)
				out, _, err := rewriteFile(t, data, p.keep, opts)
				if err != nil {
					t.Fatal(err)
				}
				checkAsked(t, data, out, p.keep, opts)
				checkFile(t, data, out, p.keep, false)
				if readable != nil || strings.HasPrefix(short, "lz4_raw") {
					continue
				}
				if _, err := tryReadRows(out); err != nil {
					t.Errorf("parquet-go: %v", err)
				}
				read++
			}
		})
	}
	t.Logf("%d files read by parquet-go", read)
}

// TestWideChanged does the same with files whose pages are of all encodings and in both versions.
func TestWideChanged(t *testing.T) {
	files := map[string][]byte{"wide": wideFile(t, wideRows(3000)), "wide v2": wideFile(t, wideRows(3000), parquetgo.DataPageVersion(2), parquetgo.PageBufferSize(2000))}
	slots, _ := raggedRows(rand.New(rand.NewPCG(1, 79)), 150)
	mixed := []parquet.Encoding{parquet.RLEDictionary, parquet.Plain, parquet.DeltaByteArray, parquet.PlainDictionary, parquet.DeltaLengthByteArray}
	files["ragged"] = raggedFile(t, "", raggedPages(rand.New(rand.NewPCG(2, 79)), slots, mixed, false, false))
	files["ragged, carried prefix"] = raggedFile(t, "parquet-mr version 1.6.0", raggedPages(rand.New(rand.NewPCG(2, 79)), slots, []parquet.Encoding{parquet.DeltaByteArray, parquet.RLEDictionary}, false, false))
	for name, data := range files {
		for seed := range uint64(3) {
			for _, p := range picks {
				if testing.Short() && p.name != "alternating" && p.name != "random99" {
					continue
				}
				opts := asked(t, data, seed)
				out, _, err := rewriteFile(t, data, p.keep, opts)
				if err != nil {
					t.Fatalf("%s, %s: %v", name, p.name, err)
				}
				checkAsked(t, data, out, p.keep, opts)
				checkFile(t, data, out, p.keep, false)
				opts.Memory = NewBudget(1) // nothing is held back: the walk goes back
				again, _, err := rewriteFile(t, data, p.keep, opts)
				if err != nil {
					t.Fatalf("%s, %s: %v", name, p.name, err)
				}
				if !bytes.Equal(again, out) {
					t.Fatalf("%s, %s: other bytes with little memory", name, p.name)
				}
			}
		}
	}
}

// A mapper is called once for each used entry of a dictionary, and is told for how many values.
func TestMappedOnce(t *testing.T) {
	data := wideFile(t, wideRows(3000))
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	dictionaries := 0
	for leaf := range f.Columns() {
		c := &f.Columns()[leaf]
		if c.Physical == parquet.Boolean {
			continue
		}
		calls, values := map[string]int{}, 0
		x := hashing(c)
		m := x.New()
		x.New = func() Mapper {
			clear(calls)
			return func(dst, value []byte, n int) []byte {
				calls[string(value)]++
				values += n
				return m(dst, value, n)
			}
		}
		want := 0
		if err := eachSlot(t, data, leaf, func(row int, v string) {
			if row%2 == 1 && v != "" {
				want++
			}
		}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := rewriteFile(t, data, func(i, n int64) bool { return i%2 == 1 }, Options{Transforms: map[int]Transform{leaf: x}}); err != nil {
			t.Fatal(err)
		}
		if values != want {
			t.Errorf("%s: %d values, want %d", c.Name(), values, want)
		}
		chunks, err := f.Chunks(0)
		if err != nil {
			t.Fatal(err)
		}
		if chunks[leaf].DictionaryOffset > 0 {
			dictionaries++
			for v, n := range calls {
				if n > 1 {
					t.Errorf("%s: %q was mapped %d times", c.Name(), v, n)
				}
			}
		}
	}
	if dictionaries == 0 {
		t.Error("no dictionary")
	}
}

// eachSlot calls do for each slot of a leaf, with the number of its row in the file.
func eachSlot(t *testing.T, data []byte, leaf int, do func(row int, v string)) error {
	t.Helper()
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
	base := 0
	for g := 0; err == nil && g < f.NumRowGroups(); g++ {
		var chunks []parquet.Chunk
		if chunks, err = f.Chunks(g); err == nil {
			rows := int(f.RowGroupRows(g))
			err = dumpChunk(f, &chunks[leaf], rows, func(row, _, _ int, v string) { do(base+row, v) })
			base += rows
		}
	}
	return err
}

// Of a dictionary neither the order of its entries nor their number of rows can be told from the output's: the entries are sorted.
func TestMappedOrder(t *testing.T) {
	for _, first := range []string{"zebra", "ant", "moth"} {
		type row struct {
			V string `parquet:"v,dict"`
		}
		rows := []row{{first}}
		for i := range 300 {
			rows = append(rows, row{[]string{"ant", "moth", "zebra"}[i%3]})
		}
		var b bytes.Buffer
		w := parquetgo.NewGenericWriter[row](&b)
		if _, err := w.Write(rows); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := parquet.Open(t.Context(), bytes.NewReader(b.Bytes()), int64(b.Len()), "in.parquet")
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := rewriteFile(t, b.Bytes(), func(i, n int64) bool { return true }, Options{Transforms: map[int]Transform{0: hashing(&f.Columns()[0])}})
		if err != nil {
			t.Fatal(err)
		}
		at := []int{bytes.Index(out, []byte(hashed(`"ant"`))), bytes.Index(out, []byte(hashed(`"moth"`))), bytes.Index(out, []byte(hashed(`"zebra"`)))}
		names := []string{hashed(`"ant"`), hashed(`"moth"`), hashed(`"zebra"`)}
		for i := range names {
			for j := range names {
				if at[i] < 0 || names[i] < names[j] != (at[i] < at[j]) {
					t.Fatalf("first row %s: %v stand at %v", first, names, at)
				}
			}
		}
	}
}

// What a type cannot do without is not left out alone.
func TestPartOfWhole(t *testing.T) {
	root := corpus(t)
	for _, c := range []struct{ file, drop, text string }{
		{file: "data/nested_maps.snappy.parquet", drop: "a.key_value.key"},
		{file: "shredded_variant/case-001.parquet", drop: "var.metadata"},
		{file: "shredded_variant/case-001.parquet", text: "var.metadata"},
	} {
		data, err := os.ReadFile(filepath.Join(root, c.file))
		if err != nil {
			t.Fatal(err)
		}
		f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
		if err != nil {
			t.Fatal(err)
		}
		opts := Options{Drop: f.Select(c.drop)}
		for _, leaf := range f.Select(c.text) {
			opts.Transforms = map[int]Transform{leaf: hashing(&f.Columns()[leaf])}
		}
		if len(opts.Drop)+len(opts.Transforms) != 1 {
			t.Fatalf("%s: no such column among %v", c.file, f.Nearest(c.drop+c.text))
		}
		if _, _, err := rewriteFile(t, data, picks[1].keep, opts); !errors.Is(err, ErrPartOfWhole) || !errors.Is(err, parquet.ErrUnsupported) {
			t.Errorf("%s: %v", c.file, err)
		}
	}
}
