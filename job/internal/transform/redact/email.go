package redact

import (
	"bytes"
	"unicode/utf8"
)

// longestName bounds the part before the "@", in bytes (RFC 5321, section 4.5.3.1.1).
const longestName = 64

// at looks at the "@" from i until after, and returns where to go on.
func (s *scan) at(i, after int) int {
	if start := s.nameBefore(i); start < i {
		if h := s.host(after, false); h.rank > 0 {
			if s.isRemote(start, i, h.end) {
				return h.end
			}
			return s.take(start, h.end, Email)
		}
	}
	if to := s.looseAt(i, after); to > 0 {
		return to
	}
	if to := s.spacedLetters(i, after); to > 0 {
		return to
	}
	return s.mention(i, after)
}

// isRemote says whether user@host is one of a version control system, as in git@host:path.
func (s *scan) isRemote(start, at, end int) bool {
	return string(s.b[start:at]) == "git" && s.byteAt(end) == ':'
}

// nameBefore returns where the name that ends at i begins, which is i where there is none.
func (s *scan) nameBefore(i int) int {
	b, start := s.b, i
	if s.byteBefore(i) == '"' {
		if q := bytes.LastIndexByte(b[max(s.last, i-longestName):i-1], '"'); q >= 0 {
			return max(s.last, i-longestName) + q
		}
		return i
	}
	for start > s.last && i-start < longestName {
		c := b[start-1]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeLastRune(b[s.last:start])
			if sortOf(r) != letterRune {
				break
			}
			start -= size
			continue
		}
		if !s.inWord[c] && bytes.IndexByte([]byte(".+-%'&"), c) < 0 {
			break
		}
		start--
	}
	for start < i && b[start] < utf8.RuneSelf && !s.inWord[b[start]] {
		start++
	}
	return start
}

// looseAt looks for an address with spaces or brackets around "@" and dots, or without an ending.
func (s *scan) looseAt(i, after int) int {
	left, which := s.opened(i)
	right, ok := s.closed(after, which)
	start := s.nameBefore(left)
	if !ok || start == left {
		return 0
	}
	h := s.host(right, true)
	if (h.rank >= commonTLD || h.rank > 0 && which >= 0) && s.byteAt(h.end) != '/' {
		return s.take(start, h.end, Email)
	}
	if left == i && right == after && h.n > 0 {
		if name := s.b[h.labels[0][0]:h.labels[0][1]]; h.n == 1 && len(name) >= 5 && s.lookup(name).is&wordProvider != 0 {
			return s.take(start, h.labels[0][1], Email)
		}
	}
	return 0
}

// spacedLetters looks for "d a v e @ g m a i l . c o m".
func (s *scan) spacedLetters(i, after int) int {
	start := i
	for start-2 >= s.last && s.b[start-1] == ' ' && s.isNamePart(s.b[start-2]) && (start-2 == s.last || s.b[start-3] == ' ') {
		start -= 2
	}
	var buf [longestName]byte
	n, end := 0, after
	for end+1 < len(s.b) && n < len(buf) && s.b[end] == ' ' && s.isNamePart(s.b[end+1]) {
		if end+2 < len(s.b) && s.isNamePart(s.b[end+2]) {
			break
		}
		buf[n] = s.b[end+1]
		n++
		end += 2
	}
	dot := bytes.LastIndexByte(buf[:n], '.')
	if start == i || dot < 1 || s.tld(buf[dot+1:n]) < commonTLD {
		return 0
	}
	return s.take(start, end, Email)
}

func (s *scan) isNamePart(c byte) bool { return s.inWord[c] || c == '.' || c == '-' }

// wordAsAt takes the word from i until end for "@", and returns where to go on where it was one, or 0.
func (s *scan) wordAsAt(i, end int, is words) int {
	for _, more := range []string{" the rate of", " the rate", " sign"} {
		if bytes.HasPrefix(s.b[end:], []byte(more)) {
			end += len(more)
			break
		}
	}
	left, which := s.opened(i)
	right, ok := s.closed(end, which)
	start := s.dottedBefore(left)
	if !ok || left == i || right == end || start == left {
		return 0
	}
	h := s.host(right, true)
	if h.n == 0 || h.point && end-i == 2 { // "at this point in" is English
		return 0
	}
	if which >= 0 && openBrackets[which] != '-' {
		if h.rank > 0 && is&wordAtWeak == 0 {
			return s.take(start, h.end, Email)
		}
		return 0
	}
	name := s.b[start:left]
	if s.lookup(name).is&wordStop != 0 {
		return 0
	}
	free := s.lookup(s.b[h.labels[0][0]:h.labels[0][1]]).is&wordProvider != 0
	cued := near(s.mailCue, start, 40)
	switch {
	case s.byteBefore(start) == '<' && s.byteAt(h.end) == '>' && h.rank > 0: // as archives of mailing lists have it
		return s.take(start, h.end, Email)
	case h.rank >= commonTLD && h.disguised > 0, h.rank > 0 && free && is&wordAtWeak == 0, h.rank > 0 && cued && is&wordAtWeak == 0:
		return s.take(start, h.end, Email)
	case h.rank == 0 && h.n == 1 && free && is&wordAtWeak == 0 && (cued || marked(name)):
		return s.take(start, h.labels[0][1], Email)
	}
	return 0
}

// dottedBefore is as nameBefore; in the name words may stand for dots.
func (s *scan) dottedBefore(i int) int {
	start := s.nameBefore(i)
	for range 3 {
		end, which := s.opened(start)
		word, e := s.wordBefore(end)
		if which >= 0 { // nick(dot)taylor
			word, e = s.wordBefore(end)
		}
		if start == i || word == end || e.is&wordDot == 0 {
			break
		}
		left, opened := s.opened(word)
		further := s.nameBefore(left)
		if left == word || further == left || opened != which {
			break
		}
		start = further
	}
	return start
}

// marked says whether a name has what a word of a sentence has not: a digit, an underscore or a dot.
func marked(name []byte) bool { return bytes.ContainsAny(name, "0123456789_.") }

// underscored looks for info_at_example_dot_com in the word from i until end, and returns where to go on.
func (s *scan) underscored(i, end int) int {
	var buf [longestName * 2]byte
	if end-i > len(buf) {
		return end
	}
	w := lower(buf[:], s.b[i:end])
	at, dot := bytes.Index(w, []byte("_at_")), bytes.LastIndex(w, []byte("_dot_"))
	if at > 0 && dot > at+4 && s.tld(w[dot+5:]) > 0 {
		return s.take(i, end, Email)
	}
	return end
}
