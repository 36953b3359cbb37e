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
			if _, which := s.bracketBefore(start, closeBrackets); which >= 0 { // anna (dot) w@example.com
				start = s.dottedBefore(i)
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
	if start := s.nameBefore(i); start < i {
		if end := s.gapDot(s.labelEnd(after)); end > 0 && s.labelEnd(after) > after {
			return s.take(start, end, Email)
		}
	}
	if c := s.byteBefore(i); c == ' ' && s.inWord[s.byteAt(after)] && i > 0 {
		if h := s.host(after, false); h.rank == plainTLD && h.whole() && h.end-h.labels[h.n-2][0] > 7 && s.byteAt(h.end) != '/' && s.byteAt(h.end) != '(' {
			return s.take(i, h.end, Email)
		}
	}
	if to := s.literal(i, after); to > 0 {
		return to
	}
	return s.mention(i, after)
}

// literal looks for an address at a host that is named by its number, as anna@[192.0.2.1].
func (s *scan) literal(i, after int) int {
	start := s.nameBefore(i)
	if start == i || s.byteAt(after) != '[' || s.class[s.byteAt(after+1)] != digit {
		return 0
	}
	end := after + 1
	for end < len(s.b) && (s.class[s.b[end]] == digit || s.b[end] == '.') {
		end++
	}
	if s.byteAt(end) != ']' {
		return 0
	}
	return s.take(start, end+1, Email)
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
	left, which := s.bracketBefore(i, openBrackets)
	right, ok := s.closed(after, which)
	start := s.nameBefore(left)
	if left < i && start < left { // anna . w @ example . com
		for range 3 {
			dot := s.blanksBefore(start)
			if s.byteBefore(dot) != '.' || dot == start {
				break
			}
			further := s.nameBefore(s.blanksBefore(dot - 1))
			if further == s.blanksBefore(dot-1) {
				break
			}
			start = further
		}
	}
	if !ok || start == left {
		return 0
	}
	if _, which := s.bracketBefore(start, closeBrackets); which >= 0 {
		start = s.dottedBefore(left)
	}
	start = s.spacedDigits(s.singles(start, left))
	h := s.host(right, true)
	if (h.rank >= commonTLD || h.rank > 0 && which >= 0) && s.byteAt(h.end) != '/' {
		return s.take(start, h.end, Email)
	}
	if to := s.providerEnd(&h); to > 0 {
		return s.take(start, to, Email)
	}
	if left == i && right == after && h.n > 0 {
		if to := s.gapDot(h.labels[h.n-1][1]); to > 0 {
			return s.take(start, to, Email)
		}
		if name := s.b[h.labels[0][0]:h.labels[0][1]]; h.n == 1 && len(name) >= 5 && s.lookup(name).is&wordProvider != 0 {
			return s.take(start, h.labels[0][1], Email)
		}
	}
	return 0
}

// spacedLetters looks for "d a v e @ g m a i l . c o m", also with words for "@", which stands from i until after, and dots.
// spacedHost returns where a domain name in single letters, and words for dots, ends that begins behind a space at i, or 0.
func (s *scan) isNamePart(c byte) bool { return s.inWord[c] || c == '.' || c == '-' }

// atPhrase returns where what stands for "@" begins and ends of which the word from i until end is one: at the rate of, a còng.
func (s *scan) atPhrase(i, end int) (from, to int) {
	for _, more := range []string{" the rate of", " the rate", " d rate", " da rate", " rate", " sign", "-sign", "-a", " a", " mark"} {
		if len(s.b)-end >= len(more) && bytes.EqualFold(s.b[end:end+len(more)], []byte(more)) && !s.inWord[s.byteAt(end+len(more))] {
			end += len(more)
			break
		}
	}
	if end-i > 2 && i-2 > s.last && s.b[i-1] == ' ' && s.b[i-2] == 'a' && s.b[i-3] == ' ' { // a còng
		i -= 2
	}
	return i, end
}

