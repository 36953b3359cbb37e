package manifests

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"assent/schema"
)

func testDaily() []DayCounts {
	day := func(s string) schema.Day {
		d, err := schema.ParseDay(s)
		if err != nil {
			panic(err)
		}
		return d
	}
	return []DayCounts{
		{"messages", DaysBefore, 0, ReasonCounts{schema.DeletionRequested: 1}},
		{"messages", day("2026-01-05"), 6, ReasonCounts{}},
		{"messages", day("2026-02-01"), 0, ReasonCounts{schema.PartyOptedOut: 2}},
		{"messages", DayUnknown, 0, ReasonCounts{schema.PartyOptedOut: 1}},
	}
}

const testDailyText = `dataset,day,records,kept,deletion_requested,party_unknown,moment_unknown,before_program,after_horizon,contract_restricted,opted_out
messages,before,1,0,1,0,0,0,0,0,0
messages,2026-01-05,6,6,0,0,0,0,0,0,0
messages,2026-02-01,2,0,0,0,0,0,0,0,2
messages,unknown,1,0,0,0,0,0,0,0,1
`

func TestDaily(t *testing.T) {
	data, err := MarshalDaily(testDaily())
	if err != nil || string(data) != testDailyText {
		t.Fatalf("%v, %s", err, data)
	}
	daily, err := ParseDaily(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckDaily(testRun(), daily); err != nil {
		t.Error(err)
	}
	if again, err := MarshalDaily(daily); err != nil || !bytes.Equal(again, data) {
		t.Errorf("%v, %s", err, again)
	}
	quoted := []DayCounts{{`a "strange", name`, 0, 1, ReasonCounts{}}}
	if data, err = MarshalDaily(quoted); err != nil {
		t.Fatal(err)
	}
	if daily, err = ParseDaily(data); err != nil || len(daily) != 1 || daily[0] != quoted[0] {
		t.Errorf("%v, %v", daily, err)
	}
	if empty, err := MarshalDaily(nil); err != nil {
		t.Error(err)
	} else if daily, err = ParseDaily(empty); err != nil || len(daily) != 0 {
		t.Errorf("%v, %v", daily, err)
	}
}

// TestDailyReasons checks that a later reason has a column, of its own, where it occurs.
func TestDailyReasons(t *testing.T) {
	for _, r := range schema.AllReasons() {
		want := []DayCounts{{"messages", 20500, 3, ReasonCounts{}}, {"messages", 20501, 0, countOf(r)}}
		data, err := MarshalDaily(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseDaily(data); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", r, got, err)
		}
		header, _, _ := strings.Cut(string(data), "\n")
		columns := 4 + schema.FirstReasons
		if r >= schema.FirstReasons {
			columns++
		}
		if got := len(strings.Split(header, ",")); got != columns || !strings.Contains(header, ","+r.String()) {
			t.Errorf("%s: %s", r, header)
		}
	}
}

func TestDailyRefuses(t *testing.T) {
	for name, c := range map[string]struct{ old, new string }{
		"empty":           {testDailyText, ""},
		"header":          {"records,", "rows,"},
		"column missing":  {",0,0,2\n", ",0,2\n"},
		"unknown reason":  {"opted_out\n", "opted_in\n"},
		"reason twice":    {"moment_unknown", "party_unknown"},
		"reasons' order":  {"moment_unknown,before_program", "before_program,moment_unknown"},
		"reason missing":  {",deletion_requested", ""},
		"sum":             {"6,6,0", "7,6,0"},
		"sign":            {"1,0,1,0", "0,-1,1,0"},
		"form of numbers": {"6,6,0", "06,6,0"},
		"form of lines":   {"0\n", "0\r\n"},
		"quotes":          {"messages,before", `"messages",before`},
		"end":             {"0,1\n", "0,1"},
		"day":             {"2026-01-05", "2026-01-35"},
		"form of days":    {"2026-01-05", "2026-1-5"},
		"word":            {"before", "whenever"},
		"order":           {"before", "after"},
		"twice":           {"2026-02-01", "2026-01-05"},
		"kept before":     {"before,1,0,1", "before,1,1,0"},
		"no records":      {"2026-01-05,6,6", "2026-01-05,0,0"},
		"overflow":        {"6,6,0", "9223372036854775807,9223372036854775807,0"},
		"no number":       {"6,6,0", "6,6,x"},
	} {
		text := strings.Replace(testDailyText, c.old, c.new, 1)
		if text == testDailyText {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, err := ParseDaily([]byte(text)); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(d []DayCounts) []DayCounts{
		"sum":            func(d []DayCounts) []DayCounts { d[1].Kept++; return d },
		"reason":         func(d []DayCounts) []DayCounts { d[2].Excluded[0]++; d[2].Excluded[6]--; return d },
		"missing":        func(d []DayCounts) []DayCounts { return d[1:] },
		"other data set": func(d []DayCounts) []DayCounts { d[3].Dataset = "others"; return d },
		"too early":      func(d []DayCounts) []DayCounts { d[1].Day = 0; return d },
		"too late":       func(d []DayCounts) []DayCounts { d[2].Day += 365; return d },
		"order":          func(d []DayCounts) []DayCounts { d[0], d[1] = d[1], d[0]; return d },
	} {
		if err := CheckDaily(testRun(), change(testDaily())); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
}

func FuzzDaily(f *testing.F) {
	f.Add([]byte(testDailyText))
	f.Add([]byte(strings.ReplaceAll(testDailyText, "messages", `"a, b"`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		daily, err := ParseDaily(data)
		if err != nil {
			return
		}
		if again, err := MarshalDaily(daily); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%v, %q", err, again)
		}
	})
}
