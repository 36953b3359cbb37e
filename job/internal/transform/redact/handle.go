package redact

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// A handle has so many bytes, without "@".
const (
	shortestHandle = 3
	longestHandle  = 40
)

// value is what may be a handle.
type value struct {
	start, end int
	marked     bool // it has "@" in front, "live:", or "#1234" at the end: nothing else looks so
	named      bool // it is no ordinary word: a digit among letters, _ or . or - inside
}

// valueAt reads what may be a handle at i.
func (s *scan) valueAt(i int) (v value, ok bool) {
	v.start = i
	if s.byteAt(i) == '@' {
		v.marked = true
		i++
	}
	if bytes.HasPrefix(s.b[i:], []byte("live:")) {
		v.marked = true
		i += len("live:")
	}
	end := i
	for end < len(s.b) && end-i <= longestHandle && s.isNamePart(s.b[end]) {
		end++
	}
	for end > i && (s.b[end-1] == '.' || s.b[end-1] == '-') {
		end--
	}
	if end-i < shortestHandle-1 || end-i > longestHandle || end-i < shortestHandle && !v.marked {
		return v, false
	}
	v.named = isNamed(s.b[i:end])
	if s.byteAt(end) == '#' && end+5 <= len(s.b) && !s.inWord[s.byteAt(end+5)] {
		tag := s.b[end+1 : end+5]
		if len(bytes.Trim(tag, "0123456789")) == 0 {
			v.marked = true
			end += 5
		}
	}
	v.end = end
	c := s.byteAt(end)
	return v, c != '@' && c != '/' && (c != '(' || s.byteAt(end+1) >= utf8.RuneSelf) && c != '\\' && c != '[' && !(c == ':' && s.byteAt(end+1) == '/') && !s.isLetterAt(end)
}

// isLetterAt says whether a letter beyond ASCII, of a script with spaces, stands at i.
func (s *scan) isLetterAt(i int) bool {
	if s.byteAt(i) < utf8.RuneSelf {
		return false
	}
	r, _ := utf8.DecodeRune(s.b[i:])
	return sortOf(r) == letterRune
}

// isNamed says whether a word is none of a language.
func isNamed(w []byte) bool {
	letters, digits, marks := 0, 0, 0
	for i, c := range w {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			letters++
		case '0' <= c && c <= '9':
			digits++
		case i > 0 && (i < len(w)-1 || c == '_'):
			marks++
		}
	}
	return letters > 0 && len(w) > 3 && (digits > 0 || marks > 0)
}

// isField says whether a word is one of code: a dot with a capital letter behind it.
func isField(w []byte) bool {
	dot := bytes.IndexByte(w, '.')
	return dot > 0 && dot+1 < len(w) && 'A' <= w[dot+1] && w[dot+1] <= 'Z' && 'a' <= w[0] && w[0] <= 'z'
}

// joint is what stands between a label and a value.
type joint struct {
	id, fill, explicit, spaces, quoted, unknown bool

	value int // where the value begins
}