// wordAsAt takes the word from i until end for "@", and returns where to go on where it was one, or 0.
func (s *scan) wordAsAt(i, end int, is words) int {
	i, end = s.atPhrase(i, end)
	left, which := s.bracketBefore(i, openBrackets)
	right, ok := s.closed(end, which)
	if which >= 0 && !ok { // anna (at gmail)
		which, right, ok = -1, s.blanks(end), true
	}
	start := s.dottedBefore(left)
	dense := s.b[i] >= utf8.RuneSelf
	if to := s.spacedLetters(i, end); to > 0 {
		return to
	}
	if !ok || (left == i || right == end) && !dense || start == left {
		return 0
	}
	h := s.host(right, true)
	if to := s.providerEnd(&h); to > 0 && is&wordAtWeak == 0 {
		return s.take(start, to, Email)
	}
	if hyphens := s.hyphened(right); hyphens > 0 && s.byteBefore(i) == '-' && s.byteAt(end) == '-' {
		return s.take(start, hyphens, Email)
	}
	if h.n == 0 || which < 0 && h.point && end-i == 2 && s.isTalk(&h) { // "at this point in" is English
		return 0
	}
	if which >= 0 && openBrackets[which] != '-' {
		if h.rank > 0 && (is&wordAtWeak == 0 || h.disguised > 0) {
			return s.take(start, h.end, Email)
		}
		if name := s.b[h.labels[0][0]:h.labels[0][1]]; h.n == 1 && len(name) >= 5 && is&wordAtWeak == 0 && s.lookup(name).is&wordProvider != 0 {
			return s.take(start, h.labels[0][1], Email)
		}
		return 0
	}
	return s.openAddress(start, left, &h, is)
}

// openAddress takes the name from start until left, a word for "@", and a host with nothing around them for an address, or returns 0.
func (s *scan) openAddress(start, left int, h *host, is words) int {
	name := s.b[start:left]
	if s.lookup(name).is&wordStop != 0 || h.rank > 0 && (s.byteAt(h.end) == '/' || s.spokenPath(h.end) > h.end) { // guides at example dot com slash help
		return 0
	}
	free := s.lookup(s.b[h.labels[0][0]:h.labels[0][1]]).is&wordProvider != 0
	cued := near(s.mailCue, start, 40) || h.rank >= commonTLD && h.whole() && s.mailFollows(h.end)
	if whole := s.bracketed(start, h.end); whole < start && h.disguised > 0 && h.rank >= commonTLD { // [anna maria at example dot com]
		return s.take(whole, h.end, Email)
	}
	switch {
	case s.byteBefore(start) == '<' && s.byteAt(h.end) == '>' && h.rank > 0, // as archives of mailing lists have it
		s.byteBefore(start) == '(' && s.byteAt(h.end) == ')' && h.disguised > 0:
		return s.take(start, h.end, Email)
	case h.rank >= commonTLD && h.disguised > 0 && cued:
		return s.take(s.widen(start), h.end, Email)
	case h.rank >= commonTLD && h.disguised > 0, h.rank > 0 && free && is&wordAtWeak == 0, h.rank > 0 && cued && is&wordAtWeak == 0:
		return s.take(start, h.end, Email)
	case h.rank == 0 && h.n == 1 && free && is&wordAtWeak == 0 && (cued || marked(name)):
		return s.take(start, h.labels[0][1], Email)
	case h.n == 1 && s.spaceAt(h.labels[0][1]): // anna at example com
		to := s.labelEnd(h.labels[0][1] + 1)
		rank := s.tld(s.b[h.labels[0][1]+1 : to])
		if rank >= commonTLD && s.byteBefore(start) == '<' && s.byteAt(to) == '>' || rank == plainTLD && to-h.labels[0][1] > 3 && (cued || s.mailFollows(to)) {
			return s.take(start, to, Email)
		}
	}
	return 0
}

// bracketed returns where the words begin of which the one at start is the last, if there are three at most and a bracket around them
// and what ends at end, or start.
func (s *scan) bracketed(start, end int) int {
	which := bytes.IndexByte([]byte("])>"), s.byteAt(end))
	if which < 0 || end >= len(s.b) {
		return start
	}
	for i, words := start, 0; words < 3; words++ {
		if s.byteBefore(i) == "[(<"[which] {
			return i
		}
		if s.byteBefore(i) != ' ' {
			return start
		}
		word := s.nameBefore(i - 1)
		if word == i-1 {
			return start
		}
		i = word
	}
	return start
}

// isTalk says whether a name with "point" for a dot may be words of a sentence: this point in.
func (s *scan) isTalk(h *host) bool {
	if h.rank < plainTLD || s.lookup(s.b[h.labels[0][0]:h.labels[0][1]]).is&wordStop != 0 {
		return true
	}
	switch string(s.b[h.labels[h.n-1][0]:h.end]) {
	case "at", "us", "es", "de", "il", "se", "by", "ca":
		return true
	}
	return false
}

// mailFollows says whether a cue of an address stands among the next few words.
func (s *scan) mailFollows(i int) bool {
	for range 5 {
		if i = s.nextWord(i); i < 0 {
			return false
		}
		end, e := s.wordAt(i)
		if e.is&wordMail != 0 {
			return true
		}
		i = end
	}
	return false
}

