package pick_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go/compress/snappy"

	"assent/job/internal/arrowparquet"
	"assent/job/parquet/pick"
	"assent/job/parquet/rewrite"
)

// picked returns rows of a file as lines of JSON. Where they are few, they are also read with next to no memory.
func picked(data []byte, rows []int64) ([]string, error) {
	lines, err := pickedWith(data, rows, false)
	if err != nil || len(lines) > 2000 {
		return lines, err
	}
	again, err := pickedWith(data, rows, true)
	if err == nil && !slices.Equal(again, lines) {
		err = errors.New("other values with little memory")
	}
	return lines, err
}

func pickedWith(data []byte, rows []int64, narrow bool) ([]string, error) {
	f, err := pick.Open(context.Background(), bytes.NewReader(data), int64(len(data)), "test.parquet")
	if err != nil {
		return nil, err
	}
	if rows == nil {
		for row := range f.NumRows() {
			rows = append(rows, row)
		}
	}
	if narrow {
		f.Narrow()
	}
	a := f.Assembler(pick.Options{Finite: true})
	defer a.Release()
	leaves := make([]int, len(f.Columns()))
	for i := range leaves {
		leaves[i] = i
	}
	for b, err := range f.Batches(context.Background(), leaves, rows) {
		if err != nil {
			return nil, err
		}
		for i := range b.Rows {
			if err := a.Append(b, i); err != nil {
				return nil, err
			}
		}
		b.Done()
	}
	record := a.Record()
	defer record.Release()
	lines, err := jsonLines(record)
	if err == nil && len(lines) != len(rows) {
		err = fmt.Errorf("%d rows, want %d", len(lines), len(rows))
	}
	return lines, err
}

func jsonLines(r arrow.Record) ([]string, error) {
	var text bytes.Buffer
	if err := array.RecordToJSON(r, &text); err != nil {
		return nil, err
	}
	if r.NumRows() == 0 {
		return nil, nil
	}
	return strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n"), nil
}

// some returns a few numbers below n, ascending.
func some(rng *rand.Rand, n, rows int) []int64 {
	rowsOf := map[int64]bool{}
	for range n {
		rowsOf[rng.Int64N(int64(rows))] = true
	}
	var out []int64
	for r := range rowsOf {
		out = append(out, r)
	}
	slices.Sort(out)
	return out
}

func at(lines []string, rows []int64) []string {
	var out []string
	for _, r := range rows {
		out = append(out, lines[r])
	}
	return out
}

var nested = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.BinaryTypes.String},
	{Name: "ok", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "n", Type: arrow.PrimitiveTypes.Uint64, Nullable: true},
	{Name: "f", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "g", Type: arrow.PrimitiveTypes.Float32},
	{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "day", Type: arrow.FixedWidthTypes.Date32},
	{Name: "price", Type: &arrow.Decimal128Type{Precision: 20, Scale: 2}, Nullable: true},
	{Name: "raw", Type: arrow.BinaryTypes.Binary, Nullable: true},
	{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	{Name: "deep", Type: arrow.ListOfNonNullable(arrow.ListOf(arrow.PrimitiveTypes.Int32)), Nullable: true},
	{Name: "who", Type: arrow.StructOf(
		arrow.Field{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
		arrow.Field{Name: "mails", Type: arrow.ListOf(arrow.StructOf(arrow.Field{Name: "to", Type: arrow.BinaryTypes.String})), Nullable: true},
	), Nullable: true},
	{Name: "properties", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64), Nullable: true},
}, nil)

func appendRandom(b array.Builder, nullable bool, rng *rand.Rand) {
	if nullable && rng.IntN(4) == 0 {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.StructBuilder:
		b.Append(true)
		for i, f := range b.Type().(*arrow.StructType).Fields() {
			appendRandom(b.FieldBuilder(i), f.Nullable, rng)
		}
	case *array.MapBuilder:
		b.Append(true)
		for range rng.IntN(4) {
			appendRandom(b.KeyBuilder(), false, rng)
			appendRandom(b.ItemBuilder(), true, rng)
		}
	case *array.ListBuilder:
		b.Append(true)
		for range rng.IntN(4) {
			appendRandom(b.ValueBuilder(), b.Type().(*arrow.ListType).ElemField().Nullable, rng)
		}
	case *array.BooleanBuilder:
		b.Append(rng.IntN(2) == 0)
	case *array.Int32Builder:
		b.Append(rng.Int32())
	case *array.Int64Builder:
		b.Append(rng.Int64())
	case *array.Uint64Builder:
		b.Append(rng.Uint64())
	case *array.Float32Builder:
		b.Append(rng.Float32())
	case *array.Float64Builder:
		b.Append(rng.NormFloat64())
	case *array.Date32Builder:
		b.Append(arrow.Date32(rng.IntN(30000)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(rng.Int64N(1 << 50)))
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(rng.Int64N(1<<40) - 1<<39))
	case *array.BinaryBuilder: // also of strings
		b.Append([]byte(strings.Repeat("x", rng.IntN(3)) + fmt.Sprint(rng.IntN(20))))
	case *array.StringBuilder:
		b.Append(strings.Repeat("x", rng.IntN(3)) + fmt.Sprint(rng.IntN(20)))
	default:
		panic(fmt.Sprintf("%T", b))
	}
}