// jointAt reads what stands behind a label that ends at i.
func (s *scan) jointAt(i int) (j joint, ok bool) {
	for words := 0; i < len(s.b); {
		c := s.b[i]
		switch next := s.byteAt(i + 1); {
		case c == ':' && (next == ':' || next == '=') || c == '=' && next == '=': // code
			return j, false
		case c == ' ':
			j.spaces = true
			i++
		case c == ':' || c == '=' && next != ' ' || c == '-' && next == ' ' || c == '(':
			j.explicit = true
			i++
		case c == '*' && next == '*':
			i++
		case (c == '`' || c == '"' || c == '*') && j.spaces && s.inWord[next]:
			j.quoted = true
			i++
		case (c == ',' && next == ' ' || c == '/') && !j.explicit:
			j.fill = true
			i++
		case c >= utf8.RuneSelf && s.isSign(i): // an arrow, a picture
			_, size := utf8.DecodeRune(s.b[i:])
			j.explicit = true
			i += size
		case c == '#' || c == '=' || c == '-' && next == '>', (c == '"' || c == '\'') && (j.explicit || next == ':'):
			i++
		case c == '@' && next == ' ' || c == '\'' && j.fill && s.inWord[next]: // I'm
			i += 2
		case c == '@' || c == '.' && j.spaces:
			j.value = i
			return j, true
		case s.inWord[c] || c >= utf8.RuneSelf:
			end, e := s.wordAt(i)
			next := s.byteAt(end)
			inside := next == '.' && s.inWord[s.byteAt(end+1)] || next == '-' || next == '_'
			if inside || e.is&(wordFill|wordID|wordNumber|wordSelf|wordLabel|wordSocial|wordMy|wordCalled) == 0 || c == 'l' && next == ':' {
				if !inside && !j.unknown && !j.explicit && !j.id && end-i <= 12 && !isNamed(s.b[i:end]) && s.taggedFollows(end) {
					j.unknown = true // a word of some language between label and name
					i = end
					continue
				}
				j.value = i
				return j, s.inWord[c]
			}
			j.id = j.id || e.is&(wordID|wordCalled) != 0
			j.fill = true
			if words++; words > 5 {
				return j, false
			}
			i = end
		default:
			return j, false
		}
		if i-j.value > 64 && j.value > 0 {
			return j, false
		}
	}
	return j, false
}

// label looks for a handle beside the label from i until end, and returns where to go on, or 0.
func (s *scan) label(i, end int, is words) int {
	if c := s.byteAt(end); (c == '.' || c == '-' || c == '/') && s.inWord[s.byteAt(end+1)] {
		to, e := s.wordAt(end + 1)
		if c != '-' || e.is&(wordID|wordCalled) == 0 && !slices.Contains(s.endings, string(s.b[end+1:to])) { // Skype-Name, skype-om
			return 0
		}
		end = to
	}
	kind := Handle
	if is&(wordLabel|wordSocial|wordWeak) == 0 {
		kind = Email // "my gmail is anna.w"
	}
	if j, ok := s.jointAt(end); ok && j.value-end <= 48 {
		if v, ok := s.valueAt(j.value); ok && s.isHandle(i, &j, &v, is) {
			if after := s.b[v.end:]; s.byteAt(end) == ':' && j.value == end+1 && len(after) > 4 && after[0] == '?' {
				return s.take(i, s.urlEnd(v.end), Link) // skype:anna?call
			}
			return s.take(v.start, v.end, kind)
		}
	}
	if is&(wordLabel|wordSocial) != 0 {
		if start := s.valueBefore(i); start >= 0 {
			s.take(start, s.valueStop(start), Handle)
			return 0
		}
	}
	return 0
}

// isHandle says whether a value is a handle, behind a label at i and a joint.
func (s *scan) isHandle(i int, j *joint, v *value, is words) bool {
	w := s.b[v.start:v.end]
	if v.marked {
		return (is&wordWeak == 0 || s.b[i] < 'a' && s.clauseEnds(v.end)) && j.spaces || j.explicit || j.fill || v.named && j.spaces && w[0] == '@'
	}
	if j.unknown {
		return is&(wordLabel|wordSocial) != 0 && isTagged(w) && s.lookup(w).is == 0
	}
	if len(bytes.Trim(w, "0123456789-.")) == 0 {
		return is&wordNumeric != 0 && len(w) >= 5 && len(w) <= 12 && bytes.IndexByte(w, '.') < 0
	}
	if s.class[w[0]] == digit && !j.id || s.lookup(w).is != 0 {
		return false
	}
	if h := s.host(v.start, false); h.whole() && h.end >= v.end && s.isLink(v.start, &h) {
		return false
	}
	mine := near(s.myCue, i, 24) || near(s.reachCue, i, 40) || near(s.idCue, i, 40)
	if isField(w) && !j.id && !j.explicit {
		return false
	}
	switch {
	case is&(wordLabel|wordSocial|wordWeak) == 0: // a provider of mail
		return v.named && (j.explicit || j.id || j.fill && (mine || isTagged(w) && len(w) > 6))
	case is&wordLabel != 0 && near(s.idCue, i, 24) && s.clauseEnds(v.end) && v.end-v.start >= 6: // мой ник в телеграме anna
		return true
	case is&wordLabel != 0:
		return j.id || j.quoted || j.explicit && (v.named || s.clauseEnds(v.end)) || j.fill && mine && s.clauseEnds(v.end) && v.end-v.start >= 6 || v.named && (j.fill || mine || len(w) > 4)
	case is&wordSocial != 0:
		return j.id && (v.named || j.explicit || s.clauseEnds(v.end) && v.end-v.start >= 6) || v.named && (j.explicit || j.fill || mine || len(w) > 4)
	}
	if s.byteBefore(i) == ' ' && s.byteBefore(i-1) == ' ' || s.byteBefore(i) == '\n' || i == 0 { // it begins a line: signal: anna.42
		mine = mine || j.explicit && isTagged(w) && bytes.ContainsAny(w, "._") && s.clauseEnds(v.end)
	}
	return j.id && (v.named || j.explicit) || v.named && mine && (j.explicit || j.fill)
}

