package manifests

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"maps"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"assent/schema"
)

// mention is an account that a row names. Those of a row are side by side.
type mention struct {
	account Account
	row     int64
	role    uint8
	kept    bool
}

// makeMentions makes up rows with a freelancer, a client and a sender, who is one of
// the two.
func makeMentions(accounts *Accounts, rows, population int, zipf bool) []mention {
	rng := rand.New(rand.NewPCG(3, 4))
	z := rand.NewZipf(rng, 1.1, 10, uint64(population-1))
	for i := range population {
		accounts.Account(fmt.Appendf(nil, "account-%d", i))
	}
	draw := func() Account {
		if zipf {
			return Account(z.Uint64())
		}
		return Account(rng.IntN(population))
	}
	out := make([]mention, 0, 3*rows)
	for row := range int64(rows) {
		a, b, kept := draw()|1, draw()&^1, rng.IntN(5) > 1 // odd ones are freelancers, even ones clients
		sender := a
		if rng.IntN(2) == 0 {
			sender = b
		}
		out = append(out, mention{a, row, 0, kept}, mention{b, row, 1, kept}, mention{sender, row, 2, kept})
	}
	return out
}

func addAll(tb testing.TB, w *SubjectIndexWriter, mentions []mention) Written {
	var named []NamedAs
	for i, m := range mentions {
		named = append(named, NamedAs{m.account, m.role})
		if i+1 < len(mentions) && mentions[i+1].row == m.row {
			continue
		}
		if err := w.Add(m.row, 1, named, m.kept); err != nil {
			tb.Fatal(err)
		}
		named = named[:0]
	}
	written, err := w.Close()
	if err != nil {
		tb.Fatal(err)
	}
	return written
}

type plainSubject struct {
	Ref   string   `parquet:"ref"`
	Roles []string `parquet:"roles,list"`
	Kept  bool     `parquet:"kept"`
	Rows  []int64  `parquet:"rows,list"`
}

// byRow says of each account and row "kept role role …".
type byRow map[string]map[int64]string

func (x byRow) add(ref string, row int64, kept bool, roles []string) {
	if x[ref] == nil {
		x[ref] = make(map[int64]string)
	}
	x[ref][row] = fmt.Sprint(kept, roles)
}

func expect(accounts *Accounts, meta Meta, mentions []mention) byRow {
	type key struct {
		account Account
		row     int64
	}
	masks, kept := map[key]int{}, map[key]bool{}
	for _, m := range mentions {
		k := key{m.account, m.row}
		masks[k] |= 1 << m.role
		kept[k] = m.kept
	}
	out := byRow{}
	for k, mask := range masks {
		var roles []string
		for i, name := range meta.Roles {
			if mask>>i&1 != 0 {
				roles = append(roles, name)
			}
		}
		out.add(accounts.Ref(k.account).String(), k.row, kept[k], roles)
	}
	return out
}