// TestPick reads rows of nested files in several layouts, and compares them with those
// that were written.
func TestPick(t *testing.T) {
	const rows = 700
	for name, o := range map[string]arrowparquet.Options{
		"plain":      {RowGroupRows: 300, PageRows: 50},
		"one page":   {},
		"dictionary": {RowGroupRows: 300, PageRows: 64, Dictionary: func(string) bool { return true }, DictionaryBytes: 40},
		"v2":         {RowGroupRows: 200, PageRows: 33, PageVersion: 2, Delta: func(string) bool { return true }, Codec: new(snappy.Codec)},
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			b := array.NewRecordBuilder(memory.DefaultAllocator, nested)
			defer b.Release()
			for range rows {
				for i, f := range nested.Fields() {
					appendRandom(b.Field(i), f.Nullable, rng)
				}
			}
			record := b.NewRecord()
			defer record.Release()
			var file bytes.Buffer
			w, err := arrowparquet.NewWriter(&file, nested, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(record); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			want, err := jsonLines(record)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{0, 1, 7, 300, 100000} {
				chosen := some(rng, n, rows)
				if n > rows {
					chosen = nil
				}
				got, err := picked(file.Bytes(), chosen)
				if err != nil {
					t.Fatal(err)
				}
				if chosen == nil && n > 0 {
					if !slices.Equal(got, want) {
						t.Fatalf("all rows differ")
					}
				} else if n > 0 && !slices.Equal(got, at(want, chosen)) {
					t.Fatalf("rows %v:\n%s\nwant\n%s", chosen, strings.Join(got, "\n"), strings.Join(at(want, chosen), "\n"))
				}
			}
		})
	}
}

// TestPickPages checks that no page is read that holds none of the rows.
func TestPickPages(t *testing.T) {
	s := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "body", Type: arrow.BinaryTypes.String}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 20000 {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprint(rng.Uint64(), rng.Uint64()))
	}
	record := b.NewRecord()
	defer record.Release()
	var file bytes.Buffer
	w, err := arrowparquet.NewWriter(&file, s, arrowparquet.Options{PageRows: 100, RowGroupRows: 5000})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(record); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := &counter{ReaderAt: bytes.NewReader(file.Bytes())}
	f, err := pick.Open(t.Context(), r, int64(file.Len()), "x")
	if err != nil {
		t.Fatal(err)
	}
	footer := r.bytes.Load()
	for b, err := range f.Batches(t.Context(), []int{0, 1}, []int64{7, 4999, 19000}) {
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range b.Rows {
			if got := b.Slots(0).Ints[b.Slots(0).Rows[i]]; got != row {
				t.Errorf("row %d is %d", row, got)
			}
		}
	}
	// Of 200 pages of each leaf, three, and the indexes of two row groups.
	if read := r.bytes.Load() - footer; read > int64(file.Len()/20) {
		t.Errorf("%d of %d bytes read", read, file.Len())
	}
}

type counter struct {
	io.ReaderAt
	bytes atomic.Int64 // columns are read at a time
}

func (c *counter) ReadAt(p []byte, off int64) (int, error) {
	c.bytes.Add(int64(len(p)))
	return c.ReaderAt.ReadAt(p, off)
}

// unfit are files that no run publishes, or not to be read in a test.
var unfit = map[string]bool{
	"large_string_map.brotli.parquet": true, // values of 1 GiB
}

// TestCorpus reads the public conformance files in two ways that must agree: rows of
// the file as it is, mostly without an offset index, and all rows of what package
// rewrite leaves of it, which has one.
func TestCorpus(t *testing.T) {
	root := os.Getenv("ASSENT_CORPORA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "corpora")
	}
	names, _ := filepath.Glob(filepath.Join(root, "parquet-testing", "data", "*.parquet"))
	if len(names) == 0 {
		t.Skip("no corpora")
	}
	read := 0
	for _, name := range names {
		short := filepath.Base(name)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if unfit[short] {
			continue
		}
		all, err := picked(data, nil)
		if err != nil {
			if !strings.Contains(short, "corrupt-checksum") && !strings.Contains(short, "encrypt") {
				t.Errorf("%s: %v", short, err)
			}
			continue
		}
		if len(all) == 0 {
			continue
		}
		rng := rand.New(rand.NewPCG(5, uint64(len(data))))
		for range 3 {
			rows := some(rng, 1+rng.IntN(20), len(all))
			got, err := picked(data, rows)
			if err != nil || !slices.Equal(got, at(all, rows)) {
				t.Errorf("%s: rows %v differ (%v)", short, rows, err)
			}
			rest, err := rewritten(t, data, rows)
			if err != nil {
				t.Errorf("%s: %v", short, err)
				continue
			}
			if got, err = picked(rest, nil); err != nil || !slices.Equal(got, at(all, rows)) {
				t.Errorf("%s: rows %v differ after rewriting (%v)", short, rows, err)
			}
		}
		read++
	}
	if read < 40 {
		t.Errorf("%d files", read)
	}
}

func rewritten(t *testing.T, data []byte, rows []int64) ([]byte, error) {
	f, err := rewrite.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := f.NewWriter(&out, rewrite.Options{})
	first := int64(0)
	for g := range f.NumRowGroups() {
		s := rewrite.NewSelection(f.RowGroupRows(g))
		for _, r := range rows {
			if first <= r && r < first+f.RowGroupRows(g) {
				s.Keep(r - first)
			}
		}
		if err := w.RowGroup(t.Context(), g, s); err != nil {
			return nil, err
		}
		first += f.RowGroupRows(g)
	}
	_, err = w.Close()
	return out.Bytes(), err
}

// FuzzPick must not panic, nor take memory beyond what the bytes can hold.
func FuzzPick(f *testing.F) {
	names, _ := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "corpora", "parquet-testing", "data", "*.parquet"))
	for _, name := range names {
		if data, err := os.ReadFile(name); err == nil && len(data) < 4000 && !unfit[filepath.Base(name)] {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := pick.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "x"); err != nil || p.NumRows() > 1000 {
			return
		}
		_, _ = picked(data, nil)
	})
}
