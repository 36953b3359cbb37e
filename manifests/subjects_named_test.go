package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	parquetgo "github.com/parquet-go/parquet-go"
)

// manyGroups writes an index of several row groups, and returns who each of them names.
func manyGroups(t *testing.T) (file []byte, refs []Ref, named []map[Ref]bool) {
	t.Helper()
	accounts := NewAccounts(testKey.NewReferrer())
	var b bytes.Buffer
	w := NewSubjectIndexWriter(&b, accounts, testMeta())
	r := rand.New(rand.NewPCG(3, 1))
	row := int64(0)
	for group := range 5 {
		named = append(named, map[Ref]bool{})
		for range 700 * group {
			a := accounts.Account(fmt.Appendf(nil, "a%d", r.IntN(3000)))
			named[group][accounts.Ref(a)] = true
			if err := w.Add(row, 1, []NamedAs{{a, 0}}, row%2 == 0); err != nil {
				t.Fatal(err)
			}
			row++
		}
		if _, err := w.EndBlock(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 4000 { // the last thousand is nowhere
		refs = append(refs, accounts.Ref(accounts.Account(fmt.Appendf(nil, "a%d", i))))
	}
	return b.Bytes(), refs, named[1:] // an empty block has no row group
}

// TestNamedBy asks for some accounts, and compares with who was written. Filters keep nearly all others out.
func TestNamedBy(t *testing.T) {
	file, refs, named := manyGroups(t)
	x, err := OpenSubjectIndex(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	strangers, admitted := 0, 0
	for range 200 {
		var asked []Ref
		for range []int{0, 1, 3, 70}[r.IntN(4)] {
			asked = append(asked, refs[r.IntN(len(refs))])
		}
		got, err := x.NamedBy(asked)
		if err != nil || len(got) != len(named) {
			t.Fatalf("%d row groups, want %d: %v", len(got), len(named), err)
		}
		may, err := x.Admitted(asked)
		if err != nil {
			t.Fatal(err)
		}
		there := map[Ref]bool{}
		for group := range named {
			want := slices.ContainsFunc(asked, func(ref Ref) bool { return named[group][ref] })
			if got[group] != want {
				t.Errorf("%d accounts in row group %d: %v, want %v", len(asked), group, got[group], want)
			}
			for _, ref := range asked {
				there[ref] = there[ref] || named[group][ref]
			}
		}
		for _, ref := range asked {
			if in := slices.Contains(may, ref); there[ref] && !in {
				t.Error("a filter lacks an account")
			} else if !there[ref] {
				strangers++
				if in {
					admitted++
				}
			}
		}
	}
	if strangers < 500 || 10*admitted > strangers {
		t.Errorf("%d of %d accounts that are not there are admitted", admitted, strangers)
	}
}

// TestFilters has parquet-go ask the filters, and refuses one that lost a bit.
func TestFilters(t *testing.T) {
	file, _, named := manyGroups(t)
	f, err := parquetgo.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range f.RowGroups() {
		filter := g.ColumnChunks()[0].BloomFilter()
		if filter == nil {
			t.Fatalf("row group %d has no filter", i)
		}
		for ref := range named[i] {
			if ok, err := filter.Check(parquetgo.ValueOf(ref.String())); err != nil || !ok {
				t.Fatalf("row group %d: the filter lacks an account: %v", i, err)
			}
		}
	}
	meta := f.Metadata().RowGroups[2].Columns[0].MetaData
	bad := bytes.Clone(file)
	at := int(meta.BloomFilterOffset) + int(meta.BloomFilterLength) - 1
	for bad[at] == 0 {
		at--
	}
	bad[at] &= bad[at] - 1
	x, err := OpenSubjectIndex(bytes.NewReader(bad), int64(len(bad)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.NamedBy([]Ref{{1}}); !errors.Is(err, ErrManifest) {
		t.Errorf("a filter without one of its bits: %v", err)
	}
	if _, err := x.Lookup(Ref{1}); !errors.Is(err, ErrManifest) {
		t.Errorf("a filter without one of its bits: %v", err)
	}
}
