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
	f := &Footprints{Files: []FileFacts{{Source: "b.parquet", Blocks: []BlockFacts{{To: 1, Last: schema.Unknown}}}, {
		Source: "a.parquet", NoContracts: true, LeftOut: []string{"huggingface"}, Blocks: []BlockFacts{{
			To: 2, Rows: 5, Last: 17, Days: []DayOutcome{{DaysBefore, schema.NumReasons, 1}, {20000, schema.NumReasons, 3}, {DayUnknown, schema.MomentUnknown, 2}, {DayUnknown, schema.PartyOptedOut, 1}},
			Causes: []CausedByBits{{Reason: schema.PartyOptedOut, Roles: 3, Rows: 2}}, Pages: Pages{1, 2, 3}, Groups: [3]int{2, 1, 1},
		}, {
			From: 2, To: 3, Rows: 1, Last: -5, Groups: [3]int{0, 1, 1}, Transforms: []Transform{
				{Column: "a", Action: Dropped}, {Column: "body", Action: Redacted, Values: 7, Redactions: map[string]int64{"email": 1, "phone": 2}}, {Column: "at", Action: Coarsened, To: "day", Values: 9},
			},
		}},
	}, {Source: "empty.parquet"}}}
	for range n {
		f.Accounts = append(f.Accounts, Named{Key: rng.Uint64(), Roles: uint16(rng.IntN(8)), Form: rng.Uint64(), Mark: rng.Uint32N(64)})
		c := Named{Key: rng.Uint64(), Form: rng.Uint64()}
		f.Contracts = append(f.Contracts, c)
		f.Pairs = append(f.Pairs, ContractBlock{c.Key, uint32(rng.IntN(3))}, ContractBlock{c.Key, 1})
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

// TestAddFootprints: the footprints of parts of the files, and of parts of a file, add up to those of all.
func TestAddFootprints(t *testing.T) {
	part := func(source string, group int, contracts ...uint64) *Footprints {
		f := &Footprints{Files: []FileFacts{{Source: source, LeftOut: []string{"k"}, Blocks: []BlockFacts{{From: group, To: group + 1}}}}}
		for _, c := range contracts {
			f.Contracts, f.Pairs = append(f.Contracts, Named{Key: c}), append(f.Pairs, ContractBlock{c, 0})
		}
		f.Sort()
		return f
	}
	var got Footprints
	for _, p := range []*Footprints{part("b", 1, 2, 3), part("c", 0, 3), part("a", 0, 1, 3), part("b", 0, 3)} {
		got.Add(p)
	}
	got.Sort()
	file := func(source string, blocks ...BlockFacts) FileFacts {
		return FileFacts{Source: source, LeftOut: []string{"k"}, Blocks: blocks}
	}
	want := Footprints{
		Files:    []FileFacts{file("a", BlockFacts{To: 1}), file("b", BlockFacts{To: 1}, BlockFacts{From: 1, To: 2}), file("c", BlockFacts{To: 1})},
		Accounts: []Named{}, Contracts: []Named{{Key: 1}, {Key: 2}, {Key: 3}},
		Pairs: []ContractBlock{{1, 0}, {2, 2}, {3, 0}, {3, 1}, {3, 2}, {3, 3}},
	}
	if got.Accounts = []Named{}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if pairs := FindPairs(got.Pairs, 2); !slices.Equal(pairs, []ContractBlock{{2, 2}}) {
		t.Errorf("%v", pairs)
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
		"a block that is none":   {Contracts: []Named{{Key: 2}}, Pairs: []ContractBlock{{2, 0}}},
		"blocks that overlap":    {Files: []FileFacts{{Blocks: []BlockFacts{{To: 2}, {From: 1, To: 3}}}}},
		"days out of order":      {Files: []FileFacts{{Blocks: []BlockFacts{{To: 2, Days: []DayOutcome{{2, schema.NumReasons, 1}, {1, schema.NumReasons, 1}}}}}}},
		"a day's outcome twice":  {Files: []FileFacts{{Blocks: []BlockFacts{{To: 2, Days: []DayOutcome{{1, schema.NumReasons, 1}, {1, schema.NumReasons, 1}}}}}}},
		"rows that cannot be":    {Files: []FileFacts{{Blocks: []BlockFacts{{To: 2, Rows: -1}}}}},
	} {
		var b bytes.Buffer
		if err := f.Write(&b, testMeta()); err != nil {
			t.Fatal(err)
		}
		if err := readFootprints(b.Bytes()); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, rows := range map[string][][]int64{
		"blocks of contracts out of order": {{kindFile}, {kindBlock, 0, 1}, {kindBlock, 1, 2}, {kindContract, 1}, {kindContract, 2}, {kindContractBlock, 1}, {kindContractBlock, 0}},
		"a block of no file":               {{kindBlock, 0, 1}},
		"counts of no block":               {{kindFile}, {kindPages}},
		"a redaction of nothing":           {{kindFile}, {kindBlock, 0, 1}, {kindRedaction}},
		"a transform that is none":         {{kindFile}, {kindBlock, 0, 1}, {kindTransform, 1}},
		"a reason that is none":            {{kindFile}, {kindBlock, 0, 1}, {kindCause, 99}},
		"a day's reason that is none":      {{kindFile}, {kindBlock, 0, 1}, {kindDay, 5, 99}},
		"a kind that is none":              {{kindFile}, {numKinds}},
		"a file too many":                  {{kindFile}, {kindFile, 1}},
		"a file too few":                   {},
		"facts after names":                {{kindFile}, {kindAccount, 1}, {kindBlock, 0, 1}},
	} {
		var b bytes.Buffer
		out, version, texts := newIntWriter(&b, footprintColumns()), footprintsSchema, `{"sources":["a"]}`
		for _, row := range rows {
			row = append(row, make([]int64, numFootprintLeaves-len(row))...)
			out.row(row...)
		}
		if err := out.finish([]parquet.KeyValue{{Key: keySchema, Value: &version}, {Key: keyTexts, Value: &texts}}); err != nil {
			t.Fatal(err)
		}
		if err := readFootprints(b.Bytes()); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := new(Footprints).Write(failing{}, testMeta()); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// TestSortNamedParts sorts names of which a part is sorted already, and compares with what a sort of all gives.
func TestSortNamedParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 2000 {
		all := make([]Named, rng.IntN(40))
		for i := range all {
			all[i] = Named{Key: rng.Uint64N(30), Roles: 1 << rng.IntN(3), Form: rng.Uint64N(2)}
		}
		if n := len(all); n > 0 {
			slices.SortFunc(all[:rng.IntN(n+1)], compareNamed)
		}
		want := map[Named]uint16{}
		for _, n := range all {
			want[Named{Key: n.Key, Form: n.Form}] |= n.Roles
		}
		got := SortNamed(all)
		if len(got) != len(want) || !slices.IsSortedFunc(got, compareNamed) {
			t.Fatalf("%d names, want %d, or not in order: %v", len(got), len(want), got)
		}
		for _, n := range got {
			if want[Named{Key: n.Key, Form: n.Form}] != n.Roles {
				t.Fatalf("%+v has the roles %d", n, want[Named{Key: n.Key, Form: n.Form}])
			}
		}
	}
}
