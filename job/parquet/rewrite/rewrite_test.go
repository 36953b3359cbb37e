package rewrite

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"assent/job/parquet"
	parquetgo "github.com/parquet-go/parquet-go"
)

// corpus returns the root of the public conformance files.
func corpus(t testing.TB) string {
	root := os.Getenv("ASSENT_CORPORA")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for ; ; dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			if dir == filepath.Dir(dir) {
				t.Fatal("no go.mod above the working directory")
			}
		}
		root = filepath.Join(dir, "..", "shared", "corpora")
	}
	root = filepath.Join(root, "parquet-testing")
	if _, err := os.Stat(root); err != nil {
		t.Skipf("no corpora (ASSENT_CORPORA): %v", err)
	}
	return root
}

// A pick decides whether row i of n of a file is kept.
type pick struct {
	name string
	keep func(i, n int64) bool
}

func random(percent int) pick {
	return pick{fmt.Sprintf("random%d", percent), func(i, n int64) bool {
		r := rand.New(rand.NewPCG(uint64(i), uint64(percent)))
		return int(r.Uint32()%100) < percent
	}}
}

var picks = []pick{
	{"none", func(i, n int64) bool { return false }},
	{"all", func(i, n int64) bool { return true }},
	{"first", func(i, n int64) bool { return i == 0 }},
	{"last", func(i, n int64) bool { return i == n-1 }},
	{"alternating", func(i, n int64) bool { return i%2 == 1 }},
	{"middle", func(i, n int64) bool { return i >= n/4 && i < n*3/4 }},
	{"edges", func(i, n int64) bool { return i < n/5 || i > n*4/5 }},
	random(1), random(10), random(50), random(90), random(99),
}

// rewriteFile writes data without the rows that keep drops.
func rewriteFile(t testing.TB, data []byte, keep func(i, n int64) bool, opts Options) ([]byte, Result, error) {
	t.Helper()
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
	if err != nil {
		return nil, Result{}, err
	}
	var out bytes.Buffer
	w := NewWriter(f, &out, opts)
	row := int64(0)
	for g := range f.NumRowGroups() {
		sel := NewSelection(f.RowGroupRows(g))
		for i := range f.RowGroupRows(g) {
			if keep(row, f.NumRows()) {
				sel.Keep(i)
			}
			row++
		}
		if err := w.RowGroup(t.Context(), g, sel); err != nil {
			return nil, Result{}, err
		}
	}
	r, err := w.Close()
	if err == nil && r.Bytes != int64(out.Len()) {
		t.Errorf("%d bytes said, %d written", r.Bytes, out.Len())
	}
	return out.Bytes(), r, err
}

