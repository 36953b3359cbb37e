package manifests

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	column "assent/job/parquet"
	"assent/schema"
)

var testKey = Key{1, 2, 3}

func testMeta() Meta {
	return Meta{Dataset: "messages", Source: "day=1/part-0.parquet", Roles: []string{"freelancer", "client", "sender"}}
}

type countingWriter struct{ n int64 }

func (c *countingWriter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

// excluded are made-up exclusions: mostly opt-outs, of accounts drawn by Zipf's law or
// evenly.
type excluded struct {
	id       []byte
	row      int64
	reasons  schema.Reasons
	moment   schema.Instant
	subjects []Subject
	request  string
}

func makeExcluded(accounts *Accounts, n, population int, zipf bool) []excluded {
	rng := rand.New(rand.NewPCG(1, 2))
	z := rand.NewZipf(rng, 1.1, 10, uint64(population-1))
	ids := make([]Account, population)
	since := make([]schema.Instant, population)
	for i := range ids {
		ids[i] = accounts.Account(fmt.Appendf(nil, "account-%d", i))
		since[i] = schema.FromMicros(1_767_571_200_000_000 + rng.Int64N(20_000_000_000_000))
	}
	draw := func() uint64 {
		if zipf {
			return z.Uint64()
		}
		return rng.Uint64N(uint64(population))
	}
	out := make([]excluded, n)
	row := int64(-1)
	for i := range out {
		e := &out[i]
		row += 1 + rng.Int64N(4)
		a, b := draw(), draw()
		a -= a % 7 // one account in seven is out
		e.id = fmt.Appendf(nil, "%08x-%04x-4%03x-%04x-%012x", rng.Uint32(), rng.Uint32()&0xffff, rng.Uint32()&0xfff, rng.Uint32()&0xffff, rng.Uint64()&(1<<48-1))
		e.row = row
		e.reasons = schema.PartyOptedOut.Set()
		e.moment = since[a] + schema.Instant(rng.Int64N(1e6)*1e9)
		e.subjects = []Subject{
			{Account: ids[a], Role: 0, Cause: CauseOptedOut, Since: since[a]},
			{Account: ids[b], Role: 1, Since: schema.Unknown},
			{Account: ids[a], Role: 2, Since: schema.Unknown},
		}
		switch rng.IntN(30) {
		case 0:
			e.reasons |= schema.DeletionRequested.Set()
			e.subjects[1].Cause, e.subjects[1].Since = CauseDeletionRequested, since[b]
			e.request = fmt.Sprintf("request-%d", b)
		case 1:
			e.reasons = schema.PartyUnknown.Set()
			e.subjects[0] = Subject{Account: NoAccount, Cause: CausePartyUnknown, Since: schema.Unknown}
		case 2:
			e.reasons, e.moment = schema.MomentUnknown.Set(), schema.Unknown
			e.subjects[0].Cause, e.subjects[0].Since = NoCause, schema.Unknown
		case 3:
			e.subjects = nil
		}
	}
	return out
}

// appendRow appends one row.
func appendRow(w *ExclusionWriter, id []byte, row int64, reasons schema.Reasons, moment schema.Instant, subjects []Subject, request string) error {
	return w.Append(&Excluded{
		Row: row, IDs: column.Bytes{Data: id, Ends: []uint32{uint32(len(id))}}, Reasons: reasons,
		Moments: []schema.Instant{moment}, Subjects: subjects, Request: request,
	})
}

func appendAll(tb testing.TB, w *ExclusionWriter, rows []excluded) Written {
	for i := range rows {
		e := &rows[i]
		if err := appendRow(w, e.id, e.row, e.reasons, e.moment, e.subjects, e.request); err != nil {
			tb.Fatal(err)
		}
	}
	written, err := w.Close()
	if err != nil {
		tb.Fatal(err)
	}
	return written
}

// plainExclusion is the contract's table, read by parquet-go's reflection.
type plainExclusion struct {
	RecordID   string   `parquet:"record_id"`
	SourceFile string   `parquet:"source_file"`
	SourceRow  int64    `parquet:"source_row"`
	Reason     string   `parquet:"reason"`
	Reasons    []string `parquet:"reasons,list"`
	Moment     *int64   `parquet:"moment,optional,timestamp(nanosecond)"`
	Subjects   []struct {
		Ref   string  `parquet:"ref"`
		Role  string  `parquet:"role"`
		Cause *string `parquet:"cause,optional"`
		Since *int64  `parquet:"since,optional,timestamp(nanosecond)"`
	} `parquet:"subjects,list"`
	RequestID *string `parquet:"request_id,optional"`
}

func TestExclusionsByParquetGo(t *testing.T) {
	accounts := NewAccounts(testKey.NewReferrer())
	rows := makeExcluded(accounts, 150_000, 20_000, true)
	var file bytes.Buffer
	written := appendAll(t, NewExclusionWriter(&file, accounts, testMeta()), rows)
	if written.Bytes != int64(file.Len()) || written.Rows != int64(len(rows)) {
		t.Fatalf("written %+v, have %d bytes, %d rows", written, file.Len(), len(rows))
	}
	got, err := parquet.Read[plainExclusion](bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(rows) {
		t.Fatalf("%d rows read, %d written", len(got), len(rows))
	}
	for i := range rows {
		if want, got := describe(accounts, &rows[i]), describePlain(&got[i]); want != got {
			t.Fatalf("row %d:\nwant %s\ngot  %s", i, want, got)
		}
	}
}

func TestExclusionsRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 1000, groupRows + 1} {
		accounts := NewAccounts(testKey.NewReferrer())
		rows := makeExcluded(accounts, n, 5_000, false)
		var file bytes.Buffer
		appendAll(t, NewExclusionWriter(&file, accounts, testMeta()), rows)
		x := openExclusions(t, file.Bytes())
		if got, want := x.Meta(), testMeta(); !reflect.DeepEqual(got, want) {
			t.Fatalf("meta %+v, want %+v", got, want)
		}
		if x.NumRows() != int64(n) {
			t.Fatalf("%d rows, want %d", x.NumRows(), n)
		}
		f := File{Source: testMeta().Source, RowsIn: int64(4*n + 1)}
		i := 0
		for e, err := range x.All() {
			if err != nil {
				t.Fatal(err)
			}
			if want, got := describe(accounts, &rows[i]), describeRead(&e); want != got {
				t.Fatalf("row %d:\nwant %s\ngot  %s", i, want, got)
			}
			f.ExcludedByReason[e.Reason]++
			i++
		}
		if i != n {
			t.Fatalf("%d rows read, want %d", i, n)
		}
		if err := CheckExclusions(&f, x.All()); err != nil {
			t.Fatal(err)
		}
		f.ExcludedByReason[schema.PartyOptedOut]++
		if err := CheckExclusions(&f, x.All()); err == nil {
			t.Fatal("a wrong count passes")
		}
	}
}

