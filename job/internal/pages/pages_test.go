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

// TestHTML checks that the style is not escaped, that what is written is, and that no
// page goes without the policy.
func TestHTML(t *testing.T) {
	text := `{{template "head" .}}<p>{{list .}}</p>{{define "title"}}about {{list .}}{{end}}{{define "style"}}i { color: red; }{{end}}`
	html, err := New("x", text, nil).HTML([]string{"<b>", "\x1b[31m", "\u202e"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"Segoe UI"`, "i { color: red; }", `<p>&lt;b&gt;, \x1b[31m and \u202e</p>`, `<title>about &lt;b&gt;, \x1b[31m and \u202e</title>`,
		`<meta http-equiv="Content-Security-Policy" content="default-src 'none';`,
	} {
		if !strings.Contains(string(html), want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(string(html), "ZgotmplZ") {
		t.Errorf("%s", html)
	}
}
