package manifests

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/parquet-go/parquet-go"

	"assent/schema"
)

var testKey = Key{1, 2, 3}

func testMeta() Meta {
	return Meta{RunID: "20260601T000000Z-0123456789ab", Dataset: "messages", Source: "day=1/part-0.parquet", Roles: []string{"freelancer", "client", "sender"}}
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
			e.reasons, e.moment = schema.ReasonsOf(schema.MomentUnknown), schema.Unknown
		case 3:
			e.subjects = nil
		}
	}
	return out
}

func appendAll(tb testing.TB, w *ExclusionWriter, rows []excluded) Written {
	for i := range rows {
		e := &rows[i]
		if err := w.Append(e.id, e.row, e.reasons, e.moment, e.subjects, e.request); err != nil {
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
	rows := makeExcluded(accounts, 300_000, 20_000, true)
	var file bytes.Buffer
	written := appendAll(t, NewExclusionWriter(&file, accounts, testMeta()), rows)
	if written.Bytes != int64(file.Len()) || written.Rows != int64(len(rows)) {
		t.Fatalf("written %+v, have %d bytes, %d rows", written, file.Len(), len(rows))
	}
	f, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(f.Schema())
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
