package redact

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Checks of a shape: what its digits must be beyond their grouping.
const (
	american = "american" // of North America: neither area nor exchange begins with 0 or 1
	russian  = "russian"  // begins with 7 or 8
	asian    = "asian"    // begins with 0, or with 1 and not 0, 1 or 2 behind it
	indian   = "indian"   // begins with 6 to 9
	anyone   = "anyone"
)

// phoneShapes are groupings that telephone numbers have and hardly anything else does, with their checks. A digit says
// how many digits a group has; a space behind a parenthesis is left out.
func phoneShapes() map[string]string {
	shapes := map[string]string{}
	for check, list := range map[string]string{
		american: "3-3-4 3.3.4 3_3_4 3_3-4 (3)3-4 (3)3_4 (3)3.4 (3)-3-4 3/3-4 1-3-3-4 1.3.3.4 1_3_3_4 1_3-3-4 1_(3)3-4 1-(3)3-4 1_(3)3_4 1-3_3_4",
		russian:  "1_(3)3-2-2 1(3)3-2-2 1_3_3-2-2 1-3-3-2-2 1_3_3_2_2 1_(3)3_2_2 1-3-3-22",
		asian:    "3-4-4",
		indian:   "5-5 5_5",
		anyone:   "2_3-2-2 (2)5-4 (2)4-4 (2)4_4 (2)5_4 (3)3-2-2 (3)3_2_2 (3)2-2-2 (4)2-2-2 (4)3-3",
	} {
		for s := range strings.FieldsSeq(list) {
			shapes[strings.ReplaceAll(s, "_", " ")] = check
		}
	}
	return shapes
}

// isPhoneShape says whether the first k groups are grouped as a telephone number is.
func (s *scan) isPhoneShape(start int, g *groups, k, total int) bool {
	if total < 7 || total > 15 || isDate(g, k) || isDecimal(g, k) {
		return false
	}
	shape, spaced := s.shape(g, k)
	if spaced && (k < g.n || s.afterNumber(start) || s.beforeNumber(g.end[k-1])) {
		return false
	}
	d := g.digits[:total]
	switch s.shapes[string(shape)] {
	case american:
		if len(d) == 11 {
			if d[0] != '1' {
				return false
			}
			d = d[1:]
		}
		return d[0] >= '2' && d[3] >= '2'
	case russian:
		return d[0] == '7' || d[0] == '8'
	case asian:
		return d[0] == '0' || d[0] == '1' && d[1] > '2'
	case indian:
		return d[0] >= '6' && d[0] <= '9'
	case anyone:
		return true
	}
	return isTrunk(g, k, total) || spaced && s.isSpelledOut(g, k)
}

// shape writes how the first k groups are grouped; spaced says that there are but spaces between them. It is valid
// until the next call.
func (s *scan) shape(g *groups, k int) (shape []byte, spaced bool) {
	buf := s.shapeBuf[:0]
	spaced = true
	for n := range k {
		if sep := g.before[n]; sep != 0 && !(sep == ' ' && n > 0 && g.paren[n-1]) {
			buf = append(buf, sep)
			spaced = spaced && sep == ' '
		}
		size := '0' + min(g.length[n], 10)
		if g.paren[n] {
			buf = append(buf, '(', size, ')')
			spaced = false
		} else {
			buf = append(buf, size)
		}
	}
	s.shapeBuf = buf
	return buf, spaced
}

// isTrunk says whether groups are a number within a country where these begin with 0: 020 7946 0958, 06 12 34 56 78.
func isTrunk(g *groups, k, total int) bool {
	if k < 3 || total < 9 || total > 11 || g.digits[0] != '0' || g.digits[1] == '0' {
		return false
	}
	if k > 1 && (g.before[1] == '*' || g.before[1] == '~' || g.before[1] == '_') {
		return false
	}
	for n := range k {
		if g.length[n] < 2 || g.length[n] > 4 || n > 1 && g.before[n] != g.before[1] || g.paren[n] && n > 0 {
			return false
		}
	}
	return g.before[1] != '.' || g.length[0] > 2 || k > 3
}

// isSpelledOut says whether groups are single digits of a number: 4 1 5 5 5 5 0 1 3 2.
func (s *scan) isSpelledOut(g *groups, k int) bool {
	if k < 9 || k > 12 || g.digits[0] == '0' && g.digits[1] == '0' {
		return false
	}
	var seen [10]bool
	kinds, steps := 0, 0
	for n := range k {
		if g.length[n] != 1 {
			return false
		}
		if c := g.digits[n] - '0'; !seen[c] {
			seen[c] = true
			kinds++
		}
		if n > 0 && g.digits[n] == g.digits[n-1]+1 {
			steps++
		}
	}
	return kinds >= 4 && steps < k-3
}

