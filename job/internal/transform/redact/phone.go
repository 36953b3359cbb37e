package redact

import (
	"bytes"
	"unicode/utf8"
)

// groups are groups of digits with separators between them: a telephone number, or another.
type groups struct {
	n      int
	length [20]uint8
	end    [20]int
	before [20]byte // what separates a group from the one before: space - . / or 0
	paren  [20]bool // it stands in parentheses
	digits [40]byte
	total  int
}

// read reads groups at i, a digit or a parenthesis before one, as many as a number may have.
func (s *scan) groups(i int) (g groups) {
	for g.n < len(g.length) && g.total < 20 {
		sep := byte(0)
		if g.n > 0 {
			i, sep = s.separator(i, g.paren[g.n-1])
		}
		open := s.byteAt(i) == '('
		if open {
			i++
		}
		from := i
		for g.total < len(g.digits) && i < len(s.b) && s.class[s.b[i]] == digit {
			g.digits[g.total] = s.b[i]
			g.total++
			i++
		}
		if i == from {
			return g
		}
		g.length[g.n], g.before[g.n], g.end[g.n], g.paren[g.n] = uint8(i-from), sep, i, open
		g.n++
	}
	return g
}

// separator steps over what separates groups of digits.
func (s *scan) separator(i int, open bool) (next int, sep byte) {
	from := i
	if open {
		if s.byteAt(i) != ')' {
			return len(s.b), 0
		}
		i++
	}
	if j := s.blanks(i); j > i {
		i, sep = j, ' '
	}
	switch c := s.byteAt(i); c {
	case '-', '.', '/', '*', '~', '_':
		i, sep = i+1, c
		if s.byteAt(i) == ' ' {
			i++
		}
	case '(':
		return i, ' '
	}
	if i == from {
		return len(s.b), 0
	}
	return i, sep
}

// plainNumber returns where the digits at i end if they are too few for a telephone number, and nothing that goes on with one
// follows, or 0. Most numbers are such.
func (s *scan) plainNumber(i int) int {
	end := i + 1
	for end < len(s.b) && s.class[s.b[end]] == digit {
		end++
	}
	if end == len(s.b) || end-i > 4 || s.phoneCue > never || s.callCue > never || i-s.phoneEnded <= 8 {
		return 0
	}
	switch s.b[end] {
	case ')', ']', '}', '"', '\'', '`', '<', '>', '=', ';', ':', '\n', '\r', '\t', '%', '|', '&', '!', '?':
		return end
	}
	return 0
}

// number looks at the digits at i, and returns where to go on.
func (s *scan) number(i int) int {
	if end := s.plainNumber(i); end > 0 {
		return end
	}
	g := s.groups(i)
	if end := s.phoneEnd(i, &g, false); end > 0 {
		if c := s.byteAt(end); (c == '-' || c == ' ') && s.class[s.byteAt(end+1)] == letter { // 202-555-zero one
			if _, e := s.wordAt(end + 1); e.is&wordDigit != 0 {
				if to := s.spelled(i, entry{}); to > 0 {
					return to
				}
			}
		}
		return s.takePhone(i, end)
	}
	end, _ := s.wordAt(i)
	if end > g.end[0] && s.phoneCue > never && near(s.phoneCue, i, phoneWindow) {
		if to := s.spelled(i, entry{}); to > 0 {
			return to
		}
	}
	if end > g.end[0] { // 3xYz
		return end
	}
	if to := s.spelled(i, entry{}); to > 0 {
		return to
	}
	return g.end[0]
}

// How near to its cue a number stands, in bytes: to most, and to those of three letters.
const (
	phoneWindow      = 32
	shortPhoneWindow = 10
)

// isSecond says whether another telephone number stands before the one at start, as in "Tel. 1234567, 7654321".
func (s *scan) isSecond(start int) bool {
	gap := start - s.phoneEnded
	if gap < 2 || gap > 8 {
		return false
	}
	between := string(bytes.Trim(s.b[s.phoneEnded:start], " "))
	switch between {
	case ",", ";", "/", "&", "|", "or", "and", "или", "oder", "und", "ou", "o", "y", "e", "и":
		return true
	}
	return false
}

func (s *scan) takePhone(start, end int) int {
	end = s.extension(end)
	next := s.take(start, end, Phone)
	s.phoneEnded = end
	return next
}

// extension steps over "ext. 12" and "x12" behind a number.
func (s *scan) extension(i int) int {
	j := s.blanks(i)
	for _, word := range [...]string{"extension", "ext.", "ext", "доб.", "x", "#"} {
		if len(s.b)-j > len(word) && bytes.EqualFold(s.b[j:j+len(word)], []byte(word)) {
			from := s.blanks(j + len(word))
			end := from
			for end < len(s.b) && s.class[s.b[end]] == digit {
				end++
			}
			if n := end - from; 1 <= n && n <= 6 && !s.inWord[s.byteAt(end)] {
				return end
			}
		}
	}
	return i
}

