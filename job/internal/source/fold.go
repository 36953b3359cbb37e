package source

import (
	"bytes"
	"strings"
	"unicode"
)

// Folds are the ways in which an id differs from its folded form. Folding never makes
// ids join; it finds those that were probably meant to: near misses.
type Folds uint8

// What folding does, in its order.
const (
	FoldBlanks  Folds = 1 << iota // trims blanks and NUL bytes
	FoldCase                      // lower-cases
	FoldPrefix                    // strips a leading word, such as "acct_" or "U" before digits
	FoldHyphens                   // strips hyphens
	FoldZeros                     // strips leading zeros
)

// String names the folds for people.
func (f Folds) String() string {
	var names []string
	for i, name := range []string{"blanks around it (padding)", "upper and lower case", "a prefix", "hyphens", "leading zeros"} {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// fold returns the folded form of an id, what folding changed, and the prefix that was
// stripped. The form is empty for an id of which nothing is left. Both may be the id's
// own bytes.
func fold(id []byte) (form []byte, folds Folds, prefix []byte) {
	form = id
	simple := simple(id)
	if !simple {
		form = bytes.TrimFunc(id, blank)
		if len(form) != len(id) {
			folds |= FoldBlanks
		}
		if bytes.ContainsFunc(form, unicode.IsUpper) {
			form = bytes.ToLower(form)
			folds |= FoldCase
		}
	}
	if n := prefixLen(form); n > 0 {
		prefix, form = form[:n], form[n:]
		folds |= FoldPrefix
	}
	if !simple && bytes.IndexByte(form, '-') >= 0 {
		form = bytes.ReplaceAll(form, []byte("-"), nil)
		folds |= FoldHyphens
	}
	for len(form) > 1 && form[0] == '0' {
		form = form[1:]
		folds |= FoldZeros
	}
	return form, folds, prefix
}

// simple reports whether an id is of small letters and digits of ASCII and of separators, so that there are no blanks, capitals or hyphens
// to fold. Most ids are, and one look at each byte costs a fifth of the three.
func simple(id []byte) bool {
	for _, c := range id {
		if ('a' > c || c > 'z') && ('0' > c || c > '9') && c != '_' && c != ':' && c != '/' && c != '.' {
			return false
		}
	}
	return true
}

func blank(r rune) bool { return r == 0 || r == '\uFEFF' || unicode.IsSpace(r) }

// prefixLen is the length of the words that an id begins with: letters and then a
// separator ("acct_", "urn:uuid:"), or letters and then a digit ("u" of "u17"). A word
// that the id ends with is none.
func prefixLen(id []byte) int {
	n := 0
	for {
		i := n
		for i < len(id) && 'a' <= id[i] && id[i] <= 'z' {
			i++
		}
		if i == n || i == len(id) {
			return n
		}
		if '0' <= id[i] && id[i] <= '9' {
			return i
		}
		j := i
		for j < len(id) && strings.IndexByte("_:/#.|-", id[j]) >= 0 {
			j++
		}
		if j == i || j == len(id) {
			return n
		}
		n = j
	}
}
