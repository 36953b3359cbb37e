package rewrite

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	parquetgo "github.com/parquet-go/parquet-go"

	"assent/job/parquet"
)

// mapping is a Transform that works by one function.
func mapping(m Mapper) Transform { return Transform{New: func() Mapper { return m }} }

// reversed turns the bytes of each value round: twice is the identity.
func reversed(dst, value []byte, _ int) []byte {
	at := len(dst)
	dst = append(dst, value...)
	slices.Reverse(dst[at:])
	return dst
}

// longer breaks the rule of fixed widths.
func longer(dst, value []byte, _ int) []byte { return append(append(dst, value...), 0) }

// everyColumn gives all columns but booleans the same transform.
func everyColumn(t *testing.T, data []byte, transform Transform) map[int]Transform {
	t.Helper()
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	all := map[int]Transform{}
	for i := range f.Columns() {
		if f.Columns()[i].Physical != parquet.Boolean {
			all[i] = transform
		}
	}
	return all
}

// TestTransform changes all values of kept rows and changes them back: what comes out is what comes out without.
func TestTransform(t *testing.T) {
	files := map[string][]byte{"wide": wideFile(t, wideRows(3000)), "wide v2": wideFile(t, wideRows(3000), parquetgo.DataPageVersion(2), parquetgo.PageBufferSize(2000))}
	slots, _ := raggedRows(rand.New(rand.NewPCG(1, 79)), 150)
	mixed := []parquet.Encoding{parquet.RLEDictionary, parquet.Plain, parquet.DeltaByteArray, parquet.DeltaLengthByteArray}
	files["ragged"] = raggedFile(t, "", raggedPages(rand.New(rand.NewPCG(2, 79)), slots, mixed, false, false))
	files["ragged, carried prefix"] = raggedFile(t, "parquet-mr version 1.6.0", raggedPages(rand.New(rand.NewPCG(2, 79)), slots, []parquet.Encoding{parquet.DeltaByteArray, parquet.RLEDictionary}, false, false))
	for name, data := range files {
		transforms := everyColumn(t, data, mapping(reversed))
		for _, p := range picks {
			plain, _, err := rewriteFile(t, data, p.keep, Options{})
			if err != nil {
				t.Fatal(err)
			}
			once, _, err := rewriteFile(t, data, p.keep, Options{Transforms: transforms})
			if err != nil {
				t.Fatalf("%s, %s: %v", name, p.name, err)
			}
			checkFile(t, once, once, func(int64, int64) bool { return true }, false)
			twice, _, err := rewriteFile(t, once, func(int64, int64) bool { return true }, Options{Transforms: transforms})
			if err != nil {
				t.Fatalf("%s, %s, changed back: %v", name, p.name, err)
			}
			want, err := dump(t, plain)
			if err != nil {
				t.Fatal(err)
			}
			changed, err := dump(t, once)
			if err != nil {
				t.Fatal(err)
			}
			got, err := dump(t, twice)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Fatalf("%s, %s: %q, want %q", name, p.name, got, want)
			}
			if len(want) > 10 && strings.Join(changed, "\n") == strings.Join(want, "\n") {
				t.Fatalf("%s, %s: nothing changed", name, p.name)
			}
		}
	}
}

// No value of a changed column stays as it was anywhere in the file, be the row kept or not.
func TestTransformResidue(t *testing.T) {
	data := secretFile(t, func(i int) bool { return i%3 == 0 })
	out, r, err := rewriteFile(t, data, func(int64, int64) bool { return true }, Options{Transforms: everyColumn(t, data, mapping(reversed))})
	if err != nil {
		t.Fatal(err)
	}
	for where, b := range sections(t, out) {
		if bytes.Contains(b, []byte(canary)) || bytes.Contains(b, []byte(canary[:8])) {
			t.Errorf("%s holds a value as it was", where)
		}
	}
	if bytes.Contains(out, []byte(canary)) {
		t.Error("the file holds a value as it was")
	}
	if r.Pages.Copied > 0 {
		t.Errorf("%d pages copied", r.Pages.Copied)
	}
}

func TestTransformRefused(t *testing.T) {
	data := wideFile(t, wideRows(10))
	all := func(int64, int64) bool { return true }
	if _, _, err := rewriteFile(t, data, all, Options{Transforms: everyColumn(t, data, mapping(longer))}); !errors.Is(err, parquet.ErrUnsupported) {
		t.Errorf("a value of another width: %v", err)
	}
	f, err := parquet.Open(t.Context(), bytes.NewReader(data), int64(len(data)), "in.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for i := range f.Columns() {
		if f.Columns()[i].Physical == parquet.Boolean {
			if _, _, err := rewriteFile(t, data, all, Options{Transforms: map[int]Transform{i: mapping(reversed)}}); !errors.Is(err, parquet.ErrUnsupported) {
				t.Errorf("booleans: %v", err)
			}
			return
		}
	}
	t.Error("no boolean column")
}
