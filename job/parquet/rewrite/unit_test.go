package rewrite

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	parquetgo "github.com/parquet-go/parquet-go"

	"assent/job/parquet"
	"assent/job/parquet/codec"
)

func TestSelection(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		n := r.Int64N(300)
		s := NewSelection(n)
		want := make([]bool, n)
		for range 20 {
			lo := r.Int64N(n + 1)
			hi := lo + r.Int64N(n-lo+1)
			switch r.IntN(4) {
			case 0:
				s.KeepRange(lo, hi)
				for i := lo; i < hi; i++ {
					want[i] = true
				}
			case 1:
				if lo < n {
					s.Keep(lo)
					want[lo] = true
				}
			case 2:
				w, k := r.Uint64(), int(min(hi-lo, 64))
				s.SetBits(lo, w, k)
				for i := range k {
					want[lo+int64(i)] = w>>i&1 != 0
				}
			case 3:
				if n > 0 {
					at, w := r.Int64N((n+63)/64), r.Uint64()
					s.SetWord(at, w)
					for i := range min(64, n-64*at) {
						want[64*at+i] = w>>i&1 != 0
					}
				}
			}
			count := int64(0)
			for i, k := range want {
				if k {
					count++
				}
				if s.Kept(int64(i)) != k {
					t.Fatalf("row %d of %d", i, n)
				}
			}
			if s.Count() != count || s.CountRange(0, n) != count {
				t.Fatalf("count %d, %d, want %d", s.Count(), s.CountRange(0, n), count)
			}
			inside := int64(0)
			for i := lo; i < hi; i++ {
				if want[i] {
					inside++
				}
			}
			if got := s.CountRange(lo, hi); got != inside {
				t.Fatalf("%d in [%d, %d), want %d", got, lo, hi, inside)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	if _, err := parquet.Open(t.Context(), bytes.NewReader(nil), 0, "empty.parquet"); !errors.Is(err, parquet.ErrCorrupt) {
		t.Error(err)
	}
	// A file that is shorter than it is said to be was not read as it should: that is not a fault of its bytes.
	data := secretFile(t, func(int) bool { return false })
	_, err := parquet.Open(t.Context(), bytes.NewReader(data[:len(data)-10]), int64(len(data)), "cut.parquet")
	if err == nil || errors.Is(err, parquet.ErrCorrupt) {
		t.Error(err)
	}
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "dir/in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	err = f.Fault(parquet.Corruptf("x: %w", codec.ErrCorrupt), 3, 1, 7)
	if want := "dir/in.parquet: row group 3: column dict: page 7: corrupt file: x: corrupt compressed data"; fmt.Sprint(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	w := NewWriter(f, &bytes.Buffer{}, Options{})
	if _, err := w.Close(); err == nil {
		t.Error("closed without its row groups")
	}
	w = NewWriter(f, &bytes.Buffer{}, Options{})
	if err := w.RowGroup(t.Context(), 0, NewSelection(5)); err == nil {
		t.Error("a selection of another size is taken")
	}
}

// Key-value metadata: kept in order, duplicates and absent values too; ours after it.
func TestKeyValues(t *testing.T) {
	data := secretFile(t, func(int) bool { return false }, parquetgo.KeyValueMetadata("org.apache.spark.version", "2"), parquetgo.KeyValueMetadata("geo", "{}"))
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	before := f.KeyValues()
	v := "run 7"
	for _, keep := range []int64{0, 2, 1000} {
		out, _, err := rewriteFile(t, data, func(i, n int64) bool { return i%1000 < keep },
			Options{CreatedBy: "assent", KeyValues: []parquet.KeyValue{{Key: "assent.run_id", Value: &v}, {Key: "none"}}})
		if err != nil {
			t.Fatal(err)
		}
		g, err := parquet.Open(t.Context(), bytes.NewReader(out), int64(len(out)), "out.parquet")
		if err != nil {
			t.Fatal(err)
		}
		if g.CreatedBy() != "assent" || len(g.KeyValues()) != len(before)+3 {
			t.Fatalf("%q, %+v", g.CreatedBy(), g.KeyValues())
		}
		for i, kv := range before {
			if g.KeyValues()[i].Key != kv.Key || *g.KeyValues()[i].Value != *kv.Value {
				t.Errorf("entry %d: %+v, want %+v", i, g.KeyValues()[i], kv)
			}
		}
		if got, ok := g.KeyValue("original.created_by"); !ok || got != f.CreatedBy() {
			t.Errorf("original.created_by %q", got)
		}
		if _, ok := g.KeyValue("none"); ok {
			t.Error("an absent value is there")
		}
	}
}
