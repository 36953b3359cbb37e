package schema

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

// exact is the instant that unit×v nanoseconds would be, in numbers that do not overflow.
func exact(v, unit int64) Instant {
	ns := new(big.Int).Mul(big.NewInt(v), big.NewInt(unit))
	if !ns.IsInt64() {
		if ns.Sign() > 0 {
			return Forever
		}
		return Earliest
	}
	return max(Instant(ns.Int64()), Earliest)
}

func TestInstantsSaturate(t *testing.T) {
	limits := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}
	for _, unit := range []int64{1, 1e3, 1e6, 1e9} {
		edge := math.MaxInt64 / unit
		for _, v := range append(limits, edge-1, edge, edge+1&math.MaxInt64, -edge-1, -edge, -edge+1) {
			var got Instant
			switch unit {
			case 1:
				got = FromNanos(v)
			case 1e3:
				got = FromMicros(v)
			case 1e6:
				got = FromMillis(v)
			case 1e9:
				got = FromSeconds(v)
			}
			if want := exact(v, unit); got != want {
				t.Errorf("%d × %d ns: %d, want %d", v, unit, got, want)
			}
		}
	}
	if got := FromTime(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)); got != Forever {
		t.Errorf("the year 9999: %v", got)
	}
	if got := FromTime(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)); got != Earliest {
		t.Errorf("the year 1: %v", got)
	}
	if got, want := FromTime(time.Unix(1e9, 5)), Instant(1e18+5); got != want {
		t.Errorf("FromTime: %d, want %d", got, want)
	}
}

func TestDays(t *testing.T) {
	for _, c := range []struct {
		at   string
		want string
	}{
		{"2026-01-05T00:00:00Z", "2026-01-05"}, {"2026-01-04T23:59:59.999999999Z", "2026-01-04"}, {"1970-01-01T00:00:00Z", "1970-01-01"},
		{"1969-12-31T23:59:59.999999999Z", "1969-12-31"}, {"1969-12-31T00:00:00Z", "1969-12-31"}, {"1969-12-30T23:59:59Z", "1969-12-30"},
		{"9999-12-31T00:00:00Z", "2262-04-11"}, {"0001-01-01T00:00:00Z", "1677-09-21"}, {"2028-02-29T12:00:00Z", "2028-02-29"},
	} {
		at, err := time.Parse(time.RFC3339Nano, c.at)
		if err != nil {
			t.Fatal(err)
		}
		day := FromTime(at).Day()
		back, err := ParseDay(day.String())
		if day.String() != c.want || err != nil || back != day {
			t.Errorf("%s: %s and %s, want %s, %v", c.at, day, back, c.want, err)
		}
	}
}

func int96(day int32, nanos int64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(nanos))
	return binary.LittleEndian.AppendUint32(b, uint32(day))
}

func TestInt96(t *testing.T) {
	for _, c := range []struct {
		day   int32
		nanos int64
		want  Instant
	}{
		{2440588, 0, 0},
		{2440589, 1, 86400e9 + 1},
		{2440587, 86400e9 - 1, -1},
		{math.MaxInt32, 0, Forever},
		{math.MaxInt32, math.MaxInt64, Forever},
		{math.MaxInt32, -1, Forever},
		{0, 0, Earliest},
		{0, math.MinInt64, Earliest},
		{2440588 + 106751, 85636854775807, Forever},
		{2440588 + 106751, 85636854775808, Forever},
		{2440588, math.MinInt64, Earliest},
	} {
		if got := FromInt96(int96(c.day, c.nanos)); got != c.want {
			t.Errorf("day %d, %d ns: %d, want %d", c.day, c.nanos, got, c.want)
		}
	}
}

func TestSpans(t *testing.T) {
	for _, c := range []struct {
		span Span
		at   Instant
		want bool
	}{
		{Span{10, 20}, 9, false}, {Span{10, 20}, 10, true}, {Span{10, 20}, 19, true}, {Span{10, 20}, 20, false},
		{Span{10, 10}, 10, false}, {Span{10, Forever}, Forever, true}, {Span{10, Forever}, 9, false},
	} {
		if got := c.span.Contains(c.at); got != c.want {
			t.Errorf("%v holds %v: %v", c.span, c.at, got)
		}
	}
}

func TestReasons(t *testing.T) {
	set := ReasonsOf(PartyOptedOut, DeletionRequested, AfterHorizon)
	if got := set.Strings(); !slices.Equal(got, []string{"deletion_requested", "after_horizon", "opted_out"}) {
		t.Error(got)
	}
	if set.Primary() != DeletionRequested || set.Kept() || !Reasons(0).Kept() {
		t.Error(set)
	}
	for _, r := range AllReasons() {
		if back, err := ParseReason(r.String()); err != nil || back != r {
			t.Errorf("%v: %v, %v", r, back, err)
		}
	}
	if len(AllReasons()) != NumReasons {
		t.Errorf("%d reasons", len(AllReasons()))
	}
}

