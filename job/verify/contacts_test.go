package verify

import (
	"maps"
	"os"
	"strings"
	"testing"

	"assent/job/internal/transform/redact"
)

func allKinds() []string { return redact.Names() }

// FuzzContacts holds that what the run redacts leaves nothing that the audit finds, and differs from the input as the audit expects:
// both have rules of their own.
func FuzzContacts(f *testing.F) {
	examples, err := os.ReadFile("../internal/transform/redact/testdata/disguised.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(examples)) {
		_, text, _ := strings.Cut(strings.NewReplacer("⟦", "", "⟧", "").Replace(line), "\t")
		f.Add([]byte(text), uint8(15))
	}
	for _, text := range []string{"a@b.com", "www.a.com", "x+14155550132 +14155550132", "https://a@b.com/c", "skype: @anna_w live:.cid.0123456789ab", "[email] a@b.com [x]"} {
		f.Add([]byte(text), uint8(15))
		f.Add([]byte(text), uint8(1))
	}
	all := redact.New(redact.Email, redact.Phone, redact.Link, redact.Handle)
	some := map[uint8]*redact.Redactor{15: all}
	c := newContacts()
	f.Fuzz(func(t *testing.T, text []byte, which uint8) {
		which %= 16
		var names []string
		var kinds []redact.Kind
		for k, name := range redact.Names() {
			if which&(1<<k) != 0 {
				names, kinds = append(names, name), append(kinds, redact.Kind(k))
			}
		}
		if some[which] == nil {
			some[which] = redact.New(kinds...)
		}
		var n redact.Counts
		out := some[which].Append(nil, text, &n)
		if kind := c.left(names, out); kind != "" {
			t.Fatalf("%q: redacted as %q, which has a detail left: %s", text, out, kind)
		}
		numbers, ok := redactedFrom(names, text, out)
		if !ok {
			t.Fatalf("%q: %q is not taken for it, redacted", text, out)
		}
		if _, had := firstToken(redact.Names(), text); had != "" {
			return
		}
		want := map[string]int64{}
		for k, name := range redact.Names() {
			if n[k] > 0 {
				want[name] = n[k]
			}
		}
		if !maps.Equal(numbers, want) {
			t.Fatalf("%q: %v replaced, %v found in %q", text, want, numbers, out)
		}
	})
}

// TestContacts: what the audit looks for.
func TestContacts(t *testing.T) {
	c := newContacts()
	for text, want := range map[string]string{
		"":                                  "",
		"nothing here, 3.14, v1.2.3 a@b":    "",
		"write to anna@example.com":         "email",
		"git@github.com:a/b":                "",
		"call +14155550132.":                "",
		"call +14155550132":                 "phone",
		"see http://a":                      "link",
		"(www.example.com)":                 "link",
		"Skype: @anna_w":                    "handle",
		"[email] [phone] [link] [handle]":   "",
		"skype: [handle], +49 171 and more": "",
	} {
		if got := c.left(allKinds(), []byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestRedactedFrom(t *testing.T) {
	for _, tt := range []struct {
		was, is string
		ok      bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a x b", "a [email] b", true},
		{"a x b", "a [email] c", false},
		{"a x b", "a [phone] b [email]", false},
		{"a  b", "a [email] b", false},
		{"x", "[email]", true},
		{"", "[email]", false},
		{"x y", "[email] [phone]", true},
		{"x, y, z", "[email], y, [phone]", true},
		{"x, y, z", "[email], q, [phone]", false},
		{"x [email] z", "x [email] z", true},
	} {
		if _, ok := redactedFrom(allKinds(), []byte(tt.was), []byte(tt.is)); ok != tt.ok {
			t.Errorf("%q from %q: %v", tt.is, tt.was, ok)
		}
	}
}

// TestAlike: a bound that was shortened and rounded up may differ from its value in several bytes.
func TestAlike(t *testing.T) {
	for _, tt := range []struct {
		value, bound string
		want         bool
	}{
		{"abc", "abc", true},
		{"abcd", "abc", true},
		{"abcd", "abd", true},
		{"abcd", "abe", false},
		{"тп и так", "тр", true},
		{"тп и так", "тс", false},
		{"a\u07ff b", "a\u0800", true},
		{"a\ud7ff b", "a\ue000", true},
		{"a\U0010ffff b", "b", true},
		{"тп", "т", true},
		{"п", "qр", false},
	} {
		if got := alike([]byte(tt.value), []byte(tt.bound), true); got != tt.want {
			t.Errorf("%q, bound %q: %v", tt.value, tt.bound, got)
		}
	}
}