// taggedFollows says whether a name that nothing else looks like follows after one space.
func (s *scan) taggedFollows(i int) bool {
	if i+1 >= len(s.b) || s.b[i] != ' ' {
		return false
	}
	i++
	if s.b[i] == '@' {
		return true
	}
	end := i
	for end < len(s.b) && end-i <= longestHandle && s.isNamePart(s.b[end]) {
		end++
	}
	return isTagged(s.b[i:end])
}

// tag looks at the "#" at i for a name in Discord, as anna#1234, and returns where to go on.
func (s *scan) tag(i int) int {
	if s.byteBefore(i) == '&' && bytes.HasPrefix(s.b[i:], []byte("#64;")) { // "@" in HTML
		return s.at(i-1, i+4)
	}
	if to := s.signAt(i, i+1); to > 0 {
		return to
	}
	end := i + 1
	for end < len(s.b) && s.class[s.b[end]] == digit {
		end++
	}
	start := s.nameBefore(i)
	if end != i+5 || s.inWord[s.byteAt(end)] || i-start < shortestHandle || s.byteBefore(start) == '/' || !near(s.reachCue, start, 24) && !near(s.labelCue, start, 24) && !near(s.selfCue, start, 2) {
		return i + 1
	}
	return s.take(start, end, Handle)
}

// isTagged says whether a word has a digit or an underscore among its letters.
func isTagged(w []byte) bool { return isNamed(w) && bytes.ContainsAny(w, "0123456789_") }

// isSign says whether the rune at i is neither a letter nor a space.
func (s *scan) isSign(i int) bool {
	r, _ := utf8.DecodeRune(s.b[i:])
	return r != utf8.RuneError && sortOf(r) == otherRune
}

// clauseEnds says whether nothing of a sentence follows at i.
func (s *scan) clauseEnds(i int) bool {
	if i >= len(s.b) || s.b[i] == '\n' || s.b[i] == '\r' {
		return true
	}
	return bytes.IndexByte([]byte(".,;!?)"), s.b[i]) >= 0 && (s.byteAt(i+1) == ' ' || s.byteAt(i+1) == '\n')
}