// readRows reads a file with the second implementation.
func readRows(t testing.TB, data []byte) []parquetgo.Row {
	t.Helper()
	f, err := parquetgo.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var all []parquetgo.Row
	for _, g := range f.RowGroups() {
		rows := g.Rows()
		buf := make([]parquetgo.Row, 100)
		for {
			n, err := rows.ReadRows(buf)
			for _, r := range buf[:n] {
				all = append(all, r.Clone())
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		rows.Close()
	}
	return all
}

func checkRows(t testing.TB, in, out []parquetgo.Row, keep func(i, n int64) bool) {
	t.Helper()
	var want []parquetgo.Row
	for i, r := range in {
		if keep(int64(i), int64(len(in))) {
			want = append(want, r)
		}
	}
	if len(want) != len(out) {
		t.Fatalf("%d rows, want %d", len(out), len(want))
	}
	for i := range want {
		if !want[i].Equal(out[i]) {
			for j := range min(len(want[i]), len(out[i])) {
				if w, g := want[i][j], out[i][j]; !sameValue(w, g) {
					t.Fatalf("row %d: column %d: %+v, want %+v", i, w.Column(), g, w)
				}
			}
			if len(want[i]) != len(out[i]) {
				t.Fatalf("row %d: %d values, want %d", i, len(out[i]), len(want[i]))
			}
		}
	}
}

// sameValue compares bits, so that NaN equals itself.
func sameValue(a, b parquetgo.Value) bool {
	return a.Kind() == b.Kind() && a.IsNull() == b.IsNull() && bytes.Equal(a.Bytes(), b.Bytes()) && a.Column() == b.Column() &&
		a.RepetitionLevel() == b.RepetitionLevel() && a.DefinitionLevel() == b.DefinitionLevel()
}

type inner struct {
	X *int32            `parquet:"x"`
	Y []string          `parquet:"y,list"`
	M map[string]*int64 `parquet:"m"`
}

type wide struct {
	ID      string    `parquet:"id,zstd"`
	Dict    string    `parquet:"dict,dict,snappy"`
	OptDict *string   `parquet:"optdict,optional,dict,zstd"`
	Flag    bool      `parquet:"flag"`
	OptFlag *bool     `parquet:"optflag,optional"`
	I32     int32     `parquet:"i32,delta,gzip"`
	I64     int64     `parquet:"i64,delta"`
	U32     uint32    `parquet:"u32,zstd"`
	U64     uint64    `parquet:"u64,dict"`
	F32     float32   `parquet:"f32,split"`
	F64     float64   `parquet:"f64,gzip"`
	Len     string    `parquet:"len,delta"`
	Pre     string    `parquet:"pre,brotli"`
	UUID    [16]byte  `parquet:"uuid,uuid"`
	Opt     *int64    `parquet:"opt,optional,zstd"`
	List    []int64   `parquet:"list,list,zstd"`
	Strs    []string  `parquet:"strs,list,dict"`
	Rep     []int32   `parquet:"rep,snappy"`
	In      *inner    `parquet:"in,optional"`
	Ins     []inner   `parquet:"ins,list"`
	Deep    [][]int32 `parquet:"deep,list" parquet-element:",list"`
}

func wideRows(n int) []wide {
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([]wide, n)
	word := func() string { return fmt.Sprintf("w%d", r.IntN(50)) }
	mk := func() inner {
		in := inner{}
		if r.IntN(3) > 0 {
			x := r.Int32()
			in.X = &x
		}
		for range r.IntN(4) {
			in.Y = append(in.Y, word())
		}
		for range r.IntN(3) {
			if in.M == nil {
				in.M = map[string]*int64{}
			}
			v := r.Int64()
			in.M[word()] = &v
		}
		return in
	}
	for i := range rows {
		w := &rows[i]
		w.ID = fmt.Sprintf("id-%d-%d", i, r.Uint64())
		w.Dict = fmt.Sprintf("d%d", r.IntN(400))
		if r.IntN(2) == 0 {
			s := word()
			w.OptDict = &s
			b := r.IntN(2) == 0
			w.OptFlag = &b
		}
		if i < n/3 && r.IntN(20) > 0 {
			w.OptFlag = nil
		}
		w.Flag = r.IntN(3) == 0
		w.I32, w.I64, w.U32, w.U64 = int32(i)-500, r.Int64(), r.Uint32(), uint64(r.IntN(1000))
		w.F32, w.F64 = float32(r.NormFloat64()), r.NormFloat64()
		w.Len, w.Pre = word()+word(), fmt.Sprintf("prefix-%06d", i)
		for j := range w.UUID {
			w.UUID[j] = byte(r.Uint32())
		}
		if r.IntN(4) > 0 {
			w.Opt = new(int64)
			*w.Opt = int64(i)
		}
		for range r.IntN(5) {
			w.List = append(w.List, r.Int64())
			w.Strs = append(w.Strs, word())
			w.Rep = append(w.Rep, r.Int32N(100))
			w.Deep = append(w.Deep, []int32{1, r.Int32()}[:r.IntN(3)])
		}
		if r.IntN(3) > 0 {
			in := mk()
			w.In = &in
		}
		for range r.IntN(3) {
			w.Ins = append(w.Ins, mk())
		}
	}
	return rows
}

func wideFile(t testing.TB, rows []wide, options ...parquetgo.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquetgo.NewGenericWriter[wide](&b, options...)
	for len(rows) > 0 {
		n := min(100, len(rows))
		if _, err := w.Write(rows[:n]); err != nil {
			t.Fatal(err)
		}
		rows = rows[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	rows := wideRows(3000)
	for _, version := range []int{1, 2} {
		for _, pageSize := range []int{300, 5000, 1 << 20} {
			for _, groupRows := range []int64{700, 1 << 20} {
				if testing.Short() && (pageSize != 5000 || groupRows != 700) {
					continue
				}
				name := fmt.Sprintf("v%d/page%d/group%d", version, pageSize, groupRows)
				t.Run(name, func(t *testing.T) {
					data := wideFile(t, rows, parquetgo.DataPageVersion(version), parquetgo.PageBufferSize(pageSize),
						parquetgo.MaxRowsPerRowGroup(groupRows), parquetgo.DataPageStatistics(pageSize == 5000))
					in := readRows(t, data)
					for _, p := range picks {
						t.Run(p.name, func(t *testing.T) {
							out, r, err := rewriteFile(t, data, p.keep, Options{CreatedBy: "test"})
							if err != nil {
								t.Fatal(err)
							}
							if r.RowsIn != 3000 {
								t.Errorf("%d rows in", r.RowsIn)
							}
							checkRows(t, in, readRows(t, out), p.keep)
							checkFile(t, data, out, p.keep, p.name == "alternating" || p.name == "random10" || p.name == "random50")
						})
					}
				})
			}
		}
	}
}
