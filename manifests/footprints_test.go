package manifests

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"assent/job/parquet"
	"assent/schema"
)

func smallFootprints(tb testing.TB, n int) (*Footprints, []byte) {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	f := &Footprints{Files: []FileFacts{{Source: "b.parquet", Last: schema.Unknown}, {
		Source: "a.parquet", Last: 17, Days: []DayCounts{{Day: 20000, Kept: 3}, {Day: DayUnknown, Excluded: ReasonCounts{schema.MomentUnknown: 2}}},
		Causes: []CausedByBits{{Reason: schema.PartyOptedOut.String(), Roles: 3, Rows: 2}}, LeftOut: []string{"huggingface"},
	}}}
	for range n {
		f.Accounts = append(f.Accounts, Named{Key: rng.Uint64(), Roles: uint16(rng.IntN(8)), Form: rng.Uint64(), Mark: rng.Uint32N(64)})
		c := Named{Key: rng.Uint64(), Form: rng.Uint64()}
		f.Contracts = append(f.Contracts, c)
		f.Pairs = append(f.Pairs, ContractFile{c.Key, uint32(rng.IntN(2))}, ContractFile{c.Key, 1})
	}
	f.Sort()
	var b bytes.Buffer
	if err := f.Write(&b, testMeta()); err != nil {
		tb.Fatal(err)
	}
	return f, b.Bytes()
}

func TestFootprints(t *testing.T) {
	for _, n := range []int{0, 1, 1000, 70_000} {
		want, data := smallFootprints(t, n)
		got, meta, err := ReadFootprints(bytes.NewReader(data), int64(len(data)))
		if err != nil || !reflect.DeepEqual(meta, testMeta()) {
			t.Fatalf("%d: %v, %+v", n, err, meta)
		}
		if !reflect.DeepEqual(got, want) || got.Files[0].Source != "a.parquet" {
			t.Fatalf("%d names: other ones were read than written", n)
		}
		for i, a := range want.Accounts {
			if at, found := FindNamed(got.Accounts, a.Key); !found || at != i {
				t.Fatal("a name is not found")
			}
		}
		if _, found := FindNamed(got.Contracts, 12345); found {
			t.Error("a name is found that nobody gave")
		}
	}
}

// TestAddFootprints: the footprints of parts of the files add up to those of all.
func TestAddFootprints(t *testing.T) {
	part := func(source string, contracts ...uint64) *Footprints {
		f := &Footprints{Files: []FileFacts{{Source: source}}}
		for _, c := range contracts {
			f.Contracts, f.Pairs = append(f.Contracts, Named{Key: c}), append(f.Pairs, ContractFile{c, 0})
		}
		f.Sort()
		return f
	}
	var got Footprints
	for _, p := range []*Footprints{part("b", 2, 3), part("c", 3), part("a", 1, 3)} {
		got.Add(p)
	}
	got.Sort()
	want := Footprints{
		Files: []FileFacts{{Source: "a"}, {Source: "b"}, {Source: "c"}}, Accounts: []Named{}, Contracts: []Named{{Key: 1}, {Key: 2}, {Key: 3}},
		Pairs: []ContractFile{{1, 0}, {2, 1}, {3, 0}, {3, 1}, {3, 2}},
	}
	if got.Accounts = []Named{}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// TestPiecesOfAFile: the facts of the pieces of a file become those of the file.
func TestPiecesOfAFile(t *testing.T) {
	caused := func(roles uint16, rows int64) CausedByBits {
		return CausedByBits{schema.PartyOptedOut.String(), roles, rows}
	}
	var got Footprints
	got.Add(&Footprints{Files: []FileFacts{{Source: "a", Last: 5, Days: []DayCounts{{Day: 1, Kept: 2}, {Day: 3, Kept: 1}}, Causes: []CausedByBits{caused(2, 1)}, LeftOut: []string{"k"}}},
		Contracts: []Named{{Key: 7}}, Pairs: []ContractFile{{7, 0}}})
	got.Add(&Footprints{Files: []FileFacts{{Source: "a", Last: 4, Days: []DayCounts{{Day: 1, Kept: 3}, {Day: 2, Kept: 1}}, Causes: []CausedByBits{caused(1, 1), caused(2, 4)}, LeftOut: []string{"k"}}},
		Contracts: []Named{{Key: 7}}, Pairs: []ContractFile{{7, 0}}})
	got.Sort()
	want := []FileFacts{{Source: "a", Last: 5, Days: []DayCounts{{Day: 1, Kept: 5}, {Day: 2, Kept: 1}, {Day: 3, Kept: 1}}, Causes: []CausedByBits{caused(1, 1), caused(2, 5)}, LeftOut: []string{"k"}}}
	if !reflect.DeepEqual(got.Files, want) || !slices.Equal(got.Pairs, []ContractFile{{7, 0}}) {
		t.Errorf("%+v, %v", got.Files, got.Pairs)
	}
}

func TestSortNamed(t *testing.T) {
	got := SortNamed([]Named{{Key: 9, Roles: 1, Form: 1}, {Key: 1 << 63, Roles: 1}, {Key: 9, Roles: 2, Form: 2}, {Key: 9, Roles: 4, Form: 1}})
	want := []Named{{Key: 9, Roles: 5, Form: 1}, {Key: 9, Roles: 2, Form: 2}, {Key: 1 << 63, Roles: 1}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func readFootprints(data []byte) error {
	_, _, err := ReadFootprints(bytes.NewReader(data), int64(len(data)))
	return err
}

func FuzzFootprints(f *testing.F) {
	for _, n := range []int{0, 3} {
		_, data := smallFootprints(f, n)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { readFootprints(data) })
}

func TestDamagedFootprints(t *testing.T) {
	_, whole := smallFootprints(t, 3)
	index, _ := smallIndex(t, 3)
	for name, data := range map[string][]byte{"a subject index": index, "half": whole[:len(whole)/2]} {
		if err := readFootprints(data); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, f := range map[string]*Footprints{
		"accounts out of order":  {Accounts: []Named{{Key: 2}, {Key: 1}}},
		"contracts out of order": {Contracts: []Named{{Key: 2}, {Key: 1}}},
		"files out of order":     {Files: []FileFacts{{Source: "b"}, {Source: "a"}}},
		"a file that is none":    {Contracts: []Named{{Key: 2}}, Pairs: []ContractFile{{2, 0}}},
	} {
		var b bytes.Buffer
		if err := f.Write(&b, testMeta()); err != nil {
			t.Fatal(err)
		}
		if err := readFootprints(b.Bytes()); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var b bytes.Buffer
	out, version, files := newIntWriter(&b, footprintColumns()), footprintsSchema, `[{"source":"a"}]`
	for _, row := range [][]int64{{kindContract, 1}, {kindContract, 2}, {kindContractFile, 1}, {kindContractFile, 0}} {
		out.row(row[0], row[1], 0, 0, 0)
	}
	if err := out.finish([]parquet.KeyValue{{Key: keySchema, Value: &version}, {Key: keyFiles, Value: &files}}); err != nil {
		t.Fatal(err)
	}
	if err := readFootprints(b.Bytes()); !errors.Is(err, ErrManifest) {
		t.Errorf("files of contracts out of order: %v", err)
	}
	if err := new(Footprints).Write(failing{}, testMeta()); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