// opening looks at the "+" or "(" at i, and returns where to go on.
func (s *scan) opening(i int) int {
	if s.b[i] == '(' && s.byteAt(i+1) != '+' {
		if s.byteAt(i+1)|0x20 == 'a' && s.byteAt(i+2) == ')' {
			return max(s.wordAsAt(i+1, i+2, wordAt), i+1)
		}
		if s.class[s.byteAt(i+1)] == digit && !s.inWord[s.byteBefore(i)] {
			if g := s.groups(i); g.n > 0 {
				if end := s.phoneEnd(i, &g, false); end > 0 {
					return s.takePhone(i, end)
				}
			}
		}
		return i + 1
	}
	from := bytes.IndexByte(s.b[i:min(len(s.b), i+2)], '+') + i + 1
	j := s.blanks(from)
	if s.class[s.byteAt(j)] != digit && !(s.byteAt(j) == '(' && s.class[s.byteAt(j+1)] == digit) {
		return i + 1
	}
	if c := s.byteBefore(i); s.inWord[c] || bytes.IndexByte([]byte("+)\\."), c) >= 0 {
		return i + 1
	}
	g := s.groups(j)
	if from != i+1 && g.n > 0 && s.byteAt(g.end[0]) == ')' { // (+44) 20
		g.paren[0] = true
		g = s.join(&g)
	}
	if j > from && !near(s.phoneCue, i, phoneWindow) && g.n < 3 { // a sum
		return i + 1
	}
	if end := s.phoneEnd(i, &g, true); end > 0 {
		return s.takePhone(i, end)
	}
	return i + 1
}

// join goes on behind a country's code in parentheses.
func (s *scan) join(g *groups) groups {
	next, sep := s.separator(g.end[0], true)
	if next >= len(s.b) || g.n > 1 {
		return *g
	}
	rest := s.groups(next)
	for k := range rest.n {
		if g.n == len(g.length) || g.total+int(rest.length[k]) > len(g.digits) {
			break
		}
		g.length[g.n], g.end[g.n], g.before[g.n], g.paren[g.n] = rest.length[k], rest.end[k], rest.before[k], rest.paren[k]
		if k == 0 {
			g.before[g.n] = sep
		}
		g.n++
	}
	g.total += copy(g.digits[g.total:], rest.digits[:rest.total])
	return *g
}

// phoneEnd returns where the telephone number at start ends, or 0.
func (s *scan) phoneEnd(start int, g *groups, plus bool) int {
	cued := near(s.phoneCue, start, phoneWindow) || s.isSecond(start) || near(s.callCue, start, 12) && g.total >= 9 && g.total <= 13
	if plus || (cued || near(s.callCue, start, 12)) && s.isAbroad(g) {
		if end := s.international(g, plus); end > 0 {
			return end
		}
		if !cued {
			return 0
		}
	}
	if cued {
		if end := s.cuedPhone(start, g); end > 0 {
			return end
		}
	}
	if !s.freeBefore(start) {
		return 0
	}
	if g.total >= 7 && g.total <= 13 && s.freeAfter(g.end[g.n-1]) && s.phoneFollows(g.end[g.n-1]) && !isDate(g, g.n) && !isDecimal(g, g.n) {
		return g.end[g.n-1]
	}
	total := g.total
	for k := g.n; k > 1; k-- {
		if k < g.n && g.before[k] != ' ' {
			total -= int(g.length[k-1])
			continue
		}
		if s.isPhoneShape(start, g, k, total) && s.freeAfter(g.end[k-1]) {
			return g.end[k-1]
		}
		total -= int(g.length[k-1])
	}
	return 0
}

// phoneFollows says whether a cue of a number follows on it: 555 0133, call me.
func (s *scan) phoneFollows(i int) bool {
	for n := range 4 {
		first := n == 0 && s.byteAt(i) == ','
		if i = s.nextWord(i); i < 0 {
			return false
		}
		end, e := s.wordAt(i)
		if first && e.is&wordRing != 0 || e.is&wordCall != 0 && s.nextIs(end, wordMe) || e.is&wordPhone != 0 && end-i > 3 && s.clauseEnds(end) {
			return true
		}
		i = end
	}
	return false
}

// isAbroad says whether digits begin as in a call abroad: 00.
func (s *scan) isAbroad(g *groups) bool {
	return g.total > 9 && g.digits[0] == '0' && g.digits[1] == '0'
}

