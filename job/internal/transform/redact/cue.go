package redact

import (
	"bytes"
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
	if is&wordReach != 0 && s.nextIs(end, wordMe) {
		s.reachCue = end
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

// nextIs says whether a word of a class follows after one space.
func (s *scan) nextIs(end int, is words) bool {
	if end+1 >= len(s.b) || s.b[end] != ' ' {
		return false
	}
	_, e := s.wordAt(end + 1)
	return e.is&is != 0
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
	openBrackets  = "([{<*-|#~"
	closeBrackets = ")]}>*-|#~"
)

// opened steps back from i over spaces and an opening bracket; which is its number among openBrackets, or -1.
func (s *scan) opened(i int) (start, which int) {
	start = s.blanksBefore(i)
	if start == s.last {
		return start, -1
	}
	if which = bytes.IndexByte([]byte(openBrackets), s.b[start-1]); which >= 0 {
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