// valueBefore returns where a handle begins that stands before the label at i, as in "@anna on skype", or -1.
func (s *scan) valueBefore(i int) int {
	left, which := s.bracketBefore(i, openBrackets)
	joined := which >= 0
	if word, e := s.wordBefore(left); which < 0 && word < left && e.is&wordFill != 0 {
		left, joined = s.blanksBefore(word), true
	}
	if s.byteBefore(left) == '@' && left < i { // anna_1 @ telegram
		left = s.blanksBefore(left - 1)
		if start := s.nameBefore(left); isTagged(s.b[start:left]) {
			return start
		}
		return -1
	}
	start := left
	for start > s.last && left-start <= longestHandle && (s.isNamePart(s.b[start-1]) || s.b[start-1] == '@') {
		start--
	}
	if left-start <= shortestHandle || start > s.last && s.isLetterAt(start-1) {
		return -1
	}
	w := s.b[start:left]
	if w[0] == '@' {
		if bytes.IndexByte(w[1:], '@') < 0 && len(w) > shortestHandle {
			return start
		}
		return -1
	}
	if !joined || !isNamed(w) || bytes.IndexByte(w, '@') >= 0 || s.class[w[0]] == digit || !near(s.reachCue, start, 12) && !near(s.idCue, start, 12) && !near(s.selfCue, start, 8) {
		return -1
	}
	return start
}

// valueStop returns where the handle at start ends.
func (s *scan) valueStop(start int) int {
	end := start + 1
	for end < len(s.b) && s.isNamePart(s.b[end]) {
		end++
	}
	for end > start+1 && (s.b[end-1] == '.' || s.b[end-1] == '-') {
		end--
	}
	return end
}

// mention looks at the "@" at i for a handle behind a cue, and returns where to go on.
func (s *scan) mention(i, after int) int {
	if s.inWord[s.byteBefore(i)] {
		return after
	}
	if s.inWord[s.byteAt(after)] && (near(s.labelCue, i, 40) && bytes.IndexByte(s.b[s.labelCue:i], '\n') < 0 || near(s.pokeCue, i, 2)) {
		if v, ok := s.valueAt(i); ok {
			return s.take(i, v.end, Handle)
		}
	}
	named := near(s.idCue, i, 24) && s.inWord[s.byteAt(after)] && bytes.Count(s.b[s.idCue:i], []byte(" ")) <= 2 && s.byteBefore(i) == ' ' && s.byteAt(s.idCue) != '(' && bytes.IndexByte(s.b[s.idCue:i], '\n') < 0 || near(s.idCue, i, 8) && len(bytes.Trim(s.b[s.idCue:i], " :=-is")) == 0 && s.idCue < i
	if !named && (!near(s.reachCue, i, 40) || bytes.IndexByte(s.b[s.reachCue:i], '\n') >= 0) {
		return after
	}
	if v, ok := s.valueAt(i); ok {
		return s.take(i, v.end, Handle)
	}
	return after
}

// spacedLink looks for "h t t p s : / / anna . com" and "w w w . anna . com" behind their first letters, which end at end, and
// returns where to go on.
func (s *scan) spacedLink(i, end int) int {
	for end < len(s.b) && end-i < 40 && bytes.IndexByte([]byte(" :/."), s.b[end]) >= 0 {
		end++
	}
	if h := s.host(end, true); h.rank > 0 {
		return s.take(i, s.linkEnd(h.end), Link)
	}
	if to := s.spacedHost(end - 1); to > 0 {
		return s.take(i, to, Link)
	}
	return i + 1
}

// spacedWord looks at the letter at i for a label with spaces between its letters, and returns where to go on.
func (s *scan) spacedWord(i int) int {
	var buf [16]byte
	n, end := 0, i
	for n < len(buf) && end < len(s.b) && s.class[s.b[end]] == letter && !s.inWord[s.byteAt(end+1)] {
		buf[n] = s.b[end]
		n++
		if c := s.byteAt(end + 1); c != ' ' && c != '.' && c != '-' || s.class[s.byteAt(end+2)] != letter {
			end++
			break
		}
		end += 2
	}
	if n < 3 {
		return i + 1
	}
	lower(buf[:], buf[:n])
	switch string(buf[:n]) {
	case "https", "http", "www":
		return s.spacedLink(i, end)
	case "gmail":
		return max(s.label(i, end, wordProvider), end)
	}
	e := s.lookup(buf[:n])
	if n < 4 || e.is&(wordLabel|wordPhone) == 0 {
		return i + 1
	}
	if to := s.label(i, end, e.is); to > 0 {
		return to
	}
	s.cue(i, end, e.is)
	return end
}
