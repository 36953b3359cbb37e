// Package plain makes text that others wrote harmless where it is shown. A file name, a
// column's name or an id may hold escape sequences that act on a terminal, newlines that
// forge a line, characters that reverse what is read, or a formula that a spreadsheet
// calculates.
//
//   - printable: letters, digits, marks, punctuation, symbols and the ASCII space, as
//     strconv.IsPrint has it. All else is written as an escape of Go's: \n, \x1b, \u202e.
//   - formula: a cell that a spreadsheet calculates instead of showing it.
package plain

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Line returns s as one line of printable text.
func Line(s string) string { return printable(s, "") }

// Lines is Line, but leaves newlines as they are.
func Lines(s string) string { return printable(s, "\n") }

func printable(s, keep string) string {
	isPlain := func(r rune) bool { return strconv.IsPrint(r) || strings.ContainsRune(keep, r) }
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !isPlain(r) }) {
		return s
	}
	var b []byte
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, `\x%02x`, s[0])
		case isPlain(r):
			b = append(b, s[:size]...)
		default:
			quoted := strconv.QuoteRune(r)
			b = append(b, quoted[1:len(quoted)-1]...)
		}
		s = s[size:]
	}
	return string(b)
}

// JSON returns a JSON text of the same meaning in which everything that is not printable,
// but newlines between its tokens, is written as \uXXXX.
func JSON(text []byte) []byte {
	var b []byte
	for _, r := range string(text) {
		switch {
		case strconv.IsPrint(r), r == '\n':
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return b
}

// formulaStarts are the characters at which a cell begins that some spreadsheet takes for
// a formula, or that it drops before it looks for one. The wide forms are those of East
// Asian keyboards.
const formulaStarts = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"

var number = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

// Cell returns the text of a CSV cell that no spreadsheet takes for a formula: with an
// apostrophe before it where it begins as one. A number, a negative one too, stays as it
// is, whatever the type of its column.
func Cell(s string) string {
	first, _ := utf8.DecodeRuneInString(s)
	if s == "" || !strings.ContainsRune(formulaStarts, first) || number.MatchString(s) {
		return s
	}
	return "'" + s
}