// international returns where a number with a country's code ends, or 0.
func (s *scan) international(g *groups, plus bool) int {
	total := g.total
	for k := g.n; k > 0; k-- {
		digits := g.digits[:total]
		if !plus {
			digits = digits[2:]
		}
		if s.isCalling(digits, g, k) && !s.inWord[s.byteAt(g.end[k-1])] && (k == g.n || g.before[k] == ' ' || g.before[k] == '/') {
			return g.end[k-1]
		}
		if total -= int(g.length[k-1]); total < 8 {
			break
		}
	}
	return 0
}

// isCalling says whether digits are a country's code and as many digits as the country has. A zero in parentheses, as
// in +49 (0)30, does not count.
func (s *scan) isCalling(d []byte, g *groups, k int) bool {
	skip := 0
	for n := 1; n < k; n++ {
		if g.paren[n] && g.length[n] == 1 {
			skip = 1
		}
	}
	if len(d) < 8 || d[0] == '0' {
		return false
	}
	if d[0] == '1' {
		return len(d) == 11 && d[1] >= '2'
	}
	code := 0
	for n := range 3 {
		code = code*10 + int(d[n]-'0')
		if rest := len(d) - n - 1 - skip; rest > 0 && rest < 32 && s.calling[code]&(1<<rest) != 0 {
			return true
		}
	}
	return false
}

// cuedPhone returns where a number of whatever form ends that stands behind a cue, or 0.
func (s *scan) cuedPhone(start int, g *groups) int {
	total := g.total
	for k := g.n; k > 0; k-- {
		least := 7
		if near(s.phoneCue, start, 4) {
			least = 5
		}
		if total < least {
			return 0
		}
		next := s.byteAt(g.end[k-1])
		if total <= 15 && (k == g.n || g.before[k] == ' ') && !s.inWord[next] && next != '%' && !isDate(g, k) && !isDecimal(g, k) && !s.isPriced(start, g.end[k-1]) {
			return g.end[k-1]
		}
		total -= int(g.length[k-1])
	}
	return 0
}

// isDate says whether groups are a day: 2026-11-30, 30.11.2026.
func isDate(g *groups, k int) bool {
	if k < 3 || g.paren[0] {
		return false
	}
	year := func(at int) bool {
		d := g.digits[at:]
		return d[0] == '1' && d[1] == '9' || d[0] == '2' && d[1] == '0'
	}
	a, b, c := g.length[0], g.length[1], g.length[2]
	return a == 4 && b <= 2 && c <= 2 && year(0) || a <= 2 && b <= 2 && c == 4 && year(int(a+b))
}

// isDecimal says whether groups are a number with a fraction, a version or an IP address.
func isDecimal(g *groups, k int) bool {
	dots, short := 0, 0
	for n := range k {
		if g.before[n] == '.' {
			dots++
		}
		if g.length[n] <= 3 {
			short++
		}
	}
	return k > 1 && dots == k-1 && (k == 2 || k == 4 && short == 4)
}

// isPriced says whether a sign of money stands beside a number.
func (s *scan) isPriced(start, end int) bool {
	before := s.byteBefore(start)
	if before == '$' {
		return true
	}
	left, _ := utf8.DecodeLastRune(s.b[s.last:start])
	right, _ := utf8.DecodeRune(s.b[s.blanks(end):])
	return isMoney(left) || isMoney(right)
}

func isMoney(r rune) bool { return r == '$' || 0xA2 <= r && r <= 0xA5 || 0x20A0 <= r && r <= 0x20CF }

// freeBefore says whether a number may begin at start without a cue.
func (s *scan) freeBefore(start int) bool {
	c := s.byteBefore(start)
	if s.inWord[c] || bytes.IndexByte([]byte("./-#$=&?\\%+*^~@<"), c) >= 0 || (c == ':' || c == ',') && s.class[s.byteAt(start-2)] == digit {
		return false
	}
	if c < utf8.RuneSelf {
		return true
	}
	r, _ := utf8.DecodeLastRune(s.b[s.last:start])
	return !isMoney(r) && sortOf(r) != letterRune
}

// freeAfter says whether a number may end at end without a cue.
func (s *scan) freeAfter(end int) bool {
	c, next := s.byteAt(end), s.byteAt(end+1)
	if s.extension(end) > end {
		return true
	}
	if s.inWord[c] || bytes.IndexByte([]byte("%=@*^$+"), c) >= 0 {
		return false
	}
	if bytes.IndexByte([]byte("-./:,"), c) >= 0 && s.inWord[next] {
		return false
	}
	r, _ := utf8.DecodeRune(s.b[s.blanks(end):])
	return !isMoney(r)
}