// words checks that a table's texts are there, and each once: two rows with one text
// would tell people something false of one of them.
func words(t *testing.T, what string, texts ...string) {
	t.Helper()
	for i, text := range texts {
		if text == "" || slices.Contains(texts[:i], text) {
			t.Errorf("%s: row %d has %q", what, i, text)
		}
	}
}

func TestReasonWords(t *testing.T) {
	var codes, labels, sentences, toAccount []string
	for r, row := range reasonRows {
		codes, labels = append(codes, row.code), append(labels, row.label)
		sentences, toAccount = append(sentences, row.sentence), append(toAccount, row.toAccount)
		if row.origin < fromAccounts || row.origin > fromSource {
			t.Errorf("%s comes from nowhere", row.code)
		}
		for n, format := range row.accounts {
			if want := row.origin == fromAccounts; strings.Contains(format, "%s") != want {
				t.Errorf("%s: of %d accounts it says %q", row.code, n+1, format)
			}
		}
		if row.origin == fromAccounts {
			if got := Reason(r).SentenceOf("all of them", 7); !strings.Contains(got, "all of them") || strings.Contains(got, "%!") {
				t.Errorf("%s: %s", row.code, got)
			}
		}
	}
	words(t, "codes", codes...)
	words(t, "labels", labels...)
	words(t, "sentences", sentences...)
	words(t, "what accounts are told", toAccount...)
}

// TestReasonsFit puts each reason into a set and gets it back.
func TestReasonsFit(t *testing.T) {
	all := Reasons(0)
	for _, r := range AllReasons() {
		if r.Set().Primary() != r || all.Has(r) {
			t.Errorf("%s is another's bit, or none", r)
		}
		all |= r.Set()
	}
	if got := len(all.Strings()); got != NumReasons {
		t.Errorf("%d of %d reasons are in the set of all", got, NumReasons)
	}
}

func TestCategories(t *testing.T) {
	var titles, toAccount, names []string
	for _, c := range Categories() {
		if back, err := ParseCategory(c.String()); err != nil || back != c {
			t.Errorf("%s: %v, %v", c, back, err)
		}
		d := c.Canonical()
		titles, toAccount, names = append(titles, c.Title()), append(toAccount, c.ToAccount()), append(names, d.Name)
		if len(d.Parties) < c.Parties() || c.Parties() < 1 || d.Record == "" || len(d.Moments) == 0 {
			t.Errorf("%s: the canonical data set lacks something: %+v", c, d)
		}
		// What needs the consent of both sides is for these alone.
		if want := map[bool]string{true: "exclusive", false: "marketplace"}[c.Parties() > 1]; c.Audience() != want || c.AudienceSentence() == "" {
			t.Errorf("%s: audience %q, %q", c, c.Audience(), c.AudienceSentence())
		}
	}
	words(t, "codes", CategoryCodes()...)
	words(t, "titles", titles...)
	words(t, "what accounts are told", toAccount...)
	words(t, "canonical data sets", names...)
	if _, err := ParseCategory("other"); err == nil {
		t.Error("a category of no name is known")
	}
}

// TestNoSuchCategory checks that a value which is no category has no audience: above
// all not the wide one.
func TestNoSuchCategory(t *testing.T) {
	for _, c := range []Category{NumCategories, NumCategories + 1, 255} {
		func() {
			defer func() { _ = recover() }()
			t.Errorf("%s: audience %s", c, c.Audience())
		}()
	}
}

// TestAccountIDsNeverShow prints an account id in every way that comes to mind.
func TestAccountIDsNeverShow(t *testing.T) {
	id := AccountID("acct_zq9w")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "id", id, "many", []AccountID{id}, "in", struct{ ID AccountID }{id})
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "id", id, "many", []AccountID{id}, "in", struct{ ID AccountID }{id})
	data, err := json.Marshal(map[string]AccountID{"id": id})
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(data) + fmt.Sprint(id, []AccountID{id}, struct{ ID AccountID }{id}) +
		fmt.Sprintf("%s %v %+v %#v %q %x %d %10s", id, id, id, id, id, id, id, id) + fmt.Errorf("account %w %s", fmt.Errorf("%v", id), id).Error()
	for _, trace := range []string{"zq9w", "acct", fmt.Sprintf("%x", "acct")} {
		if strings.Contains(all, trace) {
			t.Errorf("%q shows in %s", trace, all)
		}
	}
}

func TestIDs(t *testing.T) {
	if got := string(AppendIntID(nil, -7)) + string(AppendUintID(nil, math.MaxUint64)); got != "-718446744073709551615" {
		t.Error(got)
	}
	uuid := []byte{0xF4, 0x7A, 0xC1, 0x0B, 0x58, 0xCC, 0x43, 0x72, 0xA5, 0x67, 0x0E, 0x02, 0xB2, 0xC3, 0xD4, 0x79}
	if got := string(AppendUUID(nil, uuid)); got != "f47ac10b-58cc-4372-a567-0e02b2c3d479" {
		t.Error(got)
	}
}
