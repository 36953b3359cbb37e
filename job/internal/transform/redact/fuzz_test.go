package redact

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzAppend holds what must hold of every text, of which some bytes are the details' own characters.
func FuzzAppend(f *testing.F) {
	for i, e := range tunedOn(f) {
		f.Add([]byte(e.text), uint8(15))
		f.Add([]byte(strings.Repeat(e.text, 2)), uint8(1+i%15))
	}
	for _, pattern := range hostile() {
		f.Add([]byte(strings.Repeat(pattern, 5)), uint8(15))
	}
	f.Add([]byte("a\xff@b\xfe.com \xe2\x80 +1415\xc05550132"), uint8(15))
	rules := newRules()
	f.Fuzz(func(t *testing.T, text []byte, which uint8) {
		r := &Redactor{rules: rules}
		for k := range kinds {
			r.on[k] = which&(1<<k) != 0
		}
		checkProperties(t, r, text)
	})
}

func checkProperties(t *testing.T, r *Redactor, text []byte) {
	t.Helper()
	at := 0
	for _, s := range r.find(text) {
		if s.start < at || s.end <= s.start || s.end > len(text) || !r.on[s.kind] {
			t.Fatalf("%q: a detail %v", text, s)
		}
		at = s.end
	}
	var n, again Counts
	once := r.Append([]byte("before"), text, &n)
	if !bytes.HasPrefix(once, []byte("before")) {
		t.Fatalf("%q: what stood in dst is gone: %q", text, once)
	}
	once = once[len("before"):]
	if n.Total() == 0 && !bytes.Equal(once, text) {
		t.Fatalf("%q: no detail, yet %q", text, once)
	}
	if utf8.Valid(text) && !utf8.Valid(once) {
		t.Fatalf("%q: not UTF-8: %q", text, once)
	}
	if twice := r.Append(nil, once, &again); !bytes.Equal(once, twice) || again.Total() != 0 {
		t.Fatalf("%q: once %q, twice %q", text, once, twice)
	}
}

// hostile are patterns that, repeated, give each rule work at each byte.
func hostile() []string {
	return []string{
		"@", "1", "9 ", "at ", "a@", ".", "a.", "a.a@", "http://", "://", "+", "(", "+1 ", "(1", "dot ", "a dot ", "a at ", "one ", "double ", "call me ",
		"my ", "skype ", "skype:", "@a ", "a b ", "s k y p e ", "_at_", "_dot_", "[", "[email", "[phone]", "1-", "01 ", "415-555-0132", "é", "@é", "点", "微信",
		"\u200b", "1\u200b", "\xff", "http://a)", "http://a/文", ")", "a@b.com", "www.", "www.a.b/", "\\/", ":\\/\\/", "live:", "#1234", "x@x.x.x.x", "'", "\"", "\"@", "a-", "-at-", "a_",
	}
}
