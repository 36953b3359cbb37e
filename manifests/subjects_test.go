package manifests

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// mention is a call of Add.
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
	for _, m := range mentions {
		if err := w.Add(m.account, m.row, m.role, m.kept); err != nil {
			tb.Fatal(err)
		}
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
