package pages

import (
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	for n, want := range map[int64]string{0: "0 records", 1: "1 record", 999: "999 records", 1000: "1,000 records", 1234567: "1,234,567 records"} {
		if got := Count(n) + " " + Records(n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for want, words := range map[string][]string{"": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}} {
		if got := List(words); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestNew checks that the style is not escaped, and what is written is.
func TestNew(t *testing.T) {
	var b strings.Builder
	if err := New("x", `<style>{{style}}</style><p>{{list .}}</p>`, nil).Execute(&b, []string{"<b>"}); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, `"Segoe UI"`) || !strings.Contains(got, "<p>&lt;b&gt;</p>") || strings.Contains(got, "ZgotmplZ") {
		t.Error(got)
	}
}