func TestSubjectIndexByParquetGo(t *testing.T) {
	accounts := NewAccounts(testKey.NewReferrer())
	mentions := makeMentions(accounts, 200_000, 5_000, true)
	mentions = slices.DeleteFunc(mentions, func(m mention) bool { return m.row%1000 > 990 }) // rows that name nobody
	var file bytes.Buffer
	written := addAll(t, NewSubjectIndexWriter(&file, accounts, testMeta()), mentions)
	if written.Bytes != int64(file.Len()) {
		t.Fatalf("written %+v, have %d bytes", written, file.Len())
	}
	entries, err := parquet.Read[plainSubject](bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	got, pairs := byRow{}, int64(0)
	for i, e := range entries {
		if i > 0 && e.Ref < entries[i-1].Ref {
			t.Fatalf("entry %d is out of order", i)
		}
		for _, row := range e.Rows {
			got.add(e.Ref, row, e.Kept, e.Roles)
			pairs++
		}
	}
	want := expect(accounts, testMeta(), mentions)
	if !maps.EqualFunc(got, want, maps.Equal) {
		t.Fatal("rows differ")
	}
	if pairs != written.Rows {
		t.Fatalf("%d pairs read, %d written", pairs, written.Rows)
	}
}

func openSubjects(t testing.TB, file []byte) *SubjectIndex {
	x, err := OpenSubjectIndex(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestSubjectIndexRoundTrip(t *testing.T) {
	party := func(rng *rand.Rand, rows, people int) (out []mention) { // rows name a room, some twice
		for row := range int64(rows) {
			kept := rng.IntN(2) == 0
			for range rng.IntN(people) {
				out = append(out, mention{Account(rng.IntN(people)), row, uint8(rng.IntN(3)), kept})
			}
		}
		return out
	}
	for name, make := range map[string]func(*rand.Rand) []mention{
		"empty": func(*rand.Rand) []mention { return nil },
		"one":   func(*rand.Rand) []mention { return []mention{{3, 1 << 40, 1, true}} },
		"far apart": func(*rand.Rand) []mention {
			return []mention{{3, 0, 1, true}, {3, 1 << 32, 1, true}, {4, 1 << 50, 2, false}}
		},
		"rooms":      func(rng *rand.Rand) []mention { return party(rng, 2000, 40) },
		"one person": func(rng *rand.Rand) []mention { return party(rng, 3*entryRows, 2) },
		"nobody":     func(*rand.Rand) []mention { return []mention{{NoAccount, 0, 0, true}, {NoAccount, 1, 1, false}} },
		"somebody": func(*rand.Rand) []mention {
			return []mention{{NoAccount, 0, 0, true}, {0, 0, 1, true}, {NoAccount, 0, 2, true}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			accounts := NewAccounts(testKey.NewReferrer())
			for i := range 100 {
				accounts.Account(fmt.Appendf(nil, "account-%d", i))
			}
			mentions := make(rand.New(rand.NewPCG(5, 6)))
			var file bytes.Buffer
			written := addAll(t, NewSubjectIndexWriter(&file, accounts, testMeta()), mentions)
			mentions = slices.DeleteFunc(mentions, func(m mention) bool { return m.account == NoAccount })
			compareIndex(t, file.Bytes(), expect(accounts, testMeta(), mentions), written.Rows)
		})
	}
}

// compareIndex reads an index through and looks up each account.
func compareIndex(t *testing.T, file []byte, want byRow, pairs int64) {
	t.Helper()
	x := openSubjects(t, file)
	got, n := byRow{}, int64(0)
	for e, err := range x.All() {
		if err != nil {
			t.Fatal(err)
		}
		n += int64(len(e.Rows))
		for _, row := range e.Rows {
			got.add(e.Ref.String(), row, e.Kept, e.Roles)
		}
	}
	if !maps.EqualFunc(got, want, maps.Equal) {
		t.Fatal("entries differ")
	}
	if n != pairs {
		t.Errorf("%d pairs read, %d written", n, pairs)
	}
	for text := range want {
		compareLookup(t, x, text, want)
	}
	compareLookup(t, x, Ref{1}.String(), want)
}

func compareLookup(t *testing.T, x *SubjectIndex, text string, want byRow) {
	t.Helper()
	ref, err := ParseRef(text)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := x.Lookup(ref)
	if err != nil {
		t.Fatal(err)
	}
	got := byRow{}
	for i, r := range rows {
		if i > 0 && r.Row <= rows[i-1].Row {
			t.Fatal("rows do not ascend")
		}
		got.add(text, r.Row, r.Kept, r.Roles)
	}
	if !maps.Equal(got[text], want[text]) {
		t.Fatalf("look-up: %d rows, want %d", len(got[text]), len(want[text]))
	}
}

// TestSubjectIndexSegments: accounts are forgotten in the middle, and then there are
// more sets of roles than a segment can number.
func TestSubjectIndexSegments(t *testing.T) {
	meta := testMeta()
	meta.Roles = []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o"}
	accounts := NewAccounts(testKey.NewReferrer())
	var file bytes.Buffer
	w := NewSubjectIndexWriter(&file, accounts, meta)
	rng := rand.New(rand.NewPCG(7, 8))
	want := byRow{}
	for row := range int64(3000) {
		if row == 1000 || row == 2000 {
			accounts.Reset()
		}
		a, set, kept := accounts.Account(fmt.Appendf(nil, "account-%d", rng.IntN(50))), 1+rng.IntN(1<<15-1), row%3 == 0
		b := accounts.Account([]byte("b"))
		var names []string
		var named []NamedAs
		for role, name := range meta.Roles {
			if set>>role&1 == 0 {
				continue
			}
			names = append(names, name)
			for range 1 + int(row%5) {
				named = append(named, NamedAs{a, uint8(role)}, NamedAs{b, uint8(role)})
			}
			for i := range row % 40 { // so many that a map finds them
				named = append(named, NamedAs{accounts.Account(fmt.Appendf(nil, "other-%d", i)), uint8(role)})
			}
		}
		if err := w.Add(row, 1, named, kept); err != nil {
			t.Fatal(err)
		}
		for i := range row % 40 {
			want.add(accounts.Ref(accounts.Account(fmt.Appendf(nil, "other-%d", i))).String(), row, kept, names)
		}
		want.add(accounts.Ref(a).String(), row, kept, names)
		want.add(accounts.Ref(b).String(), row, kept, names)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	x := openSubjects(t, file.Bytes())
	if groups := x.file.NumRowGroups(); groups < 4 {
		t.Errorf("%d segments only", groups)
	}
	for text := range want {
		compareLookup(t, x, text, want)
	}
}

// TestSubjectIndexSplitRow: look-up brings a row together whose roles lie in two
// segments.
func TestSubjectIndexSplitRow(t *testing.T) {
	accounts := NewAccounts(testKey.NewReferrer())
	var file bytes.Buffer
	w := NewSubjectIndexWriter(&file, accounts, testMeta())
	for role := range uint8(2) {
		accounts.Reset()
		w.last = 6 // as no writer does now
		if err := w.Add(7, 1, []NamedAs{{accounts.Account([]byte("a")), role}}, true); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := openSubjects(t, file.Bytes()).Lookup(accounts.Ref(0))
	want := []SubjectRow{{7, true, []string{"freelancer", "client"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// countingReader counts what a look-up reads.
type countingReader struct {
	io.ReaderAt
	calls, bytes int
}

func (c *countingReader) ReadAt(p []byte, off int64) (int, error) {
	c.calls++
	c.bytes += len(p)
	return c.ReaderAt.ReadAt(p, off)
}

func TestLookupReadsLittle(t *testing.T) {
	accounts := NewAccounts(testKey.NewReferrer())
	mentions := makeMentions(accounts, 300_000, 100_000, true)
	var file bytes.Buffer
	addAll(t, NewSubjectIndexWriter(&file, accounts, testMeta()), mentions)
	for name, c := range map[string]struct {
		ref   Ref
		calls int
		bytes int
	}{
		"there":     {accounts.Ref(77), 7, 290_000}, // footer, filter, index, references, roles with their dictionary, outcomes, rows
		"not there": {Ref{0x77}, 2, 270_000},        // footer, filter
	} {
		r := &countingReader{ReaderAt: bytes.NewReader(file.Bytes())}
		x, err := OpenSubjectIndex(r, int64(file.Len()))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := x.Lookup(c.ref)
		if err != nil || (len(rows) > 0) != (name == "there") {
			t.Fatalf("%s: %d rows, %v", name, len(rows), err)
		}
		if r.calls > c.calls || r.bytes > c.bytes {
			t.Errorf("%s: %d bytes in %d reads of a file of %d bytes", name, r.bytes, r.calls, file.Len())
		}
	}
}

// TestSubjectIndexSize holds the index to three bytes a pair and 24 an account.
func TestSubjectIndexSize(t *testing.T) {
	for _, c := range []struct {
		rows, population int
		zipf             bool
	}{{300_000, 1_000, false}, {300_000, 10_000, false}, {300_000, 100_000, false}, {300_000, 300_000, false}, {300_000, 100_000, true}} {
		accounts := NewAccounts(testKey.NewReferrer())
		mentions := makeMentions(accounts, c.rows, c.population, c.zipf)
		seen := make(map[Account]bool)
		for _, m := range mentions {
			seen[m.account] = true
		}
		written := addAll(t, NewSubjectIndexWriter(io.Discard, accounts, testMeta()), mentions)
		limit := 3*written.Rows + 24*int64(len(seen))
		t.Logf("%+v: %d bytes, %.2f of the limit", c, written.Bytes, float64(written.Bytes)/float64(limit))
		if written.Bytes > limit {
			t.Errorf("%+v: %d bytes for %d pairs of %d accounts, at most %d", c, written.Bytes, written.Rows, len(seen), limit)
		}
	}
}

func TestSubjectIndexSameBytes(t *testing.T) {
	write := func(w *SubjectIndexWriter) [32]byte {
		var file bytes.Buffer
		accounts := NewAccounts(testKey.NewReferrer())
		mentions := makeMentions(accounts, 50_000, 5_000, true)
		if w == nil {
			w = NewSubjectIndexWriter(&file, accounts, testMeta())
		} else {
			w.Reset(&file, accounts, testMeta())
		}
		addAll(t, w, mentions)
		return sha256.Sum256(file.Bytes())
	}
	accounts := NewAccounts(testKey.NewReferrer())
	used := NewSubjectIndexWriter(io.Discard, accounts, testMeta())
	addAll(t, used, makeMentions(accounts, 1000, 100, false))
	first := write(nil)
	if first != write(nil) || first != write(used) {
		t.Fatal("bytes differ")
	}
}

func TestSubjectIndexRefuses(t *testing.T) {
	accounts := NewAccounts(testKey.NewReferrer())
	a := accounts.Account([]byte("a"))
	for name, m := range map[string]mention{
		"row before":      {a, 4, 0, true},
		"row twice":       {a, 5, 0, true},
		"unknown role":    {a, 6, 3, true},
		"unknown account": {a + 1, 6, 0, true},
	} {
		w := NewSubjectIndexWriter(io.Discard, accounts, testMeta())
		if err := w.Add(5, 1, []NamedAs{{a, 0}}, true); err != nil {
			t.Fatal(err)
		}
		if err := w.Add(m.row, 1, []NamedAs{{m.account, m.role}}, m.kept); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := w.Close(); err == nil {
			t.Errorf("%s: the file is closed as if nothing had been", name)
		}
	}
}

func TestCheckSubjects(t *testing.T) {
	entries := func(es ...SubjectRows) iter.Seq2[SubjectRows, error] {
		return func(yield func(SubjectRows, error) bool) {
			for _, e := range es {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
	f := &File{Source: "a.parquet", RowsIn: 100, RowsKept: 2}
	f.ExcludedByReason[schema.PartyOptedOut] = 98
	kept := SubjectRows{Kept: true, Rows: []int64{3, 99}}
	for name, c := range map[string]struct {
		entries iter.Seq2[SubjectRows, error]
		ok      bool
	}{
		"fine":          {entries(kept, kept, SubjectRows{Rows: []int64{4}}), true},
		"out of range":  {entries(SubjectRows{Rows: []int64{100}}), false},
		"negative":      {entries(SubjectRows{Rows: []int64{-1}}), false},
		"both":          {entries(kept, SubjectRows{Rows: []int64{99}}), false},
		"too many kept": {entries(kept, SubjectRows{Kept: true, Rows: []int64{5}}), false},
	} {
		if err := CheckSubjects(f, c.entries); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkSubjectIndex(b *testing.B) {
	for _, zipf := range []bool{false, true} {
		for _, rows := range []int{1_000_000, 5_000_000} {
			name := fmt.Sprintf("%s/%dM", map[bool]string{false: "uniform", true: "zipf"}[zipf], rows/1e6)
			b.Run(name, func(b *testing.B) {
				accounts := NewAccounts(testKey.NewReferrer())
				mentions := makeMentions(accounts, rows, 200_000, zipf)
				seen := make(map[Account]bool)
				for _, m := range mentions {
					seen[m.account] = true
				}
				w := NewSubjectIndexWriter(&countingWriter{}, accounts, testMeta())
				var written Written
				runtime.GC()
				b.ReportAllocs()
				began := cpuTime(b)
				for b.Loop() {
					w.Reset(&countingWriter{}, accounts, testMeta())
					written = addAll(b, w, mentions)
				}
				b.ReportMetric(float64(cpuTime(b)-began)/float64(int64(b.N)*written.Rows), "cpu-ns/pair")
				b.ReportMetric(float64(written.Bytes)/float64(written.Rows), "bytes/pair")
				b.ReportMetric(float64(written.Bytes)/float64(3*written.Rows+24*int64(len(seen))), "of-limit")
			})
		}
	}
}

// TestNames compares who an index names with what was added to it.
func TestNames(t *testing.T) {
	accounts := NewAccounts(testKey.NewReferrer())
	mentions := makeMentions(accounts, 500, 90, false)
	var file bytes.Buffer
	addAll(t, NewSubjectIndexWriter(&file, accounts, testMeta()), mentions)
	x, err := OpenSubjectIndex(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64]uint16{}
	var refs []Ref
	for e, err := range x.All() {
		if err != nil {
			t.Fatal(err)
		}
		for _, role := range e.Roles {
			want[e.Ref.Key()] |= 1 << slices.Index(testMeta().Roles, role)
		}
		refs = append(refs, e.Ref)
	}
	got, err := x.Names()
	if err != nil || len(got) != len(want) || len(got) < 50 {
		t.Fatalf("%d names, want %d: %v", len(got), len(want), err)
	}
	for _, n := range got {
		if want[n.Key] != n.Roles {
			t.Errorf("%x: roles %b, want %b", n.Key, n.Roles, want[n.Key])
		}
	}
	var strangers []Ref
	for i := range 200 {
		strangers = append(strangers, Ref{0xff, byte(i)})
	}
	for _, c := range []struct {
		refs []Ref
		want bool
	}{{nil, false}, {refs[:1], true}, {strangers[:5], false}, {strangers, false}, {append(strangers, refs[7]), true}} {
		if got, err := x.NamedBy(c.refs); err != nil || slices.Contains(got, true) != c.want {
			t.Errorf("one of %d: %v, %v", len(c.refs), got, err)
		}
	}
}

// TestSubjectIndexRuns: rows that are told of together make the same file as one by one, also where an account has more of them than an
// entry, and labels that have no place beside a distance.
func TestSubjectIndexRuns(t *testing.T) {
	meta := testMeta()
	meta.Roles = []string{"a", "b", "c", "d", "e", "f"}
	rng := rand.New(rand.NewPCG(9, 9))
	var alone, together bytes.Buffer
	accounts := NewAccounts(testKey.NewReferrer())
	x, y := NewSubjectIndexWriter(&alone, accounts, meta), NewSubjectIndexWriter(&together, accounts, meta)
	row, most := int64(0), 0
	for range 3000 {
		var named []NamedAs
		for range rng.IntN(4) {
			named = append(named, NamedAs{accounts.Account(fmt.Appendf(nil, "%d", rng.IntN(20))), uint8(rng.IntN(6))})
		}
		n, kept := []int{1, 1, 2, 3, 200, 70_000}[rng.IntN(5+rng.IntN(50)/49)], rng.IntN(2) == 0
		most = max(most, n)
		for i := range n {
			if err := x.Add(row+int64(i), 1, named, kept); err != nil {
				t.Fatal(err)
			}
		}
		if err := y.Add(row, n, named, kept); err != nil {
			t.Fatal(err)
		}
		row += int64(n) + int64(rng.IntN(3))
	}
	for _, w := range []*SubjectIndexWriter{x, y} {
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(alone.Bytes(), together.Bytes()) || most <= entryRows {
		t.Fatalf("%d bytes one by one, %d together; the longest run has %d rows", alone.Len(), together.Len(), most)
	}
}