// TestExclusionsAt: rows that are picked are those that All yields, and few bytes are
// read for them.
func TestExclusionsAt(t *testing.T) {
	accounts := NewAccounts(testKey.NewReferrer())
	rows := makeExcluded(accounts, 2*groupRows+5, 5_000, true)
	var file bytes.Buffer
	appendAll(t, NewExclusionWriter(&file, accounts, testMeta()), rows)
	x := openExclusions(t, file.Bytes())
	i := 0
	for row, err := range x.SourceRows() {
		if err != nil || row != rows[i].row {
			t.Fatalf("number %d: row %d, %v, want %d", i, row, err, rows[i].row)
		}
		i++
	}
	if i != len(rows) {
		t.Fatalf("%d source rows, want %d", i, len(rows))
	}
	last := int64(len(rows) - 1)
	for _, numbers := range [][]int64{nil, {0}, {last}, {0, 1, 2}, {groupRows - 1, groupRows}, {16_383, 16_384, 16_385, 100_000, 2 * groupRows, last}} {
		i := 0
		for e, err := range x.At(numbers) {
			if err != nil {
				t.Fatal(err)
			}
			if want, got := describe(accounts, &rows[numbers[i]]), describeRead(&e); want != got {
				t.Fatalf("number %d:\nwant %s\ngot  %s", numbers[i], want, got)
			}
			i++
		}
		if i != len(numbers) {
			t.Errorf("%v: %d rows", numbers, i)
		}
	}
	for _, numbers := range [][]int64{{last + 1}, {-1}, {3, last + 1}} {
		var err error
		for _, e := range x.At(numbers) {
			err = e
		}
		if !errors.Is(err, ErrManifest) {
			t.Errorf("%v: %v", numbers, err)
		}
	}
	r := &countingReader{ReaderAt: bytes.NewReader(file.Bytes())}
	few, err := OpenExclusions(r, int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range few.At([]int64{70_000}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if 3*r.bytes > file.Len() {
		t.Errorf("%d of %d bytes are read for one row", r.bytes, file.Len())
	}
}

func openExclusions(t testing.TB, file []byte) *Exclusions {
	x, err := OpenExclusions(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestExclusionsSameBytes: bytes depend on neither the hash seed nor what the writer
// wrote before.
func TestExclusionsSameBytes(t *testing.T) {
	write := func(w *ExclusionWriter) [32]byte {
		var file bytes.Buffer
		accounts := NewAccounts(testKey.NewReferrer())
		rows := makeExcluded(accounts, 150_000, 5_000, true)
		if w == nil {
			w = NewExclusionWriter(&file, accounts, testMeta())
		} else {
			w.Reset(&file, accounts, testMeta())
		}
		appendAll(t, w, rows)
		return sha256.Sum256(file.Bytes())
	}
	accounts := NewAccounts(testKey.NewReferrer())
	used := NewExclusionWriter(io.Discard, accounts, testMeta())
	appendAll(t, used, makeExcluded(accounts, 1000, 100, false))
	first := write(nil)
	if first != write(nil) || first != write(used) {
		t.Fatal("bytes differ")
	}
}

// TestExclusionsRuns: rows that are told of together make the same file as one by one, also where pages and row groups end amid them.
func TestExclusionsRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	accounts := NewAccounts(testKey.NewReferrer())
	var alone, together bytes.Buffer
	x, y := NewExclusionWriter(&alone, accounts, testMeta()), NewExclusionWriter(&together, accounts, testMeta())
	row, cuts := int64(0), 0
	for i := range 400 {
		e := Excluded{Row: row, Reasons: schema.Reasons(1 + rng.IntN(1<<schema.NumReasons-1)), Request: []string{"", "", "a", "b"}[rng.IntN(4)]}
		for range rng.IntN(4) {
			e.Subjects = append(e.Subjects, Subject{
				Account: accounts.Account(fmt.Appendf(nil, "%d", rng.IntN(20))), Role: uint8(rng.IntN(3)), Cause: Cause(rng.IntN(4)),
				Since: []schema.Instant{schema.Unknown, 5, schema.Instant(rng.IntN(1000))}[rng.IntN(3)],
			})
		}
		if i%40 == 0 { // more subjects than a page takes
			e.Subjects = slices.Repeat(e.Subjects, 40)
		}
		n := []int{1, 1, 2, 3, 100}[rng.IntN(5)]
		if i%100 == 50 {
			n = 40_000
		}
		for range n {
			id := fmt.Appendf(nil, "%d\xc3\xa9", rng.Uint64()>>rng.IntN(64))
			if rng.IntN(1000) == 0 {
				id = bytes.Repeat([]byte{0xff, 'a'}, 40_000)
			}
			id = id[:rng.IntN(len(id))+1] // some end within a character
			e.IDs.Data = append(e.IDs.Data, id...)
			e.IDs.Ends = append(e.IDs.Ends, uint32(len(e.IDs.Data)))
			e.Moments = append(e.Moments, []schema.Instant{schema.Unknown, 7, 8}[rng.IntN(3)])
		}
		for j, m := range e.Moments {
			if err := appendRow(x, e.IDs.At(j), row+int64(j), e.Reasons, m, e.Subjects, e.Request); err != nil {
				t.Fatal(err)
			}
		}
		if err := y.Append(&e); err != nil {
			t.Fatal(err)
		}
		cuts = max(cuts, len(y.cuts))
		row += int64(len(e.Moments) + rng.IntN(2))
	}
	for _, w := range []*ExclusionWriter{x, y} {
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(alone.Bytes(), together.Bytes()) || cuts < 3 || y.file.NumGroups() < 2 {
		t.Fatalf("%d bytes one by one, %d together; %d row groups", alone.Len(), together.Len(), y.file.NumGroups())
	}
}

// TestExclusionsTrimmed: accounts may be forgotten between two rows.
func TestExclusionsTrimmed(t *testing.T) {
	accounts := NewAccounts(testKey.NewReferrer())
	var file bytes.Buffer
	w := NewExclusionWriter(&file, accounts, testMeta())
	refs := map[string]bool{}
	for row := range int64(100) {
		if row%10 == 0 {
			accounts.Reset()
		}
		a := accounts.Account(fmt.Appendf(nil, "account-%d", row%7))
		refs[accounts.Ref(a).String()] = true
		if err := appendRow(w, nil, row, schema.PartyOptedOut.Set(), 1, []Subject{{Account: a, Cause: CauseOptedOut, Since: schema.Unknown}}, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for e, err := range openExclusions(t, file.Bytes()).All() {
		if err != nil {
			t.Fatal(err)
		}
		got[e.Subjects[0].Ref.String()] = true
	}
	if !maps.Equal(got, refs) || len(refs) != 7 {
		t.Fatalf("%d references, want %d", len(got), len(refs))
	}
}

func TestExclusionsRefuses(t *testing.T) {
	accounts := NewAccounts(testKey.NewReferrer())
	a := accounts.Account([]byte("a"))
	out := schema.PartyOptedOut.Set()
	for name, write := range map[string]func(w *ExclusionWriter) error{
		"row twice":      func(w *ExclusionWriter) error { return appendRow(w, nil, 5, out, 1, nil, "") },
		"row before":     func(w *ExclusionWriter) error { return appendRow(w, nil, 4, out, 1, nil, "") },
		"no reason":      func(w *ExclusionWriter) error { return appendRow(w, nil, 6, 0, 1, nil, "") },
		"unknown reason": func(w *ExclusionWriter) error { return appendRow(w, nil, 6, 1<<schema.NumReasons, 1, nil, "") },
		"unknown role": func(w *ExclusionWriter) error {
			return appendRow(w, nil, 6, out, 1, []Subject{{Account: a, Role: 3}}, "")
		},
		"unknown cause": func(w *ExclusionWriter) error {
			return appendRow(w, nil, 6, out, 1, []Subject{{Account: a, Cause: 4}}, "")
		},
		"unknown account": func(w *ExclusionWriter) error { return appendRow(w, nil, 6, out, 1, []Subject{{Account: a + 1}}, "") },
	} {
		w := NewExclusionWriter(io.Discard, accounts, testMeta())
		if err := appendRow(w, nil, 5, out, 1, []Subject{{Account: a, Since: schema.Unknown}}, ""); err != nil {
			t.Fatal(err)
		}
		if err := write(w); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := w.Close(); err == nil {
			t.Errorf("%s: the file is closed as if nothing had been", name)
		}
	}
	meta := testMeta()
	meta.Roles = make([]string, MaxRoles+1)
	if _, err := NewExclusionWriter(io.Discard, accounts, meta).Close(); err == nil {
		t.Error("too many roles: no error")
	}
}

// TestExclusionsReasons writes every set of reasons, those of the first reasons alone in a
// row group before the others, and reads them back.
func TestExclusionsReasons(t *testing.T) {
	accounts := NewAccounts(testKey.NewReferrer())
	var file bytes.Buffer
	w := NewExclusionWriter(&file, accounts, testMeta())
	const all = 1<<schema.NumReasons - 1
	for set := schema.Reasons(1); set <= all; set++ {
		if err := appendRow(w, nil, int64(set), set, 1, nil, ""); err != nil {
			t.Fatal(err)
		}
		if set == 1<<schema.FirstReasons-1 {
			if err := w.flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	set := schema.Reasons(0)
	for e, err := range openExclusions(t, file.Bytes()).All() {
		if set++; err != nil || e.Reason != set.Primary() || schema.ReasonsOf(e.Reasons...) != set {
			t.Fatalf("got %s of %v, %v, want %v", e.Reason, e.Reasons, err, set.Strings())
		}
	}
	if set != all {
		t.Errorf("%d exclusions, want %d", set, all)
	}
}

// TestCauses checks that each reason that accounts are the cause of has its cause, and
// that no other has one.
func TestCauses(t *testing.T) {
	seen := map[Cause]bool{}
	for _, r := range schema.AllReasons() {
		c := CauseOf(r.Set())
		if schema.AccountReasons().Has(r) != (c != NoCause) || seen[c] && c != NoCause {
			t.Errorf("%s: its cause is %q", r, c)
		}
		if seen[c] = true; c != NoCause && (c.reason() != r || c.String() != r.String()) {
			t.Errorf("%s: its cause %q is of %s", r, c, c.reason())
		}
	}
	for c, want := range map[Cause]schema.Reason{CauseOptedOut: schema.PartyOptedOut, CauseDeletionRequested: schema.DeletionRequested, CausePartyUnknown: schema.PartyUnknown} {
		if c.reason() != want {
			t.Errorf("the cause %d is of %s, want %s", c, c.reason(), want)
		}
	}
	if c := CauseOf(0); c != NoCause {
		t.Errorf("no reason has the cause %s", c)
	}
}

func TestExclusionsText(t *testing.T) {
	accounts := NewAccounts(testKey.NewReferrer())
	var file bytes.Buffer
	w := NewExclusionWriter(&file, accounts, testMeta())
	ids := []string{"", "a\xffb", strings.Repeat("long", 1000), "ü"}
	for i, id := range ids {
		if err := appendRow(w, []byte(id), int64(i), schema.MomentUnknown.Set(), schema.Unknown, nil, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	ids[1] = "a\uFFFDb"
	i := 0
	for e, err := range openExclusions(t, file.Bytes()).All() {
		if err != nil || e.RecordID != ids[i] {
			t.Errorf("got %q, %v, want %q", e.RecordID, err, ids[i])
		}
		i++
	}
}

// failingWriter fails once it has taken some bytes.
type failingWriter struct{ left int }

var errFull = errors.New("disk full")

func (f *failingWriter) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return f.left, errFull
	}
	f.left -= len(p)
	return len(p), nil
}

func TestWritersPassErrorsOn(t *testing.T) {
	accounts := NewAccounts(testKey.NewReferrer())
	rows := makeExcluded(accounts, 200, 100, false)
	var size countingWriter
	appendAll(t, NewExclusionWriter(&size, accounts, testMeta()), rows)
	for left := 0; left < int(size.n); left += 37 {
		w := NewExclusionWriter(&failingWriter{left}, accounts, testMeta())
		for i := range rows {
			e := &rows[i]
			appendRow(w, e.id, e.row, e.reasons, e.moment, e.subjects, e.request)
		}
		if _, err := w.Close(); !errors.Is(err, errFull) {
			t.Fatalf("after %d bytes: %v", left, err)
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	accounts := NewAccounts(testKey.NewReferrer())
	rows := makeExcluded(accounts, 10_000, 100, false)
	w := NewExclusionWriter(io.Discard, accounts, testMeta())
	appendAll(t, w, rows) // buffers grow, requests get known
	w.Reset(io.Discard, accounts, testMeta())
	i := 0
	x := Excluded{IDs: column.Bytes{Ends: make([]uint32, 1)}, Moments: make([]schema.Instant, 1)}
	if n := testing.AllocsPerRun(len(rows)-2, func() {
		e := &rows[i]
		x.Row, x.Reasons, x.Subjects, x.Moments[0] = e.row, e.reasons, e.subjects, e.moment
		x.IDs.Data, x.IDs.Ends[0] = e.id, uint32(len(e.id))
		if err := w.Append(&x); err != nil {
			t.Fatal(err)
		}
		i++
	}); n > 0 {
		t.Errorf("%v allocations a row", n)
	}
}

func describeRead(e *Exclusion) string {
	codes := []string{}
	for _, r := range e.Reasons {
		codes = append(codes, r.String())
	}
	s := fmt.Sprintf("%s %s %d %s %s %d [", e.RecordID, e.SourceFile, e.SourceRow, e.Reason, codes, e.Moment)
	for _, x := range e.Subjects {
		s += fmt.Sprintf("{%s %s %s %d}", x.Ref, x.Role, x.Cause, x.Since)
	}
	return s + "] " + e.RequestID
}

func describe(accounts *Accounts, e *excluded) string {
	s := fmt.Sprintf("%s %s %d %s %s %d [", e.id, testMeta().Source, e.row, e.reasons.Primary(), e.reasons.Strings(), e.moment)
	for _, x := range e.subjects {
		s += fmt.Sprintf("{%s %s %s %d}", accounts.Ref(x.Account), testMeta().Roles[x.Role], x.Cause, x.Since)
	}
	return s + "] " + e.request
}

func describePlain(e *plainExclusion) string {
	or := func(p *int64) int64 {
		if p == nil {
			return int64(schema.Unknown)
		}
		return *p
	}
	str := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	s := fmt.Sprintf("%s %s %d %s %s %d [", e.RecordID, e.SourceFile, e.SourceRow, e.Reason, e.Reasons, or(e.Moment))
	for _, x := range e.Subjects {
		s += fmt.Sprintf("{%s %s %s %d}", x.Ref, x.Role, str(x.Cause), or(x.Since))
	}
	return s + "] " + str(e.RequestID)
}

// BenchmarkExclusions measures the CPU time of a row from arrays that are read in
// order, so that the memory of made-up rows is not what is measured.
func BenchmarkExclusions(b *testing.B) {
	for _, zipf := range []bool{false, true} {
		name := map[bool]string{false: "uniform", true: "zipf"}[zipf]
		b.Run(name, func(b *testing.B) {
			accounts := NewAccounts(testKey.NewReferrer())
			rows := makeExcluded(accounts, 1_000_000, 200_000, zipf)
			var ids []byte
			var flat []Subject
			for i := range rows {
				ids = append(ids, rows[i].id...)
				flat = append(flat, rows[i].subjects...)
				rows[i].id, rows[i].subjects = ids[len(ids)-len(rows[i].id):], flat[len(flat)-len(rows[i].subjects):]
			}
			at, from := 0, 0
			for i := range rows {
				n, m := len(rows[i].id), len(rows[i].subjects)
				rows[i].id, rows[i].subjects = ids[at:at+n], flat[from:from+m]
				at, from = at+n, from+m
			}
			w := NewExclusionWriter(&countingWriter{}, accounts, testMeta())
			appendAll(b, w, rows)
			runtime.GC()
			var written Written
			b.ReportAllocs()
			began := cpuTime(b)
			for b.Loop() {
				w.Reset(&countingWriter{}, accounts, testMeta())
				written = appendAll(b, w, rows)
			}
			b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N*len(rows)), "cpu-ns/row")
			b.ReportMetric(float64(written.Bytes)/float64(len(rows)), "bytes/row")
		})
	}
}
