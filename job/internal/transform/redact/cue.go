package redact

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// cue notes what the word from i until end says of what follows.
func (s *scan) cue(i, end int, is words) {
	switch {
	case is&wordCall != 0 && s.nextIs(end, wordMe), is&wordMy != 0 && s.nextIs(end, wordNumber):
		s.phoneCue, _ = s.wordAt(end + 1)
	case is&wordPhone != 0 && end-i <= 3: // tel, fax: such letters stand in dumps, too
		s.phoneCue = end - phoneWindow + shortPhoneWindow
	case is&wordPhone != 0:
		s.phoneCue = end
	case is&wordMy != 0 && s.byteAt(end) == ' ' && s.inWord[s.byteAt(end+1)]: // my UK number
		if next, _ := s.wordAt(end + 1); s.nextIs(next, wordNumber) {
			s.phoneCue, _ = s.wordAt(next + 1)
		}
	}
	if is&wordRing != 0 {
		s.callCue = end
	}
	if is&wordSeen != 0 {
		s.seenCue = end
	}
	if is&wordPoke != 0 {
		s.pokeCue = end
	}
	if is&(wordLabel|wordSocial) != 0 {
		s.labelCue = end
	}
	if is&wordMail != 0 {
		s.mailCue = end
	}
	if is&wordWeb != 0 && !near(s.webCue, i, 20) { // in "visit my shop dot com" the shop is the name
		s.webCue = end
	}
	if is&wordReach != 0 && s.nextIs(end, wordMe) || is&wordHere != 0 {
		s.reachCue = end
	}
	if is&wordGo != 0 && s.nextIs(end, wordAway) {
		s.webCue, _ = s.wordAt(end + 1)
	}
	if is&wordID != 0 {
		s.idCue = end
	}
	if is&wordSelf != 0 {
		s.selfCue = end
	}
	if is&wordMy != 0 {
		s.myCue = end
	}
	if is&wordCode != 0 {
		s.codeCue = end
	}
}

// picture notes what a picture that ends at end says of what follows.
func (s *scan) picture(r rune, end int) {
	switch r {
	case '☎', '☏', '✆', '📞', '📱', '📲':
		s.phoneCue = end
	case '✉', '📧', '📨', '📩', '📬':
		s.mailCue = end
	case '🌐', '🔗':
		s.webCue = end
	}
}

// halves looks for the name of a messenger with a space in it, as "tele gram", behind its first word from i until end.
func (s *scan) halves(i, end int) int {
	if s.byteAt(end) != ' ' || !s.inWord[s.byteAt(end+1)] {
		return 0
	}
	var buf [longestWord]byte
	to, _ := s.wordAt(end + 1)
	w := append(append(buf[:0], s.b[i:end]...), s.b[end+1:min(to, end+16)]...)
	e := s.lookup(w)
	if e.is&(wordLabel|wordPhone|wordProvider) == 0 {
		return 0
	}
	if next := s.label(i, to, e.is); next > 0 {
		return next
	}
	s.cue(i, to, e.is)
	return to
}

// nextIs says whether a word of a class follows after one space.
func (s *scan) nextIs(end int, is words) bool {
	if end+1 >= len(s.b) || s.b[end] != ' ' {
		return false
	}
	_, e := s.wordAt(end + 1)
	return e.is&is != 0
}

// nextWord returns where the next word on the line begins, a few spaces and marks on, or -1.
func (s *scan) nextWord(i int) int {
	for from := i; i < len(s.b) && i-from < 8; {
		c := s.b[i]
		switch {
		case s.class[c] == letter:
			return i
		case bytes.IndexByte([]byte(" ,(-"), c) >= 0:
			i++
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(s.b[i:])
			if sortOf(r) != otherRune || r == utf8.RuneError {
				return i
			}
			i += size
		default:
			return -1
		}
	}
	return -1
}

// blanks returns where the spaces from i on end, two at most.
func (s *scan) blanks(i int) int {
	for n := 0; n < 2 && i < len(s.b) && s.b[i] == ' '; n++ {
		i++
	}
	return i
}

// blanksBefore returns where the spaces before i begin, two at most.
func (s *scan) blanksBefore(i int) int {
	for n := 0; n < 2 && i > s.last && s.b[i-1] == ' '; n++ {
		i--
	}
	return i
}

const (
	openBrackets  = "([{<*-|#~+/="
	closeBrackets = ")]}>*-|#~+/="
)

// bracketBefore steps back from i over spaces and one of some brackets; which is its number among them, or -1.
func (s *scan) bracketBefore(i int, brackets string) (start, which int) {
	start = s.blanksBefore(i)
	if start == s.last {
		return start, -1
	}
	if which = strings.IndexByte(brackets, s.b[start-1]); which >= 0 {
		start = s.blanksBefore(start - 1)
	}
	return start, which
}

// closed steps from i over spaces and the closing bracket of that number.
func (s *scan) closed(i, which int) (end int, ok bool) {
	end = s.blanks(i)
	if which < 0 {
		return end, true
	}
	if end == len(s.b) || s.b[end] != closeBrackets[which] {
		return i, false
	}
	return s.blanks(end + 1), true
}

// atFollows says whether an "@" or what stands for one follows at i.
func (s *scan) atFollows(i int) bool {
	i = s.blanks(i)
	bracket := i < len(s.b) && bytes.IndexByte([]byte(openBrackets), s.b[i]) >= 0
	if bracket {
		i = s.blanks(i + 1)
	}
	if i >= len(s.b) || s.b[i] == '@' {
		return i < len(s.b)
	}
	_, e := s.wordAt(i)
	return bracket && e.is&wordAt != 0
}

// wordBefore returns where the word that ends at i begins, and what the vocabulary says of it.
func (s *scan) wordBefore(i int) (start int, e entry) {
	start = i
	for start > s.last && i-start <= longestWord {
		if c := s.b[start-1]; c < utf8.RuneSelf {
			if !s.inWord[c] {
				break
			}
			start--
			continue
		}
		r, size := utf8.DecodeLastRune(s.b[s.last:start])
		if sortOf(r) == otherRune {
			break
		}
		start -= size
	}
	return start, s.lookup(s.b[start:i])
}

// spaceAt says whether a space stands at i, within the text.
func (s *scan) spaceAt(i int) bool { return i < len(s.b) && s.b[i] == ' ' }

// byteAt returns the byte at i, and a space outside the text.
func (s *scan) byteAt(i int) byte {
	if i < 0 || i >= len(s.b) {
		return ' '
	}
	return s.b[i]
}

// byteBefore returns the byte before i. Before a text and after a detail it is a space.
func (s *scan) byteBefore(i int) byte {
	if i <= s.last {
		return ' '
	}
	return s.b[i-1]
}
