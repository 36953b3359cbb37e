package receipt_test

import (
	"strings"
	"testing"
	"time"

	"assent/job/internal/receipt"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	day, err := time.Parse(time.DateTime, text)
	if err != nil {
		t.Fatal(err)
	}
	return day
}

func TestDue(t *testing.T) {
	for requested, want := range map[string]string{
		"2026-11-02 10:00:00": "2026-12-02",
		"2026-01-31 23:59:59": "2026-02-28",
		"2028-01-31 00:00:00": "2028-02-29",
		"2026-12-31 00:00:00": "2027-01-31",
		"2026-02-28 00:00:00": "2026-03-28",
		"2026-05-31 00:00:00": "2026-06-30",
	} {
		if got := receipt.Due(at(t, requested)).Format(time.DateOnly); got != want {
			t.Errorf("%s: %s, want %s", requested, got, want)
		}
	}
}

// TestPage checks that the page tells a late answer from one in time, and escapes.
func TestPage(t *testing.T) {
	early, late := at(t, "2026-11-02 10:00:00"), at(t, "2026-10-01 10:00:00")
	p := &receipt.Page{
		Title: "Receipt", Lead: "Done.", Done: at(t, "2026-11-03 11:00:00"), SHA256: "abc",
		Requests: []receipt.Request{{ID: "<b>r1", At: &early}, {At: &late}, {ID: "r3"}},
		Facts:    []receipt.Fact{{Name: "Run", Value: "a\u202eb", ID: true}},
		Tables:   []receipt.Table{{Heading: "Files", Header: []string{"file", "bytes"}, Rows: [][]string{{"a", "1"}}, Numbers: 1}},
	}
	data, err := p.HTML()
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for _, want := range []string{
		"&lt;b&gt;r1", "<td>1 day</td><td>2 December 2026</td>", `<td class="late">33 days</td><td>1 November 2026</td>`, "its time is not known",
		`<td class="number">1</td>`, `a\u202eb`, "default-src &#39;none&#39;",
	} {
		if !strings.Contains(page, want) && !strings.Contains(page, strings.ReplaceAll(want, "&#39;", "'")) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
}