// widen returns where the words of a name begin that goes on at start, as in "my mail is anna maria 45 at gmail dot com".
func (s *scan) widen(start int) int {
	from := s.mailCue
	if !near(from, start, 40) { // the cue stands behind the address
		return start
	}
	words, first := 0, start
	for from < start && words <= 3 {
		for from < start && !s.inWord[s.b[from]] {
			if c := s.b[from]; c == ':' || c == '=' {
				words, first = 0, start
			}
			from++
		}
		end, e := s.wordAt(min(from, len(s.b)-1))
		if from >= start || end > start {
			break
		}
		if e.is&(wordFill|wordID|wordMy|wordSelf|wordMail|wordStop) != 0 {
			words, first = 0, start
		} else if words++; words == 1 {
			first = from
		}
		from = max(end, from+1)
	}
	if words > 3 {
		return start
	}
	return max(first, s.last)
}

// providerEnd returns where the domain of a provider of mail ends that is written without its dot, as "gmail com",
// "gmail,com", "gmaildotcom" or "yahoo dotcom", or 0.
func (s *scan) providerEnd(h *host) int {
	if h.n != 1 || h.rank > 0 {
		return 0
	}
	from, to := h.labels[0][0], h.labels[0][1]
	for _, tail := range [...]string{"dotcom", "com", ""} {
		n := to - from - len(tail)
		if n < 5 || !bytes.EqualFold(s.b[from+n:to], []byte(tail)) || s.lookup(s.b[from:from+n]).is&wordProvider == 0 {
			continue
		}
		if tail != "" {
			return to
		}
		if to == len(s.b) || s.b[to] != ' ' && s.b[to] != ',' {
			return 0
		}
		next := to + 1
		end := s.labelEnd(next)
		for _, ending := range [...]string{"com", "dotcom", "de", "fr", "net", "co"} {
			if bytes.EqualFold(s.b[next:end], []byte(ending)) && (len(ending) > 2 || s.byteAt(to) == ',') {
				return end
			}
		}
	}
	return 0
}

// hyphened returns where a domain ends whose dots are "-dot-", or 0.
func (s *scan) hyphened(i int) int {
	end := s.labelEnd(i)
	if dot := bytes.LastIndex(s.b[i:end], []byte("-dot-")); dot > 0 && s.tld(s.b[i+dot+5:end]) > 0 {
		return end
	}
	return 0
}

// dottedBefore is as nameBefore; in the name words may stand for dots.
func (s *scan) dottedBefore(i int) int {
	start := s.nameBefore(i)
	for range 4 {
		end, which := s.bracketBefore(start, closeBrackets)
		word, e := s.wordBefore(end)
		if start == i || word == end || e.is&(wordDot|wordJoiner) == 0 {
			break
		}
		if before, e := s.wordBefore(s.blanksBefore(word)); e.is&wordJoiner != 0 { // guion bajo
			word = before
		}
		left, opened := s.bracketBefore(word, openBrackets)
		further := s.nameBefore(left)
		if left == word || further == left || opened != which {
			break
		}
		start = further
	}
	return s.spacedDigits(start)
}

// singles returns where a name of single letters with spaces between them begins, the last of which stands from start until end.
// gapDot returns where a domain name goes on to that has a space beside its dot, or a comma for it, at i: "example .com",
// "example. com", "example,co,uk". It returns 0 where none does.
// signAt takes the sign from i until after for "@" before the domain of a provider, as in anna★gmail.com.
func (s *scan) signAt(i, after int) int {
	if !s.inWord[s.byteBefore(i)] || !s.inWord[s.byteAt(after)] {
		return 0
	}
	h := s.host(after, false)
	if start := s.nameBefore(i); start < i && h.whole() && s.lookup(s.b[h.labels[0][0]:h.labels[0][1]]).is&wordProvider != 0 {
		return s.take(start, h.end, Email)
	}
	return 0
}

// spacedDigits returns where a name begins whose last parts are digits between spaces, the part at start among them: ravi 2 1.
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
	if at > 0 && dot < at {
		if h := s.host(i+at+4, false); h.rank >= commonTLD && h.whole() && h.end > end {
			return s.take(i, h.end, Email)
		}
		if name := w[at+4:]; len(name) >= 5 && s.words[string(name)].is&wordProvider != 0 {
			return s.take(i, end, Email)
		}
	}
	if at > 0 && dot > at+4 && s.tld(w[dot+5:]) > 0 {
		return s.take(i, end, Email)
	}
	return end
}
