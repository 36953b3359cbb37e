package plain_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"assent/job/plain"
)

func TestLine(t *testing.T) {
	for s, want := range map[string]string{
		"":                           "",
		"a b – ünï 漢字 😀 \\ ' \"":     "a b – ünï 漢字 😀 \\ ' \"",
		"\x1b[31mred\x1b[0m":         `\x1b[31mred\x1b[0m`,
		"a\nassent: hint: delete it": `a\nassent: hint: delete it`,
		"a\rb\tc\x00\x7f":            `a\rb\tc\x00\x7f`,
		"\u009b31m":                  `\u009b31m`,              // C1: a terminal takes it for ESC [
		"gpj\u202eexe":               `gpj\u202eexe`,           // what follows reads backwards
		"a\u2028b\u00a0c\u200bd":     `a\u2028b\u00a0c\u200bd`, // looks like nothing, or like a blank
		"\xff\xc2":                   `\xff\xc2`,
		"\ufffd":                     "\ufffd",
	} {
		if got := plain.Line(s); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
	if got := plain.Lines("a\n\x1bb\r\n"); got != "a\n\\x1bb\\r\n" {
		t.Errorf("%q", got)
	}
}

func TestCell(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "a": "a", "a=b": "a=b", " =1": " =1", "'=1": "'=1", "µ": "µ",
		"=1+1": "'=1+1", "+1+1": "'+1+1", "-1+1": "'-1+1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1",
		"\uff1d1+1": "'\uff1d1+1", "\uff20SUM(A1)": "'\uff20SUM(A1)",
		"-": "'-", "+": "'+", "--1": "'--1", "-1,5": "'-1,5", "+49 30 1": "'+49 30 1", "-1-2": "'-1-2", "-Inf": "'-Inf", "-0x1": "'-0x1", "-1\n": "'-1\n",
		"5": "5", "-5": "-5", "+5": "+5", "-0.25": "-0.25", "-.5": "-.5", "-5.": "-5.", "-1.5e-300": "-1.5e-300", "+1E9": "+1E9",
		"-12345678901234567890123456789012345.67": "-12345678901234567890123456789012345.67",
	} {
		if got := plain.Cell(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"", "a\x1b\u202e\U000e0001\xff", "-1", "=\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line := plain.Line(s)
		if strings.ContainsAny(line, "\n\r\t\x1b\u009b\u202e\x00\x7f") || !utf8.ValidString(line) || plain.Line(line) != line {
			t.Errorf("%q: %q", s, line)
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		if json.Unmarshal(text, &before) != nil || json.Unmarshal(plain.JSON(text), &after) != nil || before != after {
			t.Errorf("%q: %q became %q", s, before, after)
		}
		if got := plain.Line(string(plain.JSON(text))); got != string(plain.JSON(text)) {
			t.Errorf("%q: %q", s, got)
		}
		if cell := plain.Cell(s); cell != s && cell != "'"+s {
			t.Errorf("%q: %q", s, cell)
		}
	})
}