// afterNumber says whether another number, or one in hexadecimal, stands before start on the line.
func (s *scan) afterNumber(start int) bool {
	i := start
	for i > s.last && bytes.IndexByte([]byte(between), s.b[i-1]) >= 0 && start-i < 8 {
		i--
	}
	from := i
	for from > s.last && i-from < 9 && s.inWord[s.b[from-1]] {
		from--
	}
	return s.isNumeric(s.b[from:i])
}

// beforeNumber says whether another number follows on the line.
func (s *scan) beforeNumber(end int) bool {
	i := end
	for i < len(s.b) && bytes.IndexByte([]byte(between), s.b[i]) >= 0 && i-end < 8 {
		i++
	}
	to := i
	for to < len(s.b) && to-i < 9 && s.inWord[s.b[to]] {
		to++
	}
	return s.isNumeric(s.b[i:to])
}

// between stands between the numbers of a table or dump.
const between = " \t,;|-/."

// isNumeric says whether a word has a digit, or is a byte in hexadecimal.
func (s *scan) isNumeric(w []byte) bool {
	if bytes.ContainsAny(w, "0123456789") {
		return true
	}
	return len(w) == 2 && len(bytes.Trim(w, "abcdefABCDEF")) == 0
}

// spelled looks for a number whose digits are words, at least some of them, and returns where to go on, or 0. It
// begins at i, with a word of the vocabulary or a digit.
func (s *scan) spelled(i int, first entry) int {
	var digits [24]byte
	n, words, plus, end := 0, 0, first.is&wordPlus != 0, i
	for p, repeat := i, 1; n < 16; {
		from := n
		switch to, e := s.wordAt(p); {
		case e.is == 0 && to > p+2 && s.mixed(p, to, &digits, &n):
			words++
			if near(s.phoneCue, i, phoneWindow) {
				words++
			}
			p, end = to, to
		case s.class[s.b[p]] == digit:
			for p < len(s.b) && s.class[s.b[p]] == digit && n < 16 {
				digits[n] = s.b[p]
				n++
				p++
			}
			end = p
		case e.is&wordDigit != 0 || to == p+1 && s.b[p]|0x20 == 'o' && n > 0:
			for ; repeat > 0; repeat-- {
				digits[n] = max(e.value, '0')
				n++
			}
			words++
			p, end = to, to
		case e.is&(wordTwice|wordThrice) != 0 && repeat == 1:
			p = to
		case plus && p == i:
			p = to
		default:
			return s.takeSpelled(i, end, digits[:n], words, plus)
		}
		repeat = 1
		if from == n && s.b[max(p-1, 0)] != ' ' {
			repeat = s.repeats(i, p)
		}
		next := p
		for next-p < 3 && next < len(s.b) && bytes.IndexByte([]byte(" ,.-/"), s.b[next]) >= 0 {
			next++
		}
		if next == len(s.b) || next == p && (s.b[p] < utf8.RuneSelf || s.b[p-1] < utf8.RuneSelf) {
			break
		}
		p = next
	}
	return s.takeSpelled(i, end, digits[:n], words, plus)
}

// mixed reads a word that is digits and words for them, as two00one, and says whether it is one.
func (s *scan) mixed(p, to int, digits *[24]byte, n *int) bool {
	count, words := *n, 0
	for p < to && count < 16 {
		if c := s.b[p]; s.class[c] == digit {
			digits[count] = c
			count++
			p++
			continue
		}
		size := 0
		for size = min(to-p, 5); size > 2; size-- {
			if e := s.lookup(s.b[p : p+size]); e.is&wordDigit != 0 {
				digits[count] = e.value
				count++
				words++
				break
			}
		}
		if size == 2 || size > to-p {
			return false
		}
		p += size
	}
	if p < to || words == 0 || count == *n+1 {
		return false
	}
	*n = count
	return true
}

// repeats returns how often the digit counts before which the word that ends at p stands.
func (s *scan) repeats(i, p int) int {
	start := p
	for start > i && s.b[start-1] != ' ' {
		start--
	}
	switch e := s.lookup(s.b[start:p]); {
	case e.is&wordTwice != 0:
		return 2
	case e.is&wordThrice != 0:
		return 3
	}
	return 1
}

// takeSpelled takes digits of which so many were words, if they make a telephone number.
func (s *scan) takeSpelled(start, end int, digits []byte, words int, plus bool) int {
	steps := 0
	for n := 1; n < len(digits); n++ {
		if d := int(digits[n]) - int(digits[n-1]); d == 1 || d == 0 {
			steps++
		}
	}
	switch {
	case len(digits) < 7 || len(digits) > 15 || s.inWord[s.byteAt(end)]:
		return 0
	case plus && words < 3:
		if !s.isCalling(digits, &groups{}, 0) {
			return 0
		}
	case words < 3 && (words < 2 || !near(s.phoneCue, start, phoneWindow)) || steps >= len(digits)-1 && !near(s.phoneCue, start, phoneWindow):
		return 0
	}
	return s.takePhone(start, end)
}
